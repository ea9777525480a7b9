import { assert } from '../errors.js'

/** Below lie the scratch tables of the kernels themselves (see assembly/). Both forms begin here, so that addresses are the same in both. */
export const FIRST_ADDRESS = 65_536
export const PAGE_BYTES = 65_536
/** Kernels load up to 64 bytes at any address of a field; beyond the last allocation there is always this much. */
const SLACK_BYTES = 256
/** Memory grows by doubling, up to such steps. */
const LARGEST_STEP_BYTES = 1 << 24
/** Addresses stay below 2³¹, so that they are small integers everywhere. */
const ADDRESS_LIMIT = 2 ** 31 - PAGE_BYTES

export const DEFAULT_MAXIMUM_BYTES = 2 ** 30

/** The memory under the kernels: a stack of allocations, and views that follow when it grows. */
export abstract class KernelMemory {
  buffer!: ArrayBuffer
  u8!: Uint8Array
  i32!: Int32Array
  u32!: Uint32Array
  f64!: Float64Array
  i64!: BigInt64Array
  /** For loads at any address: typed arrays only have aligned ones. */
  view!: DataView

  private top = FIRST_ADDRESS

  constructor(protected readonly maximumBytes: number) {
    assert(maximumBytes >= 2 * PAGE_BYTES && maximumBytes <= ADDRESS_LIMIT, `maximumBytes ${maximumBytes}`)
  }

  /** Makes the memory at least `bytes` (whole pages) long, keeping what it holds, and returns it. */
  protected abstract grow(bytes: number): ArrayBuffer

  reserve(bytes: number): void {
    const needed = Math.ceil((this.top + bytes + SLACK_BYTES) / PAGE_BYTES) * PAGE_BYTES
    if (needed > this.buffer.byteLength && needed <= this.maximumBytes) this.adopt(this.grow(needed))
  }

  allocate(bytes: number, alignment = 16): number {
    assert(bytes >= 0 && Number.isInteger(bytes), `${bytes} bytes`)
    assert(alignment >= 16 && (alignment & (alignment - 1)) === 0, `alignment ${alignment}`)
    const address = Math.ceil(this.top / alignment) * alignment
    const top = address + bytes
    const needed = Math.ceil((top + SLACK_BYTES) / PAGE_BYTES) * PAGE_BYTES
    if (needed > this.buffer.byteLength) {
      if (needed > this.maximumBytes)
        throw new RangeError(`${bytes} bytes more than ${this.top} are beyond the maximum of ${this.maximumBytes}`)
      // Each time new views are made, and the runtime counts all of the memory once more: so not by little. What is not touched costs nothing.
      const ample = Math.max(needed, this.buffer.byteLength + Math.min(this.buffer.byteLength, LARGEST_STEP_BYTES))
      this.adopt(this.grow(Math.min(ample, Math.floor(this.maximumBytes / PAGE_BYTES) * PAGE_BYTES)))
    }
    this.top = top
    return address
  }

  mark(): number {
    return this.top
  }

  release(mark: number): void {
    assert(mark >= FIRST_ADDRESS && mark <= this.top, `release of ${mark} at ${this.top}`)
    this.top = mark
  }

  protected adopt(buffer: ArrayBuffer): void {
    this.buffer = buffer
    this.u8 = new Uint8Array(buffer)
    this.i32 = new Int32Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.f64 = new Float64Array(buffer)
    this.i64 = new BigInt64Array(buffer)
    this.view = new DataView(buffer)
  }
}

export const INITIAL_BYTES = FIRST_ADDRESS + PAGE_BYTES

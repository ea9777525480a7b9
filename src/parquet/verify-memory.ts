import { assert } from '../errors.js'

/** What is used of WebAssembly (WebAssembly JavaScript Interface): its types come with the browser's, which are not those of this program. */
interface WebassemblyApi {
  compile(bytes: Uint8Array): Promise<DecoderModule>
  readonly CompileError: new () => Error
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => WebassemblyMemory
  readonly Instance: new (module: DecoderModule, imports: object) => { readonly exports: object }
}

/** Compiled code: no memory, no state; may be posted to any number of threads. */
export interface DecoderModule {
  readonly [Symbol.toStringTag]?: string
}

interface WebassemblyMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

/** undefined where Node runs without it (`--jitless`). */
export const webassembly = (globalThis as { WebAssembly?: WebassemblyApi }).WebAssembly

const PAGE_BYTES = 65_536
/** Below lies what the compiled code keeps for itself. */
const FIRST_ADDRESS = 65_536
const INITIAL_PAGES = 32
/** Addresses are small integers, and a file that needs more is left to the TypeScript form. */
export const MAXIMUM_BYTES = 2 ** 30
/** Loads and stores may go this far beyond what was asked for. */
const SLACK_BYTES = 128
/** Slots begin where pages of the operating system do: reads into them are quicker there. */
const ALIGNMENT = 4096

export const SLOTS = [
  'chunk',
  'page',
  'validity',
  'codes',
  'values',
  'spread',
  'lengths',
  'texts',
  'slab',
  'dictionary',
  'dictionaryLengths',
  'dictionaryOffsets',
  'used',
  'compacted',
  'entryHashes',
  'valueHashes',
  'rowHashes',
  'least',
  'most',
] as const
export type Slot = (typeof SLOTS)[number]

interface Region {
  readonly at: number
  readonly sizeBytes: number
}

/**
 * Named pieces of a memory, each as large as was last asked for, or larger. A slot that must grow moves and loses what it held; the others
 * stay, but views into the memory do not outlive a `take`. What a slot holds at first is what others left there.
 */
export class SlotMemory {
  u8!: Uint8Array<ArrayBuffer>
  view!: DataView<ArrayBuffer>
  private readonly memory: WebassemblyMemory
  private readonly regions = new Map<Slot, Region>()
  private free: Region[] = []
  private top = FIRST_ADDRESS

  constructor(private readonly maximumBytes: number = MAXIMUM_BYTES) {
    assert(webassembly !== undefined, 'there is WebAssembly')
    this.memory = new webassembly.Memory({
      initial: Math.min(INITIAL_PAGES, maximumBytes / PAGE_BYTES),
      maximum: maximumBytes / PAGE_BYTES,
    })
    this.adopt()
  }

  /** To be imported by the compiled code. */
  get imported(): object {
    return this.memory
  }

  get sizeBytes(): number {
    return this.u8.length
  }

  /** Throws RangeError where there is no more. */
  take(slot: Slot, bytes: number): number {
    const region = this.regions.get(slot)
    const needed = bytes + SLACK_BYTES
    if (region !== undefined && region.sizeBytes >= needed) return region.at
    const fresh = this.find(needed)
    if (region !== undefined) this.free.push(region)
    this.regions.set(slot, fresh)
    return fresh.at
  }

  private find(needed: number): Region {
    const found = this.free.findIndex(({ sizeBytes }) => sizeBytes >= needed)
    if (found >= 0) return this.free.splice(found, 1)[0]!
    // A quarter more, so that pages that grow little by little do not move each time.
    const sizeBytes = Math.ceil((needed * 1.25) / ALIGNMENT) * ALIGNMENT
    const end = this.top + sizeBytes
    if (end > this.maximumBytes) throw new RangeError(`${needed} bytes are beyond the maximum of ${this.maximumBytes}`)
    if (end > this.u8.length) {
      this.memory.grow(Math.ceil((end - this.u8.length) / PAGE_BYTES))
      this.adopt()
    }
    const at = this.top
    this.top = end
    return { at, sizeBytes }
  }

  private adopt(): void {
    this.u8 = new Uint8Array(this.memory.buffer)
    this.view = new DataView(this.memory.buffer)
  }
}

import { assert } from '../errors.js'
import type { Scalar } from './cell.js'
import { DECIMAL_WIDTH_BYTES, type PhysicalType, type Values } from './vector.js'

/** BYTE_ARRAY offsets have 32 bits. */
const BYTES_LIMIT = 0xffff_ffff

const encoder = new TextEncoder()

/** Typed values, appended one by one in growing arrays of their physical type. */
export interface ValuesWriter {
  readonly count: number
  /** Bytes of all values appended. */
  readonly sizeBytes: number
  append(value: Scalar): void
  /** A copy of what was appended, in order. */
  values(): Values
  /** The values at `codes`, aligned with rows: zero, or no bytes, where `validity` is 0. */
  gather(codes: Uint32Array, validity: Uint8Array): Values
  at(index: number): Scalar
}

export function valuesWriter(physical: PhysicalType): ValuesWriter {
  switch (physical) {
    case 'BOOLEAN':
      return new ArrayWriter(
        1,
        (n) => new Uint8Array(n),
        Number,
        (data) => ({ physical: 'BOOLEAN', data }),
      )
    case 'INT32':
      return new ArrayWriter(
        4,
        (n) => new Int32Array(n),
        Number,
        (data) => ({ physical: 'INT32', data }),
      )
    case 'DOUBLE':
      return new ArrayWriter(
        8,
        (n) => new Float64Array(n),
        Number,
        (data) => ({ physical: 'DOUBLE', data }),
      )
    case 'INT64':
      return new ArrayWriter(
        8,
        (n) => new BigInt64Array(n),
        BigInt,
        (data) => ({ physical: 'INT64', data }),
      )
    case 'BYTE_ARRAY':
      return new TextWriter()
    case 'FIXED_LEN_BYTE_ARRAY':
      return new DecimalWriter()
  }
}

type NumberArray = Uint8Array | Int32Array | Float64Array | BigInt64Array

class ArrayWriter<A extends NumberArray> implements ValuesWriter {
  count = 0
  private data: A

  constructor(
    private readonly widthBytes: number,
    private readonly make: (length: number) => A,
    private readonly convert: (value: Scalar) => A[number],
    private readonly wrap: (data: A) => Values,
  ) {
    this.data = make(64)
  }

  get sizeBytes(): number {
    return this.count * this.widthBytes
  }

  append(value: Scalar): void {
    if (this.count === this.data.length) {
      const larger = this.make(this.data.length * 2)
      larger.set(this.data as never)
      this.data = larger
    }
    this.data[this.count++] = this.convert(value)
  }

  values(): Values {
    return this.wrap(this.data.slice(0, this.count) as A)
  }

  gather(codes: Uint32Array, validity: Uint8Array): Values {
    const out = this.make(codes.length)
    for (let i = 0; i < codes.length; i++) if (validity[i] === 1) out[i] = this.data[codes[i]!]!
    return this.wrap(out)
  }

  at(index: number): Scalar {
    return this.data[index]!
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

class TextWriter implements ValuesWriter {
  count = 0
  private data = new Uint8Array(1024)
  private offsets = new Uint32Array(65)

  get sizeBytes(): number {
    return this.offsets[this.count]!
  }

  append(value: Scalar): void {
    const text = value as string
    const start = this.offsets[this.count]!
    // A UTF-16 unit takes three bytes at most.
    this.reserve(start + text.length * 3)
    const { written } = encoder.encodeInto(text, this.data.subarray(start))
    assert(start + written <= BYTES_LIMIT, 'a column holds at most 4 GiB of distinct text')
    if (this.count + 2 > this.offsets.length) {
      const larger = new Uint32Array(this.offsets.length * 2)
      larger.set(this.offsets)
      this.offsets = larger
    }
    this.offsets[++this.count] = start + written
  }

  values(): Values {
    return { physical: 'BYTE_ARRAY', data: this.data.slice(0, this.sizeBytes), offsets: this.offsets.slice(0, this.count + 1) }
  }

  gather(codes: Uint32Array, validity: Uint8Array): Values {
    const offsets = new Uint32Array(codes.length + 1)
    let total = 0
    for (let i = 0; i < codes.length; i++) {
      if (validity[i] === 1) total += this.offsets[codes[i]! + 1]! - this.offsets[codes[i]!]!
      offsets[i + 1] = total
    }
    assert(total <= BYTES_LIMIT, 'a column of a row group holds at most 4 GiB of text')
    const data = new Uint8Array(total)
    for (let i = 0; i < codes.length; i++) {
      if (validity[i] === 1) data.set(this.data.subarray(this.offsets[codes[i]!]!, this.offsets[codes[i]! + 1]!), offsets[i]!)
    }
    return { physical: 'BYTE_ARRAY', data, offsets }
  }

  at(index: number): Scalar {
    return decoder.decode(this.data.subarray(this.offsets[index]!, this.offsets[index + 1]!))
  }

  private reserve(sizeBytes: number): void {
    if (sizeBytes <= this.data.length) return
    const larger = new Uint8Array(Math.max(this.data.length * 2, sizeBytes))
    larger.set(this.data.subarray(0, this.sizeBytes))
    this.data = larger
  }
}

/** Unscaled decimals of up to 38 digits: 16 bytes, two's complement, big-endian. */
class DecimalWriter implements ValuesWriter {
  count = 0
  private data = new Uint8Array(64 * DECIMAL_WIDTH_BYTES)

  get sizeBytes(): number {
    return this.count * DECIMAL_WIDTH_BYTES
  }

  append(value: Scalar): void {
    if (this.sizeBytes === this.data.length) {
      const larger = new Uint8Array(this.data.length * 2)
      larger.set(this.data)
      this.data = larger
    }
    const view = new DataView(this.data.buffer, this.count * DECIMAL_WIDTH_BYTES, DECIMAL_WIDTH_BYTES)
    const unscaled = BigInt(value)
    view.setBigInt64(0, unscaled >> 64n)
    view.setBigUint64(8, BigInt.asUintN(64, unscaled))
    this.count++
  }

  values(): Values {
    return { physical: 'FIXED_LEN_BYTE_ARRAY', data: this.data.slice(0, this.sizeBytes), widthBytes: DECIMAL_WIDTH_BYTES }
  }

  gather(codes: Uint32Array, validity: Uint8Array): Values {
    const data = new Uint8Array(codes.length * DECIMAL_WIDTH_BYTES)
    for (let i = 0; i < codes.length; i++) {
      const from = codes[i]! * DECIMAL_WIDTH_BYTES
      if (validity[i] === 1) data.set(this.data.subarray(from, from + DECIMAL_WIDTH_BYTES), i * DECIMAL_WIDTH_BYTES)
    }
    return { physical: 'FIXED_LEN_BYTE_ARRAY', data, widthBytes: DECIMAL_WIDTH_BYTES }
  }

  at(index: number): Scalar {
    return decimalAt(this.data, index, DECIMAL_WIDTH_BYTES)
  }
}

/** The unscaled value of a decimal stored in `widthBytes` bytes, two's complement, big-endian. */
export function decimalAt(data: Uint8Array, index: number, widthBytes: number): bigint {
  let value = 0n
  const start = index * widthBytes
  for (let i = start; i < start + widthBytes; i++) value = (value << 8n) | BigInt(data[i]!)
  return BigInt.asIntN(widthBytes * 8, value)
}

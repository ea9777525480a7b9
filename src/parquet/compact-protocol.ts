import { assert } from '../errors.js'

/**
 * Thrift's compact protocol, the writing half, for the classes that @dsnp/parquetjs generates from parquet-format: they call these methods
 * in the order of their fields. The library's own brings its network transports with it, which take longer to load than a file to write,
 * and makes a buffer of each byte. A test holds the two to the same bytes.
 */
export class CompactProtocol {
  private bytes = new Uint8Array(1024)
  private length = 0
  private lastField = 0
  private readonly outer: number[] = []
  /** A boolean field waits for its value, which stands in its header; 0: none waits. */
  private booleanField = 0

  /** How much was written so far. */
  get sizeBytes(): number {
    return this.length
  }

  /** What was written so far. */
  written(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }

  /** Bytes that are in this protocol already. */
  writeRaw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** The fields of this structure up to `id` were written as they are. */
  continueAfter(id: number): void {
    this.lastField = id
  }

  writeStructBegin(_name: string): void {
    this.outer.push(this.lastField)
    this.lastField = 0
  }

  writeStructEnd(): void {
    this.lastField = this.outer.pop() ?? 0
  }

  writeFieldBegin(_name: string, type: number, id: number): void {
    if (type === THRIFT.boolean) this.booleanField = id
    else this.fieldHeader(id, COMPACT_TYPE[type]!)
  }

  writeFieldEnd(): void {}

  writeFieldStop(): void {
    this.byte(0)
  }

  writeListBegin(elementType: number, size: number): void {
    const type = COMPACT_TYPE[elementType]!
    if (size <= 14) this.byte((size << 4) | type)
    else {
      this.byte(0xf0 | type)
      this.varint(size)
    }
  }

  writeListEnd(): void {}

  writeBool(value: boolean): void {
    const type = value ? 1 : 2
    if (this.booleanField === 0) this.byte(type)
    else this.fieldHeader(this.booleanField, type)
    this.booleanField = 0
  }

  writeByte(value: number): void {
    this.byte(value)
  }

  writeI16(value: number): void {
    this.writeI32(value)
  }

  writeI32(value: number): void {
    this.varint(((value << 1) ^ (value >> 31)) >>> 0)
  }

  /** A whole number of at most 53 bits, or an object that holds one. No count, size or place in a file is negative. */
  writeI64(value: { valueOf(): number }): void {
    const n = value.valueOf()
    assert(Number.isSafeInteger(n) && n >= 0, 'a 64-bit number of a footer is whole, not negative, and exact')
    // Twice the number may have 54 bits, but its last one is a zero: it is exact all the same.
    this.varint(2 * n)
  }

  writeDouble(value: number): void {
    this.reserve(8)
    new DataView(this.bytes.buffer).setFloat64(this.length, value, true)
    this.length += 8
  }

  writeString(text: string): void {
    this.writeBinary(Buffer.from(text, 'utf8'))
  }

  /** Bytes, or a text whose characters are bytes. */
  writeBinary(value: Uint8Array | string): void {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
    this.varint(bytes.length)
    this.writeRaw(bytes)
  }

  private fieldHeader(id: number, type: number): void {
    const delta = id - this.lastField
    if (delta > 0 && delta <= 15) this.byte((delta << 4) | type)
    else {
      this.byte(type)
      this.writeI16(id)
    }
    this.lastField = id
  }

  private varint(value: number): void {
    let rest = value
    // Bit operations know 32 bits only.
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.byte(rest)
  }

  private byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + bytes))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}

/** Thrift's own numbers of its types (`Thrift.Type` of the library), for those who write without generated classes. */
export const THRIFT = { boolean: 2, i16: 6, i32: 8, i64: 10, text: 11, struct: 12, list: 15 } as const

/** Thrift.Type → type of the compact protocol: byte, double, i16, i32, i64, string, struct, list. */
const COMPACT_TYPE: Readonly<Record<number, number>> = { 2: 1, 3: 3, 4: 7, 6: 4, 8: 5, 10: 6, 11: 8, 12: 12, 15: 9 }

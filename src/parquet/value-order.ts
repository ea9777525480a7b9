import type { PhysicalType, Values } from '../columns/vector.js'

/**
 * The order of physical values as Parquet defines it, over decoded values: what the reader's side (verification, filters) compares with. It is
 * written apart from the encoder's order in statistics.ts on purpose, so that one mistake cannot hide the other.
 */

/** A physical value: 0 or 1, number, bigint, number, or bytes. */
export type PhysicalValue = number | bigint | Uint8Array

export function physicalValueAt(values: Values, i: number): PhysicalValue {
  switch (values.physical) {
    case 'BYTE_ARRAY':
      return values.data.subarray(values.offsets[i]!, values.offsets[i + 1]!)
    case 'FIXED_LEN_BYTE_ARRAY':
      return values.data.subarray(i * values.widthBytes, (i + 1) * values.widthBytes)
    default:
      return values.data[i]!
  }
}

/** Below, equal to, or above zero; NaN where a NaN takes part. -0 and 0 are equal. Bytes: unsigned, or a signed big-endian number when fixed. */
export function comparePhysical(physical: PhysicalType, a: PhysicalValue, b: PhysicalValue): number {
  if (typeof a === 'object' && typeof b === 'object') {
    if (physical === 'BYTE_ARRAY') return Buffer.compare(a, b)
    const x = signedBigEndian(a)
    const y = signedBigEndian(b)
    return x < y ? -1 : x > y ? 1 : 0
  }
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number.NaN
}

export function signedBigEndian(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
}

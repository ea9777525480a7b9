import type { Kernels } from '../kernels/kernels.js'

export const QUOTE = 0x22

/** The text of one field: without its quotes, doubled ones halved. `fields`: the address of the row's words. */
export function fieldText(kernels: Kernels, fields: number, position: number): string {
  const words = (fields >>> 2) + position
  const start = kernels.u32[words]!
  return textOf(kernels.u8.subarray(start, kernels.u32[words + 1]! - 1))
}

export function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes[0] !== QUOTE) return text.toString('utf8')
  return text.toString('utf8', 1, text.length - 1).replaceAll('""', '"')
}

/** Room that `copyShort` wants behind the bytes it writes. */
export const COPY_SLACK_BYTES = 8

/**
 * Copies `size` bytes between two memories, four at a time: for texts of a few bytes a call that copies costs more than the bytes, and a
 * loop over bytes a mispredicted jump each. May write up to COPY_SLACK_BYTES of anything behind them, which the next text overwrites.
 */
export function copyShort(from: DataView, start: number, size: number, to: DataView, at: number): void {
  if (start + size + COPY_SLACK_BYTES > from.byteLength) {
    for (let i = 0; i < size; i++) to.setUint8(at + i, from.getUint8(start + i))
    return
  }
  to.setInt32(at, from.getInt32(start, true), true)
  to.setInt32(at + 4, from.getInt32(start + 4, true), true)
  for (let i = 8; i < size; i += 4) to.setInt32(at + i, from.getInt32(start + i, true), true)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

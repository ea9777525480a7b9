import { assert } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { OpenFile } from '../runtime/files.js'
import { QUOTE } from './field-text.js'
import type { RowGroupLimits } from './row-groups.js'

const BLOCK_BYTES = 1 << 20
/** Pieces that a part of as many lines as it may have is cut into. */
const PIECES = 64

export interface FilePart {
  /** Bytes [from, to) of whole records; the last one of the file may lack its line end. */
  readonly from: number
  readonly to: number
}

/**
 * Cuts a file of plain text into parts that become row groups: so many lines each, or as many as bring it to so many bytes. Only quotes
 * and line ends are looked at, so it runs far ahead of those who read the parts; where quoting is not well-formed they find out.
 *
 * The cuts are a matter of the bytes alone: whoever reads the parts, the file becomes the same row groups.
 */
export class PartCutter {
  private readonly block: number
  /** The file's bytes [blockFrom, blockEnd) lie at `block`. */
  private blockFrom: number
  private blockEnd: number
  private at: number

  /** Allocates of `kernels`; the caller gives it back. `start`: where the first record starts. */
  constructor(
    private readonly kernels: Kernels,
    private readonly file: Pick<OpenFile, 'read'>,
    options: { readonly start: number; readonly sizeBytes: number; readonly limits: RowGroupLimits },
  ) {
    this.block = kernels.allocate(BLOCK_BYTES, 4096)
    this.limits = options.limits
    this.sizeBytes = options.sizeBytes
    this.at = options.start
    this.blockFrom = options.start
    this.blockEnd = options.start
  }

  private readonly sizeBytes: number
  private readonly limits: RowGroupLimits

  /** null: the file is at its end. 'open': it ends inside quotes. */
  next(): Promise<FilePart | 'open' | null> {
    return this.nextBefore(this.sizeBytes, this.limits)
  }

  /** A part that `next` gave last, in small pieces: what is wrong in it may be in one of them. */
  async piecesOf({ from, to }: FilePart): Promise<readonly FilePart[]> {
    const limits = { rows: Math.ceil(this.limits.rows / PIECES), bytes: Math.ceil(this.limits.bytes / PIECES) }
    this.at = from
    this.blockFrom = from
    this.blockEnd = from
    const pieces: FilePart[] = []
    for (let piece = await this.nextBefore(to, limits); piece !== null; piece = await this.nextBefore(to, limits)) {
      assert(piece !== 'open', 'a part ends outside quotes')
      pieces.push(piece)
    }
    return pieces
  }

  private async nextBefore(sizeBytes: number, { rows, bytes }: RowGroupLimits): Promise<FilePart | 'open' | null> {
    const { kernels, block } = this
    const from = this.at
    if (from >= sizeBytes) return null
    // The record that ends here or later is the last one.
    const full = from + bytes - 1
    let inside: 0 | 1 = 0
    let lines = 0
    for (let at = from; ; ) {
      if (at === this.blockEnd) {
        if (at === sizeBytes) return inside === 1 ? 'open' : this.cut(from, sizeBytes)
        await this.load(at, sizeBytes)
      }
      const end = at < full ? Math.min(this.blockEnd, full) : this.blockEnd
      const most = at < full ? rows - lines : 1
      const found = kernels.skipRecords(block + at - this.blockFrom, block + end - this.blockFrom, QUOTE, inside, most)
      if (found === most) return this.cut(from, this.blockFrom + kernels.skipped.next - block)
      lines += found
      inside = kernels.skipped.inside
      at = end
    }
  }

  private cut(from: number, to: number): FilePart {
    this.at = to
    return { from, to }
  }

  private async load(from: number, limit: number): Promise<void> {
    const to = Math.min(from + BLOCK_BYTES, limit)
    const { u8 } = this.kernels
    const read = await this.file.read(u8.subarray(this.block, this.block + to - from), from)
    if (read !== to - from) throw new Error('the source of a conversion became shorter')
    this.blockFrom = from
    this.blockEnd = to
  }
}

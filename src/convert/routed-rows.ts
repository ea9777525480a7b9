import type { Kernels } from '../kernels/kernels.js'
import { TextDictionary } from '../kernels/text-dictionary.js'
import { textOf } from './field-text.js'
import { KernelRegion } from './kernel-region.js'
import type { ChunkPlan } from './plain-text-chunk.js'

/** 32-bit words for field offsets of one batch. */
const BATCH_WORDS = 16_384
/** Texts of the record cell with their quotes, and what they may come to. */
const TEXTS = { count: 1 << 20, bytes: 1 << 27 }

/**
 * The rows of a text and which text of the record cell each of them has: all that is needed to send a row to where its record is gathered.
 * Only quotes, delimiters and line ends are looked at; whether the cells are right is found out there.
 */
export class RoutedRows {
  rows = 0
  blank = 0
  private readonly fields: number
  private readonly batchRows: number
  private readonly dictionary: TextDictionary
  /** Two words a row, and one. */
  private readonly spanRegion: KernelRegion
  private readonly codeRegion: KernelRegion

  /** Takes memory of `kernels`, for the caller to release. */
  constructor(
    private readonly kernels: Kernels,
    private readonly plan: ChunkPlan,
  ) {
    this.batchRows = Math.max(1, Math.floor(BATCH_WORDS / (plan.width + 1)))
    this.fields = kernels.allocate((this.batchRows * (plan.width + 1) + 16) * 4)
    this.dictionary = new TextDictionary(kernels, { maxEntries: TEXTS.count, maxArenaBytes: TEXTS.bytes })
    this.spanRegion = new KernelRegion(kernels)
    this.codeRegion = new KernelRegion(kernels)
  }

  /** Addresses, until the next `read`; see `Kernels.rowSpans` and `lookup`. */
  get spans(): number {
    return this.spanRegion.address
  }

  get codes(): number {
    return this.codeRegion.address
  }

  /** Texts met so far, in all that was read. */
  get texts(): number {
    return this.dictionary.size
  }

  /** Unquoted. */
  textOfCode(code: number): string {
    return textOf(this.dictionary.keyBytes(code))
  }

  /** Takes the whole records in [start, end), the last of which may lack its line end. False: they are not plain text. */
  read(start: number, end: number): boolean {
    const { kernels, plan, fields } = this
    const stride = plan.width + 1
    this.rows = 0
    this.blank = 0
    for (let at = start; at < end; ) {
      const found = kernels.tokenise(at, end, true, plan.width, plan.delimiter, plan.quote, fields, this.batchRows)
      const { status, next, recordEnd } = kernels.result
      if (status === 'odd' || status === 'ragged') return false
      const kept = kernels.keepRows(fields, found, plan.width, plan.rowBytes, plan.quote)
      if (kept < 0) return false
      this.blank += found - kept
      if (kept > 0) {
        const spans = this.spanRegion.reserve((this.rows + kept) * 8) + this.rows * 8
        const codes = this.codeRegion.reserve((this.rows + kept) * 4) + this.rows * 4
        kernels.rowSpans(fields, plan.width, kept, spans)
        if (this.dictionary.lookup(fields, stride, plan.recordCell, kept, codes) < kept) return false
        this.rows += kept
      }
      if (status === 'blank') this.blank++
      at = status === 'blank' ? recordEnd : next
      if (found === 0 && status === 'more' && at < end) return false
    }
    return true
  }
}

import type { Kernels } from '../kernels/kernels.js'
import { TextDictionary } from '../kernels/text-dictionary.js'
import type { OpenFile } from '../runtime/files.js'
import { directColumn } from './direct-column.js'
import type { PlainTextPlan } from './plain-text-source.js'

/** Smaller files are done before a look at their beginning pays. */
const SAMPLED_FILE_BYTES = 16 << 20
const SAMPLE_BYTES = 4 << 20
const BATCH_WORDS = 16_384
/** More texts are of no interest. */
const TEXTS_MAX = 1 << 17

/**
 * Positions of cells whose texts go on being different, by the beginning of a large file: with a dictionary each part would find that out anew,
 * after most of its rows. They depend on the file and its table alone. `cellsOf`: only these positions are looked at.
 *
 * The last quarter of the sample decides. A column of 10,000 values has met nearly all of them by then, one of 50,000 has not.
 */
export async function sampleColumns(
  kernels: Kernels,
  plan: PlainTextPlan,
  file: OpenFile,
  cellsOf: readonly [from: number, to: number] = [0, plan.chunk.width],
): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  if (plan.sizeBytes < SAMPLED_FILE_BYTES) return found
  const mark = kernels.mark()
  try {
    const text = kernels.allocate(SAMPLE_BYTES, 4096)
    const end = text + (await file.read(kernels.u8.subarray(text, text + SAMPLE_BYTES), plan.dataStart))
    const { width, columnOfCell, table, delimiter, quote } = plan.chunk
    const batchRows = Math.max(1, Math.floor(BATCH_WORDS / (width + 1)))
    const fields = kernels.allocate((batchRows * (width + 1) + 16) * 4)
    const codes = kernels.allocate(batchRows * 4)
    const cells = Array.from(columnOfCell, (column, position) => ({ column: table.columns[column], position })).flatMap(
      ({ column, position }) => {
        // The columns are made for this question alone; what they allocate goes with the mark.
        if (column === undefined || position < cellsOf[0] || position >= cellsOf[1] || directColumn(kernels, column, 0) === null) return []
        const dictionary = new TextDictionary(kernels, { maxEntries: TEXTS_MAX, maxArenaBytes: SAMPLE_BYTES })
        return [{ position, dictionary, before: 0, rowsBefore: 0 }]
      },
    )
    let rows = 0
    const late = text + Math.floor((end - text) * 0.75)
    for (let at = text; at < end; at = kernels.result.next) {
      const batch = kernels.tokenise(at, end, false, width, delimiter, quote, fields, batchRows)
      if (batch === 0) break
      for (const cell of cells) {
        if (at < late) {
          cell.before = cell.dictionary.size
          cell.rowsBefore = rows
        }
        cell.dictionary.lookup(fields, width + 1, cell.position, batch, codes)
      }
      rows += batch
    }
    for (const { position, dictionary, before, rowsBefore } of cells) {
      if ((dictionary.size - before) * 10 > (rows - rowsBefore) * 3) found.add(position)
    }
    return found
  } finally {
    kernels.release(mark)
  }
}

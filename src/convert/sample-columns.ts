import type { Kernels } from '../kernels/kernels.js'
import { TextDictionary } from '../kernels/text-dictionary.js'
import type { OpenFile } from '../runtime/files.js'
import { directColumn } from './direct-column.js'
import { hasManyColumns } from './plain-text-chunk.js'
import type { PlainTextPlan } from './plain-text-source.js'

/** Smaller files are done before a look at their beginning pays. */
const SAMPLED_FILE_BYTES = 16 << 20
const SAMPLE_BYTES = 4 << 20
/** Of a table of many columns, where all that is asked is which have more than a few texts. */
const WIDE_SAMPLE_BYTES = 1 << 20
const BATCH_WORDS = 16_384
/** Of a part's texts: with so many different ones a column does better without a dictionary. */
const MOSTLY_NEW = 0.2
/** With more texts than this in the sample, a column of a table of many columns has no dictionary of them (`hasManyColumns`). */
const FEW_TEXTS = 128
/** More texts are of no interest. */
const TEXTS_MAX = 1 << 17

/**
 * Positions of cells whose texts go on being different, by the beginning of a large file: with a dictionary each part would find that out anew,
 * after most of its rows. They depend on the file and its table alone. `cellsOf`: only these positions are looked at.
 *
 * The last quarter of the sample decides: the share of its texts that are new says how many there are, and so how many a part will have. Rows of
 * many cells are few in a sample, and what is new among them may yet come again a hundred times. In a table of many columns those with more
 * than a few texts are found as well.
 */
export async function sampleColumns(
  kernels: Kernels,
  plan: PlainTextPlan,
  file: Pick<OpenFile, 'read'>,
  cellsOf: readonly [from: number, to: number] = [0, plan.chunk.width],
): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  if (plan.sizeBytes < SAMPLED_FILE_BYTES) return found
  const mark = kernels.mark()
  try {
    const { width, columnOfCell, table, delimiter, quote } = plan.chunk
    const isWide = hasManyColumns(width)
    const sampleBytes = isWide ? WIDE_SAMPLE_BYTES : SAMPLE_BYTES
    const text = kernels.allocate(sampleBytes, 4096)
    const end = text + (await file.read(kernels.u8.subarray(text, text + sampleBytes), plan.dataStart))
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
      const newTexts = (dictionary.size - before) / (rows - rowsBefore)
      if (rows === rowsBefore) continue
      if (isWide && dictionary.size > FEW_TEXTS) found.add(position)
      if (textsOf(plan.chunk.expectedRows, newTexts, (rows + rowsBefore) / 2) > MOSTLY_NEW * plan.chunk.expectedRows) found.add(position)
    }
    return found
  } finally {
    kernels.release(mark)
  }
}

/**
 * How many different texts `rows` rows will have, if after `seen` rows so large a share of the texts was new: as many as if each row took one of
 * so many texts by chance.
 */
function textsOf(rows: number, newTexts: number, seen: number): number {
  if (newTexts >= 1) return rows
  if (newTexts <= 0) return 0
  const texts = -seen / Math.log(newTexts)
  return texts * (1 - Math.exp(-rows / texts))
}

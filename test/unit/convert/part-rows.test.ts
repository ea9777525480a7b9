import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineCounter, rowsOfPart } from '../../../src/convert/part-rows.js'
import { LineIndex } from '../../../src/csv/line-index.js'
import { type CsvRow, openCsv } from '../../../src/csv/read-csv.js'
import { DEFAULT_DIALECT, DEFAULT_LIMITS } from '../../../src/documents/defaults.js'
import { loadKernels } from '../../../src/kernels/load-kernels.js'
import type { OpenFile } from '../../../src/runtime/files.js'
import { MemoryFiles } from '../../fuzz/memory-files.js'

async function fileOf(bytes: Buffer): Promise<OpenFile> {
  const files = new MemoryFiles()
  files.put('/in.csv', bytes)
  return (await files.openRead('/in.csv'))!
}

async function all(batches: AsyncIterable<readonly CsvRow[]>): Promise<CsvRow[]> {
  const rows: CsvRow[] = []
  for await (const batch of batches) rows.push(...batch)
  return rows
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes
}

const request = { dialect: DEFAULT_DIALECT, limits: DEFAULT_LIMITS }

describe('the rows of a part', () => {
  const record = fc.constantFrom('1,2', '', '"a\nb",', '"c\rd",x', 'e\rf,g', '\uFEFFh,i', '"j""\r\n",k', 'one,too,many', '"\r",', 'l')
  it('are those of the whole file, with their lines and numbers', async () => {
    const kernels = await loadKernels()
    const document = fc.record({
      head: fc.constantFrom('x,y', '\uFEFFx,y', '"x\n",y', '"x\r",y'),
      before: fc.array(record, { maxLength: 8 }),
      part: fc.array(record, { minLength: 1, maxLength: 8 }),
      end: fc.constantFrom('\n', '\r\n'),
    })
    await fc.assert(
      fc.asyncProperty(document, async ({ head, before, part, end }) => {
        const join = (rows: readonly string[]): string => rows.map((row) => row + end).join('')
        const [headText, beforeText, partText] = [head + end, join(before), join(part)]
        const whole = Buffer.from(headText + beforeText + partText)
        const file = await fileOf(whole)
        const lines = new LineCounter(kernels, file)
        const headBytes = Buffer.byteLength(headText)
        const from = headBytes + Buffer.byteLength(beforeText)
        const beforeReader = await openCsv({ chunks: once(whole.subarray(0, from)), ...request })
        const rowsBefore = (await all(beforeReader.batches())).length
        const headLines = await lines.before(headBytes)
        const linesBefore = await lines.before(from)
        const found = await all(
          rowsOfPart({ file, request, part: { from, to: whole.length }, headBytes, headLines, linesBefore, rowsBefore }),
        )
        const reader = await openCsv({ chunks: once(whole), ...request })
        expect(found).toEqual((await all(reader.batches())).slice(rowsBefore))
      }),
    )
  })
})

describe('physical lines', () => {
  const counted = async (bytes: Buffer, places: readonly number[]): Promise<void> => {
    const kernels = await loadKernels()
    const lines = new LineCounter(kernels, await fileOf(bytes))
    const index = new LineIndex()
    index.feed(bytes)
    for (const place of places) expect(await lines.before(place)).toBe(index.lineAt(place) - 1)
  }
  const placesIn = (bytes: Buffer): number[] => [...bytes.keys()].filter((i) => bytes[i] === 0x0a).map((i) => i + 1)

  it('are counted as those who read the whole file count them: LF, CR LF, and CR alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('\n', '\r', '\r\n', 'a', '"')), async (texts) => {
        const bytes = Buffer.from(texts.join(''))
        await counted(bytes, placesIn(bytes))
      }),
    )
  })

  it.each(['\r\n', '\r', '\n', 'a\r'])('are counted where %j stands at the edge of what is read at a time', async (text) => {
    for (const shift of [0, 1, 2]) {
      const bytes = Buffer.from(`${'x'.repeat((1 << 20) - 2 + shift)}${text}${'y\r\n'.repeat(3)}`)
      await counted(bytes, [bytes.length])
    }
  })
})

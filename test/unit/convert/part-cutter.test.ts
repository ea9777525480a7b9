import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { takeVector } from '../../../src/columns/kernel-column.js'
import { type FilePart, PartCutter } from '../../../src/convert/part-cutter.js'
import { PartReader } from '../../../src/convert/plain-text-source.js'
import type { RowGroupLimits } from '../../../src/convert/row-groups.js'
import { sampleColumns } from '../../../src/convert/sample-columns.js'
import { loadKernels } from '../../../src/kernels/load-kernels.js'
import type { OpenFile } from '../../../src/runtime/files.js'
import { compileTable } from '../../../src/tables/schema.js'

/** A file in memory, of which only reading is asked. */
function fileOf(bytes: Uint8Array): OpenFile {
  const read = async (buffer: Uint8Array, at: number): Promise<number> => {
    const part = bytes.subarray(at, at + buffer.length)
    buffer.set(part)
    return part.length
  }
  return { read } as unknown as OpenFile
}

async function cut(text: string, limits: RowGroupLimits, start = 0): Promise<(FilePart | 'open')[]> {
  const bytes = Buffer.from(text)
  const kernels = await loadKernels()
  const cutter = new PartCutter(kernels, fileOf(bytes), { start, sizeBytes: bytes.length, limits })
  const parts: (FilePart | 'open')[] = []
  for (let part = await cutter.next(); part !== null; part = await cutter.next()) {
    parts.push(part)
    if (part === 'open') break
  }
  return parts
}

describe('PartCutter', () => {
  it('cuts behind line ends outside quotes only, after so many lines, and leaves nothing out', async () => {
    const record = fc.constantFrom('a,b\n', 'a,"b\nc"\n', '"",""\r\n', '"x""\n""y",z\n', '\n')
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (records, lines, cutsEnd) => {
          const text = cutsEnd ? records.join('').replace(/\r?\n$/, '') : records.join('')
          if (text === '') return
          const parts = (await cut(text, { rows: lines, bytes: 1 << 20 })) as FilePart[]
          const ends = records.map((_, i) => Math.min(Buffer.byteLength(records.slice(0, i + 1).join('')), Buffer.byteLength(text)))
          const expected = ends.filter((_, i) => (i + 1) % lines === 0 || i === ends.length - 1)
          expect(parts.map(({ to }) => to)).toEqual([...new Set(expected)])
          expect(parts.map(({ from }) => from)).toEqual([0, ...parts.slice(0, -1).map(({ to }) => to)])
        },
      ),
    )
  })

  it('ends a part with the record that brings it to the limit of bytes, also where that is one record', async () => {
    const text = `${'x'.repeat(9)}\n${'y'.repeat(4)}\n${'z'.repeat(30)}\n${'w'.repeat(4)}\n`
    expect(((await cut(text, { rows: 100, bytes: 15 })) as FilePart[]).map(({ to }) => to)).toEqual([15, 46, 51])
    expect(((await cut(text, { rows: 100, bytes: 16 })) as FilePart[]).map(({ to }) => to)).toEqual([46, 51])
    expect(((await cut(text, { rows: 100, bytes: 1 })) as FilePart[]).map(({ to }) => to)).toEqual([10, 15, 46, 51])
  })

  it('cuts the same over the edges of what it reads at a time', async () => {
    // Lines of 1,000 bytes: none of them ends where a block of a power of two does.
    const text = `${'v'.repeat(999)}\n`.repeat(3500)
    const parts = (await cut(text, { rows: 1000, bytes: 1 << 30 })) as FilePart[]
    expect(parts.map(({ to }) => to)).toEqual([1_000_000, 2_000_000, 3_000_000, 3_500_000])
  })

  it('says that quotes are open at the end', async () => {
    expect(await cut('a\n"b\nc\n', { rows: 100, bytes: 1 << 20 })).toEqual(['open'])
    expect((await cut('a\n"b\nc\n', { rows: 1, bytes: 1 << 20 })).at(-1)).toBe('open')
  })

  it('begins where it is told', async () => {
    expect(await cut('head\na\n', { rows: 1, bytes: 1 << 20 }, 5)).toEqual([{ from: 5, to: 7 }])
  })
})

describe('the pieces of a part', () => {
  const record = fc.constantFrom('a,b\n', '\n', '"x\ny",2\r\n', '"say ""no""\n",\n', 'é\n')

  it('are whole records that make it up, and leave the parts behind it as they are', async () => {
    const kernels = await loadKernels()
    const records = fc.array(record, { minLength: 1, maxLength: 300 })
    await fc.assert(
      fc.asyncProperty(records, fc.integer({ min: 1, max: 200 }), fc.array(fc.boolean()), async (texts, rows, asked) => {
        const bytes = Buffer.from(texts.join(''))
        const ends = new Set(texts.map((_, i) => Buffer.byteLength(texts.slice(0, i + 1).join(''))))
        const partsWhere = async (looks: readonly boolean[]): Promise<FilePart[]> => {
          const mark = kernels.mark()
          const limits = { rows, bytes: 1 << 20 }
          const cutter = new PartCutter(kernels, fileOf(bytes), { start: 0, sizeBytes: bytes.length, limits })
          const parts: FilePart[] = []
          for (let part = await cutter.next(); part !== null; part = await cutter.next()) {
            if (part === 'open') throw new Error('no quote is open')
            if (looks[parts.length] === true) {
              const pieces = await cutter.piecesOf(part)
              expect(pieces.map(({ from }) => from)).toEqual([part.from, ...pieces.slice(0, -1).map(({ to }) => to)])
              expect(pieces.at(-1)!.to).toBe(part.to)
              expect(pieces.every(({ to }) => ends.has(to))).toBe(true)
              expect(pieces.length).toBeLessThanOrEqual(64)
            }
            parts.push(part)
          }
          kernels.release(mark)
          return parts
        }
        expect(await partsWhere(asked)).toEqual(await partsWhere([]))
      }),
    )
  })
})

const TABLE = compileTable({
  fields: [
    { name: 'id', type: 'integer' },
    { name: 'kind', type: 'string' },
    { name: 'note', type: 'string' },
  ],
  missingValues: [''],
})

function planOf(bytes: Uint8Array, rowBytes: number, expectedRows = 10) {
  return {
    labels: ['id', 'kind', 'note'],
    header: { columnOfCell: Int32Array.of(0, 1, 2), absentColumns: [], problems: [] } as never,
    dataStart: 0,
    sizeBytes: bytes.length,
    limits: { rows: 1 << 17, bytes: 1 << 25 },
    partBytes: bytes.length,
    chunk: {
      table: TABLE,
      width: 3,
      columnOfCell: Int32Array.of(0, 1, 2),
      recordCell: -1,
      recordPrefix: '',
      recordSuffix: '',
      delimiter: 0x2c,
      quote: 0x22,
      rowBytes,
      expectedRows,
    },
  }
}

describe('PartReader', () => {
  it('reads records that are longer than what it reads at a time, and gives up on one that is longer than a row may be', async () => {
    const long = 'n'.repeat(1_700_000)
    const bytes = Buffer.from(`1,a,x\n2,b,"${long}\n"\n3,c,${long}\n4,d,y`)
    for (const [rowBytes, clean] of [
      [1 << 22, true],
      [1 << 20, false],
    ] as const) {
      const kernels = await loadKernels()
      const reader = new PartReader(kernels, planOf(bytes, rowBytes), fileOf(bytes))
      const chunk = await reader.read({ from: 0, to: bytes.length })
      expect(chunk !== null).toBe(clean)
      if (chunk === null) continue
      const note = takeVector(kernels, chunk.columns[2]!)
      const values = note.form === 'plain' ? note.values : note.dictionary
      expect([chunk.rows, (values.data as Uint8Array).length]).toEqual([4, 1 + long.length + 1 + long.length + 1])
    }
  })
})

describe('sampleColumns', () => {
  it('finds columns of a large file whose texts go on being different, and no others', async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) => `${i},k${i % 9000},${'pad '.repeat(20)}${(i * 7919) % 60_013}\n`).join('')
    const large = Buffer.from(lines.repeat(Math.ceil((17 << 20) / lines.length)))
    const plan = planOf(large, 1 << 20)
    expect([...(await sampleColumns(await loadKernels(), plan, fileOf(large)))].sort()).toEqual([0, 2])
    const small = large.subarray(0, 1 << 20)
    expect((await sampleColumns(await loadKernels(), planOf(small, 1 << 20), fileOf(small))).size).toBe(0)
  })

  it('does not take the few texts of long rows for ever new ones, where a part has rows enough for them to come again', async () => {
    // About 4,000 rows are looked at, of which the last still bring new texts of 4,000; those of 60,000 go on.
    const pad = 'pad '.repeat(250)
    const rows = Array.from({ length: 17_000 }, (_, i) => `${(i * 7919) % 60_013},k${((i * 2_654_435) % 4001) ^ (i % 7)},${pad}\n`)
    const bytes = Buffer.from(rows.join(''))
    const found = async (expectedRows: number) =>
      [...(await sampleColumns(await loadKernels(), planOf(bytes, 1 << 20, expectedRows), fileOf(bytes)))].sort()
    expect(await found(65_536)).toEqual([0])
    expect(await found(8192)).toEqual([0, 1])
  })

  it('finds those with more than a few texts as well in a table of many columns', async () => {
    const found = async (width: number) => {
      const names = Array.from({ length: width }, (_, c) => `c${c}`)
      const table = compileTable({ fields: names.map((name) => ({ name, type: 'string' })), missingValues: [''] })
      const row = (i: number) => names.map((_, c) => (c === 0 ? `k${i % 8}` : c === 1 ? `k${i % 500}` : 'x'.repeat(12))).join(',')
      const some = Array.from({ length: 4000 }, (_, i) => `${row(i)}\n`).join('')
      const bytes = Buffer.from(some.repeat(Math.ceil((17 << 20) / some.length)))
      const plan = planOf(bytes, 1 << 20, 65_536)
      const positions = Int32Array.from(names, (_, c) => c)
      const chunk = { ...plan.chunk, table, width, columnOfCell: positions }
      return [...(await sampleColumns(await loadKernels(), { ...plan, labels: names, chunk }, fileOf(bytes)))]
    }
    expect(await found(63)).toEqual([])
    expect(await found(64)).toEqual([1])
  })
})

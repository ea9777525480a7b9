import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { takeVector } from '../../../src/columns/kernel-column.js'
import type { ColumnVector } from '../../../src/columns/vector.js'
import { ChunkReader } from '../../../src/convert/plain-text-chunk.js'
import { loadKernels } from '../../../src/kernels/load-kernels.js'
import { compileTable } from '../../../src/tables/schema.js'

/**
 * A reader keeps texts from one chunk for the next. Which chunks it has read before is a matter of threads and luck, so nothing of them
 * may show in what comes after.
 */
const TABLE = compileTable({
  fields: [
    { name: 'id', type: 'integer', constraints: { minimum: 0 } },
    { name: 'x', type: 'number' },
    { name: 'price', type: 'number', parquet: { type: 'DECIMAL', precision: 12, scale: 2 } },
    { name: 'day', type: 'date' },
    { name: 'flag', type: 'boolean' },
    { name: 'note', type: 'string' },
    { name: 'kind', type: 'string', constraints: { pattern: '[a-z0-9é]*' } },
    { name: 'record', type: 'string' },
    { name: 'absent', type: 'integer' },
  ],
  missingValues: ['', 'NA'],
})
const WIDTH = 8

/** A chunk as it stays when the reader reads on. */
interface TakenChunk {
  readonly rows: number
  readonly blank: number
  readonly vectors: readonly ColumnVector[]
  readonly recordTexts: readonly string[]
  readonly recordOfRow: Uint32Array
}

/** Chunks of text, read by one reader in the order given. `watch` is told how much memory is taken after each. */
async function readAll(texts: readonly string[], watch: (bytes: number) => void = () => {}): Promise<(TakenChunk | 'unclear')[]> {
  const kernels = await loadKernels()
  const mark = kernels.mark()
  const bytes = texts.map((text) => Buffer.from(text))
  const at = kernels.allocate(Math.max(...bytes.map((b) => b.length)) + 64)
  const reader = new ChunkReader(kernels, {
    table: TABLE,
    width: WIDTH,
    columnOfCell: Int32Array.from({ length: WIDTH }, (_, i) => i),
    recordCell: WIDTH - 1,
    recordPrefix: 'r/',
    recordSuffix: '',
    delimiter: 0x2c,
    quote: 0x22,
    rowBytes: 1 << 20,
    expectedRows: 1000,
  })
  const found = bytes.map((chunk) => {
    kernels.u8.set(chunk, at)
    const end = at + chunk.length
    const read = reader.read(at, end)
    if (read === 'unclear') return read
    watch(kernels.mark() - mark)
    const { columns, ...rest } = read
    return { ...rest, vectors: columns.map((column) => takeVector(kernels, column)) }
  })
  kernels.release(mark)
  return found
}

/** The last chunk is the same after all others as when it is read first. */
async function expectNoTrace(texts: readonly string[]): Promise<TakenChunk> {
  const after = (await readAll(texts)).at(-1)!
  const [first] = await readAll([texts.at(-1)!])
  // Strict: 0 and -0 differ, and so do kinds of arrays. Also quicker than toEqual on large arrays.
  expect(isDeepStrictEqual(after, first)).toBe(true)
  if (typeof after === 'string') throw new Error(`the chunk is ${after}`)
  return after
}

const formsOf = (chunk: TakenChunk): string => chunk.vectors.map((v) => (v.form === 'plain' ? 'P' : 'D')).join('')
const lines = (rows: number, row: (i: number) => readonly unknown[]): string =>
  `${Array.from({ length: rows }, (_, i) => row(i).join(',')).join('\n')}\n`
const day = (i: number): string => new Date((i % 20_000) * 86_400_000).toISOString().slice(0, 10)

/** Texts of eight letters and digits with one hash (text-table.ts): low word × A + high word × B is the same for all. */
function textsThatMeet(count: number): string[] {
  const [a, b] = [0x9e3779b1, 0x85ebca77]
  let inverse = 1
  for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(a, inverse))
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  const texts: string[] = []
  const bytes = Buffer.alloc(8)
  for (let n = 0; texts.length < count; n++) {
    for (let i = 0, rest = n; i < 4; i++, rest = Math.floor(rest / 36)) bytes[4 + i] = letters.charCodeAt(rest % 36)
    bytes.writeInt32LE(Math.imul(12_345 - Math.imul(bytes.readInt32LE(4), b), inverse))
    const text = bytes.toString('latin1')
    if (/^[a-z0-9]{8}$/.test(text)) texts.push(text)
  }
  return texts
}

/** Each value has several texts, and the rows begin somewhere else in every chunk. */
const repeated = (from: number, rows = 500): string =>
  lines(rows, (n) => {
    const i = (n * 7 + from) % 40
    return [
      i,
      ['1.5', '1.50', '15e-1', '-0', '0', 'NA', '"1.5"', 'NaN', 'nan'][i % 9],
      [`${i}.5`, `${i}.50`, ''][n % 3],
      day(i),
      ['true', 'false', '1', ''][i % 4],
      [`note ${i}`, `"note ${i}"`, 'NA', `"say ""${i}"""`][n % 4],
      `k${i}`,
      `R${i % 3}`,
    ]
  })
/** Nearly all different. */
const distinct = (from: number, rows = 6000): string =>
  lines(rows, (n) => {
    const i = n + from
    return [
      i,
      n % 11 === 0 ? '' : i / 7,
      `${i}.25`,
      day(i),
      n % 2 === 0,
      n % 20 === 0 ? 'NA' : n % 3 === 0 ? `"a ""${i}"""` : `text that is longer ${i}${n % 100 === 0 ? 'x'.repeat(90) : ''}`,
      `k${i}`,
      `R${i % 3}`,
    ]
  })

describe('a chunk read after others', () => {
  it('comes out as if it were the first, in dictionaries', async () => {
    const chunk = await expectNoTrace([repeated(0), repeated(5), distinct(0, 900), repeated(17)])
    expect(formsOf(chunk)).toBe('DDDDPDDDP')
    const x = chunk.vectors[1]!
    // 1.5, 0, -0 and NaN: what the chunk holds, whatever their texts, and nothing of the chunk before.
    expect(x.form === 'dictionary' && x.dictionary.physical === 'DOUBLE' && x.dictionary.data.length).toBe(4)
    expect(chunk.recordTexts).toEqual(['R2', 'R0', 'R1'])
  })

  it('comes out as if it were the first where columns leave the dictionary', async () => {
    for (const before of [[repeated(0)], [distinct(0)], [distinct(3000), repeated(1)], [distinct(0, 3000), distinct(1000, 3000)]]) {
      const chunk = await expectNoTrace([...before, distinct(0)])
      // `kind` has a pattern: its builder keeps a dictionary also of values that go in one by one.
      expect(formsOf(chunk)).toBe('PPPPPPDDP')
    }
  })

  it('is judged by its own distinct texts: known texts of another chunk neither add to them nor take from them', async () => {
    // Alone each is below the trial; together they are beyond it. And all texts of the last are known.
    const half = (from: number): string => distinct(from, 3500)
    expect(formsOf(await expectNoTrace([half(0), half(3500), half(0)]))).toBe('DDDDPDDDP')
    expect(formsOf(await expectNoTrace([half(0), half(3500), half(0) + half(0)]))).toBe('DDDDPDDDP')
    expect(formsOf(await expectNoTrace([half(0), half(3500), distinct(0, 7000)]))).toBe('PPPPPPDDP')
  })

  it('comes out as if it were the first after kept texts were dropped', async () => {
    // Two rows a text, 30,000 texts a chunk: the dictionary stays, and the fourth chunk finds too many kept.
    const many = (from: number): string =>
      lines(60_000, (n) => {
        const i = from + (n >> 1)
        return [i, i / 8, `${i}.50`, day(i), '', `note ${i}`, `k${i}`, 'R']
      })
    const chunk = await expectNoTrace([many(0), many(30_000), many(60_000), many(90_000), many(15_000)])
    expect(formsOf(chunk)).toBe('DDDDPDDDP')
    const id = chunk.vectors[0]!
    expect(id.form === 'dictionary' && id.dictionary.physical === 'INT64' && id.dictionary.data.slice(0, 3)).toEqual(
      BigInt64Array.of(15_000n, 15_001n, 15_002n),
    )
  })

  it('takes no more memory than those before it, also where its texts are many, long and others', async () => {
    const wide = (from: number): string =>
      lines(4500, (n) => [n, '', '', '', '', `note ${from + n}`.padEnd(1500, '.'), `k${from + n}`, 'R'])
    const taken: number[] = []
    await readAll(
      Array.from({ length: 9 }, (_, i) => wide(i * 4500)),
      (bytes) => taken.push(bytes),
    )
    expect(taken).toHaveLength(9)
    // Later texts are a little longer.
    expect(taken[8]).toBeLessThan(taken[3]! * 1.02)
  })

  it('is clean or unclear by its own cells', async () => {
    const wrong = 'x,,,,,,,R\n'
    expect((await readAll([wrong, repeated(0), wrong, repeated(0)])).map((c) => typeof c)).toEqual(['string', 'object', 'string', 'object'])
    await expectNoTrace([repeated(0), wrong, `${distinct(0)}${wrong}`, repeated(3)])
    await expectNoTrace([repeated(0), wrong, `${distinct(0)}${wrong}`, distinct(3)])
  })

  it('does not show texts whose hashes meet, as long as a chunk has few of them', async () => {
    const meeting = textsThatMeet(200)
    const rows = (texts: readonly string[]): string =>
      lines(texts.length * 5, (n) => ['1', '', '', '', '', texts[n % texts.length], texts[n % texts.length], 'R'])
    // Together they are more than a dictionary takes; the texts kept go, and the chunk is read again.
    const chunk = await expectNoTrace([rows(meeting.slice(0, 100)), rows(meeting.slice(50, 150).reverse()), rows(meeting.slice(100))])
    const note = chunk.vectors[5]!
    expect(note.form === 'dictionary' && note.dictionary.physical === 'BYTE_ARRAY' && note.dictionary.offsets.length).toBe(101)
    // Also when they leave the dictionary.
    const others = Array.from({ length: 6000 }, (_, i) => `o${i}`)
    const leaving = lines(6100, (n) => [n, '', '', '', '', [...meeting.slice(100), ...others][n], 'k', 'R'])
    expect(formsOf(await expectNoTrace([rows(meeting.slice(0, 100)), leaving]))).toBe('PPPPPPDDP')
  })

  it('is unclear where one chunk has more of them than a dictionary takes, whatever was read before', async () => {
    const meeting = textsThatMeet(200)
    const many = lines(1000, (n) => ['1', '', '', '', '', meeting[n % 200], 'k', 'R'])
    const few = lines(500, (n) => ['1', '', '', '', '', meeting[n % 100], 'k', 'R'])
    const types = (await readAll([many, few, many, repeated(0), many, few])).map((chunk) => typeof chunk)
    expect(types).toEqual(['string', 'object', 'string', 'object', 'string', 'object'])
  })

  it('comes out as if it were the first, whatever the chunks', async () => {
    const cell = fc.constantFrom('1', '2', '3', '01', '+1', '', 'NA', '"1"')
    const number = fc.oneof(cell, fc.constantFrom('1.0', '1e0', '-0', 'NaN'))
    const rows = fc.array(
      fc.tuple(
        fc.oneof({ weight: 30, arbitrary: cell }, { weight: 1, arbitrary: number }),
        number,
        cell,
        fc.constantFrom('a', 'b', '"a"', 'é', '""', 'NA'),
        fc.constantFrom('R1', 'R2', '"R1"'),
      ),
      { maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(rows, { minLength: 2, maxLength: 4 }), async (chunks) => {
        const texts = chunks.map((chunk) =>
          chunk.map(([id, x, price, note, record]) => [id, x, price, '', '', note, '', record].join(',')).join('\n'),
        )
        const after = (await readAll(texts)).at(-1)
        const [first] = await readAll([texts.at(-1)!])
        expect(isDeepStrictEqual(after, first)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })
})

import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { type ColumnType, type ColumnVector, countOf, type PhysicalType } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { ByteSink } from '../../../src/parquet/byte-sink.js'
import type { Compression } from '../../../src/parquet/compress-page.js'
import { bitWidthOf, PAGE_MAX_BYTES } from '../../../src/parquet/encode-column.js'
import { encodeKernels } from '../../../src/parquet/encode-kernels.js'
import type { ColumnStatistics } from '../../../src/parquet/statistics.js'
import { comparePhysical, type PhysicalValue, physicalValueAt } from '../../../src/parquet/value-order.js'
import { loadBothForms } from '../kernels/both-forms.js'
import { encodeIn, encodeVector, expectAsModel, modelOf, pagesOf } from './encode-kit.js'
import { snappyCompress } from './plain-encoders.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, plainVector, randomOf } from './sample-vectors.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const COMPRESSIONS: readonly Compression[] = ['SNAPPY', 'GZIP', 'NONE']
const TEXT = columnType('t', { kind: 'string' })
const INTEGER = columnType('n', { kind: 'integer', bits: 32 })
const DOUBLE = columnType('d', { kind: 'double' })
const BIG = columnType('b', { kind: 'integer', bits: 64 })
/** One column type for each physical one: the encoder knows no more of it. */
const TYPES = [...new Map(ALL_LOGICAL_TYPES.map((logical) => columnType('c', logical)).map((type) => [type.physical, type])).values()]

function cellOfNumber(type: ColumnType, n: number): Cell {
  switch (type.physical) {
    case 'BOOLEAN':
      return n % 2 === 1
    case 'BYTE_ARRAY':
      return `{"n":${n}}`
    case 'INT64':
    case 'FIXED_LEN_BYTE_ARRAY':
      return BigInt(n) * 1_000_003n
    default:
      return n
  }
}

describe('a column', () => {
  for (const type of TYPES) {
    test(`has the same bytes in both forms of the kernels, those of the model: ${type.physical}`, () => {
      const random = randomOf(7)
      // Few values, runs and nearly all different; none missing, some, a whole page, all.
      for (const distinct of [3, 300, 60_000]) {
        for (const missing of [0.3, 1]) {
          const cells = Array.from({ length: 41_000 }, (_, i): Cell => {
            const hole = missing === 1 || (missing > 0 && i >= 20_000 && i < 40_000)
            return hole || random() < missing
              ? null
              : cellOfNumber(type, Math.floor((distinct === 3 ? i / 999 : random() * distinct) % distinct))
          })
          expectAsModel(forms, plainVector(type, cells), 'SNAPPY')
          expectAsModel(forms, dictionaryVector(type, cells, [cellOfNumber(type, 70_000), cellOfNumber(type, 70_001)]), 'SNAPPY')
        }
      }
    }, 60_000)
  }

  test('has them under every compression, for any small column, used dictionary or not', () => {
    const cell = fc.oneof(
      fc.constant(null),
      fc.constantFrom('', 'a', 'ä'.repeat(50)),
      fc.integer({ min: 0, max: 9 }).map((n) => `v${n}`),
      fc.string({ maxLength: 30 }),
    )
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 60 }), fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 }), (cells, unused) => {
        for (const compression of COMPRESSIONS) {
          expectAsModel(forms, plainVector(TEXT, cells), compression)
          expectAsModel(forms, dictionaryVector(TEXT, cells, unused), compression)
          // Long enough for the dictionary to pay.
          expectAsModel(forms, dictionaryVector(TEXT, new Array<Cell[]>(20).fill(cells).flat(), unused), compression)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('is compressed page by page with Snappy as it is written down', () => {
    const vector = dictionaryVector(
      TEXT,
      Array.from({ length: 30_000 }, (_, i) => (i % 7 === 0 ? null : `text ${i % 97}`)),
    )
    const { bytes } = encodeIn(forms[0], vector, 'SNAPPY')
    const packed = modelOf(vector).pages.map(({ body }) => snappyCompress(body))
    let at = 0
    for (const body of packed) {
      const found = Buffer.from(bytes).indexOf(body, at)
      expect(found).toBeGreaterThanOrEqual(at)
      at = found + body.length
    }
    expect(at).toBe(bytes.length)
  })

  test('is stored as it is where its values do not compress, and only there', () => {
    const random = randomOf(11)
    const rows = 60_000
    const noise = (): number => random() * 2 ** 40 + random()
    const letters = (): string => Array.from({ length: 40 }, () => String.fromCharCode(33 + Math.floor(random() * 94))).join('')
    const compressionOf = (type: ColumnType, cell: (row: number) => Cell): Compression => {
      const vector = plainVector(
        type,
        Array.from({ length: rows }, (_, row) => cell(row)),
      )
      return expectAsModel(forms, vector, 'SNAPPY').chunk.compression
    }
    expect(compressionOf(DOUBLE, () => noise())).toBe('NONE')
    expect(compressionOf(DOUBLE, (row) => (row % 9 === 0 ? null : noise()))).toBe('NONE')
    expect(compressionOf(DOUBLE, (row) => Math.floor(row / 3))).toBe('SNAPPY')
    // Where none of them is looked at, nothing is known.
    expect(compressionOf(DOUBLE, (row) => (row > 10_000 && row < 20_000 ? noise() : null))).toBe('SNAPPY')
    expect(compressionOf(TEXT, (row) => (row > 10_000 && row < 20_000 ? letters() : null))).toBe('SNAPPY')
    // Wherever the part lies that does.
    expect(compressionOf(DOUBLE, (row) => (row < rows * 0.7 ? noise() : 1))).toBe('SNAPPY')
    expect(compressionOf(DOUBLE, (row) => (row < rows * 0.7 ? 1 : noise()))).toBe('SNAPPY')
    expect(compressionOf(BIG, (row) => BigInt(row) + 2n ** 40n)).toBe('SNAPPY')
    expect(compressionOf(INTEGER, () => Math.floor(random() * 2 ** 31))).toBe('NONE')
    expect(compressionOf(INTEGER, (row) => row % 300)).toBe('SNAPPY')
    // The lengths alone: four bytes of forty-four.
    expect(compressionOf(TEXT, letters)).toBe('SNAPPY')
    expect(compressionOf(TEXT, (row) => letters().repeat(1 + (row % 3)))).toBe('SNAPPY')
    expect(compressionOf(TEXT, (row) => `the same words again, number ${row}`)).toBe('SNAPPY')
  })

  test('of codes that are noise is compressed where its dictionary does compress, and its codes are stored', () => {
    const random = randomOf(13)
    const rows = 50_000
    const coded = (type: ColumnType, entries: number, cell: (entry: number) => Cell) =>
      expectAsModel(
        forms,
        dictionaryVector(
          type,
          Array.from({ length: rows }, () => cell(Math.floor(random() * entries))),
        ),
        'SNAPPY',
      ).chunk
    const sites = coded(TEXT, 4000, (entry) => `site ${entry}`)
    expect([sites.compression, sites.dataEncoding]).toEqual(['SNAPPY', 'RLE_DICTIONARY'])
    expect(sites.dictionaryPageBytes).toBeLessThan((4000 * 13) / 2)
    // The codes with a few bytes for each page, not more.
    const codes = sites.pages.reduce((bytes, page) => bytes + page.bytes, 0)
    expect(codes).toBeGreaterThan((rows * 12) / 8)
    expect(codes).toBeLessThan((rows * 12) / 8 + sites.pages.length * 80)
    expect(coded(INTEGER, 3000, (entry) => entry * 7919 + 2 ** 24).compression).toBe('NONE')
    // What is gained is not worth the reading.
    expect(coded(TEXT, 20, (entry) => `site number ${entry}`).compression).toBe('NONE')
  })

  test('takes little more than Snappy as it is written down would make of it', () => {
    const random = randomOf(12)
    const columns: ColumnVector[] = [
      plainVector(
        BIG,
        Array.from({ length: 50_000 }, (_, row) => 1_600_000_000_000n + BigInt(row * 137)),
      ),
      plainVector(
        DOUBLE,
        Array.from({ length: 50_000 }, () => Math.floor(random() * 100_000) / 100),
      ),
      plainVector(
        TEXT,
        Array.from({ length: 50_000 }, (_, row) => `SN-${Math.floor(random() * 1e9)}-${row}`),
      ),
      plainVector(
        TEXT,
        Array.from(
          { length: 50_000 },
          () => `see drawing ${Math.floor(random() * 1e9)} and the photographs of ${Math.floor(random() * 30)}`,
        ),
      ),
    ]
    for (const vector of columns) {
      const { chunk } = expectAsModel(forms, vector, 'SNAPPY')
      const plainly = modelOf(vector).pages.reduce((sum, { body }) => sum + snappyCompress(body).length, 0)
      expect(chunk.compressedBytes).toBeLessThan(plainly * 1.1)
    }
  })

  test('comes out the same whatever was encoded before, and stays as it is whatever is encoded after', () => {
    const cells = (seed: number): Cell[] => Array.from({ length: 5000 }, (_, i) => (i % 7 === 0 ? null : `text ${(i * seed) % 97}`))
    for (const kernels of forms) {
      const first = encodeIn(kernels, dictionaryVector(TEXT, cells(1)), 'SNAPPY')
      const copy = structuredClone(first)
      for (const compression of COMPRESSIONS) encodeIn(kernels, dictionaryVector(TEXT, cells(5)), compression)
      expect(first).toEqual(copy)
      expect(encodeIn(kernels, dictionaryVector(TEXT, cells(1)), 'SNAPPY')).toEqual(copy)
    }
  })

  test('shares nothing with the memory of the kernels, not even uncompressed', () => {
    for (const kernels of forms) {
      const { chunk, bytes } = encodeIn(kernels, plainVector(TEXT, ['a', 'b']), 'NONE')
      const buffers = [bytes, ...chunk.pages.flatMap(({ statistics }) => [statistics.min!, statistics.max!]), chunk.statistics.min!]
      for (const { buffer } of buffers) expect(buffer).not.toBe(kernels.buffer)
    }
  })

  test('follows the column before it in the sink', () => {
    for (const kernels of forms) {
      const sink = new ByteSink(0)
      const chunks = [plainVector(INTEGER, [1, 2]), dictionaryVector(TEXT, new Array<string>(99).fill('abcdef'))].map((vector) =>
        encodeVector(kernels, vector, 'NONE', sink),
      )
      expect(sink.length).toBe(chunks[0]!.compressedBytes + chunks[1]!.compressedBytes)
      const [own] = [encodeIn(kernels, dictionaryVector(TEXT, new Array<string>(99).fill('abcdef')), 'NONE')]
      expect(sink.bytes().slice(chunks[0]!.compressedBytes)).toEqual(own.bytes)
    }
  })

  test('of no rows has no pages', () => {
    for (const vector of [plainVector(TEXT, []), dictionaryVector(TEXT, []), dictionaryVector(TEXT, [], ['unused'])]) {
      const { chunk, bytes } = expectAsModel(forms, vector, 'SNAPPY')
      expect(bytes.length).toBe(0)
      expect(chunk).toMatchObject({ rows: 0, pages: [], dictionaryPageBytes: 0, statistics: { nulls: 0, min: null, max: null } })
    }
  })

  test('gives the memory back when a step throws, wherever that is', () => {
    const fault = new RangeError('the memory is full')
    const steps = [
      'snappyCompress',
      'encodeHybrid',
      'compact',
      'renumber',
      'gather',
      'gatherLengths',
      'gatherTexts',
      'interleaveTexts',
      'packBits8',
      'extremesTexts',
      'extremesInt32',
      'extremesDouble',
    ] as const
    const vectors = [
      dictionaryVector(TEXT, ['a', null, 'b']),
      dictionaryVector(TEXT, new Array<Cell[]>(60).fill(['aaaa', null, 'bbbb']).flat()),
      dictionaryVector(DOUBLE, [1, null, 2]),
      plainVector(INTEGER, [1, null, 2]),
      plainVector(columnType('b', { kind: 'boolean' }), [true, null]),
    ]
    for (const kernels of forms) {
      const mark = kernels.mark()
      for (const step of steps) {
        const failing = new Proxy(kernels, {
          get: (target, name) => {
            if (name === step)
              return () => {
                throw fault
              }
            const value = Reflect.get(target, name) as unknown
            return typeof value === 'function' ? (value as (...parameters: never[]) => unknown).bind(target) : value
          },
        })
        let thrown = 0
        for (const vector of vectors) {
          try {
            encodeVector(failing, vector, 'SNAPPY', new ByteSink(0))
          } catch (error) {
            expect(error).toBe(fault)
            thrown++
          }
          expect(kernels.mark(), step).toBe(mark)
        }
        expect(thrown, step).toBeGreaterThan(0)
      }
    }
  })

  test('gives the memory back when there is not enough of it', async () => {
    for (const kernels of await loadBothForms(1 << 20)) {
      const mark = kernels.mark()
      const large = plainVector(TEXT, ['x'.repeat(600_000)])
      expect(() => encodeVector(kernels, large, 'NONE', new ByteSink(0))).toThrow(RangeError)
      expect(kernels.mark()).toBe(mark)
      encodeIn(kernels, plainVector(TEXT, ['x']), 'NONE')
    }
  })
})

describe('kernels of a thread', () => {
  test('are the same for all writers', async () => {
    expect(await encodeKernels()).toBe(await encodeKernels())
  })

  test('are dropped once an unusual column made them large', async () => {
    const kernels = await encodeKernels()
    const mark = kernels.mark()
    kernels.allocate(65 << 20)
    kernels.release(mark)
    const next = await encodeKernels()
    // Compared here: where objects differ, the test library goes on to compare what they hold.
    expect(next === kernels).toBe(false)
    expect(next.buffer.byteLength).toBeLessThan(kernels.buffer.byteLength)
    expect(await encodeKernels()).toBe(next)
  })
})

describe('a dictionary', () => {
  const encodingOf = (vector: ColumnVector): string => expectAsModel(forms, vector, 'NONE').chunk.dataEncoding
  const repeated = (value: Cell, times: number): Cell[] => new Array<Cell>(times).fill(value)

  test('is written where it is smaller than the values in line, and only there', () => {
    // 24 bytes and one entry of 4, with n codes of a bit, against 4 bytes a row.
    expect(encodingOf(dictionaryVector(INTEGER, repeated(7, 7)))).toBe('PLAIN')
    expect(encodingOf(dictionaryVector(INTEGER, repeated(7, 8)))).toBe('RLE_DICTIONARY')
    // Missing rows need no code and no value.
    expect(encodingOf(dictionaryVector(INTEGER, [...repeated(7, 7), ...repeated(null, 500)]))).toBe('PLAIN')
    // 24 bytes and an entry of 9 against 9 a row.
    expect(encodingOf(dictionaryVector(TEXT, repeated('12345', 3)))).toBe('PLAIN')
    expect(encodingOf(dictionaryVector(TEXT, repeated('12345', 4)))).toBe('RLE_DICTIONARY')
    expect(encodingOf(dictionaryVector(TEXT, repeated('', 9)))).toBe('RLE_DICTIONARY')
    // Nearly all different: an entry each and a code on top.
    expect(
      encodingOf(
        dictionaryVector(
          INTEGER,
          Array.from({ length: 1000 }, (_, i) => i),
        ),
      ),
    ).toBe('PLAIN')
  })

  test('does not pay for entries that no row uses', () => {
    const unused = Array.from({ length: 500 }, (_, i) => `unused ${i}`)
    const vector = dictionaryVector(TEXT, ['b', null, 'a', ...repeated('b', 40)], unused)
    expect(encodingOf(vector)).toBe('RLE_DICTIONARY')
    const pages = pagesOf(encodeIn(forms[0], vector, 'NONE'))
    expect(pages[0]).toMatchObject({ kind: 'dictionary', values: 2 })
    expect(Buffer.from(pages[0]!.body).toString('latin1')).toBe('\x01\0\0\0b\x01\0\0\0a')
  })

  test('is never one of booleans', () => {
    const type = columnType('b', { kind: 'boolean' })
    expect(encodingOf(dictionaryVector(type, [...repeated(true, 3000), null, ...repeated(false, 3000)]))).toBe('PLAIN')
  })

  test('has codes as wide as its last one needs', () => {
    for (let entries = 2; entries < 5000; entries++) {
      const width = bitWidthOf(entries)
      expect(entries - 1).toBeLessThan(2 ** width)
      expect(entries - 1).toBeGreaterThanOrEqual(2 ** (width - 1))
    }
    expect(bitWidthOf(1)).toBe(1)
    for (const distinct of [1, 2, 3, 256, 257, 4096, 4097]) {
      const cells = Array.from({ length: 30_000 }, (_, i) => `value ${i % distinct}`)
      const [dictionary, first] = pagesOf(expectAsModel(forms, dictionaryVector(TEXT, cells), 'NONE'))
      expect(dictionary).toMatchObject({ kind: 'dictionary', values: distinct })
      // Levels of a page without gaps: the length, a run of 20,000 and its value.
      expect(first!.body[4 + 4]).toBe(bitWidthOf(distinct))
    }
  })
})

describe('data pages end', () => {
  const expectPages = (vector: ColumnVector, pages: readonly number[] | null = null): void => {
    const { chunk } = expectAsModel(forms, vector, 'NONE')
    if (pages !== null) expect(chunk.pages.map(({ rows }) => rows)).toEqual(pages)
  }
  const both = (cells: readonly Cell[], pages: readonly number[] | null = null): void => {
    expectPages(plainVector(TEXT, cells), pages)
    expectPages(dictionaryVector(TEXT, cells), pages)
  }

  test('at 20,000 rows where values are small, missing or not', () => {
    for (const type of TYPES) {
      for (const rows of [0, 1, 19_999, 20_000, 20_001, 40_000]) {
        const pages = [...new Array<number>(Math.floor(rows / 20_000)).fill(20_000), ...(rows % 20_000 > 0 ? [rows % 20_000] : [])]
        const cells = Array.from({ length: rows }, (_, i) => cellOfNumber(type, i % 50))
        for (const some of [cells, cells.map((cell, i) => (i % 3 === 0 ? null : cell))]) {
          expectPages(plainVector(type, some), pages)
          expectPages(dictionaryVector(type, some), pages)
        }
      }
    }
  }, 60_000)

  test('nowhere in a column without any value', () => {
    for (const type of TYPES) {
      for (const rows of [1, 20_001, 131_072]) {
        const cells = new Array<null>(rows).fill(null)
        expectPages(plainVector(type, cells), [rows])
        expectPages(dictionaryVector(type, cells), [rows])
        expectPages(
          plainVector(type, [...cells.slice(1), cellOfNumber(type, 1)]),
          rows === 131_072 ? [20_000, 20_000, 20_000, 20_000, 20_000, 20_000, 11_072] : null,
        )
      }
    }
  }, 60_000)

  test('before the text that is too much, and not before one that just fits', () => {
    // Each with its length takes 1/8 of a page, all of them different.
    const eighth = (i: number, bytes = PAGE_MAX_BYTES / 8 - 4): string => String(i).padEnd(bytes, '.')
    both(
      Array.from({ length: 20 }, (_, i) => eighth(i)),
      [8, 8, 4],
    )
    both([...Array.from({ length: 7 }, (_, i) => eighth(i)), eighth(7, PAGE_MAX_BYTES / 8 - 3), 'x'], [7, 2])
    both([...Array.from({ length: 8 }, (_, i) => eighth(i)), null, null, '', 'x'], [10, 2])
  })

  test('after one text that is too much on its own, and missing rows before it have a page of their own', () => {
    const huge = (letter: string): string => letter.repeat(PAGE_MAX_BYTES + 1)
    both([huge('a'), null, null, 'b', huge('c')], [3, 1, 1])
    both([null, null, huge('a'), null], [2, 2])
  })

  test('where the row-by-row rule says, for texts of any size', () => {
    const random = randomOf(11)
    for (const longest of [20, 60, 300, 5000, 200_000]) {
      for (const missing of [0, 0.5]) {
        const rows = Math.min(45_000, Math.floor(8_000_000 / longest))
        const cells = Array.from({ length: rows }, (_, i): Cell => {
          if (random() < missing) return null
          return `${i} `.padEnd(Math.floor(random() * longest), 'x')
        })
        both(cells)
      }
    }
  }, 60_000)
})

describe('statistics of a page', () => {
  /** Null count, least and greatest value of some rows, by the order that readers know; null: none, or not to be ordered. */
  function factsOf(
    vector: ColumnVector,
    from: number,
    to: number,
  ): { nulls: number; min: PhysicalValue | null; max: PhysicalValue | null } {
    const values = vector.form === 'plain' ? vector.values : vector.dictionary
    let nulls = 0
    let [min, max]: (PhysicalValue | null)[] = [null, null]
    let nan = false
    for (let row = from; row < to; row++) {
      if (vector.validity[row] === 0) {
        nulls++
        continue
      }
      const value = physicalValueAt(values, vector.form === 'plain' ? row : vector.codes[row]!)
      if (Number.isNaN(value)) nan = true
      if (min === null || comparePhysical(values.physical, value, min!) < 0) min = value
      if (max === null || comparePhysical(values.physical, value, max!) > 0) max = value
    }
    return nan ? { nulls, min: null, max: null } : { nulls, min: min ?? null, max: max ?? null }
  }

  function decoded(physical: PhysicalType, bytes: Uint8Array | null): PhysicalValue | null {
    if (bytes === null) return null
    const buffer = Buffer.from(bytes)
    switch (physical) {
      case 'BOOLEAN':
        return buffer.readUInt8()
      case 'INT32':
        return buffer.readInt32LE()
      case 'INT64':
        return buffer.readBigInt64LE()
      case 'DOUBLE':
        return buffer.readDoubleLE()
      default:
        return bytes
    }
  }

  function expectFacts(physical: PhysicalType, statistics: ColumnStatistics, facts: ReturnType<typeof factsOf>): void {
    const same = (value: PhysicalValue | null, expected: PhysicalValue | null): boolean =>
      value === null || expected === null ? value === expected : comparePhysical(physical, value, expected) === 0
    expect(statistics.nulls).toBe(facts.nulls)
    expect(same(decoded(physical, statistics.min), facts.min)).toBe(true)
    expect(same(decoded(physical, statistics.max), facts.max)).toBe(true)
    if (statistics.min !== null) expect([statistics.minExact, statistics.maxExact]).toEqual([true, true])
  }

  const expectPageFacts = (vector: ColumnVector): void => {
    const { chunk } = expectAsModel(forms, vector, 'NONE')
    const { physical } = vector.form === 'plain' ? vector.values : vector.dictionary
    let from = 0
    for (const { rows, statistics } of chunk.pages) {
      expectFacts(physical, statistics, factsOf(vector, from, from + rows))
      from += rows
    }
    expect(from).toBe(vector.rows)
    expectFacts(physical, chunk.statistics, factsOf(vector, 0, vector.rows))
  }

  for (const type of TYPES) {
    test(`are the exact extremes and null counts of its rows: ${type.physical}`, () => {
      const random = randomOf(5)
      for (const distinct of [2, 50_000]) {
        for (const missing of [0, 0.4]) {
          // Each page has a range of its own; one holds nothing.
          const cells = Array.from({ length: 65_000 }, (_, i): Cell => {
            const page = Math.floor(i / 20_000)
            if (missing > 0 && (page === 1 || random() < missing)) return null
            return cellOfNumber(type, Math.floor(random() * distinct) + [300, 0, 200_000, 7][page]!)
          })
          expectPageFacts(plainVector(type, cells))
          expectPageFacts(dictionaryVector(type, cells))
        }
      }
    }, 60_000)
  }

  test('name no extremes where the page has a NaN, and only there', () => {
    const cells = (nanAt: number): Cell[] => Array.from({ length: 50_000 }, (_, i) => (i === nanAt ? Number.NaN : (i % 40) - 20))
    for (const form of [plainVector, dictionaryVector]) {
      for (const nanAt of [0, 19_999, 20_000, 49_999]) {
        const vector = form(DOUBLE, cells(nanAt))
        expectPageFacts(vector)
        const { chunk } = encodeIn(forms[1], vector, 'NONE')
        expect(chunk.pages.map(({ statistics }) => statistics.min === null)).toEqual([0, 1, 2].map((p) => p === Math.floor(nanAt / 20_000)))
        expect(chunk.statistics.max).toBeNull()
      }
    }
  })

  test('write a zero as -0 below and as +0 above', () => {
    for (const form of [plainVector, dictionaryVector]) {
      for (const zero of [0, -0]) {
        const { chunk } = expectAsModel(forms, form(DOUBLE, new Array<number>(30).fill(zero)), 'NONE')
        const { min, max } = chunk.pages[0]!.statistics
        expect([decoded('DOUBLE', min), decoded('DOUBLE', max)]).toEqual([-0, 0])
      }
    }
  })

  test('cut long texts page by page', () => {
    const cells = [...new Array<Cell>(19_999).fill('m'), 'm'.repeat(70), ...new Array<Cell>(20_000).fill('short')]
    for (const form of [plainVector, dictionaryVector]) {
      const { chunk } = expectAsModel(forms, form(TEXT, cells), 'NONE')
      const texts = [...chunk.pages.map(({ statistics }) => statistics), chunk.statistics].map(({ min, max, minExact, maxExact }) => [
        Buffer.from(min!).toString(),
        Buffer.from(max!).toString(),
        minExact,
        maxExact,
      ])
      expect(texts).toEqual([
        ['m', `${'m'.repeat(63)}n`, true, false],
        ['short', 'short', true, true],
        ['m', 'short', true, true],
      ])
    }
  })
})

test('values of an odd place in memory are written as they are', () => {
  // One missing row moves the values behind it off the alignment that their type has.
  for (const type of TYPES) {
    for (let missing = 0; missing < 9; missing++) {
      const cells = Array.from({ length: 17 }, (_, i) => (i < missing ? null : cellOfNumber(type, i)))
      const vector = plainVector(type, cells)
      expect(countOf(vector.values)).toBe(17)
      expectAsModel(forms, vector, 'NONE')
    }
  }
})

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { type Compression, compressPage } from '../../../src/parquet/compress-page.js'
import { decodePageHeader } from '../../../src/parquet/decode-page-header.js'
import { type EncodedColumnChunk, encodeColumn, PAGE_MAX_BYTES, PAGE_MAX_ROWS } from '../../../src/parquet/encode-column.js'
import { bitWidthOf, encodeHybrid } from '../../../src/parquet/encode-hybrid.js'
import { encodeKernels } from '../../../src/parquet/encode-kernels.js'
import { plainSizeBytes } from '../../../src/parquet/encode-plain.js'
import { KERNEL_SNAPPY_MAX_BYTES, snappyCompress } from '../../../src/parquet/snappy-compress.js'
import { usedEntries } from '../../../src/parquet/statistics.js'
import { loadBothForms, soil } from '../kernels/both-forms.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, labelOf, plainVector, randomOf } from './sample-vectors.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const COMPRESSIONS: readonly Compression[] = ['SNAPPY', 'GZIP', 'NONE']
const TEXT = columnType('t', { kind: 'string' })

/** The same to the last byte, and what is said of it; the memory is left as it was found. */
function expectSameWithKernels(vector: ColumnVector, compression: Compression): void {
  const expected = encodeColumn(vector, { compression })
  for (const kernels of forms) {
    const mark = kernels.mark()
    soil(kernels, 10_000, vector.rows + 1)
    kernels.release(mark)
    const { parts, ...facts } = encodeColumn(vector, { compression, kernels })
    expect(kernels.mark()).toBe(mark)
    const { parts: expectedParts, ...expectedFacts } = expected
    expect(facts).toEqual(expectedFacts)
    expect(parts.map((part) => part.length)).toEqual(expectedParts.map((part) => part.length))
    expect(Buffer.compare(Buffer.concat(parts), Buffer.concat(expectedParts))).toBe(0)
  }
}

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

describe('a column encoded with kernels', () => {
  for (const logical of ALL_LOGICAL_TYPES) {
    test(`has the same bytes as without: ${labelOf(logical)}`, () => {
      const type = columnType('c', logical)
      const random = randomOf(7)
      // Few values, runs and nearly all different; none missing, some, a whole page, all.
      for (const distinct of [1, 3, 300, 60_000]) {
        for (const missing of [0, 0.3, 1]) {
          const cells = Array.from({ length: 41_000 }, (_, i): Cell => {
            const hole = missing === 1 || (missing > 0 && i >= 20_000 && i < 40_000)
            return hole || random() < missing
              ? null
              : cellOfNumber(type, Math.floor((distinct === 3 ? i / 999 : random() * distinct) % distinct))
          })
          expectSameWithKernels(plainVector(type, cells), 'SNAPPY')
          expectSameWithKernels(dictionaryVector(type, cells), 'SNAPPY')
        }
      }
    })
  }

  test('has the same bytes under every compression, for any small column, used dictionary or not', () => {
    const cell = fc.oneof(
      fc.constant(null),
      fc.constantFrom('', 'a', 'ä'.repeat(50)),
      fc.integer({ min: 0, max: 9 }).map((n) => `v${n}`),
      fc.string({ maxLength: 30 }),
    )
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 60 }), fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 }), (cells, unused) => {
        for (const compression of COMPRESSIONS) {
          expectSameWithKernels(plainVector(TEXT, cells), compression)
          expectSameWithKernels(dictionaryVector(TEXT, cells, unused), compression)
          // Long enough for the dictionary to pay.
          expectSameWithKernels(dictionaryVector(TEXT, new Array<Cell[]>(20).fill(cells).flat(), unused), compression)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('owns its bytes: what is encoded later with the same kernels does not change them', () => {
    const cells = (seed: number): Cell[] => Array.from({ length: 5000 }, (_, i) => (i % 7 === 0 ? null : `text ${(i * seed) % 97}`))
    for (const kernels of forms) {
      const first = encodeColumn(dictionaryVector(TEXT, cells(1)), { compression: 'SNAPPY', kernels })
      const copies = first.parts.map((part) => part.slice())
      encodeColumn(dictionaryVector(TEXT, cells(5)), { compression: 'SNAPPY', kernels })
      expect(first.parts).toEqual(copies)
    }
  })

  test('is there too for a page that kernels are not given, which leaves their memory small', () => {
    const noise = new Uint8Array(randomBytes(KERNEL_SNAPPY_MAX_BYTES + 1))
    for (const kernels of forms) {
      const before = kernels.buffer.byteLength
      expect(Buffer.compare(snappyCompress([noise.subarray(0, 9), noise.subarray(9)], kernels), snappyCompress(noise))).toBe(0)
      expect(kernels.buffer.byteLength).toBe(before)
      const largest = noise.subarray(1)
      expect(Buffer.compare(snappyCompress(largest, kernels), snappyCompress(largest))).toBe(0)
    }
  })

  test('gives the memory back when encoding fails', () => {
    for (const kernels of forms) {
      const mark = kernels.mark()
      const fault = new RangeError('the memory is full')
      const failing = new Proxy(kernels, {
        get: (target, name) => {
          if (name === 'snappyCompress' || name === 'encodeHybrid')
            return () => {
              throw fault
            }
          const value = Reflect.get(target, name) as unknown
          return typeof value === 'function' ? (value as (...parameters: never[]) => unknown).bind(target) : value
        },
      })
      expect(() => snappyCompress(new Uint8Array(100), failing)).toThrow(fault)
      expect(() => encodeHybrid(new Uint8Array(100), 0, 100, 1, failing)).toThrow(fault)
      expect(kernels.mark()).toBe(mark)
    }
  })
})

test('sections are compressed as if they were one', () => {
  const bytes = new Uint8Array(Buffer.from('one two three one two three one two three'))
  const sections = [bytes.subarray(0, 5), new Uint8Array(0), bytes.subarray(5, 6), bytes.subarray(6)]
  for (const compression of COMPRESSIONS) {
    for (const kernels of [null, ...forms]) {
      expect(Buffer.compare(compressPage(compression, sections, kernels), compressPage(compression, bytes))).toBe(0)
    }
  }
})

test('without compiled code writers encode in TypeScript, and all writers of a thread have the same', async () => {
  expect(await encodeKernels()).toBeNull()
  expect(encodeKernels()).toBe(encodeKernels())
})

/** Rows of each data page, from the headers. */
function pageRows(chunk: EncodedColumnChunk): number[] {
  const rows: number[] = []
  for (let i = 0; i < chunk.parts.length; i += 2) {
    const header = decodePageHeader(chunk.parts[i]!, 0)
    if (header.kind === 'data') rows.push(header.values)
  }
  return rows
}

/** The rule, row by row: a page ends at PAGE_MAX_ROWS, or before the present row that would take it beyond PAGE_MAX_BYTES. */
function expectedPageRows(vector: ColumnVector, encoding: EncodedColumnChunk['dataEncoding']): number[] {
  const codeBytes = vector.form === 'dictionary' ? bitWidthOf(usedEntries(vector).used.length) / 8 : 0
  const sizeOf = (row: number): number => {
    if (vector.form === 'plain') return plainSizeBytes(vector.values, row)
    if (encoding === 'PLAIN') return plainSizeBytes(vector.dictionary, vector.codes[row]!)
    return codeBytes
  }
  const pages: number[] = []
  let rows = 0
  let bytes = 0
  for (let row = 0; row < vector.rows; row++) {
    const size = vector.validity[row] === 1 ? sizeOf(row) : 0
    if (rows === PAGE_MAX_ROWS || (rows > 0 && size > 0 && bytes + size > PAGE_MAX_BYTES)) {
      pages.push(rows)
      rows = 0
      bytes = 0
    }
    rows++
    bytes += size
  }
  if (rows > 0) pages.push(rows)
  return pages
}

describe('data pages end', () => {
  const expectPages = (vector: ColumnVector, pages?: readonly number[]): void => {
    const chunk = encodeColumn(vector, { compression: 'NONE' })
    const rows = pageRows(chunk)
    expect(rows).toEqual(expectedPageRows(vector, chunk.dataEncoding))
    expect(chunk.dataPages).toBe(rows.length)
    if (pages !== undefined) expect(rows).toEqual(pages)
  }
  const both = (cells: readonly Cell[], pages?: readonly number[]): void => {
    expectPages(plainVector(TEXT, cells), pages)
    expectPages(dictionaryVector(TEXT, cells), pages)
  }

  test('at 20,000 rows where values are small, missing or not', () => {
    const types = ALL_LOGICAL_TYPES.map((logical) => columnType('c', logical))
    for (const physical of new Set(types.map((type) => type.physical))) {
      const type = types.find((one) => one.physical === physical)!
      for (const rows of [0, 1, 19_999, 20_000, 20_001, 40_000]) {
        const pages = [...new Array<number>(Math.floor(rows / 20_000)).fill(20_000), ...(rows % 20_000 > 0 ? [rows % 20_000] : [])]
        const cells = Array.from({ length: rows }, (_, i) => cellOfNumber(type, i % 50))
        for (const some of [cells, cells.map((cell, i) => (i % 3 === 0 ? null : cell)), cells.map(() => null)]) {
          expectPages(plainVector(type, some), pages)
          expectPages(dictionaryVector(type, some), pages)
        }
      }
    }
  })

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
  })
})

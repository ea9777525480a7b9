import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ColumnType, ColumnVector, LogicalType } from '../../../src/columns/vector.js'
import { ContentHasher, columnDescription } from '../../../src/parquet/content-hash.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, fixedBytes, plainVector } from './sample-vectors.js'

const sha256 = (...parts: (Uint8Array | string)[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
  return bytes
}

/** One entry of the value stream, written from FORMAT.md and from nothing else. */
function entryOf(column: ColumnType, cell: Cell): Buffer {
  const missing = cell === null
  switch (column.physical) {
    case 'BOOLEAN':
      return Buffer.of(cell === true ? 1 : 0)
    case 'INT32':
      return u32(missing ? 0 : (cell as number) >>> 0)
    case 'INT64':
      return u64(missing ? 0n : (cell as bigint))
    case 'DOUBLE': {
      if (missing) return Buffer.alloc(8)
      if (Number.isNaN(cell)) return Buffer.from('000000000000f87f', 'hex')
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(cell as number)
      return bytes
    }
    case 'FIXED_LEN_BYTE_ARRAY':
      return Buffer.from(fixedBytes(missing ? 0n : (cell as bigint)))
    case 'BYTE_ARRAY':
      return u32(missing ? 0 : Buffer.byteLength(cell as string))
  }
}

function descriptionOf({ name, logical }: ColumnType): string {
  const n = JSON.stringify(name)
  switch (logical.kind) {
    case 'integer':
      return `[${n},"integer",${logical.bits}]`
    case 'decimal':
      return `[${n},"decimal",${logical.precision},${logical.scale}]`
    case 'time':
      return `[${n},"time","${logical.unit}"]`
    case 'timestamp':
      return `[${n},"timestamp","${logical.unit}",${logical.utc}]`
    default:
      return `[${n},"${logical.kind}"]`
  }
}

/** The whole content at once and cell by cell: slow, and plainly what FORMAT.md says. */
function bruteForce(columns: readonly ColumnType[], cells: readonly (readonly Cell[])[]): string {
  const rows = cells[0]?.length ?? 0
  const digests = columns.map((column, c) => {
    const blocks: Buffer[] = []
    for (let start = 0; start < rows; start += 65_536) {
      const block = cells[c]!.slice(start, start + 65_536)
      const validity = sha256(Buffer.from(block.map((cell) => (cell === null ? 0 : 1))))
      const values = sha256(Buffer.concat(block.map((cell) => entryOf(column, cell))))
      if (column.physical === 'BYTE_ARRAY') {
        blocks.push(sha256(validity, values, sha256(Buffer.concat(block.map((cell) => Buffer.from((cell as string | null) ?? ''))))))
      } else {
        blocks.push(sha256(validity, values))
      }
    }
    const description = Buffer.from(descriptionOf(column))
    return sha256(u32(description.length), description, ...blocks)
  })
  return sha256('parquet-intake content 1\n', u64(BigInt(rows)), u32(columns.length), ...digests).toString('hex')
}

function hashOf(columns: readonly ColumnType[], chunks: readonly (readonly ColumnVector[])[]): string {
  const hasher = new ContentHasher(columns)
  for (const chunk of chunks) hasher.append(chunk)
  return hasher.digest()
}

/** Cells made by a rule that is written down here once, for the golden file: its rows must never change. */
function goldenCell(logical: LogicalType, i: number): Cell {
  if (i % 7 === 3) return null
  const k = ((i * 2_654_435_761) % 1000) - 500
  switch (logical.kind) {
    case 'string':
      return `text ${k} äö😀`.slice(0, 3 + (i % 14))
    case 'json':
      return `{"k":${k}}`
    case 'boolean':
      return k > 0
    case 'integer':
      return logical.bits === 32 ? k * 4_000_000 : BigInt(k) * 18_000_000_000_000_000n
    case 'double':
      return [k / 8, -0, 0, Number.NaN, Infinity, -Infinity, 5e-324][i % 7]!
    case 'decimal':
      return logical.precision <= 9 ? k : BigInt(k) * 10n ** BigInt(logical.precision - 4)
    case 'date':
      return k * 1000
    case 'time':
      return logical.unit === 'MILLIS' ? Math.abs(k) * 1000 : BigInt(Math.abs(k)) * 1_000_001n
    case 'timestamp':
      return BigInt(k) * 86_400_000n * (logical.unit === 'MILLIS' ? 1n : 1000n) + BigInt(i)
  }
}

/** Around the borders of blocks. A content of fewer rows is the beginning of the longest. */
const GOLDEN_ROWS = [0, 1, 100, 65_535, 65_536, 65_537, 140_000]

function goldenContent(rows: number): { columns: ColumnType[]; cells: Cell[][] } {
  const columns = ALL_LOGICAL_TYPES.map((logical, i) =>
    columnType(['a,b', '__proto__', '1', 'ä😀'][i] ?? `column ${i}`, logical, i % 2 ? 'm' : null),
  )
  const cells = columns.map(({ logical }) =>
    Array.from({ length: rows }, (_, i) => {
      const cell = goldenCell(logical, i)
      return typeof cell === 'string' ? cell.toWellFormed() : cell
    }),
  )
  return { columns, cells }
}

const all = goldenContent(GOLDEN_ROWS.at(-1)!)

describe('the golden file', () => {
  test('holds for every entry, by the hasher and by brute force', async () => {
    const golden = JSON.parse(await readFile(new URL('../../fixtures/parquet/content-hash-golden.json', import.meta.url), 'utf8')) as {
      all_types: Record<string, string>
    }
    expect(Object.keys(golden.all_types).map(Number)).toEqual(GOLDEN_ROWS)
    for (const rows of GOLDEN_ROWS) {
      const cells = all.cells.map((column) => column.slice(0, rows))
      expect(hashOf(all.columns, [all.columns.map((column, c) => plainVector(column, cells[c]!))])).toBe(golden.all_types[String(rows)])
      // The rows in between have the same borders, and brute force takes its time.
      if (rows <= 100 || rows === 65_537) expect(bruteForce(all.columns, cells)).toBe(golden.all_types[String(rows)])
    }
  })
})

describe('the same content has the same hash', () => {
  const ROWS = 67_000
  const { columns } = all
  const cells = all.cells.map((column) => column.slice(0, ROWS))
  const expected = hashOf(columns, [columns.map((column, c) => plainVector(column, cells[c]!))])

  test('whatever the chunks, and whether plain or dictionary', () => {
    for (const ends of [[ROWS], [65_536, ROWS], [1, 65_536, 65_538, ROWS], [30_000, 60_000, ROWS], [65_537, 65_537, ROWS]]) {
      let from = 0
      const chunks = ends.map((end, k) => {
        const vectors = columns.map((column, c) => {
          const part = cells[c]!.slice(from, end)
          return (k + c) % 2 === 0 ? dictionaryVector(column, part, [goldenCell(column.logical, 5)]) : plainVector(column, part)
        })
        from = end
        return vectors
      })
      expect(hashOf(columns, chunks)).toBe(expected)
    }
  })

  test('when columns run ahead of each other', () => {
    const hasher = new ContentHasher(columns)
    for (const c of [...columns.keys()].reverse()) hasher.appendColumn(c, plainVector(columns[c]!, cells[c]!))
    expect(hasher.digest()).toBe(expected)
  })

  test('whatever the unit of measurement', () => {
    const renamed = columns.map((column) => ({ ...column, unit: 'kPa' }))
    expect(hashOf(renamed, [renamed.map((column, c) => plainVector(column, cells[c]!))])).toBe(expected)
  })

  test('whatever the bits of a NaN', () => {
    const column = columnType('d', { kind: 'double' })
    const vector = plainVector(column, [Number.NaN])
    const odd = plainVector(column, [Number.NaN])
    if (odd.values.physical !== 'DOUBLE') throw new Error('double')
    new BigUint64Array(odd.values.data.buffer)[0] = 0xfff8_0000_dead_beefn
    expect(hashOf([column], [[odd]])).toBe(hashOf([column], [[vector]]))
  })

  test('as brute force, for any small content', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(null)), { maxLength: 20 }),
        fc.array(fc.double(), { minLength: 20, maxLength: 20 }),
        fc.string({ unit: 'grapheme' }),
        (texts, doubles, name) => {
          const types = [columnType(name, { kind: 'string' }), columnType('d', { kind: 'double' })]
          const content: Cell[][] = [texts, doubles.slice(0, texts.length)]
          expect(hashOf(types, [types.map((t, c) => plainVector(t, content[c]!))])).toBe(bruteForce(types, content))
          expect(hashOf(types, [types.map((t, c) => dictionaryVector(t, content[c]!))])).toBe(bruteForce(types, content))
        },
      ),
    )
  })
})

describe('another content has another hash', () => {
  const text = columnType('t', { kind: 'string' })
  const of = (cells: Cell[], column = text): string => hashOf([column], [[plainVector(column, cells)]])

  test('cells that only differ in where one ends, in order, or in being missing', () => {
    const contents: Cell[][] = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc', ''],
      ['', 'abc'],
      ['c', 'ab'],
      ['abc', null],
      [null, 'abc'],
      ['abc'],
      ['', ''],
      [null, null],
      ['', null],
      [],
    ]
    expect(new Set(contents.map((cells) => of(cells))).size).toBe(contents.length)
  })

  test('0 and -0, and numbers of another type', () => {
    const double = columnType('t', { kind: 'double' })
    expect(of([0], double)).not.toBe(of([-0], double))
    expect(of([0], double)).not.toBe(of([null], double))
    const hashes = ALL_LOGICAL_TYPES.map((logical) => of([null], columnType('t', logical)))
    expect(new Set(hashes).size).toBe(ALL_LOGICAL_TYPES.length)
  })

  test('another name, precision, scale, unit of time or zone', () => {
    const types: ColumnType[] = [
      text,
      columnType('T', { kind: 'string' }),
      columnType('t', { kind: 'json' }),
      columnType('t', { kind: 'decimal', precision: 9, scale: 2 }),
      columnType('t', { kind: 'decimal', precision: 8, scale: 2 }),
      columnType('t', { kind: 'decimal', precision: 9, scale: 3 }),
      columnType('t', { kind: 'timestamp', unit: 'MILLIS', utc: true }),
      columnType('t', { kind: 'timestamp', unit: 'MILLIS', utc: false }),
      columnType('t', { kind: 'timestamp', unit: 'MICROS', utc: true }),
    ]
    expect(new Set(types.map(columnDescription)).size).toBe(types.length)
    expect(new Set(types.map((type) => hashOf([type], []))).size).toBe(types.length)
  })

  test('columns in another order', () => {
    const other = columnType('u', { kind: 'string' })
    expect(hashOf([text, other], [])).not.toBe(hashOf([other, text], []))
  })
})

describe('a vector that breaks its contract is refused, for it would give one content two hashes', () => {
  const int = columnType('n', { kind: 'integer', bits: 32 })
  const good = plainVector(int, [1, null, 3])

  test('a missing row that holds something', () => {
    for (const logical of ALL_LOGICAL_TYPES) {
      const column = columnType('c', logical)
      const vector = plainVector(column, [goldenCell(logical, 1), goldenCell(logical, 2)])
      if (goldenCell(logical, 1) === false) continue
      expect(() => hashOf([column], [[{ ...vector, validity: Uint8Array.of(0, 1), nulls: 1 }]])).toThrow(/missing rows/)
    }
  })

  test('a wrong null count, a validity of 2, wrong lengths, a code outside the dictionary, another type', () => {
    expect(() => hashOf([int], [[{ ...good, nulls: 2 }]])).toThrow(/missing/)
    expect(() => hashOf([int], [[{ ...good, validity: Uint8Array.of(1, 0, 2) }]])).toThrow(/0 or 1/)
    expect(() => hashOf([int], [[{ ...good, rows: 2 }]])).toThrow(/one place per row/)
    const coded = dictionaryVector(int, [1, 2])
    if (coded.form !== 'dictionary') throw new Error('dictionary')
    expect(() => hashOf([int], [[{ ...coded, codes: Uint32Array.of(0, 2) }]])).toThrow(/dictionary/)
    expect(() => hashOf([columnType('n', { kind: 'string' })], [[good]])).toThrow(/INT32/)
  })

  test('columns of different length', () => {
    const hasher = new ContentHasher([int, int])
    hasher.appendColumn(0, good)
    expect(() => hasher.digest()).toThrow(/same rows/)
    expect(() => new ContentHasher([int, int]).append([good])).toThrow(/one vector per column/)
  })
})

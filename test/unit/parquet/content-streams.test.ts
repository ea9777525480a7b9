import { beforeAll, describe, expect, test } from 'vitest'
import { placeVector } from '../../../src/columns/kernel-column.js'
import type { ColumnType, ColumnVector, PlainVector, Values } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { ByteSink } from '../../../src/parquet/byte-sink.js'
import { ContentHasher } from '../../../src/parquet/content-hash.js'
import { CONTENT_BLOCK_ROWS, type ContentPiece, contentPieces, streamRows } from '../../../src/parquet/content-streams.js'
import { loadBothForms, scratch, soil } from '../kernels/both-forms.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, labelOf, plainVector, randomOf } from './sample-vectors.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const TYPES = [...new Map(ALL_LOGICAL_TYPES.map((logical) => columnType('c', logical)).map((type) => [type.physical, type])).values()]
const TEXT = columnType('t', { kind: 'string' })
const DATE = columnType('d', { kind: 'date' })
const BLOCK = CONTENT_BLOCK_ROWS

function cellsOf(type: ColumnType, rows: number, missing: number, seed = 1): Cell[] {
  const random = randomOf(seed)
  return Array.from({ length: rows }, (_, i): Cell => {
    if (random() < missing) return null
    const n = (i * 7) % 300
    switch (type.physical) {
      case 'BOOLEAN':
        return n % 2 === 0
      case 'BYTE_ARRAY':
        return 'x'.repeat(n % 20) + n
      case 'DOUBLE':
        return [n / 8, Number.NaN, -0][n % 3]!
      case 'INT32':
        return n
      default:
        return BigInt(n) * -1_000_003n
    }
  })
}

/** Rows of a vector, as a vector of their own. */
function slice(vector: ColumnVector, from: number, to: number): ColumnVector {
  const validity = vector.validity.slice(from, to)
  const base = { rows: to - from, validity, nulls: validity.filter((present) => present === 0).length }
  if (vector.form === 'dictionary')
    return { form: 'dictionary', ...base, codes: vector.codes.slice(from, to), dictionary: vector.dictionary }
  const { values } = vector
  switch (values.physical) {
    case 'BYTE_ARRAY': {
      const start = values.offsets[from]!
      const offsets = values.offsets.slice(from, to + 1).map((offset) => offset - start)
      return { form: 'plain', ...base, values: { ...values, data: values.data.slice(start, values.offsets[to]), offsets } }
    }
    case 'FIXED_LEN_BYTE_ARRAY':
      return { form: 'plain', ...base, values: { ...values, data: values.data.slice(from * 16, to * 16) } }
    default:
      return { form: 'plain', ...base, values: { ...values, data: values.data.slice(from, to) } as Values }
  }
}

function inKernels<T>(kernels: Kernels, vector: ColumnVector, type: ColumnType, act: (column: ReturnType<typeof placeVector>) => T): T {
  return scratch(kernels, () => {
    const column = placeVector(kernels, vector, type.physical)
    soil(kernels, 1000, vector.rows)
    const mark = kernels.mark()
    const result = act(column)
    expect(kernels.mark()).toBe(mark)
    return result
  })
}

const digestOf = (type: ColumnType, feed: (hasher: ContentHasher) => void): string => {
  const hasher = new ContentHasher([type])
  feed(hasher)
  return hasher.digest()
}

/** Pieces of a column, with the array that their bytes stand in. */
function piecesOf(
  kernels: Kernels,
  vector: ColumnVector,
  type: ColumnType,
  before: number,
  endsFile = false,
): { pieces: ContentPiece[]; bytes: Uint8Array } {
  return inKernels(kernels, vector, type, (column) => {
    const sink = new ByteSink(0)
    // What is another column's.
    sink.append(Uint8Array.of(9, 9, 9))
    const pieces = contentPieces(kernels, column, before, sink, endsFile)
    expect([...sink.bytes().subarray(0, 3)]).toEqual([9, 9, 9])
    // As they arrive from another thread.
    return structuredClone({ pieces, bytes: sink.bytes() })
  })
}

/** The hash of rows cut where `cuts` say, each part as the pieces that another thread would have made of it. */
function hashOfPieces(kernels: Kernels, type: ColumnType, vector: ColumnVector, cuts: readonly number[], knowsEnd = false): string {
  return digestOf(type, (hasher) => {
    const ends = [...cuts, vector.rows]
    let from = 0
    for (const to of ends) {
      const { pieces, bytes } = piecesOf(kernels, slice(vector, from, to), type, from, knowsEnd && to === vector.rows)
      for (const piece of pieces) hasher.appendPiece(0, piece, bytes)
      from = to
    }
  })
}

describe('pieces of a column', () => {
  for (const type of TYPES) {
    test(`have the hash of the vectors, wherever rows are cut: ${type.physical}`, () => {
      for (const missing of [0.2, 1]) {
        const cells = cellsOf(type, 2 * BLOCK + 5, missing)
        for (const vector of [plainVector(type, cells), dictionaryVector(type, cells)]) {
          const expected = digestOf(type, (hasher) => hasher.append([vector]))
          for (const cuts of [[], [BLOCK - 1, BLOCK + 1], [BLOCK], [1, 2, 2 * BLOCK], [0, 40_000, 100_000]]) {
            for (const kernels of forms) {
              expect(hashOfPieces(kernels, type, vector, cuts), `${cuts}`).toBe(expected)
              expect(hashOfPieces(kernels, type, vector, cuts, true), `${cuts}`).toBe(expected)
            }
          }
        }
      }
    }, 60_000)
  }

  test('are rows up to the next block, whole blocks as digests, and the rows behind', () => {
    const vector = plainVector(
      DATE,
      Array.from({ length: 3 * BLOCK }, (_, i) => i),
    )
    const shape = (rows: number, before: number, endsFile = false): (number | string)[] =>
      piecesOf(forms[1], slice(vector, 0, rows), DATE, before, endsFile).pieces.map((piece) =>
        piece.kind === 'rows' ? piece.rows : `${(piece.digests[1] - piece.digests[0]) / 32} blocks`,
      )
    expect(shape(0, 0)).toEqual([])
    expect(shape(0, 5)).toEqual([])
    expect(shape(10, 0)).toEqual([10])
    expect(shape(10, BLOCK)).toEqual([10])
    expect(shape(10, BLOCK - 10)).toEqual([10])
    expect(shape(10, BLOCK - 9)).toEqual([9, 1])
    expect(shape(10, 10 * BLOCK - 1)).toEqual([1, 9])
    expect(shape(BLOCK, 0)).toEqual(['1 blocks'])
    expect(shape(BLOCK, 1)).toEqual([BLOCK - 1, 1])
    expect(shape(BLOCK, BLOCK - 1)).toEqual([1, BLOCK - 1])
    expect(shape(BLOCK + 1, BLOCK - 1)).toEqual([1, '1 blocks'])
    expect(shape(BLOCK - 1, 0)).toEqual([BLOCK - 1])
    expect(shape(3 * BLOCK, 0)).toEqual(['3 blocks'])
    expect(shape(3 * BLOCK, 7)).toEqual([BLOCK - 7, '2 blocks', 7])
    expect(shape(0, 0, true)).toEqual([])
    expect(shape(10, 0, true)).toEqual(['1 blocks'])
    expect(shape(10, BLOCK - 10, true)).toEqual([10])
    expect(shape(10, BLOCK - 9, true)).toEqual([9, '1 blocks'])
    expect(shape(BLOCK + 1, BLOCK, true)).toEqual(['2 blocks'])
    expect(shape(3 * BLOCK, 7, true)).toEqual([BLOCK - 7, '3 blocks'])
  })

  test('may not follow a block that is short', () => {
    const vector = plainVector(DATE, [1, 2, 3])
    for (const endsFile of [true, false]) {
      const hasher = new ContentHasher([DATE])
      const append = (endsHere: boolean): void => {
        const { pieces, bytes } = piecesOf(forms[1], vector, DATE, 0, endsHere)
        for (const piece of pieces) hasher.appendPiece(0, piece, bytes)
      }
      append(true)
      expect(() => append(endsFile)).toThrow('assertion failed')
    }
  })

  test('give the hash of one block more or less, before and after it', () => {
    const cells = cellsOf(TEXT, 3 * BLOCK + 2, 0.1)
    const whole = plainVector(TEXT, cells)
    const coded = dictionaryVector(TEXT, cells)
    for (const before of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK]) {
      for (const rows of [1, 2, BLOCK - 1, BLOCK, BLOCK + 2]) {
        const cut = before + rows
        const upTo = (vector: ColumnVector): ColumnVector => slice(vector, 0, cut)
        const expected = digestOf(TEXT, (hasher) => hasher.append([upTo(whole)]))
        expect(hashOfPieces(forms[1], TEXT, upTo(whole), before === 0 ? [] : [before])).toBe(expected)
        expect(hashOfPieces(forms[1], TEXT, upTo(coded), before === 0 ? [] : [before])).toBe(expected)
      }
    }
  })

  test('point to all bytes that they put into the sink, and to no others', () => {
    for (const kernels of forms) {
      const cells = cellsOf(TEXT, BLOCK + 20_000, 0.1)
      for (const vector of [
        plainVector(TEXT, cells),
        dictionaryVector(TEXT, cells),
        plainVector(
          DATE,
          cells.map(() => 7),
        ),
      ]) {
        const { pieces, bytes } = piecesOf(kernels, vector, vector.nulls === 0 ? DATE : TEXT, BLOCK - 10_000)
        const spans = pieces.flatMap((piece) =>
          piece.kind === 'blocks' ? [piece.digests] : [piece.validity, piece.values, piece.texts].filter((span) => span !== null),
        )
        let at = 3
        for (const [from, to] of spans) {
          expect(from).toBe(at)
          at = to
        }
        expect(at).toBe(bytes.length)
      }
    }
  })

  test('are refused where they do not fit the rows before them', () => {
    const vector = plainVector(TEXT, new Array<string>(BLOCK).fill('x'))
    const block = piecesOf(forms[0], vector, TEXT, 0)
    const start = piecesOf(forms[0], slice(vector, 0, 1), TEXT, 0)
    const rest = piecesOf(forms[0], slice(vector, 0, BLOCK - 1), TEXT, 0)
    const hasher = new ContentHasher([TEXT])
    hasher.appendPiece(0, start.pieces[0]!, start.bytes)
    expect(() => hasher.appendPiece(0, block.pieces[0]!, block.bytes)).toThrow('whole blocks follow whole blocks')
    hasher.appendPiece(0, start.pieces[0]!, start.bytes)
    expect(() => hasher.appendPiece(0, rest.pieces[0]!, rest.bytes)).toThrow('streams stay within a block')
  })
})

describe('the streams of rows', () => {
  interface Streams {
    readonly validity: string
    readonly values: string
    readonly texts: string
    readonly ends: number
    readonly largest: number
  }

  function streamsOf(kernels: Kernels, vector: ColumnVector, type: ColumnType, from: number, to: number): Streams {
    return inKernels(kernels, vector, type, (column) => {
      const parts: Record<'validity' | 'values' | 'texts', Buffer[]> = { validity: [], values: [], texts: [] }
      let ends = 0
      streamRows(kernels, column, from, to, {
        validity: (bytes) => void parts.validity.push(Buffer.from(bytes)),
        values: (bytes) => void parts.values.push(Buffer.from(bytes)),
        texts: (bytes) => void parts.texts.push(Buffer.from(bytes)),
        end: () => void ends++,
      })
      const hex = (name: keyof typeof parts): string => Buffer.concat(parts[name]).toString('hex')
      const largest = Math.max(0, ...parts.texts.map(({ length }) => length))
      return { validity: hex('validity'), values: hex('values'), texts: hex('texts'), ends, largest }
    })
  }

  /** By FORMAT.md: a byte a row, then values of fixed width or lengths of texts, then the texts. */
  function modelOf(vector: PlainVector): Omit<Streams, 'ends' | 'largest'> {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
    const { values } = vector
    if (values.physical !== 'BYTE_ARRAY')
      return { validity: hex(vector.validity), values: hex(new Uint8Array(values.data.slice().buffer)), texts: '' }
    const lengths = Uint32Array.from({ length: vector.rows }, (_, i) => values.offsets[i + 1]! - values.offsets[i]!)
    return { validity: hex(vector.validity), values: hex(new Uint8Array(lengths.buffer)), texts: hex(values.data) }
  }

  for (const logical of ALL_LOGICAL_TYPES) {
    test(`are those of FORMAT.md, missing rows and all, from any row to any: ${labelOf(logical)}`, () => {
      const type = columnType('c', logical)
      for (const missing of [0, 0.5, 1]) {
        const cells = cellsOf(type, 20_000, missing, 9)
        const [plain, coded] = [plainVector(type, cells), dictionaryVector(type, cells)]
        for (const [from, to] of [
          [0, 20_000],
          [0, 0],
          [5, 5],
          [1, 2],
          [8191, 8193],
          [3, 16_387],
        ] as const) {
          const model = modelOf(slice(plain, from, to) as PlainVector)
          for (const kernels of forms) {
            expect(streamsOf(kernels, plain, type, from, to)).toMatchObject({ ...model, ends: 1 })
            expect(streamsOf(kernels, coded, type, from, to)).toMatchObject({ ...model, ends: 1 })
          }
        }
      }
    })
  }

  test('bring large texts of a dictionary in parts, and one that is larger than a part whole', () => {
    const texts = ['a'.repeat(700_000), 'b', '', 'c'.repeat(1_500_000), 'd'.repeat(400_000)]
    const cells = [0, 0, 1, 3, 2, 4, 4, 4, 0, 3].map((i) => texts[i]!)
    const model = modelOf(plainVector(TEXT, cells))
    for (const kernels of forms) {
      const { largest, ends, ...streams } = streamsOf(kernels, dictionaryVector(TEXT, cells), TEXT, 0, cells.length)
      expect(streams.values).toBe(model.values)
      expect(streams.texts === model.texts).toBe(true)
      expect(largest).toBe(1_500_000)
      expect(ends).toBe(1)
    }
  })

  test('leave the memory as it was when the one who takes them throws', () => {
    const fault = new Error('no more')
    for (const kernels of forms) {
      for (const vector of [plainVector(TEXT, ['a', null]), dictionaryVector(TEXT, ['a', null])]) {
        for (const failing of ['values', 'texts'] as const) {
          scratch(kernels, () => {
            const column = placeVector(kernels, vector, 'BYTE_ARRAY')
            const mark = kernels.mark()
            const streams = { validity: () => {}, values: () => {}, texts: () => {}, end: () => {} }
            const act = (): void =>
              streamRows(kernels, column, 0, 2, {
                ...streams,
                [failing]: () => {
                  throw fault
                },
              })
            expect(act).toThrow(fault)
            expect(kernels.mark()).toBe(mark)
          })
        }
      }
    }
  })
})

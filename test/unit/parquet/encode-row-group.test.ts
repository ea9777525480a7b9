import { beforeAll, describe, expect, test } from 'vitest'
import { placeVector } from '../../../src/columns/kernel-column.js'
import type { ColumnType, ColumnVector } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { ContentHasher } from '../../../src/parquet/content-hash.js'
import { type EncodedRowGroup, encodeRowGroup } from '../../../src/parquet/encode-row-group.js'
import { loadBothForms, scratch } from '../kernels/both-forms.js'
import { encodeIn } from './encode-kit.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, plainVector } from './sample-vectors.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const ROWS = 70_000
const TYPES = [...new Map(ALL_LOGICAL_TYPES.map((logical) => columnType('c', logical)).map((type) => [type.physical, type])).values()]

function vectorOf(type: ColumnType, i: number): ColumnVector {
  const cells = Array.from({ length: ROWS }, (_, row): Cell => {
    if (row % 11 === i) return null
    const n = row % 100
    if (type.physical === 'BOOLEAN') return n > 50
    if (type.physical === 'BYTE_ARRAY') return `text ${n}`
    return type.physical === 'INT64' || type.physical === 'FIXED_LEN_BYTE_ARRAY' ? BigInt(n) : n
  })
  return i % 2 === 0 ? plainVector(type, cells) : dictionaryVector(type, cells)
}

const VECTORS = TYPES.map(vectorOf)

function groupOf(kernels: Kernels, room: ArrayBuffer | number, before = 0): EncodedRowGroup {
  return scratch(kernels, () => {
    const columns = VECTORS.map((vector, i) => placeVector(kernels, vector, TYPES[i]!.physical))
    const mark = kernels.mark()
    const group = encodeRowGroup(kernels, columns, 'SNAPPY', room, () => before)
    expect(kernels.mark()).toBe(mark)
    return structuredClone(group)
  })
}

describe('a row group', () => {
  test('is its column chunks one after the other, each as if it were alone', () => {
    for (const kernels of forms) {
      const group = groupOf(kernels, 0)
      expect(group.rows).toBe(ROWS)
      let at = 0
      for (const [i, { chunk }] of group.columns.entries()) {
        const alone = encodeIn(kernels, VECTORS[i]!, 'SNAPPY')
        expect(chunk).toEqual(alone.chunk)
        expect(Buffer.compare(group.bytes.subarray(at, at + chunk.compressedBytes), alone.bytes)).toBe(0)
        at += chunk.compressedBytes
      }
    }
  })

  test('is the same whatever room it is given, also one that holds another', () => {
    const expected = groupOf(forms[0], 0)
    const used = (bytes: number): ArrayBuffer => new Uint8Array(bytes).fill(0xa5).buffer
    const length = expected.bytes.length
    for (const kernels of forms) {
      for (const room of [1, length, 2 * length, used(0), used(100), used(length), used(length - 1), used(2 * length)]) {
        const group = groupOf(kernels, room)
        expect(Buffer.compare(group.bytes, expected.bytes)).toBe(0)
        expect(group.columns).toEqual(expected.columns)
      }
    }
  })

  test('carries its content, cut by the rows that stand before it', () => {
    const chunksOf = (group: EncodedRowGroup): number => group.columns.reduce((sum, { chunk }) => sum + chunk.compressedBytes, 0)
    const whole = new ContentHasher(TYPES)
    whole.append(VECTORS)
    whole.append(VECTORS)
    const expected = whole.digest()
    for (const kernels of forms) {
      const hasher = new ContentHasher(TYPES)
      const [first, second] = [groupOf(kernels, 0), groupOf(kernels, 0, ROWS)]
      for (const { columns, bytes } of [first, second])
        for (const [i, { content }] of columns.entries()) for (const piece of content) hasher.appendPiece(i, piece, bytes)
      expect(hasher.digest()).toBe(expected)
      // Where it stands changes how its content is carried and nothing of what is written.
      expect(chunksOf(second)).toBe(chunksOf(first))
      expect(Buffer.compare(second.bytes.subarray(0, chunksOf(second)), first.bytes.subarray(0, chunksOf(first)))).toBe(0)
    }
  })

  test('asks where it stands once, when its pages are made', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const column = placeVector(kernels, VECTORS[1]!, TYPES[1]!.physical)
        const calls: string[] = []
        const watched = new Proxy(kernels, {
          get: (target, name) => {
            const value = Reflect.get(target, name) as unknown
            if (typeof value !== 'function') return value
            if (name === 'snappyCompress') calls.push('page')
            return (value as (...parameters: never[]) => unknown).bind(target)
          },
        })
        encodeRowGroup(watched, [column, column], 'SNAPPY', 0, () => {
          calls.push('before')
          return 0
        })
        expect(calls.filter((call) => call === 'before')).toHaveLength(1)
        expect(calls.at(-1)).toBe('before')
      })
    }
  })

  test('of no rows is nothing', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const columns = TYPES.map((type) => placeVector(kernels, plainVector(type, []), type.physical))
        const group = encodeRowGroup(kernels, columns, 'SNAPPY', 0, () => 5)
        expect(group).toMatchObject({ rows: 0, bytes: new Uint8Array(0) })
        expect(group.columns.every(({ chunk, content }) => chunk.pages.length === 0 && content.length === 0)).toBe(true)
      })
    }
  })
})

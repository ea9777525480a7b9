import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ColumnVector } from '../../../src/columns/vector.js'
import { inRowGroups, partition, type RowsOfSegment, rowGroupLimits, textBytesOfRows } from '../../../src/convert/row-groups.js'

const segmentOf = (records: readonly number[]) => ({ rows: records.length, recordOfRow: Uint32Array.from(records) })
const flat = (rows: readonly RowsOfSegment[]): string[] =>
  rows.flatMap(({ segment, indices }) => [...indices].map((i) => `${segment}.${i}`))

describe('partition', () => {
  it('gives each record its rows in file order, whatever the interleaving', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(4), { maxLength: 30 }), { maxLength: 5 }), (segments) => {
        const parts = partition(segments.map(segmentOf), 5)
        for (let record = 0; record < 5; record++) {
          const expected = segments.flatMap((rows, s) => rows.flatMap((r, i) => (r === record ? [`${s}.${i}`] : [])))
          expect(flat(parts[record]!)).toEqual(expected)
          expect(parts[record]!.every((p) => p.indices.length > 0)).toBe(true)
        }
      }),
    )
  })

  it('looks only at the rows a segment has, not at the room of its array', () => {
    expect(partition([{ rows: 1, recordOfRow: Uint32Array.of(0, 1, 1) }], 2).map(flat)).toEqual([['0.0'], []])
  })

  it('of nothing is nothing', () => {
    expect(partition([], 2)).toEqual([[], []])
    expect(partition([segmentOf([])], 1)).toEqual([[]])
  })
})

describe('row groups', () => {
  const cut = (rows: readonly RowsOfSegment[], bytes: readonly number[][], limits: { maxRows: number; maxBytes: number }) => [
    ...inRowGroups(rows, (s) => Uint32Array.from(bytes[s]!), limits),
  ]

  it('hold every row once and in order, none empty, none over its limits by more than its last row', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(20), { minLength: 1, maxLength: 20 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 60 }),
        (bytes, maxRows, maxBytes) => {
          const rows = bytes.map((b, segment) => ({ segment, indices: Uint32Array.from(b.keys()) }))
          const groups = cut(rows, bytes, { maxRows, maxBytes })
          expect(groups.flatMap(flat)).toEqual(flat(rows))
          groups.forEach((group, g) => {
            const sizes = group.flatMap(({ segment, indices }) => [...indices].map((i) => bytes[segment]![i]!))
            expect(sizes.length).toBeGreaterThan(0)
            expect(sizes.length).toBeLessThanOrEqual(maxRows)
            expect(sizes.slice(0, -1).reduce((a, b) => a + b, 0)).toBeLessThan(maxBytes)
            const total = sizes.reduce((a, b) => a + b, 0)
            if (g < groups.length - 1) expect(sizes.length === maxRows || total >= maxBytes).toBe(true)
          })
        },
      ),
    )
  })

  it('of no rows: none', () => {
    expect(cut([], [], { maxRows: 3, maxBytes: 3 })).toEqual([])
  })

  it('go over the border of a segment', () => {
    const rows = [
      { segment: 0, indices: Uint32Array.of(1, 3) },
      { segment: 2, indices: Uint32Array.of(0, 5, 6) },
    ]
    const bytes = [[0, 0, 0, 0], [], [0, 0, 0, 0, 0, 0, 0]]
    expect(cut(rows, bytes, { maxRows: 3, maxBytes: 100 }).map(flat)).toEqual([
      ['0.1', '0.3', '2.0'],
      ['2.5', '2.6'],
    ])
  })

  it('hold 131,072 rows unless told otherwise', () => {
    const rows = [{ segment: 0, indices: Uint32Array.from({ length: 300_000 }, (_, i) => i) }]
    const sizes = [...inRowGroups(rows, () => new Uint32Array(300_000))].map((g) => g.reduce((n, p) => n + p.indices.length, 0))
    expect(sizes).toEqual([131_072, 131_072, 37_856])
  })
})

describe('text bytes of rows', () => {
  const text = (words: readonly string[]) => {
    const encoded = words.map((w) => Buffer.from(w))
    const offsets = new Uint32Array(words.length + 1)
    encoded.forEach((b, i) => {
      offsets[i + 1] = offsets[i]! + b.length
    })
    return { physical: 'BYTE_ARRAY' as const, data: new Uint8Array(Buffer.concat(encoded)), offsets }
  }

  it('are summed over text columns, plain or coded, missing rows and numbers left out', () => {
    const validity = Uint8Array.of(1, 0, 1)
    const vectors: ColumnVector[] = [
      { form: 'plain', rows: 3, nulls: 1, validity, values: text(['é', '', 'abc']) },
      { form: 'dictionary', rows: 3, nulls: 1, validity, codes: Uint32Array.of(1, 0, 0), dictionary: text(['xxxx', 'y']) },
      { form: 'plain', rows: 3, nulls: 1, validity, values: { physical: 'DOUBLE', data: new Float64Array(3) } },
    ]
    expect([...textBytesOfRows(vectors, 3)]).toEqual([3, 0, 7])
  })
})

describe('the row groups of a file of plain text', () => {
  const MIB = 1 << 20

  it('are two blocks of the content hash, or one where rows are long', () => {
    expect(rowGroupLimits(115, 13)).toEqual({ rows: 131_072, bytes: 32 * MIB })
    expect(rowGroupLimits(256, 13)).toEqual({ rows: 131_072, bytes: 40 * MIB })
    expect(rowGroupLimits(257, 13)).toEqual({ rows: 65_536, bytes: 32 * MIB })
    expect(rowGroupLimits(512, 13)).toEqual({ rows: 65_536, bytes: 40 * MIB })
  })

  it('end with 32 MiB of the rows of few columns, and are let grow to 96 MiB of those of many', () => {
    expect(rowGroupLimits(513, 13)).toEqual({ rows: 65_536, bytes: 32 * MIB })
    expect(rowGroupLimits(1024, 127)).toEqual({ rows: 65_536, bytes: 32 * MIB })
    expect(rowGroupLimits(1024, 128)).toEqual({ rows: 65_536, bytes: 80 * MIB })
    expect(rowGroupLimits(1480, 200)).toEqual({ rows: 65_536, bytes: 115.625 * MIB })
    expect(rowGroupLimits(1537, 1000)).toEqual({ rows: 65_536, bytes: 32 * MIB })
    expect(rowGroupLimits(1e6, 100_000)).toEqual({ rows: 65_536, bytes: 32 * MIB })
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { binsOf, layoutOf, partitionOf, type RecordTally, SPLIT_SIZES, type SplitSizes } from '../../../src/convert/split-sizes.js'

const SIZES: SplitSizes = { ...SPLIT_SIZES, partitionBytes: 100, groupBytes: 400 }

const tallies: fc.Arbitrary<RecordTally[]> = fc
  .uniqueArray(fc.record({ text: fc.stringMatching(/^[a-z0-9]{1,6}$/), bytes: fc.integer({ min: 1, max: 900 }) }), {
    selector: ({ text }) => text,
    maxLength: 60,
  })
  .map((records) => records.map((record) => ({ ...record, rows: 1 })))

describe('bins', () => {
  it('hold every record once, in its partition, with its bytes', () => {
    fc.assert(
      fc.property(tallies, fc.integer({ min: 1, max: 9 }), (records, partitions) => {
        const bins = binsOf(records, partitions, SIZES)
        const found = bins.flatMap(({ texts, partition }) =>
          texts === null ? records.filter(({ text }) => partitionOf(text, partitions) === partition).map(({ text }) => text) : texts,
        )
        expect([...found].sort()).toEqual(records.map(({ text }) => text).sort())
        for (const { partition, texts, bytes } of bins) {
          const members = records.filter(({ text }) => partitionOf(text, partitions) === partition)
          const taken = texts === null ? members : members.filter(({ text }) => texts.includes(text))
          expect(taken.length).toBe(texts?.length ?? members.length)
          expect(bytes).toBe(taken.reduce((sum, record) => sum + record.bytes, 0))
        }
      }),
    )
  })

  it('come to at most twice a partition, save for a record that is more by itself, and only records of many row groups are streamed', () => {
    fc.assert(
      fc.property(tallies, fc.integer({ min: 1, max: 9 }), (records, partitions) => {
        for (const { partition, texts, bytes, streams } of binsOf(records, partitions, SIZES)) {
          const count = texts?.length ?? records.filter(({ text }) => partitionOf(text, partitions) === partition).length
          if (count > 1) expect(bytes).toBeLessThanOrEqual(SIZES.partitionBytes * 2)
          expect(streams).toBe(bytes >= SIZES.groupBytes && count === 1)
        }
      }),
    )
  })

  it('are sorted by size, the largest first', () => {
    fc.assert(
      fc.property(tallies, (records) => {
        const bytes = binsOf(records, 7, SIZES).map((bin) => bin.bytes)
        expect(bytes).toEqual(bytes.toSorted((a, b) => b - a))
      }),
    )
  })

  it('are none where there are no records', () => {
    expect(binsOf([], 3, SIZES)).toEqual([])
  })
})

describe('the layout of a file', () => {
  it('has one partition at least, and no more parts and partitions than can be read one by one', () => {
    expect(layoutOf(1, SPLIT_SIZES)).toEqual({ partBytes: SPLIT_SIZES.partBytes, partitions: 1 })
    expect(layoutOf(100 * SPLIT_SIZES.partitionBytes, SPLIT_SIZES).partitions).toBe(100)
    const huge = layoutOf(2 ** 42, SPLIT_SIZES)
    expect(huge.partitions).toBeLessThanOrEqual(512)
    expect(Math.ceil(2 ** 42 / huge.partBytes)).toBeLessThanOrEqual(512)
  })

  it('spreads texts that differ in one character', () => {
    const counts = new Array<number>(8).fill(0)
    for (let i = 0; i < 8000; i++) counts[partitionOf(`BH-${i}`, 8)]!++
    for (const count of counts) expect(count).toBeGreaterThan(700)
  })
})

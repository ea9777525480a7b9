import { describe, expect, it } from 'vitest'
import { isInShare, shareOfDay } from '../../../src/core/audit-share.js'

const DAY_MS = 86_400_000
const versions = Array.from({ length: 2000 }, (_, i) => [`site/record-${i % 400}`, 1 + Math.floor(i / 400)] as const)

describe('the share of an audit', () => {
  it.each([5, 30, 33, 50, 60, 99.9, 100])(
    'of %d %% reads every version once in its turns, and never less than was asked for',
    (percent) => {
      const { turns } = shareOfDay(percent, 0)
      expect(100 / turns).toBeGreaterThanOrEqual(percent)
      const read = new Map<string, number>()
      for (let day = 0; day < turns; day++) {
        const share = shareOfDay(percent, Date.UTC(2024, 0, 27, 3) + day * DAY_MS)
        for (const [record, version] of versions)
          if (isInShare(share, record, version)) read.set(`${record} ${version}`, (read.get(`${record} ${version}`) ?? 0) + 1)
      }
      expect(read.size).toBe(versions.length)
      expect(new Set(read.values())).toEqual(new Set([1]))
    },
  )

  it('is the same the whole day, and another the next', () => {
    const of = (hour: number, day: number): number => shareOfDay(5, Date.UTC(2024, 0, day, hour)).turn
    expect(of(0, 27)).toBe(of(23, 27))
    expect(of(0, 28)).not.toBe(of(23, 27))
  })

  it('is about as large as was asked for, whatever the names', () => {
    const share = shareOfDay(5, Date.UTC(2024, 0, 27))
    const count = versions.filter(([record, version]) => isInShare(share, record, version)).length
    expect(count).toBeGreaterThan(60)
    expect(count).toBeLessThan(140)
  })

  it('of a small part of a percent has as many turns as it needs', () => {
    expect(shareOfDay(0.01, 0).turns).toBe(10_000)
  })
})

import { describe, expect, it } from 'vitest'
import { forEachLimited } from '../../../src/runtime/limit.js'

/** Work whose ends the test decides. */
class Controlled {
  readonly begun: number[] = []
  running = 0
  most = 0
  private readonly ends = new Map<number, { resolve: () => void; reject: (e: Error) => void }>()

  work = async (item: number): Promise<void> => {
    this.begun.push(item)
    this.most = Math.max(this.most, ++this.running)
    try {
      await new Promise<void>((resolve, reject) => this.ends.set(item, { resolve, reject }))
    } finally {
      this.running--
    }
  }

  async end(item: number, error?: Error): Promise<void> {
    const end = this.ends.get(item)!
    if (error === undefined) end.resolve()
    else end.reject(error)
    // Long enough for every lane to begin its next item.
    for (let i = 0; i < 5; i++) await Promise.resolve()
  }
}

describe('work over items, so many at once', () => {
  it('begins no more than the limit, in order, and the next as soon as one ends', async () => {
    const c = new Controlled()
    const all = forEachLimited([0, 1, 2, 3], 2, c.work)
    expect(c.begun).toEqual([0, 1])
    await c.end(1)
    expect(c.begun).toEqual([0, 1, 2])
    await c.end(2)
    await c.end(3)
    await c.end(0)
    await all
    expect(c.most).toBe(2)
  })

  it('begins nothing new after a failure, waits for what was begun, and throws the first error', async () => {
    const c = new Controlled()
    let over = false
    const all = forEachLimited([0, 1, 2, 3], 2, c.work).finally(() => {
      over = true
    })
    const failed = expect(all).rejects.toThrow('first')
    await c.end(0, new Error('first'))
    expect([c.begun, over]).toEqual([[0, 1], false])
    await c.end(1, new Error('second'))
    await failed
    expect(c.begun).toEqual([0, 1])
  })

  it('throws even what is no Error', async () => {
    await expect(forEachLimited([1], 1, () => Promise.reject(undefined))).rejects.toBeUndefined()
  })

  it('of nothing is done at once', async () => {
    await forEachLimited([], 3, () => Promise.reject(new Error('never')))
  })

  it('gives the index with the item', async () => {
    const seen: Array<[string, number]> = []
    await forEachLimited(['a', 'b'], 8, async (item, i) => {
      seen.push([item, i])
    })
    expect(seen).toEqual([
      ['a', 0],
      ['b', 1],
    ])
  })

  it('is not skipped in silence because of a limit of nothing', async () => {
    await expect(forEachLimited([1], 0, async () => {})).rejects.toThrow('allowed to run')
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IntakeQueue, type Queueable } from '../../../src/inbox/intake-queue.js'

const item = (key: string, source: string | null = 'a', mtime = 0): Queueable => ({ key, source, mtimeNs: BigInt(mtime) })

function drain(queue: IntakeQueue<Queueable>, most = Number.POSITIVE_INFINITY): string[] {
  const keys: string[] = []
  while (keys.length < most) {
    const next = queue.take()
    if (next === null) break
    keys.push(next.key)
  }
  return keys
}

describe('the queue of what has settled', () => {
  it('gives what settled in one scan by mtime and then path, whatever its source', () => {
    const queue = new IntakeQueue<Queueable>()
    queue.add([item('c', 'x', 2), item('b', 'y', 2), item('z', 'x', 1), item('a', null, 3)])
    expect(drain(queue)).toEqual(['z', 'b', 'c', 'a'])
    expect([queue.size, queue.take()]).toEqual([0, null])
  })

  it('gives scans in the order they came, whatever their mtimes', () => {
    const queue = new IntakeQueue<Queueable>()
    queue.add([item('late', 'x', 9)])
    queue.add([item('early', 'x', 1)])
    expect(drain(queue)).toEqual(['late', 'early'])
  })

  it('does not let a source wait behind another one’s thousands, and gives it no more than half', () => {
    const queue = new IntakeQueue<Queueable>()
    const many = (prefix: string, source: string): Queueable[] =>
      Array.from({ length: 5000 }, (_, i) => item(`${prefix}${String(i).padStart(4, '0')}`, source))
    queue.add(many('bulk', 'bulk'))
    expect(drain(queue, 100).at(-1)).toBe('bulk0099')
    queue.add([item('quick', 'quick')])
    expect(drain(queue, 2)).toContain('quick')
    queue.add(many('other', 'other'))
    queue.add([item('third', 'third')])
    expect(drain(queue, 6)).toContain('third')
    const next = drain(queue, 1000)
    expect(next.filter((key) => key.startsWith('bulk')).length).toBeGreaterThanOrEqual(499)
    expect(next.filter((key) => key.startsWith('other')).length).toBeGreaterThanOrEqual(499)
  })

  it('gives everything once, and of each source in the order of scans, mtime and path, however it is filled and emptied', () => {
    const batch = fc.array(fc.record({ source: fc.constantFrom('a', 'b', 'c', null), mtime: fc.integer({ min: 0, max: 3 }) }), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(fc.array(fc.record({ batch, taken: fc.integer({ min: 0, max: 40 }) }), { maxLength: 8 }), (steps) => {
        const queue = new IntakeQueue<Queueable>()
        const added = new Map<string, { source: string | null; rank: [number, number, string] }>()
        const taken: string[] = []
        for (const [n, step] of steps.entries()) {
          const items = step.batch.map(({ source, mtime }, i) => item(`${n}-${String(i).padStart(2, '0')}`, source, mtime))
          for (const each of items) added.set(each.key, { source: each.source, rank: [n, Number(each.mtimeNs), each.key] })
          queue.add(items)
          taken.push(...drain(queue, step.taken))
        }
        taken.push(...drain(queue))
        expect([...taken].sort()).toEqual([...added.keys()].sort())
        for (const source of ['a', 'b', 'c', null]) {
          const ranks = taken.filter((key) => added.get(key)!.source === source).map((key) => added.get(key)!.rank)
          const sorted = [...ranks].sort((x, y) => x[0] - y[0] || x[1] - y[1] || (x[2] < y[2] ? -1 : 1))
          expect(ranks).toEqual(sorted)
        }
      }),
    )
  })
})

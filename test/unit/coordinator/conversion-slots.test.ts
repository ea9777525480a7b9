import { describe, expect, test } from 'vitest'
import { ConversionSlots, LARGE_DROP_BYTES } from '../../../src/coordinator/conversion-slots.js'

/** Conversions that end when told to; `started` says in which order they began. */
function bench(slots: number) {
  const queue = new ConversionSlots(slots)
  const started: string[] = []
  const enders = new Map<string, (error?: Error) => void>()
  const done: Promise<unknown>[] = []
  const add = (name: string, bytes: number): void => {
    const work = (): Promise<void> => {
      started.push(name)
      return new Promise((resolve, reject) => enders.set(name, (error) => (error === undefined ? resolve() : reject(error))))
    }
    done.push(queue.run(bytes, work).catch((error: unknown) => error))
  }
  return {
    queue,
    started,
    small: (name: string) => add(name, LARGE_DROP_BYTES - 1),
    large: (name: string) => add(name, LARGE_DROP_BYTES),
    async end(name: string, error?: Error): Promise<void> {
      await settled()
      enders.get(name)!(error)
      await settled()
    },
    settled,
    done,
  }
}

/** Every promise that can go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('conversions take turns', () => {
  test('first come, first served, as many as there are slots', async () => {
    const b = bench(2)
    for (const name of ['a', 'b', 'c', 'd']) b.small(name)
    await b.settled()
    expect(b.started).toEqual(['a', 'b'])
    await b.end('b')
    expect(b.started).toEqual(['a', 'b', 'c'])
    await b.end('a')
    expect(b.started).toEqual(['a', 'b', 'c', 'd'])
  })

  test('a small one goes past large ones that fill all slots, one at a time', async () => {
    const b = bench(2)
    for (const name of ['L1', 'L2', 'L3']) b.large(name)
    for (const name of ['s1', 's2']) b.small(name)
    await b.settled()
    expect(b.started).toEqual(['L1', 'L2', 's1'])
    await b.end('s1')
    expect(b.started).toEqual(['L1', 'L2', 's1', 's2'])
  })

  test('a large one never gets the extra slot, and is next when one of its own is free, however many small ones wait', async () => {
    const b = bench(1)
    b.large('L1')
    b.large('L2')
    for (const name of ['s1', 's2', 's3']) b.small(name)
    await b.settled()
    expect(b.started).toEqual(['L1', 's1'])
    await b.end('L1')
    expect(b.started).toEqual(['L1', 's1'])
    await b.end('s1')
    expect(b.started).toEqual(['L1', 's1', 'L2', 's2'])
  })

  test('small ones alone do not use the extra slot', async () => {
    const b = bench(1)
    for (const name of ['s1', 's2']) b.small(name)
    await b.settled()
    expect(b.started).toEqual(['s1'])
  })

  test('work that fails gives its slot back and its error to its caller', async () => {
    const b = bench(1)
    b.large('L1')
    b.large('L2')
    await b.end('L1', new Error('no'))
    expect(b.started).toEqual(['L1', 'L2'])
    await b.end('L2')
    expect(await Promise.all(b.done)).toEqual([new Error('no'), undefined])
  })

  test('the pool behind it has a worker for the extra slot', () => {
    expect(new ConversionSlots(3).threads).toBe(4)
  })
})

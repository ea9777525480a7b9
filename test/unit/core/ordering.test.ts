import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OrderedLanes, orderingKeyOf } from '../../../src/core/ordering.js'

describe('ordering keys', () => {
  it('are the record where it is known, the source where a column tells it, and of a decision its own', () => {
    expect(orderingKeyOf({ kind: 'record', recordId: 'a/b' })).toBe('record:a/b')
    expect(orderingKeyOf({ kind: 'source', source: 'nightly' })).toBe('source:nightly')
    expect(orderingKeyOf({ kind: 'decision', dropId: 'x' })).toBe('decision:x')
  })

  it('never confuse a record with a source of the same name', () => {
    expect(orderingKeyOf({ kind: 'record', recordId: 'n' })).not.toBe(orderingKeyOf({ kind: 'source', source: 'n' }))
  })
})

describe('ordered lanes', () => {
  it('run the head of a lane only, whichever is ready first', () => {
    const lanes = new OrderedLanes<string>()
    lanes.enter('r', '1', 'first')
    lanes.enter('r', '2', 'second')
    expect(lanes.ready('2')).toBeNull()
    expect(lanes.waitsFor('2')).toBe('1')
    expect(lanes.ready('1')).toBe('first')
    expect(lanes.leave('1')).toBe('second')
    expect(lanes.leave('2')).toBeNull()
    expect(lanes.size).toBe(0)
  })

  it('never make another lane wait', () => {
    const lanes = new OrderedLanes<string>()
    lanes.enter('r', '1', 'slow')
    lanes.enter('s', '2', 'other')
    expect(lanes.ready('2')).toBe('other')
  })

  it('let a quarantined drop leave from any place', () => {
    const lanes = new OrderedLanes<string>()
    for (const id of ['1', '2', '3']) lanes.enter('r', id, id)
    expect(lanes.ready('3')).toBeNull()
    expect(lanes.leave('2')).toBeNull()
    expect(lanes.leave('1')).toBe('3')
  })

  it('do not start a running item twice', () => {
    const lanes = new OrderedLanes<string>()
    for (const id of ['1', '2', '3']) lanes.enter('r', id, id)
    expect(lanes.ready('1')).toBe('1')
    expect(lanes.ready('2')).toBeNull()
    expect(lanes.leave('3')).toBeNull()
  })

  it('refuse a second place and a second ready', () => {
    const lanes = new OrderedLanes<string>()
    lanes.enter('r', '1', 'x')
    expect(() => lanes.enter('s', '1', 'x')).toThrow('has a place')
    lanes.ready('1')
    expect(() => lanes.ready('1')).toThrow('running already')
  })

  it('put an earlier drop before later ones that do not run yet', () => {
    const lanes = new OrderedLanes<string>()
    lanes.enter('r', '2', 'second')
    lanes.enter('r', '1', 'first')
    expect(lanes.ready('2')).toBeNull()
    expect(lanes.ready('1')).toBe('first')
  })

  it('never put an earlier drop before one that runs already: it waits for that one', () => {
    const lanes = new OrderedLanes<string>()
    lanes.enter('r', '2', 'second')
    expect(lanes.ready('2')).toBe('second')
    lanes.enter('r', '1', 'first')
    expect(lanes.waitsFor('1')).toBe('2')
    expect(lanes.waitsFor('2')).toBeNull()
    expect(lanes.ready('1')).toBeNull()
    expect(lanes.leave('2')).toBe('first')
  })

  it('know who has a place, and refuse whoever has none', () => {
    const lanes = new OrderedLanes<string>()
    expect(lanes.has('1')).toBe(false)
    lanes.enter('r', '1', 'x')
    expect(lanes.has('1')).toBe(true)
    for (const ask of [() => lanes.ready('2'), () => lanes.leave('2'), () => lanes.waitsFor('2')]) expect(ask).toThrow('2 has no place')
    lanes.leave('1')
    expect(lanes.has('1')).toBe(false)
    expect(() => lanes.leave('1')).toThrow('1 has no place')
  })

  it('whatever the order of staging, every lane runs in drop-id order and nothing is left', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 30 }), fc.infiniteStream(fc.nat()), (keys, dice) => {
        const lanes = new OrderedLanes<string>()
        const ids = keys.map((_, i) => String(i).padStart(3, '0'))
        keys.forEach((key, i) => void lanes.enter(key, ids[i]!, ids[i]!))
        const ran = new Map<string, string[]>()
        const running: string[] = []
        const run = (id: string | null): void => {
          if (id === null) return
          const key = keys[Number(id)]!
          ran.set(key, [...(ran.get(key) ?? []), id])
          running.push(id)
        }
        const unready = [...ids]
        while (unready.length > 0 || running.length > 0) {
          const roll = dice.next().value as number
          if (unready.length > 0 && (running.length === 0 || roll % 2 === 0)) run(lanes.ready(unready.splice(roll % unready.length, 1)[0]!))
          else run(lanes.leave(running.splice(roll % running.length, 1)[0]!))
        }
        expect(lanes.size).toBe(0)
        for (const order of ran.values()) expect(order).toEqual([...order].sort())
        expect([...ran.values()].flat().length).toBe(ids.length)
      }),
    )
  })
})

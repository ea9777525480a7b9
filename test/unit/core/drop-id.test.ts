import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DropIdSequence, dateOfDropId, formatDropId, isDropId, positionOfDropId, transactionId } from '../../../src/core/drop-id.js'

const TAIL = '9f86d081884c7d65'
const AT = Date.UTC(2024, 0, 27, 10, 1, 2, 123)
const ID = `20240127T100102123Z-000001-${TAIL}`

describe('a drop-id', () => {
  it('is a time stamp, a counter and 16 hex digits, and is read back from its text', () => {
    expect(formatDropId(AT, 1, TAIL)).toBe(ID)
    expect(isDropId(ID)).toBe(true)
    expect(positionOfDropId(ID)).toEqual({ timeMs: AT, counter: 1 })
    expect(dateOfDropId(ID)).toBe('2024-01-27')
  })

  it.each([
    '',
    ` ${ID}`,
    `${ID}0`,
    `${ID}\n`,
    ID.slice(0, -1),
    ID.slice(1),
    ID.toUpperCase(),
    ID.replace('T', 't'),
    ID.replace('Z', ''),
    ID.replace('-000001', '-00001'),
    ID.replace('-000001', '-0000001'),
    ID.replace('20240127', '202401270'),
    ID.replace('100102123', '10010212'),
    ID.replace('9f86', '9g86'),
    `../${ID}`,
  ])('is never %j', (text) => {
    expect(isDropId(text)).toBe(false)
    expect(() => dateOfDropId(text)).toThrow(/not a drop-id/)
    expect(() => positionOfDropId(text)).toThrow(/not a drop-id/)
  })

  it('takes every counter of six digits and no other', () => {
    expect(formatDropId(AT, 0, TAIL)).toContain('-000000-')
    expect(formatDropId(AT, 999_999, TAIL)).toContain('-999999-')
    for (const counter of [-1, 1_000_000]) expect(() => formatDropId(AT, counter, TAIL)).toThrow(/six digits/)
  })

  it.each(['', TAIL.slice(1), `${TAIL}0`, `0${TAIL}`, TAIL.toUpperCase(), 'a', '../../../../../..'])('never ends in %j', (tail) => {
    expect(() => formatDropId(AT, 0, tail)).toThrow(/16 hex digits/)
  })

  it('comes back whole from its text, at any time of day, and sorts as text in the order of time and counter', () => {
    const position = fc.record({
      timeMs: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
      counter: fc.integer({ min: 0, max: 999_999 }),
    })
    fc.assert(
      fc.property(position, position, (a, b) => {
        const [left, right] = [formatDropId(a.timeMs, a.counter, TAIL), formatDropId(b.timeMs, b.counter, TAIL)]
        expect(positionOfDropId(left)).toEqual(a)
        expect(dateOfDropId(left)).toBe(new Date(a.timeMs).toISOString().slice(0, 10))
        expect(left < right).toBe(a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.counter < b.counter))
      }),
    )
  })
})

describe('a sequence of drop-ids', () => {
  const sequence = (clock: { now: number }, after: string | null = null) =>
    new DropIdSequence({ nowMs: () => clock.now, randomTail: () => TAIL }, after)

  it('counts within a millisecond, from 0', () => {
    const ids = sequence({ now: AT })
    expect([ids.next(), ids.next(), ids.next('0'.repeat(16))]).toEqual([
      formatDropId(AT, 0, TAIL),
      formatDropId(AT, 1, TAIL),
      formatDropId(AT, 2, '0'.repeat(16)),
    ])
  })

  it('begins with counter 0 even where the clock says 1970', () => {
    expect(sequence({ now: 0 }).next()).toBe(formatDropId(0, 0, TAIL))
  })

  it('begins anew with each millisecond, and never goes back when the clock does', () => {
    const clock = { now: AT }
    const ids = sequence(clock)
    ids.next()
    ids.next()
    clock.now = AT + 1
    expect(ids.next()).toBe(formatDropId(AT + 1, 0, TAIL))
    clock.now = AT - 86_400_000
    expect(ids.next()).toBe(formatDropId(AT + 1, 1, TAIL))
  })

  it('goes on after the last id before a restart, and into the next millisecond when the counter is used up', () => {
    expect(sequence({ now: AT - 1 }, formatDropId(AT, 41, TAIL)).next()).toBe(formatDropId(AT, 42, TAIL))
    expect(sequence({ now: AT }, formatDropId(AT, 999_998, TAIL)).next()).toBe(formatDropId(AT, 999_999, TAIL))
    const full = sequence({ now: AT }, formatDropId(AT, 999_999, TAIL))
    expect([full.next(), full.next()]).toEqual([formatDropId(AT + 1, 0, TAIL), formatDropId(AT + 1, 1, TAIL)])
  })
})

it('the transaction of a record is the same at every attempt, and another one for another record', () => {
  expect(transactionId(ID, 'ab'.repeat(32))).toBe(`${ID}-abababababababab`)
  expect(transactionId(ID, 'ac'.repeat(32))).not.toBe(transactionId(ID, 'ab'.repeat(32)))
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dropOutcome, type RecordOutcomeName, rowAccount } from '../../../src/core/drop-outcome.js'

const ALL: readonly RecordOutcomeName[] = ['created', 'updated', 'unchanged', 'duplicate', 'superseded', 'quarantined']
const rows = (...outcomes: RecordOutcomeName[]) => outcomes.map((outcome) => ({ outcome, rows: 1 }))

describe('what became of a drop', () => {
  it.each([
    [[], 0, 'quarantined'],
    [['quarantined'], 0, 'quarantined'],
    [['quarantined', 'quarantined'], 3, 'quarantined'],
    [['created'], 0, 'committed'],
    [['updated'], 0, 'committed'],
    [['created', 'updated', 'unchanged'], 0, 'committed'],
    [['updated', 'duplicate', 'superseded'], 0, 'committed'],
    [['duplicate'], 0, 'duplicate'],
    [['duplicate', 'duplicate'], 0, 'duplicate'],
    [['unchanged'], 0, 'unchanged'],
    [['duplicate', 'unchanged'], 0, 'unchanged'],
    [['superseded'], 0, 'superseded'],
    [['duplicate', 'unchanged', 'superseded'], 0, 'superseded'],
    [['created', 'quarantined'], 0, 'partial'],
    [['duplicate', 'quarantined'], 0, 'partial'],
    [['superseded', 'quarantined'], 0, 'partial'],
    [['created'], 1, 'partial'],
    [['duplicate'], 1, 'partial'],
    [['superseded'], 1, 'partial'],
  ] as const)('%j with %i invalid rows: %s', (outcomes, invalid, expected) => {
    expect(dropOutcome(rows(...outcomes), invalid)).toBe(expected)
  })

  it('does not depend on the order of the records', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ALL), { maxLength: 8 }), fc.nat(2), (outcomes, invalid) => {
        expect(dropOutcome(rows(...outcomes.toReversed()), invalid)).toBe(dropOutcome(rows(...outcomes), invalid))
      }),
    )
  })

  it('is never clean where something needs mending', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...ALL), { maxLength: 8 }), fc.nat(2), (outcomes, invalid) => {
        const outcome = dropOutcome(rows(...outcomes), invalid)
        if (invalid > 0 || outcomes.includes('quarantined')) expect(['partial', 'quarantined']).toContain(outcome)
        else expect(outcome).not.toBe('partial')
      }),
    )
  })
})

describe('the row account', () => {
  it('always adds up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ outcome: fc.constantFrom(...ALL), rows: fc.nat(1000) }), { maxLength: 8 }),
        fc.nat(50),
        fc.nat(50),
        fc.nat(50),
        (records, unassigned, invalid, blank) => {
          const good = records.reduce((n, r) => n + r.rows, 0) + unassigned
          const account = rowAccount({ in: good + invalid + blank, good, invalid, blank }, records)
          expect(account.in).toBe(account.committed! + account.unchanged! + account.withheld! + account.invalid! + account.blank!)
          expect(account.withheld).toBe(unassigned + records.filter((r) => r.outcome === 'quarantined').reduce((n, r) => n + r.rows, 0))
        },
      ),
    )
  })

  it('counts duplicate and superseded rows as unchanged', () => {
    const records = [
      { outcome: 'duplicate', rows: 1 },
      { outcome: 'superseded', rows: 2 },
      { outcome: 'unchanged', rows: 4 },
      { outcome: 'updated', rows: 8 },
    ] as const
    expect(rowAccount({ in: 15, good: 15, invalid: 0, blank: 0 }, records)).toMatchObject({ committed: 8, unchanged: 7, withheld: 0 })
  })

  it('counts rows of new and of updated records as committed, and those held back as withheld', () => {
    const records = [
      { outcome: 'created', rows: 1 },
      { outcome: 'updated', rows: 2 },
      { outcome: 'quarantined', rows: 4 },
    ] as const
    expect(rowAccount({ in: 9, good: 7, invalid: 2, blank: 0 }, records)).toEqual({
      in: 9,
      committed: 3,
      unchanged: 0,
      withheld: 4,
      invalid: 2,
      blank: 0,
    })
  })

  it('says nothing where either the rows or the valid ones are not known', () => {
    const nothing = { in: null, committed: null, unchanged: null, withheld: null, invalid: null, blank: null }
    expect(rowAccount({ in: 5, good: null, invalid: 1, blank: 1 }, [])).toEqual(nothing)
    expect(rowAccount({ in: null, good: 5, invalid: 1, blank: 1 }, [])).toEqual(nothing)
  })

  it('says nothing of a file that was not read to its end', () => {
    const nothing = { in: null, committed: null, unchanged: null, withheld: null, invalid: null, blank: null }
    expect(rowAccount({ in: null, good: null, invalid: null, blank: null }, [{ outcome: 'quarantined', rows: 5 }])).toEqual(nothing)
  })
})

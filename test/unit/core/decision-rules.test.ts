import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { headProblem, keyCoversTable, keyProblemAt } from '../../../src/core/decision-rules.js'

describe('a key counts from nbf on, until exp, and never once it is revoked', () => {
  test.each([
    [{ nbf: null, exp: null, revoked_at: null }, 0, null],
    [{ nbf: null, exp: null, revoked_at: null }, -1, null],
    [{ nbf: 10, exp: null, revoked_at: null }, 9_999, 'KEY_NOT_YET_VALID'],
    [{ nbf: 10, exp: null, revoked_at: null }, 10_000, null],
    [{ nbf: null, exp: 10, revoked_at: null }, 9_999, null],
    [{ nbf: null, exp: 10, revoked_at: null }, 10_000, 'KEY_EXPIRED'],
    [{ nbf: null, exp: null, revoked_at: 10 }, 9_999, null],
    [{ nbf: null, exp: null, revoked_at: 10 }, 10_000, 'KEY_REVOKED'],
    [{ nbf: null, exp: 5, revoked_at: 10 }, 10_000, 'KEY_REVOKED'],
    [{ nbf: 20, exp: 5, revoked_at: null }, 10_000, 'KEY_EXPIRED'],
    [{ nbf: null, exp: 0, revoked_at: null }, 0, 'KEY_EXPIRED'],
    [{ nbf: null, exp: null, revoked_at: 0 }, 0, 'KEY_REVOKED'],
  ] as const)('%j at %i: %s', (key, atMs, problem) => {
    expect(keyProblemAt(key, atMs)).toBe(problem)
  })

  test('a key that has ended never comes back', () => {
    const bound = fc.option(fc.integer({ min: 0, max: 1000 }), { nil: null })
    fc.assert(
      fc.property(bound, bound, bound, fc.nat(1_000_000), fc.nat(1_000_000), (nbf, exp, revoked_at, atMs, laterMs) => {
        const key = { nbf, exp, revoked_at }
        const problem = keyProblemAt(key, atMs)
        if (problem === 'KEY_EXPIRED' || problem === 'KEY_REVOKED') expect(keyProblemAt(key, atMs + laterMs)).not.toBeNull()
      }),
    )
  })
})

test('a key covers the tables it names, all of them with "*", and none with an empty list', () => {
  expect(keyCoversTable(['a', 'b'], 'b')).toBe(true)
  expect(keyCoversTable(['*'], 'anything')).toBe(true)
  expect(keyCoversTable([], 'a')).toBe(false)
  expect(keyCoversTable(['a'], 'A')).toBe(false)
  expect(keyCoversTable(['a'], 'a ')).toBe(false)
  expect(keyCoversTable(['a*'], 'ab')).toBe(false)
})

describe('a decision speaks of exactly the current version', () => {
  const head = { version: 3, parquet_sha256: 'aa', created_by: 'maker' }
  const decision = { version: 3, parquet_sha256: 'aa', decision: 'approve', decided_by: 'approver' } as const
  const strict = { forbidSelfApproval: true }

  test('version, then hash, then who made it', () => {
    expect(headProblem(decision, head, strict)).toBeNull()
    expect(headProblem({ ...decision, version: 2, parquet_sha256: 'bb' }, head, strict)).toBe('DECISION_VERSION_MISMATCH')
    expect(headProblem({ ...decision, version: 4 }, head, strict)).toBe('DECISION_VERSION_MISMATCH')
    expect(headProblem({ ...decision, parquet_sha256: 'bb', decided_by: 'maker' }, head, strict)).toBe('DECISION_HASH_MISMATCH')
    expect(headProblem({ ...decision, decided_by: 'maker' }, head, strict)).toBe('DECISION_SELF_APPROVAL')
  })

  test('the maker may reject, and may approve where that is allowed', () => {
    expect(headProblem({ ...decision, decided_by: 'maker', decision: 'reject' }, head, strict)).toBeNull()
    expect(headProblem({ ...decision, decided_by: 'maker' }, head, { forbidSelfApproval: false })).toBeNull()
  })
})

import { describe, expect, it } from 'vitest'
import { type RecordAction, type RecordState, stateOf, transition } from '../../../src/core/record-state.js'

const TABLE: readonly [RecordState, RecordAction, string][] = [
  ['absent', 'create', 'draft'],
  ['absent', 'update', 'RECORD_NOT_FOUND: Record does not exist'],
  ['absent', 'approve', 'RECORD_NOT_FOUND: Record does not exist'],
  ['absent', 'reject', 'RECORD_NOT_FOUND: Record does not exist'],
  ['draft', 'create', 'RECORD_EXISTS: Record already exists'],
  ['draft', 'update', 'draft'],
  ['draft', 'approve', 'approved'],
  ['draft', 'reject', 'rejected'],
  ['approved', 'create', 'RECORD_EXISTS: Record already exists'],
  ['approved', 'update', 'draft'],
  ['approved', 'approve', 'ALREADY_APPROVED: Already approved'],
  ['approved', 'reject', 'CANNOT_REJECT_APPROVED: Cannot reject approved'],
  ['rejected', 'create', 'RECORD_EXISTS: Record already exists'],
  ['rejected', 'update', 'draft'],
  ['rejected', 'approve', 'CANNOT_APPROVE_REJECTED: Cannot approve rejected'],
  ['rejected', 'reject', 'ALREADY_REJECTED: Already rejected'],
]

describe('the table of transitions', () => {
  it.each(TABLE)('%s, %s: %s', (from, action, expected) => {
    const moved = transition(from, action)
    expect(moved.from).toBe(from)
    expect(moved.ok ? moved.to : `${moved.refusal.code}: ${moved.refusal.message}`).toBe(expected)
  })

  it('covers every state with every action', () => {
    expect(TABLE).toHaveLength(4 * 4)
    expect(new Set(TABLE.map(([from, action]) => `${from} ${action}`)).size).toBe(16)
  })

  it('calls a record without metadata absent', () => {
    expect(stateOf(null)).toBe('absent')
    expect(stateOf({ status: 'rejected' })).toBe('rejected')
  })
})

import { describe, expect, it } from 'vitest'
import { fixedFormOf } from '../../../src/core/fixed-form.js'
import { sha256Hex } from '../../../src/core/hashes.js'
import { appendEntry, brokenLinks, chainLink, chainStart, foldHistory, metadataHashes, nextPrev } from '../../../src/core/history.js'
import type { DecisionEntry, HistoryEntry, VersionEntry } from '../../../src/core/record-model.js'

const STORE = '00000000-0000-4000-8000-000000000001'
const IDENTITY = { record_id: 'r', table_name: 't', source: 's' }

function versionEntry(version: number): VersionEntry {
  return {
    version,
    status: 'draft',
    created_by: `maker-${version}`,
    created_at: `2024-01-0${version}T00:00:00.000Z`,
    comment: '',
    parquet_sha256: sha256Hex(`p${version}`),
    content_sha256: sha256Hex(`c${version}`),
    schema_sha256: sha256Hex('s'),
    rows: 1,
    bytes: 10,
    drop: null,
    prev: '',
  }
}

function decision(version: number, status: 'approved' | 'rejected'): DecisionEntry {
  return { version, status, created_by: 'approver', created_at: '2024-02-01T00:00:00.000Z', comment: '', decision: null, prev: '' }
}

function chained(...entries: HistoryEntry[]): HistoryEntry[] {
  const history: HistoryEntry[] = []
  for (const entry of entries) history.push({ ...entry, prev: nextPrev(STORE, IDENTITY, history) })
  return history
}

const HISTORY = chained(versionEntry(1), decision(1, 'approved'), versionEntry(2), decision(2, 'rejected'))

describe('a chain', () => {
  it('begins with what the record is and goes on with the hash of the entry before', () => {
    expect(HISTORY[0]!.prev).toBe(chainStart(STORE, IDENTITY))
    expect(HISTORY.slice(1).map((e) => e.prev)).toEqual(HISTORY.slice(0, -1).map(chainLink))
    expect(brokenLinks(STORE, IDENTITY, HISTORY)).toEqual([])
  })

  it('shows a changed entry by the one after it, and a changed link by itself as well', () => {
    expect(brokenLinks(STORE, IDENTITY, HISTORY.with(1, { ...HISTORY[1]!, comment: 'other' }))).toEqual([2])
    expect(brokenLinks(STORE, IDENTITY, HISTORY.with(1, { ...HISTORY[1]!, prev: sha256Hex('') }))).toEqual([1, 2])
    expect(brokenLinks(STORE, IDENTITY, HISTORY.with(3, { ...HISTORY[3]!, prev: sha256Hex('') }))).toEqual([3])
    expect(brokenLinks(STORE, IDENTITY, HISTORY.toSpliced(1, 1))).toEqual([1])
    expect(brokenLinks('00000000-0000-4000-8000-000000000002', IDENTITY, HISTORY)).toEqual([0])
  })
})

describe('a history that no rules allow', () => {
  it.each<[string, HistoryEntry[], number, string]>([
    ['nothing', [], 0, 'the history is empty'],
    ['a first version that is not 1', [versionEntry(2)], 0, 'version 2 stands where version 1 must stand'],
    ['a version twice', [versionEntry(1), versionEntry(1)], 1, 'version 1 stands where version 2 must stand'],
    ['a version left out', [versionEntry(1), versionEntry(3)], 1, 'version 3 stands where version 2 must stand'],
    ['a decision on nothing', [decision(1, 'approved')], 0, 'approved cannot follow: there is no version'],
    [
      'a second approval',
      [versionEntry(1), decision(1, 'approved'), decision(1, 'approved')],
      2,
      'approved cannot follow: Already approved',
    ],
    [
      'a rejection of what is approved',
      [versionEntry(1), decision(1, 'approved'), decision(1, 'rejected')],
      2,
      'rejected cannot follow: Cannot reject approved',
    ],
    [
      'an approval of what is rejected',
      [versionEntry(1), decision(1, 'rejected'), decision(1, 'approved')],
      2,
      'approved cannot follow: Cannot approve rejected',
    ],
    [
      'a second rejection',
      [versionEntry(1), decision(1, 'rejected'), decision(1, 'rejected')],
      2,
      'rejected cannot follow: Already rejected',
    ],
    [
      'a decision on an older version',
      [versionEntry(1), versionEntry(2), decision(1, 'approved')],
      2,
      'version 1 is decided while version 2 is current',
    ],
  ])('%s', (_, history, index, problem) => {
    expect(foldHistory(IDENTITY, history)).toEqual({ ok: false, index, problem })
  })

  it('cannot be made by one more entry', () => {
    expect(() => appendEntry(IDENTITY, HISTORY, decision(2, 'approved'))).toThrow(
      'assertion failed: a planned entry fits its history: approved cannot follow: Cannot approve rejected',
    )
  })
})

describe('what a record says', () => {
  it('follows from its entries, at each length', () => {
    const whole = foldHistory(IDENTITY, HISTORY)
    expect(whole).toMatchObject({
      ok: true,
      metadata: {
        ...IDENTITY,
        current_version: 2,
        status: 'rejected',
        created_by: 'maker-1',
        created_at: '2024-01-01T00:00:00.000Z',
        approved_by: null,
        approved_at: null,
        rejected_by: 'approver',
        rejected_at: '2024-02-01T00:00:00.000Z',
        approved_version: 1,
        format: 1,
        history: HISTORY,
      },
    })
    if (!whole.ok) return
    const then = foldHistory(IDENTITY, HISTORY.slice(0, 2))
    expect(then).toMatchObject({
      ok: true,
      metadata: { current_version: 1, status: 'approved', approved_by: 'approver', rejected_by: null, history: HISTORY.slice(0, 2) },
    })
    const said = HISTORY.map((_, i) => foldHistory(IDENTITY, HISTORY.slice(0, i + 1))).map(
      (f) => f.ok && sha256Hex(fixedFormOf(f.metadata)),
    )
    expect([...metadataHashes(whole.metadata)]).toEqual(said)
    const impossible = { ...whole.metadata, history: [decision(1, 'approved')] }
    expect(() => [...metadataHashes(impossible)]).toThrow(/can be folded/)
  })
})

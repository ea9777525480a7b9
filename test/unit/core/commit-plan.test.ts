import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classifyDrop, type Head, judgePlan, planDecision, planEntry, planVersion } from '../../../src/core/commit-plan.js'
import { fixedFormOf } from '../../../src/core/fixed-form.js'
import { sha256Hex } from '../../../src/core/hashes.js'
import { appendEntry, brokenLinks, chainStart, foldHistory, metadataHashes } from '../../../src/core/history.js'
import type { DecisionReference, DropReference, RecordMetadata, VersionEntry } from '../../../src/core/record-model.js'
import { type RecordMetadata as CheckedMetadata, recordMetadata } from '../../../src/documents/metadata.js'

const STORE = '00000000-0000-4000-8000-000000000001'
const AT = '2024-01-27T10:00:00.000Z'

const dropOf = (n: number, bytes: string, rule = 'rule'): DropReference => ({
  drop_id: `20240127T090000000Z-${String(n).padStart(6, '0')}-00000000000000aa`,
  name: 'a.csv',
  sha256: sha256Hex(bytes),
  bytes: bytes.length,
  rule_sha256: sha256Hex(rule),
})

const headOf = (metadata: RecordMetadata): Head => ({ metadata, sha256: sha256Hex(fixedFormOf(metadata)) })

function plan(head: Head | null, options: Partial<Parameters<typeof planVersion>[0]> & { content?: string } = {}) {
  const content = options.content ?? 'content'
  return planVersion({
    storeId: STORE,
    head,
    intent: 'upsert',
    recordId: 'r',
    tableName: 't',
    source: 's',
    createdBy: 'maker',
    comment: '',
    at: AT,
    staged: {
      rows: 1,
      bytes: 10,
      parquetSha256: sha256Hex(`p${content}`),
      contentSha256: sha256Hex(content),
      schemaSha256: sha256Hex('schema'),
    },
    drop: null,
    force: false,
    ...options,
  })
}

function committed(head: Head | null, options: Parameters<typeof plan>[1] = {}): Head {
  const planned = plan(head, options)
  if (planned.kind !== 'commit') throw new Error(planned.kind)
  return headOf(planned.plan.metadata)
}

function decide(head: Head | null, decision: 'approve' | 'reject', options: Partial<Parameters<typeof planDecision>[0]> = {}) {
  return planDecision({
    storeId: STORE,
    approvals: 'any',
    head,
    version: null,
    decision,
    decidedBy: 'approver',
    comment: '',
    at: AT,
    reference: null,
    expectedParquetSha256: null,
    ...options,
  })
}

function decided(head: Head, decision: 'approve' | 'reject'): Head {
  const planned = decide(head, decision)
  if (planned.kind !== 'commit') throw new Error(planned.kind)
  return headOf(planned.plan.metadata)
}

describe('a version plan', () => {
  it('holds the whole new document and touches neither head nor clock', () => {
    const planned = plan(null, { drop: dropOf(1, 'a') })
    expect(planned).toMatchObject({ kind: 'commit', outcome: 'created' })
    if (planned.kind !== 'commit') return
    expect(planned.plan).toMatchObject({
      base: { historyLength: 0, metadataSha256: null },
      metadataKey: 'records/r/metadata.json',
      versionKey: 'records/r/versions/v1.parquet',
      metadataSha256: sha256Hex(planned.plan.bytes),
    })
    expect(recordMetadata.parse(JSON.parse(planned.plan.bytes.toString('utf8')))).toEqual(planned.plan.metadata)
    const head = headOf(planned.plan.metadata)
    const before = structuredClone(head)
    expect(plan(head, { content: 'next' })).toMatchObject({
      kind: 'commit',
      outcome: 'updated',
      plan: { base: { historyLength: 1, metadataSha256: head.sha256 } },
    })
    expect(head).toEqual(before)
  })

  it('is the same for the same facts', () => {
    expect(plan(null, { drop: dropOf(1, 'a') })).toEqual(plan(null, { drop: dropOf(1, 'a') }))
  })

  it('resets what was decided, and keeps the newest approved version', () => {
    const approved = decided(committed(null), 'approve')
    expect(approved.metadata).toMatchObject({ status: 'approved', approved_by: 'approver', approved_at: AT, approved_version: 1 })
    const next = committed(approved, { content: 'x', createdBy: 'other' })
    expect(next.metadata).toMatchObject({
      status: 'draft',
      approved_by: null,
      approved_at: null,
      approved_version: 1,
      created_by: 'maker',
      current_version: 2,
    })
    const rejected = decided(next, 'reject')
    expect(rejected.metadata).toMatchObject({ status: 'rejected', rejected_by: 'approver', rejected_at: AT, approved_version: 1 })
    expect(committed(rejected, { content: 'y' }).metadata).toMatchObject({
      status: 'draft',
      rejected_by: null,
      rejected_at: null,
      current_version: 3,
    })
  })
})

describe('what a drop is', () => {
  const v1 = committed(null, { drop: dropOf(1, 'a'), content: 'A' })
  const v2 = committed(v1, { drop: dropOf(2, 'b'), content: 'B' })
  const kind = (head: Head, options: Parameters<typeof plan>[1]) => {
    const planned = plan(head, options)
    return planned.kind === 'none'
      ? `${planned.outcome} of ${planned.sameAsVersion}`
      : planned.kind === 'already'
        ? `already ${planned.version}`
        : planned.kind
  }

  it.each<[string, Head, Parameters<typeof plan>[1], string]>([
    ['the same bytes, schema and rule as the current version', v1, { drop: dropOf(9, 'a'), content: 'A' }, 'duplicate of 1'],
    ['the same bytes and another rule with another outcome', v1, { drop: dropOf(9, 'a', 'other'), content: 'A2' }, 'commit'],
    ['the same bytes and another rule with the same outcome', v1, { drop: dropOf(9, 'a', 'other'), content: 'A' }, 'unchanged of 1'],
    ['other bytes with the same content', v1, { drop: dropOf(9, 'a '), content: 'A' }, 'unchanged of 1'],
    ['other content', v1, { drop: dropOf(9, 'c'), content: 'C' }, 'commit'],
    ['the bytes of an older version', v2, { drop: dropOf(9, 'a'), content: 'A' }, 'superseded of 1'],
    ['the bytes of an older version, forced', v2, { drop: dropOf(9, 'a'), content: 'A', force: true }, 'commit'],
    ['a duplicate, forced', v2, { drop: dropOf(9, 'b'), content: 'B', force: true }, 'commit'],
    ['a drop that made a version before', v2, { drop: dropOf(1, 'a'), content: 'A' }, 'already 1'],
    ['a drop that made a version before, forced', v2, { drop: dropOf(2, 'b'), content: 'B', force: true }, 'already 2'],
    ['the same bytes over a rejected version', decided(v1, 'reject'), { drop: dropOf(9, 'a'), content: 'A' }, 'commit'],
    ['the same content over a rejected version', decided(v1, 'reject'), { drop: dropOf(9, 'a '), content: 'A' }, 'commit'],
    ['the same bytes over an approved version', decided(v1, 'approve'), { drop: dropOf(9, 'a'), content: 'A' }, 'duplicate of 1'],
    ['older bytes over a rejected version', decided(v2, 'reject'), { drop: dropOf(9, 'a'), content: 'A' }, 'superseded of 1'],
    ['the same content by the library', v1, { drop: null, content: 'A' }, 'commit'],
  ])('%s', (_, head, options, expected) => {
    expect(kind(head, options)).toBe(expected)
  })

  it('is compared with the newest of the older versions that had its bytes, and with no decision between them', () => {
    const v3 = committed(decided(v2, 'reject'), { drop: dropOf(3, 'a'), content: 'A', force: true })
    const v4 = committed(decided(v3, 'approve'), { drop: dropOf(4, 'd'), content: 'D' })
    expect(kind(v4, { drop: dropOf(9, 'a'), content: 'A' })).toBe('superseded of 3')
    expect(kind(v4, { drop: dropOf(9, 'never seen'), content: 'N' })).toBe('commit')
    expect(kind(v4, { drop: dropOf(9, 'a'), content: 'D' })).toBe('unchanged of 4')
  })

  it('over a version that the library made is judged by its content alone', () => {
    const library = committed(null, { content: 'A' })
    expect(kind(library, { drop: dropOf(9, 'a'), content: 'A' })).toBe('unchanged of 1')
    expect(kind(library, { drop: dropOf(9, 'a'), content: 'B' })).toBe('commit')
    const mixed = committed(committed(library, { drop: dropOf(1, 'a'), content: 'B' }), { content: 'C' })
    expect(kind(mixed, { drop: dropOf(9, 'a'), content: 'B' })).toBe('superseded of 2')
    expect(kind(mixed, { drop: dropOf(9, 'x'), content: 'B' })).toBe('commit')
    expect(kind(mixed, { drop: dropOf(1, 'a'), content: 'B' })).toBe('already 2')
  })

  it('is told of no version where the history lacks the current one', () => {
    const metadata = { ...v1.metadata, current_version: 9 }
    const known = { metadata, schemaSha256: sha256Hex('schema'), contentSha256: sha256Hex('A'), force: false }
    expect(classifyDrop({ ...known, drop: dropOf(9, 'a') })).toBeNull()
  })

  it('sending a rejected version again, and again after a second rejection, makes a draft each time', () => {
    const again = committed(decided(v1, 'reject'), { drop: dropOf(8, 'a'), content: 'A' })
    expect(kind(again, { drop: dropOf(9, 'a'), content: 'A' })).toBe('duplicate of 2')
    expect(kind(decided(again, 'reject'), { drop: dropOf(9, 'a'), content: 'A' })).toBe('commit')
  })

  it('can be told before the conversion only where it is a duplicate', () => {
    const known = { metadata: v2.metadata, schemaSha256: sha256Hex('schema'), contentSha256: null, force: false }
    expect(classifyDrop({ ...known, drop: dropOf(9, 'b') })).toMatchObject({ kind: 'duplicate' })
    expect(classifyDrop({ ...known, drop: dropOf(9, 'a') })).toBeNull()
    expect(classifyDrop({ ...known, drop: dropOf(9, 'b'), schemaSha256: sha256Hex('other') })).toBeNull()
  })

  it('of another table or source is refused, and the library is not asked for its source', () => {
    const refusal = (options: Parameters<typeof plan>[1]) => {
      const planned = plan(v1, { content: 'C', ...options })
      return planned.kind === 'refused' ? planned.refusal.code : planned.kind
    }
    expect(refusal({ tableName: 'other' })).toBe('TABLE_MISMATCH')
    expect(refusal({ source: 'other' })).toBe('SOURCE_MISMATCH')
    expect(refusal({ source: null })).toBe('commit')
    const library = committed(null, { source: null })
    const planned = plan(library, { content: 'C', source: 's' })
    expect(planned).toMatchObject({ kind: 'refused', refusal: { code: 'SOURCE_MISMATCH' } })
  })

  it('of another table or source is told whose the record is', () => {
    const message = (head: Head, options: Parameters<typeof plan>[1]) => {
      const planned = plan(head, { content: 'C', ...options })
      return planned.kind === 'refused' ? planned.refusal.message : planned.kind
    }
    expect(message(v1, { tableName: 'other' })).toBe('Record r belongs to table t, not to other')
    expect(message(v1, { source: 'other' })).toBe('Record r belongs to source s, so source other cannot update it')
    expect(message(committed(null, { source: null }), {})).toBe(
      'Record r was made by the library and belongs to no source, so source s cannot update it',
    )
  })

  it('by the library stays with the source that made the record', () => {
    const planned = plan(v1, { content: 'C', source: null })
    expect(planned.kind === 'commit' && planned.plan.metadata.source).toBe('s')
    expect(planned.kind === 'commit' && planned.plan.identity).toEqual({ record_id: 'r', table_name: 't', source: 's' })
  })
})

describe('an intent', () => {
  const v1 = committed(null)
  const refusal = (planned: ReturnType<typeof plan>) => (planned.kind === 'refused' ? planned.refusal : planned.kind)

  it('to create never updates, and one to update never creates', () => {
    expect(refusal(plan(v1, { intent: 'create', content: 'x' }))).toEqual({ code: 'RECORD_EXISTS', message: 'Record already exists' })
    expect(refusal(plan(null, { intent: 'update' }))).toEqual({ code: 'RECORD_NOT_FOUND', message: 'Record does not exist' })
    expect(plan(null, { intent: 'create' })).toMatchObject({ kind: 'commit', outcome: 'created' })
    expect(plan(v1, { intent: 'update', content: 'x' })).toMatchObject({ kind: 'commit', outcome: 'updated' })
  })
})

describe('a decision plan', () => {
  const v1 = committed(null)
  const code = (planned: ReturnType<typeof planDecision>) => (planned.kind === 'refused' ? planned.refusal.code : planned.kind)

  it('is about exactly the current version and its bytes', () => {
    const v2 = committed(v1, { content: 'x' })
    expect(code(decide(v2, 'approve', { version: 1 }))).toBe('DECISION_VERSION_MISMATCH')
    expect(code(decide(v2, 'approve', { version: 3 }))).toBe('VERSION_NOT_FOUND')
    expect(code(decide(v2, 'approve', { version: 2, expectedParquetSha256: sha256Hex('pcontent') }))).toBe('DECISION_HASH_MISMATCH')
    expect(code(decide(v2, 'approve', { version: 2, expectedParquetSha256: sha256Hex('px') }))).toBe('commit')
  })

  it('follows the table of transitions, and writes no version', () => {
    const planned = decide(v1, 'reject')
    expect(planned).toMatchObject({ kind: 'commit', outcome: 'rejected', plan: { versionKey: null } })
    expect(code(decide(decided(v1, 'approve'), 'approve'))).toBe('ALREADY_APPROVED')
    expect(code(decide(decided(v1, 'approve'), 'reject'))).toBe('CANNOT_REJECT_APPROVED')
    expect(code(decide(decided(v1, 'reject'), 'approve'))).toBe('CANNOT_APPROVE_REJECTED')
    expect(code(decide(decided(v1, 'reject'), 'reject'))).toBe('ALREADY_REJECTED')
    expect(code(decide(null, 'approve'))).toBe('RECORD_NOT_FOUND')
    expect(code(decide(v1, 'approve', { approvals: 'signed' }))).toBe('DECISION_REQUIRED')
  })
})

describe('a signed decision', () => {
  const ID = '0f0e0d0c-0b0a-4908-8706-050403020100'
  const reference = (payload: string, decisionId = ID): DecisionReference => ({
    decision_id: decisionId,
    jws: { payload: Buffer.from(payload).toString('base64url'), signatures: [{ protected: 'e30', signature: 'AA' }] },
    key: {
      kty: 'OKP',
      crv: 'Ed25519',
      x: 'x',
      kid: 'k',
      principal: 'approver',
      tables: ['*'],
      nbf: null,
      exp: null,
      revoked_at: null,
    },
  })
  const v1 = committed(null)
  const signed = (head: Head | null, options: Partial<Parameters<typeof planDecision>[0]>) =>
    decide(head, 'approve', { approvals: 'signed', ...options })
  const headAfter = (payload: string): Head => {
    const planned = signed(v1, { reference: reference(payload) })
    if (planned.kind !== 'commit') throw new Error(planned.kind)
    return headOf(planned.plan.metadata)
  }
  const approved = headAfter('{"version":1,"decision":"approve"}')

  it('is kept whole in the history', () => {
    expect(approved.metadata.history.at(-1)).toMatchObject({
      status: 'approved',
      decision: reference('{"version":1,"decision":"approve"}'),
    })
  })

  it('that stands in the history is repeated, also when it was written with other white space, and whatever came after it', () => {
    for (const payload of ['{"version":1,"decision":"approve"}', '{ "decision": "approve", "version": 1 }']) {
      expect(signed(approved, { reference: reference(payload) })).toEqual({ kind: 'repeated', version: 1 })
      const later = committed(approved, { content: 'later' })
      expect(signed(later, { reference: reference(payload), version: 1 })).toEqual({ kind: 'repeated', version: 1 })
    }
  })

  it('whose id stands in the history with another content is refused as a replay', () => {
    for (const payload of ['{"version":2,"decision":"approve"}', 'not JSON']) {
      expect(signed(approved, { reference: reference(payload) })).toEqual({
        kind: 'refused',
        refusal: { code: 'DECISION_REPLAYED', message: `Decision ${ID} was used before with another content` },
      })
    }
    const later = committed(approved, { content: 'later' })
    expect(signed(later, { reference: reference('{"version":2,"decision":"approve"}') })).toMatchObject({
      kind: 'refused',
      refusal: { code: 'DECISION_REPLAYED' },
    })
  })

  it('is compared byte for byte where its payload is no JSON', () => {
    const odd = headAfter('not JSON')
    expect(signed(odd, { reference: reference('not JSON') })).toEqual({ kind: 'repeated', version: 1 })
    expect(signed(odd, { reference: reference('not JSON either') })).toMatchObject({ refusal: { code: 'DECISION_REPLAYED' } })
  })

  it('with another id is a decision of its own: a second approval is refused by the state, a later draft takes it', () => {
    const other = reference('{"version":1,"decision":"approve"}', '1f0e0d0c-0b0a-4908-8706-050403020100')
    expect(signed(approved, { reference: other })).toMatchObject({ kind: 'refused', refusal: { code: 'ALREADY_APPROVED' } })
    expect(signed(committed(approved, { content: 'later' }), { reference: other })).toMatchObject({ kind: 'commit', outcome: 'approved' })
  })

  it('beside decisions without a signature is no repetition of them', () => {
    const unsigned = committed(decided(v1, 'approve'), { content: 'later' })
    expect(signed(unsigned, { reference: reference('{}') })).toMatchObject({ kind: 'commit', outcome: 'approved' })
  })
})

describe('a decision that is refused', () => {
  const v2 = committed(committed(null), { content: 'x' })

  it.each<[Partial<Parameters<typeof planDecision>[0]>, string, string]>([
    [{ approvals: 'signed' }, 'DECISION_REQUIRED', 'This store takes signed decisions only'],
    [{ version: 3 }, 'VERSION_NOT_FOUND', 'Record r has no version 3'],
    [{ version: 1 }, 'DECISION_VERSION_MISMATCH', 'Version 1 is decided, but version 2 is current'],
    [{ expectedParquetSha256: sha256Hex('other') }, 'DECISION_HASH_MISMATCH', 'The decision names other bytes than version 2 holds'],
  ])('because of %j says so', (options, code, message) => {
    expect(decide(v2, 'approve', options)).toEqual({ kind: 'refused', refusal: { code, message } })
  })

  it('names bytes, and the history has none for the current version', () => {
    const damaged: Head = { ...v2, metadata: { ...v2.metadata, history: v2.metadata.history.slice(0, 1) } }
    expect(decide(damaged, 'approve', { expectedParquetSha256: sha256Hex('px') })).toMatchObject({
      kind: 'refused',
      refusal: { code: 'DECISION_HASH_MISMATCH' },
    })
  })
})

describe('a plan that recovery finds', () => {
  const v1 = committed(null, { drop: dropOf(1, 'a') })
  const planned = plan(v1, { drop: dropOf(2, 'b'), content: 'B' })
  if (planned.kind !== 'commit') throw new Error(planned.kind)
  const { plan: next } = planned

  it('is redone on its own base, done where the history holds it, and stale elsewhere', () => {
    expect(judgePlan(next, v1)).toBe('redo')
    expect(judgePlan(next, headOf(next.metadata))).toBe('done')
    expect(judgePlan(next, committed(headOf(next.metadata), { content: 'C' }))).toBe('done')
    expect(judgePlan(next, committed(v1, { content: 'C' }))).toBe('stale')
    expect(judgePlan(next, decided(v1, 'approve'))).toBe('stale')
    expect(judgePlan(next, null)).toBe('stale')
    expect(judgePlan(next, { ...v1, sha256: sha256Hex('other') })).toBe('stale')
    expect(judgePlan({ ...next, base: { ...next.base, historyLength: 2 } }, v1)).toBe('stale')
  })

  it('gives the same bytes when it is made again from its entry', () => {
    expect(planEntry(next.identity, v1, next.entry).bytes.equals(next.bytes)).toBe(true)
  })
})

describe('a history', () => {
  const identity = { record_id: 'r', table_name: 't', source: 's' }
  const entryOf = (version: number): VersionEntry =>
    (committed(null).metadata.history[0] as VersionEntry) && { ...(committed(null).metadata.history[0] as VersionEntry), version }

  it('that skips, repeats or decides what is not current cannot be folded', () => {
    const v1 = entryOf(1)
    const approved = {
      version: 1,
      status: 'approved',
      created_by: 'p',
      created_at: AT,
      comment: '',
      decision: null,
      prev: sha256Hex(''),
    } as const
    for (const history of [
      [],
      [entryOf(2)],
      [v1, entryOf(1)],
      [v1, entryOf(3)],
      [approved],
      [v1, approved, approved],
      [v1, entryOf(2), approved],
    ]) {
      expect(foldHistory(identity, history).ok).toBe(false)
    }
    expect(() => appendEntry(identity, [v1], entryOf(4))).toThrow(/assertion/)
  })

  it('is tied to its store, record, table and source', () => {
    const links = [
      chainStart(STORE, identity),
      chainStart('00000000-0000-4000-8000-000000000002', identity),
      chainStart(STORE, { ...identity, record_id: 'q' }),
      chainStart(STORE, { ...identity, table_name: 'q' }),
      chainStart(STORE, { ...identity, source: 'q' }),
      chainStart(STORE, { ...identity, source: null }),
    ]
    expect(new Set(links).size).toBe(links.length)
  })

  it('made of any legal steps is contiguous, chained, and says at each length what it said then', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('version', 'approve', 'reject'), { maxLength: 12 }), (steps) => {
        let head = committed(null)
        const said = [head.sha256]
        steps.forEach((what, n) => {
          const planned = what === 'version' ? plan(head, { content: `c${n}` }) : decide(head, what as 'approve' | 'reject')
          if (planned.kind !== 'commit') return
          head = headOf(planned.plan.metadata)
          said.push(head.sha256)
        })
        const { metadata } = head
        expect(brokenLinks(STORE, metadata, metadata.history)).toEqual([])
        expect(recordMetadata.parse(metadata)).toEqual(metadata)
        expect([...metadataHashes(metadata)]).toEqual(said)
      }),
    )
  })
})

it('the plain types of core and the checked documents are the same', () => {
  const { metadata } = committed(null)
  const checked: CheckedMetadata = metadata
  const plain: RecordMetadata = checked
  expect(Object.keys(recordMetadata.shape)).toEqual(Object.keys(plain))
})

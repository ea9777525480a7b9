import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Keyring } from '../../../src/decisions/keyring.js'
import { verifyDecision } from '../../../src/decisions/verify-decision.js'
import type { RecordMetadata } from '../../../src/documents/metadata.js'
import { attacks } from './attacks.js'
import { DecisionBench } from './decision-bench.js'
import {
  b64,
  bytesOf,
  earlierDecision,
  headerFor,
  keyringBytes,
  keyringOf,
  makePeople,
  NOW_MS,
  type People,
  type Person,
  payloadOf,
  recordOf,
  STORE,
  signed,
  signRaw,
} from './world.js'

let people: People
let keyring: Keyring
beforeAll(async () => {
  people = await makePeople()
  keyring = keyringOf(people)
})

interface Setting {
  record?: RecordMetadata | null
  receivedAtMs?: number
  nowMs?: number
}

async function judge(bytes: Uint8Array, setting: Setting = {}): ReturnType<typeof verifyDecision> {
  const record = setting.record === undefined ? recordOf() : setting.record
  return verifyDecision({
    decision: bytes,
    keyring,
    receivedAtMs: setting.receivedAtMs ?? NOW_MS,
    ...(setting.nowMs === undefined ? {} : { nowMs: setting.nowMs }),
    storeId: STORE,
    forbidSelfApproval: true,
    lookupRecord: async (id) => (record !== null && id === record.record_id ? record : null),
  })
}

const header = (changes: Record<string, unknown>): Buffer => bytesOf(signed(people.ann, payloadOf(), headerFor(people.ann, changes)))
const claims = (changes: Record<string, unknown>, who: Person = people.ann): Buffer => bytesOf(signed(who, payloadOf(changes)))
const good = () => signed(people.ann, payloadOf())

const bench = await DecisionBench.open()
const scene = await bench.scene()
const ATTACKS = attacks(scene)
const untouched = await bench.storeBytes()
/** Another store, for what does change records: the order of the tests must not matter. */
const other = await DecisionBench.open()
afterAll(async () => {
  await bench.remove()
  await other.remove()
})

describe(`${ATTACKS.length} attacks on the decisions of one store: none counts`, () => {
  test.each(ATTACKS)('$name: $code', async ({ code, make, receivedAfterMs, nowAfterMs, keyring: otherKeyring }) => {
    if (otherKeyring !== undefined) await bench.putKeyring(otherKeyring())
    try {
      const bytes = make()
      const { result, receipt } = await bench.handle(bytes, {
        ...(receivedAfterMs === undefined ? {} : { receivedAfterMs }),
        ...(nowAfterMs === undefined ? {} : { nowAfterMs }),
      })
      expect(result).toMatchObject({ outcome: 'refused', code })
      expect(receipt).toMatchObject({ outcome: 'refused', code, message: result.message, hint: result.hint, bytes: bytes.length })
      expect(result.message).not.toBe('')
      expect(result.hint).not.toBe('')
      expect(result.alarm).toBe(ALARMING.includes(code))
      // What the file says may be printed on a terminal.
      expect(`${result.message}${result.hint}`).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
      expect(result.message!.length).toBeLessThan(1500)
      for (const who of [bench.people.ann, bench.people.lab]) expect(result.message).not.toContain(who.privateKey.d)
    } finally {
      if (otherKeyring !== undefined) await bench.putKeyring(keyringBytes(bench.people))
    }
    expect(await bench.storeBytes()).toBe(untouched)
  })

  test('each has a name of its own', () => {
    expect(new Set(ATTACKS.map((attack) => attack.name)).size).toBe(ATTACKS.length)
    expect(ATTACKS.length).toBeGreaterThanOrEqual(300)
  })

  test('the store that they were tried on is whole, and every decision it holds is one that counted', async () => {
    await bench.restart()
    const approvals = (await bench.storeBytes()).split('\n').filter((line) => line.includes('metadata.json'))
    expect(approvals).toHaveLength(4)
    expect(JSON.parse(await readFile(bench.path('store/records/borelog-001/metadata.json'), 'utf8'))).toMatchObject({
      status: 'draft',
      approved_version: null,
      current_version: 3,
    })
  })
})

describe('what is accepted, one of each form', () => {
  const CONTROLS: readonly {
    name: string
    changes?: Record<string, unknown>
    who?: keyof People
    header?: Record<string, unknown>
    text?: (jws: object) => string
    at?: number
  }[] = [
    { name: 'alg Ed25519' },
    { name: 'alg EdDSA', header: { alg: 'EdDSA' } },
    { name: 'a rejection', changes: { decision: 'reject' } },
    { name: 'a rejection by the maker', changes: { decision: 'reject', decided_by: 'lab-export' }, who: 'lab' },
    { name: 'an empty comment', changes: { comment: '' } },
    { name: 'a comment of 512 bytes in many scripts', changes: { comment: `${'語é😀 '.repeat(51)}ab` } },
    { name: 'a comment that looks like code', changes: { comment: `'; DROP TABLE records; -- <script>{"__proto__":1}</script>` } },
    { name: 'decided_at long ago', changes: { decided_at: '1999-12-31T23:59:59Z' } },
    { name: 'decided_at to come', changes: { decided_at: '2099-01-01T00:00:00.123456789Z' } },
    { name: 'decided_at on a leap day', changes: { decided_at: '2024-02-29T00:00:00Z' } },
    { name: 'white space around and in the file', text: (jws) => `\r\n\t ${JSON.stringify(jws, null, '\t')}\n\n` },
    { name: 'members in another order', text: (jws) => JSON.stringify(Object.fromEntries(Object.entries(jws).reverse())) },
    { name: 'member names spelt with escapes', text: (jws) => JSON.stringify(jws).replace('"payload"', '"p\\u0061yload"') },
    { name: 'a key a millisecond before its end', changes: { decided_by: 'ended' }, who: 'ended', at: -1 },
    { name: 'a key a millisecond before its revocation', changes: { decided_by: 'revoked' }, who: 'revoked', at: -1 },
    { name: 'a key from its first second on', changes: { decided_by: 'early' }, who: 'early', at: 1000 },
    { name: 'a file of exactly the greatest size', text: (jws) => JSON.stringify(jws).padEnd(65_536) },
  ]

  test.each(CONTROLS)('$name', async ({ name, changes, who = 'ann', header: parameters, text = JSON.stringify, at = 0 }) => {
    const target = await other.record(`control-${CONTROLS.findIndex((control) => control.name === name)}`, 1, 'lab-export')
    const person = other.people[who]
    const jws = signed(person, other.payloadFor(target, changes), headerFor(person, parameters))
    const { result, receipt } = await other.handle(Buffer.from(text(jws)), { receivedAfterMs: at })
    expect(result).toMatchObject({ outcome: 'applied', code: null, alarm: false })
    expect(receipt).toMatchObject({ outcome: 'applied', code: null, record_id: target.recordId, version: 1 })
    const metadata = JSON.parse(await readFile(other.path('store/records', target.recordId, 'metadata.json'), 'utf8')) as object
    expect(metadata).toMatchObject({
      status: changes?.decision === 'reject' ? 'rejected' : 'approved',
      history: [{}, { decision: { jws } }],
    })
  })
})

describe('the same decision again', () => {
  test('is a repetition that changes nothing: at once, after a restart, after the next version, and spelt anew', async () => {
    const target = await other.record('repeated', 1)
    const payload = other.payloadFor(target)
    const file = bytesOf(signed(people.ann, payload))
    const own = bytesOf(signed(other.people.ann, payload))
    expect((await other.handle(own)).result).toMatchObject({ outcome: 'applied' })
    const again = async (bytes: Uint8Array, resumed = false): Promise<void> => {
      const before = await other.storeBytes()
      expect((await other.handle(bytes, { receivedAfterMs: 5000, resumed })).receipt).toMatchObject({ outcome: 'repeated', code: null })
      expect(await other.storeBytes()).toBe(before)
    }
    await again(own)
    await other.restart()
    await again(own)
    await other.addVersion('repeated', 2)
    await again(own)
    await again(bytesOf(signed(other.people.ann, Object.fromEntries(Object.entries(payload).reverse()))))
    await again(bytesOf(signed(other.people.ann, payload, headerFor(other.people.ann, { alg: 'EdDSA' }))))
    // Somebody of another keyring has the same name.
    const before = await other.storeBytes()
    expect((await other.handle(file)).result).toMatchObject({ outcome: 'refused', code: 'KEY_UNKNOWN' })
    // Another content under the id, also after a restart.
    for (const restarts of [false, true]) {
      if (restarts) await other.restart()
      const changed = bytesOf(signed(other.people.ann, { ...payload, comment: 'another' }))
      expect((await other.handle(changed)).result).toMatchObject({ outcome: 'refused', code: 'DECISION_REPLAYED', alarm: true })
    }
    expect(await other.storeBytes()).toBe(before)
  })
})

const ALARMING: readonly string[] = [
  'DECISION_REPLAYED',
  'DECISION_SIGNATURE_INVALID',
  'DECISION_PRINCIPAL_MISMATCH',
  'KEY_REVOKED',
  'KEYRING_ROLLED_BACK',
]

describe('what is no attack of the list', () => {
  test('nothing is decided on a record whose history lacks its current version', async () => {
    const record = recordOf()
    const verdict = await judge(bytesOf(good()), { record: { ...record, history: record.history.slice(0, 2) } })
    expect(verdict).toMatchObject({ ok: false, code: 'STORE_INVALID' })
  })

  test('the hints fit what is wrong with the form', async () => {
    const message = async (bytes: Uint8Array): Promise<string> => ((await judge(bytes)) as { message: string }).message
    expect(await message(bytesOf({ payload: good().payload, ...good().signatures[0] }))).toMatch(/flattened/)
    expect(await message(Buffer.from(`${good().signatures[0]!.protected}.${good().payload}.AAAA`))).toMatch(/compact/)
    expect(await message(bytesOf(people.ann.privateKey))).toMatch(/PRIVATE KEY/)
    expect(await message(bytesOf(people.ann.publicKey))).not.toMatch(/PRIVATE KEY/)
    expect(await message(header({ typ: 'JWT' }))).toMatch(/typ is not/)
  })

  test('every proper prefix of a good file is refused as half written', async () => {
    const bytes = bytesOf(good())
    for (let length = 0; length < bytes.length; length += 1) {
      const verdict = await judge(bytes.subarray(0, length))
      expect(verdict).toMatchObject({ ok: false, code: 'DECISION_MALFORMED' })
      expect((verdict as { hint: string }).hint).toMatch(/rename/)
    }
  })

  test('no single changed character of a good file makes another accepted one', async () => {
    const bytes = bytesOf(good())
    for (let at = 0; at < bytes.length; at += 1) {
      for (const replacement of [0x41, 0x30, 0x22, 0x20]) {
        if (bytes[at] === replacement) continue
        const changed = Buffer.from(bytes)
        changed[at] = replacement
        const verdict = await judge(changed)
        expect(verdict.ok, `byte ${at} changed to ${replacement}`).toBe(false)
      }
    }
  })
})

describe('good decisions count', () => {
  test.each(['Ed25519', 'EdDSA'])('approval with alg %s', async (alg) => {
    const jws = signed(people.ann, payloadOf(), headerFor(people.ann, { alg }))
    const verdict = await judge(bytesOf(jws))
    expect(verdict).toEqual({
      ok: true,
      payload: payloadOf(),
      reference: { decision_id: payloadOf().decision_id, jws, key: people.ann.publicKey },
    })
  })

  test('rejection, also by the maker of the version', async () => {
    expect(await judge(claims({ decision: 'reject', decided_by: 'lab-export' }, people.lab))).toMatchObject({ ok: true })
  })

  test('approval by the maker where the configuration allows it', async () => {
    const verdict = await verifyDecision({
      decision: claims({ decided_by: 'lab-export' }, people.lab),
      keyring,
      receivedAtMs: NOW_MS,
      storeId: STORE,
      forbidSelfApproval: false,
      lookupRecord: async () => recordOf(),
    })
    expect(verdict.ok).toBe(true)
  })

  test('approval of a version by who made an older one', async () => {
    const record = recordOf()
    const first = record.history[0]!
    expect(
      await judge(claims({}), {
        record: { ...record, created_by: 'approver-456', history: [{ ...first, created_by: 'approver-456' }, ...record.history.slice(1)] },
      }),
    ).toMatchObject({ ok: true })
  })

  test('a file with other white space and an empty comment', async () => {
    const jws = signed(people.ann, payloadOf({ comment: '', decided_at: '2024-06-01T11:59:00.123456Z' }))
    expect(await judge(Buffer.from(`\n${JSON.stringify(jws, null, 4)}\r\n`))).toMatchObject({ ok: true })
  })

  test('a comment of exactly 512 bytes', async () => {
    expect(await judge(claims({ comment: 'é'.repeat(256) }))).toMatchObject({ ok: true })
  })

  test('one millisecond before the key ends, and from its first second on', async () => {
    expect(await judge(claims({ decided_by: 'ended' }, people.ended), { receivedAtMs: NOW_MS - 1 })).toMatchObject({ ok: true })
    expect(await judge(claims({ decided_by: 'revoked' }, people.revoked), { receivedAtMs: NOW_MS - 1 })).toMatchObject({ ok: true })
    expect(await judge(claims({ decided_by: 'early' }, people.early), { receivedAtMs: NOW_MS + 1000 })).toMatchObject({ ok: true })
  })

  test('a key of exactly this table', async () => {
    expect(
      await judge(claims({ decided_by: 'narrow' }, people.narrow), { record: { ...recordOf(), table_name: 'soil_test_samples' } }),
    ).toMatchObject({ ok: true })
  })

  test('the envelope may be given as a value', async () => {
    const verdict = await verifyDecision({
      decision: { envelope: good() },
      keyring,
      receivedAtMs: NOW_MS,
      storeId: STORE,
      forbidSelfApproval: true,
      lookupRecord: async () => recordOf(),
    })
    expect(verdict.ok).toBe(true)
  })
})

describe('the same decision again is a repetition', () => {
  test('the same file', async () => {
    const earlier = earlierDecision(people.ann)
    expect(await judge(bytesOf(earlier.jws), { record: recordOf(earlier) })).toMatchObject({ ok: 'repeated', payload: earlier.payload })
  })

  test('signed again over other white space and member order', async () => {
    const earlier = earlierDecision(people.ann)
    const reordered = Object.fromEntries(Object.entries(earlier.payload).reverse())
    const jws = signRaw(JSON.stringify(reordered, null, 2), JSON.stringify(headerFor(people.ann, { alg: 'EdDSA' })), people.ann.signer)
    expect(await judge(bytesOf(jws), { record: recordOf(earlier) })).toMatchObject({ ok: 'repeated' })
  })

  test('also after its key has ended', async () => {
    const earlier = earlierDecision(people.ended)
    expect(await judge(bytesOf(earlier.jws), { record: recordOf(earlier), receivedAtMs: NOW_MS + 1e9 })).toMatchObject({ ok: 'repeated' })
  })

  test('but not with a signature that does not hold', async () => {
    const earlier = earlierDecision(people.ann)
    const forged = { ...earlier.jws, signatures: [{ ...earlier.jws.signatures[0]!, signature: b64(Buffer.alloc(64, 1)) }] }
    expect(await judge(bytesOf(forged), { record: recordOf(earlier) })).toMatchObject({ ok: false, code: 'DECISION_SIGNATURE_INVALID' })
  })
})

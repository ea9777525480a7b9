import { createHmac, createPublicKey } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Keyring } from '../../../src/decisions/keyring.js'
import { verifyDecision } from '../../../src/decisions/verify-decision.js'
import { DECISION_TYPE } from '../../../src/documents/decision.js'
import type { RecordMetadata } from '../../../src/documents/metadata.js'
import type { ErrorCode } from '../../../src/errors.js'
import {
  b64,
  bytesOf,
  earlierDecision,
  HASH,
  headerFor,
  keyringOf,
  makePeople,
  NOW_MS,
  OTHER_STORE,
  type People,
  type Person,
  payloadOf,
  RECORD,
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
  keyring?: Keyring
  receivedAtMs?: number
  nowMs?: number
}

async function judge(bytes: Uint8Array, setting: Setting = {}): ReturnType<typeof verifyDecision> {
  const record = setting.record === undefined ? recordOf() : setting.record
  return verifyDecision({
    decision: bytes,
    keyring: setting.keyring ?? keyring,
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
const rawHeader = (text: string): Buffer => bytesOf(signRaw(JSON.stringify(payloadOf()), text, people.ann.signer))
const rawPayload = (text: string | Uint8Array): Buffer => bytesOf(signRaw(text, JSON.stringify(headerFor(people.ann)), people.ann.signer))
const envelope = (changes: object): Buffer => bytesOf({ ...good(), ...changes })
const entry = (changes: object): Buffer => bytesOf({ ...good(), signatures: [{ ...good().signatures[0], ...changes }] })
const kid = (): string => people.ann.publicKey.kid

/** One over the order of the base point: S + L verifies under lenient implementations (RFC 8032 §5.1.7 forbids it). */
function plusOrder(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url')
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  let s = 0n
  for (let i = 63; i >= 32; i -= 1) s = (s << 8n) | BigInt(bytes[i]!)
  s += order
  for (let i = 32; i < 64; i += 1) {
    bytes[i] = Number(s & 0xffn)
    s >>= 8n
  }
  return bytes.toString('base64url')
}

function lastCharacterChanged(text: string): string {
  // The last character of 64 bytes carries four unused bits.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) + 1]
}

function hmacWith(keyBytes: Uint8Array): Buffer {
  const protectedText = b64(JSON.stringify(headerFor(people.ann, { alg: 'HS256' })))
  const payloadText = b64(JSON.stringify(payloadOf()))
  const signature = createHmac('sha256', keyBytes).update(`${protectedText}.${payloadText}`).digest('base64url')
  return bytesOf({ payload: payloadText, signatures: [{ protected: protectedText, signature }] })
}

function unsecured(alg: string): Buffer {
  return bytesOf({
    payload: b64(JSON.stringify(payloadOf())),
    signatures: [{ protected: b64(JSON.stringify(headerFor(people.ann, { alg }))), signature: '' }],
  })
}

type Vector = [name: string, code: ErrorCode, make: () => Uint8Array, setting?: () => Setting]

const vectors: Vector[] = [
  // Algorithms
  ['alg none without a signature', 'DECISION_UNSIGNED', () => unsecured('none')],
  ['alg nOnE', 'DECISION_UNSIGNED', () => unsecured('nOnE')],
  ['alg none with a good-looking signature', 'DECISION_UNSIGNED', () => header({ alg: 'none' })],
  ['HS256 keyed with the public key bytes', 'DECISION_HEADER', () => hmacWith(Buffer.from(people.ann.publicKey.x, 'base64url'))],
  ['HS256 keyed with the public key text', 'DECISION_HEADER', () => hmacWith(Buffer.from(people.ann.publicKey.x))],
  [
    'HS256 keyed with the public key PEM',
    'DECISION_HEADER',
    () => hmacWith(Buffer.from(createPublicKey(people.ann.signer).export({ type: 'spki', format: 'pem' }))),
  ],
  ['ES256', 'DECISION_HEADER', () => header({ alg: 'ES256' })],
  ['RS256', 'DECISION_HEADER', () => header({ alg: 'RS256' })],
  ['Ed448', 'DECISION_HEADER', () => header({ alg: 'Ed448' })],
  ['alg in lower case', 'DECISION_HEADER', () => header({ alg: 'ed25519' })],
  ['alg as a list', 'DECISION_HEADER', () => header({ alg: ['Ed25519'] })],
  ['no alg', 'DECISION_HEADER', () => header({ alg: undefined })],
  ['alg null', 'DECISION_HEADER', () => header({ alg: null })],
  // Header parameters
  [
    'an embedded key (jwk)',
    'DECISION_HEADER',
    () => bytesOf(signed(people.stranger, payloadOf(), headerFor(people.ann, { jwk: people.stranger.publicKey }))),
  ],
  [
    'an embedded key and no kid',
    'DECISION_HEADER',
    () => bytesOf(signed(people.stranger, payloadOf(), { alg: 'Ed25519', typ: DECISION_TYPE, jwk: people.stranger.publicKey })),
  ],
  ['jku', 'DECISION_HEADER', () => header({ jku: 'https://attacker.example/keys' })],
  ['x5u', 'DECISION_HEADER', () => header({ x5u: 'https://attacker.example/cert' })],
  ['x5c', 'DECISION_HEADER', () => header({ x5c: ['MII'] })],
  ['x5t', 'DECISION_HEADER', () => header({ x5t: 'AAAA' })],
  ['crit with an unknown extension', 'DECISION_HEADER', () => header({ crit: ['exp'], exp: 1 })],
  ['an empty crit', 'DECISION_HEADER', () => header({ crit: [] })],
  ['b64 false', 'DECISION_HEADER', () => header({ b64: false, crit: ['b64'] })],
  ['b64 true', 'DECISION_HEADER', () => header({ b64: true })],
  ['cty', 'DECISION_HEADER', () => header({ cty: 'json' })],
  ['zip', 'DECISION_HEADER', () => header({ zip: 'DEF' })],
  ['an empty parameter name', 'DECISION_HEADER', () => header({ '': 1 })],
  [
    '__proto__ in the header',
    'DECISION_HEADER',
    () => rawHeader(`{"alg":"Ed25519","kid":"${kid()}","typ":"${DECISION_TYPE}","__proto__":{"x":1}}`),
  ],
  ['typ of a JWT', 'DECISION_HEADER', () => header({ typ: 'JWT' })],
  ['typ with a prefix', 'DECISION_HEADER', () => header({ typ: `application/${DECISION_TYPE}` })],
  ['typ in capitals', 'DECISION_HEADER', () => header({ typ: DECISION_TYPE.toUpperCase() })],
  ['no typ', 'DECISION_HEADER', () => header({ typ: undefined })],
  ['no kid', 'DECISION_HEADER', () => header({ kid: undefined })],
  ['an empty kid', 'DECISION_HEADER', () => header({ kid: '' })],
  ['kid as a number', 'DECISION_HEADER', () => header({ kid: 1 })],
  ['kid with a line feed', 'DECISION_HEADER', () => header({ kid: 'a\nb' })],
  ['a kid of a megabyte', 'DECISION_MALFORMED', () => header({ kid: 'k'.repeat(1_000_000) })],
  ['a header that is a list', 'DECISION_HEADER', () => rawHeader('[]')],
  ['a header that is null', 'DECISION_HEADER', () => rawHeader('null')],
  ['a header that is not JSON', 'DECISION_HEADER', () => rawHeader('alg=Ed25519')],
  ['an empty header', 'DECISION_HEADER', () => rawHeader('')],
  [
    'alg twice in the header',
    'DECISION_HEADER',
    () => rawHeader(`{"alg":"none","alg":"Ed25519","kid":"${kid()}","typ":"${DECISION_TYPE}"}`),
  ],
  [
    'kid twice, the second escaped',
    'DECISION_HEADER',
    () => rawHeader(`{"alg":"Ed25519","kid":"x","\\u006bid":"${kid()}","typ":"${DECISION_TYPE}"}`),
  ],
  ['text after the header', 'DECISION_HEADER', () => rawHeader(`${JSON.stringify(headerFor(people.ann))}x`)],
  ['an unprotected header', 'DECISION_HEADER', () => entry({ header: { kid: kid() } })],
  ['an empty unprotected header', 'DECISION_HEADER', () => entry({ header: {} })],
  ['alg and kid only in the unprotected header', 'DECISION_HEADER', () => entry({ protected: undefined, header: headerFor(people.ann) })],
  // Keys
  ['a kid nobody has', 'KEY_UNKNOWN', () => header({ kid: 'nobody' })],
  ['a key outside of the keyring', 'KEY_UNKNOWN', () => bytesOf(signed(people.stranger, payloadOf()))],
  ['a kid like __proto__', 'KEY_UNKNOWN', () => header({ kid: '__proto__' })],
  ['a kid like constructor', 'KEY_UNKNOWN', () => header({ kid: 'constructor' })],
  ['a kid that looks like a path', 'KEY_UNKNOWN', () => header({ kid: '../../keys/approver-456.jwk.json' })],
  ['a kid with a blank at its end', 'KEY_UNKNOWN', () => header({ kid: `${kid()} ` })],
  [
    "another's kid over one's own signature",
    'DECISION_SIGNATURE_INVALID',
    () => bytesOf(signed(people.lab, payloadOf(), headerFor(people.ann))),
  ],
  [
    "a stranger's signature under a known kid",
    'DECISION_SIGNATURE_INVALID',
    () => bytesOf(signed(people.stranger, payloadOf(), headerFor(people.ann))),
  ],
  ['an empty keyring', 'KEY_UNKNOWN', () => bytesOf(good()), () => ({ keyring: { version: 8, keys: new Map() } })],
  ['a key that has ended', 'KEY_EXPIRED', () => claims({ decided_by: 'ended' }, people.ended)],
  [
    'a key that has ended, the decision back-dated',
    'KEY_EXPIRED',
    () => claims({ decided_by: 'ended', decided_at: '2020-01-01T00:00:00Z' }, people.ended),
  ],
  [
    'a key that ended while the decision waited',
    'KEY_EXPIRED',
    () => claims({ decided_by: 'ended' }, people.ended),
    () => ({ receivedAtMs: NOW_MS - 1, nowMs: NOW_MS }),
  ],
  ['a key that is not valid yet', 'KEY_NOT_YET_VALID', () => claims({ decided_by: 'early' }, people.early)],
  [
    'a key not valid yet, the decision dated ahead',
    'KEY_NOT_YET_VALID',
    () => claims({ decided_by: 'early', decided_at: '2030-01-01T00:00:00Z' }, people.early),
  ],
  [
    'a key not valid at receipt though valid by now',
    'KEY_NOT_YET_VALID',
    () => claims({ decided_by: 'early' }, people.early),
    () => ({ nowMs: NOW_MS + 5000 }),
  ],
  ['a revoked key', 'KEY_REVOKED', () => claims({ decided_by: 'revoked' }, people.revoked)],
  [
    'a revoked key, the decision back-dated',
    'KEY_REVOKED',
    () => claims({ decided_by: 'revoked', decided_at: '2020-01-01T00:00:00Z' }, people.revoked),
  ],
  ['a key of another table', 'KEY_TABLE_FORBIDDEN', () => claims({ decided_by: 'narrow' }, people.narrow)],
  ['a key of no table', 'KEY_TABLE_FORBIDDEN', () => claims({ decided_by: 'no-tables' }, people.noTables)],
  ['decided_by somebody else', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: 'somebody' })],
  ['decided_by another approver of the keyring', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: 'lab-export' })],
  ['decided_by in other letters', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: 'Approver-456' })],
  ['decided_by with a blank', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: 'approver-456 ' })],
  // Signatures
  ['no signature member', 'DECISION_UNSIGNED', () => entry({ signature: undefined })],
  ['an empty signature', 'DECISION_UNSIGNED', () => entry({ signature: '' })],
  ['zero signatures', 'DECISION_UNSIGNED', () => envelope({ signatures: [] })],
  ['no signatures member', 'DECISION_UNSIGNED', () => envelope({ signatures: undefined })],
  ['a bare payload', 'DECISION_UNSIGNED', () => bytesOf(payloadOf())],
  [
    'two good signatures',
    'DECISION_SIGNATURES',
    () => envelope({ signatures: [good().signatures[0], signed(people.lab, payloadOf()).signatures[0]] }),
  ],
  ['the same signature twice', 'DECISION_SIGNATURES', () => envelope({ signatures: [good().signatures[0], good().signatures[0]] })],
  [
    'a bad signature before a good one',
    'DECISION_SIGNATURES',
    () => envelope({ signatures: [signed(people.stranger, payloadOf()).signatures[0], good().signatures[0]] }),
  ],
  ['a signature of zeros', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: b64(Buffer.alloc(64)) })],
  [
    'a signature one byte short',
    'DECISION_SIGNATURE_INVALID',
    () => entry({ signature: b64(Buffer.from(good().signatures[0]!.signature, 'base64url').subarray(0, 63)) }),
  ],
  [
    'a signature one byte long',
    'DECISION_SIGNATURE_INVALID',
    () => entry({ signature: b64(Buffer.concat([Buffer.from(good().signatures[0]!.signature, 'base64url'), Buffer.alloc(1)])) }),
  ],
  [
    'one bit of the signature flipped',
    'DECISION_SIGNATURE_INVALID',
    () => entry({ signature: `${good().signatures[0]!.signature[0] === 'A' ? 'B' : 'A'}${good().signatures[0]!.signature.slice(1)}` }),
  ],
  ['S replaced by S + L', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: plusOrder(good().signatures[0]!.signature) })],
  [
    'the signature of another payload',
    'DECISION_SIGNATURE_INVALID',
    () => entry({ signature: signed(people.ann, payloadOf({ comment: 'other' })).signatures[0]!.signature }),
  ],
  [
    'the payload changed',
    'DECISION_SIGNATURE_INVALID',
    () => envelope({ payload: b64(JSON.stringify(payloadOf({ decision: 'reject' }))) }),
  ],
  [
    'the payload written with other white space',
    'DECISION_SIGNATURE_INVALID',
    () => envelope({ payload: b64(JSON.stringify(payloadOf(), null, 1)) }),
  ],
  [
    'the header changed from EdDSA to Ed25519',
    'DECISION_SIGNATURE_INVALID',
    () =>
      bytesOf({
        ...good(),
        signatures: [
          {
            protected: good().signatures[0]!.protected,
            signature: signed(people.ann, payloadOf(), headerFor(people.ann, { alg: 'EdDSA' })).signatures[0]!.signature,
          },
        ],
      }),
  ],
  [
    'the payload signed raw, not as base64url',
    'DECISION_SIGNATURE_INVALID',
    () => {
      const jws = good()
      const again = signRaw(jws.payload, JSON.stringify(headerFor(people.ann)), people.ann.signer)
      return bytesOf({ ...jws, signatures: again.signatures })
    },
  ],
  // Encodings
  ['a padded signature', 'DECISION_MALFORMED', () => entry({ signature: `${good().signatures[0]!.signature}==` })],
  [
    'the last character of the signature re-encoded',
    'DECISION_MALFORMED',
    () => entry({ signature: lastCharacterChanged(good().signatures[0]!.signature) }),
  ],
  ['a line feed in the signature', 'DECISION_MALFORMED', () => entry({ signature: `${good().signatures[0]!.signature}\n` })],
  ['standard base64 in the signature', 'DECISION_MALFORMED', () => entry({ signature: `+${good().signatures[0]!.signature.slice(1)}` })],
  [
    'one character too many in the signature',
    'DECISION_MALFORMED',
    () => entry({ signature: `${good().signatures[0]!.signature.slice(0, 84)}A` }),
  ],
  ['a padded payload', 'DECISION_MALFORMED', () => envelope({ payload: `${good().payload}=` })],
  ['white space in the payload', 'DECISION_MALFORMED', () => envelope({ payload: ` ${good().payload}` })],
  ['a padded header', 'DECISION_MALFORMED', () => entry({ protected: `${good().signatures[0]!.protected}=` })],
  ['letters outside of ASCII in the payload', 'DECISION_MALFORMED', () => envelope({ payload: `${good().payload.slice(0, -1)}ａ` })],
  // Forms
  ['the flattened form', 'DECISION_MALFORMED', () => bytesOf({ payload: good().payload, ...good().signatures[0] })],
  ['general and flattened form at once', 'DECISION_MALFORMED', () => bytesOf({ ...good(), ...good().signatures[0] })],
  [
    'the compact form',
    'DECISION_MALFORMED',
    () => Buffer.from(`${good().signatures[0]!.protected}.${good().payload}.${good().signatures[0]!.signature}`),
  ],
  [
    'the compact form as a JSON text',
    'DECISION_MALFORMED',
    () => bytesOf(`${good().signatures[0]!.protected}.${good().payload}.${good().signatures[0]!.signature}`),
  ],
  ['an extra member of the envelope', 'DECISION_MALFORMED', () => envelope({ note: 'x' })],
  ['an extra member of the signature', 'DECISION_MALFORMED', () => entry({ note: 'x' })],
  ['a top-level unprotected header', 'DECISION_MALFORMED', () => envelope({ header: { kid: kid() } })],
  [
    'an encrypted JWE',
    'DECISION_MALFORMED',
    () => bytesOf({ ciphertext: 'AAAA', recipients: [], iv: 'AAAA', tag: 'AAAA', protected: 'AAAA' }),
  ],
  ['a detached payload', 'DECISION_MALFORMED', () => envelope({ payload: undefined })],
  ['an empty payload', 'DECISION_MALFORMED', () => envelope({ payload: '' })],
  ['a payload that is an object', 'DECISION_MALFORMED', () => envelope({ payload: payloadOf() })],
  ['signatures as an object', 'DECISION_MALFORMED', () => envelope({ signatures: { 0: good().signatures[0] } })],
  ['a signature text that is a number', 'DECISION_MALFORMED', () => entry({ signature: 1 })],
  ['a protected header that is an object', 'DECISION_MALFORMED', () => entry({ protected: headerFor(people.ann) })],
  ['a signature that is null', 'DECISION_MALFORMED', () => envelope({ signatures: [null] })],
  ['a list of envelopes', 'DECISION_MALFORMED', () => bytesOf([good()])],
  ['null', 'DECISION_MALFORMED', () => Buffer.from('null')],
  ['a private key', 'DECISION_MALFORMED', () => bytesOf(people.ann.privateKey)],
  ['a public key', 'DECISION_MALFORMED', () => bytesOf(people.ann.publicKey)],
  [
    'payload twice in the envelope',
    'DECISION_MALFORMED',
    () => Buffer.from(`{"payload":"${b64(JSON.stringify(payloadOf({ version: 2 })))}",${JSON.stringify(good()).slice(1)}`),
  ],
  ['signatures twice in the envelope', 'DECISION_MALFORMED', () => Buffer.from(`${JSON.stringify(good()).slice(0, -1)},"signatures":[]}`)],
  [
    'signature twice in its object',
    'DECISION_MALFORMED',
    () => Buffer.from(JSON.stringify(good()).replace('"signature":', '"signature":"AAAA","signature":')),
  ],
  [
    'a member twice, the second spelt with an escape',
    'DECISION_MALFORMED',
    () => Buffer.from(`${JSON.stringify(good()).slice(0, -1)},"p\\u0061yload":"AAAA"}`),
  ],
  // Files
  ['an empty file', 'DECISION_MALFORMED', () => Buffer.alloc(0)],
  ['white space only', 'DECISION_MALFORMED', () => Buffer.from(' \n\t ')],
  ['a file cut in the middle', 'DECISION_MALFORMED', () => bytesOf(good()).subarray(0, 200)],
  ['a file without its last byte', 'DECISION_MALFORMED', () => bytesOf(good()).subarray(0, -1)],
  ['a file of NUL bytes', 'DECISION_MALFORMED', () => Buffer.alloc(800)],
  ['a file with NUL bytes at its end', 'DECISION_MALFORMED', () => Buffer.concat([bytesOf(good()), Buffer.alloc(16)])],
  ['two decisions in one file', 'DECISION_MALFORMED', () => Buffer.concat([bytesOf(good()), bytesOf(good())])],
  ['a byte order mark', 'DECISION_MALFORMED', () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf(good())])],
  ['UTF-16', 'DECISION_MALFORMED', () => Buffer.from(JSON.stringify(good()), 'utf16le')],
  ['a byte that is not UTF-8', 'DECISION_MALFORMED', () => Buffer.concat([bytesOf(good()).subarray(0, -1), Buffer.from([0xff, 0x7d])])],
  ['a huge file', 'DECISION_MALFORMED', () => envelope({ payload: 'A'.repeat(200_000) })],
  [
    'a huge file of blanks around a good decision',
    'DECISION_MALFORMED',
    () => Buffer.concat([bytesOf(good()), Buffer.alloc(100_000, 0x20)]),
  ],
  ['deep nesting', 'DECISION_MALFORMED', () => Buffer.from('['.repeat(60_000))],
  ['deep nesting in a member', 'DECISION_MALFORMED', () => Buffer.from(`{"payload":${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}}`)],
  ['single quotes', 'DECISION_MALFORMED', () => Buffer.from(JSON.stringify(good()).replaceAll('"', "'"))],
  ['a comment', 'DECISION_MALFORMED', () => Buffer.from(`/* approved */${JSON.stringify(good())}`)],
  ['a trailing comma', 'DECISION_MALFORMED', () => Buffer.from(`${JSON.stringify(good()).slice(0, -1)},}`)],
  ['CSV', 'DECISION_MALFORMED', () => Buffer.from('decision,version\napprove,3\n')],
  // Payloads, each signed by a key that counts
  ['a member twice in the payload', 'DECISION_MALFORMED', () => rawPayload(`{"version":2,${JSON.stringify(payloadOf()).slice(1)}`)],
  ['an extra member in the payload', 'DECISION_MALFORMED', () => claims({ note: 'x' })],
  ['__proto__ in the payload', 'DECISION_MALFORMED', () => rawPayload(`{"__proto__":{},${JSON.stringify(payloadOf()).slice(1)}`)],
  ['a missing member of the payload', 'DECISION_MALFORMED', () => claims({ parquet_sha256: undefined })],
  ['a payload with a byte order mark', 'DECISION_MALFORMED', () => rawPayload(`\ufeff${JSON.stringify(payloadOf())}`)],
  [
    'a payload that is not UTF-8',
    'DECISION_MALFORMED',
    () => rawPayload(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3]), Buffer.from('"}')])),
  ],
  ['a payload cut in the middle', 'DECISION_MALFORMED', () => rawPayload(JSON.stringify(payloadOf()).slice(0, 60))],
  ['text after the payload', 'DECISION_MALFORMED', () => rawPayload(`${JSON.stringify(payloadOf())}{}`)],
  ['deep nesting in the payload', 'DECISION_MALFORMED', () => rawPayload(`{"comment":${'['.repeat(2000)}`)],
  [
    'half a surrogate pair in the comment',
    'DECISION_MALFORMED',
    () => rawPayload(JSON.stringify(payloadOf()).replace('All checks', '\\ud800')),
  ],
  ['NUL in the comment', 'DECISION_MALFORMED', () => claims({ comment: 'a\u0000b' })],
  ['an escape sequence in the comment', 'DECISION_MALFORMED', () => claims({ comment: '\u001b[2J' })],
  ['a comment of 513 bytes', 'DECISION_MALFORMED', () => claims({ comment: `${'é'.repeat(256)}a` })],
  ['decided_by of 129 bytes', 'DECISION_MALFORMED', () => claims({ decided_by: 'a'.repeat(129) })],
  ['an empty decided_by', 'DECISION_MALFORMED', () => claims({ decided_by: '' })],
  ['version as text', 'DECISION_MALFORMED', () => claims({ version: '3' })],
  ['version 3.5', 'DECISION_MALFORMED', () => claims({ version: 3.5 })],
  ['version 0', 'DECISION_MALFORMED', () => claims({ version: 0 })],
  ['version 1e999', 'DECISION_MALFORMED', () => rawPayload(JSON.stringify(payloadOf()).replace('"version":3', '"version":1e999'))],
  [
    'a version that rounds to a legal one',
    'DECISION_MALFORMED',
    () => rawPayload(JSON.stringify(payloadOf()).replace('"version":3', '"version":9007199254740993')),
  ],
  ['version 03', 'DECISION_MALFORMED', () => rawPayload(JSON.stringify(payloadOf()).replace('"version":3', '"version":03'))],
  ['a decision of another kind', 'DECISION_MALFORMED', () => claims({ decision: 'delete' })],
  ['a decision in capitals', 'DECISION_MALFORMED', () => claims({ decision: 'APPROVE' })],
  ['a decision that is a list', 'DECISION_MALFORMED', () => claims({ decision: ['approve'] })],
  ['decision_id that is no UUID', 'DECISION_MALFORMED', () => claims({ decision_id: '1' })],
  ['decision_id in capitals', 'DECISION_MALFORMED', () => claims({ decision_id: payloadOf().decision_id.toUpperCase() })],
  ['a hash in capitals', 'DECISION_MALFORMED', () => claims({ parquet_sha256: HASH.toUpperCase() })],
  ['an empty hash', 'DECISION_MALFORMED', () => claims({ parquet_sha256: '' })],
  ['a record id that leaves the store', 'DECISION_MALFORMED', () => claims({ record_id: '../../etc/passwd' })],
  ['a record id of the metadata', 'DECISION_MALFORMED', () => claims({ record_id: `${RECORD}/metadata.json` })],
  ['a day that does not exist', 'DECISION_MALFORMED', () => claims({ decided_at: '2024-02-30T00:00:00Z' })],
  ['a time without a zone', 'DECISION_MALFORMED', () => claims({ decided_at: '2024-02-03T00:00:00' })],
  // What the decision is about
  ['another store', 'DECISION_STORE_MISMATCH', () => claims({ store_id: OTHER_STORE })],
  ['a record that is not there', 'DECISION_RECORD_UNKNOWN', () => claims({ record_id: 'borelog-002' })],
  ['a record id in other letters', 'DECISION_RECORD_UNKNOWN', () => claims({ record_id: 'BORELOG-001' })],
  ['an older version', 'DECISION_VERSION_MISMATCH', () => claims({ version: 2, parquet_sha256: 'b'.repeat(64) })],
  ['a version that is still to come', 'DECISION_VERSION_MISMATCH', () => claims({ version: 4 })],
  ['another hash', 'DECISION_HASH_MISMATCH', () => claims({ parquet_sha256: 'd'.repeat(64) })],
  ['the hash of the version before', 'DECISION_HASH_MISMATCH', () => claims({ parquet_sha256: 'b'.repeat(64) })],
  ['approval by the maker', 'DECISION_SELF_APPROVAL', () => claims({ decided_by: 'lab-export' }, people.lab)],
  // Replays
  [
    'decision_id used again for another version',
    'DECISION_REPLAYED',
    () => bytesOf(good()),
    () => ({ record: recordOf(earlierDecision(people.ann)) }),
  ],
  [
    'decision_id used again with another comment',
    'DECISION_REPLAYED',
    () => bytesOf(signed(people.ann, { ...earlierDecision(people.ann).payload, comment: 'changed' })),
    () => ({ record: recordOf(earlierDecision(people.ann)) }),
  ],
  [
    "decision_id of somebody else's decision",
    'DECISION_REPLAYED',
    () => bytesOf(signed(people.ann, payloadOf())),
    () => ({ record: recordOf(earlierDecision(people.lab)) }),
  ],
  [
    "somebody else's applied decision, signed again",
    'DECISION_PRINCIPAL_MISMATCH',
    () => bytesOf(signed(people.lab, earlierDecision(people.ann).payload)),
    () => ({ record: recordOf(earlierDecision(people.ann)) }),
  ],
]

describe('no hostile decision counts, and each is refused with its own code', () => {
  test.each(vectors.map((vector) => [vector[0], vector[1], vector] as const))('%s: %s', async (_name, code, [, , make, setting]) => {
    const verdict = await judge(make(), setting?.())
    expect(verdict.ok).toBe(false)
    if (verdict.ok !== false) return
    expect(verdict.code).toBe(code)
    expect(verdict.message).not.toBe('')
    expect(verdict.hint).not.toBe('')
    // What the file says may be printed on a terminal.
    expect(verdict.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

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

  test('the vectors have names of their own', () => {
    expect(new Set(vectors.map((v) => v[0])).size).toBe(vectors.length)
    expect(vectors.length).toBeGreaterThanOrEqual(60)
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

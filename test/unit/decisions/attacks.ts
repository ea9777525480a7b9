import { createHash, createHmac, createPublicKey, sign } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { DECISION_TYPE, type DecisionPayload } from '../../../src/documents/decision.js'
import type { ErrorCode } from '../../../src/errors.js'
import {
  b64,
  bytesOf,
  headerFor,
  type Jws,
  OTHER_STORE,
  type People,
  type Person,
  payloadOf as payloadWith,
  signed,
  signRaw,
} from './world.js'

/** One record of a store under attack. */
export interface Target {
  readonly recordId: string
  /** The current one. */
  readonly version: number
  /** parquet_sha256 of each version, from 1. */
  readonly hashes: readonly string[]
}

/** What an attacker has before him: a store, its keyring, and what lies there from before. */
export interface Scene {
  readonly people: People
  readonly storeId: string
  /** When decisions are received. */
  readonly nowMs: number
  /** Version 3 is a draft of lab-export. */
  readonly draft: Target
  /** The only version is approved, or rejected. */
  readonly approved: Target
  readonly rejected: Target
  /** Version 1 was approved with `earlier`, version 2 is a draft. */
  readonly replayed: Target
  readonly earlier: { readonly payload: DecisionPayload; readonly jws: Jws }
}

/** A file that must not count. */
export interface Attack {
  readonly name: string
  readonly code: ErrorCode
  readonly make: () => Uint8Array
  /** Only where the instant is known to the millisecond: from the scene's own. */
  readonly receivedAfterMs?: number
  readonly nowAfterMs?: number
  /** The keyring at that time, in the place of the scene's; null: there is none. */
  readonly keyring?: () => Uint8Array | null
}

type Row = [name: string, code: ErrorCode, make: () => Uint8Array, rest?: Omit<Attack, 'name' | 'code' | 'make'>]

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
const thirtyTwo = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
const withS = (signature: string, change: (s: bigint) => bigint): string => {
  const bytes = Buffer.from(signature, 'base64url')
  return b64(Buffer.concat([bytes.subarray(0, 32), thirtyTwo(change(littleEndian(bytes.subarray(32))))]))
}

/** One over the order of the base point: S + L verifies under lenient implementations (RFC 8032 §5.1.7 forbids it). */
const plusOrder = (signature: string, times = 1n): string => withS(signature, (s) => s + times * ORDER)

/** The last character of a text whose bytes leave bits over, with one of those set. */
function lastCharacterChanged(text: string): string {
  return text.slice(0, -1) + ALPHABET[ALPHABET.indexOf(text.at(-1)!) + 1]
}

/** The owner of a key can sign with the nonce 0: R is the neutral point, in this text of it, and S = h·a. */
function signedWithoutNonce(who: Person, payload: object, r: Buffer): Jws {
  const header = b64(JSON.stringify(headerFor(who)))
  const text = b64(JSON.stringify(payload))
  const sha512 = (...parts: Uint8Array[]): Buffer => parts.reduce((hash, part) => hash.update(part), createHash('sha512')).digest()
  const secret = sha512(Buffer.from(who.privateKey.d, 'base64url')).subarray(0, 32)
  secret[0]! &= 248
  secret[31] = (secret[31]! & 127) | 64
  const h = littleEndian(sha512(r, Buffer.from(who.publicKey.x, 'base64url'), Buffer.from(`${header}.${text}`, 'ascii'))) % ORDER
  const s = (h * littleEndian(secret)) % ORDER
  return { payload: text, signatures: [{ protected: header, signature: b64(Buffer.concat([r, thirtyTwo(s)])) }] }
}

const swapCase = (text: string): string => text.replace(/[a-zA-Z]/g, (c) => (c < 'a' ? c.toLowerCase() : c.toUpperCase()))
const swapHalves = (signature: string): Buffer => {
  const bytes = Buffer.from(signature, 'base64url')
  return Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)])
}
const changedByte = (text: string, at: number, mask: number): string => {
  const bytes = Buffer.from(text, 'base64url')
  bytes[at]! ^= mask
  return b64(bytes)
}
/** As JSON whose length leaves bits over in base64. */
const withBitsOver = (value: object): string => {
  const text = JSON.stringify(value)
  return text.length % 3 === 0 ? `${text} ` : text
}

const fromHex = (hex: string): Buffer => Buffer.from(hex, 'hex')
const SMALL_ORDER: readonly (readonly [string, string])[] = [
  ['of order 1', `01${'00'.repeat(31)}`],
  ['of order 1, the sign bit set', `01${'00'.repeat(30)}80`],
  ['of order 2', `ec${'ff'.repeat(30)}7f`],
  ['of order 2, the sign bit set', `ec${'ff'.repeat(31)}`],
  ['of order 4', '00'.repeat(32)],
  ['of order 4, the sign bit set', `${'00'.repeat(31)}80`],
  ['of order 8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
  ['of order 8, the sign bit set', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'],
  ['of order 8, the other', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
  ['of order 8, the other, the sign bit set', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
]
const NO_POINT: readonly (readonly [string, string])[] = [
  ['y = p, another text of 0', `ed${'ff'.repeat(30)}7f`],
  ['y = p, the sign bit set', `ed${'ff'.repeat(31)}`],
  ['y = p + 1, another text of 1', `ee${'ff'.repeat(30)}7f`],
  ['y = p + 1, the sign bit set', `ee${'ff'.repeat(31)}`],
  ['y = 2^255 - 1', `${'ff'.repeat(31)}7f`],
  ['every bit set', 'ff'.repeat(32)],
  ['y = 2, which no point has', `02${'00'.repeat(31)}`],
]

/** Every attack on one scene, each under a name of its own. */
export function attacks(scene: Scene): readonly Attack[] {
  const { people } = scene
  const payloadOf = (changes: Record<string, unknown> = {}): DecisionPayload =>
    payloadWith({
      store_id: scene.storeId,
      record_id: scene.draft.recordId,
      version: scene.draft.version,
      parquet_sha256: scene.draft.hashes.at(-1),
      ...changes,
    })
  const header = (changes: Record<string, unknown>): Buffer => bytesOf(signed(people.ann, payloadOf(), headerFor(people.ann, changes)))
  const claims = (changes: Record<string, unknown>, who: Person = people.ann): Buffer => bytesOf(signed(who, payloadOf(changes)))
  const about = (target: Target, changes: Record<string, unknown> = {}, who: Person = people.ann): Buffer =>
    claims({ record_id: target.recordId, version: target.version, parquet_sha256: target.hashes.at(-1), ...changes }, who)
  const good = (): Jws => signed(people.ann, payloadOf())
  const goodText = (): string => JSON.stringify(good())
  const goodSignature = (): string => good().signatures[0]!.signature
  const rawHeader = (text: string | Uint8Array): Buffer => bytesOf(signRaw(JSON.stringify(payloadOf()), text, people.ann.signer))
  const rawPayload = (text: string | Uint8Array): Buffer => bytesOf(signRaw(text, JSON.stringify(headerFor(people.ann)), people.ann.signer))
  const rawVersion = (text: string): Buffer => rawPayload(JSON.stringify(payloadOf()).replace('"version":3', `"version":${text}`))
  const envelope = (changes: object): Buffer => bytesOf({ ...good(), ...changes })
  const entry = (changes: object): Buffer => bytesOf({ ...good(), signatures: [{ ...good().signatures[0], ...changes }] })
  const kid = (): string => people.ann.publicKey.kid
  const input = (changes: Record<string, unknown> = {}): { protectedText: string; payloadText: string } => ({
    protectedText: b64(JSON.stringify(headerFor(people.ann, changes))),
    payloadText: b64(JSON.stringify(payloadOf())),
  })
  const hmacWith = (keyBytes: Uint8Array, alg = 'HS256'): Buffer => {
    const { protectedText, payloadText } = input({ alg })
    const signature = createHmac(alg.replace('HS', 'sha'), keyBytes).update(`${protectedText}.${payloadText}`).digest('base64url')
    return bytesOf({ payload: payloadText, signatures: [{ protected: protectedText, signature }] })
  }
  const unsecured = (alg: string): Buffer => {
    const { protectedText, payloadText } = input({ alg })
    return bytesOf({ payload: payloadText, signatures: [{ protected: protectedText, signature: '' }] })
  }
  /** Ann's signature over any text. */
  const signText = (text: string, encoding: BufferEncoding = 'ascii'): string =>
    b64(sign(null, Buffer.from(text, encoding), people.ann.signer))
  const keyring = (changes: Record<string, unknown>, version = 8): Uint8Array =>
    bytesOf({ version, keys: [{ ...people.ann.publicKey, ...changes }] })
  const under = (make: () => Uint8Array | null): Omit<Attack, 'name' | 'code' | 'make'> => ({ keyring: make })
  const pem = (): string => createPublicKey(people.ann.signer).export({ type: 'spki', format: 'pem' }) as string
  const MEMBERS = Object.keys(payloadOf()) as (keyof DecisionPayload)[]

  const rows: Row[] = [
    // Algorithms
    ['alg none without a signature', 'DECISION_UNSIGNED', () => unsecured('none')],
    ['alg nOnE', 'DECISION_UNSIGNED', () => unsecured('nOnE')],
    ['alg none with a good-looking signature', 'DECISION_UNSIGNED', () => header({ alg: 'none' })],
    ['HS256 keyed with the public key bytes', 'DECISION_HEADER', () => hmacWith(Buffer.from(people.ann.publicKey.x, 'base64url'))],
    ['HS256 keyed with the public key text', 'DECISION_HEADER', () => hmacWith(Buffer.from(people.ann.publicKey.x))],
    ['HS256 keyed with the public key PEM', 'DECISION_HEADER', () => hmacWith(Buffer.from(pem()))],
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
    ['an empty keyring', 'KEY_UNKNOWN', () => bytesOf(good()), { keyring: () => bytesOf({ version: 8, keys: [] }) }],
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
      { receivedAfterMs: -1, nowAfterMs: 0 },
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
      { receivedAfterMs: 0, nowAfterMs: 5000 },
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
    [
      'signatures twice in the envelope',
      'DECISION_MALFORMED',
      () => Buffer.from(`${JSON.stringify(good()).slice(0, -1)},"signatures":[]}`),
    ],
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
    ['a hash in capitals', 'DECISION_MALFORMED', () => claims({ parquet_sha256: scene.draft.hashes[2]!.toUpperCase() })],
    ['an empty hash', 'DECISION_MALFORMED', () => claims({ parquet_sha256: '' })],
    ['a record id that leaves the store', 'DECISION_MALFORMED', () => claims({ record_id: '../../etc/passwd' })],
    ['a record id of the metadata', 'DECISION_MALFORMED', () => claims({ record_id: `${scene.draft.recordId}/metadata.json` })],
    ['a day that does not exist', 'DECISION_MALFORMED', () => claims({ decided_at: '2024-02-30T00:00:00Z' })],
    ['a time without a zone', 'DECISION_MALFORMED', () => claims({ decided_at: '2024-02-03T00:00:00' })],
    // What the decision is about
    ['another store', 'DECISION_STORE_MISMATCH', () => claims({ store_id: OTHER_STORE })],
    ['a record that is not there', 'DECISION_RECORD_UNKNOWN', () => claims({ record_id: `${scene.draft.recordId}-2` })],
    ['a record id in other letters', 'DECISION_RECORD_UNKNOWN', () => claims({ record_id: scene.draft.recordId.toUpperCase() })],
    ['an older version', 'DECISION_VERSION_MISMATCH', () => claims({ version: 2, parquet_sha256: scene.draft.hashes[1] })],
    ['a version that is still to come', 'DECISION_VERSION_MISMATCH', () => claims({ version: 4 })],
    ['another hash', 'DECISION_HASH_MISMATCH', () => claims({ parquet_sha256: 'd'.repeat(64) })],
    ['the hash of the version before', 'DECISION_HASH_MISMATCH', () => claims({ parquet_sha256: scene.draft.hashes[1] })],
    ['approval by the maker', 'DECISION_SELF_APPROVAL', () => claims({ decided_by: 'lab-export' }, people.lab)],
    // More algorithms
    ['alg NONE under a kid nobody has', 'DECISION_UNSIGNED', () => header({ alg: 'NONE', kid: 'nobody' })],
    ['an empty alg', 'DECISION_HEADER', () => header({ alg: '' })],
    ['alg with a blank', 'DECISION_HEADER', () => header({ alg: 'Ed25519 ' })],
    ['alg with a NUL', 'DECISION_HEADER', () => header({ alg: 'Ed25519\u0000' })],
    ['alg in full-width letters', 'DECISION_HEADER', () => header({ alg: 'ＥｄＤＳＡ' })],
    ['alg eddsa', 'DECISION_HEADER', () => header({ alg: 'eddsa' })],
    ['alg Ed25519ph', 'DECISION_HEADER', () => header({ alg: 'Ed25519ph' })],
    ['alg as a number', 'DECISION_HEADER', () => header({ alg: 25519 })],
    ['alg true', 'DECISION_HEADER', () => header({ alg: true })],
    ['alg as an object', 'DECISION_HEADER', () => header({ alg: { name: 'Ed25519' } })],
    ['alg __proto__', 'DECISION_HEADER', () => header({ alg: '__proto__' })],
    ['HS384 keyed with the public key bytes', 'DECISION_HEADER', () => hmacWith(Buffer.from(people.ann.publicKey.x, 'base64url'), 'HS384')],
    ['HS512 keyed with the public key PEM', 'DECISION_HEADER', () => hmacWith(Buffer.from(pem()), 'HS512')],
    ['HS256 keyed with the public JWK', 'DECISION_HEADER', () => hmacWith(bytesOf(people.ann.publicKey))],
    ['HS256 keyed with nothing', 'DECISION_HEADER', () => hmacWith(Buffer.alloc(0))],
    [
      'an HMAC with the public key under alg Ed25519',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: b64(createHmac('sha512', Buffer.from(people.ann.publicKey.x, 'base64url')).update(goodText()).digest()) }),
    ],
    ['PS256', 'DECISION_HEADER', () => header({ alg: 'PS256' })],
    ['ES256K', 'DECISION_HEADER', () => header({ alg: 'ES256K' })],
    // More header parameters
    ["an embedded key that is the signer's own", 'DECISION_HEADER', () => header({ jwk: people.ann.publicKey })],
    ['an embedded symmetric key', 'DECISION_HEADER', () => header({ jwk: { kty: 'oct', k: 'AAAA' } })],
    ['jwk null', 'DECISION_HEADER', () => header({ jwk: null })],
    ['x5t#S256', 'DECISION_HEADER', () => header({ 'x5t#S256': 'AAAA' })],
    ['jku of a local file', 'DECISION_HEADER', () => header({ jku: 'file:///tmp/keys.json' })],
    ['exp in the header', 'DECISION_HEADER', () => header({ exp: 4_102_444_800 })],
    ['url and nonce', 'DECISION_HEADER', () => header({ url: 'https://attacker.example', nonce: 'x' })],
    ['crit as a text', 'DECISION_HEADER', () => header({ crit: 'b64' })],
    ['crit null', 'DECISION_HEADER', () => header({ crit: null })],
    ['crit that names a registered parameter', 'DECISION_HEADER', () => header({ crit: ['alg'] })],
    ['crit that names an empty text', 'DECISION_HEADER', () => header({ crit: [''] })],
    ['crit that names one extension twice', 'DECISION_HEADER', () => header({ crit: ['b64', 'b64'], b64: true })],
    ['crit that names what is not there', 'DECISION_HEADER', () => header({ crit: ['b64'] })],
    ['crit in the unprotected header', 'DECISION_HEADER', () => entry({ header: { crit: ['b64'], b64: false } })],
    [
      'b64 false over the payload as plain text',
      'DECISION_HEADER',
      () => {
        const protectedText = b64(JSON.stringify(headerFor(people.ann, { b64: false, crit: ['b64'] })))
        const text = JSON.stringify(payloadOf())
        return bytesOf({ payload: text, signatures: [{ protected: protectedText, signature: signText(`${protectedText}.${text}`) }] })
      },
    ],
    ['constructor in the header', 'DECISION_HEADER', () => header({ constructor: 'x' })],
    ['toString in the header', 'DECISION_HEADER', () => header({ toString: 'x' })],
    ['an unprotected header of null', 'DECISION_HEADER', () => entry({ header: null })],
    [
      'an unprotected header that contradicts',
      'DECISION_HEADER',
      () => entry({ header: { alg: 'none', kid: people.stranger.publicKey.kid } }),
    ],
    ['an empty typ', 'DECISION_HEADER', () => header({ typ: '' })],
    ['typ null', 'DECISION_HEADER', () => header({ typ: null })],
    ['typ as a list', 'DECISION_HEADER', () => header({ typ: [DECISION_TYPE] })],
    ['typ with a blank', 'DECISION_HEADER', () => header({ typ: `${DECISION_TYPE} ` })],
    ['typ with a charset', 'DECISION_HEADER', () => header({ typ: `${DECISION_TYPE};charset=utf-8` })],
    [
      'typ twice in the header, both the same',
      'DECISION_HEADER',
      () => rawHeader(`{"alg":"Ed25519","kid":"${kid()}","typ":"${DECISION_TYPE}","typ":"${DECISION_TYPE}"}`),
    ],
    [
      'alg twice, the first escaped',
      'DECISION_HEADER',
      () => rawHeader(`{"\\u0061lg":"none","alg":"Ed25519","kid":"${kid()}","typ":"${DECISION_TYPE}"}`),
    ],
    [
      'a member twice inside the header',
      'DECISION_HEADER',
      () => rawHeader(`{"alg":"Ed25519","kid":"${kid()}","typ":"${DECISION_TYPE}","x":{"a":1,"a":1}}`),
    ],
    ['a header that is a number', 'DECISION_HEADER', () => rawHeader('1')],
    ['a header that is a text', 'DECISION_HEADER', () => rawHeader('"Ed25519"')],
    ['a header with a byte order mark', 'DECISION_HEADER', () => rawHeader(`\ufeff${JSON.stringify(headerFor(people.ann))}`)],
    ['a header in UTF-16', 'DECISION_HEADER', () => rawHeader(Buffer.from(JSON.stringify(headerFor(people.ann)), 'utf16le'))],
    ['deep nesting in the header', 'DECISION_HEADER', () => rawHeader(`{"x":${'['.repeat(5000)}${']'.repeat(5000)}}`)],
    ['a header cut in the middle', 'DECISION_HEADER', () => rawHeader(JSON.stringify(headerFor(people.ann)).slice(0, 30))],
    // More kids
    ['kid null', 'DECISION_HEADER', () => header({ kid: null })],
    ['kid as a list', 'DECISION_HEADER', () => header({ kid: [kid()] })],
    ['kid as an object', 'DECISION_HEADER', () => header({ kid: { toString: kid() } })],
    ['kid true', 'DECISION_HEADER', () => header({ kid: true })],
    ['kid of 257 characters', 'DECISION_HEADER', () => header({ kid: 'k'.repeat(257) })],
    ['kid of 256 characters', 'KEY_UNKNOWN', () => header({ kid: 'k'.repeat(256) })],
    ['kid with a NUL at its end', 'DECISION_HEADER', () => header({ kid: `${kid()}\u0000` })],
    ['kid with a C1 control', 'DECISION_HEADER', () => header({ kid: `${kid()}\u009b` })],
    [
      'kid with half of a surrogate pair',
      'DECISION_HEADER',
      () => rawHeader(JSON.stringify(headerFor(people.ann, { kid: 'KID' })).replace('KID', '\\ud800')),
    ],
    ['a kid that is an absolute path', 'KEY_UNKNOWN', () => header({ kid: '/etc/passwd' })],
    ['a kid that is a URL', 'KEY_UNKNOWN', () => header({ kid: 'https://attacker.example/key' })],
    ['a kid of SQL', 'KEY_UNKNOWN', () => header({ kid: `' OR '1'='1' -- ` })],
    ['a kid of shell', 'KEY_UNKNOWN', () => header({ kid: '$(id)' })],
    ['a kid that is a pattern', 'KEY_UNKNOWN', () => header({ kid: '*' })],
    ['a kid like toString', 'KEY_UNKNOWN', () => header({ kid: 'toString' })],
    ['a kid like hasOwnProperty', 'KEY_UNKNOWN', () => header({ kid: 'hasOwnProperty' })],
    ['a kid like an index', 'KEY_UNKNOWN', () => header({ kid: '0' })],
    ['a kid like [object Object]', 'KEY_UNKNOWN', () => header({ kid: '[object Object]' })],
    ['a kid in the other case', 'KEY_UNKNOWN', () => header({ kid: swapCase(kid()) })],
    ['a kid with a blank before it', 'KEY_UNKNOWN', () => header({ kid: ` ${kid()}` })],
    ['a kid with a byte order mark before it', 'KEY_UNKNOWN', () => header({ kid: `\ufeff${kid()}` })],
    ['a kid with a zero-width space', 'KEY_UNKNOWN', () => header({ kid: `${kid()}\u200b` })],
    ['a kid with a tab', 'DECISION_HEADER', () => header({ kid: `${kid()}\t` })],
    ['the beginning of a kid', 'KEY_UNKNOWN', () => header({ kid: kid().slice(0, -1) })],
    ['a kid twice over', 'KEY_UNKNOWN', () => header({ kid: kid() + kid() })],
    ['a kid in percent-encoding', 'KEY_UNKNOWN', () => header({ kid: `%${Buffer.from(kid()).toString('hex').match(/../g)!.join('%')}` })],
    ['a kid padded as base64', 'KEY_UNKNOWN', () => header({ kid: `${kid()}=` })],
    ['the principal as kid', 'KEY_UNKNOWN', () => header({ kid: people.ann.publicKey.principal })],
    ['the public key as kid', 'KEY_UNKNOWN', () => header({ kid: people.ann.publicKey.x })],
    ["an ended key's kid over a good signature", 'DECISION_SIGNATURE_INVALID', () => header({ kid: people.ended.publicKey.kid })],
    [
      "one's own signature under the kid of another who may do less",
      'DECISION_SIGNATURE_INVALID',
      () => header({ kid: people.narrow.publicKey.kid }),
    ],
    // More signatures
    ...[2n, 3n, 7n, 14n].map(
      (times): Row => [
        `S replaced by S + ${times} L`,
        'DECISION_SIGNATURE_INVALID',
        () => entry({ signature: plusOrder(goodSignature(), times) }),
      ],
    ),
    ['S replaced by L - S', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: withS(goodSignature(), (s) => ORDER - s) })],
    ['S replaced by L', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: withS(goodSignature(), () => ORDER) })],
    ['S replaced by 0', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: withS(goodSignature(), () => 0n) })],
    ['S replaced by 2^256 - 1', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: withS(goodSignature(), () => 2n ** 256n - 1n) })],
    ...SMALL_ORDER.map(
      ([what, hex]): Row => [
        `R ${what} and S = 0`,
        'DECISION_SIGNATURE_INVALID',
        () => entry({ signature: b64(Buffer.concat([fromHex(hex), Buffer.alloc(32)])) }),
      ],
    ),
    ...SMALL_ORDER.slice(0, 4).map(
      ([what, hex]): Row => [
        `R ${what}, signed by the owner without a nonce`,
        'DECISION_SIGNATURE_INVALID',
        () => bytesOf(signedWithoutNonce(people.ann, payloadOf(), fromHex(hex))),
      ],
    ),
    ...NO_POINT.map(
      ([what, hex]): Row => [
        `R is ${what}`,
        'DECISION_SIGNATURE_INVALID',
        () => bytesOf(signedWithoutNonce(people.ann, payloadOf(), fromHex(hex))),
      ],
    ),
    ['R with its sign bit turned', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: changedByte(goodSignature(), 31, 0x80) })],
    [
      'R replaced by the public key',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: b64(Buffer.concat([Buffer.from(people.ann.publicKey.x, 'base64url'), Buffer.alloc(32, 1)])) }),
    ],
    ['a signature of ones', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: b64(Buffer.alloc(64, 0xff)) })],
    ['R and S exchanged', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: b64(swapHalves(goodSignature())) })],
    [
      'the bytes of the signature reversed',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: b64(Buffer.from(goodSignature(), 'base64url').reverse()) }),
    ],
    [
      'the signature in hexadecimal',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: Buffer.from(goodSignature(), 'base64url').toString('hex') }),
    ],
    ['the signature in base64url twice', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: b64(goodSignature()) })],
    [
      'two signatures in one text',
      'DECISION_SIGNATURE_INVALID',
      () =>
        entry({ signature: b64(Buffer.concat([Buffer.from(goodSignature(), 'base64url'), Buffer.from(goodSignature(), 'base64url')])) }),
    ],
    ['a signature of one byte', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: 'AA' })],
    [
      'a signature in DER',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: b64(Buffer.concat([fromHex('3044'), Buffer.from(goodSignature(), 'base64url')])) }),
    ],
    ['the payload alone signed', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: signText(input().payloadText) })],
    ['the header alone signed', 'DECISION_SIGNATURE_INVALID', () => entry({ signature: signText(`${input().protectedText}.`) })],
    [
      'header and payload signed the other way round',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: signText(`${input().payloadText}.${input().protectedText}`) }),
    ],
    [
      'a line feed signed with it',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: signText(`${input().protectedText}.${input().payloadText}\n`) }),
    ],
    [
      'the decoded texts signed',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: signText(`${JSON.stringify(headerFor(people.ann))}.${JSON.stringify(payloadOf())}`) }),
    ],
    [
      'the texts signed in UTF-16',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: signText(`${input().protectedText}.${input().payloadText}`, 'utf16le') }),
    ],
    [
      'the SHA-512 of the texts signed',
      'DECISION_SIGNATURE_INVALID',
      () =>
        entry({
          signature: signText(createHash('sha512').update(`${input().protectedText}.${input().payloadText}`).digest('hex'), 'hex'),
        }),
    ],
    [
      'a signature moved from a decision on another record',
      'DECISION_SIGNATURE_INVALID',
      () => entry({ signature: (JSON.parse(about(scene.approved).toString()) as Jws).signatures[0]!.signature }),
    ],
    [
      'the payload of one decision under header and signature of another',
      'DECISION_SIGNATURE_INVALID',
      () => bytesOf({ ...scene.earlier.jws, payload: good().payload }),
    ],
    ['three signatures', 'DECISION_SIGNATURES', () => envelope({ signatures: Array(3).fill(good().signatures[0]) })],
    ['ten thousand signatures', 'DECISION_SIGNATURES', () => envelope({ signatures: Array(10_000).fill(0) })],
    ['a good signature and null', 'DECISION_SIGNATURES', () => envelope({ signatures: [good().signatures[0], null] })],
    ['a good signature and an empty object', 'DECISION_SIGNATURES', () => envelope({ signatures: [good().signatures[0], {}] })],
    // More encodings
    [
      'a payload with bits set that nothing reads',
      'DECISION_MALFORMED',
      () => envelope({ payload: lastCharacterChanged(b64(withBitsOver(payloadOf()))) }),
    ],
    [
      'a header with bits set that nothing reads',
      'DECISION_MALFORMED',
      () => entry({ protected: lastCharacterChanged(b64(withBitsOver(headerFor(people.ann)))) }),
    ],
    ['standard base64 in the payload', 'DECISION_MALFORMED', () => envelope({ payload: `${good().payload.slice(0, -1)}/` })],
    ['standard base64 in the header', 'DECISION_MALFORMED', () => entry({ protected: `+${good().signatures[0]!.protected.slice(1)}` })],
    ['a payload in lines of 76', 'DECISION_MALFORMED', () => envelope({ payload: good().payload.replace(/.{76}/g, '$&\r\n') })],
    ['a tab in the header', 'DECISION_MALFORMED', () => entry({ protected: `${good().signatures[0]!.protected}\t` })],
    ['padding in percent-encoding', 'DECISION_MALFORMED', () => entry({ signature: `${goodSignature()}%3D%3D` })],
    ['a NUL in the signature', 'DECISION_MALFORMED', () => entry({ signature: `${goodSignature()}\u0000` })],
    ['a point in the signature', 'DECISION_MALFORMED', () => entry({ signature: `${goodSignature()}.` })],
    ['one character too many in the payload', 'DECISION_MALFORMED', () => envelope({ payload: `${'A'.repeat(400)}A` })],
    [
      'base64url in full-width letters',
      'DECISION_MALFORMED',
      () => entry({ signature: goodSignature().replace(/[A-Z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)) }),
    ],
    ['the payload in base64url twice', 'DECISION_MALFORMED', () => envelope({ payload: b64(good().payload) })],
    [
      'the payload in hexadecimal',
      'DECISION_MALFORMED',
      () => envelope({ payload: Buffer.from(good().payload, 'base64url').toString('hex') }),
    ],
    ...[null, true, 1, [], {}].flatMap((value): Row[] => {
      const text = JSON.stringify(value)
      return [
        [`a payload of ${text}`, 'DECISION_MALFORMED', () => envelope({ payload: value })],
        [`a protected header of ${text}`, 'DECISION_MALFORMED', () => entry({ protected: value })],
        [`a signature text of ${text}`, 'DECISION_MALFORMED', () => entry({ signature: value })],
        [`signatures of ${text}`, Array.isArray(value) ? 'DECISION_UNSIGNED' : 'DECISION_MALFORMED', () => envelope({ signatures: value })],
      ]
    }),
    // More forms
    [
      'the compact form with a detached payload',
      'DECISION_MALFORMED',
      () => Buffer.from(`${good().signatures[0]!.protected}..${goodSignature()}`),
    ],
    [
      'the compact form of HTTP',
      'DECISION_MALFORMED',
      () => Buffer.from(`Bearer ${good().signatures[0]!.protected}.${good().payload}.${goodSignature()}`),
    ],
    ['the compact form of a JWE', 'DECISION_MALFORMED', () => Buffer.from('eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA')],
    [
      'the flattened form with an unprotected header',
      'DECISION_MALFORMED',
      () => bytesOf({ payload: good().payload, ...good().signatures[0], header: { kid: kid() } }),
    ],
    ['the general form with a signature beside', 'DECISION_MALFORMED', () => envelope({ signature: goodSignature() })],
    ['a protected header for all signatures', 'DECISION_MALFORMED', () => envelope({ protected: good().signatures[0]!.protected })],
    ['__proto__ in the envelope', 'DECISION_MALFORMED', () => Buffer.from(`{"__proto__":{"payload":"AAAA"},${goodText().slice(1)}`)],
    ['everything under __proto__', 'DECISION_MALFORMED', () => Buffer.from(`{"__proto__":${goodText()}}`)],
    ['constructor in the envelope', 'DECISION_MALFORMED', () => envelope({ constructor: 1 })],
    [
      '__proto__ in the signature',
      'DECISION_MALFORMED',
      () => Buffer.from(goodText().replace('"protected"', '"__proto__":{},"protected"')),
    ],
    ['a signature that is a text', 'DECISION_MALFORMED', () => envelope({ signatures: [goodSignature()] })],
    ['a signature that is a list', 'DECISION_MALFORMED', () => envelope({ signatures: [[good().signatures[0]]] })],
    ['a signature that is an empty object', 'DECISION_HEADER', () => envelope({ signatures: [{}] })],
    ['a decision inside a decision', 'DECISION_MALFORMED', () => rawPayload(goodText())],
    ['an envelope inside an envelope', 'DECISION_MALFORMED', () => bytesOf({ payload: good(), signatures: good().signatures })],
    ['an envelope as a JSON text', 'DECISION_MALFORMED', () => bytesOf(goodText())],
    ['JSON lines', 'DECISION_MALFORMED', () => Buffer.from(`${goodText()}\n${goodText()}\n`)],
    ['a JSON text sequence', 'DECISION_MALFORMED', () => Buffer.from(`\u001e${goodText()}\n`)],
    ['an unsigned decision beside a signed one', 'DECISION_MALFORMED', () => envelope(payloadOf())],
    [
      'signatures twice, the first good',
      'DECISION_MALFORMED',
      () => Buffer.from(goodText().replace('"signatures":', `"signatures":${JSON.stringify(good().signatures)},"signatures":`)),
    ],
    [
      'protected twice in its object',
      'DECISION_MALFORMED',
      () => Buffer.from(goodText().replace('"protected":', '"protected":"e30","protected":')),
    ],
    [
      'protected twice, one spelt with escapes',
      'DECISION_MALFORMED',
      () => Buffer.from(goodText().replace('"protected":', '"\\u0070rotecte\\u0064":"e30","protected":')),
    ],
    ['payload twice, both the same', 'DECISION_MALFORMED', () => Buffer.from(`{"payload":"${good().payload}",${goodText().slice(1)}`)],
    ['__proto__ twice', 'DECISION_MALFORMED', () => Buffer.from(`{"__proto__":1,"__proto__":2,${goodText().slice(1)}`)],
    ['true', 'DECISION_MALFORMED', () => Buffer.from('true')],
    ['an empty object', 'DECISION_MALFORMED', () => Buffer.from('{}')],
    ['an empty list', 'DECISION_MALFORMED', () => Buffer.from('[]')],
    ['a PEM', 'DECISION_MALFORMED', () => Buffer.from(pem())],
    [
      'XML',
      'DECISION_MALFORMED',
      () => Buffer.from('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    ],
    ['YAML', 'DECISION_MALFORMED', () => Buffer.from(`payload: ${good().payload}\n`)],
    ['gzip', 'DECISION_MALFORMED', () => gzipSync(goodText())],
    ['UTF-16 with a byte order mark', 'DECISION_MALFORMED', () => Buffer.from(`\ufeff${goodText()}`, 'utf16le')],
    ['UTF-16 in the other order', 'DECISION_MALFORMED', () => Buffer.from(`\ufeff${goodText()}`, 'utf16le').swap16()],
    ['an overlong UTF-8 byte', 'DECISION_MALFORMED', () => Buffer.concat([Buffer.from(goodText().slice(0, -1)), fromHex('c0af7d')])],
    [
      'a surrogate in UTF-8',
      'DECISION_MALFORMED',
      () => Buffer.from(goodText().replace('"payload"', '"\u0001"')).map((b) => (b === 1 ? 0xed : b)),
    ],
    [
      'a code point beyond Unicode',
      'DECISION_MALFORMED',
      () => Buffer.concat([Buffer.from('{"'), fromHex('f4908080'), Buffer.from(`":1,${goodText().slice(1)}`)]),
    ],
    ['a no-break space around it', 'DECISION_MALFORMED', () => Buffer.from(`\u00a0${goodText()}`)],
    ['a form feed around it', 'DECISION_MALFORMED', () => Buffer.from(`${goodText()}\f`)],
    ['a line separator around it', 'DECISION_MALFORMED', () => Buffer.from(`${goodText()}\u2028`)],
    ['a raw line feed in a text', 'DECISION_MALFORMED', () => Buffer.from(goodText().replace('"payload":"', '"payload":"\n'))],
    ['an unknown escape', 'DECISION_MALFORMED', () => Buffer.from(goodText().replace('"payload"', '"\\payload"'))],
    ['an escape of three digits', 'DECISION_MALFORMED', () => Buffer.from(goodText().replace('"payload"', '"\\u07g0"'))],
    ['NaN', 'DECISION_MALFORMED', () => Buffer.from(`{"x":NaN,${goodText().slice(1)}`)],
    ['a colon that is missing', 'DECISION_MALFORMED', () => Buffer.from(goodText().replace('"payload":', '"payload" '))],
    ['a comma that is missing', 'DECISION_MALFORMED', () => Buffer.from(goodText().replace(',"signatures"', ' "signatures"'))],
    ['a comma too many in the list', 'DECISION_MALFORMED', () => Buffer.from(goodText().replace(/\]\}$/, ',]}'))],
    ['a semicolon in the list', 'DECISION_MALFORMED', () => Buffer.from(goodText().replace(/\]\}$/, ';]}'))],
    ['nine levels', 'DECISION_MALFORMED', () => Buffer.from(`{"x":${'['.repeat(8)}${']'.repeat(8)},${goodText().slice(1)}`)],
    ['a file one byte over the limit', 'DECISION_MALFORMED', () => Buffer.from(goodText().padEnd(65_537))],
    // More payloads, each signed by a key that counts
    ...MEMBERS.flatMap((member): Row[] => [
      [`${member} missing`, 'DECISION_MALFORMED', () => claims({ [member]: undefined })],
      [`${member} null`, 'DECISION_MALFORMED', () => claims({ [member]: null })],
      [`${member} as a list of itself`, 'DECISION_MALFORMED', () => claims({ [member]: [payloadOf()[member]] })],
      [`${member} as an object`, 'DECISION_MALFORMED', () => claims({ [member]: {} })],
      [
        `${member} twice, both the same`,
        'DECISION_MALFORMED',
        () => rawPayload(`{"${member}":${JSON.stringify(payloadOf()[member])},${JSON.stringify(payloadOf()).slice(1)}`),
      ],
    ]),
    [
      'decision twice, the second escaped',
      'DECISION_MALFORMED',
      () => rawPayload(`${JSON.stringify(payloadOf()).slice(0, -1)},"d\\u0065cision":"reject"}`),
    ],
    [
      'decision twice, the first escaped',
      'DECISION_MALFORMED',
      () => rawPayload(`{"\\u0064ecision":"reject",${JSON.stringify(payloadOf()).slice(1)}`),
    ],
    [
      'a member twice inside the comment',
      'DECISION_MALFORMED',
      () => rawPayload(JSON.stringify(payloadOf()).replace('"All checks passed"', '{"a":1,"a":1}')),
    ],
    ...[
      '3.0',
      '3e0',
      '3E0',
      '0.3e1',
      '30e-1',
      '3.000',
      '-3',
      '-0',
      '+3',
      '0x3',
      '3_0',
      '9007199254740992',
      '1e21',
      '"3"',
      '" 3"',
      'true',
      'NaN',
      '3n',
    ].map((text): Row => [`version written ${text}`, 'DECISION_MALFORMED', () => rawVersion(text)]),
    ['version in Arabic digits', 'DECISION_MALFORMED', () => rawVersion('\u0663')],
    ['a payload that is a list', 'DECISION_MALFORMED', () => rawPayload(JSON.stringify([payloadOf()]))],
    ['a payload that is null', 'DECISION_MALFORMED', () => rawPayload('null')],
    ['a payload that is a text', 'DECISION_MALFORMED', () => rawPayload(JSON.stringify(JSON.stringify(payloadOf())))],
    ['a payload in UTF-16', 'DECISION_MALFORMED', () => rawPayload(Buffer.from(JSON.stringify(payloadOf()), 'utf16le'))],
    ['a payload with a NUL at its end', 'DECISION_MALFORMED', () => rawPayload(`${JSON.stringify(payloadOf())}\u0000`)],
    ['two payloads', 'DECISION_MALFORMED', () => rawPayload(JSON.stringify(payloadOf()).repeat(2))],
    ['a member in other letters', 'DECISION_MALFORMED', () => claims({ decision: undefined, Decision: 'approve' })],
    ['a member with a blank', 'DECISION_MALFORMED', () => claims({ decision: undefined, 'decision ': 'approve' })],
    ['constructor in the payload', 'DECISION_MALFORMED', () => claims({ constructor: { prototype: {} } })],
    ['claims of a JWT', 'DECISION_MALFORMED', () => claims({ iss: 'x', aud: 'x', exp: 4_102_444_800 })],
    ['a comment of 60,000 bytes', 'DECISION_MALFORMED', () => claims({ comment: 'c'.repeat(40_000) })],
    ['a comment of a line feed', 'DECISION_MALFORMED', () => claims({ comment: 'a\nb' })],
    ['DEL in the comment', 'DECISION_MALFORMED', () => claims({ comment: 'a\u007f' })],
    ['a C1 control in the comment', 'DECISION_MALFORMED', () => claims({ comment: '\u009b2J' })],
    ['a line feed in decided_by', 'DECISION_MALFORMED', () => claims({ decided_by: 'approver-456\n' })],
    ['a NUL in decided_by', 'DECISION_MALFORMED', () => claims({ decided_by: 'approver-456\u0000' })],
    ['decided_by of 43 characters that are 129 bytes', 'DECISION_MALFORMED', () => claims({ decided_by: '語'.repeat(43) })],
    ['decided_by with a zero-width space', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: 'approver-456\u200b' })],
    ['decided_by in look-alike letters', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: 'аpprover-456' })],
    ['decided_by __proto__', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: '__proto__' })],
    ...['', 'approved', 'Approve', 'approve ', 'approve\u0000', '__proto__', 'toString'].map(
      (text): Row => [`a decision of ${JSON.stringify(text)}`, 'DECISION_MALFORMED', () => claims({ decision: text })],
    ),
    ...[
      '',
      '.',
      '..',
      'a//b',
      '/a',
      'a/',
      'a\\b',
      'a%2fb',
      '-a',
      '.a',
      '_a',
      'a b',
      'a\u0000b',
      'a/b/c/d/e',
      'a/versions',
      'metadata.json',
      'é',
      `a${'b'.repeat(128)}`,
    ].map((id): Row => [`a record id of ${JSON.stringify(id).slice(0, 20)}`, 'DECISION_MALFORMED', () => claims({ record_id: id })]),
    ['a hash of 63 digits', 'DECISION_MALFORMED', () => claims({ parquet_sha256: 'a'.repeat(63) })],
    ['a hash of 65 digits', 'DECISION_MALFORMED', () => claims({ parquet_sha256: 'a'.repeat(65) })],
    ['a hash with its name before it', 'DECISION_MALFORMED', () => claims({ parquet_sha256: `sha256:${scene.draft.hashes[2]}` })],
    ['a hash with a line feed', 'DECISION_MALFORMED', () => claims({ parquet_sha256: `${scene.draft.hashes[2]}\n` })],
    [
      'a hash in base64',
      'DECISION_MALFORMED',
      () => claims({ parquet_sha256: Buffer.from(scene.draft.hashes[2]!, 'hex').toString('base64') }),
    ],
    ['store_id in braces', 'DECISION_MALFORMED', () => claims({ store_id: `{${scene.storeId}}` })],
    ['store_id without dashes', 'DECISION_MALFORMED', () => claims({ store_id: scene.storeId.replaceAll('-', '') })],
    ['an empty store_id', 'DECISION_MALFORMED', () => claims({ store_id: '' })],
    ...[
      '2024-01-27T11:00:00+00:00',
      '2024-01-27t11:00:00z',
      '2024-01-27 11:00:00Z',
      '2024-01-27',
      '2024-W04-6',
      '2024-01-27T24:00:00Z',
      '2024-06-30T23:59:60Z',
      '2024-01-27T11:00Z',
      '2024-01-27T11:00:00.1234567890Z',
      '2024-01-27T11:00:00Z\n',
      '+002024-01-27T11:00:00Z',
      '1706353200',
      '2023-02-29T00:00:00Z',
      '2024-13-01T00:00:00Z',
    ].map((text): Row => [`decided_at ${JSON.stringify(text)}`, 'DECISION_MALFORMED', () => claims({ decided_at: text })]),
    ['decided_at as a number', 'DECISION_MALFORMED', () => claims({ decided_at: 1_706_353_200 })],
    // What the decision is about, and whether it may be
    ['the store of zeros', 'DECISION_STORE_MISMATCH', () => claims({ store_id: '00000000-0000-0000-0000-000000000000' })],
    ['another store and no such record', 'DECISION_STORE_MISMATCH', () => claims({ store_id: OTHER_STORE, record_id: 'nowhere' })],
    ['the record below this one', 'DECISION_RECORD_UNKNOWN', () => claims({ record_id: `${scene.draft.recordId}/a` })],
    ['the newest version there can be', 'DECISION_VERSION_MISMATCH', () => claims({ version: Number.MAX_SAFE_INTEGER })],
    ['the first version', 'DECISION_VERSION_MISMATCH', () => claims({ version: 1, parquet_sha256: scene.draft.hashes[0] })],
    ['a hash of zeros', 'DECISION_HASH_MISMATCH', () => claims({ parquet_sha256: '0'.repeat(64) })],
    [
      'the hash of this record under the name of another',
      'DECISION_VERSION_MISMATCH',
      () => claims({ record_id: scene.approved.recordId }),
    ],
    [
      'the record of this hash under the version of another',
      'DECISION_HASH_MISMATCH',
      () => claims({ record_id: scene.replayed.recordId, version: 2 }),
    ],
    [
      'approval by the maker, with alg EdDSA',
      'DECISION_SELF_APPROVAL',
      () => bytesOf(signed(people.lab, payloadOf({ decided_by: 'lab-export' }), headerFor(people.lab, { alg: 'EdDSA' }))),
    ],
    ['approval by the maker in other letters', 'DECISION_PRINCIPAL_MISMATCH', () => claims({ decided_by: 'Lab-Export' }, people.lab)],
    [
      'rejection with a key of another table',
      'KEY_TABLE_FORBIDDEN',
      () => claims({ decision: 'reject', decided_by: 'narrow' }, people.narrow),
    ],
    ['approval of what is approved', 'ALREADY_APPROVED', () => about(scene.approved)],
    ['rejection of what is approved', 'CANNOT_REJECT_APPROVED', () => about(scene.approved, { decision: 'reject' })],
    ['rejection of what is rejected', 'ALREADY_REJECTED', () => about(scene.rejected, { decision: 'reject' })],
    ['approval of what is rejected', 'CANNOT_APPROVE_REJECTED', () => about(scene.rejected)],
    ['rejection with a revoked key', 'KEY_REVOKED', () => claims({ decision: 'reject', decided_by: 'revoked' }, people.revoked)],
    ['an ended key, and no such record', 'KEY_EXPIRED', () => claims({ decided_by: 'ended', record_id: 'nowhere' }, people.ended)],
    // Replays
    [
      'decision_id used again for the next version',
      'DECISION_REPLAYED',
      () => about(scene.replayed, { decision_id: scene.earlier.payload.decision_id }),
    ],
    ...Object.entries({
      comment: 'changed',
      decision: 'reject',
      decided_at: '2024-06-01T11:59:01Z',
      parquet_sha256: '0'.repeat(64),
      version: 2,
    }).map(
      ([member, value]): Row => [
        `decision_id used again with another ${member}`,
        'DECISION_REPLAYED',
        () => bytesOf(signed(people.ann, { ...scene.earlier.payload, [member]: value })),
      ],
    ),
    [
      "decision_id of somebody else's decision",
      'DECISION_REPLAYED',
      () => bytesOf(signed(people.lab, { ...scene.earlier.payload, decided_by: 'lab-export' })),
    ],
    [
      "somebody else's applied decision, signed again",
      'DECISION_PRINCIPAL_MISMATCH',
      () => bytesOf(signed(people.lab, scene.earlier.payload)),
    ],
    [
      "somebody else's applied decision, signed by a stranger",
      'KEY_UNKNOWN',
      () => bytesOf(signed(people.stranger, scene.earlier.payload)),
    ],
    [
      "somebody else's applied decision with a signature of zeros",
      'DECISION_SIGNATURE_INVALID',
      () => bytesOf({ ...scene.earlier.jws, signatures: [{ ...scene.earlier.jws.signatures[0], signature: b64(Buffer.alloc(64)) }] }),
    ],
    [
      'an applied decision with S + L',
      'DECISION_SIGNATURE_INVALID',
      () =>
        bytesOf({
          ...scene.earlier.jws,
          signatures: [{ ...scene.earlier.jws.signatures[0], signature: plusOrder(scene.earlier.jws.signatures[0]!.signature) }],
        }),
    ],
    ['an applied decision with a member beside', 'DECISION_MALFORMED', () => bytesOf({ ...scene.earlier.jws, again: true })],
    [
      'an applied decision moved to another store',
      'DECISION_STORE_MISMATCH',
      () => bytesOf(signed(people.ann, { ...scene.earlier.payload, store_id: OTHER_STORE })),
    ],
    [
      'an applied decision under a new id',
      'DECISION_VERSION_MISMATCH',
      () => bytesOf(signed(people.ann, { ...scene.earlier.payload, decision_id: '0f0e0d0c-0b0a-4908-8706-0504030201ff' })),
    ],
    [
      'a decision held back until the next version was there',
      'DECISION_VERSION_MISMATCH',
      () => about(scene.draft, { version: 2, parquet_sha256: scene.draft.hashes[1], decided_at: '2024-05-01T00:00:00Z' }),
    ],
    // Instants, to the millisecond
    ['a key at the second it ends', 'KEY_EXPIRED', () => claims({ decided_by: 'ended' }, people.ended), { receivedAfterMs: 0 }],
    ['a key a millisecond after it ended', 'KEY_EXPIRED', () => claims({ decided_by: 'ended' }, people.ended), { receivedAfterMs: 1 }],
    [
      'a key at the second of its revocation',
      'KEY_REVOKED',
      () => claims({ decided_by: 'revoked' }, people.revoked),
      { receivedAfterMs: 0 },
    ],
    ['a key long after its revocation', 'KEY_REVOKED', () => claims({ decided_by: 'revoked' }, people.revoked), { receivedAfterMs: 1e11 }],
    [
      'a key revoked while the decision waited',
      'KEY_REVOKED',
      () => claims({ decided_by: 'revoked' }, people.revoked),
      { receivedAfterMs: -1, nowAfterMs: 0 },
    ],
    [
      'a key a millisecond before it begins',
      'KEY_NOT_YET_VALID',
      () => claims({ decided_by: 'early' }, people.early),
      { receivedAfterMs: 999, nowAfterMs: 999 },
    ],
    [
      'a key revoked at receipt, the clock set back since',
      'KEY_REVOKED',
      () => claims({ decided_by: 'revoked' }, people.revoked),
      { receivedAfterMs: 0, nowAfterMs: -1e9 },
    ],
    [
      'a key revoked and ended: the revocation is named',
      'KEY_REVOKED',
      () => bytesOf(good()),
      under(() => keyring({ exp: 1, revoked_at: 1 })),
    ],
    ['a key revoked before it began', 'KEY_REVOKED', () => bytesOf(good()), under(() => keyring({ nbf: 253_402_300_799, revoked_at: 0 }))],
    ['a key that ends at 0', 'KEY_EXPIRED', () => bytesOf(good()), under(() => keyring({ exp: 0 }))],
    // Keyrings
    ['a keyring rolled back by one', 'KEYRING_ROLLED_BACK', () => bytesOf(good()), under(() => keyring({}, 6))],
    ['a keyring rolled back to 0', 'KEYRING_ROLLED_BACK', () => bytesOf(good()), under(() => keyring({}, 0))],
    ['no keyring', 'KEYRING_INVALID', () => bytesOf(good()), under(() => null)],
    ['an empty keyring file', 'KEYRING_INVALID', () => bytesOf(good()), under(() => Buffer.alloc(0))],
    [
      'a keyring without the signer',
      'KEY_UNKNOWN',
      () => bytesOf(good()),
      under(() => bytesOf({ version: 8, keys: [people.lab.publicKey] })),
    ],
    [
      "a keyring with another key under the signer's kid",
      'DECISION_SIGNATURE_INVALID',
      () => bytesOf(good()),
      under(() => keyring({ x: people.stranger.publicKey.x })),
    ],
    [
      "a keyring that gives the signer's key to somebody else",
      'DECISION_PRINCIPAL_MISMATCH',
      () => bytesOf(good()),
      under(() => keyring({ principal: 'somebody' })),
    ],
    ['a keyring that takes the table away', 'KEY_TABLE_FORBIDDEN', () => bytesOf(good()), under(() => keyring({ tables: ['borelog'] }))],
    ...(
      [
        ['a private key', () => bytesOf({ version: 8, keys: [people.ann.privateKey] })],
        ['the secret beside the public key', () => keyring({ d: people.ann.privateKey.d })],
        [
          'the secret beside another key',
          () => bytesOf({ version: 8, keys: [people.ann.publicKey, { ...people.lab.publicKey, d: people.lab.privateKey.d }] }),
        ],
        ['one kid twice', () => bytesOf({ version: 8, keys: [people.ann.publicKey, { ...people.stranger.publicKey, kid: kid() }] })],
        [
          'one key under two kids',
          () => bytesOf({ version: 8, keys: [people.ann.publicKey, { ...people.ann.publicKey, kid: 'b', principal: 'b' }] }),
        ],
        ['one entry twice', () => bytesOf({ version: 8, keys: [people.ann.publicKey, people.ann.publicKey] })],
        ['a symmetric key', () => bytesOf({ version: 8, keys: [{ kty: 'oct', k: 'AAAA', kid: kid() }] })],
        ['kty RSA', () => keyring({ kty: 'RSA' })],
        ['kty EC', () => keyring({ kty: 'EC', crv: 'P-256', y: 'AAAA' })],
        ['kty in lower case', () => keyring({ kty: 'okp' })],
        ['crv Ed448', () => keyring({ crv: 'Ed448' })],
        ['crv X25519', () => keyring({ crv: 'X25519' })],
        ['use enc', () => keyring({ use: 'enc' })],
        ['use as a list', () => keyring({ use: ['sig'] })],
        ['key_ops', () => keyring({ key_ops: ['verify'] })],
        ['alg HS256', () => keyring({ alg: 'HS256' })],
        ['alg none', () => keyring({ alg: 'none' })],
        ['alg ES256', () => keyring({ alg: 'ES256' })],
        ['x5c', () => keyring({ x5c: ['MII'] })],
        ['x of 31 bytes', () => keyring({ x: b64(Buffer.alloc(31, 7)) })],
        ['x of 33 bytes', () => keyring({ x: b64(Buffer.alloc(33, 7)) })],
        ['x padded', () => keyring({ x: `${people.ann.publicKey.x}=` })],
        ['x with bits set that nothing reads', () => keyring({ x: lastCharacterChanged(people.ann.publicKey.x) })],
        ['x with a blank', () => keyring({ x: ` ${people.ann.publicKey.x.slice(1)}` })],
        ['no kid', () => keyring({ kid: undefined })],
        ['a kid of a number', () => keyring({ kid: 1 })],
        ['no principal', () => keyring({ principal: undefined })],
        ['a principal with a line feed', () => keyring({ principal: 'approver-456\n' })],
        ['tables as a text', () => keyring({ tables: '*' })],
        ['tables with a pattern', () => keyring({ tables: ['bore*'] })],
        ['exp in milliseconds', () => keyring({ exp: scene.nowMs + 1e9 })],
        ['revoked_at as a text', () => keyring({ revoked_at: '2024-01-01' })],
        ['revoked_at false', () => keyring({ revoked_at: false })],
        ['nbf below 0', () => keyring({ nbf: -1 })],
        ['a member nobody knows', () => keyring({ trusted: true })],
        ['no version', () => bytesOf({ keys: [people.ann.publicKey] })],
        ['a version of text', () => bytesOf({ version: '8', keys: [people.ann.publicKey] })],
        ['a version of 8.5', () => keyring({}, 8.5)],
        ['a version of 2^53', () => keyring({}, 2 ** 53)],
        ['keys as an object', () => bytesOf({ version: 8, keys: { [kid()]: people.ann.publicKey } })],
        ['a key of null', () => bytesOf({ version: 8, keys: [null] })],
        ['a bare list', () => bytesOf([people.ann.publicKey])],
        ['a key alone', () => bytesOf(people.ann.publicKey)],
        ['version twice', () => Buffer.from(`{"version":9,${Buffer.from(keyring({})).toString().slice(1)}`)],
        ['keys twice', () => Buffer.from(`${Buffer.from(keyring({})).toString().slice(0, -1)},"keys":[]}`)],
        [
          'revoked_at twice in one key',
          () => Buffer.from(Buffer.from(keyring({})).toString().replace('"revoked_at":', '"revoked_at":1,"revoked_at":')),
        ],
        [
          'revoked_at twice, one escaped',
          () => Buffer.from(Buffer.from(keyring({})).toString().replace('"revoked_at":', '"revoked\\u005fat":1,"revoked_at":')),
        ],
        ['a byte order mark', () => Buffer.concat([fromHex('efbbbf'), keyring({})])],
        ['UTF-16', () => Buffer.from(Buffer.from(keyring({})).toString(), 'utf16le')],
        ['a byte that is not UTF-8', () => Buffer.concat([keyring({}), fromHex('ff')])],
        ['half of a keyring', () => keyring({}).subarray(0, 100)],
        ['text after it', () => Buffer.concat([keyring({}), Buffer.from('x')])],
        ['deep nesting', () => Buffer.from('['.repeat(100_000))],
        ...SMALL_ORDER.map(([what, hex]) => [`a key ${what}`, () => keyring({ x: b64(fromHex(hex)) })] as const),
        ...NO_POINT.map(([what, hex]) => [`a key that is ${what}`, () => keyring({ x: b64(fromHex(hex)) })] as const),
      ] as readonly (readonly [string, () => Uint8Array])[]
    ).map(([what, make]): Row => [`a keyring with ${what}`, 'KEYRING_INVALID', () => bytesOf(good()), under(make)]),
  ]
  return rows.map(([name, code, make, rest]) => ({ name, code, make, ...rest }))
}

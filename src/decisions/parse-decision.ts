import { DECISION_TYPE, type DecisionHeader, type DecisionPayload, decisionHeader, decisionPayload } from '../documents/decision.js'
import type { JwsEnvelope } from '../documents/metadata.js'
import { ERRORS, type ErrorCode } from '../errors.js'
import { decodeBase64url, readStrictJson } from './strict-json.js'

/** Why a decision does not count. `payload` is only what the file claims; nobody has vouched for it when `code` comes before the signature. */
export interface DecisionRefusal {
  readonly ok: false
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly payload: DecisionPayload | null
}

export interface ParsedDecision {
  readonly ok: true
  readonly envelope: JwsEnvelope
  readonly header: DecisionHeader
  readonly payload: DecisionPayload
}

/** The file; the protected header and the payload are limited by it. */
export const DECISION_MAX_BYTES = 65_536
const STRICT = { maxDepth: 8, plainIntegers: true } as const

export function refusal(
  code: ErrorCode,
  message: string,
  payload: DecisionPayload | null = null,
  hint: string = ERRORS[code].hint,
): DecisionRefusal {
  return { ok: false, code, message, hint, payload }
}

/** The first few problems of a document in one line. Values are never quoted: the file may come from anybody. */
export function describeIssues(
  error: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] },
  limit = 5,
): string {
  const lines = error.issues.slice(0, limit).map((issue) => {
    const place = issue.path.map(String).join('.').slice(0, 100)
    return place === '' ? issue.message : `${place}: ${issue.message}`
  })
  if (error.issues.length > limit) lines.push(`and ${error.issues.length - limit} more`)
  return lines.join('; ').slice(0, 1000)
}

/**
 * From bytes to a decision of the right form; no key is asked. Codes: DECISION_MALFORMED, DECISION_UNSIGNED, DECISION_SIGNATURES,
 * DECISION_HEADER.
 *
 * Everything is compared in its one allowed spelling, because a signature covers the base64url text and not what a lenient reader
 * makes of it.
 */
export function parseDecision(bytes: Uint8Array, options: { maxBytes?: number } = {}): ParsedDecision | DecisionRefusal {
  if (bytes.length === 0) return refusal('DECISION_MALFORMED', 'The file is empty: it was taken before it was written.', null, HALF_WRITTEN)
  const read = readStrictJson(bytes, { maxBytes: options.maxBytes ?? DECISION_MAX_BYTES, ...STRICT })
  if (!read.ok) {
    if (read.truncated) return refusal('DECISION_MALFORMED', 'The file ends in the middle: it is half written.', null, HALF_WRITTEN)
    const text = Buffer.from(bytes.subarray(0, 4096)).toString('latin1')
    const what = /^\s*[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/.test(text)
      ? 'it looks like the compact form of a JWS; the general JSON form is needed'
      : read.message
    return refusal('DECISION_MALFORMED', `The file is not a decision: ${what}.`)
  }
  return parseEnvelope(read.value)
}

const HALF_WRITTEN =
  'Write the decision under another name (`.name.tmp`) and rename it to *.decision.json once it is whole; then send it again.'

/** The same for an envelope that is at hand as a value (kept in a history entry, or given to the library). */
export function parseEnvelope(value: unknown): ParsedDecision | DecisionRefusal {
  if (!isObject(value)) return refusal('DECISION_MALFORMED', 'The file is not a decision: its JSON is not an object.')
  const shape = envelopeOf(value)
  if (!shape.ok) return shape
  const { payload: payloadText, protected: protectedText, signature: signatureText } = shape

  const protectedBytes = decodeBase64url(protectedText)
  if (protectedBytes === null) return notCanonical('protected')
  const header = headerOf(protectedBytes)
  const payloadBytes = decodeBase64url(payloadText)
  // With `b64: false` the payload is plain text: the parameter is what is wrong then.
  if (payloadBytes === null) return header.ok ? notCanonical('payload') : header
  const signature = decodeBase64url(signatureText)
  if (signature === null) return header.ok ? notCanonical('signature') : header
  const payload = payloadOf(payloadBytes)
  if (!header.ok) return payload.ok ? { ...header, payload: payload.payload } : header
  if (!payload.ok) return payload
  if (signature.length === 0) return refusal('DECISION_UNSIGNED', 'The signature is empty.', payload.payload)
  return {
    ok: true,
    envelope: { payload: payloadText, signatures: [{ protected: protectedText, signature: signatureText }] },
    header: header.header,
    payload: payload.payload,
  }
}

function notCanonical(name: string): DecisionRefusal {
  return refusal(
    'DECISION_MALFORMED',
    `"${name}" is not base64url in its one canonical form (no padding, no white space, unused bits zero).`,
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function strangers(value: Record<string, unknown>, known: readonly string[]): string[] {
  return Object.keys(value)
    .filter((name) => !known.includes(name))
    .map((name) => JSON.stringify(name.slice(0, 60)))
}

type Shape = { ok: true; payload: string; protected: string; signature: string }

function envelopeOf(value: Record<string, unknown>): Shape | DecisionRefusal {
  if ('decision_id' in value && !('payload' in value)) {
    return refusal('DECISION_UNSIGNED', 'The file is a bare decision without a signature.')
  }
  if ('kty' in value && 'd' in value) {
    return refusal('DECISION_MALFORMED', 'The file is a PRIVATE KEY, not a decision. Revoke that key: it was in a folder that others read.')
  }
  if ('signature' in value || 'protected' in value) {
    return refusal('DECISION_MALFORMED', 'The file is a JWS in flattened form; the general form with "signatures" is needed.')
  }
  if (typeof value.payload !== 'string') return refusal('DECISION_MALFORMED', 'The envelope has no "payload" text.')
  if (value.signatures === undefined) return refusal('DECISION_UNSIGNED', 'The envelope has no signatures.')
  if (!Array.isArray(value.signatures)) return refusal('DECISION_MALFORMED', '"signatures" is not an array.')
  const extra = strangers(value, ['payload', 'signatures'])
  if (extra.length > 0)
    return refusal('DECISION_MALFORMED', `The envelope has members that do not belong there: ${extra.slice(0, 5).join(', ')}.`)
  if (value.signatures.length === 0) return refusal('DECISION_UNSIGNED', 'The envelope has no signatures.')
  if (value.signatures.length > 1) {
    return refusal('DECISION_SIGNATURES', `The envelope has ${value.signatures.length} signatures; exactly one is allowed.`)
  }
  const entry: unknown = value.signatures[0]
  if (!isObject(entry)) return refusal('DECISION_MALFORMED', 'The signature is not an object.')
  if ('header' in entry) return refusal('DECISION_HEADER', 'The signature has an unprotected header, which nobody has signed.')
  if (entry.protected === undefined) return refusal('DECISION_HEADER', 'The signature has no protected header.')
  if (entry.signature === undefined) return refusal('DECISION_UNSIGNED', 'The signature is missing.')
  if (typeof entry.protected !== 'string' || typeof entry.signature !== 'string') {
    return refusal('DECISION_MALFORMED', '"protected" and "signature" must be texts.')
  }
  const odd = strangers(entry, ['protected', 'signature'])
  if (odd.length > 0)
    return refusal('DECISION_MALFORMED', `The signature has members that do not belong there: ${odd.slice(0, 5).join(', ')}.`)
  return { ok: true, payload: value.payload, protected: entry.protected, signature: entry.signature }
}

function headerOf(bytes: Buffer): { ok: true; header: DecisionHeader } | DecisionRefusal {
  const read = readStrictJson(bytes, { maxBytes: DECISION_MAX_BYTES, ...STRICT })
  if (!read.ok) return refusal('DECISION_HEADER', `The protected header is not strict JSON: ${read.message}.`)
  if (!isObject(read.value)) return refusal('DECISION_HEADER', 'The protected header is not an object.')
  const { alg, typ, kid } = read.value
  if (typeof alg === 'string' && alg.toLowerCase() === 'none')
    return refusal('DECISION_UNSIGNED', 'The protected header says alg "none": nobody signed this.')
  const extra = strangers(read.value, ['alg', 'kid', 'typ'])
  if (extra.length > 0) {
    return refusal('DECISION_HEADER', `The protected header has parameters that are not allowed: ${extra.slice(0, 5).join(', ')}.`)
  }
  if (alg !== 'Ed25519' && alg !== 'EdDSA') return refusal('DECISION_HEADER', 'alg is neither Ed25519 nor EdDSA.')
  if (typ !== DECISION_TYPE) return refusal('DECISION_HEADER', `typ is not "${DECISION_TYPE}".`)
  if (kid === undefined) return refusal('DECISION_HEADER', 'The protected header names no key (kid).')
  const header = decisionHeader.safeParse(read.value)
  if (!header.success) return refusal('DECISION_HEADER', `The protected header is not of its form: ${describeIssues(header.error)}.`)
  return { ok: true, header: header.data }
}

function payloadOf(bytes: Buffer): { ok: true; payload: DecisionPayload } | DecisionRefusal {
  const read = readStrictJson(bytes, { maxBytes: DECISION_MAX_BYTES, ...STRICT })
  if (!read.ok) return refusal('DECISION_MALFORMED', `The payload is not strict JSON: ${read.message}.`)
  const payload = decisionPayload.safeParse(read.value)
  if (!payload.success) return refusal('DECISION_MALFORMED', `The payload is not a decision: ${describeIssues(payload.error)}.`)
  return { ok: true, payload: payload.data }
}

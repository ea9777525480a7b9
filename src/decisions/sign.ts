import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { dirname } from 'node:path'
import { calculateJwkThumbprint, exportJWK, GeneralSign, generateKeyPair } from 'jose'
import {
  DECISION_TYPE,
  type DecisionPayload,
  decisionPayload,
  keyringKey,
  type PrivateKeyDocument,
  privateKeyDocument,
} from '../documents/decision.js'
import type { ApproverKey, JwsEnvelope } from '../documents/metadata.js'
import { assert, IntakeError, systemCodeOf } from '../errors.js'
import { createFile, type Files, printablePath } from '../runtime/files.js'
import { approverKeyOf, publicKeyProblem } from './keyring.js'
import { describeIssues } from './parse-decision.js'
import { readStrictJson } from './strict-json.js'

const PRIVATE_KEY_MAX_BYTES = 16_384

/**
 * A fresh Ed25519 key pair of one person. `kid` is the thumbprint of RFC 7638, so that one key has one name everywhere.
 * `nbf` and `exp` are epoch seconds. Throws KEY_INVALID when principal, tables or times are not of their form.
 */
export async function generateApproverKey(options: {
  principal: string
  /** Table names, or `["*"]`. */
  tables: readonly string[]
  nbf?: number | null
  exp?: number | null
}): Promise<{ privateKey: PrivateKeyDocument; publicKey: ApproverKey }> {
  const pair = await generateKeyPair('Ed25519', { extractable: true })
  const jwk = await exportJWK(pair.privateKey)
  assert(typeof jwk.x === 'string' && typeof jwk.d === 'string', 'an exported Ed25519 key has x and d')
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: jwk.x }, 'sha256')
  const parsed = keyringKey.safeParse({
    kty: 'OKP',
    crv: 'Ed25519',
    x: jwk.x,
    kid,
    principal: options.principal,
    tables: options.tables,
    nbf: options.nbf ?? null,
    exp: options.exp ?? null,
    revoked_at: null,
  })
  if (!parsed.success) throw new IntakeError('KEY_INVALID', `The key cannot be made: ${describeIssues(parsed.error)}`)
  return {
    privateKey: { kty: 'OKP', crv: 'Ed25519', x: jwk.x, d: jwk.d, kid, principal: options.principal },
    publicKey: approverKeyOf(parsed.data),
  }
}

/** Writes a private key, mode 0600, into a folder that exists. Throws FILE_EXISTS: a key is never overwritten. */
export async function writePrivateKey(files: Files, path: string, key: PrivateKeyDocument): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(key, null, 2)}\n`, 'utf8')
  if ((await createFile(files, path, bytes, { mode: 0o600 })) === 'exists') {
    throw new IntakeError('FILE_EXISTS', `There is a key at ${printablePath(path)} already`, {
      data: { path: printablePath(path) },
      hint: 'A private key is never overwritten. Move the old one away first, or name another file.',
    })
  }
  // The name must survive a crash before the public half is published: a keyring entry without its key would be of no use.
  await files.syncDirectory(dirname(path))
}

/** A private key that was loaded and checked. The secret is inside `signer` and in no other member. */
export interface SigningKey {
  readonly kid: string
  readonly principal: string
  /** Public coordinate, base64url. */
  readonly x: string
  readonly signer: KeyObject
}

/**
 * Loads keys/<principal>.jwk.json. Throws KEY_INVALID, also when anybody but the owner may read or write the file: such a key proves
 * nothing about who signed. Symbolic links are followed, since secrets are often mounted that way; the mode is that of the file itself.
 */
export async function loadPrivateKey(files: Files, path: string): Promise<SigningKey> {
  const place = printablePath(path)
  const invalid = (what: string, hint?: string): IntakeError =>
    new IntakeError('KEY_INVALID', `The private key ${place} cannot be used: ${what}`, {
      data: { path: place },
      ...(hint === undefined ? {} : { hint }),
    })

  const file = await openKey(files, path, invalid)
  if (file === null)
    throw invalid('there is no such file', 'Make one with `parquet-intake keygen --principal NAME`, or name it with --key.')
  let bytes: Buffer
  try {
    // Mode and bytes of the same open file: nothing can be exchanged between the look and the read.
    const stat = await file.stat()
    if (stat.kind !== 'file') throw invalid('it is not a regular file')
    if ((stat.mode & 0o077) !== 0) {
      throw invalid(
        `its mode is ${stat.mode.toString(8).padStart(4, '0')}, so others may use it`,
        `Run \`chmod 600 ${place}\`. If others could read it, revoke the key and make a new one.`,
      )
    }
    if (stat.sizeBytes > PRIVATE_KEY_MAX_BYTES) throw invalid(`it has ${stat.sizeBytes} bytes`)
    const buffer = Buffer.alloc(stat.sizeBytes)
    bytes = buffer.subarray(0, await file.read(buffer, 0))
  } finally {
    await file.close()
  }

  const read = readStrictJson(bytes, { maxBytes: PRIVATE_KEY_MAX_BYTES, maxDepth: 4 })
  if (!read.ok) throw invalid(read.message)
  const parsed = privateKeyDocument.safeParse(read.value)
  if (!parsed.success) throw invalid(describeIssues(parsed.error))
  const key = parsed.data
  const problem = publicKeyProblem(key.x)
  if (problem !== null) throw invalid(`its public half ${problem}`)
  const signer = signerOf(key)
  // Node takes d and does not look at x: a mixed-up file would sign with a key that nobody knows.
  if (createPublicKey(signer).export({ format: 'jwk' }).x !== key.x) throw invalid('its public half does not belong to its secret')
  return { kid: key.kid, principal: key.principal, x: key.x, signer }
}

async function openKey(files: Files, path: string, invalid: (what: string) => IntakeError): ReturnType<Files['openRead']> {
  try {
    return await files.openRead(path, { follow: true })
  } catch (error) {
    throw invalid(`it cannot be opened (${systemCodeOf(error) ?? 'unknown error'})`)
  }
}

/** A private key document as `node:crypto` signs with it. */
export function signerOf(key: PrivateKeyDocument): KeyObject {
  return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.x, d: key.d }, format: 'jwk' })
}

/**
 * A decision file's content: General JSON Serialization (RFC 7515 §7.2.1) with one signature. Throws DECISION_MALFORMED for a payload
 * that no intake would take.
 */
export async function signDecision(payload: DecisionPayload, key: SigningKey): Promise<JwsEnvelope> {
  const checked = decisionPayload.safeParse(payload)
  if (!checked.success) throw new IntakeError('DECISION_MALFORMED', `The decision cannot be signed: ${describeIssues(checked.error)}`)
  const signed = await new GeneralSign(Buffer.from(JSON.stringify(checked.data), 'utf8'))
    .addSignature(key.signer)
    .setProtectedHeader({ alg: 'Ed25519', kid: key.kid, typ: DECISION_TYPE })
    .sign()
  const [signature] = signed.signatures
  assert(signature?.protected !== undefined, 'one signature with a protected header was asked for')
  return { payload: signed.payload, signatures: [{ protected: signature.protected, signature: signature.signature }] }
}

/** The bytes of a decision file. */
export function decisionFileBytes(envelope: JwsEnvelope): Buffer {
  return Buffer.from(`${JSON.stringify(envelope, null, 2)}\n`, 'utf8')
}

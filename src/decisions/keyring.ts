import { createPublicKey, type KeyObject } from 'node:crypto'
import { dirname } from 'node:path'
import { sha256OfJson } from '../core/hashes.js'
import { type KeyringDocument, type KeyringKeyDocument, type KeyringSeen, keyringDocument, keyringSeen } from '../documents/decision.js'
import type { ApproverKey } from '../documents/metadata.js'
import { IntakeError } from '../errors.js'
import { type Files, printablePath, replaceFile } from '../runtime/files.js'
import { ed25519PointProblem } from './ed25519-point.js'
import { describeIssues } from './parse-decision.js'
import { decodeBase64url, readStrictJson } from './strict-json.js'

/** A key that may sign, as it stands in the keyring and as `node:crypto` takes it. */
export interface TrustedKey {
  readonly key: ApproverKey
  readonly verifier: KeyObject
}

export interface Keyring {
  readonly version: number
  /** SHA-256 of the RFC 8785 form of its keys as history entries keep them, by kid: the same for another order or other white space. */
  readonly contentSha256: string
  readonly keys: ReadonlyMap<string, TrustedKey>
}

const KEYRING_MAX_BYTES = 8 * 1024 * 1024
const MAX_DEPTH = 6

/** Members of a JWK that hold a secret (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2). */
const SECRET_MEMBERS = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth'] as const

/** Why `x` cannot be the public key of anybody, or null. */
export function publicKeyProblem(x: string): string | null {
  const bytes = decodeBase64url(x)
  return bytes === null ? 'is not canonical base64url' : ed25519PointProblem(bytes)
}

/** A checked public key in the form that `jose` and `node:crypto` verify with: the algorithm is bound to the object. */
export function verifierOf(key: { x: string }): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.x }, format: 'jwk' })
}

/** The key as a history entry keeps it. */
export function approverKeyOf(key: KeyringKeyDocument): ApproverKey {
  const { kty, crv, x, kid, principal, tables, nbf, exp, revoked_at } = key
  return { kty, crv, x, kid, principal, tables: [...tables], nbf, exp, revoked_at }
}

/** The keyring's form, every problem listed at once. Throws KEYRING_INVALID. */
export function parseKeyringDocument(bytes: Uint8Array, place: string): KeyringDocument {
  const invalid = (what: string, hint?: string): IntakeError =>
    new IntakeError('KEYRING_INVALID', `The keyring ${place} cannot be used: ${what}`, {
      data: { keyring: place },
      ...(hint === undefined ? {} : { hint }),
    })

  const read = readStrictJson(bytes, { maxBytes: KEYRING_MAX_BYTES, maxDepth: MAX_DEPTH })
  if (!read.ok) throw invalid(read.message)
  const secrets = secretMembers(read.value)
  if (secrets.length > 0) {
    throw invalid(
      `it holds a PRIVATE key (member "${secrets[0]!.member}" of key ${secrets[0]!.index + 1})`,
      'Take the private key out, set revoked_at on its public half, raise the version, and give the approver a new key: whoever read the keyring can sign with this one.',
    )
  }
  const parsed = keyringDocument.safeParse(read.value)
  if (!parsed.success) throw invalid(describeIssues(parsed.error, 20))

  const problems: string[] = []
  const kids = new Set<string>()
  const points = new Set<string>()
  parsed.data.keys.forEach((key, index) => {
    const name = `key ${index + 1} (principal ${JSON.stringify(key.principal)})`
    const problem = publicKeyProblem(key.x)
    if (problem !== null) problems.push(`${name}: x ${problem}`)
    if (kids.has(key.kid)) problems.push(`${name}: its kid stands twice`)
    // One key under two names would let one person be two approvers, and outlive its own revocation.
    if (points.has(key.x)) problems.push(`${name}: the same key stands twice`)
    kids.add(key.kid)
    points.add(key.x)
  })
  if (problems.length > 0) throw invalid(problems.slice(0, 20).join('; '))
  return parsed.data
}

function secretMembers(value: unknown): { index: number; member: string }[] {
  const keys = (value as { keys?: unknown } | null)?.keys
  if (!Array.isArray(keys)) return []
  return keys.flatMap((key: unknown, index) =>
    typeof key === 'object' && key !== null
      ? SECRET_MEMBERS.filter((member) => Object.hasOwn(key, member)).map((member) => ({ index, member }))
      : [],
  )
}

/** Throws KEYRING_INVALID. */
export function parseKeyring(bytes: Uint8Array, place: string): Keyring {
  const document = parseKeyringDocument(bytes, place)
  const keys = new Map<string, TrustedKey>()
  for (const key of document.keys) {
    const approver = approverKeyOf(key)
    keys.set(key.kid, { key: approver, verifier: verifierOf(approver) })
  }
  return { version: document.version, contentSha256: sha256OfJson(Object.fromEntries([...keys].map(([kid, { key }]) => [kid, key]))), keys }
}

/** Reads the keyring once and remembers nothing: for verbs. Throws KEYRING_INVALID, also when there is none. */
export async function loadKeyring(files: Files, path: string): Promise<Keyring> {
  return parseKeyring(await readKeyringBytes(files, path), printablePath(path))
}

/** What state/keyring.json says; null when no keyring was used yet. Throws KEYRING_INVALID. */
export async function loadKeyringSeen(files: Files, path: string): Promise<KeyringSeen | null> {
  const bytes = await files.read(path)
  if (bytes === null) return null
  const read = readStrictJson(bytes, { maxBytes: 4096, maxDepth: 2 })
  const parsed = keyringSeen.safeParse(read.ok ? read.value : null)
  if (parsed.success) return parsed.data
  throw new IntakeError('KEYRING_INVALID', `${printablePath(path)} is damaged, so it is not known which keyring is the newest`, {
    data: { path: printablePath(path) },
    hint: 'Make sure that the keyring in place is the newest one, then remove this file; it is written again with the next decision.',
  })
}

/**
 * Why a keyring may not follow the one seen last; null: it may. Of two keyrings with one version nobody can say which is the newer: one may
 * lack what the other revoked. So a change that does not raise the version stops decisions, as an older version does.
 */
export function keyringRefusal(keyring: Keyring, seen: KeyringSeen | null, place: string): IntakeError | null {
  if (seen === null || keyring.version > seen.version) return null
  const data = { keyring: place, version: keyring.version, seen: seen.version }
  if (keyring.version < seen.version)
    return new IntakeError(
      'KEYRING_ROLLED_BACK',
      `The keyring ${place} has version ${keyring.version}, but version ${seen.version} was seen before`,
      { data },
    )
  if (seen.content_sha256 === undefined || seen.content_sha256 === keyring.contentSha256) return null
  return new IntakeError('KEYRING_INVALID', `The keyring ${place} was changed, and its version is still ${keyring.version}`, {
    data,
    hint: 'Look at what was changed. Every change raises "version" by one; until it does, all decisions are refused.',
  })
}

async function readKeyringBytes(files: Files, path: string): Promise<Buffer> {
  const bytes = await files.read(path)
  if (bytes === null) {
    throw new IntakeError('KEYRING_INVALID', `There is no keyring at ${printablePath(path)}`, {
      data: { keyring: printablePath(path) },
      hint: 'Make the first key with `parquet-intake keygen --principal NAME`, or name the right file as "approvers" in the configuration.',
    })
  }
  return bytes
}

/**
 * The keyring of a running daemon: read from disk before each decision, and never older than what was seen before, also across restarts.
 *
 * A key is withdrawn by a newer keyring. Whoever can put an older file back would bring it to life again, so the newest version, with the
 * hash of what it said, is kept in state/keyring.json; an older keyring, or another one of the same version, stops all decisions.
 */
export class KeyringState {
  private readonly files: Files
  private readonly path: string
  private readonly seenPath: string
  private readonly onVersion: (version: number) => void
  /** What is known to be durable in `seenPath`; null until it was read. */
  private seen: KeyringSeen | 'none' | null = null
  private parsed: { bytes: Buffer; keyring: Keyring } | null = null
  private queue: Promise<unknown> = Promise.resolve()

  /** `path`: the keyring. `seenPath`: state/keyring.json, whose folder exists. `onVersion`: a newer keyring is now the one in use. */
  constructor(options: { files: Files; path: string; seenPath: string; onVersion?: (version: number) => void }) {
    this.files = options.files
    this.path = options.path
    this.seenPath = options.seenPath
    this.onVersion = options.onVersion ?? (() => undefined)
  }

  /** Throws KEYRING_INVALID or KEYRING_ROLLED_BACK; readers wait for each other, since they share one file to write. */
  read(): Promise<Keyring> {
    const result = this.queue.then(() => this.readNow())
    this.queue = result.catch(() => undefined)
    return result
  }

  private async readNow(): Promise<Keyring> {
    const bytes = await readKeyringBytes(this.files, this.path)
    // The whole file is compared, not its time stamps: those can be set. Only the parsing is saved.
    const keyring = this.parsed?.bytes.equals(bytes) ? this.parsed.keyring : parseKeyring(bytes, printablePath(this.path))
    this.parsed = { bytes, keyring }

    this.seen ??= (await loadKeyringSeen(this.files, this.seenPath)) ?? 'none'
    const seen = this.seen === 'none' ? null : this.seen
    const refused = keyringRefusal(keyring, seen, printablePath(this.path))
    if (refused !== null) throw refused
    if (seen === null || keyring.version > seen.version || seen.content_sha256 === undefined) {
      // Durable before the keyring is used: after a crash at any point of this, either no decision has counted under the new version,
      // or the version is on disk and an older keyring is refused.
      const next: KeyringSeen = { format: 1, version: keyring.version, content_sha256: keyring.contentSha256 }
      await replaceFile(this.files, this.seenPath, Buffer.from(`${JSON.stringify(next)}\n`, 'utf8'))
      await this.files.syncDirectory(dirname(this.seenPath))
      this.seen = next
      if (keyring.version > (seen?.version ?? -1)) this.onVersion(keyring.version)
    }
    return keyring
  }
}

/**
 * Adds a public key and raises the version by one; a missing keyring starts at version 1. Returns the new version, or 'present' when the
 * key stands there already. Throws KEYRING_INVALID, and STORE_CONFLICT when somebody else changed the keyring meanwhile.
 */
export async function addToKeyring(files: Files, path: string, key: ApproverKey, options: { unique: string }): Promise<number | 'present'> {
  const place = printablePath(path)
  const before = await files.read(path)
  const document: KeyringDocument = before === null ? { version: 0, keys: [] } : parseKeyringDocument(before, place)
  if (document.keys.some((k) => k.kid === key.kid && k.x === key.x)) return 'present'
  const next = { version: document.version + 1, keys: [...document.keys, key] }
  const bytes = Buffer.from(`${JSON.stringify(next, null, 2)}\n`, 'utf8')
  parseKeyringDocument(bytes, place)

  const mode = (await files.stat(path))?.mode ?? 0o644
  const temporary = `${path}.${options.unique}.tmp`
  const file = await files.create(temporary, { mode })
  if (file === 'exists')
    throw new IntakeError('STORE_CONFLICT', `${printablePath(temporary)} is in use`, { data: { path: printablePath(temporary) } })
  try {
    try {
      await file.write(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    // Two keygens at once must not lose one of the keys: look again just before the rename.
    const now = await files.read(path)
    if (before === null ? now !== null : now === null || !before.equals(now)) {
      throw new IntakeError('STORE_CONFLICT', `The keyring ${place} changed meanwhile`, { data: { keyring: place } })
    }
    // From here on readers see the old keyring or the new one, never a part.
    await files.rename(temporary, path)
  } catch (error) {
    await files.remove(temporary).catch(() => undefined)
    throw error
  }
  await files.syncDirectory(dirname(path))
  return next.version
}

import { join } from 'node:path'
import { sha256Hex } from '../core/hashes.js'
import { STORE_IDENTITY_KEY } from '../core/object-keys.js'
import { fixedForm, type StoreIdentity, storeIdentity } from '../documents/metadata.js'
import { IntakeError } from '../errors.js'
import type { Files } from '../runtime/files.js'
import { replaceFile } from '../runtime/files.js'

export interface ReadIdentity {
  readonly identity: StoreIdentity
  /** SHA-256 of store.json; the first anchor of every writer is chained to it. */
  readonly sha256: string
}

/** null: the store has no store.json and holds nothing. Throws STORE_IDENTITY_MISSING, STORE_INVALID. */
export async function readIdentity(files: Files, root: string): Promise<ReadIdentity | null> {
  const bytes = await files.read(join(root, STORE_IDENTITY_KEY))
  if (bytes === null) {
    for (const folder of ['records', 'anchors']) {
      const entries = await files.list(join(root, folder))
      const first = folder === 'anchors' ? await anyAnchor(files, join(root, folder)) : (entries?.length ?? 0) > 0
      if (first)
        throw new IntakeError('STORE_IDENTITY_MISSING', `${join(root, STORE_IDENTITY_KEY)} is missing, but the store holds ${folder}`)
    }
    return null
  }
  const identity = parseIdentity(bytes)
  if (typeof identity === 'string') throw new IntakeError('STORE_INVALID', `${join(root, STORE_IDENTITY_KEY)} ${identity}`)
  return { identity, sha256: sha256Hex(bytes) }
}

/** The document, or what is wrong with it. */
export function parseIdentity(bytes: Buffer): StoreIdentity | string {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`
  }
  const parsed = storeIdentity.safeParse(json)
  if (!parsed.success) return `is not a store identity: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`
  if (!fixedForm(parsed.data).equals(bytes)) return 'is not in its fixed form: somebody edited it'
  return parsed.data
}

/** Under the lock, before anything else is written: what is chained to the identity must never be older than it. */
export async function writeIdentity(files: Files, root: string, identity: StoreIdentity): Promise<ReadIdentity> {
  const bytes = fixedForm(identity)
  await replaceFile(files, join(root, STORE_IDENTITY_KEY), bytes)
  await files.syncDirectory(root)
  return { identity, sha256: sha256Hex(bytes) }
}

/** A folder of a writer without a segment is no anchor: it is made when the store is opened. */
async function anyAnchor(files: Files, anchors: string): Promise<boolean> {
  for (const writer of (await files.list(anchors)) ?? []) {
    if (writer.kind !== 'directory') return true
    const segments = await files.list(join(anchors, writer.name.toString('utf8')))
    if ((segments?.length ?? 0) > 0) return true
  }
  return false
}

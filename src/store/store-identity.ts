import { join } from 'node:path'
import { sha256Hex } from '../core/hashes.js'
import { ANCHORS_PREFIX, RECORDS_PREFIX, STORE_IDENTITY_KEY } from '../core/object-keys.js'
import { fixedForm, type StoreIdentity, storeIdentity } from '../documents/metadata.js'
import { IntakeError } from '../errors.js'
import type { Files } from '../runtime/files.js'
import { replaceFile } from '../runtime/files.js'
import type { ObjectStore } from './object-store.js'

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

/** On object storage. null: there is no store.json, and nothing that needs one. Throws STORE_IDENTITY_MISSING, STORE_INVALID. */
export async function readSharedIdentity(objects: ObjectStore): Promise<ReadIdentity | null> {
  const read = async (): Promise<ReadIdentity | null> => {
    const object = await objects.read(STORE_IDENTITY_KEY)
    if (object === null) return null
    const identity = parseIdentity(object.bytes)
    if (typeof identity === 'string') throw new IntakeError('STORE_INVALID', `${objects.urlOf(STORE_IDENTITY_KEY)} ${identity}`)
    return { identity, sha256: sha256Hex(object.bytes) }
  }
  const found = await read()
  if (found !== null) return found
  for (const prefix of [RECORDS_PREFIX, ANCHORS_PREFIX]) {
    for await (const key of objects.list(prefix)) {
      // Another process may have made the store, and a record in it, since we looked.
      const made = await read()
      if (made !== null) return made
      throw new IntakeError('STORE_IDENTITY_MISSING', `${objects.urlOf(STORE_IDENTITY_KEY)} is missing, but there is ${key}`)
    }
  }
  return null
}

/** Of several that make the store at once one does, and the others find it made. */
export async function createSharedIdentity(objects: ObjectStore, identity: StoreIdentity): Promise<ReadIdentity> {
  const bytes = fixedForm(identity)
  const put = await objects.putIfAbsent(STORE_IDENTITY_KEY, { bytes }, { tx: `store-${identity.store_id}` })
  if (put === 'created') return { identity, sha256: sha256Hex(bytes) }
  const made = await readSharedIdentity(objects)
  if (made === null) throw new IntakeError('STORE_CONFLICT', `${objects.urlOf(STORE_IDENTITY_KEY)} comes and goes`)
  return made
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

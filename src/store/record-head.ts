import type { Head } from '../core/commit-plan.js'
import { sha256Hex } from '../core/hashes.js'
import { foldHistory } from '../core/history.js'
import { metadataKey } from '../core/object-keys.js'
import { fixedForm, type RecordMetadata, recordMetadata } from '../documents/metadata.js'
import { IntakeError } from '../errors.js'
import type { ObjectStore } from './object-store.js'

/** A record as it stands, and by what the object store knows that it still does. */
export interface ReadHead extends Head {
  readonly etag: string
}

/** Checked before anything is built on it. null: there is no such record. Throws STORE_INVALID. */
export async function readHead(objects: ObjectStore, recordId: string): Promise<ReadHead | null> {
  const key = metadataKey(recordId)
  const object = await objects.read(key)
  if (object === null) return null
  const metadata = parseMetadata(object.bytes)
  const problem =
    typeof metadata === 'string' ? metadata : metadata.record_id === recordId ? null : `is that of record ${metadata.record_id}`
  if (problem !== null) throw new IntakeError('STORE_INVALID', `${key} ${problem}`, { data: { record_id: recordId, key } })
  return { metadata: metadata as RecordMetadata, sha256: sha256Hex(object.bytes), etag: object.etag }
}

/** The document, or what is wrong with it. Everything but the chain and the signatures, which the audit checks. */
export function parseMetadata(bytes: Buffer): RecordMetadata | string {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`
  }
  const parsed = recordMetadata.safeParse(json)
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    return `is not the metadata of a record: ${issues.join('; ')}`
  }
  const folded = foldHistory(parsed.data, parsed.data.history)
  if (!folded.ok) return `has an impossible history: entry ${folded.index + 1}: ${folded.problem}`
  const form = fixedForm(folded.metadata)
  if (form.equals(bytes)) return parsed.data
  return fixedForm(parsed.data).equals(bytes) ? 'does not follow from its own history' : 'is not in its fixed form: somebody edited it'
}

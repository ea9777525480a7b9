import type { RecordIdentity } from '../core/record-model.js'
import { type VersionEntry, versionEntry } from './metadata.js'

/**
 * What stands beside a version on object storage, in the object's own metadata (DESIGN §8, "S3"): the values of its history entry, and which
 * table and source its record belongs to. So whoever meets a version that its writer has not named in metadata.json yet can do that for it.
 * `version` follows from the key and `prev` from the head that the entry is put on: both are left out, and so is the record's id.
 *
 * Object storage allows 2 KB of printable ASCII. A text that is not plain, or that begins with "=", is "=" and the base64url of its UTF-8;
 * hashes are base64url of their 32 bytes.
 */
export function versionAttributes(identity: RecordIdentity, entry: VersionEntry): Record<string, string> {
  const attributes: Record<string, string> = {
    format: '1',
    table: identity.table_name,
    'created-by': textOut(entry.created_by),
    'created-at': entry.created_at,
    parquet: hashOut(entry.parquet_sha256),
    content: hashOut(entry.content_sha256),
    schema: hashOut(entry.schema_sha256),
    rows: String(entry.rows),
    bytes: String(entry.bytes),
  }
  if (identity.source !== null) attributes.source = textOut(identity.source)
  if (entry.comment !== '') attributes.comment = textOut(entry.comment)
  if (entry.drop !== null) {
    attributes['drop-id'] = entry.drop.drop_id
    attributes['drop-name'] = textOut(entry.drop.name)
    attributes['drop-sha256'] = hashOut(entry.drop.sha256)
    attributes['drop-bytes'] = String(entry.drop.bytes)
    attributes['drop-rule'] = hashOut(entry.drop.rule_sha256)
  }
  return attributes
}

/** A history entry without what depends on the head. */
export interface AttributedVersion {
  readonly tableName: string
  readonly source: string | null
  readonly entry: Omit<VersionEntry, 'prev'>
}

/** null: not the attributes of a version of ours. */
export function readVersionAttributes(attributes: Readonly<Record<string, string>>, version: number): AttributedVersion | null {
  const text = (name: string): string | null => textIn(attributes[name])
  const hash = (name: string): string | null => hashIn(attributes[name])
  const number = (name: string): number | null => {
    const value = attributes[name]
    return value !== undefined && /^\d{1,16}$/.test(value) ? Number(value) : null
  }
  const tableName = attributes.table
  if (attributes.format !== '1' || tableName === undefined) return null
  const entry = versionEntry.safeParse({
    version,
    status: 'draft',
    created_by: text('created-by'),
    created_at: attributes['created-at'],
    comment: attributes.comment === undefined ? '' : text('comment'),
    parquet_sha256: hash('parquet'),
    content_sha256: hash('content'),
    schema_sha256: hash('schema'),
    rows: number('rows'),
    bytes: number('bytes'),
    drop:
      attributes['drop-id'] === undefined
        ? null
        : {
            drop_id: attributes['drop-id'],
            name: text('drop-name'),
            sha256: hash('drop-sha256'),
            bytes: number('drop-bytes'),
            rule_sha256: hash('drop-rule'),
          },
    // Only for its form: whoever puts the entry on a head gives it the right one.
    prev: '0'.repeat(64),
  })
  if (!entry.success) return null
  const { prev: _, ...rest } = entry.data
  return { tableName, source: attributes.source === undefined ? null : text('source'), entry: rest }
}

/** Printable ASCII without blanks at its ends, for the header of an answer loses those. */
const PLAIN = /^[!-<>-~](?:[ -~]*[!-~])?$/

function textOut(text: string): string {
  return PLAIN.test(text) ? text : `=${Buffer.from(text, 'utf8').toString('base64url')}`
}

function textIn(value: string | undefined): string | null {
  if (value === undefined) return null
  return value.startsWith('=') ? Buffer.from(value.slice(1), 'base64url').toString('utf8') : value
}

function hashOut(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url')
}

function hashIn(value: string | undefined): string | null {
  return value === undefined ? null : Buffer.from(value, 'base64url').toString('hex')
}

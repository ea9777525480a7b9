import { z } from 'zod'
import { COMPRESSIONS } from './compression.js'
import { dialectDocument, onInvalid } from './config.js'
import { actor, count, dropId, isoTimestamp, sha256, tableName } from './text.js'

/**
 * state/claims/<drop-id>/drop.json: what intake promised when it took a drop. It is durable before the producer's file is touched, and
 * holds everything that the conversion needs, so that recovery does the same work although the configuration has changed meanwhile.
 */

const ENCODED_PATH = /^(?:[A-Za-z0-9._~/ +,=@()-]|%[0-9A-F]{2})*$/

/** The bytes behind an encoded path. Throws on a text that `encodePath` cannot have made. */
export function decodePath(text: string): Buffer {
  if (!ENCODED_PATH.test(text)) throw new Error('not a percent-encoded path')
  if (!text.includes('%')) return Buffer.from(text, 'latin1')
  return Buffer.from(
    text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
}

/** Relative, without empty, `.` and `..` segments: a document from disk must not lead outside its folder. */
const encodedPath = z
  .string()
  .regex(ENCODED_PATH, 'must be a percent-encoded path')
  .refine(
    (text) => text.split('/').every((s) => s !== '' && s !== '.' && s !== '..') && !text.includes('%00') && !text.includes('%2F'),
    'must be a path below its folder',
  )

/** Nanoseconds, inode and device numbers need more than 53 bits. */
const bigDecimal = z.string().regex(/^-?\d{1,20}$/)

/** A file as it was when it had settled. */
export const claimedFile = z.strictObject({
  /** Below inbox/ or decisions/. */
  path: encodedPath,
  /** The name it has while the drop is in flight, in the same folder. */
  hidden: encodedPath,
  /** Where recovery finds the bytes when they came by `requeue`: below the workspace. null: at `hidden`. */
  stored_at: z.string().nullable(),
  inode: bigDecimal,
  device: bigDecimal,
  size: count,
  mtime_ns: bigDecimal,
})
export type ClaimedFile = z.infer<typeof claimedFile>

export const sidecarKind = z.enum(['sha256', 'done', 'manifest'])
export type SidecarKind = z.infer<typeof sidecarKind>

export const recordRule = z.discriminatedUnion('kind', [
  /** The whole drop is this record. The id is not checked yet: an illegal one is the drop's problem. */
  z.strictObject({ kind: z.literal('fixed'), recordId: z.string() }),
  /** A row belongs to the record `prefix + cell + suffix`. */
  z.strictObject({ kind: z.literal('column'), prefix: z.string(), column: z.string().min(1), suffix: z.string() }),
  /** The manifest beside the file says it. */
  z.strictObject({ kind: z.literal('manifest') }),
])
export type RecordRule = z.infer<typeof recordRule>

/** What to do with the bytes, complete. */
export const conversionOrder = z.strictObject({
  source: z.string().min(1),
  table: tableName,
  /** The whole Table Schema document; null where the registry had none (TABLE_UNKNOWN). */
  table_document: z.record(z.string(), z.unknown()).nullable(),
  schema_sha256: sha256.nullable(),
  /** The template as configured; part of `rule_sha256`. */
  record: z.string().min(1),
  record_rule: recordRule,
  dialect: dialectDocument,
  on_invalid: onInvalid,
  created_by: actor,
  allowed_created_by: z.array(actor),
  rule_sha256: sha256,
  compression: z.enum(COMPRESSIONS),
  verify: z.enum(['full', 'paranoid', 'none']),
  /** Named as in the configuration. */
  limits: z.strictObject({
    rowBytes: count,
    columns: count,
    recordsPerDrop: count,
    reportErrors: count,
  }),
})
export type ConversionOrder = z.infer<typeof conversionOrder>

export const dropDocument = z.strictObject({
  format: z.literal(1),
  drop_id: dropId,
  kind: z.enum(['drop', 'decision']),
  file: claimedFile,
  file_kind: z.enum(['file', 'symlink', 'fifo', 'socket', 'device']),
  sidecars: z.array(claimedFile.extend({ kind: sidecarKind })),
  received_at: isoTimestamp,
  /** null for decisions. */
  order: conversionOrder.nullable(),
  requeue_of: dropId.nullable(),
  force: z.boolean(),
  /** Conversions of this drop, running alone, that stopped their process. */
  attempts: count,
})
export type DropDocument = z.infer<typeof dropDocument>

/** A document from disk; null when it is torn, or not one of ours. */
export function parseDropDocument(bytes: Uint8Array): DropDocument | null {
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  } catch {
    return null
  }
  const parsed = dropDocument.safeParse(json)
  return parsed.success ? parsed.data : null
}

export function dropDocumentBytes(document: DropDocument): Buffer {
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`, 'utf8')
}

/** copy.json of a claim: the hash of source.csv, written after it was synced. A match proves the copy, synced or not. */
export const copyNote = z.strictObject({ format: z.literal(1), sha256, bytes: count })
export type CopyNote = z.infer<typeof copyNote>

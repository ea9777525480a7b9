import { z } from 'zod'
import { count, dropId, isoTimestamp, sha256, uuid } from './text.js'

/** receipts/YYYY-MM-DD/<drop-id>.json: what became of one drop or decision. Written once, after archiving. */

/** rows in = committed + unchanged + withheld + invalid + blank; null where the file was not read to its end. */
export const rowAccount = z.strictObject({
  in: count.nullable(),
  committed: count.nullable(),
  /** Rows of records that did not change, also of duplicate and superseded ones. */
  unchanged: count.nullable(),
  /** Valid rows held back with their record or drop. */
  withheld: count.nullable(),
  invalid: count.nullable(),
  blank: count.nullable(),
})
export type RowAccount = z.infer<typeof rowAccount>

export const recordOutcome = z.enum(['created', 'updated', 'unchanged', 'duplicate', 'superseded', 'quarantined'])
export type RecordOutcome = z.infer<typeof recordOutcome>

export const recordResult = z.strictObject({
  record_id: z.string(),
  outcome: recordOutcome,
  /** The version made, or the current one where none was made; null when quarantined. */
  version: z.number().int().min(1).nullable(),
  rows: count,
  invalid: count,
  /** Key of the version below the store's root. */
  key: z.string().nullable(),
  parquet_sha256: sha256.nullable(),
  code: z.string().nullable(),
  message: z.string().nullable(),
})
export type RecordResult = z.infer<typeof recordResult>

export const dropOutcome = z.enum(['committed', 'partial', 'duplicate', 'unchanged', 'superseded', 'quarantined'])
export type DropOutcome = z.infer<typeof dropOutcome>

const receiptBase = {
  format: z.literal(1),
  drop_id: dropId,
  /** The exact path below inbox/ or decisions/, percent-encoded, never cut. */
  path: z.string(),
  sha256: sha256.nullable(),
  bytes: count.nullable(),
  received_at: isoTimestamp,
  finished_at: isoTimestamp,
  code: z.string().nullable(),
  message: z.string().nullable(),
  hint: z.string().nullable(),
  /** Where the original went, below the workspace: archive/… or quarantine/…; null when the producer's file never held bytes of its own. */
  stored_at: z.string().nullable(),
  /** The drop whose original this is, when it came by `requeue`. */
  requeue_of: dropId.nullable(),
} as const

export const dropReceipt = z.strictObject({
  ...receiptBase,
  kind: z.literal('drop'),
  outcome: dropOutcome,
  source: z.string().nullable(),
  table: z.string().nullable(),
  rows: rowAccount,
  records: z.array(recordResult),
  /** Errors by code, exact; null where nothing was validated. */
  errors: z.record(z.string(), count).nullable(),
  absent_columns: z.array(z.string()),
  /** Folder below quarantine/ with report.json, rejects.csv, mended.csv; null when there is nothing to mend. */
  report_at: z.string().nullable(),
  force: z.boolean(),
})
export type DropReceipt = z.infer<typeof dropReceipt>

export const decisionReceipt = z.strictObject({
  ...receiptBase,
  kind: z.literal('decision'),
  /** applied; repeated: the same decision was applied before; refused: see code. */
  outcome: z.enum(['applied', 'repeated', 'refused']),
  decision_id: uuid.nullable(),
  decision: z.enum(['approve', 'reject']).nullable(),
  record_id: z.string().nullable(),
  version: z.number().int().nullable(),
  decided_by: z.string().nullable(),
})
export type DecisionReceipt = z.infer<typeof decisionReceipt>

export const receipt = z.discriminatedUnion('kind', [dropReceipt, decisionReceipt])
export type Receipt = z.infer<typeof receipt>

import { z } from 'zod'
import { sha256OfJson } from '../core/hashes.js'
import { historyEntry } from './metadata.js'
import { count, recordId, sha256, tableName } from './text.js'

/**
 * store/staging/<tx>/plan.json: one commit that was decided on and may not be visible yet. With the record as it stands it gives the
 * whole new metadata.json, so that recovery carries it out without asking anybody.
 */
export const storedPlan = z.strictObject({
  format: z.literal(1),
  tx: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/),
  record_id: recordId,
  table_name: tableName,
  source: z.string().nullable(),
  /** The head it was made on: entries in the history (0: no record) and SHA-256 of metadata.json. */
  base: z.strictObject({ history_length: count, metadata_sha256: sha256.nullable() }),
  entry: historyEntry,
  /** SHA-256 of metadata.json once the plan is carried out. */
  metadata_sha256: sha256,
})
export type StoredPlan = z.infer<typeof storedPlan>

const envelope = z.strictObject({ plan_sha256: sha256, plan: storedPlan })

export function encodePlan(plan: StoredPlan): Buffer {
  return Buffer.from(`${JSON.stringify({ plan_sha256: sha256OfJson(plan), plan })}\n`, 'utf8')
}

/** null: the file is torn, which is what a crash before its fsync leaves; such a plan was never acted on. */
export function decodePlan(bytes: Uint8Array): StoredPlan | null {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return null
  }
  const parsed = envelope.safeParse(json)
  if (!parsed.success || sha256OfJson(parsed.data.plan) !== parsed.data.plan_sha256) return null
  return parsed.data.plan
}

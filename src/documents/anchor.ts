import { z } from 'zod'
import { isRecordId } from '../core/record-id.js'
import { recordId, sha256 } from './text.js'

/**
 * One line of anchors/<writer>/<segment>.ndjson, without white space, members in this order. The lines of one writer are one chain over
 * all its segments: `prev` is the SHA-256 of the line before (without its newline), in the very first line that of store.json.
 */
export const anchorLine = z.strictObject({
  record_id: recordId,
  /** Entries in the record's history after the commit. */
  history_length: z.number().int().min(1),
  /** SHA-256 of metadata.json after the commit. */
  metadata_sha256: sha256,
  prev: sha256,
})
export type AnchorLine = z.infer<typeof anchorLine>

export function encodeAnchor(line: AnchorLine): string {
  const { record_id, history_length, metadata_sha256, prev } = line
  return JSON.stringify({ record_id, history_length, metadata_sha256, prev })
}

/** The one text that `encodeAnchor` makes of a line: a legal record id has nothing that JSON would escape. */
const LINE =
  /^\{"record_id":"([A-Za-z0-9._/-]+)","history_length":([1-9]\d{0,15}),"metadata_sha256":"([0-9a-f]{64})","prev":"([0-9a-f]{64})"\}$/

/** null: not a line of ours, byte for byte. Read without a schema, for every start reads a thousand lines. */
export function decodeAnchor(text: string): AnchorLine | null {
  const found = LINE.exec(text)
  if (found === null) return null
  const [, id, length, metadata, prev] = found as unknown as [string, string, string, string, string]
  if (!isRecordId(id) || !Number.isSafeInteger(Number(length))) return null
  return { record_id: id, history_length: Number(length), metadata_sha256: metadata, prev }
}

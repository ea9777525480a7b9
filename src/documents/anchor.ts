import { z } from 'zod'
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

/** null: not a line of ours, byte for byte. */
export function decodeAnchor(text: string): AnchorLine | null {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return null
  }
  const parsed = anchorLine.safeParse(json)
  return parsed.success && encodeAnchor(parsed.data) === text ? parsed.data : null
}

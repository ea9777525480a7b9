import { IntakeError } from '../errors.js'

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const RESERVED = new Set(['versions', 'metadata.json'])

/** DESIGN: 1 to 4 segments joined by "/", each `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, none of them `versions` or `metadata.json`. */
export function isRecordId(text: string): boolean {
  const segments = text.split('/')
  return segments.length <= 4 && segments.every((s) => SEGMENT.test(s) && !RESERVED.has(s))
}

/** Throws RECORD_ID_ILLEGAL. */
export function checkRecordId(text: string): string {
  if (!isRecordId(text)) {
    throw new IntakeError('RECORD_ID_ILLEGAL', `${JSON.stringify(text.slice(0, 200))} is not a legal record id`, {
      data: { record_id: text.slice(0, 600) },
    })
  }
  return text
}

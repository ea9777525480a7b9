import { z } from 'zod'
import { dropId, isoTimestamp } from './text.js'

/** state/requests/<uuid>.json: what a verb asks of the daemon. Written whole by rename; the daemon removes it once it is done. */
export const request = z.strictObject({
  format: z.literal(1),
  kind: z.literal('requeue'),
  drop_id: dropId,
  /** Make a version even of what is a duplicate, unchanged or superseded. */
  force: z.boolean(),
  requested_at: isoTimestamp,
})
export type Request = z.infer<typeof request>

const REQUEST_NAME = /^[0-9a-f-]{36}\.json$/

export function isRequestName(name: string): boolean {
  return REQUEST_NAME.test(name)
}

/** null: not a request. */
export function parseRequest(bytes: Uint8Array): Request | null {
  try {
    const parsed = request.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

import { ERRORS, type ErrorCode, IntakeError, isExhausted, systemCodeOf } from '../errors.js'
import type { ConvertFailed } from './protocol.js'

export const ABORTED: ConvertFailed = {
  status: 'failed',
  code: 'ABORTED',
  message: 'The conversion was stopped',
  hint: ERRORS.ABORTED.hint,
}

/** A thrown value as a result, for nothing is thrown across a thread: an error's own code, RESOURCES_EXHAUSTED or IO_FAILED for the system's, INTERNAL with its stack for a defect. */
export function failureOf(error: unknown): ConvertFailed {
  if (error instanceof IntakeError) return { status: 'failed', code: error.code, message: error.message, hint: error.hint }
  const code: ErrorCode = isExhausted(error) ? 'RESOURCES_EXHAUSTED' : systemCodeOf(error) === null ? 'INTERNAL' : 'IO_FAILED'
  const text = error instanceof Error ? (code === 'INTERNAL' ? (error.stack ?? error.message) : error.message) : String(error)
  return { status: 'failed', code, message: text, hint: ERRORS[code].hint }
}

import { z } from 'zod'
import { isDropId } from '../core/drop-id.js'
import { isRecordId } from '../core/record-id.js'
import { TABLE_NAME } from './table-name.js'

/** Control characters: C0, DEL, C1. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

export const COMMENT_MAX_BYTES = 512
export const ACTOR_MAX_BYTES = 128
export const DROP_NAME_MAX_BYTES = 340

export function isComment(text: string): boolean {
  return text.isWellFormed() && Buffer.byteLength(text) <= COMMENT_MAX_BYTES && !CONTROL.test(text)
}

export function isActor(text: string): boolean {
  return text.isWellFormed() && text.length > 0 && Buffer.byteLength(text) <= ACTOR_MAX_BYTES && !CONTROL.test(text)
}

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')
export const uuid = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'must be a lower-case UUID')
export const isoTimestamp = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, 'must be a UTC time with milliseconds')
export const comment = z.string().refine(isComment, 'must be at most 512 bytes of UTF-8 without control characters')
export const actor = z.string().refine(isActor, 'must be 1 to 128 bytes of UTF-8 without control characters')
export const recordId = z.string().refine(isRecordId, 'must be a legal record id')
export const dropId = z.string().refine(isDropId, 'must be a drop-id')
export const tableName = z.string().regex(TABLE_NAME, 'must be letters, digits, "_" and "-", at most 128')
export const count = z.number().int().nonnegative().safe()

/** Bytes that stand for themselves in an encoded path. */
const PLAIN = /^[A-Za-z0-9._~/ +,=@()-]*$/

/** Each byte as an encoded path shows it. */
const ENCODED = Array.from({ length: 256 }, (_, byte) => {
  const c = String.fromCharCode(byte)
  return PLAIN.test(c) ? c : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
})

/** The exact bytes of a path, percent-encoded, never cut. `decodePath` (drop.ts) gives them back. */
export function encodePath(path: Buffer | string): string {
  // Most names are plain from end to end.
  const text = typeof path === 'string' ? path : path.toString('latin1')
  if (PLAIN.test(text)) return text
  let out = ''
  for (const byte of typeof path === 'string' ? Buffer.from(path, 'utf8') : path) out += ENCODED[byte]!
  return out
}

/** A file name as every document shows it: percent-encoded bytes, cut and marked with `…` (as %E2%80%A6) beyond 340 bytes. */
export function encodeDropName(name: Buffer | string): string {
  const whole = encodePath(name)
  if (whole.length <= DROP_NAME_MAX_BYTES) return whole
  const mark = '%E2%80%A6'
  // Never in the middle of an encoded byte.
  return whole.slice(0, DROP_NAME_MAX_BYTES - mark.length).replace(/%[0-9A-F]?$/, '') + mark
}

/** The name of a stored file: at most 120 safe bytes of the original's last part; never empty, never hidden. */
export function storedName(name: Buffer | string): string {
  const text = (typeof name === 'string' ? Buffer.from(name, 'utf8') : name).toString('latin1')
  const last = text.slice(text.lastIndexOf('/') + 1)
  const safe = last.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^[.-]+/, '')
  if (safe.length <= 120) return safe === '' ? 'drop' : safe
  const dot = safe.lastIndexOf('.')
  const extension = dot > 0 && safe.length - dot <= 16 ? safe.slice(dot) : ''
  return safe.slice(0, 120 - extension.length) + extension
}

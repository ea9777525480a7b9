import { hash } from 'node:crypto'
import { canonicalJson } from './canonical-json.js'

/** Lower-case hex SHA-256 of bytes, or of the UTF-8 form of a text. */
export function sha256Hex(data: Uint8Array | string): string {
  return hash('sha256', data, 'hex')
}

/** SHA-256 of the RFC 8785 form of a JSON value. */
export function sha256OfJson(value: unknown): string {
  return sha256Hex(canonicalJson(value))
}

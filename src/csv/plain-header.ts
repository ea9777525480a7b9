import { isUtf8 } from 'node:buffer'
import type { CsvLimits } from './read-csv.js'

const LF = 0x0a
const CR = 0x0d
const BYTE_ORDER_MARK = '\uFEFF'

/**
 * The labels of a header line as RFC 4180 has it, in UTF-8 with or without a byte order mark: exactly those that `openCsv` gives. null:
 * the line holds a quote or something else that csv-parse must judge. It spares a conversion of plain text from loading csv-parse for
 * one line.
 *
 * `line` is the first record of the file with its line end; `delimiter` is an ASCII character.
 */
export function plainLabels(line: Uint8Array, delimiter: string, limits: CsvLimits): string[] | null {
  if (line.length > limits.rowBytes || line.at(-1) !== LF) return null
  const body = line.subarray(0, line.at(-2) === CR ? -2 : -1)
  if (!isUtf8(body)) return null
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  const header = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
  if (/["\r\n\0]/.test(header) || header.startsWith(BYTE_ORDER_MARK)) return null
  const labels = header.split(delimiter)
  if (labels.length > limits.columns || labels.every((label) => label.trim() === '')) return null
  return labels
}

/** First bytes of formats that are dropped under the name of a CSV file, in latin1. */
const FORMATS: readonly (readonly [start: string, what: string])[] = [
  ['\x1f\x8b', 'gzip: unpack it before the drop'],
  ['PK\x03\x04', 'a zip archive, or a workbook such as .xlsx: unpack it, or save it as CSV, before the drop'],
  ['\x28\xb5\x2f\xfd', 'zstd: unpack it before the drop'],
  ['BZh', 'bzip2: unpack it before the drop'],
  ['\xfd7zXZ\x00', 'xz: unpack it before the drop'],
  ['PAR1', 'Parquet already'],
  ['\xd0\xcf\x11\xe0', 'a workbook such as .xls: save it as CSV before the drop'],
  ['SQLite format 3', 'a database of SQLite'],
  ['%PDF-', 'a PDF'],
]

export const KNOWN_START_BYTES = 16

/** What a file that is no text seems to be, by its first bytes; null where nothing is known of them. */
export function knownFormat(start: Uint8Array): string | null {
  const text = Buffer.from(start.subarray(0, KNOWN_START_BYTES)).toString('latin1')
  return FORMATS.find(([first]) => text.startsWith(first))?.[1] ?? null
}

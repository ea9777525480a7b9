import type { DialectDocument } from './config.js'

/**
 * What the configuration says where it says nothing (DESIGN §5). Apart from the shapes, which take their defaults from here, so that a
 * conversion without a configuration loads no zod.
 */

/** Of each member of a dialect. Without a type of its own, for the shape of a dialect is made with it. */
export const DIALECT_DEFAULTS = {
  delimiter: ',',
  quoteChar: '"',
  doubleQuote: true,
  escapeChar: null,
  skipInitialSpace: false,
  header: true,
  headerRows: [1],
  headerJoin: ' ',
  commentRows: [] as number[],
  commentChar: null,
  encoding: 'utf-8',
}

/** RFC 4180. */
export const DEFAULT_DIALECT: DialectDocument = DIALECT_DEFAULTS

export const DEFAULT_CONVERT = { threads: 'auto', memoryMb: 512, verify: 'full', compression: 'SNAPPY' } as const

export const DEFAULT_LIMITS = {
  dropBytes: 64 * 1024 ** 3,
  rowBytes: 16 * 1024 ** 2,
  columns: 4096,
  recordsPerDrop: 100_000,
  reportErrors: 1000,
  conversionSeconds: 30,
  dropsInFlight: 64,
  decisionBytes: 65_536,
}

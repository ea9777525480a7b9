import { z } from 'zod'
import { COMPRESSIONS, HAS_ZSTD, ZSTD_MISSING } from './compression.js'
import { DEFAULT_CONVERT, DEFAULT_LIMITS, DIALECT_DEFAULTS } from './defaults.js'

export { DEFAULT_DIALECT } from './defaults.js'

import { actor, sha256, tableName } from './text.js'

/** config/intake.json (DESIGN §5). Everything has a limit, and every limit a stated default. */

export const onInvalid = z.enum(['quarantine-drop', 'quarantine-record', 'skip-rows'])
export type OnInvalid = z.infer<typeof onInvalid>

/**
 * A Table Dialect document (Data Package v2) with an `encoding` beside it.
 * Spec defaults apply: delimiter ",", header true, headerRows [1], headerJoin " ", doubleQuote true, quoteChar '"', skipInitialSpace false.
 */
export const dialectDocument = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  delimiter: z.string().min(1).max(8).default(DIALECT_DEFAULTS.delimiter),
  lineTerminator: z.string().min(1).max(2).optional(),
  quoteChar: z.string().length(1).nullable().default(DIALECT_DEFAULTS.quoteChar),
  doubleQuote: z.boolean().default(DIALECT_DEFAULTS.doubleQuote),
  escapeChar: z.string().length(1).nullable().default(DIALECT_DEFAULTS.escapeChar),
  nullSequence: z.string().optional(),
  skipInitialSpace: z.boolean().default(DIALECT_DEFAULTS.skipInitialSpace),
  header: z.boolean().default(DIALECT_DEFAULTS.header),
  headerRows: z.array(z.number().int().min(1)).min(1).default(DIALECT_DEFAULTS.headerRows),
  headerJoin: z.string().default(DIALECT_DEFAULTS.headerJoin),
  commentRows: z.array(z.number().int().min(1)).default(DIALECT_DEFAULTS.commentRows),
  commentChar: z.string().min(1).max(8).nullable().default(DIALECT_DEFAULTS.commentChar),
  /** A WHATWG encoding label. */
  encoding: z.string().default(DIALECT_DEFAULTS.encoding),
})
export type DialectDocument = z.infer<typeof dialectDocument>

export const sourceConfig = z.strictObject({
  /** Stands in metadata.json; never change it once records exist. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  /** Glob over paths below the inbox. */
  match: z.string().min(1).max(1024),
  table: tableName,
  /** `{path}`, `{stem}`, `{column:NAME}` and literal text, or "manifest". */
  record: z.string().min(1).max(1024).default('{path}'),
  createdBy: actor,
  /** Who a manifest may name as created_by, besides createdBy. */
  allowedCreatedBy: z.array(actor).default([]),
  onInvalid: onInvalid.default('quarantine-drop'),
  dialect: dialectDocument.optional(),
  /** Sidecars that must be there before a drop is taken: `<name>.sha256` (binding), `<name>.done`. */
  sidecars: z.array(z.enum(['sha256', 'done'])).default([]),
})
export type SourceConfig = z.infer<typeof sourceConfig>

const positive = z.number().int().positive()

export const intakeConfig = z.strictObject({
  $schema: z.string().optional(),
  workspace: z.string().default('..'),
  store: z
    .discriminatedUnion('mode', [z.strictObject({ mode: z.literal('local'), path: z.string().optional() })])
    .default({ mode: 'local' }),
  inbox: z
    .strictObject({
      settleMs: z.number().int().min(0).default(2000),
      rescanMs: positive.default(15_000),
      polling: z.boolean().default(false),
      ignore: z.array(z.string()).default(['*.tmp', '*.part', '.*']),
    })
    .prefault({}),
  convert: z
    .strictObject({
      threads: z.union([z.literal('auto'), positive.max(1024)]).default(DEFAULT_CONVERT.threads),
      memoryMb: positive.default(DEFAULT_CONVERT.memoryMb),
      verify: z.enum(['full', 'paranoid', 'none']).default(DEFAULT_CONVERT.verify),
      compression: z
        .enum(COMPRESSIONS)
        .refine((codec) => codec !== 'ZSTD' || HAS_ZSTD, ZSTD_MISSING)
        .default(DEFAULT_CONVERT.compression),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** Bytes of one drop. */
      dropBytes: positive.default(DEFAULT_LIMITS.dropBytes),
      /** Bytes of one row, and so of one cell and of the header. */
      rowBytes: positive.default(DEFAULT_LIMITS.rowBytes),
      columns: positive.default(DEFAULT_LIMITS.columns),
      /** Records one drop may name. */
      recordsPerDrop: positive.default(DEFAULT_LIMITS.recordsPerDrop),
      /** Errors listed in report.json; totals are exact all the same. */
      reportErrors: positive.default(DEFAULT_LIMITS.reportErrors),
      /** What one conversion may take before it counts as hung, and a second more for each MiB of its source. */
      conversionSeconds: positive.default(DEFAULT_LIMITS.conversionSeconds),
      /** Drops taken from the inbox and not finished yet. */
      dropsInFlight: positive.default(DEFAULT_LIMITS.dropsInFlight),
      decisionBytes: positive.default(DEFAULT_LIMITS.decisionBytes),
    })
    .prefault({}),
  sources: z.array(sourceConfig).default([]),
  approvers: z.string().default('approvers.jwks.json'),
  decisions: z.strictObject({ forbidSelfApproval: z.boolean().default(true) }).prefault({}),
  log: z.strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info') }).prefault({}),
})
export type IntakeConfig = z.infer<typeof intakeConfig>
export type Limits = IntakeConfig['limits']

/** Sidecar `<name>.manifest.json` of a source whose `record` is "manifest". */
export const manifestDocument = z.strictObject({
  record_id: z.string(),
  comment: z.string().optional(),
  sha256: sha256.optional(),
  rows: z.number().int().nonnegative().optional(),
  created_by: actor.optional(),
})
export type ManifestDocument = z.infer<typeof manifestDocument>

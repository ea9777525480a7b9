import { randomBytes } from 'node:crypto'
import { dirname, join, resolve } from 'node:path'
import type { DialectDocument, IntakeConfig, OnInvalid } from '../documents/config.js'
import { DEFAULT_DIALECT, DEFAULT_LIMITS } from '../documents/defaults.js'
import { IntakeError } from '../errors.js'
import type { Files } from '../runtime/files.js'
import type { Table } from '../tables/build-table.js'
import type { ConvertDone, Converter, ConvertRequest } from './protocol.js'

interface FileOptions {
  readonly files: Files
  readonly converter: Converter
  readonly path: string
  readonly table: Table
  readonly dialect?: DialectDocument | null
  readonly signal?: AbortSignal
  /** Two cells: bytes read, bytes to read; see ConvertRequest.progress. */
  readonly progress?: BigInt64Array | null
}

function requestOf(options: FileOptions, rest: Pick<ConvertRequest, 'output' | 'onInvalid' | 'compression' | 'verify'>): ConvertRequest {
  return {
    sourcePath: resolve(options.path),
    place: options.path,
    tableName: options.table.name,
    tableDocument: options.table.document,
    tableChecked: true,
    dialect: options.dialect ?? DEFAULT_DIALECT,
    grouping: { kind: 'single', recordId: null },
    reportFolder: null,
    limits: DEFAULT_LIMITS,
    expectedRows: null,
    progress: options.progress ?? null,
    ...rest,
  }
}

async function run(options: FileOptions, request: ConvertRequest): Promise<ConvertDone> {
  const stat = await options.files.stat(request.sourcePath)
  if (stat === null) throw new IntakeError('IO_FAILED', `${options.path} does not exist`)
  const result = await options.converter.convert(request, options.signal === undefined ? {} : { signal: options.signal })
  if (result.status === 'failed') throw new IntakeError(result.code, result.message, { hint: result.hint })
  return result
}

/** A Frictionless report of one CSV; writes nothing. */
export function validateFile(options: FileOptions): Promise<ConvertDone> {
  return run(options, requestOf(options, { output: { kind: 'none' }, onInvalid: 'quarantine-drop', compression: 'NONE', verify: 'none' }))
}

/**
 * One conversion without a store. The file appears under its name only when it is whole, synced and verified; an existing one is never
 * overwritten (FILE_EXISTS). When rows are invalid nothing is written, unless they are to be skipped.
 */
export async function convertFile(
  options: FileOptions & {
    readonly out: string
    readonly onInvalid?: Extract<OnInvalid, 'quarantine-drop' | 'skip-rows'>
    readonly compression?: IntakeConfig['convert']['compression']
    readonly verify?: IntakeConfig['convert']['verify']
  },
): Promise<ConvertDone> {
  const { files } = options
  const out = resolve(options.out)
  if ((await files.stat(out)) !== null) throw new IntakeError('FILE_EXISTS', `${options.out} exists already`)
  // Not made from the name, which may have all the bytes a name can have.
  const temporary = join(dirname(out), `.parquet-intake-${randomBytes(8).toString('hex')}.part`)
  const request = requestOf(options, {
    output: { kind: 'file', path: temporary },
    onInvalid: options.onInvalid ?? 'quarantine-drop',
    compression: options.compression ?? 'SNAPPY',
    verify: options.verify ?? 'full',
  })
  try {
    const result = await run(options, request)
    if (result.staged.length > 0) {
      if ((await files.link(temporary, out)) === 'exists') throw new IntakeError('FILE_EXISTS', `${options.out} exists already`)
      await files.syncDirectory(dirname(out))
    }
    return result
  } finally {
    // A worker that was stopped leaves it. Failing to remove it is not what the caller must hear about.
    await files.remove(temporary).catch(() => {})
  }
}

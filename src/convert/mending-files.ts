import { join } from 'node:path'
import { openCsv } from '../csv/read-csv.js'
import { CsvWriter } from '../csv/write-csv.js'
import { DEFAULT_DIALECT } from '../documents/defaults.js'
import type { Files, OpenFile } from '../runtime/files.js'
import type { Table } from '../tables/build-table.js'
import { type HeaderMatch, matchHeader } from '../tables/header.js'
import { shortened } from './cell-text.js'
import type { ConvertRequest } from './protocol.js'
import type { RowValidator } from './row-validator.js'

/** Columns that mended.csv adds and that intake ignores when it comes back. */
export const LINE_LABEL = '_line'
export const ERRORS_LABEL = '_errors'

const FLUSH_BYTES = 256 * 1024

/** Stands behind the last column of a row that had too few cells. */
const SHORT_ROW_MARK = 'cells were missing: delete this one once the row is whole'

/**
 * Writes rejects.csv (the invalid rows, for reading, RFC 4180 in UTF-8) and mended.csv (every row of each affected record as it came, in
 * the dialect of the source) by reading the file a second time: findings are the same as in the first run, and memory stays flat
 * however many rows are wrong. Not synced: the claim is the truth, these are made again after a crash. Each gets its name when it is whole,
 * for half a mended.csv would be taken for the complete next version.
 *
 * What is wrong in mended.csv stays wrong until a person mends it. So a ragged row must not become whole by the two columns added: cells
 * beyond the header stand behind `_errors`, and a row that was short has a mark there, also when the file is dropped unmended and comes
 * back again. Where the dialect has no header, there are no columns to add and each row is written just as it came.
 */
export async function writeMendingFiles(options: {
  files: Files
  folder: string
  request: ConvertRequest
  labels: readonly string[]
  newValidator: (header: HeaderMatch) => RowValidator
  table: Table
  isAffected: (record: number, recordId: string) => boolean
  openSource: () => Promise<Source>
  signal?: AbortSignal
}): Promise<void> {
  const { files, folder } = options
  const source = await options.openSource()
  try {
    const rejects = await Output.open(files, join(folder, 'rejects.csv'))
    try {
      const mended = await Output.open(files, join(folder, 'mended.csv'))
      try {
        await copyRows(options, source, rejects, mended)
        await mended.finish()
      } finally {
        await mended.close()
      }
      await rejects.finish()
    } finally {
      await rejects.close()
    }
  } finally {
    await source.close()
  }
}

async function copyRows(options: Parameters<typeof writeMendingFiles>[0], source: Source, rejects: Output, mended: Output): Promise<void> {
  const { request, labels } = options
  const reader = await openCsv({ chunks: source.chunks(), dialect: request.dialect, limits: request.limits })
  const validator = options.newValidator(matchHeader(options.table, reader.labels))
  const plainWriter = new CsvWriter(DEFAULT_DIALECT)
  const mendedWriter = new CsvWriter(request.dialect)
  // A mended file that is wrong again brings its own _line and _errors: the old ones make room for the new.
  const kept = labels.map((_, i) => i).filter((i) => labels[i] !== LINE_LABEL && labels[i] !== ERRORS_LABEL)
  const extended = [...kept.map((i) => labels[i]!), LINE_LABEL, ERRORS_LABEL]
  // Without a header nothing could say that the two columns are not data.
  const marksRows = reader.labels !== null
  await rejects.write(plainWriter.row(extended))
  for (const bytes of mendedWriter.head(reader.preamble, marksRows ? extended : null, kept)) await mended.write(bytes)
  for await (const batch of reader.batches()) {
    options.signal?.throwIfAborted()
    for (const row of batch) {
      const verdict = validator.check(row)
      if (verdict === 'blank') continue
      const invalid = verdict === 'invalid'
      const record = validator.record
      const affected = options.isAffected(record, record < 0 ? '' : validator.recordIds[record]!)
      if (!invalid && !affected) continue
      const errors = invalid ? validator.findings.map((f) => f.message.replace(/^Line \d+,? /, '')).join('; ') : ''
      const surplus = row.cells.slice(labels.length)
      const note = surplus.length === 0 ? errors : `${errors}; cells beyond the header: ${shortened(JSON.stringify(surplus), 2000)}`
      const cells = [...kept.map((i) => row.cells[i] ?? ''), String(row.line), note]
      if (invalid) await rejects.write(plainWriter.row(cells))
      if (!affected) continue
      const beyond = row.cells.length < labels.length ? [SHORT_ROW_MARK] : surplus
      await mended.write(mendedWriter.row(marksRows ? [...cells, ...beyond] : row.cells))
    }
    validator.takeSegment()
  }
}

interface Source {
  chunks(): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** A file written in large pieces under another name until it is whole. */
class Output {
  private pending: Uint8Array[] = []
  private pendingBytes = 0
  private isClosed = false
  private isDone = false

  private constructor(
    private readonly files: Files,
    private readonly path: string,
    private readonly file: OpenFile,
  ) {}

  static async open(files: Files, path: string): Promise<Output> {
    return new Output(files, path, await files.overwrite(`${path}.part`))
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.pending.push(bytes)
    this.pendingBytes += bytes.length
    if (this.pendingBytes >= FLUSH_BYTES) await this.flush()
  }

  async finish(): Promise<void> {
    await this.flush()
    await this.closeFile()
    await this.files.rename(`${this.path}.part`, this.path)
    this.isDone = true
  }

  /** Gives it up where it was not finished; the failure that led here is the one to report. */
  async close(): Promise<void> {
    if (this.isDone) return
    await this.closeFile().catch(() => {})
    await this.files.remove(`${this.path}.part`).catch(() => {})
  }

  private async closeFile(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await this.file.close()
  }

  private async flush(): Promise<void> {
    const bytes = Buffer.concat(this.pending)
    this.pending = []
    this.pendingBytes = 0
    if (bytes.length > 0) await this.file.write(bytes)
  }
}

import { createHash, type Hash } from 'node:crypto'
import { GatherScratch, gatherRows } from '../columns/gather.js'
import { type CsvReader, openCsv } from '../csv/read-csv.js'
import type { ReportErrorType } from '../documents/report.js'
import type { ErrorCode } from '../errors.js'
import { ERRORS, IntakeError, systemCodeOf } from '../errors.js'
import type { Files, OpenFile } from '../runtime/files.js'
import { type HeaderMatch, matchHeader } from '../tables/header.js'
import { compileTable, type Table } from '../tables/schema.js'
import { writeMendingFiles } from './mending-files.js'
import type { ConvertDone, ConvertRequest, ConvertResult, Output, StagedRecord, WithheldRecord } from './protocol.js'
import { RecordWriter, type WrittenRecord } from './record-writer.js'
import { ReportBuilder } from './report-builder.js'
import { NO_RECORD, RowValidator, type Segment } from './row-validator.js'

/** Rows of a row group: two blocks of the content hash. */
export const ROW_GROUP_ROWS = 131_072
/** Characters of source after which a row group is closed early, so that very wide rows do not pile up. */
const ROW_GROUP_CHARACTERS = 32 * 1024 ** 2
const READ_BYTES = 1024 ** 2

/**
 * Converts one CSV file: validates every row, reports everything wrong in one pass, and stages one verified Parquet file per record
 * that may be committed. Returns, never throws, but for programmer errors and an abort.
 *
 * `signal` is looked at between batches.
 */
export async function convertSource(request: ConvertRequest, options: { files: Files; signal?: AbortSignal }): Promise<ConvertResult> {
  try {
    return await new Conversion(request, options).run()
  } catch (error) {
    if (options.signal?.aborted)
      return { status: 'failed', code: 'ABORTED', message: 'The conversion was stopped', hint: ERRORS.ABORTED.hint }
    if (error instanceof IntakeError) return { status: 'failed', code: error.code, message: error.message, hint: error.hint }
    const code: ErrorCode = systemCodeOf(error) === null ? 'INTERNAL' : 'IO_FAILED'
    const text = error instanceof Error ? (code === 'INTERNAL' ? (error.stack ?? error.message) : error.message) : String(error)
    return { status: 'failed', code, message: text, hint: ERRORS[code].hint }
  }
}

/** Faults of the file as a whole, met while its text is read: they are reported, not thrown on. */
const SOURCE_FAULTS: ReadonlyMap<ErrorCode, ReportErrorType> = new Map([
  ['EMPTY_FILE', 'source-error'],
  ['BLANK_HEADER', 'blank-header'],
  ['NOT_UTF8', 'encoding-error'],
  ['NUL_BYTE', 'encoding-error'],
  ['QUOTE_NOT_CLOSED', 'source-error'],
  ['QUOTE_MISPLACED', 'source-error'],
  ['LIMIT_EXCEEDED', 'source-error'],
])

class Conversion {
  private readonly startedMs = performance.now()
  private readonly table: Table
  private readonly report: ReportBuilder
  private labels: readonly string[] = []
  private rowsIn = 0
  private invalid = 0
  private blank = 0
  private readToEnd = false
  /** The file as a whole is refused: header, bytes, counts, or a row that belongs to no record. */
  private refused = false
  private absentColumns: readonly string[] = []
  private readonly segments: Segment[] = []
  private readonly goodOf: number[] = []
  private readonly invalidOf: number[] = []
  private writer: RecordWriter | null = null
  private validator: RowValidator | null = null

  constructor(
    private readonly request: ConvertRequest,
    private readonly options: { files: Files; signal?: AbortSignal },
  ) {
    this.table = compileTable(request.tableDocument, request.tableName)
    this.report = new ReportBuilder({ place: request.place, limit: request.limits.reportErrors })
  }

  async run(): Promise<ConvertDone> {
    const source = await SourceBytes.open(this.options.files, this.request.sourcePath, this.request.progress)
    try {
      const staged = await this.convert(source)
      return await this.finish(source, staged)
    } catch (error) {
      await this.writer?.discard().catch(() => {})
      throw error
    } finally {
      await source.close()
    }
  }

  /** One record at a time goes to its file while rows still come; many records wait in columns until all rows are known. */
  private get streams(): boolean {
    return this.request.grouping.kind === 'single'
  }

  private get skipsRows(): boolean {
    return this.request.onInvalid === 'skip-rows'
  }

  /** False once nothing of this file can be committed any more: validation goes on, columns are dropped. */
  private get mayCommit(): boolean {
    if (this.request.output.kind === 'none' || this.refused) return false
    if (this.invalid === 0 || this.skipsRows) return true
    return this.request.onInvalid === 'quarantine-record' && !this.streams
  }

  private async convert(source: SourceBytes): Promise<StagedRecord[]> {
    let reader: CsvReader
    let validator: RowValidator
    try {
      reader = await openCsv({ chunks: source.chunks(), dialect: this.request.dialect, limits: this.request.limits })
      const header = matchHeader(this.table, reader.labels)
      this.labels = reader.labels ?? this.table.columns.map((c) => c.name)
      this.checkHeader(header)
      validator = this.newValidator(header)
      this.validator = validator
    } catch (error) {
      this.sourceFault(error)
      return []
    }
    try {
      let characters = 0
      for await (const batch of reader.batches()) {
        this.options.signal?.throwIfAborted()
        for (const row of batch) {
          this.rowsIn++
          const verdict = validator.check(row)
          if (verdict === 'blank') this.blank++
          else if (verdict === 'invalid') this.countInvalid(validator)
          else {
            this.goodOf[validator.record] = (this.goodOf[validator.record] ?? 0) + 1
            if (this.mayCommit) {
              validator.push()
              for (let i = 0; i < row.cells.length; i++) characters += row.cells[i]!.length + 1
              if (validator.segmentRows >= ROW_GROUP_ROWS || characters >= ROW_GROUP_CHARACTERS) {
                await this.takeSegment(validator)
                characters = 0
              }
            }
          }
        }
        if (!this.mayCommit) validator.takeSegment()
        if (validator.tooManyRecords) {
          throw new IntakeError('LIMIT_EXCEEDED', `The file names more than ${this.request.limits.recordsPerDrop} records`)
        }
      }
      this.readToEnd = true
    } catch (error) {
      this.sourceFault(error)
      return []
    }
    this.checkRowCount()
    if (!this.mayCommit) return []
    await this.takeSegment(validator)
    return this.stage(validator)
  }

  private newValidator(header: HeaderMatch): RowValidator {
    return new RowValidator({
      table: this.table,
      labels: this.labels,
      header,
      grouping: this.request.grouping,
      invalidRowsTakeKeys: !this.skipsRows,
      recordsLimit: this.request.limits.recordsPerDrop,
    })
  }

  private checkHeader(header: HeaderMatch): void {
    this.absentColumns = header.absentColumns
    for (const problem of header.problems) {
      this.refused = true
      this.report.add({ ...problem, rowNumber: 1 })
    }
    const { grouping } = this.request
    if (grouping.kind === 'column' && !this.labels.includes(grouping.column)) {
      this.refused = true
      this.report.add({
        type: 'missing-label',
        code: 'MISSING_COLUMN',
        message: `The header lacks the column ${JSON.stringify(grouping.column)}, which names the record of each row`,
        fieldName: grouping.column,
        rowNumber: 1,
      })
    }
  }

  private countInvalid(validator: RowValidator): void {
    this.invalid++
    for (const finding of validator.findings) this.report.add(finding)
    if (validator.record === NO_RECORD) {
      // Whose row this is cannot be said, so no record of the drop can be called complete, unless bad rows are to be skipped.
      if (!this.skipsRows && !this.streams) this.refused = true
      if (this.streams) this.invalidOf[0] = (this.invalidOf[0] ?? 0) + 1
    } else this.invalidOf[validator.record] = (this.invalidOf[validator.record] ?? 0) + 1
  }

  private checkRowCount(): void {
    const rows = this.rowsIn - this.blank
    const { expectedRows } = this.request
    if (expectedRows !== null && rows !== expectedRows) {
      this.refused = true
      this.report.add({
        type: 'row-count',
        code: 'ROW_COUNT_MISMATCH',
        message: `The manifest promises ${expectedRows} rows, the file has ${rows}`,
      })
    } else if (rows === 0) {
      this.refused = true
      this.report.add({ type: 'source-error', code: 'HEADER_ONLY', message: 'The file has a header but no data rows' })
    }
  }

  private sourceFault(error: unknown): void {
    const type = error instanceof IntakeError ? SOURCE_FAULTS.get(error.code) : undefined
    if (type === undefined) throw error
    const fault = error as IntakeError
    this.refused = true
    const line = typeof fault.data.line === 'number' ? fault.data.line : null
    this.report.add({ type, code: fault.code, message: fault.message, line })
  }

  private async takeSegment(validator: RowValidator): Promise<void> {
    if (validator.segmentRows === 0) return
    const segment = validator.takeSegment()
    if (!this.streams) {
      this.segments.push(segment)
      return
    }
    this.writer ??= await this.openWriter(validator.recordIds[0]!)
    await this.writer.writeRowGroup(segment.vectors)
  }

  private openWriter(recordId: string): Promise<RecordWriter> {
    const { compression, verify } = this.request
    const output = this.request.output as Exclude<Output, { kind: 'none' }>
    return RecordWriter.open({ files: this.options.files, table: this.table, output, recordId, compression, verify })
  }

  private async stage(validator: RowValidator): Promise<StagedRecord[]> {
    const staged: StagedRecord[] = []
    if (this.streams) {
      if (this.writer === null) return []
      staged.push(this.stagedRecord(validator, 0, await this.writer.finish()))
      this.writer = null
      return staged
    }
    const rowsOf = partition(this.segments, validator.recordIds.length)
    const scratch = new GatherScratch()
    for (let record = 0; record < validator.recordIds.length; record++) {
      this.options.signal?.throwIfAborted()
      if ((this.goodOf[record] ?? 0) === 0) continue
      if (!this.skipsRows && (this.invalidOf[record] ?? 0) > 0) continue
      this.writer = await this.openWriter(validator.recordIds[record]!)
      for (const group of inRowGroups(rowsOf[record]!)) {
        const vectors = this.table.columns.map((_, c) =>
          gatherRows(
            group.map(({ segment, indices }) => ({ vector: this.segments[segment]!.vectors[c]!, indices })),
            scratch,
          ),
        )
        await this.writer.writeRowGroup(vectors)
      }
      staged.push(this.stagedRecord(validator, record, await this.writer.finish()))
      this.writer = null
    }
    return staged
  }

  private stagedRecord(validator: RowValidator, record: number, written: WrittenRecord): StagedRecord {
    return { ...written, recordId: validator.recordIds[record]!, invalid: this.invalidOf[record] ?? 0 }
  }

  private async finish(source: SourceBytes, staged: StagedRecord[]): Promise<ConvertDone> {
    if (this.writer !== null) {
      await this.writer.discard()
      this.writer = null
    }
    const valid = this.report.count === 0
    const stagedIds = new Set(staged.map((s) => s.recordId))
    if (!valid && this.readToEnd && this.request.reportFolder !== null) {
      await writeMendingFiles({
        files: this.options.files,
        folder: this.request.reportFolder,
        request: this.request,
        labels: this.labels,
        newValidator: (header) => this.newValidator(header),
        table: this.table,
        isAffected: (record, recordId) => record === NO_RECORD || !stagedIds.has(recordId) || (this.invalidOf[record] ?? 0) > 0,
        openChunks: async () => SourceBytes.open(this.options.files, this.request.sourcePath, null),
        ...(this.options.signal === undefined ? {} : { signal: this.options.signal }),
      })
    }
    const { grouping } = this.request
    const recordIds =
      grouping.kind === 'single' ? (grouping.recordId === null ? [] : [grouping.recordId]) : (this.validator?.recordIds ?? [])
    const withheld: WithheldRecord[] = []
    recordIds.forEach((recordId, record) => {
      if (!stagedIds.has(recordId)) withheld.push({ recordId, rows: this.goodOf[record] ?? 0, invalid: this.invalidOf[record] ?? 0 })
    })
    const seconds = (performance.now() - this.startedMs) / 1000
    const digests = source.digests()
    const report = this.report.build({
      name: this.table.name,
      labels: this.labels,
      seconds,
      md5: this.readToEnd ? digests.md5 : null,
      sha256: this.readToEnd ? digests.sha256 : null,
      bytes: source.sizeBytes,
      fields: this.labels.length,
      rows: this.readToEnd ? this.rowsIn : null,
    })
    const first = this.report.first
    return {
      status: 'done',
      valid,
      schemaSha256: this.table.schemaSha256,
      staged,
      withheld,
      rows: this.readToEnd
        ? { in: this.rowsIn, good: this.rowsIn - this.invalid - this.blank, invalid: this.invalid, blank: this.blank }
        : { in: null, good: null, invalid: null, blank: null },
      absentColumns: this.absentColumns,
      problem: first === null ? null : { code: first.code, message: summary(first.message, this.report.count) },
      totals: this.report.totals(),
      report,
      seconds,
    }
  }
}

function summary(first: string, total: number): string {
  return total === 1 ? first : `${first} (and ${total - 1} more ${total === 2 ? 'error' : 'errors'})`
}

/** The bytes of the source, hashed on the way. */
export class SourceBytes {
  private readonly sha256 = createHash('sha256')
  private readonly md5: Hash | null = md5OrNull()

  private constructor(
    private readonly file: OpenFile,
    readonly sizeBytes: number,
    private readonly progress: BigInt64Array | null,
  ) {
    if (progress !== null) Atomics.store(progress, 1, BigInt(sizeBytes))
  }

  static async open(files: Files, path: string, progress: BigInt64Array | null): Promise<SourceBytes> {
    const file = await files.openRead(path, { follow: true })
    if (file === null) throw new IntakeError('IO_FAILED', `${path} does not exist`)
    const stat = await file.stat()
    if (stat.kind !== 'file') {
      await file.close()
      throw new IntakeError('NOT_A_FILE', `${path} is not a regular file`)
    }
    return new SourceBytes(file, stat.sizeBytes, progress)
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    let at = 0
    for (;;) {
      // A fresh buffer each time: the tokeniser may keep views of an earlier one.
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, Math.max(this.sizeBytes - at, 1)))
      const read = await this.file.read(buffer, at)
      if (read === 0) return
      at += read
      const bytes = buffer.subarray(0, read)
      this.sha256.update(bytes)
      this.md5?.update(bytes)
      if (this.progress !== null) Atomics.store(this.progress, 0, BigInt(at))
      yield bytes
    }
  }

  /** Of the bytes read so far; once. */
  digests(): { sha256: string; md5: string | null } {
    return { sha256: this.sha256.digest('hex'), md5: this.md5?.digest('hex') ?? null }
  }

  async close(): Promise<void> {
    await this.file.close()
  }
}

/** Frictionless reports carry an MD5; a machine in FIPS mode has none. */
function md5OrNull(): Hash | null {
  try {
    return createHash('md5')
  } catch {
    return null
  }
}

interface RowsOfSegment {
  readonly segment: number
  readonly indices: Uint32Array
}

/** Rows of each record, in file order: a stable partition by counting. */
function partition(segments: readonly Segment[], records: number): RowsOfSegment[][] {
  const result: RowsOfSegment[][] = Array.from({ length: records }, () => [])
  segments.forEach((segment, s) => {
    const counts = new Uint32Array(records + 1)
    for (let i = 0; i < segment.rows; i++) counts[segment.recordOfRow[i]! + 1]!++
    for (let r = 0; r < records; r++) counts[r + 1]! += counts[r]!
    const starts = counts.slice()
    const order = new Uint32Array(segment.rows)
    for (let i = 0; i < segment.rows; i++) order[starts[segment.recordOfRow[i]!]!++] = i
    for (let r = 0; r < records; r++) {
      if (counts[r + 1]! > counts[r]!) result[r]!.push({ segment: s, indices: order.subarray(counts[r]!, counts[r + 1]!) })
    }
  })
  return result
}

/** Cuts the rows of one record into row groups of at most ROW_GROUP_ROWS. */
function* inRowGroups(rows: readonly RowsOfSegment[]): Generator<RowsOfSegment[]> {
  let group: RowsOfSegment[] = []
  let room = ROW_GROUP_ROWS
  for (const { segment, indices } of rows) {
    let from = 0
    while (from < indices.length) {
      const taken = Math.min(room, indices.length - from)
      group.push({ segment, indices: indices.subarray(from, from + taken) })
      from += taken
      room -= taken
      if (room === 0) {
        yield group
        group = []
        room = ROW_GROUP_ROWS
      }
    }
  }
  if (group.length > 0) yield group
}

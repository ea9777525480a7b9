import { createHash, type Hash } from 'node:crypto'
import { GatherScratch, gatherRows } from '../columns/gather.js'
import { takeVector } from '../columns/kernel-column.js'
import { type CsvReader, type CsvRow, openCsv } from '../csv/read-csv.js'
import type { ReportErrorType } from '../documents/report.js'
import type { ErrorCode } from '../errors.js'
import { assert, IntakeError } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { Files, OpenFile } from '../runtime/files.js'
import { buildTable, type Table } from '../tables/build-table.js'
import { type HeaderMatch, matchHeader } from '../tables/header.js'
import { ABORTED, failureOf } from './failure.js'
import { borrowKernels, type KernelForm, returnKernels } from './kernel-loans.js'
import { hasKeys, KeyIndex, keyHashes } from './key-index.js'
import { writeMendingFiles } from './mending-files.js'
import { type FilePart, PartCutter } from './part-cutter.js'
import { LineCounter, rowsOfPart } from './part-rows.js'
import { PartReader, type PlainTextPlan, planPlainText } from './plain-text-source.js'
import type { ConvertDone, ConvertRequest, ConvertResult, Output, StagedRecord, WithheldRecord } from './protocol.js'
import { discardOutput, RecordWriter, type WrittenRecord } from './record-writer.js'
import { ReportBuilder } from './report-builder.js'
import { inRowGroups, partition, ROW_GROUP_CHARACTERS, ROW_GROUP_ROWS, textBytesOfRows } from './row-groups.js'
import { NO_RECORD, RowValidator, type Segment } from './row-validator.js'
import { sampleColumns } from './sample-columns.js'
import type { SplitSizes } from './split-sizes.js'

const READ_BYTES = 1024 ** 2
/** Rows of faulty pieces after which their texts are forgotten. */
const PIECES_ROWS = 16_384

export interface ConvertOptions {
  readonly files: Files
  readonly signal?: AbortSignal
  /** The table of the request's document, where the caller has it already. */
  readonly table?: Table
  /** false: csv-parse reads every file, also plain text. Both ways give the same cells and the same errors; a property test holds them together. */
  readonly plainText?: boolean
  /** Which form of the kernels; by default WebAssembly where there is one. */
  readonly kernels?: KernelForm
  /** Lines of a part of plain text, and rows of a trial (ChunkPlan): for tests, which cut small files into many parts. */
  readonly partLines?: number
  readonly trialRows?: number
  /** How a bulk file is taken apart: for tests as well. */
  readonly splitSizes?: Partial<SplitSizes>
}

/**
 * Converts one CSV file: validates every row, reports everything wrong in one pass, and stages one verified Parquet file per record
 * that may be committed. Never throws: whatever stops it, an abort and a defect (INTERNAL) included, is a failed result, and then nothing
 * of this conversion is left in the staging area or at the output path.
 *
 * `signal` is looked at between batches of rows and between row groups.
 */
export async function convertSource(request: ConvertRequest, options: ConvertOptions): Promise<ConvertResult> {
  try {
    const table = options.table ?? (await tableOf(request))
    let { plainText = true } = options
    if (plainText && request.grouping.kind === 'column') {
      const { convertSplitHere } = await import('./split-here.js')
      const split = await convertSplitHere(request, options)
      if (typeof split === 'object') return split
      plainText = split === 'other'
    }
    return await new Conversion(request, table, { ...options, plainText }).run()
  } catch (error) {
    return options.signal?.aborted ? ABORTED : failureOf(error)
  }
}

/** zod, which checks the shape, is loaded only where nobody has checked it yet. */
async function tableOf({ tableDocument, tableName, tableChecked }: ConvertRequest): Promise<Table> {
  if (tableChecked === true) return buildTable(tableDocument, tableName)
  const { compileTable } = await import('../tables/schema.js')
  return compileTable(tableDocument, tableName)
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

/** What parts are read with that are not clean, plain text. */
interface FaultyParts {
  readonly file: ReadableFile
  readonly plan: PlainTextPlan
  readonly cutter: PartCutter
  readonly reader: PartReader
  readonly lines: LineCounter
  /** Physical lines of the header; 0: not counted yet. */
  headLines: number
  readonly validator: RowValidator
  /** Whether a part is cut into pieces, to find the few that csv-parse must see. */
  looksCloser: boolean
}

class Conversion {
  private readonly startedMs = performance.now()
  private report: ReportBuilder
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
  private readonly staged: StagedRecord[] = []
  /** Record ids in order of first appearance; an empty text where there is one record without an id. */
  private recordIds: readonly string[] = []
  private hashed = false

  constructor(
    private readonly request: ConvertRequest,
    private readonly table: Table,
    private readonly options: ConvertOptions,
  ) {
    this.report = this.newReport()
  }

  private newReport(): ReportBuilder {
    const { place, limits } = this.request
    return new ReportBuilder({ place, limit: limits.reportErrors })
  }

  async run(): Promise<ConvertDone> {
    const { progress, sourcePath } = this.request
    const source = await SourceBytes.open(this.options.files, sourcePath, { progress, hashes: true })
    try {
      if (this.options.plainText === false || !(await this.convertPlainText(source))) await this.convert(source)
      return await this.finish(source)
    } catch (error) {
      await this.giveUp()
      throw error
    } finally {
      await source.close()
    }
  }

  /** Takes back what was written. Best effort: the error that led here is the one to report, and the next attempt clears up what is left. */
  private async giveUp(): Promise<void> {
    await this.writer?.discard().catch(() => {})
    for (const record of this.staged) await discardOutput(this.options.files, record).catch(() => {})
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

  /**
   * The fast way (DESIGN §9): bytes to columns, without a string per cell. It takes files of plain text, and asks csv-parse about the parts
   * that are not clean where they can be judged by themselves. False: nothing was done, and csv-parse is to read the whole file.
   */
  private async convertPlainText({ file, sizeBytes }: SourceBytes): Promise<boolean> {
    if (this.request.mendedRecords !== undefined) return false
    const plan = await planPlainText(this.request, this.table, file, sizeBytes)
    if (plan === null) return false
    const kernels = await borrowKernels(this.options.kernels)
    try {
      const { trialRows } = this.options
      const direct = await sampleColumns(kernels, plan, file)
      const chunk = { ...plan.chunk, direct, ...(trialRows === undefined ? {} : { trialRows }) }
      this.labels = plan.labels
      if (await this.takeParts({ ...plan, chunk }, kernels, file)) {
        this.absentColumns = plan.header.absentColumns
        this.readToEnd = true
        this.checkRowCount()
        if (this.mayCommit) await this.stage()
        return true
      }
      await this.startOver()
      return false
    } finally {
      returnKernels(kernels)
    }
  }

  /** False: the file is not plain text, or not clean where keys are to be told apart. */
  private async takeParts(plan: PlainTextPlan, kernels: Kernels, file: ReadableFile): Promise<boolean> {
    const { grouping, limits, progress } = this.request
    const mark = kernels.mark()
    const keys = new KeyIndex(this.table)
    const recordOfText = new Map<string, number>()
    const recordIds: string[] = grouping.kind === 'single' ? [grouping.recordId ?? ''] : []
    this.recordIds = recordIds
    const recordIndex = (text: string): number => {
      let record = recordOfText.get(text)
      if (record === undefined) {
        record = recordIds.length
        recordOfText.set(text, record)
        recordIds.push(`${plan.chunk.recordPrefix}${text}${plan.chunk.recordSuffix}`)
      }
      return record
    }
    try {
      const { partLines } = this.options
      const cutter = new PartCutter(kernels, file, {
        start: plan.dataStart,
        sizeBytes: plan.sizeBytes,
        limits: partLines === undefined ? plan.limits : { rows: partLines, bytes: ROW_GROUP_CHARACTERS },
      })
      const reader = new PartReader(kernels, plan, file)
      let faulty: FaultyParts | null = null
      for (let part = await cutter.next(); part !== null; part = await cutter.next()) {
        const chunk = part === 'open' ? null : await reader.read(part)
        this.options.signal?.throwIfAborted()
        if (part === 'open') return false
        if (progress !== null) Atomics.store(progress, 0, BigInt(part.to))
        if (chunk === null) {
          // Keys of clean parts are known by their hashes only, and which rows a record has is said by rows of many parts.
          if (!this.streams || hasKeys(this.table)) return false
          faulty ??= {
            file,
            plan,
            cutter,
            reader,
            lines: new LineCounter(kernels, file),
            headLines: 0,
            validator: this.newValidator(plan.header),
            looksCloser: true,
          }
          if (!(await this.takeFaultyPart(faulty, part))) return false
          continue
        }
        this.rowsIn += chunk.rows + chunk.blank
        this.blank += chunk.blank
        const records = chunk.recordTexts.map(recordIndex)
        if (recordIds.length > limits.recordsPerDrop) return false
        const recordOfRow = this.streams ? new Uint32Array(chunk.rows) : Uint32Array.from(chunk.recordOfRow, (code) => records[code]!)
        const hashes = keyHashes(this.table, (column) => takeVector(kernels, chunk.columns[column]!), recordOfRow)
        if (hashes === null || !keys.addHashes(hashes)) return false
        for (const record of recordOfRow) this.goodOf[record] = (this.goodOf[record] ?? 0) + 1
        if (chunk.rows === 0 || !this.mayCommit) continue
        // Rows of many records are staged by convertSplitFile; here they are only looked at.
        assert(this.streams, 'there is one record')
        this.writer ??= await this.openWriter(recordIds[0]!)
        await this.writer.writeColumns(kernels, chunk.columns)
      }
      return true
    } catch (error) {
      // More than the memory of the kernels holds, in one row for instance: csv-parse knows what to say of it.
      if (error instanceof RangeError) return false
      throw error
    } finally {
      kernels.release(mark)
    }
  }

  /** False: csv-parse finds a fault of the file as a whole, and its place can be said by one who reads all of it. */
  private async takeFaultyPart(faulty: FaultyParts, part: FilePart): Promise<boolean> {
    const { cutter, reader, validator, lines } = faulty
    if (faulty.headLines === 0) faulty.headLines = await lines.before(faulty.plan.dataStart)
    const linesBefore = await lines.before(part.from)
    // Where a wrong row keeps the file from being committed, no columns are needed of the rows beside it.
    if (faulty.looksCloser && !(this.mayCommit && this.skipsRows)) {
      const before = { rowsIn: this.rowsIn, blank: this.blank, good: this.goodOf[0] ?? 0 }
      for (const piece of await cutter.piecesOf(part)) {
        const chunk = await reader.read(piece)
        this.options.signal?.throwIfAborted()
        if (chunk !== null) {
          this.rowsIn += chunk.rows + chunk.blank
          this.blank += chunk.blank
          this.goodOf[0] = (this.goodOf[0] ?? 0) + chunk.rows
        } else if (!(await this.takeRowsOf(faulty, piece, await lines.before(piece.from), false))) return false
        if (validator.segmentChecked >= PIECES_ROWS) validator.takeSegment()
      }
      if (!this.mayCommit) return true
      // Nothing is wrong in it, it is only written in a way that needs csv-parse. What follows may well be, too.
      faulty.looksCloser = false
      validator.takeSegment()
      this.rowsIn = before.rowsIn
      this.blank = before.blank
      this.goodOf[0] = before.good
    }
    if (!(await this.takeRowsOf(faulty, part, linesBefore, true))) return false
    await this.takeSegment(validator)
    return true
  }

  /** False: as with `takeFaultyPart`. */
  private async takeRowsOf(faulty: FaultyParts, part: FilePart, linesBefore: number, keeps: boolean): Promise<boolean> {
    const { file, plan, validator, headLines } = faulty
    try {
      const batches = rowsOfPart({
        file,
        request: this.request,
        part,
        headBytes: plan.dataStart,
        headLines,
        linesBefore,
        rowsBefore: this.rowsIn,
      })
      for await (const batch of batches) await this.takeBatch(batch, validator, keeps)
      return true
    } catch (error) {
      if (error instanceof IntakeError && SOURCE_FAULTS.has(error.code)) return false
      throw error
    }
  }

  /** Forgets everything that was made of the file so far. */
  private async startOver(): Promise<void> {
    await this.writer?.discard()
    this.writer = null
    this.report = this.newReport()
    this.labels = []
    this.rowsIn = 0
    this.invalid = 0
    this.blank = 0
    this.goodOf.length = 0
    this.invalidOf.length = 0
    this.segments.length = 0
    this.recordIds = []
  }

  private async convert(source: SourceBytes): Promise<void> {
    this.hashed = true
    let reader: CsvReader
    let validator: RowValidator
    try {
      reader = await openCsv({ chunks: source.chunks(), dialect: this.request.dialect, limits: this.request.limits })
      const header = matchHeader(this.table, reader.labels)
      this.labels = reader.labels ?? this.table.columns.map((c) => c.name)
      this.checkHeader(header)
      validator = this.newValidator(header)
      this.recordIds = validator.recordIds
    } catch (error) {
      this.sourceFault(error)
      return
    }
    try {
      for await (const batch of reader.batches()) {
        await this.takeBatch(batch, validator, true)
        if (validator.tooManyRecords) {
          throw new IntakeError('LIMIT_EXCEEDED', `The file names more than ${this.request.limits.recordsPerDrop} records`)
        }
      }
      this.readToEnd = true
    } catch (error) {
      this.sourceFault(error)
      return
    }
    this.checkRowCount()
    if (!this.mayCommit) return
    await this.takeSegment(validator)
    await this.stage()
  }

  /** `keeps`: rows that may be committed go into the columns. */
  private async takeBatch(batch: readonly CsvRow[], validator: RowValidator, keeps: boolean): Promise<void> {
    this.options.signal?.throwIfAborted()
    for (const row of batch) {
      this.rowsIn++
      const verdict = validator.check(row)
      if (verdict === 'blank') this.blank++
      else if (verdict === 'invalid') this.countInvalid(validator)
      else {
        if (validator.record !== NO_RECORD) this.goodOf[validator.record] = (this.goodOf[validator.record] ?? 0) + 1
        if (keeps && this.mayCommit) validator.push()
      }
      if (this.segmentIsFull(validator)) await this.takeSegment(validator)
    }
  }

  /** Rows that are left out count as well: what their cells leave in the dictionaries of the columns takes memory too. */
  private segmentIsFull(validator: RowValidator): boolean {
    return (
      validator.segmentRows >= ROW_GROUP_ROWS ||
      validator.segmentCharacters >= ROW_GROUP_CHARACTERS ||
      (validator.segmentChecked >= ROW_GROUP_ROWS && !this.mayCommit)
    )
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
    const isReported = (column: string): boolean => header.problems.some((p) => p.code === 'MISSING_COLUMN' && p.fieldName === column)
    if (grouping.kind === 'column' && !this.labels.includes(grouping.column) && !isReported(grouping.column)) {
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
    await this.keep(validator.takeSegment())
  }

  private async keep(segment: Segment): Promise<void> {
    if (segment.rows === 0 || !this.mayCommit) return
    if (!this.streams) {
      this.segments.push(segment)
      return
    }
    this.writer ??= await this.openWriter(this.recordIds[0]!)
    await this.writer.writeRowGroup(segment.vectors)
  }

  private openWriter(recordId: string): Promise<RecordWriter> {
    const { compression, verify } = this.request
    const output = this.request.output as Exclude<Output, { kind: 'none' }>
    return RecordWriter.open({ files: this.options.files, table: this.table, output, recordId, compression, verify })
  }

  private async stage(): Promise<void> {
    if (this.streams) {
      if (this.writer !== null) await this.stageRecord(0, this.writer)
      return
    }
    const rowsOf = partition(this.segments, this.recordIds.length)
    const textBytes = this.segments.map(({ vectors, rows }) => textBytesOfRows(vectors, rows))
    const scratch = new GatherScratch()
    for (let record = 0; record < this.recordIds.length; record++) {
      this.options.signal?.throwIfAborted()
      if ((this.goodOf[record] ?? 0) === 0) continue
      if (!this.skipsRows && (this.invalidOf[record] ?? 0) > 0) continue
      const writer = await this.openWriter(this.recordIds[record]!)
      this.writer = writer
      for (const group of inRowGroups(rowsOf[record]!, (segment) => textBytes[segment]!)) {
        this.options.signal?.throwIfAborted()
        const vectors = this.table.columns.map((_, c) =>
          gatherRows(
            group.map(({ segment, indices }) => ({ vector: this.segments[segment]!.vectors[c]!, indices })),
            scratch,
          ),
        )
        await writer.writeRowGroup(vectors)
      }
      await this.stageRecord(record, writer)
    }
  }

  private async stageRecord(record: number, writer: RecordWriter): Promise<void> {
    const written: WrittenRecord = await writer.finish()
    this.staged.push({ ...written, recordId: this.recordIds[record]!, invalid: this.invalidOf[record] ?? 0 })
    this.writer = null
  }

  private async finish(source: SourceBytes): Promise<ConvertDone> {
    if (this.writer !== null) {
      await this.writer.discard()
      this.writer = null
    }
    const valid = this.report.count === 0
    const stagedIds = new Set(this.staged.map((s) => s.recordId))
    const mended = this.request.mendedRecords === undefined ? null : new Set(this.request.mendedRecords)
    if ((!valid || mended !== null) && this.readToEnd && this.request.reportFolder !== null) {
      const heldBack = (record: number, recordId: string): boolean => !stagedIds.has(recordId) || (this.invalidOf[record] ?? 0) > 0
      await writeMendingFiles({
        files: this.options.files,
        folder: this.request.reportFolder,
        request: this.request,
        labels: this.labels,
        newValidator: (header) => this.newValidator(header),
        table: this.table,
        isAffected: (record, recordId) => record === NO_RECORD || (mended === null ? heldBack(record, recordId) : mended.has(recordId)),
        openSource: () => SourceBytes.open(this.options.files, this.request.sourcePath, { progress: null, hashes: false }),
        ...(this.options.signal === undefined ? {} : { signal: this.options.signal }),
      })
    }
    const { grouping } = this.request
    const recordIds = grouping.kind === 'single' ? (grouping.recordId === null ? [] : [grouping.recordId]) : this.recordIds
    const withheld: WithheldRecord[] = []
    recordIds.forEach((recordId, record) => {
      if (!stagedIds.has(recordId)) withheld.push({ recordId, rows: this.goodOf[record] ?? 0, invalid: this.invalidOf[record] ?? 0 })
    })
    const seconds = (performance.now() - this.startedMs) / 1000
    // Nobody reads the hashes in the report of a clean drop: the claim has its own. `validate` shows them.
    const showsHashes = !valid || this.request.output.kind === 'none'
    if (!this.hashed && showsHashes) for await (const _ of source.chunks());
    const digests = this.hashed || showsHashes ? source.digests() : { md5: null, sha256: null }
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
      staged: this.staged,
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

type ReadableFile = Pick<OpenFile, 'read' | 'close'>

/** A file of up to so many bytes is read once; to read its head, its lines and its rows would be three calls. */
const SMALL_SOURCE_BYTES = 64 * 1024

/** The bytes of the source, hashed on the way where that is asked for. */
export class SourceBytes {
  private hashes: { readonly sha256: Hash; readonly md5: Hash | null } | null = null

  private constructor(
    readonly file: ReadableFile,
    readonly sizeBytes: number,
    private readonly options: { progress: BigInt64Array | null; hashes: boolean },
  ) {
    if (options.progress !== null) Atomics.store(options.progress, 1, BigInt(sizeBytes))
  }

  static async open(files: Files, path: string, options: { progress: BigInt64Array | null; hashes: boolean }): Promise<SourceBytes> {
    const file = await files.openRead(path, { follow: true })
    if (file === null) throw new IntakeError('IO_FAILED', `${path} does not exist`)
    try {
      const { kind, sizeBytes } = await file.stat()
      if (kind !== 'file') throw new IntakeError('NOT_A_FILE', `${path} is not a regular file`)
      return new SourceBytes(sizeBytes <= SMALL_SOURCE_BYTES ? await heldFile(file, sizeBytes) : file, sizeBytes, options)
    } catch (error) {
      await file.close().catch(() => {})
      throw error
    }
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    // Only now: most files are read another way, and of a small one the hash objects alone would be a part of the work.
    if (this.options.hashes) this.hashes ??= { sha256: createHash('sha256'), md5: md5OrNull() }
    let at = 0
    for (;;) {
      // A fresh buffer each time: the tokeniser may keep views of an earlier one.
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, Math.max(this.sizeBytes - at, 1)))
      const read = await this.file.read(buffer, at)
      if (read === 0) return
      at += read
      const bytes = buffer.subarray(0, read)
      this.hashes?.sha256.update(bytes)
      this.hashes?.md5?.update(bytes)
      if (this.options.progress !== null) Atomics.store(this.options.progress, 0, BigInt(at))
      yield bytes
    }
  }

  /** Of the bytes that `chunks` has read so far; once. null: nobody asked for any. */
  digests(): { sha256: string | null; md5: string | null } {
    return { sha256: this.hashes?.sha256.digest('hex') ?? null, md5: this.hashes?.md5?.digest('hex') ?? null }
  }

  async close(): Promise<void> {
    // Nothing was written through it, so a failing close loses nothing.
    await this.file.close().catch(() => {})
  }
}

/** The bytes of a file that was read as a whole, in its place. Closes the file. */
async function heldFile(file: OpenFile, sizeBytes: number): Promise<ReadableFile> {
  const bytes = new Uint8Array(sizeBytes)
  const held = bytes.subarray(0, await file.read(bytes, 0))
  await file.close()
  return {
    read: async (target, positionBytes) => {
      const found = held.subarray(positionBytes, positionBytes + target.length)
      target.set(found)
      return found.length
    },
    close: async () => {},
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

import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { IntakeError, isIntakeError } from '../errors.js'
import { fileSource } from '../parquet/read-file.js'
import { compareContent, compareDecoders, damageIsMismatch, digestsFor, type ExpectedFile, openExpected } from '../parquet/verify-file.js'
import { type PartDigests, partsOf } from '../parquet/verify-parts.js'
import type { Files } from '../runtime/files.js'
import { buildTable, type Table } from '../tables/build-table.js'
import { borrowKernels, returnKernels } from './kernel-loans.js'
import { hasKeys, KeyIndex } from './key-index.js'
import {
  CONTROL_WORDS,
  CUT,
  CUT_TO_END,
  LANE_ENDS,
  type LaneResult,
  type LaneTask,
  type PartMade,
  STOP,
  type VerifyResult,
  type VerifyTask,
  WRITTEN,
} from './lane-protocol.js'
import { PartCutter } from './part-cutter.js'
import { type PlainTextPlan, planPlainText } from './plain-text-source.js'
import { type ConvertDone, type ConvertRequest, LARGE_FILE_BYTES, type Output } from './protocol.js'
import { RecordWriter } from './record-writer.js'
import { ReportBuilder } from './report-builder.js'

/** Parts that are cut and not written yet at most. */
const PARTS_CUT_AHEAD = 64

export interface LargeFileOptions {
  readonly files: Files
  readonly lanes: number
  /** What parts in flight may take. */
  readonly memoryBytes: number
  readonly runLane: (task: LaneTask) => Promise<LaneResult>
  readonly runVerify: (task: VerifyTask) => Promise<VerifyResult>
  readonly signal?: AbortSignal
}

/**
 * other: the file is small or names many records, needs another cut or count, or has parts that are not clean: one thread may well read it
 * as plain text.
 * unclear: it is not plain text, or not clean where keys are to be told apart.
 */
export type NotOnLanes = 'other' | 'unclear'

/**
 * Converts one large record of clean, plain text on several threads: parts are read, checked and encoded by lanes, and written here in the
 * order of the file while later ones are still being made. The bytes are those that one thread makes.
 *
 * Where it cannot, nothing is left of the attempt.
 */
export async function convertLargeFile(request: ConvertRequest, options: LargeFileOptions): Promise<ConvertDone | NotOnLanes> {
  const { files } = options
  if (request.grouping.kind !== 'single' || request.output.kind === 'none' || request.mendedRecords !== undefined) return 'other'
  const stat = await files.stat(request.sourcePath)
  if (stat !== null && stat.kind === 'file' && stat.sizeBytes < LARGE_FILE_BYTES) return 'other'
  const file = await files.openRead(request.sourcePath, { follow: true })
  if (file === null) return 'other'
  let plan: PlainTextPlan | null
  const table = buildTable(request.tableDocument, request.tableName)
  try {
    const { sizeBytes } = await file.stat()
    if (sizeBytes < LARGE_FILE_BYTES) return 'other'
    plan = await planPlainText(request, table, file, sizeBytes)
  } finally {
    await file.close().catch(() => {})
  }
  if (plan === null || plan.sizeBytes - plan.dataStart <= plan.partBytes) return 'other'
  return new LargeFile(request, request.output, table, plan, options).run()
}

class LargeFile {
  private readonly startedMs = performance.now()
  /** Parts that the file can have at most. */
  private readonly partsMost: number
  private readonly ends: Float64Array
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4))
  private readonly waiting = new Map<number, { readonly made: PartMade; readonly lane: MessagePort }>()
  private readonly keys: KeyIndex
  private readonly direct: Int32Array
  private opening!: Promise<RecordWriter>
  private writing: Promise<void> = Promise.resolve()
  private failure: unknown = null
  private unclear = false
  /** The file ends inside quotes. */
  private isOpen = false
  private cut = 0
  private cutToEnd = false
  private written = 0
  private whenWritten: () => void = () => {}
  private at: number
  private rows = 0
  private blank = 0

  constructor(
    private readonly request: ConvertRequest,
    private readonly output: Exclude<Output, { kind: 'none' }>,
    private readonly table: Table,
    private readonly plan: PlainTextPlan,
    private readonly options: LargeFileOptions,
  ) {
    this.partsMost = Math.ceil(plan.sizeBytes / plan.limits.rows) + Math.ceil(plan.sizeBytes / plan.limits.bytes) + 1
    this.ends = new Float64Array(new SharedArrayBuffer(this.partsMost * 8))
    this.keys = new KeyIndex(table)
    this.direct = new Int32Array(new SharedArrayBuffer(plan.chunk.width * 4))
    this.at = plan.dataStart
  }

  async run(): Promise<ConvertDone | NotOnLanes> {
    const { files, signal } = this.options
    const stop = (): void => this.stop()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      signal?.throwIfAborted()
      const { compression, verify } = this.request
      const recordId = this.request.grouping.kind === 'single' ? (this.request.grouping.recordId ?? '') : ''
      // Lanes begin at once; the library behind the writer loads meanwhile.
      const lanes = this.runLanes()
      lanes.catch(() => {})
      const cutting = this.cutParts()
      cutting.catch((error: unknown) => this.fail(error))
      this.opening = RecordWriter.open({ files, table: this.table, output: this.output, recordId, compression, verify })
      this.opening.catch((error: unknown) => this.fail(error))
      await lanes
      await cutting
      const writer = await this.opening
      await this.writing
      signal?.throwIfAborted()
      if (this.failure !== null) throw this.failure
      const whole = !this.unclear && this.cutToEnd && this.written === this.cut && this.at === this.plan.sizeBytes
      if (!whole || this.rows === 0 || (this.request.expectedRows !== null && this.request.expectedRows !== this.rows)) {
        await writer.discard()
        return this.unclear && (this.isOpen || hasKeys(this.table)) ? 'unclear' : 'other'
      }
      const written = await writer.finish((path, expected) => this.verify(path, expected))
      return this.done(recordId, written)
    } catch (error) {
      this.stop()
      await this.writing.catch(() => {})
      const writer = await this.opening?.catch(() => null)
      await writer?.discard().catch(() => {})
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Says where each part ends, far ahead of the lanes, but not so far that what was read for it is gone when they come. */
  private async cutParts(): Promise<void> {
    const { plan, control } = this
    const kernels = await borrowKernels()
    const mark = kernels.mark()
    const file = await this.options.files.openRead(this.request.sourcePath, { follow: true })
    if (file === null) throw new IntakeError('IO_FAILED', `${this.request.sourcePath} does not exist`)
    try {
      const cutter = new PartCutter(kernels, file, { start: plan.dataStart, sizeBytes: plan.sizeBytes, limits: plan.limits })
      for (let part = await cutter.next(); part !== null && Atomics.load(control, STOP) === 0; part = await cutter.next()) {
        // Quotes that never close are found before most of the work is done.
        if (part === 'open') {
          this.isOpen = true
          return this.giveUp()
        }
        this.ends[this.cut++] = part.to
        Atomics.store(control, CUT, this.cut)
        Atomics.notify(control, CUT)
        while (this.cut - this.written > PARTS_CUT_AHEAD && Atomics.load(control, STOP) === 0) {
          await new Promise<void>((resolve) => {
            this.whenWritten = resolve
          })
        }
      }
      this.cutToEnd = true
      Atomics.store(control, CUT_TO_END, 1)
      Atomics.notify(control, CUT)
    } finally {
      kernels.release(mark)
      returnKernels(kernels)
      await file.close().catch(() => {})
    }
  }

  private async runLanes(): Promise<void> {
    const rows = new Int32Array(new SharedArrayBuffer(this.partsMost * 4))
    const ports: MessagePort[] = []
    const lanes = Array.from({ length: this.options.lanes }, async () => {
      const { port1, port2 } = new MessageChannel()
      ports.push(port1)
      const ended = new Promise<void>((resolve) => {
        port1.on('message', (message: PartMade | typeof LANE_ENDS) => (message === LANE_ENDS ? resolve() : this.take(message, port1)))
      })
      const result = await this.options.runLane({
        kind: 'lane',
        request: { ...this.request, progress: null },
        sizeBytes: this.plan.sizeBytes,
        direct: this.direct,
        ends: this.ends,
        partsAhead: this.partsAhead,
        control: this.control,
        lanes: this.options.lanes,
        rows,
        port: port2,
      })
      // The result may overtake the last messages of the lane.
      await ended
      if (result.status === 'unclear') this.giveUp()
      if (result.status === 'failed') this.fail(new IntakeError(result.code, result.message, { hint: result.hint }))
    })
    try {
      await Promise.all(lanes)
    } finally {
      for (const port of ports) port.close()
    }
  }

  /** A part takes about four times its text: the text, its columns, its pages, and what the kernels hold. */
  private get partsAhead(): number {
    const { lanes, memoryBytes } = this.options
    return Math.min(Math.max(Math.floor(memoryBytes / (this.plan.partBytes * 4)), lanes), lanes * 2)
  }

  private take(made: PartMade, lane: MessagePort): void {
    this.waiting.set(made.part, { made, lane })
    this.writing = this.writing.then(() => this.writeReady())
  }

  private async writeReady(): Promise<void> {
    try {
      for (let next = this.waiting.get(this.written); next !== undefined; next = this.waiting.get(this.written)) {
        const { made, lane } = next
        this.waiting.delete(this.written)
        if (this.unclear || this.failure !== null) return
        await this.write(made)
        if (made.group !== null) lane.postMessage(made.group.bytes.buffer, [made.group.bytes.buffer])
        this.written++
        Atomics.store(this.control, WRITTEN, this.written)
        Atomics.notify(this.control, WRITTEN)
        this.whenWritten()
      }
    } catch (error) {
      this.fail(error)
    }
  }

  private async write(made: PartMade): Promise<void> {
    const { plan } = this
    const rows = made.group?.rows ?? 0
    if (!this.keys.addHashes(made.keys)) return this.giveUp()
    if (made.group !== null) {
      const writer = await this.opening
      await writer.writeEncodedRowGroup(made.group)
    }
    this.at = made.to
    this.rows += rows
    this.blank += made.blank
    const { progress } = this.request
    if (progress !== null) {
      Atomics.store(progress, 1, BigInt(plan.sizeBytes))
      Atomics.store(progress, 0, BigInt(this.at))
    }
  }

  /** Every cell of the finished file is decoded again, by all threads. */
  private async verify(path: string, expected: ExpectedFile): Promise<void> {
    const { files, lanes, runVerify } = this.options
    const file = await files.openRead(path)
    if (file === null) throw new IntakeError('VERIFY_MISMATCH', `${path} vanished before it could be verified`)
    try {
      const source = await fileSource(file)
      await damageIsMismatch(async () => {
        const opened = await openExpected(source, expected)
        const layout = { columns: opened.columns, rowGroups: opened.rowGroups }
        const decoding = Promise.all(
          partsOf(layout, lanes, digestsFor(expected)).map(async (part): Promise<PartDigests> => {
            const result = await runVerify({ kind: 'verify', path, layout, part })
            if (result.status === 'failed') throw new IntakeError(result.code, result.message, { hint: result.hint })
            return result.digests
          }),
        )
        // Its rejection is met below; until then it must not count as unhandled.
        decoding.catch(() => {})
        await compareDecoders(source, opened, expected, this.request.verify === 'paranoid' ? 'paranoid' : 'full')
        compareContent(opened, await decoding, expected)
      })
    } finally {
      await file.close().catch(() => {})
    }
  }

  private done(recordId: string, written: Awaited<ReturnType<RecordWriter['finish']>>): ConvertDone {
    const seconds = (performance.now() - this.startedMs) / 1000
    const { labels, header, sizeBytes } = this.plan
    const rowsIn = this.rows + this.blank
    const report = new ReportBuilder({ place: this.request.place, limit: 1 }).build({
      name: this.table.name,
      labels,
      seconds,
      md5: null,
      sha256: null,
      bytes: sizeBytes,
      fields: labels.length,
      rows: rowsIn,
    })
    return {
      status: 'done',
      valid: true,
      schemaSha256: this.table.schemaSha256,
      staged: [{ ...written, recordId, invalid: 0 }],
      withheld: [],
      rows: { in: rowsIn, good: this.rows, invalid: 0, blank: this.blank },
      absentColumns: header.absentColumns,
      problem: null,
      totals: {},
      report,
      seconds,
    }
  }

  private giveUp(): void {
    this.unclear = true
    this.stop()
  }

  private fail(error: unknown): void {
    if (this.failure === null || isIntakeError(error, 'FSYNC_FAILED')) this.failure = error
    this.stop()
  }

  private stop(): void {
    Atomics.store(this.control, STOP, 1)
    Atomics.notify(this.control, WRITTEN)
    Atomics.notify(this.control, CUT)
    this.whenWritten()
  }
}

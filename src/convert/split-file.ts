import { join } from 'node:path'
import { IntakeError, isIntakeError } from '../errors.js'
import { type Files, type OpenFile, removeTree } from '../runtime/files.js'
import { buildTable, type Table } from '../tables/build-table.js'
import { cleanResult } from './clean-result.js'
import { borrowKernels, type KernelForm, returnKernels } from './kernel-loans.js'
import { CONTROL_WORDS, CUT, CUT_TO_END, NEXT_PART, STOP } from './lane-protocol.js'
import type { NotOnLanes } from './large-file.js'
import { PartCutter } from './part-cutter.js'
import { PartReader, type PlainTextPlan, planPlainText } from './plain-text-source.js'
import type { ConvertDone, ConvertFailed, ConvertRequest, Output, StagedRecord } from './protocol.js'
import { RecordStager, recordIdOf } from './record-stager.js'
import { discardOutput, outputPath } from './record-writer.js'
import { sampleColumns } from './sample-columns.js'
import type { GatherResult, GatherTask, SplitDone, SplitParts, SplitResult, SplitTask, StagedText } from './split-protocol.js'
import { binsOf, layoutOf, type RecordTally, SPLIT_SIZES, type SplitSizes } from './split-sizes.js'

export interface SplitFileOptions {
  readonly files: Files
  readonly lanes: number
  /** Lanes run in this thread: whatever they wait for is done before. */
  readonly inThread: boolean
  readonly runSplit: (task: SplitTask) => Promise<SplitResult>
  readonly runGather: (task: GatherTask) => Promise<GatherResult>
  readonly signal?: AbortSignal
  /** Which form of the kernels where no lanes are needed. */
  readonly kernels?: KernelForm
  readonly sizes?: Partial<SplitSizes>
}

type StagingOutput = Extract<Output, { kind: 'staging' }>

/**
 * Converts a bulk file of clean, plain text, in which a column names the record of each row: one staged file per record, in the order in which
 * the records appear. Rows are spilled by record first, so that memory does not grow with the file, whether it is sorted or not.
 *
 * Each staged file depends on the rows of its record alone: not on the number of threads, nor on what was spilled.
 *
 * `other`: it is not for this way. `unclear`: it is not clean, plain text, or not what was promised. Then nothing is left of the attempt.
 */
export async function convertSplitFile(request: ConvertRequest, options: SplitFileOptions): Promise<ConvertDone | NotOnLanes> {
  const { files } = options
  if (request.grouping.kind !== 'column' || request.output.kind !== 'staging' || request.mendedRecords !== undefined) return 'other'
  const file = await files.openRead(request.sourcePath, { follow: true })
  if (file === null) return 'other'
  try {
    const stat = await file.stat()
    if (stat.kind !== 'file') return 'other'
    const table = buildTable(request.tableDocument, request.tableName)
    const plan = await planPlainText(request, table, file, stat.sizeBytes)
    if (plan === null) return 'unclear'
    return await new SplitFile(request, request.output, table, plan, file, options).run()
  } finally {
    await file.close().catch(() => {})
  }
}

class SplitFile {
  private readonly startedMs = performance.now()
  private readonly sizes: SplitSizes
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4))
  private readonly spillFolder: string
  private failure: unknown = null
  private unclear = false
  private rows = 0
  private blank = 0
  /** Records in order of first appearance, once they are known. */
  private records: readonly RecordTally[] = []
  private staged: StagedText[] = []
  private gathers = false
  private direct: readonly number[] = []

  constructor(
    private readonly request: ConvertRequest,
    private readonly output: StagingOutput,
    private readonly table: Table,
    private readonly plan: PlainTextPlan,
    private readonly file: OpenFile,
    private readonly options: SplitFileOptions,
  ) {
    this.sizes = { ...SPLIT_SIZES, ...options.sizes }
    // No transaction has this name; as a folder of the staging area without a plan it goes when the store is next opened, should it survive.
    this.spillFolder = join(output.stagingRoot, `${output.dropId}-spill`)
  }

  async run(): Promise<ConvertDone | 'unclear'> {
    const { signal } = this.options
    const stop = (): void => this.stop()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      signal?.throwIfAborted()
      const bytes = this.plan.sizeBytes - this.plan.dataStart
      if (bytes <= Math.min(this.sizes.chunkBytes, this.sizes.groupBytes)) await this.convertWhole()
      else await this.convertSpilled(bytes)
      signal?.throwIfAborted()
      if (this.failure !== null) throw this.failure
      if (!this.unclear) return this.done()
      await this.takeBack()
      return 'unclear'
    } catch (error) {
      this.stop()
      await this.takeBack().catch(() => {})
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  private done(): ConvertDone {
    const stagedOf = new Map(this.staged.map((staged) => [staged.text, staged]))
    const staged = this.records.map(({ text, rows }): StagedRecord => {
      const found = stagedOf.get(text)
      if (found === undefined || found.rows !== rows) throw new Error(`${found?.rows ?? 0} of ${rows} rows of a record were staged`)
      const { text: _, ...facts } = found
      return { ...facts, recordId: recordIdOf(this.request, text), invalid: 0 }
    })
    const { request, table, plan, rows, blank } = this
    return cleanResult({ request, table, plan, rows, blank, staged, seconds: (performance.now() - this.startedMs) / 1000 })
  }

  /** Whether rows and records are such that they may be staged. */
  private mayStage(): boolean {
    const { expectedRows, limits } = this.request
    return (
      this.rows > 0 &&
      (expectedRows === null || expectedRows === this.rows) &&
      this.records.length <= limits.recordsPerDrop &&
      !this.unclear
    )
  }

  /** A small file is one chunk. */
  private async convertWhole(): Promise<void> {
    const { plan, request, table, file } = this
    const { files } = this.options
    const kernels = await borrowKernels(this.options.kernels)
    const mark = kernels.mark()
    const stopped = (): boolean => Atomics.load(this.control, STOP) !== 0
    let stager: RecordStager | null = null
    try {
      const reader = new PartReader(kernels, { ...plan, partBytes: plan.sizeBytes - plan.dataStart }, file)
      const chunk = await reader.read({ from: plan.dataStart, to: plan.sizeBytes })
      if (chunk === null) return this.giveUp()
      this.rows = chunk.rows
      this.blank = chunk.blank
      this.records = talliesOf(chunk.recordTexts, chunk.recordOfRow)
      if (!this.mayStage()) return this.giveUp()
      this.gathers = true
      stager = new RecordStager({ files, kernels, table, request, groupRows: this.sizes.groupRows, totalRows: this.rows, stopped })
      if (!(await stager.stage(chunk))) return this.giveUp()
      this.staged = stager.staged
      this.tellProgress(plan.sizeBytes)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.giveUp()
    } finally {
      await stager?.discard().catch(() => {})
      kernels.release(mark)
      returnKernels(kernels)
    }
  }

  private async convertSpilled(bytes: number): Promise<void> {
    const { request, sizes } = this
    const { files, lanes, inThread, runSplit, runGather } = this.options
    const { partBytes, partitions } = layoutOf(bytes, sizes)
    // A part may end before its limit where a long row follows, which then is a part of its own.
    const partsMost = 2 * Math.ceil(bytes / partBytes) + 1
    const parts: SplitParts = {
      partitions,
      ends: new Float64Array(new SharedArrayBuffer(partsMost * 8)),
      lanes: new Int32Array(new SharedArrayBuffer(partsMost * 4)),
      starts: new Float64Array(new SharedArrayBuffer(partsMost * (partitions + 1) * 8)),
    }
    await removeTree(files, this.spillFolder)
    await files.makeDirectory(this.spillFolder, { mode: 0o700 })
    try {
      this.tellProgress(0)
      const spillPaths = Array.from({ length: lanes }, (_, lane) => join(this.spillFolder, `${lane}.csv`))
      const cutting = this.cutParts(parts, partBytes)
      cutting.catch((error: unknown) => this.fail(error))
      if (inThread) await cutting
      const { control } = this
      const split = await this.onLanes((lane) => runSplit({ kind: 'split', request, parts, control, lane, spillPath: spillPaths[lane]! }))
      const partCount = await cutting
      if (Atomics.load(control, STOP) !== 0) return
      this.records = this.merge(split)
      if (!this.mayStage()) return this.giveUp()
      const bins = binsOf(this.records, partitions, sizes)
      Atomics.store(control, NEXT_PART, 0)
      this.gathers = true
      const gathered = await this.onLanes(() =>
        runGather({
          kind: 'gather',
          request,
          parts,
          partCount,
          totalRows: this.rows,
          direct: this.direct,
          spillPaths,
          bins,
          control,
          sizes,
        }),
      )
      this.staged = gathered.flatMap(({ staged }) => staged)
    } finally {
      await removeTree(files, this.spillFolder)
    }
  }

  /** Says where each part ends; returns how many there are. */
  private async cutParts(parts: SplitParts, partBytes: number): Promise<number> {
    const { plan, control, file } = this
    const kernels = await borrowKernels(this.options.kernels)
    const mark = kernels.mark()
    let cut = 0
    try {
      const limits = { rows: 0x7fff_ffff, bytes: partBytes }
      const cutter = new PartCutter(kernels, file, { start: plan.dataStart, sizeBytes: plan.sizeBytes, limits })
      for (let part = await cutter.next(); part !== null && Atomics.load(control, STOP) === 0; part = await cutter.next()) {
        if (part === 'open') {
          this.giveUp()
          return cut
        }
        parts.ends[cut++] = part.to
        Atomics.store(control, CUT, cut)
        Atomics.notify(control, CUT)
      }
      Atomics.store(control, CUT_TO_END, 1)
      Atomics.notify(control, CUT)
      // A matter of speed alone: gathered columns come out the same either way.
      this.direct = [...(await sampleColumns(kernels, plan, file))]
      return cut
    } finally {
      kernels.release(mark)
      returnKernels(kernels)
    }
  }

  /** What all lanes found; nothing, once any of them stopped. */
  private async onLanes<T extends { readonly status: 'done' }>(
    run: (lane: number) => Promise<T | { readonly status: 'stopped' | 'unclear' } | ConvertFailed>,
  ): Promise<T[]> {
    const done: T[] = []
    const results = await Promise.allSettled(
      Array.from({ length: this.options.lanes }, async (_, lane) => {
        try {
          const result = await run(lane)
          if (result.status === 'unclear') this.giveUp()
          else if (result.status === 'failed') this.fail(new IntakeError(result.code, result.message, { hint: result.hint }))
          else if (result.status === 'done') done.push(result as T)
        } catch (error) {
          // The thread died; the others must not wait for it.
          this.fail(error)
        }
      }),
    )
    for (const result of results) if (result.status === 'rejected') throw result.reason
    return Atomics.load(this.control, STOP) === 0 ? done : []
  }

  /** Records in order of first appearance in the file. */
  private merge(split: readonly SplitDone[]): RecordTally[] {
    const merged = new Map<string, { text: string; rows: number; bytes: number; first: number }>()
    for (const { texts, rowsOf, bytesOf, firsts, rows, blank } of split) {
      this.rows += rows
      this.blank += blank
      texts.forEach((text, i) => {
        const known = merged.get(text)
        if (known === undefined) merged.set(text, { text, rows: rowsOf[i]!, bytes: bytesOf[i]!, first: firsts[i]! })
        else {
          known.rows += rowsOf[i]!
          known.bytes += bytesOf[i]!
          known.first = Math.min(known.first, firsts[i]!)
        }
      })
    }
    return [...merged.values()].sort((a, b) => a.first - b.first)
  }

  /** Best effort: the next attempt clears what is left. A lane that died tells nobody what it staged, so it is all of them. */
  private async takeBack(): Promise<void> {
    await removeTree(this.options.files, this.spillFolder)
    if (!this.gathers) return
    for (const { text } of this.records) await discardOutput(this.options.files, outputPath(this.output, recordIdOf(this.request, text)))
  }

  private tellProgress(bytes: number): void {
    const { progress } = this.request
    if (progress === null) return
    Atomics.store(progress, 1, BigInt(this.plan.sizeBytes))
    Atomics.store(progress, 0, BigInt(bytes))
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
    Atomics.notify(this.control, CUT)
  }
}

function talliesOf(recordTexts: readonly string[], recordOfRow: Uint32Array): RecordTally[] {
  const rowsOf = new Map<string, number>(recordTexts.map((text) => [text, 0]))
  const counts = new Uint32Array(recordTexts.length)
  for (let i = 0; i < recordOfRow.length; i++) counts[recordOfRow[i]!]!++
  recordTexts.forEach((text, code) => {
    rowsOf.set(text, rowsOf.get(text)! + counts[code]!)
  })
  return [...rowsOf].map(([text, rows]) => ({ text, rows, bytes: 0 }))
}

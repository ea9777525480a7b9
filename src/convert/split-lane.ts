import { IntakeError } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import type { Files, OpenFile } from '../runtime/files.js'
import { buildTable } from '../tables/build-table.js'
import { failureOf } from './failure.js'
import { borrowKernels, type KernelForm, returnKernels } from './kernel-loans.js'
import { KernelRegion } from './kernel-region.js'
import { waitForCut } from './lane.js'
import { NEXT_PART, STOP } from './lane-protocol.js'
import { namesRecord } from './plain-text-chunk.js'
import { type PlainTextPlan, planPlainText } from './plain-text-source.js'
import { RoutedRows } from './routed-rows.js'
import type { SplitParts, SplitResult, SplitTask } from './split-protocol.js'
import { partitionOf } from './split-sizes.js'

/** Parts after which memory that grew is given back. */
const PARTS_PER_READER = 32
/** Firsts of parts lie so far apart: more texts than one part can have. */
const TEXTS_OF_PART = 2 ** 31

/** One worker's share of the first pass over a bulk file. */
export async function runSplit(task: SplitTask, files: Files, form?: KernelForm): Promise<SplitResult> {
  const { request, control, parts } = task
  const opened: OpenFile[] = []
  try {
    const source = await files.openRead(request.sourcePath, { follow: true })
    if (source === null) throw new IntakeError('IO_FAILED', `${request.sourcePath} does not exist`)
    opened.push(source)
    const spill = await files.create(task.spillPath, { mode: 0o600 })
    if (spill === 'exists') throw new IntakeError('FILE_EXISTS', `${task.spillPath} exists already`)
    opened.push(spill)
    const table = buildTable(request.tableDocument, request.tableName)
    const plan = await planPlainText(request, table, source, (await source.stat()).sizeBytes)
    if (plan === null) return unclear(control)
    const kernels = await borrowKernels(form)
    const mark = kernels.mark()
    try {
      const splitter = new Splitter(kernels, plan, parts, source, spill)
      for (;;) {
        const part = Atomics.add(control, NEXT_PART, 1)
        if (!waitForCut(control, part)) break
        parts.lanes[part] = task.lane
        if (!(await splitter.take(part)) || splitter.records.texts.length > request.limits.recordsPerDrop) return unclear(control)
        if (request.progress !== null) Atomics.add(request.progress, 0, BigInt(Math.floor(splitter.partBytes / 2)))
      }
      if (Atomics.load(control, STOP) !== 0) return { status: 'stopped' }
      const { texts, rowsOf, bytesOf, firsts } = splitter.records
      return { status: 'done', rows: splitter.rows, blank: splitter.blank, texts, rowsOf, bytesOf, firsts }
    } finally {
      kernels.release(mark)
      returnKernels(kernels)
    }
  } catch (error) {
    if (error instanceof RangeError) return unclear(control)
    Atomics.store(control, STOP, 1)
    return failureOf(error)
  } finally {
    for (const file of opened) await file.close().catch(() => {})
  }
}

function unclear(control: Int32Array): SplitResult {
  Atomics.store(control, STOP, 1)
  return { status: 'unclear' }
}

/** Records by the text of their cell, in the order in which this lane met them. */
class MetRecords {
  readonly texts: string[] = []
  readonly rowsOf: number[] = []
  readonly bytesOf: number[] = []
  readonly firsts: number[] = []
  private readonly places = new Map<string, number>()

  placeOf(text: string, first: number): number {
    let place = this.places.get(text)
    if (place === undefined) {
      place = this.texts.push(text) - 1
      this.rowsOf.push(0)
      this.bytesOf.push(0)
      this.firsts.push(first)
      this.places.set(text, place)
    }
    return place
  }
}

/** Copies the rows of parts to a spill, those of one partition after those of the other. */
class Splitter {
  readonly records = new MetRecords()
  rows = 0
  blank = 0
  /** Of the last part. */
  partBytes = 0
  private spilled = 0
  private read = 0
  private readonly mark: number
  private memory: SplitterMemory
  /** Of the codes of `memory.routed`. */
  private placeOfCode: number[] = []

  constructor(
    private readonly kernels: Kernels,
    private readonly plan: PlainTextPlan,
    private readonly parts: SplitParts,
    private readonly source: OpenFile,
    private readonly spill: OpenFile,
  ) {
    this.mark = kernels.mark()
    this.memory = newMemory(kernels, plan)
  }

  /** False: the part is not clean, plain text. */
  async take(part: number): Promise<boolean> {
    if (++this.read % PARTS_PER_READER === 0) {
      this.kernels.release(this.mark)
      this.memory = newMemory(this.kernels, this.plan)
      this.placeOfCode = []
    }
    const { kernels, memory, parts } = this
    const { routed } = memory
    const from = part === 0 ? this.plan.dataStart : parts.ends[part - 1]!
    const bytes = parts.ends[part]! - from
    this.partBytes = bytes
    const text = memory.text.reserve(bytes)
    if ((await this.source.read(kernels.u8.subarray(text, text + bytes), from)) !== bytes)
      throw new Error('the source of a conversion became shorter')
    if (!routed.read(text, text + bytes) || !this.meetTexts(part)) return false
    this.rows += routed.rows
    this.blank += routed.blank
    const bytesOf = this.tally()
    const { partitions, starts } = parts
    const total = bytesOf.reduce((sum, of) => sum + of, 0)
    const out = memory.out.reserve(total)
    const ends = memory.ends.reserve(partitions * 4) >>> 2
    let at = 0
    for (let p = 0; p < partitions; p++) {
      starts[part * (partitions + 1) + p] = this.spilled + at
      kernels.u32[ends + p] = out + at
      at += bytesOf[p]!
    }
    starts[part * (partitions + 1) + partitions] = this.spilled + at
    kernels.scatterSpans(routed.spans, routed.codes, memory.groupOf.address, routed.rows, memory.ends.address)
    await this.spill.write(kernels.u8.subarray(out, out + total))
    this.spilled += total
    return true
  }

  /** Texts of the record cell that were not met before. False: one of them names no record. */
  private meetTexts(part: number): boolean {
    const { kernels, memory, placeOfCode, parts } = this
    const { routed } = memory
    const groups = memory.groupOf.reserve(routed.texts * 4) >>> 2
    for (let code = placeOfCode.length; code < routed.texts; code++) {
      const text = routed.textOfCode(code)
      if (!namesRecord(this.plan.chunk, text)) return false
      placeOfCode.push(this.records.placeOf(text, part * TEXTS_OF_PART + code))
      kernels.u32[groups + code] = partitionOf(text, parts.partitions)
    }
    return true
  }

  /** Counts rows and bytes of each record, and gives the bytes of each partition. */
  private tally(): number[] {
    const { kernels, memory, records, placeOfCode } = this
    const { routed } = memory
    const tally = memory.tally.reserve(routed.texts * 8)
    kernels.u32.fill(0, tally >>> 2, (tally >>> 2) + routed.texts * 2)
    kernels.tallySpans(routed.spans, routed.codes, routed.rows, tally)
    const bytesOf = new Array<number>(this.parts.partitions).fill(0)
    for (let code = 0; code < routed.texts; code++) {
      const rows = kernels.u32[(tally >>> 2) + code * 2]!
      if (rows === 0) continue
      const bytes = kernels.u32[(tally >>> 2) + code * 2 + 1]!
      records.rowsOf[placeOfCode[code]!]! += rows
      records.bytesOf[placeOfCode[code]!]! += bytes
      bytesOf[kernels.u32[(memory.groupOf.address >>> 2) + code]!]! += bytes
    }
    return bytesOf
  }
}

interface SplitterMemory {
  readonly text: KernelRegion
  readonly out: KernelRegion
  readonly ends: KernelRegion
  readonly groupOf: KernelRegion
  readonly tally: KernelRegion
  readonly routed: RoutedRows
}

function newMemory(kernels: Kernels, plan: PlainTextPlan): SplitterMemory {
  return {
    text: new KernelRegion(kernels),
    out: new KernelRegion(kernels),
    ends: new KernelRegion(kernels),
    groupOf: new KernelRegion(kernels),
    tally: new KernelRegion(kernels),
    routed: new RoutedRows(kernels, plan.chunk),
  }
}

import { IntakeError } from '../errors.js'
import { NONE } from '../kernels/columns.js'
import type { Kernels } from '../kernels/kernels.js'
import type { Files, OpenFile } from '../runtime/files.js'
import { buildTable } from '../tables/build-table.js'
import { failureOf } from './failure.js'
import { borrowKernels, type KernelForm, returnKernels } from './kernel-loans.js'
import { KernelRegion } from './kernel-region.js'
import { NEXT_PART, STOP } from './lane-protocol.js'
import { type ChunkColumns, type ChunkPlan, ChunkReader } from './plain-text-chunk.js'
import { planPlainText } from './plain-text-source.js'
import { RecordStager } from './record-stager.js'
import { RoutedRows } from './routed-rows.js'
import type { GatherResult, GatherTask } from './split-protocol.js'
import type { Bin } from './split-sizes.js'

/** Bins after which memory that grew is given back. */
const BINS_PER_READER = 32

/** One worker's share of the second pass over a bulk file. What it staged is told even when it stops, for somebody to take it back. */
export async function runGather(task: GatherTask, files: Files, form?: KernelForm): Promise<GatherResult> {
  const { request, control, bins } = task
  const spills: OpenFile[] = []
  try {
    const table = buildTable(request.tableDocument, request.tableName)
    const source = await files.openRead(request.sourcePath, { follow: true })
    if (source === null) throw new IntakeError('IO_FAILED', `${request.sourcePath} does not exist`)
    spills.push(source)
    const plan = await planPlainText(request, table, source, (await source.stat()).sizeBytes)
    if (plan === null) return unclear(control)
    for (const path of task.spillPaths) {
      const spill = await files.openRead(path)
      if (spill === null) throw new IntakeError('IO_FAILED', `${path} vanished`)
      spills.push(spill)
    }
    const chunk = { ...plan.chunk, direct: new Set(task.direct) }
    const stopped = (): boolean => Atomics.load(control, STOP) !== 0
    const kernels = await borrowKernels(form)
    const mark = kernels.mark()
    const stager = new RecordStager({ files, kernels, table, request, groupRows: task.sizes.groupRows, totalRows: task.totalRows, stopped })
    try {
      let gatherer = new Gatherer(kernels, chunk, task, spills.slice(1), stager)
      for (let done = 1; ; done++) {
        const bin = bins[Atomics.add(control, NEXT_PART, 1)]
        if (bin === undefined || stopped()) break
        if (!(await gatherer.take(bin, stopped))) return unclear(control)
        if (request.progress !== null) Atomics.add(request.progress, 0, BigInt(Math.floor(bin.bytes / 2)))
        if (done % BINS_PER_READER === 0) {
          kernels.release(mark)
          gatherer = new Gatherer(kernels, chunk, task, spills.slice(1), stager)
        }
      }
      return stopped() ? { status: 'stopped' } : { status: 'done', staged: stager.staged }
    } finally {
      await stager.discard().catch(() => {})
      kernels.release(mark)
      returnKernels(kernels)
    }
  } catch (error) {
    if (error instanceof RangeError) return unclear(control)
    Atomics.store(control, STOP, 1)
    return failureOf(error)
  } finally {
    for (const file of spills) await file.close().catch(() => {})
  }
}

function unclear(control: Int32Array): GatherResult {
  Atomics.store(control, STOP, 1)
  return { status: 'unclear' }
}

/** Gathers the rows of bins from the spills, and stages their records. */
class Gatherer {
  private readonly reader: ChunkReader
  /** Rows to be read as a chunk. */
  private readonly text: KernelRegion
  /** Rows of one part, of which some are wanted. */
  private readonly piece: KernelRegion
  private readonly groupOf: KernelRegion
  private readonly ends: number
  private routed: RoutedRows | null = null

  constructor(
    private readonly kernels: Kernels,
    private readonly plan: ChunkPlan,
    private readonly task: GatherTask,
    private readonly spills: readonly OpenFile[],
    private readonly stager: RecordStager,
  ) {
    this.ends = kernels.allocate(16)
    this.text = new KernelRegion(kernels)
    this.piece = new KernelRegion(kernels)
    this.groupOf = new KernelRegion(kernels)
    this.reader = new ChunkReader(kernels, plan)
  }

  /** False: a cell is wrong, or a key stands twice. */
  async take(bin: Bin, stopped: () => boolean): Promise<boolean> {
    this.reader.release()
    if (bin.streams) return this.stream(bin.texts![0]!, bin, stopped)
    const end = bin.texts === null ? await this.readWhole(bin.partition) : await this.readSome(bin.partition, new Set(bin.texts))
    const chunk = this.chunk(end)
    return chunk !== null && (await this.stager.stage(chunk))
  }

  private chunk(end: number): ChunkColumns | null {
    const found = this.reader.read(this.text.address, end)
    return found === 'unclear' ? null : found
  }

  /** All rows of a partition; returns where they end. */
  private async readWhole(partition: number): Promise<number> {
    const { partCount } = this.task
    let bytes = 0
    for (let part = 0; part < partCount; part++) bytes += this.segmentBytes(part, partition)
    let at = this.text.reserve(bytes)
    for (let part = 0; part < partCount; part++) at += await this.load(part, partition, at)
    return at
  }

  /** The rows of a partition that have one of these texts. */
  private async readSome(partition: number, texts: ReadonlySet<string>): Promise<number> {
    let bytes = 0
    for (let part = 0; part < this.task.partCount; part++) {
      const routed = await this.route(part, partition, texts)
      this.text.reserve(bytes + this.segmentBytes(part, partition))
      bytes += this.scatter(routed, 0, routed.rows, bytes)
    }
    return this.text.address + bytes
  }

  /** The row groups of one large record. */
  private async stream(text: string, bin: Bin, stopped: () => boolean): Promise<boolean> {
    const { kernels } = this
    const { groupRows, groupBytes } = this.task.sizes
    const texts = new Set([text])
    let rows = 0
    let bytes = 0
    const flush = async (): Promise<boolean> => {
      if (rows === 0) return true
      const chunk = this.chunk(this.text.address + bytes)
      rows = 0
      bytes = 0
      const taken = chunk !== null && (await this.stager.stageGroup(text, chunk))
      this.reader.release()
      return taken
    }
    for (let part = 0; part < this.task.partCount && !stopped(); part++) {
      const routed = await this.route(part, bin.partition, texts)
      for (let from = 0, to = 0; to < routed.rows; from = to) {
        // As many rows as bring the row group to its end.
        let more = 0
        while (to < routed.rows && rows < groupRows && bytes + more < groupBytes) {
          if (kernels.u32[(this.groupOf.address >>> 2) + kernels.u32[(routed.codes >>> 2) + to]!] === 0) {
            rows++
            more += kernels.u32[(routed.spans >>> 2) + to * 2 + 1]! + 1
          }
          to++
        }
        this.text.reserve(Math.max(bytes + more, 1))
        bytes += this.scatter(routed, from, to, bytes)
        if ((rows === groupRows || bytes >= groupBytes) && !(await flush())) return false
      }
    }
    if (stopped()) return true
    if (!(await flush())) return false
    await this.stager.end(text)
    return true
  }

  /** Reads the rows of a partition that stand in one part; those with one of these texts get the group 0. */
  private async route(part: number, partition: number, texts: ReadonlySet<string>): Promise<RoutedRows> {
    const { kernels } = this
    const bytes = this.segmentBytes(part, partition)
    const piece = this.piece.reserve(bytes)
    await this.load(part, partition, piece)
    this.routed ??= new RoutedRows(kernels, this.plan)
    const routed = this.routed
    if (!routed.read(piece, piece + bytes)) throw new Error('rows of a spill are no rows any more')
    const groups = this.groupOf.reserve(routed.texts * 4) >>> 2
    for (let code = 0; code < routed.texts; code++) kernels.u32[groups + code] = texts.has(routed.textOfCode(code)) ? 0 : NONE
    return routed
  }

  /** Copies the wanted ones among rows [from, to) behind the first `bytes` of the text; returns how many bytes they take. */
  private scatter(routed: RoutedRows, from: number, to: number, bytes: number): number {
    const { kernels, ends } = this
    kernels.u32[ends >>> 2] = this.text.address + bytes
    kernels.scatterSpans(routed.spans + from * 8, routed.codes + from * 4, this.groupOf.address, to - from, ends)
    return kernels.u32[ends >>> 2]! - this.text.address - bytes
  }

  private segmentBytes(part: number, partition: number): number {
    const at = part * (this.task.parts.partitions + 1) + partition
    return this.task.parts.starts[at + 1]! - this.task.parts.starts[at]!
  }

  private async load(part: number, partition: number, address: number): Promise<number> {
    const { parts } = this.task
    const bytes = this.segmentBytes(part, partition)
    if (bytes === 0) return 0
    const from = parts.starts[part * (parts.partitions + 1) + partition]!
    const read = await this.spills[parts.lanes[part]!]!.read(this.kernels.u8.subarray(address, address + bytes), from)
    if (read !== bytes) throw new Error('a spill of a conversion became shorter')
    return bytes
  }
}

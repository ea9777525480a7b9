import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { DEFAULT_CONVERT } from '../documents/defaults.js'
import { ERRORS, IntakeError, isExhausted } from '../errors.js'
import { systemClock } from '../runtime/clock.js'
import type { Files } from '../runtime/files.js'
import { nodeFiles } from '../runtime/files.js'
import { ABORTED, failureOf } from './failure.js'
import type { LaneResult, LaneTask, PoolResult, PoolTask, VerifyResult, VerifyTask } from './lane-protocol.js'
import type { NotOnLanes } from './large-file.js'
import { type Converter, type ConvertRequest, type ConvertResult, LARGE_FILE_BYTES } from './protocol.js'
import { afterRunning } from './running-time.js'
import { Shares } from './shares.js'
import type { GatherResult, GatherTask, SplitResult, SplitTask } from './split-protocol.js'

/** Up to this size the main thread has more to do for a drop (claim, commit, receipt) than the thread that converts it. */
const TINY_FILE_BYTES = 16 * 1024

const DEFAULT_MEMORY_BYTES = DEFAULT_CONVERT.memoryMb * 1024 ** 2

/** Threads for `convert.threads: "auto"`. os.cpus() is empty under systemd's ProcSubset=pid; this is not. */
export function threadsOf(setting: 'auto' | number): number {
  return setting === 'auto' ? availableParallelism() : setting
}

/**
 * Conversions on worker threads. A thread that dies takes its own conversion with it and is replaced.
 *
 * A large file goes to all `lanes` at once. Large files together never hold more than `lanes` threads, so that a pool with one thread more
 * always has one for a small drop.
 *
 * Tiny files use half of the threads at most. On more they would wait for the main thread, and a thread that converts for the first time takes
 * as long as for a thousand of them until its code is compiled.
 */
export class ConvertPool implements Converter {
  private readonly pool: Piscina<PoolTask, PoolResult>
  private readonly files: Files
  private readonly lanes: number
  private readonly shares: Shares
  private readonly tinyShares: Shares
  private readonly memoryBytes: number
  private readonly timeLimitMs: ((sourceBytes: number) => number) | null
  /** Documents that were checked here, and the names they were checked under; they do not change. */
  private readonly checked = new WeakMap<object, string>()
  /** Documents that went to threads, as they went. */
  private readonly texts = new WeakMap<object, string>()
  /** What ends each conversion that has threads, or waits for one. */
  private readonly underway = new Set<(why: Error) => void>()
  private largeFile: Promise<typeof import('./large-file.js')> | null = null

  /** So many threads as `warm` says start now, and load what they need while the caller still reads its table. */
  constructor(options: {
    threads: number
    lanes?: number
    memoryBytes?: number
    /** MiB of heap that a thread may have before it is stopped; typed arrays do not count. Absent: V8's own limit. */
    heapMb?: number
    /** A conversion that takes longer is stopped with its threads. Absent: none is. */
    timeLimitMs?: (sourceBytes: number) => number
    warm?: number
    workerUrl?: URL
    files?: Files
  }) {
    this.files = options.files ?? nodeFiles
    this.lanes = options.lanes ?? options.threads
    this.memoryBytes = options.memoryBytes ?? DEFAULT_MEMORY_BYTES
    this.timeLimitMs = options.timeLimitMs ?? null
    this.shares = new Shares(this.lanes)
    this.tinyShares = new Shares(Math.max(1, this.lanes >> 1))
    this.pool = new Piscina<PoolTask, PoolResult>({
      // `.href`, not `.pathname`: a path with a space or a % would not survive.
      filename: (options.workerUrl ?? new URL('../../workers/convert-thread.cjs', import.meta.url)).href,
      minThreads: options.warm ?? 0,
      maxThreads: options.threads,
      idleTimeout: 60_000,
      // Conversions are claimed one by one and bounded by the coordinator.
      maxQueue: Number.POSITIVE_INFINITY,
      ...(options.heapMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: options.heapMb } }),
    })
    this.pool.on('error', (error: Error) => this.threadFailed(error))
  }

  async convert(request: ConvertRequest, options: { signal?: AbortSignal } = {}): Promise<ConvertResult> {
    try {
      const stat = await this.files.stat(request.sourcePath)
      const checked = await this.withTableChecked(request)
      const sizeBytes = stat?.sizeBytes ?? 0
      const onOneThread = (plainText: boolean) => () =>
        this.inTime(sizeBytes, options.signal, (stopping) => this.convertOnOneThread(checked, plainText, stopping))
      if (sizeBytes <= TINY_FILE_BYTES) return await this.tinyShares.holding(1, onOneThread(true))
      if (sizeBytes < LARGE_FILE_BYTES) return await onOneThread(true)()
      const large = await this.shares.holding(this.lanes, () =>
        this.inTime(sizeBytes, options.signal, (stopping) => this.convertOnLanes(checked, stopping)),
      )
      if (typeof large === 'object') return large
      // What lanes found unclear would be unclear again: csv-parse says why.
      return await this.shares.holding(1, onOneThread(large !== 'unclear'))
    } catch (error) {
      if (options.signal?.aborted) return ABORTED
      if (error instanceof IntakeError) return failureOf(error)
      if (isShort(error))
        return { status: 'failed', code: 'RESOURCES_EXHAUSTED', message: (error as Error).message, hint: ERRORS.RESOURCES_EXHAUSTED.hint }
      const text = error instanceof TooLate || !(error instanceof Error) ? String(error) : `The conversion worker stopped: ${error.message}`
      return { status: 'failed', code: 'WORKER_FAILED', message: text, hint: ERRORS.WORKER_FAILED.hint }
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy()
  }

  /** Runs a conversion and stops it when its time is over, or the pool has no threads for it. Throws why, whatever the conversion made of it. */
  private async inTime<T>(sourceBytes: number, signal: AbortSignal | undefined, work: (stopping: Stopping) => Promise<T>): Promise<T> {
    const ending = new AbortController()
    let reason: Error | null = null
    const end = (why: Error): void => {
      reason ??= why
      ending.abort()
    }
    const limitMs = this.timeLimitMs?.(sourceBytes) ?? null
    const cancel = limitMs === null ? () => {} : afterRunning(limitMs, () => end(new TooLate(limitMs)), systemClock.monotonicMs)
    this.underway.add(end)
    try {
      return await work({ signal: signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]), ended: ending.signal })
    } catch (error) {
      if (reason !== null && !signal?.aborted) throw reason
      throw error
    } finally {
      this.underway.delete(end)
      cancel()
    }
  }

  /**
   * A thread failed without a task: one that did not get as far as its first, mostly for want of descriptors. Tasks that wait for it would wait
   * for ever, for the pool starts no other until it is asked again.
   */
  private threadFailed(error: Error): void {
    if (isShort(error) || this.pool.threads.length === 0) for (const end of [...this.underway]) end(error)
  }

  private async convertOnOneThread(request: ConvertRequest, plainText: boolean, { signal }: Stopping): Promise<ConvertResult> {
    const { tableDocument, ...rest } = request
    return (await this.pool.run(
      { kind: 'convert', request: rest, tableText: this.textOf(tableDocument as object), plainText },
      signal === undefined ? {} : { signal },
    )) as ConvertResult
  }

  private textOf(tableDocument: object): string {
    let text = this.texts.get(tableDocument)
    if (text === undefined) {
      text = JSON.stringify(tableDocument)
      this.texts.set(tableDocument, text)
    }
    return text
  }

  /** Workers make tables of checked documents only: here it is done once for all of them, and zod stays out of their threads. */
  private async withTableChecked(request: ConvertRequest): Promise<ConvertRequest> {
    if (request.tableChecked === true) return request
    const { tableDocument, tableName } = request
    if (this.checked.get(tableDocument as object) !== tableName) {
      const { loadTable } = await import('../tables/load-table.js')
      await loadTable(tableDocument, tableName)
      this.checked.set(tableDocument as object, tableName)
    }
    return { ...request, tableChecked: true }
  }

  private async convertOnLanes(request: ConvertRequest, { signal, ended }: Stopping): Promise<ConvertResult | NotOnLanes> {
    const ending = signal === undefined ? {} : { signal }
    // Lanes stop by a flag in shared memory. Aborting their task kills the thread, which is for those that look at no flag any more.
    const killing = { signal: ended }
    if (request.grouping.kind === 'column') {
      const { convertSplitFile } = await import('./split-file.js')
      return convertSplitFile(request, {
        files: this.files,
        lanes: this.lanes,
        inThread: false,
        runSplit: async (task: SplitTask) => (await this.pool.run(task, killing)) as SplitResult,
        runGather: async (task: GatherTask) => (await this.pool.run(task, killing)) as GatherResult,
        ...ending,
      })
    }
    this.largeFile ??= import('./large-file.js')
    const { convertLargeFile } = await this.largeFile
    return convertLargeFile(request, {
      files: this.files,
      lanes: this.lanes,
      memoryBytes: this.memoryBytes,
      runLane: async (task: LaneTask) => (await this.pool.run(task, { transferList: [task.port], ...killing })) as LaneResult,
      runVerify: async (task: VerifyTask) => (await this.pool.run(task, killing)) as VerifyResult,
      ...ending,
    })
  }
}

interface Stopping {
  /** Aborted when the conversion is to stop. */
  readonly signal: AbortSignal | undefined
  /** Aborted when its time is over or its threads failed, and only then. */
  readonly ended: AbortSignal
}

/** What a thread says that could not be started, or could not read its modules, has lost its code on the way. */
function isShort(error: unknown): boolean {
  return (
    isExhausted(error) ||
    (error instanceof Error && /^(?:Worker initialization failure: )?(?:EMFILE|ENFILE|ENOMEM|ENOBUFS)\b/.test(error.message))
  )
}

class TooLate extends Error {
  constructor(limitMs: number) {
    super(`The conversion did not end within ${limitMs / 1000} s`)
  }

  override toString(): string {
    return this.message
  }
}

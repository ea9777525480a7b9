import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { intakeConfig } from '../documents/config.js'
import { ERRORS, IntakeError } from '../errors.js'
import type { Files } from '../runtime/files.js'
import { nodeFiles } from '../runtime/files.js'
import { ABORTED, failureOf } from './failure.js'
import type { LaneResult, LaneTask, PoolResult, PoolTask, VerifyResult, VerifyTask } from './lane-protocol.js'
import { convertLargeFile, LARGE_FILE_BYTES, type NotOnLanes } from './large-file.js'
import type { Converter, ConvertRequest, ConvertResult } from './protocol.js'
import { Shares } from './shares.js'

const DEFAULT_MEMORY_BYTES = intakeConfig.parse({}).convert.memoryMb * 1024 ** 2

/** Threads for `convert.threads: "auto"`. os.cpus() is empty under systemd's ProcSubset=pid; this is not. */
export function threadsOf(setting: 'auto' | number): number {
  return setting === 'auto' ? availableParallelism() : setting
}

/**
 * Conversions on worker threads. A thread that dies takes its own conversion with it and is replaced.
 *
 * A large file goes to all `lanes` at once. Large files together never hold more than `lanes` threads, so that a pool with one thread more
 * always has one for a small drop.
 */
export class ConvertPool implements Converter {
  private readonly pool: Piscina<PoolTask, PoolResult>
  private readonly files: Files
  private readonly lanes: number
  private readonly shares: Shares
  private readonly memoryBytes: number

  constructor(options: { threads: number; lanes?: number; memoryBytes?: number; workerUrl?: URL; files?: Files }) {
    this.files = options.files ?? nodeFiles
    this.lanes = options.lanes ?? options.threads
    this.memoryBytes = options.memoryBytes ?? DEFAULT_MEMORY_BYTES
    this.shares = new Shares(this.lanes)
    this.pool = new Piscina<PoolTask, PoolResult>({
      // `.href`, not `.pathname`: a path with a space or a % would not survive.
      filename: (options.workerUrl ?? new URL('../../workers/convert.js', import.meta.url)).href,
      minThreads: 0,
      maxThreads: options.threads,
      idleTimeout: 60_000,
      // Conversions are claimed one by one and bounded by the coordinator.
      maxQueue: Number.POSITIVE_INFINITY,
    })
  }

  async convert(request: ConvertRequest, options: { signal?: AbortSignal } = {}): Promise<ConvertResult> {
    try {
      const stat = await this.files.stat(request.sourcePath)
      if ((stat?.sizeBytes ?? 0) < LARGE_FILE_BYTES) return await this.convertAlone(request, true, options)
      const large = await this.shares.holding(this.lanes, () => this.convertOnLanes(request, options))
      if (typeof large === 'object') return large
      // What lanes found unclear would be unclear again: csv-parse says why.
      return await this.shares.holding(1, () => this.convertAlone(request, large !== 'unclear', options))
    } catch (error) {
      if (options.signal?.aborted) return ABORTED
      if (error instanceof IntakeError) return failureOf(error)
      const text = error instanceof Error ? error.message : String(error)
      return { status: 'failed', code: 'WORKER_FAILED', message: `The conversion worker stopped: ${text}`, hint: ERRORS.WORKER_FAILED.hint }
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy()
  }

  private async convertAlone(request: ConvertRequest, plainText: boolean, options: { signal?: AbortSignal }): Promise<ConvertResult> {
    return (await this.pool.run(
      { kind: 'convert', request, plainText },
      options.signal === undefined ? {} : { signal: options.signal },
    )) as ConvertResult
  }

  private convertOnLanes(request: ConvertRequest, options: { signal?: AbortSignal }): Promise<ConvertResult | NotOnLanes> {
    return convertLargeFile(request, {
      files: this.files,
      lanes: this.lanes,
      memoryBytes: this.memoryBytes,
      // Lanes stop by a flag in shared memory; aborting their task would kill the thread.
      runLane: async (task: LaneTask) => (await this.pool.run(task, { transferList: [task.port] })) as LaneResult,
      runVerify: async (task: VerifyTask) => (await this.pool.run(task)) as VerifyResult,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  }
}

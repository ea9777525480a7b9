import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { ERRORS } from '../errors.js'
import type { Converter, ConvertRequest, ConvertResult } from './protocol.js'

/** Threads for `convert.threads: "auto"`. os.cpus() is empty under systemd's ProcSubset=pid; this is not. */
export function threadsOf(setting: 'auto' | number): number {
  return setting === 'auto' ? availableParallelism() : setting
}

/** Conversions on worker threads. A thread that dies takes its own conversion with it and is replaced. */
export class ConvertPool implements Converter {
  private readonly pool: Piscina<ConvertRequest, ConvertResult>

  constructor(options: { threads: number; workerUrl?: URL }) {
    this.pool = new Piscina<ConvertRequest, ConvertResult>({
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
      return await this.pool.run(request, options.signal === undefined ? {} : { signal: options.signal })
    } catch (error) {
      if (options.signal?.aborted)
        return { status: 'failed', code: 'ABORTED', message: 'The conversion was stopped', hint: ERRORS.ABORTED.hint }
      const text = error instanceof Error ? error.message : String(error)
      return { status: 'failed', code: 'WORKER_FAILED', message: `The conversion worker stopped: ${text}`, hint: ERRORS.WORKER_FAILED.hint }
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy()
  }
}

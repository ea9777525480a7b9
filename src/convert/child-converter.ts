import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ERRORS, IntakeError, isExhausted, systemCodeOf } from '../errors.js'
import { systemClock } from '../runtime/clock.js'
import type { FromChild, ToChild } from './child-messages.js'
import { ABORTED } from './failure.js'
import type { Converter, ConvertRequest, ConvertResult } from './protocol.js'
import { afterRunning } from './running-time.js'

/** Until the child must have loaded what it needs, in milliseconds: on a machine that takes longer nothing else works either. */
const READY_MS = 60_000

/**
 * Converts a drop in a process of its own, for drops that are suspected of stopping whoever converts them: what happens to the child happens
 * to nobody else.
 *
 * WORKER_FAILED: the child ended without a result, or had none in time. Throws WORKER_FAILED where not even the child's start worked, which
 * is no fault of the drop, and RESOURCES_EXHAUSTED where there was no descriptor or no process left for it.
 */
export class ChildConverter implements Converter {
  private readonly entry: string
  private readonly running = new Set<() => void>()

  constructor(
    private readonly options: {
      /** MiB of heap; typed arrays do not count. */
      readonly heapMb: number
      readonly timeLimitMs: (sourceBytes: number) => number
      readonly sourceBytes: (request: ConvertRequest) => Promise<number>
      readonly entry?: URL
    },
  ) {
    this.entry = fileURLToPath(options.entry ?? new URL('../../workers/convert-alone.js', import.meta.url))
  }

  async convert(request: ConvertRequest, options: { signal?: AbortSignal } = {}): Promise<ConvertResult> {
    const { signal } = options
    if (signal?.aborted) return ABORTED
    const limitMs = this.options.timeLimitMs(await this.options.sourceBytes(request))
    return new Promise((resolve, reject) => {
      const child = fork(this.entry, {
        execArgv: [`--max-old-space-size=${this.options.heapMb}`],
        // A heap that ran full is told at length, and with paths of this machine.
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        serialization: 'advanced',
      })
      let isReady = false
      let outcome: ConvertResult | null = null
      let cancel = afterRunning(READY_MS, () => end(null), systemClock.monotonicMs)
      const end = (result: ConvertResult | null): void => {
        outcome ??= result
        child.kill('SIGKILL')
      }
      const abort = (): void => end(ABORTED)
      signal?.addEventListener('abort', abort, { once: true })
      this.running.add(abort)
      const release = (): void => {
        cancel()
        signal?.removeEventListener('abort', abort)
        this.running.delete(abort)
      }
      child.on('message', (message: FromChild) => {
        if (message.kind === 'result') return end(message.result)
        isReady = true
        cancel()
        cancel = afterRunning(limitMs, () => end(failed(`did not end within ${limitMs / 1000} s`)), systemClock.monotonicMs)
        const order: ToChild = { kind: 'convert', request }
        // An error here is that of a child that has ended, which is told below.
        child.send(order, () => {})
      })
      child.on('error', (error) => {
        if (child.pid !== undefined) return
        release()
        reject(isNoneLeft(error) ? new IntakeError('RESOURCES_EXHAUSTED', error.message, { cause: error }) : unusable(error.message))
      })
      // Only now does nothing of the child go on, wherever its end came from.
      child.on('exit', (status, killedBy) => {
        release()
        const how = killedBy === null ? `ended with status ${status}` : `was ended by ${killedBy}`
        if (outcome !== null) resolve(outcome)
        else if (isReady) resolve(failed(how))
        else reject(unusable(how))
      })
    })
  }

  async close(): Promise<void> {
    for (const abort of this.running) abort()
  }
}

function failed(how: string): ConvertResult {
  return {
    status: 'failed',
    code: 'WORKER_FAILED',
    message: `The process that converted this drop alone ${how}`,
    hint: ERRORS.WORKER_FAILED.hint,
  }
}

/** EAGAIN of a fork: the user has as many processes as it may have. */
function isNoneLeft(error: Error): boolean {
  return isExhausted(error) || systemCodeOf(error) === 'EAGAIN'
}

function unusable(why: string): IntakeError {
  return new IntakeError('WORKER_FAILED', `A process of its own for one conversion could not be started: ${why}`)
}

import { createHash, KeyObject, verify, webcrypto } from 'node:crypto'
import { InProcessConverter } from '../../src/convert/in-process.js'
import { type DaemonOutcome, runDaemon } from '../../src/daemon.js'
import type { Receipt } from '../../src/documents/receipt.js'
import type { Timers } from '../../src/inbox/timers.js'
import type { Clock } from '../../src/runtime/clock.js'
import type { Files, OpenFile } from '../../src/runtime/files.js'
import type { LogEvent, Logger } from '../../src/runtime/logger.js'
import { SignalState } from '../../src/runtime/shutdown.js'
import type { Workspace } from '../../src/runtime/workspace.js'
import type { Disk } from '../fault/disk.js'
import { DiskFiles } from '../fault/disk-files.js'
import { FuzzRandom } from '../fuzz/random.js'
import type { Life, When } from './schedule.js'

/** One life of the daemon in which nothing is left to chance: same schedule, same operations in the same order. */

/** How long nothing may have happened, in turns of the event loop, before a timer goes off. */
const IDLE_TURNS = 3
/** A life that does this much has run wild. */
const MOST_OPERATIONS = 60_000
const MOST_MS = 3_600_000

/** Signatures are checked by threads, which end when they like: here at once. Intervals go by the machine's clock: here they never go off. */
export function leaveNothingToChance(): () => void {
  const { subtle } = webcrypto
  const { setInterval: machineInterval } = globalThis
  const own = subtle.verify
  subtle.verify = async (_algorithm, key, signature, data) =>
    verify(null, Buffer.from(data as Uint8Array), KeyObject.from(key as webcrypto.CryptoKey), Buffer.from(signature as Uint8Array))
  const never = {
    unref: () => never,
    ref: () => never,
    hasRef: () => false,
    refresh: () => never,
    close: () => never,
    [Symbol.toPrimitive]: () => 0,
    [Symbol.dispose]: () => {},
  }
  globalThis.setInterval = (() => never) as unknown as typeof setInterval
  return () => {
    subtle.verify = own
    globalThis.setInterval = machineInterval
  }
}

/** Time that stands still while anything happens, and jumps to the next timer when nothing does. The wall clock can be set. */
export class SimulatedTime implements Clock, Timers {
  private elapsedMs = 0
  private offsetMs = 0
  private queue: { readonly dueMs: number; readonly run: () => void }[] = []
  private isPumping = false
  private idleTurns = 0
  private lastCount = -1

  constructor(
    private readonly startMs: number,
    private readonly activity: () => number,
  ) {}

  nowMs(): number {
    return this.startMs + this.elapsedMs + this.offsetMs
  }

  monotonicMs(): number {
    return this.elapsedMs
  }

  set(byMs: number): void {
    this.offsetMs += byMs
  }

  after(ms: number, run: () => void): () => void {
    const timer = { dueMs: this.elapsedMs + ms, run }
    let at = this.queue.length
    while (at > 0 && this.queue[at - 1]!.dueMs > timer.dueMs) at--
    this.queue.splice(at, 0, timer)
    this.pump()
    return () => {
      this.queue = this.queue.filter((other) => other !== timer)
    }
  }

  stop(): void {
    this.queue = []
  }

  private pump(): void {
    if (this.isPumping) return
    this.isPumping = true
    setImmediate(() => {
      this.isPumping = false
      this.turn()
      if (this.queue.length > 0) this.pump()
    })
  }

  private turn(): void {
    const next = this.queue[0]
    if (next === undefined) return
    if (this.activity() !== this.lastCount) {
      this.lastCount = this.activity()
      this.idleTurns = 0
      return
    }
    if (++this.idleTurns < IDLE_TURNS) return
    this.queue.shift()
    this.elapsedMs = Math.max(this.elapsedMs, next.dueMs)
    this.idleTurns = 0
    next.run()
  }
}

export interface LifeRun {
  /** null: it ended by an error. */
  readonly outcome: DaemonOutcome | null
  readonly error: unknown
  readonly files: DiskFiles
  /** What the wall clock showed at the end. */
  readonly endMs: number
}

export interface LifeOptions {
  readonly workspace: Workspace
  readonly disk: Disk
  readonly life: Pick<Life, 'form' | 'faults' | 'slow' | 'stopMs'>
  /** Tells the random parts of drop-ids apart. */
  readonly number: string
  readonly startMs: number
  /** What happens in it, each once. */
  readonly during: readonly { readonly when: When; readonly run: (now: { time: SimulatedTime; stop: () => void }) => void }[]
  readonly onReceipt: (receipt: Receipt, nowMs: number) => void
  readonly onEvent: (event: string) => void
}

/** Never rejects. */
export async function liveLife(options: LifeOptions): Promise<LifeRun> {
  const { disk, life } = options
  const signals = new SignalState()
  const early = options.during
    .filter((d) => 'operation' in d.when)
    .map((d) => ({ at: (d.when as { operation: number }).operation, run: d.run }))
  const files = new DiskFiles(disk, {
    faults: life.faults,
    onOperation: () => {
      if (files.count > MOST_OPERATIONS || time.monotonicMs() > MOST_MS) files.kill()
      for (let i = 0; i < early.length; i++) {
        if (early[i]!.at > files.count) continue
        const [due] = early.splice(i--, 1)
        due!.run(now)
      }
    },
  })
  const time = new SimulatedTime(options.startMs, () => files.count)
  const stop = (): void => void signals.receive('SIGTERM', time.monotonicMs())
  const now = { time, stop }
  for (const { when, run } of options.during) {
    if ('ms' in when)
      time.after(when.ms, () => {
        if (!files.isDead) run(now)
      })
  }
  if (life.form === 'watch') time.after(life.stopMs, stop)
  const write =
    (level: string) =>
    (fields: LogEvent): void =>
      options.onEvent(`${level} ${fields.event}`)
  const logger: Logger = {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('fatal'),
    child: () => logger,
  }
  let hex = 0
  const port = life.slow === null ? files : slowed(files, time, life.slow)
  try {
    const outcome = await runDaemon({
      workspace: options.workspace,
      files: port,
      clock: time,
      timers: time,
      lock: () => ({ release: () => {} }),
      logger,
      signals,
      pid: 1,
      version: 'test',
      randomUuid: () => '5700e000-0000-4000-8000-000000000001',
      randomHex: (bytes) =>
        createHash('sha256')
          .update(`${options.number} ${hex++}`)
          .digest('hex')
          .slice(0, bytes * 2),
      once: life.form === 'once',
      onReceipt: (receipt) => {
        if (!files.isDead) options.onReceipt(receipt, time.nowMs())
      },
      logReceipts: false,
      converter: new InProcessConverter(port),
      aloneConverter: new InProcessConverter(port),
    })
    return { outcome, error: null, files, endMs: time.nowMs() }
  } catch (error) {
    return { outcome: null, error, files, endMs: time.nowMs() }
  } finally {
    time.stop()
    files.kill()
  }
}

/** A port of which some operations take their time, so that others come between. Each still is one step, at the end of its time. */
function slowed(files: DiskFiles, time: SimulatedTime, slow: NonNullable<Life['slow']>): Files {
  const random = new FuzzRandom(slow.seed, 0, 12)
  const most = Math.round(slow.share * 1000)
  const waiting = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (object, name) => {
        const member = Reflect.get(object, name) as unknown
        if (typeof member !== 'function') return member
        return async (...parameters: unknown[]): Promise<unknown> => {
          if (random.below(1000) < most) {
            const ms = 1 + random.below(slow.mostMs)
            await new Promise<void>((resolve) => void time.after(ms, resolve))
          }
          const result: unknown = await (member as (...all: unknown[]) => unknown).apply(object, parameters)
          return name.toString().startsWith('open') || name === 'create' || name === 'overwrite' ? opened(result) : result
        }
      },
    })
  const opened = (result: unknown): unknown => (result !== null && typeof result === 'object' ? waiting(result as OpenFile) : result)
  return waiting<Files>(files)
}

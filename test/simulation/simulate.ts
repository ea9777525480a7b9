/**
 * `node dist/test/simulation/simulate.js [--schedules N] [--seed S] [--processes N]`
 *
 * Runs the schedules of the seeds S, S + 1, … S + N - 1 (schedule.ts) on as many processes as there are processors. On a terminal it shows how far
 * it is. SIGINT ends it and says with which seed to go on. Exit status 1: a seed failed; it is printed with its schedule and a line that runs
 * it again.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { failureOf } from './explain.js'
import { added, NO_TOTALS, prepareSimulation, runSchedule, type Totals } from './run-schedule.js'
import { scheduleOf } from './schedule.js'

const SEEDS_AT_ONCE = 25
const SHOWN_EVERY_MS = 1000

interface Order {
  readonly from: number
  readonly count: number
}

interface Done extends Order {
  readonly totals: Totals
  readonly failure: string | null
}

async function work({ from, count }: Order): Promise<Done> {
  let totals: Totals = { ...NO_TOTALS }
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await runSchedule(scheduleOf(seed))
    totals = added(totals, outcome.totals)
    const failure = await failureOf(seed, outcome.problems)
    if (failure !== null) return { from, count, totals, failure }
  }
  return { from, count, totals, failure: null }
}

class Simulations {
  private next: number
  private ran = 0
  private totals: Totals = { ...NO_TOTALS }
  private failure: string | null = null
  private isStopped = false
  private shownMs = 0
  private readonly running = new Set<number>()
  private readonly startMs = performance.now()

  constructor(private readonly options: { readonly seed: number; readonly schedules: number; readonly processes: number }) {
    this.next = options.seed
  }

  async run(): Promise<number> {
    process.once('SIGINT', () => {
      this.isStopped = true
    })
    await Promise.all(Array.from({ length: this.options.processes }, () => this.process()))
    this.show(true)
    if (this.failure !== null) process.stdout.write(`${this.failure}\n`)
    if (this.isStopped) process.stdout.write(`go on with --seed ${Math.min(this.next, ...this.running)}\n`)
    return this.failure === null ? (this.isStopped ? 130 : 0) : 1
  }

  private order(): Order | null {
    const end = this.options.seed + this.options.schedules
    if (this.failure !== null || this.isStopped || this.next >= end) return null
    const order = { from: this.next, count: Math.min(SEEDS_AT_ONCE, end - this.next) }
    this.next += order.count
    this.running.add(order.from)
    return order
  }

  /** One process, fed until there is nothing left to do. A new one now and then would not be wrong, but none of them grows. */
  private process(): Promise<void> {
    return new Promise((resolve, reject) => {
      const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['--worker'])
      const feed = (): void => {
        const order = this.order()
        if (order === null) child.disconnect()
        else child.send(order)
      }
      child.on('message', (done: Done) => {
        this.running.delete(done.from)
        this.ran += done.count
        this.totals = added(this.totals, done.totals)
        this.failure ??= done.failure
        this.show(false)
        feed()
      })
      child.on('exit', (status, signal) => {
        if (status === 0 || this.isStopped) resolve()
        else reject(new Error(`a process ended with ${signal ?? status}`))
      })
      feed()
    })
  }

  private show(last: boolean): void {
    const nowMs = performance.now()
    if (!last && (!process.stdout.isTTY || nowMs - this.shownMs < SHOWN_EVERY_MS)) return
    this.shownMs = nowMs
    const t = this.totals
    const seconds = (nowMs - this.startMs) / 1000
    process.stdout.write(
      `${process.stdout.isTTY ? '\r' : ''}${this.ran} schedules, ${Math.round(this.ran / seconds)}/s: ${t.lives} lives, ${t.operations} operations, ` +
        `${t.drops} drops, ${t.decisions} decisions, ${t.requeues} requeues, ${t.versions} versions; ${t.cuts} power cuts, ${t.kills} kills, ` +
        `${t.faults} faults, ${t.stops} stops by fault, ${t.drains} drains, ${t.jumps} jumps of the clock, ${t.heldBack} held back${last ? '\n' : ''}`,
    )
  }
}

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    processes: { type: 'string', default: String(availableParallelism()) },
    worker: { type: 'boolean', default: false },
  },
})
if (values.worker) {
  const ready = prepareSimulation()
  // Ctrl-C goes to all of them; the one that feeds them ends them.
  process.on('SIGINT', () => {})
  process.on('message', (order: Order) => void ready.then(() => work(order)).then((done) => process.send!(done)))
} else {
  process.exitCode = await new Simulations({
    schedules: Number(values.schedules),
    seed: Number(values.seed),
    processes: Number(values.processes),
  }).run()
}

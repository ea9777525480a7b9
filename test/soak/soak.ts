/**
 * `node dist/test/soak/soak.js [--rounds N] [--seconds N] [--seed S] [--keep] [--verify-beside [--runs N]]`
 *
 * The built daemon on real files, ended by SIGKILL at random instants, round after round, while files and signed decisions arrive. After
 * every round I1 to I7 (src/core/invariants.ts) are checked by reading the workspace from outside; every few dozen rounds the daemon may
 * finish, and then every delivery must have exactly one receipt and every record exactly the versions that a small model says.
 *
 * `--verify-beside [--runs N]` asks something else: what `verify` says beside all that, and of single bytes that were changed (verify-beside.ts).
 *
 * Exit status 1: something does not hold; the workspace is kept, and its path is printed. The seed makes the same deliveries again, not the same
 * instants: the operating system has its say in those.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FuzzRandom } from '../fuzz/random.js'
import { VerifyBeside } from './verify-beside.js'
import { World } from './world.js'

/** Rounds on one workspace: reading all of it after each round takes longer as it grows. */
const ROUNDS_OF_WORKSPACE = 60
const DELIVERY_MS = 25
const SHOWN_EVERY_MS = 2000

interface Totals {
  rounds: number
  killed: number
  drained: number
  stopped: number
  deliveries: number
  decisions: number
  workspaces: number
}

class Soak {
  private readonly totals: Totals = { rounds: 0, killed: 0, drained: 0, stopped: 0, deliveries: 0, decisions: 0, workspaces: 0 }
  private shownMs = 0

  constructor(
    private readonly options: { readonly rounds: number; readonly untilMs: number; readonly seed: number; readonly keep: boolean },
  ) {}

  async run(): Promise<number> {
    while (this.totals.rounds < this.options.rounds && Date.now() < this.options.untilMs) {
      const root = join(mkdtempSync(join(tmpdir(), 'parquet-intake-soak-')), 'ws')
      const problems = await this.workspace(root)
      if (problems.length > 0) {
        process.stdout.write(`${problems.join('\n')}\nseed ${this.options.seed}, workspace ${this.totals.workspaces}, kept at ${root}\n`)
        return 1
      }
      if (!this.options.keep) rmSync(dirname(root), { recursive: true, force: true })
    }
    this.show(true)
    return 0
  }

  /** One workspace from its making to its end. Returns what does not hold. */
  private async workspace(root: string): Promise<string[]> {
    const random = new FuzzRandom(this.options.seed, this.totals.workspaces++, 7)
    const world = await World.make(root, random)
    for (let round = 0; round < ROUNDS_OF_WORKSPACE; round++) {
      if (this.totals.rounds >= this.options.rounds || Date.now() >= this.options.untilMs) break
      const problems = await this.round(world, random)
      this.totals.rounds++
      this.show(false)
      if (problems.length > 0) return problems
    }
    this.totals.deliveries += world.sent.length
    this.totals.decisions += world.decisions.length
    return world.finish()
  }

  private async round(world: World, random: FuzzRandom): Promise<string[]> {
    const daemon = world.start()
    const ended = new Promise<string>((resolve) => daemon.on('close', (status, signal) => resolve(signal ?? `status ${status}`)))
    const livesMs = random.oneIn(3) ? random.below(400) : random.below(2500)
    const untilMs = performance.now() + livesMs
    while (performance.now() < untilMs && daemon.exitCode === null) {
      await world.send(random)
      await sleep(Math.min(random.below(2 * DELIVERY_MS), Math.max(0, untilMs - performance.now())))
    }
    if (random.oneIn(20)) {
      // As when a machine sleeps: nothing may be concluded from clocks.
      this.totals.stopped++
      daemon.kill('SIGSTOP')
      await sleep(random.below(300))
      daemon.kill('SIGCONT')
    }
    const drains = random.oneIn(10)
    daemon.kill(drains ? 'SIGTERM' : 'SIGKILL')
    const how = await ended
    if (drains) this.totals.drained++
    else this.totals.killed++
    // A signal that comes before the program listens to it ends it like any other.
    const expected = drains ? ['status 0', 'SIGTERM', 'status 143'] : ['SIGKILL']
    if (!expected.includes(how)) return [`the daemon ended with ${how}:\n${world.log()}`]
    return world.check()
  }

  private show(last: boolean): void {
    const nowMs = performance.now()
    if (!last && (!process.stdout.isTTY || nowMs - this.shownMs < SHOWN_EVERY_MS)) return
    this.shownMs = nowMs
    const t = this.totals
    process.stdout.write(
      `${last ? '' : '\r'}${t.rounds} rounds on ${t.workspaces} workspaces: ${t.killed} killed, ${t.drained} drained, ${t.stopped} stopped and continued; ${t.deliveries} deliveries, ${t.decisions} decisions${last ? ': everything holds\n' : ''}`,
    )
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
    'verify-beside': { type: 'boolean', default: false },
    runs: { type: 'string', default: '200' },
  },
})
const seed = Number(values.seed)
process.exitCode = values['verify-beside']
  ? await new VerifyBeside({ runs: Number(values.runs), seed, keep: values.keep }).run()
  : await new Soak({
      rounds: values.rounds === undefined ? (values.seconds === undefined ? 1000 : Number.POSITIVE_INFINITY) : Number(values.rounds),
      untilMs: values.seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(values.seconds) * 1000,
      seed,
      keep: values.keep,
    }).run()

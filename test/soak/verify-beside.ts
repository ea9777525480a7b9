import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ERRORS } from '../../src/errors.js'
import type { AuditReport } from '../../src/store/audit.js'
import type { Finding, FindingCode } from '../../src/store/findings.js'
import { FuzzRandom } from '../fuzz/random.js'
import { World } from './world.js'

/** Runs of `verify` on one workspace: reading all of it takes longer as it grows. */
const RUNS_OF_WORKSPACE = 50
const DELIVERY_MS = 25
/** True of a store whose daemon was killed and not started again yet, and said as a warning. Beside a daemon they would be lies. */
const CUT_OFF: readonly FindingCode[] = ['RECOVERY_PENDING', 'ANCHOR_TORN']
/** Files whose bytes are changed, each kind as often as the others although a store holds one store.json. */
const KINDS = ['parquet', 'metadata', 'anchors', 'identity'] as const
type Kind = (typeof KINDS)[number]

interface Totals {
  runs: number
  subsets: number
  /** Runs in whose time a daemon was killed, was started, or did not run from beginning to end. */
  overKills: number
  overStarts: number
  alone: number
  cutOff: number
  kills: number
  deliveries: number
  workspaces: number
  versionsRead: number
  changed: Record<Kind, number>
  changedStopped: number
  changedIdle: number
  changedAtWork: number
}

/**
 * Two questions on real files, of which each answers for the other. Beside a daemon that takes drops and decisions and is ended by SIGKILL at
 * random instants, `verify`, at random instants, finds nothing: who is at work, or died at it, is no finding. And of a store in which one byte
 * of one file was changed, whichever, with a daemon or without, `verify` finds it, every time.
 */
export class VerifyBeside {
  private readonly totals: Totals = {
    runs: 0,
    subsets: 0,
    overKills: 0,
    overStarts: 0,
    alone: 0,
    cutOff: 0,
    kills: 0,
    deliveries: 0,
    workspaces: 0,
    versionsRead: 0,
    changed: { parquet: 0, metadata: 0, anchors: 0, identity: 0 },
    changedStopped: 0,
    changedIdle: 0,
    changedAtWork: 0,
  }

  constructor(private readonly options: { readonly runs: number; readonly seed: number; readonly keep: boolean }) {}

  /** Exit status. */
  async run(): Promise<number> {
    while (this.totals.runs < this.options.runs) {
      const root = join(mkdtempSync(join(tmpdir(), 'parquet-intake-verify-')), 'ws')
      const random = new FuzzRandom(this.options.seed, this.totals.workspaces++, 17)
      const world = await World.make(root, random)
      const runs = Math.min(RUNS_OF_WORKSPACE, this.options.runs - this.totals.runs)
      const life = new DaemonLife(world, random)
      const problems = await this.beside(world, life, random, runs)
      if (problems.length === 0) problems.push(...(await world.finish()))
      if (problems.length === 0) problems.push(...(await this.changes(world, random, runs)))
      // Every byte was put back: what was sent meanwhile went in, and everything holds.
      if (problems.length === 0) problems.push(...(await world.finish()))
      this.totals.kills += life.kills
      this.totals.deliveries += world.sent.length
      this.show()
      if (problems.length > 0) {
        process.stdout.write(`${problems.join('\n')}\nseed ${this.options.seed}, workspace ${this.totals.workspaces}, kept at ${root}\n`)
        return 1
      }
      if (!this.options.keep) rmSync(dirname(root), { recursive: true, force: true })
    }
    process.stdout.write('everything true was found, and nothing else\n')
    return 0
  }

  private async beside(world: World, life: DaemonLife, random: FuzzRandom, runs: number): Promise<string[]> {
    const lives = life.run()
    const problems: string[] = []
    for (let i = 0; i < runs && problems.length === 0 && life.problem === null; i++) {
      await sleep(random.below(random.oneIn(3) ? 1000 : 150))
      const isSubset = this.totals.runs % 2 === 1
      const before = life.look()
      const audit = await world.verify(...(isSubset ? ['--subset', '20%'] : []))
      const after = life.look()
      this.totals.runs++
      if (isSubset) this.totals.subsets++
      if (after.kills > before.kills) this.totals.overKills++
      if (after.starts > before.starts) this.totals.overStarts++
      const wasDown = !before.isUp || after.kills > before.kills
      if (!before.isUp && !after.isUp && after.starts === before.starts) this.totals.alone++
      // Before its first start there is no store.
      if (before.starts <= 1 && audit.status === ERRORS.NO_STORE.exit) continue
      const report = reportOf(audit)
      if (report === null) problems.push(`verify ended with ${audit.status}:\n${audit.stdout}\n${audit.stderr}`)
      else {
        this.totals.versionsRead += report.versions_read
        const cutOff = report.findings.filter((f) => CUT_OFF.includes(f.code))
        if (cutOff.length > 0 && wasDown) this.totals.cutOff++
        const untrue = wasDown ? report.findings.filter((f) => !cutOff.includes(f)) : report.findings
        problems.push(...untrue.map((f) => `verify${isSubset ? ' of a subset' : ''} says ${textOf(f)}`))
      }
    }
    life.stop()
    await lives
    return life.problem === null ? problems : [...problems, life.problem]
  }

  private async changes(world: World, random: FuzzRandom, runs: number): Promise<string[]> {
    const problems: string[] = []
    let daemon: ChildProcess | null = null
    for (let i = 0; i < runs && problems.length === 0; i++) {
      // In turns: a few without a daemon, a few with one.
      if (i % 10 === 0) daemon = await ready(world)
      if (i % 10 === 5 && daemon !== null) daemon = await end(daemon)
      const isAtWork = daemon !== null && random.oneIn(2)
      const kind = KINDS[i % KINDS.length]!
      const path = random.pick(filesOf(world.root, kind))
      const change = changeByte(path, random)
      const audit = world.verify()
      let isDone = false
      void audit.then(() => {
        isDone = true
      })
      // Only to records that are not touched here: what the daemon replaces is no longer changed.
      while (isAtWork && !isDone) {
        await world.send(random, 'plain')
        await sleep(random.below(2 * DELIVERY_MS))
      }
      const report = reportOf(await audit)
      if (!change.isThere()) problems.push(`${change.text} was replaced before it could be found`)
      else if (report === null || !report.findings.some((f) => f.severity === 'error')) problems.push(`${change.text} was not found`)
      change.undo()
      this.totals.changed[kind]++
      if (daemon === null) this.totals.changedStopped++
      else if (isAtWork) this.totals.changedAtWork++
      else this.totals.changedIdle++
    }
    if (daemon !== null) await end(daemon)
    return problems
  }

  private show(): void {
    const t = this.totals
    const c = t.changed
    process.stdout.write(
      `${t.runs} runs (${t.subsets} of 20 %) on ${t.workspaces} workspaces beside ${t.deliveries} deliveries and ${t.kills} kills: ` +
        `${t.overKills} over a kill, ${t.overStarts} over a start, ${t.alone} with no daemon, ${t.cutOff} told that work was cut off, ${t.versionsRead} versions read; ` +
        `${c.parquet + c.metadata + c.anchors + c.identity} changed bytes: ${c.parquet} Parquet, ${c.metadata} metadata, ${c.anchors} anchors, ${c.identity} store.json; ` +
        `${t.changedStopped} with no daemon, ${t.changedIdle} with an idle one, ${t.changedAtWork} with one at work\n`,
    )
  }
}

/** Lives of the daemon one after the other, with deliveries in each and SIGKILL at its end. */
class DaemonLife {
  kills = 0
  private starts = 0
  private isRunning = false
  private isStopped = false
  problem: string | null = null

  constructor(
    private readonly world: World,
    private readonly random: FuzzRandom,
  ) {}

  look(): { readonly kills: number; readonly starts: number; readonly isUp: boolean } {
    // Until it says so it may not have the lock: then nobody writes to the store, and what the life before left lies there as it is.
    return { kills: this.kills, starts: this.starts, isUp: this.isRunning && hasStarted(this.world) }
  }

  stop(): void {
    this.isStopped = true
  }

  async run(): Promise<void> {
    const { random, world } = this
    while (!this.isStopped && this.problem === null) {
      this.starts++
      this.isRunning = true
      const daemon = world.start()
      const ended = new Promise<string>((resolve) => daemon.on('close', (status, signal) => resolve(signal ?? `status ${status}`)))
      const untilMs = performance.now() + (random.oneIn(3) ? random.below(500) : random.below(4000))
      while (performance.now() < untilMs && daemon.exitCode === null && !this.isStopped) {
        await world.send(random)
        await sleep(random.below(2 * DELIVERY_MS))
      }
      daemon.kill('SIGKILL')
      const how = await ended
      this.kills++
      this.isRunning = false
      if (how !== 'SIGKILL') this.problem = `the daemon ended with ${how}:\n${world.log()}`
      // Long enough for a run of verify that sees no daemon at all.
      else await sleep(random.oneIn(4) ? random.below(1500) : random.below(100))
    }
  }
}

function hasStarted(world: World): boolean {
  return world.hasLogged('daemon.started')
}

/** A daemon that has read what it reads at its start. */
async function ready(world: World): Promise<ChildProcess> {
  const daemon = world.start()
  while (daemon.exitCode === null && !hasStarted(world)) await sleep(5)
  return daemon
}

async function end(daemon: ChildProcess): Promise<null> {
  const ended = new Promise((resolve) => daemon.on('close', resolve))
  daemon.kill('SIGTERM')
  await ended
  return null
}

/** null: it crashed, or said something else. */
function reportOf(audit: { readonly status: number | null; readonly stdout: string }): AuditReport | null {
  if (audit.status !== 0 && audit.status !== 3) return null
  const report = JSON.parse(audit.stdout) as AuditReport
  return (report.findings.length === 0) === (audit.status === 0) ? report : null
}

function textOf(f: Finding): string {
  return `${f.code} ${f.key ?? ''}: ${f.message}`
}

function filesOf(root: string, kind: Kind): string[] {
  const store = join(root, 'store')
  return readdirSync(store, { recursive: true, encoding: 'utf8' })
    .map((name) => join(store, name))
    .filter((path) => {
      const key = relative(store, path)
      if (kind === 'identity') return key === 'store.json'
      if (kind === 'anchors') return key.startsWith('anchors/') && statSync(path).isFile()
      if (!key.startsWith('records/') || key.startsWith('records/plain/')) return false
      return kind === 'metadata' ? key.endsWith('/metadata.json') : key.endsWith('.parquet')
    })
}

/** One byte of this file, changed in place. */
function changeByte(path: string, random: FuzzRandom): { readonly text: string; isThere(): boolean; undo(): void } {
  const at = random.below(statSync(path).size)
  const was = byteAt(path, at)
  const now = was ^ (1 + random.below(255))
  setByte(path, at, now)
  return {
    text: `byte ${at} of ${path}, ${now} instead of ${was},`,
    isThere: () => byteAt(path, at) === now,
    undo: () => setByte(path, at, was),
  }
}

function byteAt(path: string, at: number): number {
  const file = openSync(path, 'r')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  closeSync(file)
  return byte[0]!
}

function setByte(path: string, at: number, byte: number): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.from([byte]), 0, 1, at)
  closeSync(file)
}

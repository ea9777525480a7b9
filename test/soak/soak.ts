/**
 * `node dist/test/soak/soak.js [--rounds N] [--seconds N] [--seed S] [--keep]`
 *
 * The built daemon on real files, ended by SIGKILL at random instants, round after round, while files and signed decisions arrive. After
 * every round I1 to I7 (src/core/invariants.ts) are checked by reading the workspace from outside; every few dozen rounds the daemon may
 * finish, and then every delivery must have exactly one receipt and every record exactly the versions that a small model says.
 *
 * Exit status 1: something does not hold; the workspace is kept, and its path is printed. The seed makes the same deliveries again, not the same
 * instants: the operating system has its say in those.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { NOTHING_SEEN, type SeenFacts } from '../../src/core/invariants.js'
import { decisionFileBytes, loadPrivateKey, type SigningKey, signDecision } from '../../src/decisions/sign.js'
import { nodeFiles } from '../../src/runtime/files.js'
import { FuzzRandom } from '../fuzz/random.js'
import { checkInvariants } from '../support/check-invariants.js'
import { type Delivery, Producer, SOURCES, TABLE } from './drops.js'
import { compareWithModel, metadataOf } from './oracle.js'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))
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

class World {
  readonly sent: Delivery[] = []
  readonly decisions: string[] = []
  private seen: SeenFacts = NOTHING_SEEN
  private text = ''
  private decisionNumber = 0

  private constructor(
    private readonly root: string,
    private readonly producer: Producer,
    private readonly key: SigningKey,
    private readonly storeId: () => string | null,
  ) {}

  static async make(root: string, random: FuzzRandom): Promise<World> {
    run(['init', root, '--no-samples', '--principal', 'approver'], [0])
    const path = join(root, 'config/intake.json')
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    const convert = { ...(config.convert as object), threads: 2 }
    writeFileSync(
      path,
      JSON.stringify({ ...config, convert, sources: SOURCES, inbox: { ...(config.inbox as object), settleMs: 20, rescanMs: 150 } }),
    )
    writeFileSync(join(root, 'config/tables', `${TABLE.name}.json`), JSON.stringify(TABLE))
    for (const name of ['plain', 'signed', 'skip', 'bulk']) mkdirSync(join(root, 'inbox', name), { recursive: true })
    const key = await loadPrivateKey(nodeFiles, join(root, 'keys/approver.jwk.json'))
    return new World(root, new Producer(random), key, () => storeIdOf(root))
  }

  start(): ChildProcess {
    this.text = ''
    const child = spawn(process.execPath, [MAIN, 'run', '--config', this.config], { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.text = (this.text + text).slice(-8000)
    })
    return child
  }

  log(): string {
    return this.text
  }

  /** One more delivery, or a decision on what a record holds now. A file is not written over while it lies there: it would be another drop. */
  async send(random: FuzzRandom): Promise<void> {
    if (random.oneIn(6) && (await this.decide(random))) return
    const delivery = this.producer.next()
    const path = join(this.root, 'inbox', delivery.path)
    // What was taken and goes back asks for its name as well; then a drop waits, which is for another test.
    while (existsSync(path)) await sleep(5)
    place(path, delivery.bytes)
    this.sent.push(delivery)
  }

  private async decide(random: FuzzRandom): Promise<boolean> {
    const record = `signed/r${random.below(6)}`
    const metadata = metadataOf(this.root, record)
    const storeId = this.storeId()
    if (metadata === null || storeId === null || metadata.status !== 'draft') return false
    const head = metadata.history.findLast((entry) => entry.status === 'draft')
    if (head === undefined || !('parquet_sha256' in head)) return false
    const number = this.decisionNumber++
    const envelope = await signDecision(
      {
        decision_id: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
        store_id: storeId,
        record_id: record,
        version: head.version,
        parquet_sha256: head.parquet_sha256,
        decision: random.oneIn(3) ? 'reject' : 'approve',
        comment: '',
        decided_by: 'approver',
        decided_at: new Date().toISOString(),
      },
      this.key,
    )
    const name = `d${String(number).padStart(6, '0')}.decision.json`
    place(join(this.root, 'decisions', name), decisionFileBytes(envelope))
    this.decisions.push(name)
    return true
  }

  check(): string[] {
    const { findings, seen } = checkInvariants(this.root, this.seen)
    this.seen = seen
    return findings.map((f) => `${f.invariant} ${f.code} ${f.subject}: ${f.text}`)
  }

  /** Lets the daemon finish, and compares with the model. */
  async finish(): Promise<string[]> {
    // 3: some were quarantined, which they should be.
    for (let i = 0; i < 2; i++) run(['run', '--once', '--config', this.config], [0, 3])
    const audit = run(['verify', '--json', '--config', this.config], [0, 3])
    const { findings } = JSON.parse(audit) as { findings: { code: string; message: string }[] }
    return [
      ...this.check(),
      ...findings.map((f) => `verify: ${f.code}: ${f.message}`),
      ...compareWithModel(this.root, this.sent, this.decisions),
    ]
  }

  private get config(): string {
    return join(this.root, 'config/intake.json')
  }
}

/** As a careful producer does it: written under a name that nobody takes, then renamed. */
function place(path: string, bytes: Uint8Array): void {
  const temporary = join(dirname(path), `.${String(performance.now())}.part`)
  writeFileSync(temporary, bytes)
  renameSync(temporary, path)
}

function storeIdOf(root: string): string | null {
  try {
    return (JSON.parse(readFileSync(join(root, 'store/store.json'), 'utf8')) as { store_id: string }).store_id
  } catch {
    return null
  }
}

function run(args: readonly string[], statuses: readonly number[]): string {
  const result = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', maxBuffer: 2 ** 30 })
  if (result.status === null || !statuses.includes(result.status))
    throw new Error(`parquet-intake ${args.join(' ')} ended with ${result.status ?? result.signal}:\n${result.stdout}\n${result.stderr}`)
  return result.stdout
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
})
process.exitCode = await new Soak({
  rounds: values.rounds === undefined ? (values.seconds === undefined ? 1000 : Number.POSITIVE_INFINITY) : Number(values.rounds),
  untilMs: values.seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(values.seconds) * 1000,
  seed: Number(values.seed),
  keep: values.keep,
}).run()

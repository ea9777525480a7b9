import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { NOTHING_SEEN, type SeenFacts } from '../../src/core/invariants.js'
import { decisionFileBytes, loadPrivateKey, type SigningKey, signDecision } from '../../src/decisions/sign.js'
import { nodeFiles } from '../../src/runtime/files.js'
import type { FuzzRandom } from '../fuzz/random.js'
import { checkInvariants } from '../support/check-invariants.js'
import { type Delivery, type DeliveryKind, Producer, SOURCES, TABLE } from './drops.js'
import { compareWithModel, metadataOf } from './oracle.js'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** A workspace that the built daemon works in, with producers and approvers, and what is known of it from outside. */
export class World {
  readonly sent: Delivery[] = []
  readonly decisions: string[] = []
  private seen: SeenFacts = NOTHING_SEEN
  private text = ''
  private readonly events = new Set<string>()
  private decisionNumber = 0

  private constructor(
    readonly root: string,
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
    this.events.clear()
    const child = spawn(process.execPath, [MAIN, 'run', '--config', this.config], { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.text = (this.text + text).slice(-8000)
      for (const [, event] of text.matchAll(/"event":"([a-z.]+)"/g)) this.events.add(event!)
    })
    return child
  }

  log(): string {
    return this.text
  }

  /** Whether the daemon that runs now, or ran last, has written a line of this event. */
  hasLogged(event: string): boolean {
    return this.events.has(event)
  }

  /** `verify --json` in a process of its own. Never rejects. */
  verify(...options: string[]): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
    const child = spawn(process.execPath, [MAIN, 'verify', '--json', ...options, '--config', this.config], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })))
  }

  /** One more delivery, or a decision on what a record holds now; with `kind` a delivery of that kind. A file is not written over while it lies there: it would be another drop. */
  async send(random: FuzzRandom, kind?: DeliveryKind): Promise<void> {
    if (kind === undefined && random.oneIn(6) && (await this.decide(random))) return
    const delivery = this.producer.next(kind)
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

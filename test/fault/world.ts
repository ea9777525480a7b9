import { createHash, type KeyObject, sign } from 'node:crypto'
import { InProcessConverter } from '../../src/convert/in-process.js'
import { type DaemonOutcome, runDaemon } from '../../src/daemon.js'
import { generateApproverKey, signerOf } from '../../src/decisions/sign.js'
import { DECISION_TYPE } from '../../src/documents/decision.js'
import type { ApproverKey } from '../../src/documents/metadata.js'
import type { Receipt } from '../../src/documents/receipt.js'
import type { Timers } from '../../src/inbox/timers.js'
import type { Clock } from '../../src/runtime/clock.js'
import type { LogEvent, Logger } from '../../src/runtime/logger.js'
import { SignalState } from '../../src/runtime/shutdown.js'
import { loadWorkspace } from '../../src/runtime/workspace.js'
import { Disk, type PowerCut } from './disk.js'
import { DiskFiles, type DiskFilesOptions } from './disk-files.js'

/** The whole daemon, its workspace on a disk in memory, its clock made up: a run takes some milliseconds and is the same each time. */

export const ROOT = '/ws'
export const START_MS = Date.parse('2024-03-01T08:00:00.000Z')
const HOUR_MS = 3_600_000

/** How long nothing may have happened, in turns of the event loop, before a timer goes off; signatures are checked by threads of their own. */
const IDLE_TURNS = 4
/** The same for timers that only matter when nothing else does, in real milliseconds. */
const IDLE_REAL_MS = 40
const LONG_MS = 10_000

/** Time that stands still while anything happens, and jumps to the next timer when nothing does. */
class JumpingTime implements Clock, Timers {
  private elapsedMs = 0
  private queue: { readonly dueMs: number; readonly run: () => void }[] = []
  private isPumping = false
  private idleTurns = 0
  private idleSince = 0
  private lastCount = -1

  constructor(
    private readonly startMs: number,
    private readonly activity: () => number,
  ) {}

  nowMs(): number {
    return this.startMs + this.elapsedMs
  }

  monotonicMs(): number {
    return this.elapsedMs
  }

  after(ms: number, run: () => void): () => void {
    const timer = { dueMs: this.elapsedMs + ms, run }
    this.queue.push(timer)
    this.queue.sort((a, b) => a.dueMs - b.dueMs)
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
      this.idleSince = performance.now()
      return
    }
    if (++this.idleTurns < IDLE_TURNS) return
    if (next.dueMs - this.elapsedMs >= LONG_MS && performance.now() - this.idleSince < IDLE_REAL_MS) return
    this.queue.shift()
    this.elapsedMs = Math.max(this.elapsedMs, next.dueMs)
    this.idleTurns = 0
    next.run()
  }
}

export interface Run {
  /** null: it ended by an error. */
  readonly outcome: DaemonOutcome | null
  readonly error: unknown
  /** Receipts that were acknowledged, in their order. */
  readonly receipts: readonly Receipt[]
  readonly files: DiskFiles
  readonly log: readonly { readonly level: string; readonly event: string; readonly sentence: string }[]
}

/** One life of the daemon, `run --once`. `life` counts from 0 and moves its clock on by an hour each. Never rejects. */
export async function live(
  disk: Disk,
  life: number,
  options: DiskFilesOptions & { readonly onReceipt?: (receipt: Receipt) => void } = {},
): Promise<Run> {
  const files = new DiskFiles(disk, options)
  const time = new JumpingTime(START_MS + life * HOUR_MS, () => files.count)
  const log: { level: string; event: string; sentence: string }[] = []
  const receipts: Receipt[] = []
  const write =
    (level: string) =>
    (fields: LogEvent, sentence: string): void =>
      void log.push({ level, event: fields.event, sentence })
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
  try {
    // A configuration that cannot be read is a start that fails, and says nothing of the protocol.
    const workspace = await loadWorkspace({ files: new DiskFiles(disk), cwd: ROOT, env: {}, configPath: undefined })
    const outcome = await runDaemon({
      workspace,
      files,
      clock: time,
      timers: time,
      lock: () => ({ release: () => {} }),
      logger,
      signals: new SignalState(),
      pid: 1,
      version: 'test',
      randomUuid: () => '5700e000-0000-4000-8000-000000000001',
      randomHex: (bytes) =>
        createHash('sha256')
          .update(`${life} ${hex++}`)
          .digest('hex')
          .slice(0, bytes * 2),
      once: true,
      onReceipt: (receipt) => {
        if (files.isDead) return
        receipts.push(receipt)
        options.onReceipt?.(receipt)
      },
      logReceipts: false,
      converter: new InProcessConverter(files),
      aloneConverter: new InProcessConverter(files),
    })
    return { outcome, error: null, receipts, files, log }
  } catch (error) {
    return { outcome: null, error, receipts, files, log }
  } finally {
    time.stop()
    files.kill()
  }
}

const TABLE = {
  name: 'notes',
  fields: [
    { name: 'id', type: 'integer', constraints: { required: true } },
    { name: 'hole', type: 'string' },
    { name: 'note', type: 'string' },
  ],
  fieldsMatch: 'superset',
}

const CONFIG = {
  workspace: '..',
  inbox: { settleMs: 0, rescanMs: 1000 },
  convert: { threads: 1 },
  sources: [
    { name: 'one', match: 'one/**/*.csv', table: 'notes', record: '{stem}', createdBy: 'lab' },
    {
      name: 'split',
      match: 'split/**/*.csv',
      table: 'notes',
      record: 'soil/{column:hole}',
      createdBy: 'lab',
      onInvalid: 'quarantine-record',
    },
    { name: 'skip', match: 'skip/*.csv', table: 'notes', record: 'skip/{stem}', createdBy: 'lab', onInvalid: 'skip-rows' },
    { name: 'strict', match: 'strict/*.csv', table: 'notes', record: 'strict/{stem}', createdBy: 'lab', sidecars: ['sha256', 'done'] },
  ],
}

export interface Approver {
  readonly key: ApproverKey
  readonly signer: KeyObject
}

let approver: Promise<Approver> | null = null

/** The one person of this world who may decide. */
export function theApprover(): Promise<Approver> {
  approver ??= generateApproverKey({ principal: 'ann', tables: ['*'] }).then(({ privateKey, publicKey }) => ({
    key: publicKey,
    signer: signerOf(privateKey),
  }))
  return approver
}

/** The producers' and approvers' side of a disk: what they write is durable. */
export class World {
  private life = 0

  private constructor(
    public disk: Disk,
    readonly approver: Approver,
  ) {}

  static async make(): Promise<World> {
    const approver = await theApprover()
    const world = new World(new Disk(START_MS - HOUR_MS), approver)
    world.put('config/intake.json', JSON.stringify(CONFIG))
    world.put('config/tables/notes.json', JSON.stringify(TABLE))
    world.put('config/approvers.jwks.json', JSON.stringify({ version: 1, keys: [approver.key] }))
    // Mount points and the like: what a workspace has before its first start.
    for (const folder of ['inbox/one/later', 'inbox/split', 'inbox/skip', 'inbox/strict', 'decisions']) world.folder(folder)
    return world
  }

  folder(path: string): void {
    let at = ''
    for (const name of `${ROOT}/${path}`.split('/').slice(1)) {
      at += `/${name}`
      if (this.disk.lookUp(at) === null) this.disk.make(at, 'directory', 0o750)
    }
    this.disk.settle()
  }

  put(path: string, content: string | Buffer): void {
    const at = `${ROOT}/${path}`
    this.folder(path.slice(0, path.lastIndexOf('/')))
    const inode = this.disk.make(at, 'file', 0o640)
    this.disk.write(inode, Buffer.from(content), 0)
    this.disk.settle()
  }

  pipe(path: string): void {
    this.disk.make(`${ROOT}/${path}`, 'fifo', 0o640)
    this.disk.settle()
  }

  read(path: string): Buffer {
    const bytes = this.disk.reader(ROOT).read(path)
    if (bytes === null) throw new Error(`there is no ${path}`)
    return bytes
  }

  /** A life without faults, that must end well. */
  async liveWell(): Promise<Run> {
    const run = await live(this.disk, this.life++)
    if (run.outcome === null) throw run.error
    this.disk.settle()
    return run
  }

  get lives(): number {
    return this.life
  }

  /** A decision on the current version, signed by ann without the code under test. `spoil` changes the signature. */
  decide(name: string, recordId: string, decision: 'approve' | 'reject', options: { spoil?: boolean } = {}): void {
    const metadata = JSON.parse(this.read(`store/records/${recordId}/metadata.json`).toString()) as {
      current_version: number
      history: { version: number; parquet_sha256?: string }[]
    }
    const store = JSON.parse(this.read('store/store.json').toString()) as { store_id: string }
    const version = metadata.current_version
    const payload = {
      decision_id: `dec1de00-0000-4000-8000-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`,
      store_id: store.store_id,
      record_id: recordId,
      version,
      parquet_sha256: metadata.history.find((e) => e.version === version && e.parquet_sha256 !== undefined)!.parquet_sha256,
      decision,
      comment: '',
      decided_by: 'ann',
      decided_at: '2024-03-01T07:00:00Z',
    }
    const b64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const protectedHeader = b64({ alg: 'Ed25519', kid: this.approver.key.kid, typ: DECISION_TYPE })
    const signature = sign(null, Buffer.from(`${protectedHeader}.${b64(payload)}`), this.approver.signer)
    if (options.spoil === true) signature[5]! ^= 1
    const envelope = { payload: b64(payload), signatures: [{ protected: protectedHeader, signature: signature.toString('base64url') }] }
    this.put(`decisions/${name}.decision.json`, JSON.stringify(envelope))
  }

  /** The power fails now, with nothing running. */
  cut(cut: PowerCut): void {
    this.disk = this.disk.afterPowerCut(cut)
  }
}

import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { type InvariantFinding, NOTHING_SEEN, type SeenFacts, seenOf } from '../../src/core/invariants.js'
import { DECISION_TYPE } from '../../src/documents/decision.js'
import { isIntakeError } from '../../src/errors.js'
import { loadWorkspace, type Workspace } from '../../src/runtime/workspace.js'
import { Disk, type Inode } from '../fault/disk.js'
import { DiskFiles } from '../fault/disk-files.js'
import { differing, tidy } from '../fault/trial.js'
import { ROOT, START_MS } from '../fault/world.js'
import { checkInvariants, gatherFacts } from '../support/check-invariants.js'
import {
  judge,
  type Lengths,
  laneOf,
  type SeenReceipt,
  type SeenRecord,
  type SentDecision,
  type SentDrop,
  type SentRequest,
} from './model.js'
import { type Action, type Content, type DecideAction, HOUR_MS, type Key, type Life, type Schedule } from './schedule.js'
import { type LifeRun, leaveNothingToChance, liveLife, type SimulatedTime } from './simulated-life.js'

/** Carries out a schedule on a disk in memory, looks at the invariants after every life and every power cut, and asks the model at the end. */

export interface Outcome {
  /** Empty: every promise was kept. */
  readonly problems: readonly string[]
  readonly totals: Totals
}

export interface Totals {
  lives: number
  operations: number
  drops: number
  decisions: number
  requeues: number
  jumps: number
  /** Lives that ended by a power cut, by the death of the process, by a signal, or by an error that a fault brought. */
  cuts: number
  kills: number
  drains: number
  stops: number
  /** Faults that struck, crashes left out. */
  faults: number
  versions: number
  heldBack: number
}

export const NO_TOTALS: Readonly<Totals> = {
  lives: 0,
  operations: 0,
  drops: 0,
  decisions: 0,
  requeues: 0,
  jumps: 0,
  cuts: 0,
  kills: 0,
  drains: 0,
  stops: 0,
  faults: 0,
  versions: 0,
  heldBack: 0,
}

export function added(a: Totals, b: Totals): Totals {
  return Object.fromEntries(Object.entries(a).map(([name, n]) => [name, n + b[name as keyof Totals]])) as unknown as Totals
}

const STORE_ID = '5700e000-0000-4000-8000-000000000001'
const FINAL_LIVES = 6
const PAUSE_MS = 60_000

// ---- what stands in the workspace before the first start ----

const TABLE = {
  name: 'notes',
  fields: [
    { name: 'id', type: 'integer', constraints: { required: true } },
    { name: 'hole', type: 'string' },
    { name: 'note', type: 'string' },
  ],
  fieldsMatch: 'superset',
}

function configOf(settleMs: number): object {
  const source = { table: 'notes', createdBy: 'lab' }
  return {
    workspace: '..',
    inbox: { settleMs, rescanMs: 1000, polling: true },
    convert: { threads: 4 },
    sources: [
      { ...source, name: 'one', match: 'one/**/*.csv', record: '{stem}' },
      { ...source, name: 'rival', match: 'rival/*.csv', record: '{stem}' },
      { ...source, name: 'split', match: 'split/**/*.csv', record: 'soil/{column:hole}', onInvalid: 'quarantine-record' },
      { ...source, name: 'skip', match: 'skip/**/*.csv', record: 'skip/{stem}', onInvalid: 'skip-rows' },
      { ...source, name: 'strict', match: 'strict/*.csv', record: 'strict/{stem}', sidecars: ['sha256', 'done'] },
    ],
  }
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

interface Approver {
  readonly signer: KeyObject
  readonly kid: string
  readonly x: string
  readonly principal: string
}

/** The same keys in every run, so that a seed gives the same bytes. */
function approverOf(principal: string, name: string): Approver {
  const signer = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, createHash('sha256').update(`key of ${name}`).digest()]),
    format: 'der',
    type: 'pkcs8',
  })
  const x = createPublicKey(signer).export({ format: 'jwk' }).x!
  const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url')
  return { signer, kid, x, principal }
}

const APPROVERS: Readonly<Record<Key, Approver>> = {
  ann: approverOf('ann', 'ann'),
  lab: approverOf('lab', 'lab'),
  ending: approverOf('eve', 'ending'),
  coming: approverOf('cid', 'coming'),
  unknown: approverOf('ann', 'unknown'),
}
const TURN_MS = START_MS + 2 * HOUR_MS
const KEY_TIMES: Parameters<typeof judge>[0]['keys'] = {
  ann: { principal: 'ann', fromMs: 0, untilMs: Number.POSITIVE_INFINITY },
  lab: { principal: 'lab', fromMs: 0, untilMs: Number.POSITIVE_INFINITY },
  ending: { principal: 'eve', fromMs: 0, untilMs: TURN_MS },
  coming: { principal: 'cid', fromMs: TURN_MS, untilMs: Number.POSITIVE_INFINITY },
}

function keyring(): object {
  const names = ['ann', 'lab', 'ending', 'coming'] as const
  const keys = names.map((name) => {
    const { kid, x, principal } = APPROVERS[name]
    const seconds = (ms: number): number | null => (ms > 0 && ms < Number.POSITIVE_INFINITY ? ms / 1000 : null)
    const { fromMs, untilMs } = KEY_TIMES[name]
    return { kty: 'OKP', crv: 'Ed25519', x, kid, principal, tables: ['*'], nbf: seconds(fromMs), exp: seconds(untilMs), revoked_at: null }
  })
  return { version: 1, keys }
}

interface Fresh {
  /** A workspace that no daemon has seen. */
  readonly disk: Disk
  /** Its configuration: one that cannot be read is a start that fails, and says nothing of the protocol. */
  readonly workspace: Workspace
}

const fresh = new Map<number, Fresh>()

async function freshFor(settleMs: number): Promise<Fresh> {
  let found = fresh.get(settleMs)
  if (found === undefined) {
    const made = new Disk(START_MS - HOUR_MS)
    for (const folder of ['inbox/one/later', 'inbox/split', 'inbox/skip', 'inbox/strict', 'inbox/rival', 'decisions'])
      makeFolder(made, folder)
    writeFile(made, 'config/intake.json', Buffer.from(JSON.stringify(configOf(settleMs))))
    writeFile(made, 'config/tables/notes.json', Buffer.from(JSON.stringify(TABLE)))
    writeFile(made, 'config/approvers.jwks.json', Buffer.from(JSON.stringify(keyring())))
    made.settle()
    const workspace = await loadWorkspace({ files: new DiskFiles(made), cwd: ROOT, env: {}, configPath: undefined })
    found = { disk: made, workspace }
    fresh.set(settleMs, found)
  }
  return found
}

// ---- what people and machines do beside the daemon: they sync what they write ----

function makeFolder(disk: Disk, path: string): void {
  let at = ''
  for (const name of `${ROOT}/${path}`.split('/').slice(1)) {
    const parent = at === '' ? disk.root : disk.lookUp(at)!
    at += `/${name}`
    if (disk.lookUp(at) !== null) continue
    disk.make(at, 'directory', 0o750)
    disk.syncNames(parent)
  }
}

function writeFile(disk: Disk, path: string, bytes: Buffer, how: 'renamed' | 'rewritten' = 'renamed'): Inode {
  const folder = path.slice(0, path.lastIndexOf('/'))
  makeFolder(disk, folder)
  const there = disk.lookUp(`${ROOT}/${path}`)
  const inode = there !== null && how === 'rewritten' ? there : disk.make(`${ROOT}/${path}`, 'file', 0o640)
  disk.truncate(inode, 0)
  disk.write(inode, bytes, 0)
  disk.syncBytes(inode)
  disk.syncNames(disk.lookUp(`${ROOT}/${folder}`)!)
  return inode
}

function bytesOf(content: Content): Buffer {
  const quote = content.form === 'quoted' ? '"' : ''
  const end = content.form === 'crlf' ? '\r\n' : '\n'
  const cells = content.rows.map(({ id, hole, note, fault }) => {
    const first = fault === 'wrong' ? 'oops' : String(id)
    return `${first},${quote}${hole}${quote},${note}${fault === 'ragged' ? ',more' : ''}`
  })
  return Buffer.from([content.header === 'whole' ? 'id,hole,note' : 'nr,hole,note', ...cells].join(end) + end)
}

/** A drop of this path, and what else must be known to say in which order it must be taken. */
interface Delivery extends SentDrop {
  readonly inode: number
  readonly serial: number
  /** The life in which it came; null: between two. */
  readonly duringLife: number | null
  /** Drops of its lane that came later and may be taken first. */
  readonly overtakenBy: Set<Delivery>
  /** It may be taken at any time. */
  isLoose: boolean
}

class Simulation {
  private disk: Disk
  private readonly workspace: Workspace
  private wallMs = START_MS
  private currentLife: number | null = null
  private readonly problems: string[] = []
  private readonly totals: Totals = { ...NO_TOTALS }

  private readonly drops: Delivery[] = []
  private readonly either: (readonly [SentDrop, SentDrop])[] = []
  private readonly decisions: SentDecision[] = []
  private readonly files = new Map<number, { bytes: Buffer; sent: Omit<SentDecision, 'path' | 'lengths' | 'latestMs'> }>()
  private readonly requests: SentRequest[] = []
  private readonly slow = new Map<string, { inode: number; partial: Delivery; rest: Buffer; whole: Content }>()
  /** Drop-id → the lengths of all histories when its receipt was seen first. */
  private readonly receiptLengths = new Map<string, Lengths>()
  private readonly acknowledged = new Set<string>()

  /** What no power cut may take back. */
  private durable: SeenFacts = NOTHING_SEEN
  /** What readers could see: it may be gone right after a cut, and comes back. */
  private visible: SeenFacts = NOTHING_SEEN
  private mayBeHeldBack = 0
  /** No life has ended well since the last power cut. */
  private isAfterCut = false

  constructor(
    private readonly schedule: Schedule,
    { disk, workspace }: Fresh,
  ) {
    this.disk = disk.copy()
    this.workspace = workspace
  }

  async run(): Promise<Outcome> {
    for (const [i, life] of this.schedule.lives.entries()) {
      this.wallMs += PAUSE_MS
      for (const action of life.before) this.act(action, null)
      await this.live(i, life)
      if (this.problems.length > 0) return this.outcome()
    }
    const quiet: Life = { before: [], form: 'once', during: [], faults: [], cut: { mode: 'nothing', seed: 0 }, slow: null, stopMs: 0 }
    let isDone = false
    for (let i = 0; i < FINAL_LIVES && !isDone; i++) {
      this.wallMs += PAUSE_MS
      const { outcome } = await this.live(this.schedule.lives.length + i, quiet)
      isDone = outcome !== null && outcome.left.length === 0 && outcome.unfinished === 0
      if (!isDone && i === FINAL_LIVES - 1) this.problems.push(`is not done after ${FINAL_LIVES} quiet lives`)
      if (this.problems.length > 0) return this.outcome()
    }
    this.end()
    return this.outcome()
  }

  private outcome(): Outcome {
    return { problems: this.problems, totals: this.totals }
  }

  // ---- a life, and what it leaves ----

  private async live(index: number, life: Life): Promise<LifeRun> {
    this.currentLife = index
    this.totals.lives++
    const done = new Set<number>()
    const finished = new Set(this.drops.filter((drop) => this.isReceipted(drop)))
    let hasStopped = life.form === 'watch'
    const run = await liveLife({
      workspace: this.workspace,
      disk: this.disk,
      life,
      number: `${this.schedule.seed} ${index}`,
      startMs: this.wallMs,
      during: life.during.map(({ when, action }, i) => ({
        when,
        run: (now) => {
          done.add(i)
          if (action.kind === 'stop') hasStopped = true
          if (action.kind === 'stop') now.stop()
          else this.act(action, now.time)
        },
      })),
      onReceipt: ({ drop_id }, nowMs) => {
        this.clockWas(nowMs)
        this.acknowledged.add(drop_id)
        this.receiptLengths.set(drop_id, this.lengths())
      },
      onEvent: () => {},
    })
    this.currentLife = null
    this.clockWas(run.endMs)
    this.wallMs = run.endMs
    this.totals.operations += run.files.count
    // Who could not be read or written for a while may be overtaken.
    const hadTrouble = run.files.struck.some((s) => s.kind !== 'power' && s.kind !== 'kill' && s.kind !== 'abort')
    if (hadTrouble) for (const drop of this.drops) if (!finished.has(drop)) drop.isLoose = true
    this.after(index, life, run, hasStopped)
    for (const [i, { action }] of life.during.entries()) if (!done.has(i) && action.kind !== 'stop') this.act(action, null)
    return run
  }

  private after(index: number, life: Life, run: LifeRun, hasStopped: boolean): void {
    const { struck, count, open } = run.files
    const name = `life ${index + 1}`
    const crashes = struck.filter((s) => s.kind === 'power' || s.kind === 'abort' || s.kind === 'kill')
    const troubles = struck.filter((s) => s.kind !== 'power' && s.kind !== 'kill' && s.kind !== 'abort')
    this.totals.faults += troubles.length
    this.mayBeHeldBack += struck.filter((s) => s.kind === 'io' || s.kind === 'denied').length
    if (count >= 60_000) this.problems.push(`${name} does not come to an end`)
    if (run.outcome === null && struck.length === 0) this.problems.push(`${name} failed without a fault: ${describe(run.error)}`)
    if (run.outcome !== null && troubles.length === 0 && open !== 0) this.problems.push(`${name} left ${open} descriptors open`)
    if (crashes.some((s) => s.kind === 'power' || s.kind === 'abort')) {
      this.totals.cuts++
      this.cut(life.cut, name)
    } else {
      if (crashes.length > 0) this.totals.kills++
      else if (run.outcome === null) this.totals.stops++
      else if (hasStopped) this.totals.drains++
      if (run.outcome !== null) this.isAfterCut = false
      const facts = gatherFacts(this.disk.reader(ROOT))
      this.durable = this.withAcknowledged(facts)
      this.note(
        `after ${name}`,
        checkInvariants(this.disk.reader(ROOT), { ...this.visible, receipts: this.durable.receipts, taken: this.durable.taken }).findings,
      )
      this.visible = seenOf(facts, this.visible)
      if (run.outcome !== null && run.outcome.unfinished === 0)
        this.durable = { ...this.visible, receipts: this.durable.receipts, taken: this.durable.taken }
    }
    if (crashes.length > 0) this.noteOvertaken()
    const lengths = this.lengths()
    for (const { drop_id } of this.receipts()) if (!this.receiptLengths.has(drop_id)) this.receiptLengths.set(drop_id, lengths)
  }

  /** The power is gone: what is on the disk keeps the promises before anybody recovers, and what was acknowledged is there. */
  private cut(cut: Life['cut'], when: string): void {
    this.isAfterCut = true
    const facts = gatherFacts(this.disk.reader(ROOT))
    this.visible = seenOf(facts, this.visible)
    const acknowledged = this.withAcknowledged(facts)
    this.disk = this.disk.afterPowerCut(cut)
    this.note(`after the cut of ${when}`, checkInvariants(this.disk.reader(ROOT), acknowledged).findings)
    this.durable = seenOf(gatherFacts(this.disk.reader(ROOT)), acknowledged)
    for (const drop_id of this.receiptLengths.keys()) if (!this.durable.receipts.has(drop_id)) this.receiptLengths.delete(drop_id)
    // Receipts that nobody was told of may be gone.
    this.visible = { ...this.visible, receipts: this.durable.receipts, taken: this.durable.taken }
  }

  private withAcknowledged(facts: ReturnType<typeof gatherFacts>): SeenFacts {
    const now = seenOf(facts, NOTHING_SEEN)
    const receipts = new Map(this.durable.receipts)
    const taken = new Set(this.durable.taken)
    for (const drop_id of this.acknowledged) {
      if (!receipts.has(drop_id)) receipts.set(drop_id, now.receipts.get(drop_id) ?? 'acknowledged, and not there')
      taken.add(drop_id)
    }
    return { ...this.durable, receipts, taken }
  }

  private note(when: string, findings: readonly InvariantFinding[]): void {
    this.problems.push(...findings.map((f) => `${when}: ${f.invariant} ${f.code} ${f.subject}: ${f.text}`))
  }

  /** A claim that a crash undid gets a later drop-id: what came after and is claimed for good goes first. That, and no more. */
  private noteOvertaken(): void {
    for (const drop of this.drops) {
      if (!this.isWaiting(drop)) continue
      for (const later of this.drops) {
        if (later.serial > drop.serial && laneOf(later.path) === laneOf(drop.path) && !this.isWaiting(later)) drop.overtakenBy.add(later)
      }
    }
  }

  /** It lies in its folder under its own name. */
  private isWaiting(drop: Delivery): boolean {
    return this.disk.lookUp(`${ROOT}/inbox/${drop.path}`)?.number === drop.inode
  }

  private isReceipted(drop: Delivery): boolean {
    return this.receipts().some((r) => r.path === drop.path && r.sha256 === drop.sha256)
  }

  // ---- what happens ----

  private act(action: Action, time: SimulatedTime | null): void {
    switch (action.kind) {
      case 'put':
        this.put(action)
        return
      case 'append':
        this.append(action.path)
        return
      case 'decide':
        this.decide(action)
        return
      case 'requeue':
        this.requeue(action, time)
        return
      case 'jump':
        this.totals.jumps++
        if (time === null) {
          this.wallMs += action.ms
          this.clockWas(this.wallMs)
        } else {
          this.clockWas(time.nowMs())
          time.set(action.ms)
          this.clockWas(time.nowMs())
        }
        return
      case 'cut':
        this.totals.cuts++
        this.cut(action.cut, 'an idle machine')
        return
      case 'stop':
    }
  }

  private clockWas(ms: number): void {
    for (const decision of this.decisions) if (!this.isDecided(decision)) decision.latestMs = Math.max(decision.latestMs, ms)
  }

  private isDecided(decision: SentDecision): boolean {
    const receipt = this.receipts().find((r) => r.path === decision.path)
    return receipt !== undefined && this.acknowledged.has(receipt.drop_id)
  }

  private put(action: Extract<Action, { kind: 'put' }>): void {
    this.totals.drops++
    const { path, how, sidecars } = action
    const there = this.disk.lookUp(`${ROOT}/inbox/${path}`)
    const replaced = there === null ? undefined : this.drops.findLast((drop) => drop.inode === there.number && drop.path === path)
    if (replaced !== undefined) {
      replaced.least = 0
      // On its way back from a claim it has two names, and the other one may live on.
      replaced.most = there!.links > 1 && how !== 'rewritten' ? replaced.most : 0
      replaced.isLoose = true
    }
    const whole = bytesOf(action.content)
    if (sidecars !== 'none') {
      const hash = sidecars === 'right' ? sha256(whole) : sha256('something else')
      writeFile(this.disk, `inbox/${path}.sha256`, Buffer.from(`${hash}\n`))
      writeFile(this.disk, `inbox/${path}.done`, Buffer.alloc(0))
    }
    const content = how === 'slowly' ? { ...action.content, rows: action.content.rows.slice(0, -1) } : action.content
    const bytes = bytesOf(content)
    const inode = writeFile(this.disk, `inbox/${path}`, bytes, how === 'rewritten' ? 'rewritten' : 'renamed')
    const delivery = this.deliver(path, bytes, content, sidecars, inode.number)
    // Rewritten while it was being taken, it goes back under its name as soon as that is free: a newer file of this name goes first.
    if (there !== null && how === 'rewritten' && this.currentLife !== null) delivery.isLoose = true
    if (how === 'slowly') {
      delivery.isLoose = true
      this.slow.set(path, { inode: inode.number, partial: delivery, rest: whole.subarray(bytes.length), whole: action.content })
    }
  }

  private deliver(path: string, bytes: Buffer, content: Content, sidecars: SentDrop['sidecars'], inode: number): Delivery {
    const delivery: Delivery = {
      path,
      sha256: sha256(bytes),
      content,
      sidecars,
      least: 1,
      most: 1,
      lengths: this.lengths(),
      inode,
      serial: this.drops.length,
      duringLife: this.currentLife,
      overtakenBy: new Set(),
      isLoose: sidecars !== 'none',
    }
    this.drops.push(delivery)
    return delivery
  }

  /** The producer writes on to the file that it has open, wherever that is by now. */
  private append(path: string): void {
    const slow = this.slow.get(path)
    if (slow === undefined) return
    const own = this.disk.lookUp(`${ROOT}/inbox/${path}`)
    const folder = this.disk.lookUp(`${ROOT}/inbox/${path.slice(0, path.lastIndexOf('/'))}`)
    const inode = [...(folder?.names.values() ?? [])].find((i) => i.number === slow.inode)
    // It was taken, receipted and removed: what is written now, nobody will ever see.
    if (inode === undefined) return
    const { partial } = slow
    const isTaken = own?.number !== slow.inode || inode.links > 1
    // A version may stand whose copy of the source the cut has taken; then the hidden file is all there is of it.
    if (isTaken && this.isAfterCut) return
    const bytes = Buffer.concat([inode.bytes, slow.rest])
    this.disk.write(inode, slow.rest, inode.bytes.length)
    this.disk.syncBytes(inode)
    partial.least = 0
    partial.most = isTaken ? 1 : 0
    const whole = this.deliver(path, bytes, slow.whole, 'none', slow.inode)
    whole.isLoose = true
    if (isTaken) {
      // Between the last look at it and its removal a write is lost, as it is whenever a file is removed.
      whole.least = 0
      this.either.push([partial, whole])
    }
  }

  private decide(action: DecideAction): void {
    this.totals.decisions++
    const { number, replays } = action
    const lengths = this.lengths()
    const earlier = replays === null ? undefined : this.files.get(replays.number)
    const file = earlier !== undefined && replays!.payload === 'same' ? earlier : this.decisionFile(action, earlier?.sent.id ?? null)
    this.files.set(number, file)
    writeFile(this.disk, `decisions/d${number}.decision.json`, file.bytes)
    this.decisions.push({ ...file.sent, path: `d${number}.decision.json`, lengths, latestMs: 0 })
  }

  private decisionFile(
    action: DecideAction,
    id: string | null,
  ): { bytes: Buffer; sent: Omit<SentDecision, 'path' | 'lengths' | 'latestMs'> } {
    const record = this.records().find((r) => r.record_id === action.recordId)
    const current = record?.current_version ?? 0
    const version = action.version === 'next' ? current + 1 : Math.max(1, action.version === 'before' ? current - 1 : current)
    const right = record?.history.find((e) => e.status === 'draft' && e.version === version)?.parquet_sha256
    const parquetSha256 = action.hash === 'right' && right !== undefined ? right : sha256('no such file')
    const { signer, kid, principal } = APPROVERS[action.key]
    const decisionId = id ?? `dec1de00-0000-4000-8000-${String(action.number).padStart(12, '0')}`
    const payload = JSON.stringify({
      decision_id: decisionId,
      store_id: STORE_ID,
      record_id: action.recordId,
      version,
      parquet_sha256: parquetSha256,
      decision: action.verb,
      comment: `decision ${action.number}`,
      decided_by: principal,
      decided_at: '2024-03-01T07:00:00Z',
    })
    const b64 = (text: string): string => Buffer.from(text).toString('base64url')
    const head = b64(JSON.stringify({ alg: 'Ed25519', kid, typ: DECISION_TYPE }))
    const signature = sign(null, Buffer.from(`${head}.${b64(payload)}`), signer)
    if (action.isForged) signature[5]! ^= 1
    const bytes = Buffer.from(
      JSON.stringify({ payload: b64(payload), signatures: [{ protected: head, signature: signature.toString('base64url') }] }),
    )
    const { recordId, verb, key, isForged } = action
    return { bytes, sent: { recordId, verb, version, parquetSha256, id: decisionId, payload, key, isForged } }
  }

  private requeue(action: Extract<Action, { kind: 'requeue' }>, time: SimulatedTime | null): void {
    const receipts = this.receipts().toSorted((a, b) => (a.drop_id < b.drop_id ? -1 : 1))
    // Only what is acknowledged is sure to be there when the request is read.
    const receipt = receipts.filter((r) => this.acknowledged.has(r.drop_id))[action.nth]
    if (receipt === undefined) return
    this.totals.requeues++
    const request = {
      format: 1,
      kind: 'requeue',
      drop_id: receipt.drop_id,
      force: action.force,
      requested_at: new Date(time?.nowMs() ?? this.wallMs).toISOString(),
    }
    writeFile(
      this.disk,
      `state/requests/5e9e0000-0000-4000-8000-${String(action.number).padStart(12, '0')}.json`,
      Buffer.from(JSON.stringify(request)),
    )
    this.requests.push({ dropId: receipt.drop_id, force: action.force, lengths: this.lengths() })
  }

  // ---- looking at the disk ----

  private records(): SeenRecord[] {
    const found: SeenRecord[] = []
    const walk = (folder: Inode): void => {
      for (const [name, inode] of folder.names) {
        if (name === 'metadata.json') found.push(parsed(inode.bytes) as SeenRecord)
        else if (inode.kind === 'directory' && name !== 'versions') walk(inode)
      }
    }
    const root = this.disk.lookUp(`${ROOT}/store/records`)
    if (root !== null) walk(root)
    return found
  }

  private lengths(): Lengths {
    return new Map(this.records().map((r) => [r.record_id, r.history.length]))
  }

  private receipts(): Omit<SeenReceipt, 'lengths'>[] {
    const days = this.disk.lookUp(`${ROOT}/receipts`)
    return [...(days?.names.values() ?? [])].flatMap((day) =>
      [...day.names].flatMap(([name, inode]) => (name.startsWith('.') ? [] : [parsed(inode.bytes) as Omit<SeenReceipt, 'lengths'>])),
    )
  }

  // ---- the end ----

  private end(): void {
    this.note('at the end', checkInvariants(this.disk.reader(ROOT), this.visible).findings)
    const records = this.records()
    const receipts = this.receipts().map((r) => ({ ...r, lengths: this.receiptLengths.get(r.drop_id)! }))
    this.totals.versions += records.reduce((n, r) => n + r.current_version, 0)
    const { drops, decisions, requests, mayBeHeldBack } = this
    const verdict = judge({ drops, either: this.either, decisions, requests, receipts, records, mayBeHeldBack, keys: KEY_TIMES })
    this.totals.heldBack += verdict.heldBack
    this.problems.push(...verdict.problems)
    this.order(receipts)
    tidy(this.disk, this.problems)
    // Everything was acknowledged: not even the harshest cut may take anything of it back.
    const after = this.disk.afterPowerCut({ mode: 'nothing', seed: 0 })
    for (const path of differing(this.disk, after)) this.problems.push(`after the last cut: ${path} is not what it was`)
  }

  /** Drops of one lane are taken in the order in which they came, as far as one who looks at folders can know it. */
  private order(receipts: readonly SeenReceipt[]): void {
    const idOf = (drop: Delivery): string | null => {
      const same = this.drops.filter((d) => d.path === drop.path && d.sha256 === drop.sha256)
      const own = receipts.filter((r) => r.requeue_of === null && r.path === drop.path && r.sha256 === drop.sha256)
      return same.length === 1 && own.length === 1 ? own[0]!.drop_id : null
    }
    const known = this.drops.filter((d) => !d.isLoose).map((drop) => ({ drop, id: idOf(drop), lane: laneOf(drop.path) }))
    for (const { drop, id, lane } of known) {
      for (const later of known) {
        if (later.drop.serial <= drop.serial || later.lane !== lane || id === null || later.id === null || id < later.id) continue
        const isSameLife = drop.duringLife !== null && drop.duringLife === later.drop.duringLife
        // A scan reads one folder after the other.
        if (isSameLife && folderOf(drop.path) !== folderOf(later.drop.path)) continue
        if (drop.overtakenBy.has(later.drop)) continue
        this.problems.push(`${drop.path} came before ${later.drop.path}, and was taken after it: ${id}, ${later.id}`)
      }
    }
  }
}

const documents = new WeakMap<Buffer, unknown>()

/** What is written to has other bytes, in another buffer. */
function parsed(bytes: Buffer): unknown {
  const known = documents.get(bytes)
  if (known !== undefined) return known
  const document = JSON.parse(bytes.toString()) as unknown
  documents.set(bytes, document)
  return document
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

function describe(error: unknown): string {
  if (isIntakeError(error)) return `${error.code}: ${error.message}`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/**
 * Before the first schedule: makes every run of one do the same, operation for operation. What is loaded and compiled when it is first needed
 * is so now, for nobody knows how many turns that takes. Returns what undoes it.
 */
export async function prepareSimulation(): Promise<() => void> {
  const undo = leaveNothingToChance()
  for (let i = 0; i < 2; i++) await runSchedule(WARM_UP)
  return undo
}

const WARM_ROWS: Content['rows'] = [
  { id: 1, hole: 'h1', note: 'x', fault: 'none' },
  { id: 2, hole: 'h2', note: 'y', fault: 'none' },
]
const WARM_UP: Schedule = {
  seed: 0,
  settleMs: 0,
  lives: [
    {
      before: (['one/a.csv', 'split/a.csv', 'skip/a.csv', 'strict/a.csv'] as const).flatMap((path) =>
        (['plain', 'quoted', 'crlf'] as const).map((form, i) => ({
          kind: 'put' as const,
          path: path.replace('a.', `${form}.`),
          content: {
            rows:
              i === 0
                ? WARM_ROWS
                : [...WARM_ROWS, { id: 3, hole: 'h3', note: 'z', fault: i === 1 ? ('wrong' as const) : ('ragged' as const) }],
            form,
            header: 'whole' as const,
          },
          how: 'renamed' as const,
          sidecars: path.startsWith('strict') ? ('right' as const) : ('none' as const),
        })),
      ),
      form: 'once',
      during: [],
      faults: [],
      cut: { mode: 'nothing', seed: 0 },
      slow: null,
      stopMs: 0,
    },
    {
      before: [
        {
          kind: 'decide',
          number: 0,
          recordId: 'plain',
          verb: 'approve',
          version: 'current',
          hash: 'right',
          key: 'ann',
          isForged: false,
          replays: null,
        },
      ],
      form: 'watch',
      during: [],
      faults: [],
      cut: { mode: 'nothing', seed: 0 },
      slow: null,
      stopMs: 1000,
    },
  ],
}

/** Two runs of one schedule do the same, operation for operation, after `prepareSimulation`. */
export async function runSchedule(schedule: Schedule): Promise<Outcome> {
  return new Simulation(schedule, await freshFor(schedule.settleMs)).run()
}

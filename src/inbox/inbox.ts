import type { DropId, DropIdSequence } from '../core/drop-id.js'
import { SettleGate } from '../core/settle-gate.js'
import { decodePath, type SidecarKind } from '../documents/drop.js'
import { encodePath } from '../documents/text.js'
import { assert, ERRORS, type ErrorCode, IntakeError, isExhausted, isIntakeError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import type { Files } from '../runtime/files.js'
import type { Claim } from './claim.js'
import type { Candidate, ClaimOutcome, ClaimStore } from './claims.js'
import type { EmitInboxEvent, WaitingEntry } from './events.js'
import type { StoredOriginal } from './filing.js'
import { keyOf, pathOfKey } from './inbox-path.js'
import { IntakeQueue } from './intake-queue.js'
import { type AreaRule, Scanner, type ScanSummary } from './scanner.js'
import { recordRuleFor, type Source } from './sources.js'
import type { Timers } from './timers.js'
import type { FolderWatch, WatchFolders } from './watcher.js'

export interface InboxSettings {
  readonly settleMs: number
  readonly rescanMs: number
  /** No hints: for folders that remote machines write to. */
  readonly polling: boolean
  readonly ignore: readonly string[]
  /** Drops handed on and not finished. */
  readonly dropsInFlight: number
}

/** Hints that come together make one scan. */
const HINT_MS = 20
/** A scan that hints ask for begins this many times its own length after the last one, so that scanning takes a fifth of one core at most. */
const HINT_PACE = 4
const POLL_MIN_MS = 250
/**
 * chokidar reads a whole folder again, with one stat for each file, whenever something moves in it. With more files than this in the inbox
 * that costs more than the scans it saves: 2,000 drops took three times as long. Then we look every second instead.
 */
const WATCHED_FILES_LIMIT = 256
const CROWDED_LOOK_MS = 1000
/** A twentieth of one core at most: nobody asks for these, and there is much else to do then. */
const CROWDED_PACE = 19
/** What a scan costs at most for a file that it looks at, and for one that waits for its turn, in milliseconds; what it takes beyond that is others' work. */
const LOOK_COST_MS = 0.02
const PASS_COST_MS = 0.002
/** However much a scan costs, what is due is put off by no more: a drop of another source may be among it. */
const PUT_OFF_MS = 4000
/** A root that is gone is looked for as often: that is one call. */
const MISSING_LOOK_MS = 1000
/** A watch that lost folders is made again so long after it was made, and a millisecond later for each folder in it (chokidar takes a tenth of that). */
const REWATCH_MS = 1000
/** After descriptors or memory ran out. */
const RETRY_MS = 1000
const WAITING_LIMIT = 1000
const ONCE_MAX_MS = 60_000

interface Watching {
  readonly watch: FolderWatch
  readonly inode: bigint
  readonly device: bigint
  readonly sinceMs: number
  /** Hints may be missing: of many folders, or of some. */
  state: 'good' | 'failed' | 'leaky'
}

/** A settled file in the queue. Its observation stays in the gate. */
interface Queued {
  readonly key: string
  readonly source: string | null
  readonly mtimeNs: bigint
  readonly sidecars: readonly { readonly kind: SidecarKind; readonly key: string }[]
}

interface Waiting extends WaitingEntry {
  told: boolean
}

/** A file that could not be taken; it is tried again at `untilMs` of the monotonic clock. */
interface Held {
  readonly code: ErrorCode
  readonly message: string
  readonly untilMs: number
}

/**
 * Runs intake for one area: inbox/ (drops) or decisions/. Scans when a hint comes, when something may have settled, and every
 * `rescanMs`; takes what has settled, by mtime and then path bytes among what settled in one scan, sources that came late in turn with
 * those that have much waiting; and hands each claim to `onClaim`, with at most `dropsInFlight` of them unfinished.
 *
 * Claims are made side by side, but those of one record (or of one source, where the record is not known from the path) are handed
 * on in drop-id order. `onClaim` must take its place in line before its first await.
 */
export class Inbox {
  private readonly kind: 'drop' | 'decision'
  private readonly root: string
  private readonly rule: AreaRule
  private readonly clock: Clock
  private readonly timers: Timers
  private readonly claims: ClaimStore
  private readonly ids: DropIdSequence
  private readonly settings: InboxSettings
  private readonly watch: WatchFolders
  private readonly onClaim: (claim: Claim) => Promise<void>
  private readonly onFatal: (error: unknown) => void
  private readonly emit: EmitInboxEvent
  private readonly scanner: Scanner
  private readonly gate: SettleGate

  private started = false
  private stopped = false
  private readonly abort = new AbortController()
  private timer: { readonly dueMs: number; readonly cancel: () => void } | null = null
  private scanning: Promise<void> | null = null
  private hinted = false
  /** A hint came since the last scan began. */
  private hintsSeen = false
  private lastScan: { readonly endedMs: number; readonly tookMs: number } | null = null
  private watching: Watching | null = null
  /** A failed watch is told of once, until one has lasted. */
  private watchFailureTold = false
  private missing = false

  private readonly queue = new IntakeQueue<Queued>()
  /** Keys in the queue or being claimed. */
  private readonly busy = new Map<string, Queued>()
  private readonly held = new Map<string, Held>()
  private inFlight = 0
  /** At most as many as the settings say; fewer after descriptors or memory ran out, until as many drops went well. */
  private mayBeInFlight: number
  private readonly claiming = new Set<Promise<void>>()
  /** The last drop of each line: the next one is handed on after it. */
  private readonly lines = new Map<string, Promise<void>>()
  private paused: { readonly code: ErrorCode; cancel: () => void } | null = null

  private waitingNow = new Map<string, Waiting>()
  private waitingCount = 0
  private once: { pending: Set<string> | null; late: boolean; done: () => void } | null = null

  constructor(options: {
    root: string
    rule: AreaRule
    files: Files
    clock: Clock
    timers: Timers
    claims: ClaimStore
    ids: DropIdSequence
    settings: InboxSettings
    watch: WatchFolders
    onClaim: (claim: Claim) => Promise<void>
    /** Something only a restart can mend (a failed fsync, a defect): intake has stopped by itself. */
    onFatal: (error: unknown) => void
    emit: EmitInboxEvent
  }) {
    this.kind = options.rule.kind
    this.root = options.root
    this.rule = options.rule
    this.clock = options.clock
    this.timers = options.timers
    this.claims = options.claims
    this.ids = options.ids
    this.settings = options.settings
    this.mayBeInFlight = options.settings.dropsInFlight
    this.watch = options.watch
    this.onClaim = options.onClaim
    this.onFatal = options.onFatal
    this.emit = options.emit
    this.scanner = new Scanner({ files: options.files, root: options.root, rule: options.rule, ignore: options.settings.ignore })
    this.gate = new SettleGate({ settleMs: options.settings.settleMs })
  }

  /** Begins to look. Recovered claims are handed on before this, by whoever recovered them. */
  start(): void {
    assert(!this.started, 'an inbox starts once')
    this.started = true
    this.scheduleIn(0)
  }

  /**
   * Takes nothing new. Returns when no claim is half made; a claim that is finished meanwhile stays in state/claims for the next start.
   * Does not wait for what was handed on.
   */
  async stop(): Promise<void> {
    this.stopped = true
    this.abort.abort()
    this.timer?.cancel()
    this.timer = null
    this.paused?.cancel()
    this.finishOnce()
    await this.scanning
    await Promise.all(this.claiming)
    await this.watching?.watch.close()
    this.watching = null
  }

  /** Something may have happened: look soon. */
  hint(): void {
    if (this.stopped || !this.started) return
    this.hintsSeen = true
    this.lookSoon()
  }

  private lookSoon(): void {
    if (this.stopped) return
    // While work waits in the queue a look would find work for later only.
    if (this.scanning !== null || this.queued > 0) {
      this.hinted = true
      return
    }
    const pacedMs = this.lastScan === null ? 0 : this.lastScan.endedMs + HINT_PACE * this.lastScan.tookMs - this.clock.monotonicMs()
    this.scheduleIn(Math.min(Math.max(HINT_MS, pacedMs), this.settings.rescanMs))
  }

  private pauseFor(error: unknown): void {
    this.pause(isIntakeError(error) ? error.code : 'RESOURCES_EXHAUSTED', error instanceof Error ? error.message : String(error))
  }

  /** Claims nothing until `resume`, or by itself after `rescanMs`; sooner where only too much was begun at once. Scans go on. */
  pause(code: ErrorCode, message: string): void {
    if (this.paused !== null || this.stopped) return
    let pauseMs = this.settings.rescanMs
    if (code === 'RESOURCES_EXHAUSTED') {
      // As many as before would take each other's descriptors again, and none would ever be claimed.
      this.mayBeInFlight = Math.max(1, this.inFlight >> 1)
      pauseMs = Math.min(pauseMs, RETRY_MS)
    }
    this.paused = { code, cancel: this.timers.after(pauseMs, () => this.resume()) }
    this.emit({ event: 'intake.paused', area: this.kind, code, message })
  }

  resume(): void {
    if (this.paused === null || this.stopped) return
    this.paused.cancel()
    this.paused = null
    this.emit({ event: 'intake.resumed', area: this.kind })
    this.pump()
    this.scheduleIn(0)
  }

  /** What is there but not taken: at most 1000 entries of `waitingTotal`. */
  waiting(): WaitingEntry[] {
    return [...this.waitingNow.values()].map(({ told: _told, ...entry }) => entry)
  }

  get waitingTotal(): number {
    return this.waitingCount
  }

  /** Nothing is being looked at, taken or worked on, and nothing waits in the queue. */
  get isIdle(): boolean {
    return (
      this.scanning === null &&
      this.claiming.size === 0 &&
      this.inFlight === 0 &&
      (this.queued === 0 || this.stopped || this.paused !== null)
    )
  }

  /** Drops in the queue and handed on. */
  get load(): { readonly queued: number; readonly inFlight: number } {
    return { queued: this.queued, inFlight: this.inFlight }
  }

  /**
   * For `run --once`, called before `start`: takes only what the first scan finds. Resolves when all of it was handed on, is gone, or
   * cannot be taken; files that still change after `maxMs` are left. Returns what is left.
   */
  async settledOnce(maxMs: number = ONCE_MAX_MS): Promise<WaitingEntry[]> {
    assert(!this.started && this.once === null, 'settledOnce() is called once, before start()')
    await new Promise<void>((resolve) => {
      const cancel = this.timers.after(maxMs, () => {
        if (this.once === null) return
        this.once.late = true
        for (const key of this.once.pending ?? []) if (!this.busy.has(key)) this.once.pending!.delete(key)
        this.checkOnce()
      })
      this.once = {
        pending: null,
        late: false,
        done: () => {
          cancel()
          resolve()
        },
      }
      this.start()
    })
    return this.waiting()
  }

  /**
   * Takes an archived or quarantined original again, under its old path and the rules of today. Resolves with the new drop-id, which ends in `tail`, once the
   * claim is durable. Throws DROP_NOT_FOUND (no receipt says its path, or the original is gone), NO_SOURCE, CONFIG_INVALID.
   */
  async requeue(original: StoredOriginal, options: { force: boolean; tail?: string }): Promise<DropId> {
    const { receipt } = original
    if (receipt === null) {
      throw new IntakeError('DROP_NOT_FOUND', `The receipt of ${original.dropId} is not in receipts/, and only it says where the file was`)
    }
    assert(receipt.kind === this.kind, 'a drop goes to inbox/, a decision to decisions/')
    const path = decodePath(receipt.path)
    const source = this.sourceOf(path)
    const dropId = this.ids.next(options.tail)
    const line = this.joinLine(source, path)
    this.inFlight++
    let outcome: ClaimOutcome
    try {
      outcome = await this.claims.claimStored({ original, kind: this.kind, path, source, force: options.force, dropId })
      await line.turn
    } catch (error) {
      line.leave()
      this.releaseSlot()
      throw error
    }
    if (outcome.kind !== 'claimed') {
      line.leave()
      this.releaseSlot()
      throw new IntakeError('DROP_NOT_FOUND', `The original of ${original.dropId} is not at ${original.storedAt} any more`)
    }
    const { claim } = outcome
    const handed = this.handOn(claim).finally(() => this.releaseSlot())
    line.leave()
    handed.catch((error: unknown) => this.fail(error))
    return dropId
  }

  private sourceOf(path: Buffer): Source | null {
    if (this.rule.kind === 'decision') return null
    const found = this.rule.sources.match(path)
    if (found.kind === 'source') return found.source
    if (found.kind === 'none') throw new IntakeError('NO_SOURCE', `No source of the configuration matches ${encodePath(path)}`)
    throw new IntakeError('CONFIG_INVALID', `More than one source matches ${encodePath(path)}: ${found.names.join(', ')}`)
  }

  private get queued(): number {
    return this.queue.size
  }

  // Looking

  private scheduleIn(ms: number): void {
    if (this.stopped) return
    const dueMs = this.clock.monotonicMs() + ms
    if (this.timer !== null && this.timer.dueMs <= dueMs) return
    this.timer?.cancel()
    const cancel = this.timers.after(Math.max(0, ms), () => {
      this.timer = null
      this.beginScan()
    })
    this.timer = { dueMs, cancel }
  }

  private beginScan(): void {
    if (this.stopped) return
    if (this.scanning !== null) {
      this.hinted = true
      return
    }
    this.scanning = this.scan()
      .catch((error: unknown) => {
        if (!isPassing(error)) return this.fail(error)
        this.pauseFor(error)
        this.scheduleIn(RETRY_MS)
      })
      .finally(() => {
        this.scanning = null
        if (this.hinted && this.queued === 0) {
          this.hinted = false
          this.hint()
        }
      })
  }

  private async scan(): Promise<void> {
    const beganMs = this.clock.monotonicMs()
    const wasHinted = this.hintsSeen
    this.hintsSeen = false
    this.hinted = false
    let isNews = false
    this.gate.beginScan(beganMs)
    const settled: Queued[] = []
    const waiting = new Map<string, Waiting>()
    let waitingCount = 0
    let candidates = 0
    const seen = this.once === null ? null : new Set<string>()
    const startKeys = this.once !== null && this.once.pending === null ? new Set<string>() : null
    const wait = (key: string, code: ErrorCode, message: string, tell: boolean): void => {
      waitingCount++
      if (waiting.size >= WAITING_LIMIT) return
      const before = this.waitingNow.get(key)
      const entry: Waiting =
        before !== undefined && before.code === code
          ? before
          : { path: encodePath(pathOfKey(key)), code, message, hint: ERRORS[code].hint, sinceMs: this.clock.nowMs(), told: false }
      waiting.set(key, entry)
      if (tell && !entry.told) {
        entry.told = true
        this.emit({ event: 'drop.waiting', path: entry.path, code, message })
      }
    }
    const summary = await this.scanner.scan(
      {
        waiting: ({ path, code, message }) => wait(keyOf(path), code, message, true),
        // Claims know their own files.
        claimed: () => {},
        // It is claimed as it was when it settled, and the claim looks whether it still is. A scan a second over thousands that wait for
        // their turn would cost as much as to take them.
        isBusy: (key) => {
          const busy = this.busy.get(key)
          if (busy === undefined) return false
          candidates++
          seen?.add(key)
          startKeys?.add(key)
          this.gate.keep(key)
          for (const sidecar of busy.sidecars) this.gate.keep(sidecar.key)
          return true
        },
        candidate: (found) => {
          candidates++
          const key = keyOf(found.path)
          seen?.add(key)
          const states = [this.gate.observe(key, found.stat), ...found.sidecars.map((s) => this.gate.observe(keyOf(s.path), s.stat))]
          isNews ||= states[0] === 'new'
          if (found.missing.length > 0) {
            const names = found.missing.map((kind) => `.${kind === 'manifest' ? 'manifest.json' : kind}`).join(', ')
            wait(key, 'SIDECAR_MISSING', `The source asks for ${names} beside this file`, true)
            this.once?.pending?.delete(key)
            return
          }
          if (states.some((s) => s !== 'settled')) {
            this.held.delete(key)
            startKeys?.add(key)
            wait(key, 'STILL_GROWING', 'The file has not been still for long enough yet', states.includes('changed'))
            return
          }
          const held = this.held.get(key)
          if (held !== undefined && beganMs < held.untilMs) {
            wait(key, held.code, held.message, true)
            this.once?.pending?.delete(key)
            return
          }
          this.held.delete(key)
          startKeys?.add(key)
          settled.push({
            key,
            source: found.source,
            mtimeNs: found.stat.mtimeNs,
            sidecars: found.sidecars.map((s) => ({ kind: s.kind, key: keyOf(s.path) })),
          })
        },
      },
      { signal: this.abort.signal },
    )
    if (summary.root === null) wait('', 'UNREADABLE', `The folder ${this.root} is missing or cannot be read`, false)
    const endedMs = this.clock.monotonicMs()
    const { nextDueMs } = this.gate.endScan(endedMs)
    this.lastScan = { endedMs, tookMs: endedMs - beganMs }
    this.noteRoot(summary.root !== null)
    await this.claims.retryReturns(this.kind)
    if (this.stopped) return
    for (const key of this.held.keys()) if (this.gate.observation(key) === null) this.held.delete(key)
    this.waitingNow = waiting
    this.waitingCount = waitingCount
    if (this.once !== null) {
      if (startKeys !== null) this.once.pending = startKeys
      else for (const key of this.once.pending!) if (!seen!.has(key) && !this.busy.has(key)) this.once.pending!.delete(key)
    }
    this.enqueue(settled)
    this.emit({
      event: 'inbox.scanned',
      area: this.kind,
      files: summary.files,
      candidates,
      settled: settled.length,
      waiting: waitingCount,
      elapsedMs: endedMs - beganMs,
    })
    this.pump()
    this.checkOnce()
    // Nobody told of a file that is new since the last scan: it may have come while that one ran, or else there are no hints for its folder.
    if (isNews && !wasHinted && this.watching?.state === 'good') this.watching.state = 'leaky'
    const rewatchMs = await this.arm(summary)
    const { lookMs, paceMs } = this.pace(summary, endedMs - beganMs)
    const dueMs = nextDueMs === null ? lookMs : nextDueMs - this.clock.monotonicMs()
    // What is due while others wait for their turn would only join them.
    this.scheduleIn(Math.max(this.queued > 0 ? paceMs : 0, Math.min(lookMs, rewatchMs ?? lookMs, dueMs)))
  }

  /** How long after a scan the next one comes if nothing asks for it, and how long after it none should come. */
  private pace(summary: ScanSummary, tookMs: number): { readonly lookMs: number; readonly paceMs: number } {
    const { polling, rescanMs, settleMs } = this.settings
    if (summary.root === null) return { lookMs: Math.min(rescanMs, MISSING_LOOK_MS), paceMs: 0 }
    if (!polling && !isCrowded(summary)) return { lookMs: rescanMs, paceMs: 0 }
    const ownMs = Math.min(rescanMs, polling ? Math.max(POLL_MIN_MS, settleMs) : CROWDED_LOOK_MS)
    const paceMs = Math.min(rescanMs, CROWDED_PACE * this.nextCostMs(summary, tookMs))
    return { lookMs: Math.max(ownMs, paceMs), paceMs: Math.min(paceMs, PUT_OFF_MS) }
  }

  /** What the next scan will cost: less than this one where much of what was looked at has come into the queue. */
  private nextCostMs({ files }: ScanSummary, tookMs: number): number {
    const passed = Math.min(files, this.busy.size)
    return Math.min(tookMs, (files - passed) * LOOK_COST_MS + passed * PASS_COST_MS)
  }

  /**
   * Keeps a watch on the root that is there now: one that was removed and made again has no watch any more, whatever the watch believes.
   * A new watch hints once it is up, so what came between this scan and then is found. Returns when to look at the watch again, in
   * milliseconds; null where nothing is the matter with it.
   */
  private async arm(summary: ScanSummary): Promise<number | null> {
    const { watching } = this
    const { root } = summary
    // `--once` takes what was there at start: nothing that a hint could tell of counts.
    const wanted = this.once === null && !this.settings.polling && !this.stopped && root !== null && !isCrowded(summary)
    if (wanted && watching !== null && root.inode === watching.inode && root.device === watching.device) {
      const agedMs = this.clock.monotonicMs() - watching.sinceMs
      if (watching.state === 'good') {
        if (agedMs >= this.settings.rescanMs) this.watchFailureTold = false
        return null
      }
      // To watch again is to read all folders again, and it may well fail again.
      const paceMs = watching.state === 'failed' ? this.settings.rescanMs : Math.max(REWATCH_MS, summary.folders)
      if (agedMs < paceMs) return paceMs - agedMs
    }
    this.watching = null
    await watching?.watch.close()
    if (!wanted || this.stopped) return null
    let made: Watching | null = null
    let state: Watching['state'] = 'good'
    const worse = (now: 'failed' | 'leaky'): void => {
      if (state !== 'failed') state = now
      if (made !== null) made.state = state
    }
    const watch = this.watch(this.root, {
      hint: () => this.hint(),
      lost: () => worse('leaky'),
      failed: (message) => {
        if (this.stopped) return
        // Until there is a new watch, and if that fails too, scans find everything.
        worse('failed')
        if (this.watchFailureTold) return
        this.watchFailureTold = true
        this.emit({ event: 'inbox.watch_failed', area: this.kind, message })
      },
    })
    made = { watch, ...root, sinceMs: this.clock.monotonicMs(), state }
    this.watching = made
    return null
  }

  private noteRoot(there: boolean): void {
    if (there === !this.missing) return
    this.missing = !there
    this.emit({ event: there ? 'inbox.found' : 'inbox.missing', area: this.kind })
  }

  // Taking

  private enqueue(settled: Queued[]): void {
    const pending = this.once?.pending ?? null
    const wanted = settled.filter((q) => !this.busy.has(q.key) && (this.once === null || (pending!.has(q.key) && !this.once.late)))
    for (const item of wanted) this.busy.set(item.key, item)
    this.queue.add(wanted)
  }

  private pump(): void {
    while (!this.stopped && this.paused === null && this.inFlight < this.mayBeInFlight) {
      const item = this.queue.take()
      if (item === null) break
      this.inFlight++
      const running: Promise<void> = this.process(item).finally(() => this.claiming.delete(running))
      this.claiming.add(running)
    }
    if (this.queued === 0 && this.hinted && this.scanning === null) {
      this.hinted = false
      this.hint()
    }
  }

  /** Never rejects. Resolves when the claim was handed on, or came to nothing. */
  private async process(item: Queued): Promise<void> {
    // Before the first await: ids go out in the order of the queue.
    const dropId = this.ids.next()
    const path = pathOfKey(item.key)
    const source = this.rule.kind === 'drop' && item.source !== null ? this.rule.sources.named(item.source) : null
    const line = this.joinLine(source, path)
    let handed: Promise<void> | null = null
    try {
      const outcome = await this.claimOne(item, path, source, dropId)
      this.busy.delete(item.key)
      // The next file of this name is another one, and settles anew.
      if (outcome.kind === 'claimed') for (const { key } of [item, ...item.sidecars]) this.gate.forget(key)
      if (outcome.kind === 'claimed') await line.turn
      if (outcome.kind === 'waiting') {
        this.held.set(item.key, {
          code: outcome.code,
          message: outcome.message,
          untilMs: this.clock.monotonicMs() + this.settings.rescanMs,
        })
        this.noteWaiting(item.key, outcome.code, outcome.message)
        this.lookSoon()
      } else if (outcome.kind === 'changed') this.lookSoon()
      if (outcome.kind !== 'changed' || this.once?.late) this.once?.pending?.delete(item.key)
      // Claimed while we stop: it is durable, and the next start takes it up.
      if (outcome.kind === 'claimed' && !this.stopped) handed = this.handOn(outcome.claim)
    } catch (error) {
      this.busy.delete(item.key)
      if (this.once?.late) this.once.pending?.delete(item.key)
      if (isPassing(error)) {
        this.pauseFor(error)
      } else this.fail(error)
    }
    line.leave()
    if (handed === null) this.releaseSlot()
    else {
      handed
        .then(() => {
          this.mayBeInFlight = Math.min(this.mayBeInFlight + 1, this.settings.dropsInFlight)
        })
        .catch((error: unknown) => this.fail(error))
        .finally(() => this.releaseSlot())
    }
    this.checkOnce()
  }

  /** At once, and not with the next scan: with `--once` there may be none, and what was left behind must be told. */
  private noteWaiting(key: string, code: ErrorCode, message: string): void {
    if (this.waitingNow.has(key) || this.waitingNow.size >= WAITING_LIMIT) return
    this.waitingCount++
    const sinceMs = this.clock.nowMs()
    this.waitingNow.set(key, { path: encodePath(pathOfKey(key)), code, message, hint: ERRORS[code].hint, sinceMs, told: false })
  }

  private async claimOne(item: Queued, path: Buffer, source: Source | null, dropId: DropId): Promise<ClaimOutcome> {
    const observed = this.gate.observation(item.key)
    if (observed === null) return { kind: 'vanished' }
    const sidecars: Candidate['sidecars'][number][] = []
    for (const sidecar of item.sidecars) {
      const seen = this.gate.observation(sidecar.key)
      if (seen === null) return { kind: 'changed' }
      sidecars.push({ kind: sidecar.kind, path: pathOfKey(sidecar.key), observed: seen })
    }
    return this.claims.claim({ kind: this.kind, path, source, observed, sidecars }, dropId)
  }

  private handOn(claim: Claim): Promise<void> {
    try {
      return this.onClaim(claim)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Claims of one line are handed on one after the other; the line is what is known before the manifest is read. */
  private joinLine(source: Source | null, path: Buffer): { turn: Promise<void>; leave: () => void } {
    if (source === null) return { turn: Promise.resolve(), leave: () => {} }
    const rule = recordRuleFor(source, path)
    const key = rule.kind === 'fixed' ? `record:${rule.recordId}` : `source:${source.config.name}`
    const turn = this.lines.get(key) ?? Promise.resolve()
    let leave = (): void => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    // Whoever comes next waits for this one and, through it, for all before.
    const tail = turn.then(() => left)
    this.lines.set(key, tail)
    void tail.then(() => {
      if (this.lines.get(key) === tail) this.lines.delete(key)
    })
    return { turn, leave }
  }

  private releaseSlot(): void {
    this.inFlight--
    this.pump()
  }

  private checkOnce(): void {
    if (this.once === null || this.once.pending === null) return
    if (this.once.pending.size === 0) this.finishOnce()
  }

  private finishOnce(): void {
    this.once?.done()
  }

  private fail(error: unknown): void {
    // A scan that stop() broke off.
    if (this.abort.signal.aborted && (error as { name?: unknown } | null)?.name === 'AbortError') return
    this.stopped = true
    this.finishOnce()
    this.timer?.cancel()
    this.timer = null
    this.paused?.cancel()
    this.onFatal(error)
  }
}

/** Files that are claimed lie in the folders as well, and chokidar reads them too. */
function isCrowded({ files, claimed }: ScanSummary): boolean {
  return files + claimed > WATCHED_FILES_LIMIT
}

/** Trouble that goes away by itself or with some tidying: intake waits for it. */
function isPassing(error: unknown): boolean {
  return isIntakeError(error, 'DISK_FULL') || isExhausted(error)
}

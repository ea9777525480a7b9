import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import { ChildConverter } from './convert/child-converter.js'
import { ConvertPool, threadsOf } from './convert/pool.js'
import type { Converter } from './convert/protocol.js'
import { ConversionSlots } from './coordinator/conversion-slots.js'
import { COMMITS_AT_ONCE, Coordinator, type InFlight, stagingRootOf } from './coordinator/coordinator.js'
import { Requests } from './coordinator/requests.js'
import { SpaceGate } from './coordinator/space-gate.js'
import { StatusFile } from './coordinator/status-file.js'
import { Suspects } from './coordinator/suspects.js'
import { conversionLimitMs } from './core/conversion-time.js'
import { type DropId, DropIdSequence, positionOfDropId } from './core/drop-id.js'
import { sha256Hex } from './core/hashes.js'
import { dialectProblems } from './csv/dialect.js'
import { DecisionIntake } from './decisions/decision-intake.js'
import { KeyringState } from './decisions/keyring.js'
import { DEFAULT_DIALECT } from './documents/config.js'
import type { Receipt } from './documents/receipt.js'
import type { Request } from './documents/request.js'
import { IntakeError } from './errors.js'
import type { Claim } from './inbox/claim.js'
import { ClaimStore } from './inbox/claims.js'
import type { InboxEvent, WaitingEntry } from './inbox/events.js'
import { Filing } from './inbox/filing.js'
import { Inbox, type InboxSettings } from './inbox/inbox.js'
import { compileSources } from './inbox/sources.js'
import { systemTimers, type Timers } from './inbox/timers.js'
import { watchFolders } from './inbox/watcher.js'
import { type Clock, isoTime } from './runtime/clock.js'
import { withinDescriptors } from './runtime/descriptors.js'
import { type Files, makeDirectories } from './runtime/files.js'
import type { LogEvent, Logger } from './runtime/logger.js'
import { SharedSync } from './runtime/shared-sync.js'
import { ReleaseStack, type SignalState } from './runtime/shutdown.js'
import type { Workspace } from './runtime/workspace.js'
import type { LockStore } from './store/lock.js'
import { RecordStore } from './store/record-store.js'
import { TableRegistry } from './tables/registry.js'

export interface DaemonOptions {
  readonly workspace: Workspace
  readonly files: Files
  readonly clock: Clock
  readonly logger: Logger
  readonly signals: SignalState
  readonly pid: number
  readonly version: string
  readonly randomUuid: () => string
  readonly randomHex: (bytes: number) => string
  /** Take what is there now, then stop. */
  readonly once: boolean
  /** Descriptors that the process may have; absent: as many as it asks for. */
  readonly openFiles?: number
  /** Told of every receipt, after it is durable. */
  readonly onReceipt: (receipt: Receipt) => void
  /** False where `onReceipt` shows the same on the same screen. */
  readonly logReceipts: boolean
  /** Instead of the thread pool, and of the process for one drop alone, for tests. */
  readonly converter?: Converter
  readonly aloneConverter?: Converter
  /** Instead of the kernel's lock and of its timers, for tests on a disk and a clock of their own. */
  readonly lock?: LockStore
  readonly timers?: Timers
}

export interface DaemonOutcome {
  /** Files that were there but not taken when `once` ended. */
  readonly left: readonly WaitingEntry[]
  /** Claims that are still to be finished by the next start. */
  readonly unfinished: number
}

/**
 * The composition root: wires the parts, in the order acquire, push release, go on, and has no rules of its own.
 *
 * Resolves when the daemon has drained. Rejects with what stopped it: what had been acknowledged by then is durable, everything else is
 * taken up again at the next start.
 */
export async function runDaemon(options: DaemonOptions): Promise<DaemonOutcome> {
  const stack = new ReleaseStack()
  try {
    return await new Daemon(options, stack).run()
  } finally {
    await stack.close()
  }
}

/** A slot of the writer's own in anchors/: one workspace, one writer. */
const ANCHOR_WRITER = 'daemon'

/** Leftovers settled side by side, unless descriptors are short: what they wait for is the disk. */
const RECOVERED_AT_ONCE = 64

/** How far the clock may have gone back between a request and the death that left it unremoved. */
const REQUEST_AGE_MS = 48 * 3_600_000

class Daemon {
  private readonly sync: SharedSync
  /** Aborted when the work is to stop: by a signal, or by what cannot be gone on with. */
  private readonly draining = new AbortController()
  private fatal: { error: unknown } | null = null
  private readonly counts: Record<string, number> = {}
  private state: 'recovering' | 'running' | 'draining' | 'stopped' = 'recovering'

  constructor(
    private readonly options: DaemonOptions,
    private readonly stack: ReleaseStack,
  ) {
    this.sync = new SharedSync(options.files)
    // Every drop in flight listens to it, and there is a limit on those already: Node's guess at a leak would only be noise in the log.
    setMaxListeners(0, this.draining.signal)
  }

  async run(): Promise<DaemonOutcome> {
    const { workspace, files, clock, logger, signals } = this.options
    const { paths, config } = workspace
    const onSignal = (): void => this.drain('a signal came')
    signals.draining.addEventListener('abort', onSignal, { once: true })
    this.stack.push('signals', () => signals.draining.removeEventListener('abort', onSignal))
    if (signals.draining.aborted) onSignal()

    const openFiles = this.options.openFiles ?? Number.POSITIVE_INFINITY
    const recoverAtOnce = withinDescriptors(openFiles, RECOVERED_AT_ONCE)
    const tables = await TableRegistry.load(files, paths.tables)
    const sources = compileSources(config.sources)
    this.checkSources(tables)
    for (const folder of [paths.inbox, paths.decisions, paths.claims, paths.requests, paths.archive, paths.quarantine, paths.receipts]) {
      await makeDirectories(files, folder)
    }
    // Also those that were there: an earlier run may have made them, and died before their names were durable.
    for (const folder of new Set([paths.root, paths.state])) await files.syncDirectory(folder)
    const store = await RecordStore.open({
      files,
      clock,
      root: paths.store,
      mode: 'write',
      createAs: 'signed',
      randomUuid: this.options.randomUuid,
      writer: ANCHOR_WRITER,
      orphans: join(paths.quarantine, 'orphans'),
      onOrphan: (orphan) => this.orphanFound(orphan),
      recoverAtOnce,
      ...(this.options.lock === undefined ? {} : { lock: this.options.lock }),
    })
    this.stack.push('store', () => store.close())
    logger.info(
      { event: 'store.opened', store_id: store.identity.store_id, approvals: store.identity.approvals },
      'The store is open for writing',
    )
    this.reportRecovery(store)

    const filing = new Filing({
      files,
      sync: this.sync,
      roots: { workspace: paths.root, archive: paths.archive, quarantine: paths.quarantine, receipts: paths.receipts },
    })
    const emit = (event: InboxEvent): void => this.inboxEvent(event)
    const claims = new ClaimStore({
      files,
      sync: this.sync,
      clock,
      filing,
      roots: { workspace: paths.root, inbox: paths.inbox, decisions: paths.decisions, claims: paths.claims, quarantine: paths.quarantine },
      tableOf: (name) => (tables.has(name) ? (tables.get(name) as { document: Record<string, unknown>; schemaSha256: string }) : null),
      settings: { compression: config.convert.compression, verify: config.convert.verify, limits: config.limits },
      emit,
    })
    const slots = new ConversionSlots(threadsOf(config.convert.threads))
    const timeLimitMs = (sourceBytes: number): number => conversionLimitMs(config.limits.conversionSeconds, sourceBytes)
    const converter =
      this.options.converter ??
      new ConvertPool({
        threads: slots.threads,
        lanes: slots.slots,
        memoryBytes: config.convert.memoryMb * 1024 ** 2,
        heapMb: config.convert.memoryMb,
        timeLimitMs,
        files,
      })
    this.stack.push('converter', () => converter.close())
    const aloneConverter =
      this.options.aloneConverter ??
      new ChildConverter({
        heapMb: config.convert.memoryMb,
        timeLimitMs,
        sourceBytes: async (request) => (await files.stat(request.sourcePath))?.sizeBytes ?? 0,
      })
    this.stack.push('alone converter', () => aloneConverter.close())
    const timers = this.options.timers ?? systemTimers
    const space = new SpaceGate({
      clock,
      sleep: (ms, signal) => sleep(timers, ms, signal),
      draining: this.draining.signal,
      // Decisions are small and may still find room. Where they do not, they wait by themselves.
      onPaused: (reason) => drops.pause(reason.code, reason.message),
      onResumed: () => drops.resume(),
    })
    const suspects = await Suspects.open(files, paths.converting, new Set(await files.names(paths.claims)))
    this.stack.push('suspects', () => suspects.close())
    const coordinator = new Coordinator({
      files,
      clock,
      logger,
      store,
      stagingRoot: stagingRootOf(paths.store),
      converter,
      aloneConverter,
      suspects,
      slots,
      claims,
      filing,
      decisions: this.decisionIntake(store, filing),
      decisionBytes: config.limits.decisionBytes,
      space,
      draining: this.draining.signal,
      commitsAtOnce: withinDescriptors(openFiles, COMMITS_AT_ONCE),
      onReceipt: (receipt) => this.receipted(receipt),
      onFatal: (error) => this.fail(error),
    })
    const ids = new DropIdSequence(
      { nowMs: () => clock.nowMs(), randomTail: () => this.options.randomHex(8) },
      later(await filing.lastDropId(), await claims.lastDropId()),
    )
    const dropsInFlight = withinDescriptors(openFiles, config.limits.dropsInFlight)
    if (dropsInFlight < config.limits.dropsInFlight) {
      logger.warn(
        { event: 'daemon.limited', open_files: openFiles, drops_in_flight: dropsInFlight },
        `The process may have ${openFiles} files open only (ulimit -n): ${dropsInFlight} drops are taken at once, not ${config.limits.dropsInFlight}`,
      )
    }
    const settings: InboxSettings = { ...config.inbox, dropsInFlight }
    const shared = {
      files,
      clock,
      timers,
      claims,
      ids,
      watch: watchFolders,
      onClaim: (claim: Parameters<Coordinator['accept']>[0]) => coordinator.accept(claim),
      onFatal: (error: unknown) => this.fail(error),
      emit,
    }
    const drops = new Inbox({ ...shared, root: paths.inbox, rule: { kind: 'drop', sources }, settings })
    const decisions = new Inbox({
      ...shared,
      root: paths.decisions,
      rule: { kind: 'decision' },
      settings: { ...settings, ignore: ['*.tmp', '*.part', '.*'] },
    })
    const inboxes: readonly Inbox[] = [decisions, drops]
    const requests = new Requests({
      files,
      folder: paths.requests,
      logger,
      handle: async (request, name) => {
        // What was asked for is known by its drop-id: no clock has a say in whether it was done.
        const tail = sha256Hex(name).slice(0, 16)
        if (await this.isCarriedOut(request, tail, recovered, filing)) return
        const original = await filing.findOriginal(request.drop_id)
        if (original === null)
          throw new IntakeError('DROP_NOT_FOUND', `Neither archive/ nor quarantine/ holds the original of ${request.drop_id}`)
        await (original.receipt?.kind === 'decision' ? decisions : drops).requeue(original, { force: request.force, tail })
      },
      onFatal: (error) => this.fail(error),
    })
    const status = new StatusFile({
      files,
      path: paths.statusFile,
      clock,
      snapshot: () => this.snapshot(store, coordinator, claims, inboxes, space),
    })

    // Planned work is finished before new work is admitted: recovered claims take their places in line before the inboxes look.
    const recovered = await claims.recover(recoverAtOnce)
    if (recovered.length > 0) {
      logger.warn(
        { event: 'daemon.recovered', drops: recovered.length },
        `Taking up ${recovered.length} that an earlier run left unfinished`,
      )
    }
    for (const claim of recovered) void coordinator.accept(claim)

    this.state = 'running'
    status.start()
    this.stack.push('status', () => {
      this.state = 'stopped'
      return status.stop()
    })
    logger.info(
      {
        event: 'daemon.started',
        pid: this.options.pid,
        version: this.options.version,
        store_id: store.identity.store_id,
        inbox: paths.inbox,
      },
      `Watching ${paths.inbox}`,
    )
    let left: readonly WaitingEntry[] = []
    if (this.options.once) {
      await requests.poll()
      left = (await Promise.race([Promise.all(inboxes.map((inbox) => inbox.settledOnce())), aborted(this.draining.signal)]))?.flat() ?? []
      await Promise.race([coordinator.idle(), aborted(this.draining.signal)])
    } else {
      requests.start()
      for (const inbox of inboxes) inbox.start()
      await aborted(this.draining.signal)
    }
    this.drain('all is done')
    await requests.stop()
    await Promise.all(inboxes.map((inbox) => inbox.stop()))
    await coordinator.idle()
    if (this.fatal !== null) throw this.fatal.error
    const unfinished = ((await files.list(paths.claims)) ?? []).length
    this.state = 'stopped'
    logger.info(
      { event: 'daemon.stopped', unfinished },
      unfinished === 0 ? 'Stopped; nothing is left' : `Stopped; ${unfinished} to be taken up at the next start`,
    )
    return { left, unfinished }
  }

  /** What only shows when sources, dialects and tables are seen together, before the first drop meets it. */
  private checkSources(tables: TableRegistry): void {
    const { config } = this.options.workspace
    const problems = config.sources.flatMap((source) =>
      dialectProblems(source.dialect ?? DEFAULT_DIALECT).map((problem) => `source ${JSON.stringify(source.name)}: dialect: ${problem}`),
    )
    if (problems.length > 0)
      throw new IntakeError('CONFIG_INVALID', `The sources are not usable: ${problems.join('; ')}`, { data: { problems } })
    for (const source of config.sources) {
      if (tables.has(source.table)) continue
      this.options.logger.warn(
        { event: 'config.table_unknown', source: source.name, table: source.table },
        `Source ${source.name} names the table ${source.table}, which config/tables does not hold: its drops will be quarantined`,
      )
    }
  }

  /** A crash may come between a claim that a request asked for and the removal of the request: it is not carried out twice. */
  private async isCarriedOut(request: Request, tail: string, recovered: readonly Claim[], filing: Filing): Promise<boolean> {
    if (recovered.some((claim) => claim.dropId.endsWith(tail))) return true
    // Ids never go back, so it cannot be older than the drop that it takes again.
    const sinceMs = Math.max(positionOfDropId(request.drop_id).timeMs, Date.parse(request.requested_at) - REQUEST_AGE_MS)
    return filing.hasReceiptEnding(tail, sinceMs)
  }

  private decisionIntake(store: RecordStore, filing: Filing): DecisionIntake {
    const { files, clock, logger, workspace } = this.options
    const { paths, config } = workspace
    return new DecisionIntake({
      clock,
      keyring: new KeyringState({
        files,
        path: paths.keyring,
        seenPath: paths.keyringState,
        onVersion: (version) => logger.info({ event: 'keyring.changed', version }, `The keyring has version ${version}`),
      }),
      storeId: store.identity.store_id,
      forbidSelfApproval: config.decisions.forbidSelfApproval,
      lookupRecord: (recordId) => store.metadata(recordId),
      commit: (request) => store.commitDecision(request),
      isAppliedByAnother: async ({ recordId, decisionId, dropId, sinceMs }) => {
        for await (const receipt of filing.listReceipts({ sinceMs })) {
          if (receipt.kind !== 'decision' || receipt.outcome !== 'applied' || receipt.drop_id === dropId) continue
          if (receipt.decision_id === decisionId && receipt.record_id === recordId) return true
        }
        return false
      },
      maxBytes: config.limits.decisionBytes,
    })
  }

  private drain(why: string): void {
    if (this.draining.signal.aborted) return
    this.state = 'draining'
    this.options.logger.info({ event: 'daemon.draining', reason: why }, `Draining: ${why}`)
    this.draining.abort()
  }

  private fail(error: unknown): void {
    this.fatal ??= { error }
    this.drain(error instanceof Error ? error.message : String(error))
  }

  private receipted(receipt: Receipt): void {
    const { logger } = this.options
    const name = receipt.kind === 'drop' ? receipt.outcome : `decisions_${receipt.outcome}`
    this.counts[name] = (this.counts[name] ?? 0) + 1
    if (this.options.logReceipts) logger[receipt.code === null ? 'info' : 'warn'](receiptEvent(receipt), receiptSentence(receipt))
    this.options.onReceipt(receipt)
  }

  private orphanFound(orphan: { readonly key: string; readonly movedTo: string }): void {
    this.options.logger.error(
      { event: 'store.orphan_found', key: orphan.key, moved_to: orphan.movedTo },
      `No history names ${orphan.key}; it was moved aside`,
    )
  }

  private reportRecovery(store: RecordStore): void {
    const { logger } = this.options
    for (const t of store.recovery.transactions) {
      logger.warn(
        { event: 'store.recovered', tx: t.tx, record_id: t.recordId, version: t.version, result: t.result, reason: t.reason },
        `A staged commit was ${t.result}: ${t.reason}`,
      )
    }
    for (const orphan of store.recovery.orphans) this.orphanFound(orphan)
  }

  private inboxEvent(event: InboxEvent): void {
    const { logger } = this.options
    switch (event.event) {
      case 'drop.claimed':
      case 'decision.claimed':
        logger.info(
          {
            event: event.event,
            drop_id: event.dropId,
            path: event.path,
            source: event.source,
            bytes: event.bytes,
            sha256: event.sha256,
            recovered: event.recovered,
          },
          `Took ${event.path}`,
        )
        return
      case 'drop.waiting':
        logger.warn({ event: event.event, path: event.path, code: event.code }, event.message)
        return
      case 'drop.returned':
        logger.warn(
          { event: event.event, drop_id: event.dropId, path: event.path, reason: event.reason },
          `${event.path} went back into its folder`,
        )
        return
      case 'drop.requeued':
        logger.info(
          { event: event.event, drop_id: event.dropId, requeue_of: event.requeueOf, path: event.path, force: event.force },
          `${event.path} is taken again`,
        )
        return
      case 'claim.stranded':
        logger.error({ event: event.event, drop_id: event.dropId, path: event.path }, event.message)
        return
      case 'inbox.scanned':
        logger.debug(
          {
            event: event.event,
            area: event.area,
            files: event.files,
            settled: event.settled,
            waiting: event.waiting,
            elapsed_ms: Math.round(event.elapsedMs),
          },
          `Looked at ${event.files} files`,
        )
        return
      case 'inbox.missing':
        logger.error({ event: event.event, area: event.area }, 'The folder is gone; it is looked for again')
        return
      case 'inbox.found':
        logger.info({ event: event.event, area: event.area }, 'The folder is back')
        return
      case 'inbox.watch_failed':
        logger.warn({ event: event.event, area: event.area }, `${event.message}; scans go on and find everything`)
        return
      case 'intake.paused':
        logger.error({ event: event.event, area: event.area, code: event.code }, `Intake is paused: ${event.message}`)
        return
      case 'intake.resumed':
        logger.info({ event: event.event, area: event.area }, 'Intake goes on')
    }
  }

  private snapshot(store: RecordStore, coordinator: Coordinator, claims: ClaimStore, inboxes: readonly Inbox[], space: SpaceGate): object {
    const inFlight: InFlight[] = coordinator.inFlight()
    return {
      state: this.state,
      pid: this.options.pid,
      version: this.options.version,
      store_id: store.identity.store_id,
      paused_since: space.paused,
      counts: this.counts,
      queued: inboxes.reduce((n, inbox) => n + inbox.load.queued, 0),
      in_flight: inFlight,
      waiting_total: inboxes.reduce((n, inbox) => n + inbox.waitingTotal, 0) + claims.waiting().length,
      waiting: [...inboxes.flatMap((inbox) => inbox.waiting()), ...claims.waiting()].map(({ sinceMs, ...entry }) => ({
        ...entry,
        since: isoTime(sinceMs),
      })),
    }
  }
}

function receiptEvent(receipt: Receipt): LogEvent {
  const base = { drop_id: receipt.drop_id, path: receipt.path, code: receipt.code ?? undefined, stored_at: receipt.stored_at }
  if (receipt.kind === 'decision') {
    return {
      event: `decision.${receipt.outcome}`,
      ...base,
      record_id: receipt.record_id,
      version: receipt.version,
      decision: receipt.decision,
      decided_by: receipt.decided_by,
    }
  }
  const only = receipt.records.length === 1 ? receipt.records[0]! : null
  return {
    event: `drop.${receipt.outcome}`,
    ...base,
    records: receipt.records.length,
    rows: receipt.rows.in,
    invalid: receipt.rows.invalid,
    ...(only === null ? {} : { record_id: only.record_id, version: only.version }),
    ...(receipt.report_at === null ? {} : { report_at: receipt.report_at }),
  }
}

/** For the log: never a cell value, so a drop's message stays on its receipt and the line says where to look. */
function receiptSentence(receipt: Receipt): string {
  if (receipt.kind === 'decision') {
    const tail = receipt.code === null ? '' : `: ${receipt.code}: ${receipt.message ?? ''}`
    return receipt.record_id === null
      ? `${receipt.outcome}${tail}`
      : `${receipt.decision} of ${receipt.record_id} v${receipt.version} ${receipt.outcome}${tail}`
  }
  const only = receipt.records.length === 1 ? receipt.records[0]! : null
  const what =
    only === null
      ? `${receipt.outcome}, ${receipt.records.length} records`
      : `${only.record_id}${only.version === null ? '' : ` v${only.version}`} ${only.outcome}`
  const why = receipt.code === null ? '' : `: ${receipt.code}`
  const see = receipt.report_at === null ? '' : `; see ${receipt.report_at}/reason.txt`
  return `${receipt.path}: ${what}${why}${see}`
}

function later(a: DropId | null, b: DropId | null): DropId | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function sleep(timers: Timers, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = timers.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
  })
}

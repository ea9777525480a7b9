import { type InvariantFinding, NOTHING_SEEN, type SeenFacts, seenOf } from '../../src/core/invariants.js'
import type { Receipt } from '../../src/documents/receipt.js'
import { isIntakeError } from '../../src/errors.js'
import { checkInvariants, gatherFacts } from '../support/check-invariants.js'
import type { Disk, PowerCut } from './disk.js'
import type { Fault, FaultKind, Operation } from './disk-files.js'
import type { Expected, Scenario } from './scenarios.js'
import { live, ROOT, type Run, World } from './world.js'

/** A scenario that stands ready: everything on its disk is durable. */
export interface Ready {
  readonly scenario: Scenario
  readonly disk: Disk
  readonly lives: number
  readonly seen: SeenFacts
}

export async function readyFor(scenario: Scenario): Promise<Ready> {
  const world = await World.make()
  await scenario.prepare(world)
  return { scenario, disk: world.disk, lives: world.lives, seen: seenOf(gatherFacts(world.disk.reader(ROOT))) }
}

export interface TrialOptions {
  /** Faults of the first life, of the second, and so on; then lives without faults until all is done. */
  readonly faults: readonly (readonly Fault[])[]
  /** What a power cut leaves, life by life; the last one also for the cut when all is done. */
  readonly cuts: readonly PowerCut[]
  readonly skipsSync?: (operation: Operation) => boolean
}

export interface Trial {
  /** Empty: every promise was kept. */
  readonly problems: readonly string[]
  /** Faults that struck, life by life. */
  readonly struck: readonly { readonly life: number; readonly kind: FaultKind; readonly operation: Operation }[]
  /** How the lives with faults ended. */
  readonly ends: readonly ('went on' | 'stopped' | 'power')[]
  /** Drops that were quarantined, and decisions refused, for the fault alone: their originals are kept, and `requeue` takes them again. */
  readonly heldBack: number
}

const LIVES_MAX = 6

/** Codes of receipts that speak of the machine and not of the drop. */
const OPERATING = new Set([
  'IO_FAILED',
  'INTERNAL',
  'WORKER_FAILED',
  'RESOURCES_EXHAUSTED',
  'KEYRING_INVALID',
  'STORE_INVALID',
  'CLAIM_FAILED',
])

/**
 * Lives with faults, each from what the one before left; then lives without, to the end; then the power fails once more with nothing running,
 * for what was acknowledged must be durable. The invariants are looked at after every power cut, before anybody recovers, and at the end.
 */
export async function runTrial(ready: Ready, options: TrialOptions): Promise<Trial> {
  const { scenario } = ready
  const problems: string[] = []
  const struck: { life: number; kind: FaultKind; operation: Operation }[] = []
  const ends: Trial['ends'][number][] = []
  const extra = options.skipsSync === undefined ? {} : { skipsSync: options.skipsSync }
  let disk = ready.disk.copy()
  let seen = ready.seen
  // What readers may have seen before a cut comes back in the end, for its plan was durable; not before whoever recovers has got so far.
  let shown: Shown = ready.seen
  const cutOf = (life: number): PowerCut => options.cuts[Math.min(life, options.cuts.length - 1)]!
  const note = (when: string, findings: readonly InvariantFinding[]): void =>
    void problems.push(...findings.map((f) => `${when}: ${f.invariant} ${f.code} ${f.subject}: ${f.text}`))

  let isDone = false
  for (let life = 0; life < LIVES_MAX && !isDone; life++) {
    const faults = options.faults[life] ?? []
    const run = await live(disk, ready.lives + life, { faults, ...extra })
    struck.push(...run.files.struck.map((strike) => ({ life, ...strike })))
    const facts = gatherFacts(disk.reader(ROOT))
    if (run.files.struck.some((s) => s.kind === 'power' || s.kind === 'abort')) {
      ends.push('power')
      disk = disk.afterPowerCut(cutOf(life))
      // Before anybody recovers: what is on the disk at any instant keeps the promises, and what was acknowledged is there.
      seen = withReceipts(seen, facts, run.receipts)
      note(`after power cut ${life + 1}`, checkInvariants(disk.reader(ROOT), seen).findings)
      shown = withShown(shown, facts)
      continue
    }
    seen = withReceipts(seen, facts, run.receipts)
    if (run.outcome === null) {
      if (faults.length > 0) ends.push('stopped')
      // A fault-free life that fails has not recovered.
      if (run.files.struck.length === 0) {
        problems.push(`life ${life + 1} failed without a fault: ${describe(run.error)}`)
        return { problems, struck, ends, heldBack: 0 }
      }
      continue
    }
    if (faults.length > 0) ends.push('went on')
    if (run.files.open !== 0) problems.push(`life ${life + 1} left ${run.files.open} descriptors open`)
    isDone = life + 1 >= options.faults.length && run.outcome.left.length === 0 && run.outcome.unfinished === 0
  }
  if (!isDone) problems.push(`not done after ${LIVES_MAX} lives`)

  seen = { ...seen, ...shown }
  const facts = checkInvariants(disk.reader(ROOT), seen)
  note('at the end', facts.findings)
  // A claim whose file cannot be read waits for the next start, and what came after it of the same record does not wait for it.
  const mayPass = struck.some(({ kind, operation }) => (kind === 'io' || kind === 'denied') && operation.path.includes('/inbox/'))
  const expected = mayPass ? { ...scenario.expected, inAnyOrder: true } : scenario.expected
  const heldBack = compare(disk, expected, problems)
  tidy(disk, problems)

  // Everything was acknowledged: not even the harshest cut may take anything of it back.
  const last = options.cuts.at(-1)!
  for (const cut of [{ mode: 'nothing', seed: 0 } as const, last]) {
    const after = disk.afterPowerCut(cut)
    note(`after the last cut (${cut.mode})`, checkInvariants(after.reader(ROOT), facts.seen).findings)
    for (const path of differing(disk, after)) problems.push(`after the last cut (${cut.mode}): ${path} is not what it was`)
    if (problems.length > 0) break
    const run = await live(after, ready.lives + LIVES_MAX, extra)
    if (run.outcome === null) problems.push(`the life after the last cut (${cut.mode}) failed: ${describe(run.error)}`)
    else {
      note(`at the very end (${cut.mode})`, checkInvariants(after.reader(ROOT), facts.seen).findings)
      compare(after, expected, problems)
      tidy(after, problems)
    }
    if (cut.mode === last.mode) break
  }
  return { problems, struck, ends, heldBack }
}

function describe(error: unknown): string {
  if (isIntakeError(error)) return `${error.code}: ${error.message}`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

type Shown = Pick<SeenFacts, 'versions' | 'histories'>

function withShown(before: Shown, facts: ReturnType<typeof gatherFacts>): Shown {
  const now = seenOf(facts, NOTHING_SEEN)
  const histories = new Map(before.histories)
  for (const [recordId, history] of now.histories) {
    if (history.length >= (histories.get(recordId)?.length ?? 0)) histories.set(recordId, history)
  }
  return { versions: new Map([...before.versions, ...now.versions]), histories }
}

/** Receipts count from when they were acknowledged; before, a power cut may take them back. */
function withReceipts(seen: SeenFacts, facts: ReturnType<typeof gatherFacts>, acknowledged: Run['receipts']): SeenFacts {
  const now = seenOf(facts, NOTHING_SEEN)
  const receipts = new Map(seen.receipts)
  const taken = new Set(seen.taken)
  for (const { drop_id } of acknowledged) {
    receipts.set(drop_id, now.receipts.get(drop_id) ?? 'acknowledged, and not there')
    taken.add(drop_id)
  }
  return { ...seen, receipts, taken }
}

/** Returns how many drops were held back for an operating error. */
function compare(disk: Disk, expected: Expected, problems: string[]): number {
  const reader = disk.reader(ROOT)
  const receipts = reader
    .list('receipts')
    .flatMap((day) => reader.list(`receipts/${day.name}`).map(({ name }) => `receipts/${day.name}/${name}`))
    .filter((path) => path.endsWith('.json'))
    .map((path) => JSON.parse(reader.read(path)!.toString('utf8')) as Receipt)
  let heldBack = 0
  for (const [path, outcome] of Object.entries(expected.receipts)) {
    const found = receipts.filter((r) => r.path === path)
    if (found.length !== 1) problems.push(`${path} has ${found.length} receipts`)
    for (const receipt of found) {
      if (receipt.outcome === outcome) continue
      if ((receipt.outcome === 'quarantined' || receipt.outcome === 'refused') && OPERATING.has(receipt.code ?? '')) heldBack++
      else problems.push(`${path} is ${receipt.outcome} (${receipt.code}), not ${outcome}`)
    }
  }
  if (receipts.length !== Object.keys(expected.receipts).length) problems.push(`there are ${receipts.length} receipts`)
  if (heldBack > 0) return heldBack
  for (const [recordId, { drops, status }] of Object.entries(expected.records)) {
    const bytes = reader.read(`store/records/${recordId}/metadata.json`)
    if (bytes === null) {
      problems.push(`there is no record ${recordId}`)
      continue
    }
    const metadata = JSON.parse(bytes.toString('utf8')) as { status: string; history: { drop?: { name: string; drop_id: string } }[] }
    const made = metadata.history.flatMap((e) => (e.drop === undefined ? [] : [e.drop]))
    if (expected.inAnyOrder !== true && made.some((drop, i) => i > 0 && drop.drop_id < made[i - 1]!.drop_id))
      problems.push(`${recordId} was not committed in the order of drop-ids`)
    const names = made.map((drop) => drop.name)
    if (names.toSorted().join() !== drops.toSorted().join())
      problems.push(`the versions of ${recordId} come from ${names.join()}, not ${drops.join()}`)
    if (metadata.status !== status) problems.push(`${recordId} is ${metadata.status}, not ${status}`)
  }
  const records = disk.listing().filter((line) => line.includes('/metadata.json ')).length
  if (records !== Object.keys(expected.records).length) problems.push(`there are ${records} records`)
  return 0
}

/** Every file that is kept for good must be the same after a cut as before, to the byte: reports and the keyring seen as well, of which no rule speaks. */
const KEPT = /^\/ws\/(archive|quarantine|receipts|state\/keyring\.json|store\/(records|anchors|store\.json)).* \d+$/

export function differing(before: Disk, after: Disk): string[] {
  const paths = new Set(
    [...before.listing(), ...after.listing()].filter((line) => KEPT.test(line)).map((line) => line.replace(/ \d+$/, '')),
  )
  const bytes = (disk: Disk, path: string): Buffer | null => disk.lookUp(path)?.bytes ?? null
  return [...paths].filter((path) => {
    const [was, is] = [bytes(before, path), bytes(after, path)]
    return was === null || is === null || !was.equals(is)
  })
}

/** What a daemon that has done everything leaves behind: nothing. */
export function tidy(disk: Disk, problems: string[]): void {
  for (const line of disk.listing()) {
    const left =
      /^\/ws\/(inbox|decisions)\/.*[^/]$/.test(line) ||
      /^\/ws\/(state\/claims|store\/staging|state\/requests)\/./.test(line) ||
      // Lines of the anchor log that a cut left behind a torn one are kept: they might have been an attack.
      /^\/ws\/quarantine\/orphans\/(?!anchors-)/.test(line) ||
      /^\/ws\/(receipts|archive|quarantine)\/.*\.tmp( |$)/.test(line)
    if (left) problems.push(`left behind: ${line}`)
  }
}

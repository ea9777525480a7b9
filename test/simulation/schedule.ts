import type { CutMode, PowerCut } from '../fault/disk.js'
import type { Fault, FaultKind } from '../fault/disk-files.js'
import { FuzzRandom } from '../fuzz/random.js'

/** What happens in one simulation, made from a seed alone: the same on every machine. Everything random is decided here or by a seed in here. */

/** A row of a drop. `wrong`: its id is no number; `ragged`: it has a cell too many. */
export interface Row {
  readonly id: number
  readonly hole: string
  readonly note: string
  readonly fault: 'none' | 'wrong' | 'ragged'
}

export interface Content {
  readonly rows: readonly Row[]
  /** The same cells in other bytes: as short as can be, in quotes, or with CRLF. */
  readonly form: 'plain' | 'quoted' | 'crlf'
  readonly header: 'whole' | 'without id'
}

export type Key = 'ann' | 'lab' | 'ending' | 'coming' | 'unknown'

export interface DecideAction {
  readonly kind: 'decide'
  /** `decisions/dN.decision.json`. */
  readonly number: number
  readonly recordId: string
  readonly verb: 'approve' | 'reject'
  /** Which version it names, from what its approver sees when it is made. */
  readonly version: 'current' | 'before' | 'next'
  readonly hash: 'right' | 'wrong'
  readonly key: Key
  readonly isForged: boolean
  /** The number of an earlier decision: the same file once more, or its id on another payload. */
  readonly replays: { readonly number: number; readonly payload: 'same' | 'other' } | null
}

export type Action =
  | {
      readonly kind: 'put'
      /** Below inbox/. */
      readonly path: string
      readonly content: Content
      /** `renamed` over what is there; `rewritten` in place; `slowly`: its last row comes with a later `append` of the same path. */
      readonly how: 'renamed' | 'rewritten' | 'slowly'
      /** For the source that asks for them. */
      readonly sidecars: 'none' | 'right' | 'wrong'
    }
  | { readonly kind: 'append'; readonly path: string }
  | DecideAction
  /** The wall clock is set. */
  | { readonly kind: 'jump'; readonly ms: number }
  /** SIGTERM. */
  | { readonly kind: 'stop' }
  /** A clean-up of what `archive/` and the like hold has no place here; a machine that is switched off while nothing runs does. */
  | { readonly kind: 'cut'; readonly cut: PowerCut }
  /** An operator sends what was taken already once more, by a request; `nth` counts the receipts that are there. */
  | { readonly kind: 'requeue'; readonly number: number; readonly nth: number; readonly force: boolean }

/** Before the n-th operation of a life, or after so much time. What a life does not get to happens when it has ended. */
export type When = { readonly operation: number } | { readonly ms: number }

export interface Life {
  /** While nothing runs, before it starts. */
  readonly before: readonly Action[]
  /** `watch` polls until SIGTERM, `once` ends by itself. */
  readonly form: 'once' | 'watch'
  readonly during: readonly { readonly when: When; readonly action: Action }[]
  readonly faults: readonly Fault[]
  /** What a power cut in this life leaves. */
  readonly cut: PowerCut
  /** A slow disk: this share of its operations takes up to so long. */
  readonly slow: { readonly share: number; readonly mostMs: number; readonly seed: number } | null
  /** When `watch` gets its SIGTERM. */
  readonly stopMs: number
}

export interface Schedule {
  readonly seed: number
  readonly settleMs: number
  readonly lives: readonly Life[]
}

export const HOUR_MS = 3_600_000
const CUT_MODES: readonly CutMode[] = ['nothing', 'everything', 'names', 'data', 'random', 'random']
const CRASHES: readonly FaultKind[] = ['power', 'power', 'kill', 'kill', 'abort']
const TROUBLES: readonly FaultKind[] = ['full', 'torn', 'io', 'denied', 'descriptors']
/** Numbers for operations and changes of one life, small ones more often: most of what can go wrong lies in the first hundred. */
const REACH = [15, 60, 120, 250] as const
const HOLES = ['h1', 'h2', 'h3'] as const
/** Few, so that many drops meet at one record. */
const STEMS = ['a', 'a', 'b'] as const

class Maker {
  private readonly random: FuzzRandom
  private decisions = 0
  private requests = 0
  private readonly slow: string[] = []
  private unique = 0
  /** Contents that were sent to a record, so that they can be sent again. */
  private readonly sent = new Map<string, Content[]>()

  constructor(private readonly seed: number) {
    this.random = new FuzzRandom(seed, 0, 11)
  }

  make(): Schedule {
    const { random } = this
    const settleMs = random.pick([0, 0, 0, 300, 1500])
    const lives: Life[] = []
    const count = random.pick([1, 2, 2, 2, 3, 4])
    for (let i = 0; i < count; i++) lives.push(this.life(i, settleMs))
    if (!random.oneIn(3)) this.tell(lives)
    return { seed: this.seed, settleMs, lives }
  }

  /**
   * A course of events that chance alone would rarely bring together, step by step over the lives. What else happens comes between.
   */
  private tell(lives: Life[]): void {
    const { random } = this
    const rows = (note: string): Content => ({ rows: [{ id: 1, hole: 'h1', note, fault: 'none' }], form: 'plain', header: 'whole' })
    const [x, y] = [rows(`x${this.unique}`), rows(`y${this.unique}`)]
    const put = (content: Content): Action => ({
      kind: 'put',
      path: random.pick(['one/a.csv', 'one/later/a.csv']),
      content,
      how: 'renamed',
      sidecars: 'none',
    })
    const decide = (verb: 'approve' | 'reject', replays: DecideAction['replays'] = null): Action => ({
      kind: 'decide',
      number: this.decisions++,
      recordId: 'a',
      verb,
      version: random.oneIn(4) ? 'before' : 'current',
      hash: random.oneIn(4) ? 'wrong' : 'right',
      key: random.pick(['ann', 'ann', 'ann', 'ending', 'coming', 'lab']),
      isForged: random.oneIn(8),
      replays,
    })
    const good = (verb: 'approve' | 'reject'): Action => ({
      ...(decide(verb) as DecideAction),
      version: 'current',
      hash: 'right',
      key: 'ann',
      isForged: false,
    })
    const again = (): Action => decide('approve', { number: this.decisions - 1, payload: random.oneIn(3) ? 'other' : 'same' })
    const steps: readonly (() => Action)[] = random.pick([
      [() => put(x), () => good('reject'), () => put(random.oneIn(2) ? x : { ...x, form: 'quoted' as const })],
      [() => put(x), () => put(y), () => put(x)],
      [() => put(x), () => good(random.oneIn(2) ? 'approve' : 'reject'), () => good(random.oneIn(2) ? 'approve' : 'reject')],
      [() => put(x), () => good('approve'), again],
      [() => put(x), () => decide('approve'), () => put(y), () => decide('reject')],
      [() => put(x), () => good('approve'), () => put(y), () => good('approve')],
      [() => put(x), () => ({ kind: 'requeue', number: this.requests++, nth: random.below(3), force: random.oneIn(2) }), () => put(y)],
    ])
    for (const [i, step] of steps.entries()) {
      const at = Math.min(i, lives.length - 1)
      const life = lives[at]!
      const action = step()
      // The first ones find nothing running; the last life takes what is left over while it goes on.
      if (i < lives.length) lives[at] = { ...life, before: [...life.before, action] }
      else lives[at] = { ...life, during: [...life.during, { when: { operation: 40 * i + this.reach() }, action }] }
    }
  }

  private life(index: number, settleMs: number): Life {
    const { random } = this
    const before: Action[] = []
    if (index > 0 && random.oneIn(4)) before.push(this.jump())
    if (index > 0 && random.oneIn(8)) before.push({ kind: 'cut', cut: this.cut() })
    for (let i = random.below(3); i > 0; i--) before.push(this.arrival())
    if (index === 0) before.push(this.put())
    const form = random.oneIn(3) ? 'watch' : 'once'
    const during: { when: When; action: Action }[] = []
    const most = form === 'watch' ? 4 : 2
    for (let i = random.below(most + 1); i > 0; i--) during.push({ when: this.when(form), action: this.arrival() })
    for (const path of this.slow.splice(0)) {
      if (random.oneIn(4)) before.push({ kind: 'append', path })
      else during.push({ when: this.when(form), action: { kind: 'append', path } })
    }
    if (random.oneIn(5)) during.push({ when: this.when(form), action: this.jump() })
    if (random.oneIn(10)) during.push({ when: { operation: 1 + random.below(150) }, action: { kind: 'stop' } })
    const faults: Fault[] = []
    if (!random.oneIn(4)) faults.push({ kind: random.pick(random.oneIn(3) ? TROUBLES : CRASHES), at: this.reach() })
    if (random.oneIn(6)) faults.push({ kind: random.pick(TROUBLES), at: this.reach() })
    return {
      before,
      form,
      during,
      faults,
      cut: this.cut(),
      slow: random.oneIn(3) ? { share: random.pick([0.02, 0.1, 0.4]), mostMs: random.pick([50, 2000]), seed: random.below(1e9) } : null,
      stopMs: settleMs * 2 + 1000 + random.below(4000),
    }
  }

  private when(form: Life['form']): When {
    const { random } = this
    return form === 'watch' && random.oneIn(2) ? { ms: random.below(4000) } : { operation: this.reach() * 2 }
  }

  private reach(): number {
    return 1 + this.random.below(this.random.pick(REACH))
  }

  private cut(): PowerCut {
    return { mode: this.random.pick(CUT_MODES), seed: this.random.below(1e9) }
  }

  private jump(): Action {
    const { random } = this
    const hours = random.between(1, 5) * (random.oneIn(2) ? 1 : -1)
    return { kind: 'jump', ms: hours * HOUR_MS + random.below(HOUR_MS) }
  }

  private arrival(): Action {
    const { random } = this
    if (this.unique > 1 && random.oneIn(12)) {
      return { kind: 'requeue', number: this.requests++, nth: random.below(6), force: random.oneIn(2) }
    }
    return random.below(5) < 2 ? this.decision() : this.put()
  }

  private put(): Action {
    const { random } = this
    const source = random.pick(['one', 'one', 'one', 'one', 'split', 'split', 'skip', 'strict', 'rival'] as const)
    if (source === 'strict') {
      const content = this.content(source, 'strict')
      return { kind: 'put', path: `strict/s${this.unique}.csv`, content, how: 'renamed', sidecars: random.oneIn(5) ? 'wrong' : 'right' }
    }
    const stem = random.pick(STEMS)
    const path =
      source === 'split'
        ? `split/${stem}.csv`
        : source === 'one'
          ? random.pick([`one/${stem}.csv`, `one/${stem}.csv`, `one/later/${stem}.csv`])
          : `${source}/${stem}.csv`
    const content = this.content(source, source === 'split' ? 'split' : source === 'skip' ? 'skip' : stem)
    if (random.oneIn(8) && source !== 'rival') {
      const own = `${source}/n${this.unique}/${stem}.csv`
      const slow = source === 'one' && content.header === 'whole' ? own : null
      if (slow !== null && content.rows.length > 1) {
        this.slow.push(slow)
        return { kind: 'put', path: slow, content, how: 'slowly', sidecars: 'none' }
      }
    }
    return { kind: 'put', path, content, how: random.oneIn(3) ? 'rewritten' : 'renamed', sidecars: 'none' }
  }

  /** New, the same again (its bytes, or its cells in other bytes), or older: by what was sent to that record before. */
  private content(source: string, record: string): Content {
    const { random } = this
    const before = this.sent.get(record) ?? []
    this.sent.set(record, before)
    const number = this.unique++
    if (before.length > 0 && random.oneIn(3)) {
      const old = random.oneIn(2) ? before.at(-1)! : random.pick(before)
      return random.oneIn(3) ? { ...old, form: random.pick(['plain', 'quoted', 'crlf'] as const) } : old
    }
    const rows: Row[] = []
    const count = 1 + random.below(4)
    const faulty = random.oneIn(5) ? random.below(count) : -1
    for (let i = 0; i < count; i++) {
      const fault = i === faulty ? (random.oneIn(4) ? 'ragged' : 'wrong') : 'none'
      // A note that tells contents apart, and one that does not, so that records of a split drop stay the same now and then.
      rows.push({ id: i + 1, hole: random.pick(HOLES), note: random.oneIn(3) ? 'same' : `n${number}`, fault })
    }
    const header = random.oneIn(25) ? 'without id' : 'whole'
    const content: Content = { rows, form: 'plain', header }
    if (source !== 'strict') before.push(content)
    return content
  }

  private decision(): DecideAction {
    const { random } = this
    const number = this.decisions++
    const replays =
      number > 0 && random.oneIn(5)
        ? { number: random.below(number), payload: random.oneIn(3) ? ('other' as const) : ('same' as const) }
        : null
    return {
      kind: 'decide',
      number,
      recordId: random.pick(['a', 'a', 'a', 'a', 'b', 'skip/a', 'soil/h1', 'soil/h2']),
      verb: random.oneIn(3) ? 'reject' : 'approve',
      version: random.pick(['current', 'current', 'current', 'current', 'current', 'before', 'next']),
      hash: random.oneIn(10) ? 'wrong' : 'right',
      key: random.pick(['ann', 'ann', 'ann', 'ann', 'ann', 'lab', 'ending', 'coming', 'unknown']),
      isForged: random.oneIn(10),
      replays,
    }
  }
}

export function scheduleOf(seed: number): Schedule {
  return new Maker(seed).make()
}

/** For a person: one line for each thing that happens. */
export function scheduleText(schedule: Schedule): string {
  const lines = [`settles after ${schedule.settleMs} ms`]
  for (const [i, life] of schedule.lives.entries()) {
    for (const action of life.before) lines.push(`  before life ${i + 1}: ${actionText(action)}`)
    const slow = life.slow === null ? '' : `, ${life.slow.share * 100} % of operations take up to ${life.slow.mostMs} ms`
    const end = life.form === 'once' ? 'run --once' : `run, SIGTERM after ${life.stopMs} ms`
    lines.push(`life ${i + 1}: ${end}${slow}`)
    for (const { kind, at } of life.faults)
      lines.push(`  ${kind} at its ${at}. operation${kind === 'power' || kind === 'abort' ? `, cut ${JSON.stringify(life.cut)}` : ''}`)
    for (const { when, action } of life.during) {
      lines.push(`  ${'ms' in when ? `after ${when.ms} ms` : `before operation ${when.operation}`}: ${actionText(action)}`)
    }
  }
  return lines.join('\n')
}

function actionText(action: Action): string {
  switch (action.kind) {
    case 'put': {
      const rows = action.content.rows.map((r) => `${r.fault === 'none' ? r.id : r.fault}/${r.hole}/${r.note}`).join(' ')
      const beside = action.sidecars === 'none' ? '' : `, ${action.sidecars} sidecars`
      return `${action.how} ${action.path}: ${action.content.form}${action.content.header === 'whole' ? '' : ', no id'}, ${rows}${beside}`
    }
    case 'decide': {
      const { number, verb, recordId, version, hash, key, isForged, replays } = action
      const again = replays === null ? '' : `, d${replays.number} again with ${replays.payload} payload`
      return `d${number}: ${verb} ${recordId}, version ${version}, ${hash} hash, key ${key}${isForged ? ', forged' : ''}${again}`
    }
    case 'append':
      return `the rest of ${action.path}`
    case 'jump':
      return `the clock jumps by ${(action.ms / HOUR_MS).toFixed(1)} h`
    case 'stop':
      return 'SIGTERM'
    case 'cut':
      return `power cut ${JSON.stringify(action.cut)}`
    case 'requeue':
      return `requeue ${action.nth}. receipt${action.force ? ' --force' : ''}`
  }
}

/** The same schedule with one thing less each, the largest first: for finding a smaller one that fails as well. */
export function* smallerSchedules(schedule: Schedule): Generator<Schedule, void, undefined> {
  const { lives } = schedule
  const withLife = (i: number, life: Life): Schedule => ({ ...schedule, lives: lives.map((l, j) => (j === i ? life : l)) })
  for (let i = 0; i < lives.length; i++) if (lives.length > 1) yield { ...schedule, lives: lives.filter((_, j) => j !== i) }
  for (const [i, life] of lives.entries()) {
    for (let k = 0; k < life.before.length; k++) yield withLife(i, { ...life, before: life.before.filter((_, j) => j !== k) })
    for (let k = 0; k < life.during.length; k++) yield withLife(i, { ...life, during: life.during.filter((_, j) => j !== k) })
    for (let k = 0; k < life.faults.length; k++) yield withLife(i, { ...life, faults: life.faults.filter((_, j) => j !== k) })
    if (life.slow !== null) yield withLife(i, { ...life, slow: null })
    if (life.form === 'watch') yield withLife(i, { ...life, form: 'once' })
  }
  if (schedule.settleMs > 0) yield { ...schedule, settleMs: 0 }
}

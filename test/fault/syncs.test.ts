import { expect, it } from 'vitest'
import type { CutMode } from './disk.js'
import type { FaultKind } from './disk-files.js'
import { SCENARIOS } from './scenarios.js'
import { sitesOf, trialWithout } from './sync-sites.js'
import { type Ready, readyFor } from './trial.js'
import { TWO_FAULTS } from './two-faults.js'

/**
 * No fsync is without use: each one is switched off, everywhere it is made from one place for one kind of path, and a scenario must find it.
 * One that nobody misses is either not needed (then it stands here, with the reason) or its scenario is too kind.
 */
const NOT_MISSED: ReadonlyMap<string, string> = new Map([
  [
    'file /state/claims/DROP/source.csv.done by copyOpenFile',
    'a .done file of no bytes has nothing to lose; one code copies every sidecar',
  ],
  [
    'folder  by Daemon.run',
    'a new store syncs the same folder right after; this is for folders that are made beside a store that is there',
  ],
  [
    'folder  by group commit',
    'the start has made the names of archive/, quarantine/ and receipts/ durable; this is for those moved away meanwhile',
  ],
])

/** Where what the plain runs do not find is looked for: fault, what the power cut leaves, every how many operations. */
const SEARCH: readonly { readonly kind: FaultKind; readonly mode: CutMode }[] = [
  { kind: 'power', mode: 'names' },
  { kind: 'power', mode: 'nothing' },
  { kind: 'kill', mode: 'nothing' },
  { kind: 'power', mode: 'random' },
]

/** Trials with two faults for one fsync. */
const TRIALS_OF_TWO = 30

interface Pair {
  readonly ready: Ready
  readonly faults: (typeof TWO_FAULTS)[number]['faults']
  /** The fsyncs that it comes by. */
  readonly sites: ReadonlySet<string>
}

async function whoMisses(site: string, users: readonly Ready[], pairs: readonly Pair[]): Promise<string | null> {
  for (const ready of users) {
    const trial = await trialWithout(ready, site, { faults: [], cuts: [{ mode: 'nothing', seed: 1 }] })
    if (trial.problems.length > 0) return `${ready.scenario.name}: ${trial.problems[0]}`
  }
  // What only matters where a recovery was cut short as well.
  for (let tried = 0; tried < TRIALS_OF_TWO && pairs.length > 0; tried++) {
    const { ready, faults } = pairs[tried % pairs.length]!
    const seed = 1 + Math.floor(tried / pairs.length)
    const trial = await trialWithout(ready, site, { faults, cuts: [{ mode: 'random', seed }] })
    if (trial.problems.length > 0) return `${ready.scenario.name}, two faults, random ${seed}: ${trial.problems[0]}`
  }
  for (const [i, ready] of users.entries()) {
    // Most are found by two scenarios; what a start takes over from a death before it may need one that begins with nothing.
    for (const { kind, mode } of SEARCH.filter((search) => i < 2 || search.kind === 'kill')) {
      for (let k = 1; ; k++) {
        const trial = await trialWithout(ready, site, { faults: [[{ kind, at: k }]], cuts: [{ mode, seed: k }] })
        if (trial.problems.length > 0) return `${ready.scenario.name}, ${kind} ${k}, ${mode}: ${trial.problems[0]}`
        if (trial.struck.length === 0) break
      }
    }
  }
  return null
}

it('every fsync of the protocol is missed when it is not made', { timeout: 900_000 }, async () => {
  const users = new Map<string, Ready[]>()
  const all: Ready[] = []
  for (const scenario of [...SCENARIOS].sort((a, b) => a.name.length - b.name.length)) {
    const ready = await readyFor(scenario)
    all.push(ready)
    // Deaths in the middle bring the fsyncs of recovery along.
    const found = new Set<string>()
    for (const faults of [
      [],
      [[{ kind: 'kill' as const, at: 30 }]],
      [[{ kind: 'kill' as const, at: 45 }]],
      [[{ kind: 'power' as const, at: 50 }]],
    ]) {
      for (const site of await sitesOf(ready, { faults, cuts: [{ mode: 'random', seed: 3 }] })) found.add(site)
    }
    for (const site of found) users.set(site, [...(users.get(site) ?? []), ready])
  }
  expect(users.size).toBeGreaterThan(35)
  const pairs: Pair[] = []
  for (const { scenario, faults } of TWO_FAULTS) {
    const ready = all.find((one) => one.scenario.name === scenario)!
    pairs.push({ ready, faults, sites: await sitesOf(ready, { faults, cuts: [{ mode: 'random', seed: 1 }] }) })
  }
  const notMissed: string[] = []
  const told: string[] = []
  for (const [site, readies] of users) {
    if (NOT_MISSED.has(site)) continue
    const missed = await whoMisses(
      site,
      readies,
      pairs.filter(({ sites }) => sites.has(site)),
    )
    told.push(`${site}: ${missed ?? 'NOT MISSED'}`)
    if (missed === null) notMissed.push(site)
  }
  if (process.env.FAULTS_TELL !== undefined) process.stderr.write(`${told.join('\n')}\n`)
  expect(notMissed).toEqual([])
})

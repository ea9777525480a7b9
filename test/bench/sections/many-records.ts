import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { fillStore } from '../fill-store.js'
import { flushDisk } from '../flush-disk.js'
import { writeShape } from '../generate.js'
import { ratiosOf, run as runProcess, spreadOf } from '../measure.js'
import { count, ratio, type SectionResult, seconds } from '../report.js'
import { mixed } from '../shapes/mixed.js'
import { type BenchWorkspace, committedIn, logOf, makeWorkspace, once } from '../workspace.js'
import { placeSmallDrops } from './small-drops.js'

interface Sample {
  readonly readySeconds: number
  readonly processSeconds: number
  readonly peakMb: number
  readonly commitMs: number
}

async function run(context: BenchContext): Promise<SectionResult> {
  const records = scaled(context, 100_000, 100)
  const drops = scaled(context, 500, 20)
  const full = await fullWorkspace(context, records)
  const samples = { empty: [] as Sample[], full: [] as Sample[] }
  for (let round = 0; round < context.runs; round++) {
    const root = join(context.folder, `few-records-${round}`)
    samples.empty.push(await sample(await makeWorkspace(root), drops, round))
    await rm(root, { recursive: true })
    await flushDisk()
    samples.full.push(await sample(full, drops, round))
    context.say(
      `round ${round + 1} of ${context.runs}: ready after ${samples.full.at(-1)!.readySeconds.toFixed(2)} s, ${samples.full.at(-1)!.commitMs.toFixed(2)} ms a commit`,
    )
  }
  await rm(full.root, { recursive: true })
  const of = (which: keyof typeof samples, pick: (sample: Sample) => number): number[] => samples[which].map(pick)
  const line = (which: keyof typeof samples, name: string): string[] => [
    name,
    seconds(spreadOf(of(which, (s) => s.readySeconds))),
    seconds(spreadOf(of(which, (s) => s.processSeconds))),
    seconds(spreadOf(of(which, (s) => s.commitMs))),
    ratio(
      ratiosOf(
        of(which, (s) => s.commitMs),
        of('empty', (s) => s.commitMs),
      ),
    ),
    spreadOf(of(which, (s) => s.peakMb)).most.toFixed(0),
  ]
  return {
    tables: [
      {
        title: `A store of ${count(records)} records, and an empty one; ${count(drops)} small drops on each`,
        head: ['', 'start to ready, seconds', 'run --once with nothing to do, seconds', 'ms a commit', '× an empty store', 'peak MB'],
        rows: [line('empty', 'empty'), line('full', `${count(records)} records`)],
        notes: ['A commit is first claim to last receipt of all drops, divided by their number.'],
      },
    ],
    measured: { records, drops, ...samples },
  }
}

async function fullWorkspace(context: BenchContext, records: number): Promise<BenchWorkspace> {
  const workspace = await makeWorkspace(join(context.folder, 'many-records'))
  await mkdir(join(workspace.inbox, 'lab'))
  await writeShape(join(workspace.inbox, 'lab', 'model.csv'), mixed, 10)
  committedIn((await runProcess(once(workspace))).stderr, 1)
  const began = performance.now()
  fillStore(workspace.store, 'model', (n) => `log-${String(n).padStart(6, '0')}`, records)
  await flushDisk()
  context.say(`made ${count(records)} records in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  return workspace
}

async function sample(workspace: BenchWorkspace, drops: number, round: number): Promise<Sample> {
  const spawnedMs = Date.now()
  const idle = await runProcess(once(workspace))
  const started = logOf(idle.stderr).find((line) => line.event === 'daemon.started')!
  await placeSmallDrops(workspace, drops, round)
  const busy = await runProcess(once(workspace))
  const { claimedMs, receiptMs } = committedIn(busy.stderr, drops)
  return {
    readySeconds: (Date.parse(started.time) - spawnedMs) / 1000,
    processSeconds: idle.seconds,
    peakMb: busy.peakMb,
    commitMs: (receiptMs - claimedMs) / drops,
  }
}

export const manyRecordsSection: Section = {
  name: 'many-records',
  about: 'commits and start-up with a hundred thousand records in the store',
  run,
}

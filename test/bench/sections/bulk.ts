import { link, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { converting } from '../contest.js'
import { flushDisk } from '../flush-disk.js'
import { run as runProcess, spreadOf, type Usage } from '../measure.js'
import { count, megabytes, ratio, type SectionResult, seconds, type Table } from '../report.js'
import { splitMixed } from '../shapes/mixed.js'
import { syncFloorSeconds } from '../sync-floor.js'
import { committedIn, makeWorkspace, once } from '../workspace.js'
import { SMALL_ROWS } from './mixed.js'

/** Commits of one drop that are under way at once. */
const COMMITS_IN_FLIGHT = 64

interface Round {
  readonly convert: Usage
  readonly process: Usage
  readonly claimToReceiptSeconds: number
  readonly syncs: number
  readonly floorSeconds: number
}

async function run(context: BenchContext): Promise<SectionResult> {
  const rows = scaled(context, SMALL_ROWS)
  const records = scaled(context, 1667, 10)
  const tables: Table[] = []
  const measured: { order: string; rows: number; records: number; rounds: Round[] }[] = []
  for (const order of ['sorted', 'shuffled'] as const) {
    const shape = splitMixed(records, order)
    const input = await context.inputs.get(shape, rows, `-${order}`)
    const whole = await converting(context, shape, input, { threads: context.cores })
    const rounds: Round[] = []
    for (let round = 0; round < context.runs; round++) {
      const output = join(context.folder, 'whole.parquet')
      const convert = await runProcess(whole.command(output))
      await rm(output)
      const root = join(context.folder, `bulk-${order}-${round}`)
      const workspace = await makeWorkspace(root)
      await mkdir(join(workspace.inbox, 'bulk'))
      // The claim copies it; a second name is as good as a second file.
      await link(input.path, join(workspace.inbox, 'bulk', 'load.csv'))
      await flushDisk()
      const done = await runProcess({ ...once(workspace), countSyncs: true })
      const { claimedMs, receiptMs } = committedIn(done.stderr, 1)
      await flushDisk()
      const floorSeconds = await syncFloorSeconds({
        folder: root,
        units: records,
        syncsPerUnit: Math.round(done.syncs / records),
        unitsInFlight: COMMITS_IN_FLIGHT,
      })
      // Left for the end of the run: a file system that has just lost thousands of files looks at each of them before it gives out their numbers
      // anew (ext4, recently_deleted), and the next round would pay for that.
      await flushDisk()
      rounds.push({
        convert: usage(convert),
        process: usage(done),
        claimToReceiptSeconds: (receiptMs - claimedMs) / 1000,
        syncs: done.syncs,
        floorSeconds,
      })
      context.say(
        `${order}, round ${round + 1} of ${context.runs}: one file ${convert.seconds.toFixed(2)} s, ${records} records ${done.seconds.toFixed(2)} s, of which fsyncs ${floorSeconds.toFixed(2)} s`,
      )
    }
    await context.inputs.forget(input)
    measured.push({ order, rows, records, rounds })
    const of = (pick: (round: Round) => number) => spreadOf(rounds.map(pick))
    tables.push({
      title: `One file of ${count(rows)} rows (${megabytes(input.bytes)} MB) split into ${count(records)} records, ${order} by record, all of them committed`,
      head: ['', 'seconds', '× converting it as one file', 'the same, fsyncs excluded', 'CPU s', 'peak MB'],
      rows: [
        [
          'convert, one file',
          seconds(of((r) => r.convert.seconds)),
          '1.00',
          '1.00',
          seconds(of((r) => r.convert.cpuSeconds)),
          of((r) => r.convert.peakMb).most.toFixed(0),
        ],
        [
          'run --once, whole process',
          seconds(of((r) => r.process.seconds)),
          ratio(of((r) => r.process.seconds / r.convert.seconds)),
          ratio(of((r) => (r.process.seconds - r.floorSeconds) / r.convert.seconds)),
          seconds(of((r) => r.process.cpuSeconds)),
          of((r) => r.process.peakMb).most.toFixed(0),
        ],
        [
          'run --once, claim to receipt',
          seconds(of((r) => r.claimToReceiptSeconds)),
          ratio(of((r) => r.claimToReceiptSeconds / r.convert.seconds)),
          ratio(of((r) => (r.claimToReceiptSeconds - r.floorSeconds) / r.convert.seconds)),
          '',
          '',
        ],
      ],
      notes: [
        `Fsyncs alone: ${seconds(of((r) => r.floorSeconds))} s for ${(of((r) => r.syncs).median / records).toFixed(1)} a record, ${COMMITS_IN_FLIGHT} records in flight.`,
      ],
    })
  }
  return { tables, measured }
}

function usage({ seconds: time, cpuSeconds, peakMb }: Usage): Usage {
  return { seconds: time, cpuSeconds, peakMb }
}

export const bulkSection: Section = { name: 'bulk', about: 'one file of many records, against converting it as one', run }

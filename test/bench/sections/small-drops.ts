import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { intakeConfig } from '../../../src/documents/config.js'
import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { flushDisk } from '../flush-disk.js'
import { writeShape } from '../generate.js'
import { run as runProcess, spreadOf } from '../measure.js'
import { count, ratio, type SectionResult, seconds } from '../report.js'
import { mixed } from '../shapes/mixed.js'
import { NODE_THREADS, syncFloorSeconds } from '../sync-floor.js'
import { type BenchWorkspace, committedIn, makeWorkspace, once } from '../workspace.js'

const SYNCS_PER_DROP = 12
const ROWS = 25

export async function placeSmallDrops(workspace: BenchWorkspace, drops: number, round: number): Promise<void> {
  const folder = join(workspace.inbox, 'lab', `round-${round}`)
  await mkdir(folder, { recursive: true })
  for (let i = 0; i < drops; i++) {
    await writeShape(join(folder, `log-${String(i).padStart(5, '0')}.csv`), mixed, ROWS, round * 1_000_003 + i)
  }
  await flushDisk()
}

async function run(context: BenchContext): Promise<SectionResult> {
  const drops = scaled(context, 2000, 10)
  const inFlight = intakeConfig.parse({}).limits.dropsInFlight
  const ours: number[] = []
  const floors: number[] = []
  const floorsOfNode: number[] = []
  const others: { seconds: number; cpuSeconds: number; peakMb: number; syncs: number }[] = []
  for (let round = 0; round < context.runs; round++) {
    const root = join(context.folder, `small-drops-${round}`)
    const workspace = await makeWorkspace(root)
    await placeSmallDrops(workspace, drops, round)
    const done = await runProcess({ ...once(workspace), countSyncs: true })
    const { claimedMs, receiptMs } = committedIn(done.stderr, drops)
    ours.push((receiptMs - claimedMs) / 1000)
    others.push({ seconds: done.seconds, cpuSeconds: done.cpuSeconds, peakMb: done.peakMb, syncs: done.syncs })
    await flushDisk()
    const load = { folder: root, units: drops, syncsPerUnit: SYNCS_PER_DROP, unitsInFlight: inFlight }
    floors.push(await syncFloorSeconds(load))
    floorsOfNode.push(await syncFloorSeconds({ ...load, threads: NODE_THREADS }))
    // Left for the end of the run: a file system that has just lost thousands of files looks at each of them before it gives out their numbers
    // anew (ext4, recently_deleted), and the next round would pay for that.
    await flushDisk()
    context.say(`round ${round + 1} of ${context.runs}: ${ours.at(-1)!.toFixed(2)} s, fsyncs alone ${floors.at(-1)!.toFixed(2)} s`)
  }
  const share = (floor: readonly number[]) => spreadOf(floor.map((f, i) => f / ours[i]!))
  const rate = (times: readonly number[]): string => count(drops / spreadOf(times).median)
  return {
    tables: [
      {
        title: `${count(drops)} small drops of ${ROWS} rows, each a new record, run --once, first claim to last receipt`,
        head: ['', 'seconds', 'drops/s', 'our rate ÷ this rate'],
        rows: [
          ['run --once', seconds(spreadOf(ours)), rate(ours), '1.00'],
          [`${SYNCS_PER_DROP} fsyncs a drop, ${inFlight} drops in flight`, seconds(spreadOf(floors)), rate(floors), ratio(share(floors))],
          [
            `the same on the ${NODE_THREADS} threads that Node has for them`,
            seconds(spreadOf(floorsOfNode)),
            rate(floorsOfNode),
            ratio(share(floorsOfNode)),
          ],
        ],
        notes: [
          `The whole process: ${seconds(spreadOf(others.map((o) => o.seconds)))} s, ${seconds(spreadOf(others.map((o) => o.cpuSeconds)))} CPU s, ${spreadOf(others.map((o) => o.peakMb)).most.toFixed(0)} MB at most, ${(spreadOf(others.map((o) => o.syncs)).median / drops).toFixed(1)} fsyncs a drop.`,
        ],
      },
    ],
    measured: {
      drops,
      inFlight,
      claimToReceiptSeconds: ours,
      floorSeconds: floors,
      floorOfFourThreadsSeconds: floorsOfNode,
      processes: others,
    },
  }
}

export const smallDropsSection: Section = { name: 'small-drops', about: 'two thousand small drops, against what fsync alone allows', run }

import { spawn } from 'node:child_process'
import { once as event } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { flushDisk } from '../flush-disk.js'
import { child, run as runProcess, spreadOf } from '../measure.js'
import { count, type SectionResult, seconds } from '../report.js'
import { logOf, once, workspaceAt } from '../workspace.js'

interface Sample {
  /** From the start of the process until it takes new drops: every claim and every commit is settled, or known and in its place in line. */
  readonly readySeconds: number
  /** Until the last leftover has its receipt, conversions made again included. */
  readonly doneSeconds: number
  readonly cpuSeconds: number
  readonly peakMb: number
  readonly syncs: number
  readonly claims: number
  readonly commits: number
}

async function run(context: BenchContext): Promise<SectionResult> {
  const records = scaled(context, 10_000, 20)
  const leftovers = scaled(context, 1000, 20)
  const samples: Sample[] = []
  for (let round = 0; round < context.runs; round++) {
    const root = join(context.folder, `recovery-${round}`)
    await leave(root, records, leftovers)
    await flushDisk()
    samples.push(await sample(root))
    await rm(root, { recursive: true })
    await flushDisk()
    context.say(`round ${round + 1} of ${context.runs}: ready after ${samples.at(-1)!.readySeconds.toFixed(2)} s`)
  }
  const of = (pick: (sample: Sample) => number) => spreadOf(samples.map(pick))
  return {
    tables: [
      {
        title: `Start after a kill: ${count(records)} records, ${count(leftovers)} drops and decisions each cut off at another step`,
        head: ['', 'start to ready, seconds', 'to the last receipt', 'CPU', 'fsyncs', 'claims', 'commits found', 'peak MB'],
        rows: [
          [
            'run --once',
            seconds(of((s) => s.readySeconds)),
            seconds(of((s) => s.doneSeconds)),
            seconds(of((s) => s.cpuSeconds)),
            of((s) => s.syncs).median.toFixed(0),
            of((s) => s.claims).median.toFixed(0),
            of((s) => s.commits).median.toFixed(0),
            of((s) => s.peakMb).most.toFixed(0),
          ],
        ],
        notes: [
          'Ready: every commit that was begun is finished or undone, every claim is taken up again, and new drops are taken. What was not yet committed is converted again after that.',
        ],
      },
    ],
    measured: { records, leftovers, samples },
  }
}

/** Ends with SIGKILL, by itself. */
async function leave(root: string, records: number, leftovers: number): Promise<void> {
  const process_ = spawn(process.execPath, [child('leave-leftovers'), root, String(records), String(leftovers)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [status, signal] = (await event(process_, 'close')) as [number | null, string | null]
  if (signal !== 'SIGKILL') throw new Error(`leave-leftovers ended with ${status ?? signal}`)
}

async function sample(root: string): Promise<Sample> {
  const spawnedMs = Date.now()
  // A drop may be unchanged or applied before; none of them may fail.
  const finished = await runProcess({ ...once(workspaceAt(root)), countSyncs: true })
  const log = logOf(finished.stderr)
  const secondsTo = (time: string): number => (Date.parse(time) - spawnedMs) / 1000
  const bad = log.find((line) => ['drop.quarantined', 'decision.refused', 'claim.stranded', 'store.orphan_found'].includes(line.event))
  if (bad !== undefined) throw new Error(`after the recovery: ${JSON.stringify(bad)}`)
  return {
    readySeconds: secondsTo(log.find((line) => line.event === 'daemon.started')!.time),
    doneSeconds: secondsTo(log.findLast((line) => /^(?:drop|decision)\.(?:committed|unchanged|duplicate|applied)$/.test(line.event))!.time),
    cpuSeconds: finished.cpuSeconds,
    peakMb: finished.peakMb,
    syncs: finished.syncs,
    claims: log.filter((line) => /^(?:drop|decision)\.claimed$/.test(line.event)).length,
    commits: log.filter((line) => line.event === 'store.recovered').length,
  }
}

export const recoverySection: Section = {
  name: 'recovery',
  about: 'start-up with a thousand drops and decisions that were cut off at any step, in a store of ten thousand records',
  run,
}

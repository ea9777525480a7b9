import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type BenchContext, type Section, scaled } from '../bench-context.js'
import { threadsText } from '../contest.js'
import { flushDisk } from '../flush-disk.js'
import { writeShape } from '../generate.js'
import { child, type Finished, ratiosOf, spreadOf, start } from '../measure.js'
import { count, megabytes, ratio, type SectionResult, seconds } from '../report.js'
import { mixed } from '../shapes/mixed.js'
import { Daemon, makeWorkspace } from '../workspace.js'
import { SMALL_ROWS } from './mixed.js'

async function run(context: BenchContext): Promise<SectionResult> {
  const rows = scaled(context, SMALL_ROWS)
  const input = await context.inputs.get(mixed, rows)
  const workspace = await makeWorkspace(join(context.folder, 'warm'))
  await mkdir(join(workspace.inbox, 'lab'))
  const daemon = await Daemon.start(workspace)
  const duckdb = start({ command: [child('duckdb-server'), mixed.name, String(context.cores)] })
  const answers = createInterface({ input: duckdb.process.stdout! })[Symbol.asyncIterator]()

  const dropped = async (round: number): Promise<number> => {
    // Other rows each time: what was seen before is no new version.
    const path = `lab/round-${round}.csv`
    const made = join(workspace.root, `round-${round}.csv`)
    await writeShape(made, mixed, rows, round + 1)
    await flushDisk()
    await rename(made, join(workspace.inbox, path))
    const claimed = await daemon.heard((line) => line.event === 'drop.claimed' && line.path === path)
    const staged = await daemon.heard((line) => line.event === 'drop.converted' && line.drop_id === claimed.drop_id)
    await daemon.heard((line) => line.event === 'drop.committed' && line.drop_id === claimed.drop_id)
    return (Date.parse(staged.time) - Date.parse(claimed.time)) / 1000
  }
  const copied = async (): Promise<number> => {
    const output = join(context.folder, 'warm.parquet')
    duckdb.process.stdin!.write(`${JSON.stringify([input.path, output])}\n`)
    const answer = await Promise.race([answers.next(), duckdb.finished.then(() => null)])
    await rm(output)
    return Number(answer!.value)
  }

  const ours: number[] = []
  const theirs: number[] = []
  let ends: readonly [Finished, Finished]
  try {
    await dropped(0)
    await copied()
    for (let round = 1; round <= context.runs; round++) {
      ours.push(await dropped(round))
      theirs.push(await copied())
      context.say(`round ${round} of ${context.runs}: claim to staged ${ours.at(-1)!.toFixed(2)} s, COPY ${theirs.at(-1)!.toFixed(2)} s`)
    }
    duckdb.process.stdin!.end()
    ends = [await daemon.stop(), await duckdb.finished]
  } finally {
    daemon.kill()
    duckdb.process.kill('SIGKILL')
  }
  const [us, them] = ends
  const bytes = (await stat(input.path)).size
  await rm(workspace.root, { recursive: true })
  return {
    tables: [
      {
        title: `${count(rows)} rows of ${mixed.title} (${megabytes(bytes)} MB) in processes that were running already, ${threadsText(context.cores)}`,
        head: ['', 'seconds', '× time', 'peak MB'],
        rows: [
          [
            'dropped on the daemon: claimed to staged, verify full',
            seconds(spreadOf(ours)),
            ratio(ratiosOf(ours, theirs)),
            us.peakMb.toFixed(0),
          ],
          ['DuckDB COPY', seconds(spreadOf(theirs)), '1.00', them.peakMb.toFixed(0)],
        ],
        notes: [
          'Each had done one of the kind before. From the log line of the durable claim to that of the staged file; the peak is of the whole process.',
        ],
      },
    ],
    measured: {
      rows,
      bytes,
      threads: context.cores,
      claimedToStagedSeconds: ours,
      copySeconds: theirs,
      daemon: usage(us),
      duckdb: usage(them),
    },
  }
}

function usage({ cpuSeconds, peakMb }: { cpuSeconds: number; peakMb: number }) {
  return { cpuSeconds, peakMb }
}

export const warmDaemonSection: Section = {
  name: 'warm-daemon',
  about: 'a drop on a running daemon, against DuckDB in a running process',
  run,
}

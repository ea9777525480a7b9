import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { BenchContext, Section } from './bench-context.js'
import { Inputs } from './inputs.js'
import { markdown, type SectionResult } from './report.js'
import { appendRowSection } from './sections/append-row.js'
import { badInputSection } from './sections/bad-input.js'
import { bulkSection } from './sections/bulk.js'
import { manyRecordsSection } from './sections/many-records.js'
import { memorySection } from './sections/memory.js'
import { mixedSection } from './sections/mixed.js'
import { recoverySection } from './sections/recovery.js'
import { shapesSection } from './sections/shapes.js'
import { smallDropsSection } from './sections/small-drops.js'
import { uniqueSection } from './sections/unique.js'
import { warmDaemonSection } from './sections/warm-daemon.js'

/**
 * `npm run bench -- [--only NAME,NAME] [--runs N] [--scale F] [--json FILE]`: one program, one run; Markdown on stdout, JSON beside it,
 * progress on stderr. Whole processes are timed from outside, in alternating runs: only ratios of one run mean anything on a shared machine.
 * Files go to a folder of their own in TMPDIR, which should lie on the disk that matters; at most 6 GB at a time, all of it removed.
 */
const SECTIONS: readonly Section[] = [
  mixedSection,
  appendRowSection,
  uniqueSection,
  shapesSection,
  badInputSection,
  warmDaemonSection,
  smallDropsSection,
  bulkSection,
  manyRecordsSection,
  recoverySection,
  memorySection,
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const runs = Number(values.runs)
const scale = Number(values.scale)
const wanted = values.only?.split(',') ?? SECTIONS.map((section) => section.name)
const unknown = wanted.filter((name) => !SECTIONS.some((section) => section.name === name))
if (values.help || unknown.length > 0 || !(Number.isInteger(runs) && runs >= 1) || !(scale > 0)) {
  const lines = SECTIONS.map((section) => `  ${section.name.padEnd(13)} ${section.about}`)
  process.stderr.write(
    `bench [--only NAME,NAME] [--runs N (5)] [--scale F (1): times as many rows, drops and records] [--json FILE]\n${lines.join('\n')}\n`,
  )
  process.exit(values.help ? 0 : 2)
}

const say = (text: string): void => void process.stderr.write(`${text}\n`)
const folder = await mkdtemp(join(tmpdir(), 'parquet-intake-bench-'))
const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void remove().finally(() => process.exit(130)))

/** The type of Linux' tmpfs: there an fsync costs nothing, and says nothing. */
const TMPFS = 0x01021994
const machine = {
  node: process.versions.node,
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? 'unknown',
  loadBefore: loadavg()[0]!,
  onDisk: (await statfs(folder)).type !== TMPFS,
}
const context: BenchContext = { runs, scale, cores: machine.cores, folder, inputs: new Inputs(folder, say), say }
const results: Record<string, SectionResult> = {}
const began = new Date()
try {
  process.stdout.write(
    `${machine.cores} cores (${machine.processor}), Node ${machine.node}. Medians of ${runs} alternating runs${runs > 1 ? ' (least–most)' : ''}; a ratio is taken within each round, to the line that has 1.00. ` +
      `${machine.onDisk ? '' : 'Files are in memory, not on a disk: what depends on fsync means nothing. '}Load before the run ${machine.loadBefore.toFixed(1)}. ` +
      `Time, CPU and peak memory (MB of 10^6 bytes, the most of all runs) are of whole processes unless it says otherwise.\n\n`,
  )
  for (const section of SECTIONS) {
    if (!wanted.includes(section.name)) continue
    say(`${section.name}: ${section.about}`)
    const result = await section.run(context)
    results[section.name] = result
    for (const table of result.tables) process.stdout.write(`${markdown(table)}\n`)
  }
  if (values.json !== undefined) {
    const document = { ...machine, began_at: began.toISOString(), runs, scale, sections: results }
    await writeFile(values.json, `${JSON.stringify(document, null, 2)}\n`)
  }
} finally {
  await remove()
}

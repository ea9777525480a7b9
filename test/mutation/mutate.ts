/**
 * What do the tests of the commit and decision rules notice? Each rule is changed in one place at a time, and its tests must fail.
 *
 * `npm run mutate [-- NAME…]`: every target, or those whose path contains a name. Mutants that live are listed with their place.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'
import { type Mutant, mutantsOf } from './mutants.js'
import { TARGETS, type Target } from './targets.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const harness = join(root, 'test/mutation/harness.ts')
const JUDGES = 2
/** A mutant may take so much longer than the tests without any change, before it counts as one that never ends. */
const PATIENCE = 4
const PATIENCE_MS = 5_000

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** The tests of a target with one changed source in one file; everything from npm stays outside and is loaded once. */
async function bundle(target: Target, changed: string | null, into: string): Promise<void> {
  const source = join(root, target.source)
  const tests = target.tests.map((t) => join(root, t)).filter(existsSync)
  const entry = [...tests.map((t) => `import ${JSON.stringify(t)}`), `export { runTests } from ${JSON.stringify(harness)}`].join('\n')
  const build = await rolldown({
    input: 'tests-of-a-mutant',
    platform: 'node',
    treeshake: false,
    logLevel: 'silent',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    external: (id) => /^node:/.test(id) || (!/^[./\0]/.test(id) && id !== 'tests-of-a-mutant' && id !== 'vitest'),
    plugins: [
      {
        name: 'mutant',
        resolveId: (id) => (id === 'tests-of-a-mutant' ? '\0entry.js' : id === 'vitest' ? harness : null),
        load: (id) =>
          id === '\0entry.js' ? entry : changed !== null && resolve(id) === source ? { code: changed, moduleType: 'ts' } : null,
        // Tests find their fixtures by where they are, not by where the bundle is.
        transform: (code, id) =>
          code.includes('import.meta.url') ? code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)) : null,
      },
    ],
  })
  try {
    await build.write({ file: into, format: 'esm', codeSplitting: false } as never)
  } finally {
    await build.close()
  }
}

class Judge {
  private child: ChildProcess | null = null

  /** The test that failed; 'time' when it took too long; null: the mutant lives. */
  async judge(file: string, limitMs: number): Promise<string | null> {
    this.child ??= fork(fileURLToPath(new URL('judge.js', import.meta.url)), { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], cwd: root })
    const child = this.child
    return new Promise((done) => {
      const end = (verdict: string | null): void => {
        clearTimeout(timer)
        child.removeAllListeners()
        done(verdict)
      }
      const stop = (verdict: string): void => {
        this.child = null
        child.kill('SIGKILL')
        end(verdict)
      }
      const timer = setTimeout(() => stop('time'), limitMs)
      child.once('message', (message: { failed: string | null }) => end(message.failed))
      child.once('exit', () => stop('the process ended'))
      child.send(file)
    })
  }

  end(): void {
    this.child?.kill('SIGKILL')
  }
}

interface Score {
  readonly source: string
  readonly mutants: number
  readonly lived: readonly Mutant[]
}

async function score(target: Target, folder: string): Promise<Score> {
  const source = await readFile(join(root, target.source), 'utf8')
  const mutants = mutantsOf(source)
  const judges = Array.from({ length: JUDGES }, () => new Judge())
  const lived: Mutant[] = []
  try {
    const plain = join(folder, 'plain.mjs')
    await bundle(target, null, plain)
    const begun = performance.now()
    const failed = await judges[0]!.judge(plain, 300_000)
    if (failed !== null) throw new Error(`The tests of ${target.source} fail without any mutant: ${failed}`)
    const limitMs = (performance.now() - begun) * PATIENCE + PATIENCE_MS
    let next = 0
    await Promise.all(
      judges.map(async (judge) => {
        while (next < mutants.length) {
          const n = next++
          const mutant = mutants[n]!
          const file = join(folder, `${target.source.replaceAll('/', '-')}-${n}.mjs`)
          let verdict: string | null
          try {
            await bundle(target, source.slice(0, mutant.start) + mutant.text + source.slice(mutant.end), file)
            verdict = await judge.judge(file, limitMs)
          } catch {
            verdict = 'it cannot be built'
          }
          await rm(file, { force: true })
          if (process.env.MUTANTS === 'all') say(`  ${n} line ${mutant.line} ${mutant.operator}: ${verdict ?? 'LIVES'}`)
          if (verdict === null) lived.push(mutant)
        }
      }),
    )
  } finally {
    for (const judge of judges) judge.end()
  }
  lived.sort((a, b) => a.start - b.start)
  for (const m of lived) {
    const was = source.slice(m.start, m.end).replace(/\s+/g, ' ')
    say(`  lives: ${target.source}:${m.line} ${m.operator}: ${was.slice(0, 100)} → ${m.text.slice(0, 60) || '(nothing)'}`)
  }
  return { source: target.source, mutants: mutants.length, lived }
}

const wanted = process.argv.slice(2)
const folder = await mkdtemp(join(root, 'node_modules', '.mutants-'))
const scores: Score[] = []
try {
  for (const target of TARGETS) {
    if (wanted.length > 0 && !wanted.some((name) => target.source.includes(name))) continue
    const result = await score(target, folder)
    scores.push(result)
    say(percent(result.source, result.mutants, result.lived.length))
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
say(
  percent(
    'all',
    scores.reduce((n, s) => n + s.mutants, 0),
    scores.reduce((n, s) => n + s.lived.length, 0),
  ),
)

function percent(name: string, mutants: number, lived: number): string {
  return `${name}: ${mutants - lived} of ${mutants} killed, ${((100 * (mutants - lived)) / Math.max(mutants, 1)).toFixed(1)} %`
}

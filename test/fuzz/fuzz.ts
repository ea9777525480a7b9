/**
 * `node dist/test/fuzz/fuzz.js [--documents N] [--seconds N] [--seed S] [--state FILE] [--jobs N] [--only K [--after N]]`
 *
 * Makes CSV documents and converts each in three ways: bytes to columns with the kernels in WebAssembly, the same with those in TypeScript, and
 * csv-parse with RowValidator. All must give the same cells and the same errors, the first two the same bytes.
 *
 * A slice goes on where the last one of the seed ended (the state file) and runs so many documents or seconds. `--only` runs one document, `--after`
 * with those before it, and touches no state. Exit status 1: a document failed; the state stays before it. 130: stopped by a signal.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { failureText } from './failure-text.js'
import { DocumentGenerator } from './generate.js'
import { addTotals, type Failure, noTotals, runSlice, type Totals } from './slice.js'

/** Documents that a job takes at a time. */
const BLOCK = 256
const STATE_EVERY_MS = 5000
const SHOWN_EVERY_MS = 1000

interface State {
  readonly format: 1
  readonly seed: number
  /** The first document that was not compared yet. */
  next: number
  readonly totals: Totals
}

type BlockResult = { readonly totals: Totals; readonly failure: Failure | null }

let stopping = false

if (isMainThread) process.exitCode = await main()
else serve(new DocumentGenerator((workerData as { seed: number }).seed))

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      documents: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      state: { type: 'string', default: 'var/fuzz-state.json' },
      jobs: { type: 'string', default: '1' },
      only: { type: 'string' },
      after: { type: 'string', default: '0' },
    },
  })
  const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : whole('seconds', values.seconds)
  const wanted =
    values.documents === undefined
      ? values.seconds === undefined
        ? 100_000
        : Number.POSITIVE_INFINITY
      : whole('documents', values.documents)
  const kept = readState(values.state)
  const seed = values.seed === undefined ? (kept?.seed ?? 1) : whole('seed', values.seed)
  if (values.only !== undefined) return only(new DocumentGenerator(seed), whole('only', values.only), whole('after', values.after))

  const state: State = kept?.seed === seed ? kept : { format: 1, seed, next: 0, totals: noTotals() }
  const before = state.totals.documents
  const startedMs = performance.now()
  const failure = await slices({
    state,
    path: values.state,
    seed,
    to: state.next + wanted,
    untilMs: startedMs + seconds * 1000,
    jobs: whole('jobs', values.jobs),
  })
  writeState(values.state, state)
  console.log(summary(state, before, (performance.now() - startedMs) / 1000))
  if (failure === null) return stopping ? 130 : 0
  console.log(await failureText(new DocumentGenerator(seed), failure))
  return 1
}

async function only(generator: DocumentGenerator, number: number, after: number): Promise<number> {
  const { totals, failure } = await runSlice(generator, Math.max(0, number - after), number + 1)
  console.log(
    failure === null ? `document ${number} of seed ${generator.seed}: ${JSON.stringify(totals)}` : await failureText(generator, failure),
  )
  return failure === null ? 0 : 1
}

/** Runs blocks in order of their numbers, `jobs` of them side by side. The state moves on over blocks that are done without a gap. */
async function slices(options: {
  state: State
  path: string
  seed: number
  to: number
  untilMs: number
  jobs: number
}): Promise<Failure | null> {
  const { state, path, seed, to, untilMs, jobs } = options
  const done = new Map<number, { end: number; totals: Totals }>()
  const failures: Failure[] = []
  let claimed = state.next
  let writtenMs = performance.now()
  let shownMs = writtenMs
  const before = state.totals.documents
  const startedMs = writtenMs
  const stop = () => {
    stopping = true
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const job = async (): Promise<void> => {
    const runner = jobs === 1 ? inThisThread(seed) : inWorker(seed)
    try {
      while (!stopping && failures.length === 0 && claimed < to && performance.now() < untilMs) {
        const from = claimed
        const end = Math.min(from + BLOCK - (from % BLOCK), to)
        claimed = end
        const result = await runner.run(from, end)
        if (result.failure !== null) failures.push(result.failure)
        done.set(from, { end: result.failure?.number ?? end, totals: result.totals })
        for (let block = done.get(state.next); block !== undefined && block.end > state.next; block = done.get(state.next)) {
          done.delete(state.next)
          addTotals(state.totals, block.totals)
          state.next = block.end
        }
        const now = performance.now()
        if (now - writtenMs > STATE_EVERY_MS) {
          writeState(path, state)
          writtenMs = now
        }
        if (process.stderr.isTTY && now - shownMs > SHOWN_EVERY_MS) {
          const rate = ((state.totals.documents - before) * 1000) / (now - startedMs)
          process.stderr.write(
            `\r\x1b[K${state.totals.documents} documents, ${rate.toFixed(0)} a second, ${state.totals.plainText} plain text`,
          )
          shownMs = now
        }
      }
    } finally {
      await runner.close()
    }
  }
  await Promise.all(Array.from({ length: jobs }, job))
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  return failures.sort((a, b) => a.number - b.number)[0] ?? null
}

interface Runner {
  run(from: number, to: number): Promise<BlockResult>
  close(): Promise<void>
}

function inThisThread(seed: number): Runner {
  const generator = new DocumentGenerator(seed)
  return { run: (from, to) => runSlice(generator, from, to), close: async () => {} }
}

function inWorker(seed: number): Runner {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { seed } })
  let waiting: { resolve(result: BlockResult): void; reject(error: unknown): void } | null = null
  worker.on('message', (result: BlockResult) => waiting?.resolve(result))
  worker.on('error', (error) => waiting?.reject(error))
  // After an error too; then it says nothing new.
  worker.on('exit', (code) => waiting?.reject(new Error(`a job ended with ${code}`)))
  return {
    run: (from, to) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        worker.postMessage([from, to])
      }),
    close: async () => void (await worker.terminate()),
  }
}

function serve(generator: DocumentGenerator): void {
  parentPort!.on('message', ([from, to]: [number, number]) => {
    // A rejection ends the worker, and its starter hears of it.
    void runSlice(generator, from, to).then((result) => parentPort!.postMessage(result))
  })
}

function readState(path: string): State | null {
  if (!existsSync(path)) return null
  const state = JSON.parse(readFileSync(path, 'utf8')) as State
  if (state.format !== 1) throw new Error(`${path} is no state of this program`)
  return { ...state, totals: { ...noTotals(), ...state.totals } }
}

function writeState(path: string, state: State): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.tmp`, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(`${path}.tmp`, path)
}

function summary(state: State, before: number, seconds: number): string {
  const { totals } = state
  const percent = (part: number, all: number) => `${((part * 100) / Math.max(all, 1)).toFixed(1)} %`
  const made = totals.documents - before
  return [
    `seed ${state.seed}: ${made} documents in ${seconds.toFixed(1)} s, ${(made / seconds).toFixed(0)} a second; the next is ${state.next}`,
    `all slices: ${totals.documents} documents, ${totals.rows} rows, ${(totals.bytes / 1e6).toFixed(0)} MB`,
    `  valid ${totals.valid} (${percent(totals.valid, totals.documents)}), with faults ${totals.faulty}, errors compared ${totals.errors}`,
    `  plain text all the way ${totals.plainText} (${percent(totals.plainText, totals.documents)}), of them in small chunks ${totals.cut}`,
    `  decoded and held to the model ${totals.decoded}, column chunks with a dictionary ${totals.dictionaries}, without ${totals.plain}`,
  ].join('\n')
}

function whole(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`--${name} must be a whole number, not ${JSON.stringify(text)}`)
  return Number(text)
}

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What one process cost, from its start to its end. */
export interface Usage {
  readonly seconds: number
  readonly cpuSeconds: number
  /** Most memory it ever held at once, in MB of 10^6 bytes. */
  readonly peakMb: number
}

export interface Finished extends Usage {
  readonly stdout: string
  readonly stderr: string
  /** Fsyncs of all threads; 0 where they were not counted. */
  readonly syncs: number
}

export interface Command {
  /** A compiled module, and its arguments. */
  readonly command: readonly string[]
  readonly webassembly?: boolean
  readonly countSyncs?: boolean
  /** Exit statuses that are no failure; 0 by default. */
  readonly statuses?: readonly number[]
  readonly env?: Readonly<Record<string, string>>
}

/** The program that is measured. */
export const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

export function child(name: string): string {
  return fileURLToPath(new URL(`children/${name}.js`, import.meta.url))
}

export interface Running {
  readonly process: ChildProcess
  /** Rejects when it ends with another status than it may. */
  readonly finished: Promise<Finished>
}

export function start(options: Command): Running {
  const preload = ['report-usage', ...(options.webassembly === false ? ['without-webassembly'] : [])]
  if (options.countSyncs) preload.push('count-syncs')
  const began = performance.now()
  const running = spawn(process.execPath, [...preload.flatMap((name) => ['--import', child(name)]), ...options.command], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  const pipes = running.stdio.slice(1).map((stream) => {
    const chunks: Buffer[] = []
    stream!.on('data', (bytes: Buffer) => chunks.push(bytes))
    return chunks
  })
  const [stdout, stderr, usage, syncs] = pipes as [Buffer[], Buffer[], Buffer[], Buffer[]]
  const finished = new Promise<Finished>((resolve, reject) => {
    running.on('error', reject)
    running.on('close', (code) => {
      const seconds = (performance.now() - began) / 1000
      const text = Buffer.concat(stderr).toString()
      const last = Buffer.concat(usage).toString().trim().split('\n').at(-1)!
      if (code === null || !(options.statuses ?? [0]).includes(code) || last === '')
        reject(new Error(`${options.command.join(' ')} ended with ${code}: ${text.slice(-4000)}`))
      else {
        const { cpuSeconds, peakMb } = JSON.parse(last) as Omit<Usage, 'seconds'>
        const count = syncs.reduce((n, chunk) => n + chunk.length, 0)
        resolve({ seconds, cpuSeconds, peakMb, stdout: Buffer.concat(stdout).toString(), stderr: text, syncs: count })
      }
    })
  })
  // Who waits for it hears of it; a process that is only killed has nobody who waits.
  finished.catch(() => {})
  return { process: running, finished }
}

export function run(options: Command): Promise<Finished> {
  const running = start(options)
  running.process.stdin!.end()
  return running.finished
}

export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Throws where there is no number at all. */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((a, b) => a - b)
  if (sorted.length === 0) throw new Error('nothing was measured')
  const half = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
  return { median, least: sorted[0]!, most: sorted.at(-1)! }
}

/** Round for round a / b: what a machine that is shared does to both is in both. */
export function ratiosOf(a: readonly number[], b: readonly number[]): Spread {
  return spreadOf(a.map((value, round) => value / b[round]!))
}

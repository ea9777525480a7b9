import type { Clock } from '../runtime/clock.js'
import type { Files } from '../runtime/files.js'
import type { SignalState } from '../runtime/shutdown.js'
import type { Workspace } from '../runtime/workspace.js'

/** One of the two standard streams, as a verb sees it. */
export interface Writer {
  /** Queues text. Errors of the stream never surface here: main.ts ends the process, quietly where the reader went away, or keeps `failure`. */
  write(text: string): void
  /** Bytes that were written and that nobody has taken yet. */
  readonly pendingBytes: number
  /** Why some of what was written was lost; null while nothing was, and when the reader merely went away. */
  readonly failure: Error | null
  /** Resolves once what was written has been handed to the operating system: await it now and then in long output. */
  drained(): Promise<void>
  /** From now on `drained` waits a moment only for whoever reads: the end of a daemon does not hang on a reader that has stopped. */
  forgo(): void
  /** True on a terminal: tables may be fitted to `columns`, progress may be shown. */
  readonly isTerminal: boolean
  /** Width of the terminal in cells; null when it is none. */
  readonly columns: number | null
}

/** Everything a verb may touch. Made by main.ts for real, and by test/support for tests. */
export interface CommandContext {
  /** Results, and nothing else. */
  readonly stdout: Writer
  /** Everything for people: progress, notes, warnings. Errors are thrown, main.ts prints them. */
  readonly stderr: Writer
  /** `--json`: exactly one JSON document on stdout (`printJson`), or one a line where the verb says so. */
  readonly json: boolean
  /** `--quiet`: no notes on stderr; log lines and errors stay. */
  readonly quiet: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  readonly cwd: string
  /** `--config`, as given. */
  readonly configPath: string | undefined
  readonly clock: Clock
  readonly files: Files
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** Both stages of stopping, for `run`. */
  readonly signals: SignalState
  readonly pid: number
  readonly randomUuid: () => string
  /** Lower-case hex of `bytes` random bytes. */
  readonly randomHex: (bytes: number) => string
  /** Product version, from package.json. */
  readonly version: string
  /** Folder of the installed package: config/ below it holds the templates. */
  readonly packageRoot: string
  /** Finds, reads and checks the configuration, once. Throws CONFIG_NOT_FOUND, CONFIG_INVALID. */
  workspace(): Promise<Workspace>
}

/** A verb. Returns the exit status; throws IntakeError for what stops it. */
export type Verb<Options> = (context: CommandContext, options: Options) => Promise<number>

export const EXIT = {
  done: 0,
  failure: 1,
  usage: 2,
  /** Done, and some drops were quarantined, superseded or there are findings. */
  findings: 3,
  refused: 4,
  noStore: 10,
  locked: 11,
  notFinished: 75,
  configuration: 78,
} as const

/** One JSON document on stdout: indented for people on a terminal, one line for programs. */
export function printJson(context: CommandContext, value: unknown): void {
  context.stdout.write(`${JSON.stringify(value, jsonReplacer, context.stdout.isTerminal ? 2 : undefined)}\n`)
}

/** One JSON document a line. */
export function printJsonLine(stream: Pick<Writer, 'write'>, value: unknown): void {
  stream.write(`${JSON.stringify(value, jsonReplacer)}\n`)
}

/** int64 beyond 2^53 as text, lest a reader rounds it. */
export function jsonReplacer(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value)
}

/** A line for people on stderr; silent with --quiet. */
export function note(context: CommandContext, text: string): void {
  if (!context.quiet) context.stderr.write(`${text}\n`)
}

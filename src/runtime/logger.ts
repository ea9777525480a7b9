import type { EventName } from './events.js'
import { printable } from './printable.js'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

export type LogValue = string | number | boolean | null | readonly string[]

/** Names that would carry the content of a cell, or a secret: they do not compile. */
interface Forbidden {
  cell?: never
  cells?: never
  value?: never
  values?: never
  row?: never
  text?: never
  secret?: never
  password?: never
  private_key?: never
  jwk?: never
}

/** One fact: its event name, and ids, counts and codes in fields (snake_case, as in receipts). Never cell values or secrets. */
export type LogEvent = { readonly event: EventName } & Forbidden & { readonly [field: string]: LogValue | undefined }

/** Ids that every line of a part carries (`drop_id`, `record_id`, …). */
export type LogBindings = Forbidden & { readonly [field: string]: LogValue | undefined }

export interface Logger {
  trace(fields: LogEvent, sentence: string): void
  debug(fields: LogEvent, sentence: string): void
  info(fields: LogEvent, sentence: string): void
  warn(fields: LogEvent, sentence: string): void
  error(fields: LogEvent, sentence: string): void
  fatal(fields: LogEvent, sentence: string): void
  child(bindings: LogBindings): Logger
}

/** Where lines go. `write` gets one line with its line feed, and must not wait for whoever reads it. */
export interface LogDestination {
  write(line: string): void
}

/**
 * JSON lines (pino): `{"level":"info","time":"2024-01-27T10:00:00.000Z","event":"drop.claimed",…,"msg":"…"}`; on a terminal one readable
 * line a fact. Each is handed to `destination` at once, so that the line of a fact is out before what follows from it, and before a crash.
 */
export async function createLogger(options: {
  level: LogLevel
  /** Readable lines instead of JSON. */
  pretty: boolean
  /** Only with `pretty`; false where NO_COLOR is set. */
  color: boolean
  destination: LogDestination
}): Promise<Logger> {
  const { pino } = await import('pino')
  // pid and hostname say nothing that the journal does not know; the receipt and the lock name the process where it matters.
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  const { destination } = options
  if (!options.pretty) return wrap(pino(settings, destination))
  // The factory behind pino-pretty's stream: a plain function, so that a line is out when the call returns.
  const { default: pretty } = await import('pino-pretty')
  const readable = pretty.prettyFactory({
    colorize: options.color,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'event,pid',
    // The sentence says it; who wants every field wants the JSON, or the debug level.
    hideObject: options.level !== 'debug' && options.level !== 'trace',
    messageFormat: (log, messageKey) => `${String(log.event)}  ${String(log[messageKey] ?? '')}`,
  })
  return wrap(pino(settings, { write: (line: string) => void destination.write(endedLine(readable(line))) }))
}

/** pino-pretty leaves the line feed away when it hides the fields. */
function endedLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

/** For parts that must have a logger and tests that do not look at it. */
export const silentLogger: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  child: () => silentLogger,
}

type PinoMethod = (fields: object, sentence: string) => void
type PinoLike = Record<LogLevel, PinoMethod> & { child(bindings: object): PinoLike; isLevelEnabled(level: LogLevel): boolean }

/** File names come from strangers: every text is made printable before it reaches a terminal or a log viewer. */
function wrap(pino: PinoLike): Logger {
  const at =
    (level: LogLevel) =>
    (fields: LogEvent, sentence: string): void => {
      // Most lines of a quiet log are never written: nothing is made for them.
      if (pino.isLevelEnabled(level)) pino[level](printableFields(fields), printable(sentence))
    }
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (bindings) => wrap(pino.child(printableFields(bindings))),
  }
}

function printableFields(fields: { readonly [field: string]: LogValue | undefined }): object {
  const out: Record<string, unknown> = {}
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    out[name] = typeof value === 'string' ? printable(value) : Array.isArray(value) ? value.map(printable) : value
  }
  return out
}

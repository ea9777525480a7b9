import { runDaemon } from '../daemon.js'
import type { Receipt } from '../documents/receipt.js'
import { IntakeError } from '../errors.js'
import { BoundedOutput } from '../runtime/bounded-output.js'
import { openFilesLimit } from '../runtime/descriptors.js'
import { createLogger, type Logger } from '../runtime/logger.js'
import { printable } from '../runtime/printable.js'
import { type CommandContext, EXIT, note, printJsonLine } from './context.js'
import { summaryOf } from './receipt-text.js'

/**
 * `run [--once]`: the daemon. Results (one line a receipt, or one JSON document a line with --json) on stdout, the log on stderr.
 * --quiet leaves the results out, for a supervisor that collects both streams.
 *
 * The daemon never waits for whoever reads them, and goes on without: lines that nobody takes are left out. With --once all results are
 * handed over, and IO_FAILED is thrown at the end where that was not possible.
 */
export async function run(context: CommandContext, options: { once: boolean }): Promise<number> {
  const workspace = await context.workspace()
  if (!options.once) for (const stream of [context.stdout, context.stderr]) stream.forgo()
  let logger: Logger | null = null
  const lost = (what: 'log' | 'results') => (lines: number) =>
    logger?.warn({ event: 'output.lost', stream: what, lines }, `Nobody took the ${what} for a while; ${lines} lines were left out`)
  const log = new BoundedOutput(context.stderr, lost('log'))
  const results = options.once ? context.stdout : new BoundedOutput(context.stdout, lost('results'))
  logger = await createLogger({
    level: workspace.config.log.level,
    pretty: context.stderr.isTerminal,
    color: context.stderr.isTerminal && !context.env.NO_COLOR,
    destination: log,
  })
  const seen = { mend: false, refused: false }
  const outcome = await runDaemon({
    workspace,
    files: context.files,
    clock: context.clock,
    logger,
    signals: context.signals,
    pid: context.pid,
    version: context.version,
    randomUuid: context.randomUuid,
    randomHex: context.randomHex,
    once: options.once,
    openFiles: await openFilesLimit(context.files),
    // On one screen, the result line says it.
    logReceipts: context.json || context.quiet || !context.stdout.isTerminal || !context.stderr.isTerminal,
    onReceipt: (receipt) => {
      if (receipt.kind === 'decision') seen.refused ||= receipt.outcome === 'refused'
      else seen.mend ||= ['quarantined', 'partial', 'superseded'].includes(receipt.outcome)
      if (context.json) printJsonLine(results, receipt)
      else if (!context.quiet) results.write(receiptLine(receipt))
    },
  })
  if (!options.once) return EXIT.done
  for (const entry of outcome.left) note(context, `left in the inbox: ${entry.path}: ${entry.code}: ${entry.message}`)
  const { failure } = context.stdout
  if (failure !== null)
    throw new IntakeError('IO_FAILED', `What was to be done is done, but the results could not be written: ${failure.message}`, {
      cause: failure,
    })
  const untaken = outcome.left.some(({ code }) => code === 'STILL_GROWING' || code === 'SIDECAR_MISSING' || code === 'UNREADABLE')
  if (outcome.unfinished > 0 || untaken) return EXIT.notFinished
  return seen.mend ? EXIT.findings : seen.refused ? EXIT.refused : EXIT.done
}

/** What became of one drop or decision, and where it is. */
function receiptLine(receipt: Receipt): string {
  const lines = [`${receipt.outcome.padEnd(11)} ${printable(receipt.path)}: ${printable(summaryOf(receipt))}`]
  if (receipt.kind === 'drop') {
    const made = receipt.records.filter((r) => r.outcome === 'created' || r.outcome === 'updated')
    for (const record of made.slice(0, 3)) lines.push(`${' '.repeat(12)}store/${record.key} (${record.rows} rows)`)
    if (made.length > 3) lines.push(`${' '.repeat(12)}… and ${made.length - 3} more`)
    if (receipt.report_at !== null) lines.push(`${' '.repeat(12)}see ${receipt.report_at}/`)
  } else if (receipt.outcome === 'refused' && receipt.hint !== null) lines.push(`${' '.repeat(12)}${receipt.hint}`)
  return `${lines.join('\n')}\n`
}

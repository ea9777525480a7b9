import { join, resolve } from 'node:path'
import { loadKeyring } from '../decisions/keyring.js'
import type { DecisionVerb } from '../documents/decision.js'
import type { DecisionReceipt } from '../documents/receipt.js'
import { isComment } from '../documents/text.js'
import { ERRORS, type ErrorCode, IntakeError, isIntakeError } from '../errors.js'
import { makeDirectories, printablePath } from '../runtime/files.js'
import { printable } from '../runtime/printable.js'
import { isLocked } from '../store/lock.js'
import { type CommandContext, EXIT, note, printJson, type Verb } from './context.js'
import {
  awaitReceipts,
  chooseKey,
  type DecisionTarget,
  examineTargets,
  openRecordReader,
  ReceiptWatch,
  signInto,
  type TargetRefusal,
  versionsOfDrop,
} from './sign-decisions.js'
import { plural, renderTable } from './text-table.js'

export interface DecideOptions {
  readonly ids: readonly string[]
  readonly drop: string | undefined
  readonly key: string | undefined
  /** The version that was looked at; another current one is refused. */
  readonly version: number | undefined
  readonly comment: string
  /** Only sign, into this folder. */
  readonly out: string | undefined
}

/** How long a verb waits for receipts when a daemon runs. */
const RECEIPT_TIMEOUT_MS = 10_000

/** `approve ID… | --drop DROP`. Status 0 all applied (or handed in while no daemon runs), 4 some refused, 75 some without a receipt yet. */
export const approve: Verb<DecideOptions> = (context, options) => decide(context, 'approve', options)

/** `reject ID… | --drop DROP`, otherwise like `approve`. */
export const reject: Verb<DecideOptions> = (context, options) => decide(context, 'reject', options)

interface Line {
  readonly record_id: string
  readonly table: string | null
  readonly version: number | null
  readonly rows: number | null
  readonly parquet_sha256: string | null
  readonly created_by: string | null
  readonly decision: DecisionVerb
  readonly decision_id: string | null
  readonly file: string | null
  /** signed: --out; placed: no daemon runs; waiting: no receipt in time. */
  readonly outcome: 'applied' | 'repeated' | 'refused' | 'signed' | 'placed' | 'waiting'
  readonly drop_id: string | null
  readonly code: string | null
  readonly message: string | null
  readonly hint: string | null
}

async function decide(context: CommandContext, decision: DecisionVerb, options: DecideOptions): Promise<number> {
  checkArguments(options)
  const { files, clock } = context
  const workspace = await context.workspace()
  const { paths, config } = workspace
  const reader = await openRecordReader(files, paths.store)
  const wanted =
    options.drop === undefined
      ? [...new Set(options.ids)].map((recordId) => ({ recordId, version: options.version ?? null }))
      : await versionsOfDrop(files, paths.receipts, options.drop)
  const key = await chooseKey(files, workspace, options.key === undefined ? null : resolve(context.cwd, options.key))
  const { targets, refusals } = await examineTargets({
    reader,
    keyring: await loadKeyring(files, paths.keyring),
    key,
    decision,
    wanted,
    forbidSelfApproval: config.decisions.forbidSelfApproval,
    nowMs: clock.nowMs(),
  })

  const lines: Line[] = refusals.map((r) => refusedHere(r, decision))
  for (const r of refusals) tellRefusal(context, r.recordId, r.code, r.message, r.hint)
  if (targets.length > 0) {
    if (!context.json) context.stdout.write(listing(targets, decision, key.principal, options.comment, context.stdout.columns))
    lines.push(...(await handIn(context, decision, options, { targets, key, storeId: reader.storeId })))
  }
  if (context.json) printJson(context, { decision, decided_by: key.principal, comment: options.comment, decisions: lines })

  if (lines.some((line) => line.outcome === 'refused')) return EXIT.refused
  return lines.some((line) => line.outcome === 'waiting') ? EXIT.notFinished : EXIT.done
}

function checkArguments(options: DecideOptions): void {
  if (options.ids.length > 0 && options.drop !== undefined) throw new IntakeError('USAGE', 'Name records or --drop, not both')
  if (options.ids.length === 0 && options.drop === undefined) throw new IntakeError('USAGE', 'Name at least one record, or --drop DROP')
  if (options.drop !== undefined && options.version !== undefined) {
    throw new IntakeError('USAGE', '--version goes with record ids; with --drop the versions are those that the drop made')
  }
  if (!isComment(options.comment)) throw new IntakeError('COMMENT_INVALID', 'The comment is too long or holds control characters')
}

async function handIn(
  context: CommandContext,
  decision: DecisionVerb,
  options: DecideOptions,
  what: { targets: readonly DecisionTarget[]; key: Awaited<ReturnType<typeof chooseKey>>; storeId: string },
): Promise<Line[]> {
  const { files, clock } = context
  const { paths } = await context.workspace()
  const folder = options.out === undefined ? paths.decisions : resolve(context.cwd, options.out)
  await makeDirectories(files, folder)
  // Asked before the files are placed: a daemon that ends meanwhile costs a wait, one that starts meanwhile takes them anyway.
  const daemon = options.out === undefined && daemonRuns(paths.store)
  const watch = daemon ? await ReceiptWatch.begin(files, paths.receipts, clock.nowMs()) : null
  const signed = await signInto({
    files,
    folder,
    targets: what.targets,
    key: what.key,
    storeId: what.storeId,
    decision,
    comment: options.comment,
    nowMs: clock.nowMs(),
    randomUuid: context.randomUuid,
  })
  const receipts =
    watch === null
      ? new Map<string, DecisionReceipt>()
      : await awaitReceipts({ watch, signed, timeoutMs: RECEIPT_TIMEOUT_MS, clock, signal: context.signal })

  const silent = options.out !== undefined ? 'signed' : daemon ? 'waiting' : 'placed'
  const lines = signed.map((file): Line => {
    const receipt = receipts.get(file.decisionId)
    return {
      ...factsOf(file.target),
      decision,
      decision_id: file.decisionId,
      file: file.path,
      outcome: receipt?.outcome ?? silent,
      drop_id: receipt?.drop_id ?? null,
      code: receipt?.code ?? null,
      message: receipt?.message ?? null,
      hint: receipt?.hint ?? null,
    }
  })
  for (const line of lines) {
    if (line.outcome === 'refused')
      tellRefusal(context, line.record_id, line.code ?? 'DECISION_MALFORMED', line.message ?? '', line.hint ?? '')
    else if (!context.json) context.stdout.write(`${line.record_id} version ${line.version}: ${outcomeText(line, decision)}\n`)
  }
  const count = lines.filter((line) => line.outcome === silent).length
  if (silent === 'placed' && count > 0) note(context, `No daemon runs: the next \`parquet-intake run\` takes ${plural(count, 'decision')}.`)
  if (silent === 'waiting' && count > 0) {
    note(
      context,
      `No receipt came within ${RECEIPT_TIMEOUT_MS / 1000} s for ${plural(count, 'decision')}. What was handed in stays in force: look at \`parquet-intake receipts\` before you sign again.`,
    )
  }
  return lines
}

function daemonRuns(store: string): boolean {
  try {
    return isLocked(join(store, 'lock'))
  } catch (error) {
    // Without `flock` no daemon can hold the lock here.
    if (isIntakeError(error, 'LOCK_UNAVAILABLE')) return false
    throw error
  }
}

function listing(
  targets: readonly DecisionTarget[],
  decision: DecisionVerb,
  principal: string,
  comment: string,
  columns: number | null,
): string {
  const table = renderTable(
    [
      { title: 'record' },
      { title: 'table' },
      { title: 'version', align: 'right' },
      { title: 'rows', align: 'right' },
      { title: 'sha256', minWidth: 12 },
      { title: 'made by' },
    ],
    targets.map((t) => [t.recordId, t.tableName, t.version, t.rows, t.parquetSha256, t.createdBy]),
    columns,
  )
  const said = comment === '' ? 'without a comment' : `with the comment "${printable(comment)}"`
  return `${table}\nSigning to ${decision} ${plural(targets.length, 'version')} as "${printable(principal)}", ${said}\n`
}

function factsOf(target: DecisionTarget): Pick<Line, 'record_id' | 'table' | 'version' | 'rows' | 'parquet_sha256' | 'created_by'> {
  return {
    record_id: target.recordId,
    table: target.tableName,
    version: target.version,
    rows: target.rows,
    parquet_sha256: target.parquetSha256,
    created_by: target.createdBy,
  }
}

function refusedHere(refusal: TargetRefusal, decision: DecisionVerb): Line {
  return {
    record_id: refusal.recordId,
    table: null,
    version: null,
    rows: null,
    parquet_sha256: null,
    created_by: null,
    decision,
    decision_id: null,
    file: null,
    outcome: 'refused',
    drop_id: null,
    code: refusal.code,
    message: refusal.message,
    hint: refusal.hint,
  }
}

function tellRefusal(context: CommandContext, recordId: string, code: ErrorCode | string, message: string, hint: string): void {
  const advice = hint === '' && Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode].hint : hint
  context.stderr.write(`refused ${code}: ${printable(recordId)}: ${printable(message)}\n`)
  if (advice !== '') context.stderr.write(`hint: ${printable(advice)}\n`)
}

function outcomeText(line: Line, decision: DecisionVerb): string {
  const done = decision === 'approve' ? 'approved' : 'rejected'
  switch (line.outcome) {
    case 'applied':
      return done
    case 'repeated':
      return `${done} before by this same decision`
    case 'signed':
      return `signed, ${printablePath(line.file ?? '')}`
    case 'placed':
      return `handed in, ${printablePath(line.file ?? '')}`
    case 'waiting':
      return 'handed in, no receipt yet'
    case 'refused':
      return 'refused'
  }
}

import { isDropId } from '../core/drop-id.js'
import type { Receipt } from '../documents/receipt.js'
import { IntakeError } from '../errors.js'
import { Filing } from '../inbox/filing.js'
import { SharedSync } from '../runtime/shared-sync.js'
import type { CommandContext } from './context.js'
import { EXIT, note, printJson } from './context.js'
import { summaryOf } from './receipt-text.js'
import { bytesText, countText, plural, renderFacts, renderTable } from './text-table.js'

export interface ReceiptsOptions {
  readonly dropId: string | undefined
  readonly since: string | undefined
  readonly limit: number
}

/** What became of drops and decisions, newest first; or one receipt in full. Throws DROP_NOT_FOUND. */
export async function receipts(context: CommandContext, options: ReceiptsOptions): Promise<number> {
  const filing = await filingOf(context)
  if (options.dropId !== undefined) return one(context, filing, options.dropId)
  const sinceMs = options.since === undefined ? undefined : parseSince(options.since, context.clock.nowMs())
  const found: Receipt[] = []
  let more = false
  for await (const receipt of filing.listReceipts(sinceMs === undefined ? {} : { sinceMs })) {
    if (found.length === options.limit) {
      more = true
      break
    }
    found.push(receipt)
  }
  if (context.json) {
    printJson(context, { receipts: found, more })
    return EXIT.done
  }
  context.stdout.write(
    renderTable(
      [
        { title: 'DROP', minWidth: 47 },
        { title: 'OUTCOME' },
        { title: 'CODE' },
        { title: 'PATH', minWidth: 16 },
        { title: 'WHAT', minWidth: 16 },
      ],
      found.map((r) => [r.drop_id, r.outcome, r.code, r.path, summaryOf(r)]),
      context.stdout.columns,
    ),
  )
  note(context, more ? `the newest ${countText(found.length)}; --limit shows more` : plural(found.length, 'receipt'))
  return EXIT.done
}

export async function filingOf(context: CommandContext): Promise<Filing> {
  const { paths } = await context.workspace()
  return new Filing({
    files: context.files,
    sync: new SharedSync(context.files),
    roots: { workspace: paths.root, archive: paths.archive, quarantine: paths.quarantine, receipts: paths.receipts },
  })
}

async function one(context: CommandContext, filing: Filing, dropId: string): Promise<number> {
  const receipt = isDropId(dropId) ? await filing.findReceipt(dropId) : null
  if (receipt === null) {
    throw new IntakeError(
      'DROP_NOT_FOUND',
      isDropId(dropId) ? `There is no receipt of ${dropId}` : `${JSON.stringify(dropId)} is not a drop-id`,
      {
        data: { drop_id: dropId },
      },
    )
  }
  if (context.json) printJson(context, receipt)
  else context.stdout.write(receiptText(receipt, context.stdout.columns))
  return EXIT.done
}

function receiptText(receipt: Receipt, columns: number | null): string {
  const facts: [string, string | number | null][] = [
    ['drop', receipt.drop_id],
    ['path', receipt.path],
    ['outcome', receipt.code === null ? receipt.outcome : `${receipt.outcome} (${receipt.code})`],
  ]
  if (receipt.message !== null) facts.push(['reason', receipt.message])
  if (receipt.hint !== null) facts.push(['hint', receipt.hint])
  facts.push(['received', receipt.received_at], ['finished', receipt.finished_at])
  if (receipt.bytes !== null) facts.push(['size', bytesText(receipt.bytes)])
  facts.push(['stored at', receipt.stored_at])
  if (receipt.kind === 'decision') {
    facts.push(['decision', receipt.decision], ['record', receipt.record_id], ['version', receipt.version], ['by', receipt.decided_by])
    return renderFacts(facts)
  }
  facts.push(['report at', receipt.report_at], ['source', receipt.source], ['table', receipt.table])
  const { rows } = receipt
  if (rows.in !== null) {
    facts.push([
      'rows',
      `${countText(rows.in)} = ${(['committed', 'unchanged', 'withheld', 'invalid', 'blank'] as const).map((k) => `${countText(rows[k] ?? 0)} ${k}`).join(' + ')}`,
    ])
  }
  for (const [code, n] of Object.entries(receipt.errors ?? {})) facts.push(['errors', `${countText(n)} ${code}`])
  if (receipt.absent_columns.length > 0) facts.push(['absent', receipt.absent_columns.join(', ')])
  if (receipt.requeue_of !== null) facts.push(['again of', receipt.requeue_of])
  const head = renderFacts(facts)
  if (receipt.records.length === 0) return head
  return `${head}\n${renderTable(
    [
      { title: 'RECORD', minWidth: 20 },
      { title: 'OUTCOME' },
      { title: 'VERSION', align: 'right' },
      { title: 'ROWS', align: 'right' },
      { title: 'INVALID', align: 'right' },
      { title: 'CODE' },
    ],
    receipt.records.map((r) => [r.record_id, r.outcome, r.version, r.rows, r.invalid, r.code]),
    columns,
  )}`
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** A day or time in UTC (2024-01-27, 2024-01-27T10:00, with Z or an offset), or how long ago (90m, 24h, 7d). Throws USAGE. */
export function parseSince(text: string, nowMs: number): number {
  const ago = /^(\d{1,9})([smhdw])$/.exec(text)
  if (ago !== null) return nowMs - Number(ago[1]) * UNIT_MS[ago[2]!]!
  const iso = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text)
  const ms = iso === null ? Number.NaN : Date.parse(text.length > 10 && iso[1] === undefined ? `${text}Z` : text)
  if (Number.isNaN(ms)) throw new IntakeError('USAGE', `--since takes a day, a time or a duration such as 24h, not ${JSON.stringify(text)}`)
  return ms
}

import { join } from 'node:path'
import type { Receipt } from '../documents/receipt.js'
import { isIntakeError } from '../errors.js'
import { isLocked } from '../store/lock.js'
import type { CommandContext } from './context.js'
import { EXIT, printJson } from './context.js'
import { openStoreToRead } from './open-store.js'
import { needsPerson, summaryOf } from './receipt-text.js'
import { filingOf } from './receipts.js'
import { plural, renderFacts, renderTable } from './text-table.js'

/** How far back drops and decisions are looked at that a person should see. */
const LOOK_BACK_MS = 7 * 86_400_000
const SHOWN = 20

interface Waiting {
  readonly path: string
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly since: string
}

interface InFlight {
  readonly drop_id: string
  readonly path: string
  readonly stage: string
  readonly since: string
}

/** What the daemon does, what waits in the inbox and why, what needs a person. */
export async function status(context: CommandContext, _options: object): Promise<number> {
  const { paths } = await context.workspace()
  const running = isLocked(join(paths.store, 'lock'))
  const document = await readStatus(context, paths.statusFile)
  const records = await countRecords(context)
  const attention: Receipt[] = []
  const filing = await filingOf(context)
  for await (const receipt of filing.listReceipts({ sinceMs: context.clock.nowMs() - LOOK_BACK_MS })) {
    if (needsPerson(receipt) && attention.push(receipt) > SHOWN) break
  }
  const inFlight = rowsOf<InFlight>(document?.in_flight)
  const waiting = rowsOf<Waiting>(document?.waiting)

  if (context.json) {
    printJson(context, { running, root: paths.root, records, daemon: document, attention: attention.slice(0, SHOWN) })
    return EXIT.done
  }
  const { stdout } = context
  const written = typeof document?.written_at === 'string' ? document.written_at : null
  stdout.write(
    renderFacts([
      ['workspace', paths.root],
      ['daemon', running ? 'running' : 'not running'],
      ['as of', written],
      ...(typeof document?.state === 'string' && running ? [['state', document.state] as const] : []),
      [
        'records',
        records === null
          ? 'there is no store yet'
          : `${records.total}: ${records.draft} draft, ${records.approved} approved, ${records.rejected} rejected`,
      ],
      ['in flight', inFlight.length],
      ['waiting', waiting.length],
    ]),
  )
  if (inFlight.length > 0) {
    stdout.write('\nIn flight\n')
    stdout.write(
      renderTable(
        [{ title: 'DROP', minWidth: 20 }, { title: 'STAGE' }, { title: 'PATH' }, { title: 'SINCE' }],
        inFlight.map((d) => [d.drop_id, d.stage, d.path, d.since]),
        stdout.columns,
      ),
    )
  }
  if (waiting.length > 0) {
    stdout.write(`\nWaiting in the inbox${running ? '' : ' when the daemon stopped'}\n`)
    for (const w of waiting.slice(0, SHOWN)) {
      stdout.write(
        renderFacts([
          [w.code, w.path],
          ['', w.message],
          ['', w.hint],
        ]),
      )
    }
    if (waiting.length > SHOWN) stdout.write(`… and ${plural(waiting.length - SHOWN, 'more file')}; --json lists all\n`)
  }
  if (attention.length > 0) {
    stdout.write('\nNeeds a person (last 7 days)\n')
    stdout.write(
      renderTable(
        [{ title: 'DROP', minWidth: 47 }, { title: 'OUTCOME' }, { title: 'CODE' }, { title: 'PATH' }, { title: 'WHAT', minWidth: 16 }],
        attention.slice(0, SHOWN).map((r) => [r.drop_id, r.outcome, r.code, r.path, summaryOf(r)]),
        stdout.columns,
      ),
    )
    if (attention.length > SHOWN) stdout.write('… and more; `parquet-intake receipts --since 7d` lists all\n')
  }
  return EXIT.done
}

/** What the daemon wrote last; null when there is nothing that can be read (it is replaced by rename, so never half of it). */
async function readStatus(context: CommandContext, path: string): Promise<Record<string, unknown> | null> {
  const bytes = await context.files.read(path)
  if (bytes === null) return null
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function rowsOf<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as T[]) : []
}

async function countRecords(
  context: CommandContext,
): Promise<{ total: number; draft: number; approved: number; rejected: number; damaged: number } | null> {
  const counts = { total: 0, draft: 0, approved: 0, rejected: 0, damaged: 0 }
  try {
    const store = await openStoreToRead(context)
    for await (const recordId of store.listRecords()) {
      counts.total++
      try {
        const metadata = await store.metadata(recordId)
        if (metadata !== null) counts[metadata.status]++
      } catch (error) {
        if (!isIntakeError(error, 'STORE_INVALID')) throw error
        counts.damaged++
      }
    }
  } catch (error) {
    if (isIntakeError(error, 'NO_STORE')) return null
    throw error
  }
  return counts
}

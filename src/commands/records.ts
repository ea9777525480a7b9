import { versionEntryOf } from '../core/record-model.js'
import { IntakeError, isIntakeError } from '../errors.js'
import type { CommandContext } from './context.js'
import { EXIT, note, printJson } from './context.js'
import { openStoreToRead } from './open-store.js'
import { plural, renderTable } from './text-table.js'

export interface RecordsOptions {
  readonly table: string | undefined
  readonly status: 'draft' | 'approved' | 'rejected' | undefined
}

/** One line a record. A record whose metadata is damaged is named and does not hide the others; the exit status is 1 then. */
export async function records(context: CommandContext, options: RecordsOptions): Promise<number> {
  const store = await openStoreToRead(context)
  const found = []
  const damaged: { record_id: string; code: string; message: string }[] = []
  for await (const recordId of store.listRecords()) {
    try {
      const metadata = await store.metadata(recordId)
      if (metadata === null) continue
      if (options.table !== undefined && metadata.table_name !== options.table) continue
      if (options.status !== undefined && metadata.status !== options.status) continue
      const current = versionEntryOf(metadata, metadata.current_version)
      found.push({
        record_id: metadata.record_id,
        table_name: metadata.table_name,
        status: metadata.status,
        current_version: metadata.current_version,
        approved_version: metadata.approved_version,
        rows: current?.rows ?? 0,
        source: metadata.source,
        updated_at: metadata.history.at(-1)!.created_at,
      })
    } catch (error) {
      if (!isIntakeError(error, 'STORE_INVALID')) throw error
      damaged.push({ record_id: recordId, code: error.code, message: error.message })
    }
  }
  if (context.json) printJson(context, { records: found, damaged })
  else {
    context.stdout.write(
      renderTable(
        [
          { title: 'RECORD', minWidth: 20 },
          { title: 'TABLE', minWidth: 12 },
          { title: 'STATUS' },
          { title: 'VERSION', align: 'right' },
          { title: 'APPROVED', align: 'right' },
          { title: 'ROWS', align: 'right' },
          { title: 'CHANGED', minWidth: 10 },
        ],
        found.map((r) => [r.record_id, r.table_name, r.status, r.current_version, r.approved_version, r.rows, r.updated_at]),
        context.stdout.columns,
      ),
    )
    note(context, plural(found.length, 'record'))
  }
  for (const d of damaged) context.stderr.write(`warning ${d.code}: ${d.message}\n`)
  return damaged.length > 0 ? new IntakeError('STORE_INVALID', 'damaged records').exitStatus : EXIT.done
}

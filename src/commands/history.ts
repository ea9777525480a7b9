import { isVersionEntry } from '../core/record-model.js'
import type { CommandContext } from './context.js'
import { EXIT, printJson } from './context.js'
import { metadataOf, openStoreToRead } from './open-store.js'
import { countText, renderTable } from './text-table.js'

/** Everything that ever happened to a record, oldest first. With --json the entries as they stand in metadata.json. */
export async function history(context: CommandContext, options: { recordId: string }): Promise<number> {
  const store = await openStoreToRead(context)
  const metadata = await metadataOf(store, options.recordId)
  if (context.json) {
    printJson(context, { record_id: metadata.record_id, table_name: metadata.table_name, history: metadata.history })
    return EXIT.done
  }
  context.stdout.write(
    renderTable(
      [
        { title: 'WHEN', minWidth: 10 },
        { title: 'WHAT' },
        { title: 'VERSION', align: 'right' },
        { title: 'ROWS', align: 'right' },
        { title: 'BY' },
        { title: 'FROM', minWidth: 12 },
        { title: 'COMMENT', minWidth: 12 },
      ],
      metadata.history.map((entry) =>
        isVersionEntry(entry)
          ? [
              entry.created_at,
              entry.version === 1 ? 'created' : 'updated',
              entry.version,
              countText(entry.rows),
              entry.created_by,
              entry.drop?.name ?? 'library',
              entry.comment,
            ]
          : [
              entry.created_at,
              entry.status,
              entry.version,
              null,
              entry.created_by,
              entry.decision === null ? 'library' : 'signed decision',
              entry.comment,
            ],
      ),
      context.stdout.columns,
    ),
  )
  return EXIT.done
}

import { join } from 'node:path'
import { versionKey } from '../core/object-keys.js'
import type { CommandContext } from './context.js'
import { EXIT, printJson } from './context.js'
import { metadataOf, openStoreToRead } from './open-store.js'
import { bytesText, countText, renderFacts, renderTable } from './text-table.js'
import { versionLines } from './version-list.js'

/** One record as it stands: the top-level fields of metadata.json and one line a version, with the file an engine opens. */
export async function show(context: CommandContext, options: { recordId: string }): Promise<number> {
  const store = await openStoreToRead(context)
  const metadata = await metadataOf(store, options.recordId)
  const { paths } = await context.workspace()
  const lines = versionLines(metadata)
  const pathOf = (version: number): string => join(paths.store, versionKey(metadata.record_id, version))
  if (context.json) {
    const { history: _, ...top } = metadata
    printJson(context, {
      ...top,
      versions: lines.map(({ entry, status, decidedBy, decidedAt }) => ({
        version: entry.version,
        status,
        created_by: entry.created_by,
        created_at: entry.created_at,
        comment: entry.comment,
        decided_by: decidedBy,
        decided_at: decidedAt,
        rows: entry.rows,
        bytes: entry.bytes,
        parquet_sha256: entry.parquet_sha256,
        content_sha256: entry.content_sha256,
        drop_id: entry.drop?.drop_id ?? null,
        path: pathOf(entry.version),
      })),
    })
    return EXIT.done
  }
  const { stdout } = context
  stdout.write(
    renderFacts([
      ['record', metadata.record_id],
      ['table', metadata.table_name],
      ['status', `${metadata.status} (version ${metadata.current_version})`],
      ['approved', metadata.approved_version === null ? null : `version ${metadata.approved_version}`],
      ['source', metadata.source],
      ['created', `${metadata.created_at} by ${metadata.created_by}`],
      ['file', pathOf(metadata.current_version)],
    ]),
  )
  stdout.write('\n')
  stdout.write(
    renderTable(
      [
        { title: 'VERSION', align: 'right' },
        { title: 'STATUS' },
        { title: 'ROWS', align: 'right' },
        { title: 'SIZE', align: 'right' },
        { title: 'CREATED', minWidth: 10 },
        { title: 'BY' },
        { title: 'DECIDED BY' },
        { title: 'SHA-256' },
      ],
      lines.map(({ entry, status, decidedBy }) => [
        entry.version,
        status,
        countText(entry.rows),
        bytesText(entry.bytes),
        entry.created_at,
        entry.created_by,
        decidedBy,
        entry.parquet_sha256.slice(0, 16),
      ]),
      stdout.columns,
    ),
  )
  return EXIT.done
}

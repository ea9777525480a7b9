import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import type { DropReceipt } from '../../src/documents/receipt.js'
import { builtMain } from '../support/built-program.js'
import { duckdbTexts } from '../support/duckdb.js'
import { IntakeWorkspace } from '../support/intake-workspace.js'

const TABLE = {
  name: 'logs',
  fields: [
    { name: 'id', type: 'integer', constraints: { required: true } },
    { name: 'depth', type: 'number', parquet: { unit: 'm' } },
    { name: 'price', type: 'number', parquet: { type: 'DECIMAL', precision: 12, scale: 2 } },
    { name: 'wet', type: 'boolean' },
    { name: 'day', type: 'date' },
    { name: 'seen_at', type: 'datetime', parquet: { type: 'TIMESTAMP_MILLIS', utc: true } },
    { name: 'local_time', type: 'datetime', parquet: { type: 'TIMESTAMP_MICROS', utc: false } },
    { name: 'tags', type: 'list', delimiter: ';' },
    { name: 'note', type: 'string' },
  ],
  primaryKey: ['id'],
  missingValues: [''],
}

const SOURCES = [{ name: 'logs', match: 'logs/**/*.csv', table: 'logs', record: '{path}', createdBy: 'lab-export' }]

const HEADER = 'id,depth,price,wet,day,seen_at,local_time,tags,note\n'

function content(version: number): { csv: string; cells: Array<Array<string | null>> } {
  const rows: Array<Array<string | null>> = []
  const lines: string[] = []
  for (let i = 1; i <= 5 + version; i++) {
    const note = i % 3 === 0 ? null : `v${version}, "${'é🙂'.repeat(i)}"\nline two`
    const csv = [
      String(i),
      `${i}.${version}5`,
      `-${i}.1`,
      i % 2 === 0 ? 'true' : 'false',
      `19${60 + i}-02-${10 + version}`,
      `2024-03-0${version}T23:30:00+01:00`,
      '1815-06-18T11:35:00.000001',
      i === 1 ? '' : 'a;b c',
      note === null ? '' : `"${note.replaceAll('"', '""')}"`,
    ]
    lines.push(csv.join(','))
    rows.push([
      String(i),
      `${i}.${version}5`,
      `-${i}.10`,
      String(i % 2 === 0),
      `19${60 + i}-02-${10 + version}`,
      `2024-03-0${version} 22:30:00`,
      '1815-06-18 11:35:00.000001',
      i === 1 ? null : '["a","b c"]',
      note,
    ])
  }
  return { csv: `${HEADER}${lines.join('\r\n')}\r\n`, cells: rows }
}

test('a record goes create → update → approve → update → reject → update, and every version reads back cell by cell', async () => {
  const ws = await IntakeWorkspace.make({ sources: SOURCES, tables: { logs: TABLE } })
  const daemon = await ws.start()
  const key = ws.path('keys/approver-456.jwk.json')
  const send = async (version: number): Promise<DropReceipt> => {
    await ws.drop('logs/site-a/BH-1.csv', content(version).csv)
    return daemon.receiptOf('logs/site-a/BH-1.csv', version)
  }

  expect(await send(1)).toMatchObject({ outcome: 'committed', records: [{ record_id: 'site-a/BH-1', outcome: 'created', version: 1 }] })
  expect(await send(2)).toMatchObject({
    outcome: 'committed',
    records: [{ outcome: 'updated', version: 2 }],
    rows: { in: 7, committed: 7, invalid: 0 },
  })
  await ws.run(['approve', 'site-a/BH-1', '--key', key, '--comment', 'All checks passed'])
  expect(ws.metadata('site-a/BH-1')).toMatchObject({
    status: 'approved',
    current_version: 2,
    approved_version: 2,
    approved_by: 'approver-456',
  })
  expect(await send(3)).toMatchObject({ outcome: 'committed', records: [{ outcome: 'updated', version: 3 }] })
  expect(ws.metadata('site-a/BH-1')).toMatchObject({ status: 'draft', approved_version: 2, approved_by: null })
  await ws.run(['reject', 'site-a/BH-1', '--key', key, '--comment', 'Depths are off'])
  expect(ws.metadata('site-a/BH-1')).toMatchObject({ status: 'rejected', rejected_by: 'approver-456', approved_version: 2 })
  expect(await send(4)).toMatchObject({ outcome: 'committed', records: [{ outcome: 'updated', version: 4 }] })

  const ended = await daemon.stop()
  expect(ended.status).toBe(0)

  const metadata = ws.metadata('site-a/BH-1')
  expect(metadata.history.map((e) => [e.version, e.status])).toEqual([
    [1, 'draft'],
    [2, 'draft'],
    [2, 'approved'],
    [3, 'draft'],
    [3, 'rejected'],
    [4, 'draft'],
  ])

  for (let version = 1; version <= 4; version++) {
    const file = ws.path(`store/records/site-a/BH-1/versions/v${version}.parquet`)
    const rows = await duckdbTexts(
      `SELECT id::VARCHAR, depth::VARCHAR, price::VARCHAR, wet::VARCHAR, day::VARCHAR, strftime(seen_at, '%Y-%m-%d %H:%M:%S'), local_time::VARCHAR, tags::VARCHAR, note FROM read_parquet('${file}')`,
    )
    expect(rows).toEqual(content(version).cells)
  }

  const library = (await import(pathToFileURL(builtMain().replace('main.js', 'index.js')).href)) as typeof import('../../src/index.js')
  const storage = new library.VersionedParquetStorage(new library.ParquetStorageEngine({ mode: 'local', basePath: ws.path('store') }))
  expect(await storage.getAllVersions('site-a/BH-1')).toEqual([1, 2, 3, 4])
  for (let version = 1; version <= 4; version++) {
    const reader = await storage.getSpecificVersion('site-a/BH-1', version)
    const rows: unknown[] = []
    for await (const row of reader.rows()) rows.push({ ...row })
    await reader.close()
    expect(rows).toEqual(
      content(version).cells.map(([id, depth, price, wet, day, seen, local, tags, note]) => ({
        id: BigInt(id!),
        depth: Number(depth),
        price,
        wet: wet === 'true',
        day,
        seen_at: `${seen!.replace(' ', 'T')}.000Z`,
        local_time: local!.replace(' ', 'T'),
        tags: tags === null ? null : JSON.parse(tags!),
        note,
      })),
    )
  }
  const approved = await storage.getApprovedVersion('site-a/BH-1')
  expect(approved.rowCount).toBe(7)
  await approved.close()

  const audit = await ws.json<{ findings: unknown[] }>(['verify'])
  expect(audit.findings).toEqual([])
})

test('a version of an approved store is approved only by the signed decision, and its whole envelope stays in the history', async () => {
  const ws = await IntakeWorkspace.make({ sources: SOURCES, tables: { logs: TABLE } })
  const daemon = await ws.start()
  await ws.drop('logs/BH-2.csv', content(1).csv)
  await daemon.receiptOf('logs/BH-2.csv')
  await ws.run(['approve', 'BH-2', '--key', ws.path('keys/approver-456.jwk.json')])
  await daemon.stop()
  const entry = ws.metadata('BH-2').history[1]!
  expect(entry).toMatchObject({ status: 'approved', created_by: 'approver-456', decision: { key: { principal: 'approver-456' } } })
  const receipt = ws.decisionReceipts()[0]!
  expect(receipt).toMatchObject({ outcome: 'applied', record_id: 'BH-2', version: 1 })
  expect(JSON.parse(readFileSync(ws.path(receipt.stored_at!), 'utf8'))).toEqual((entry.decision as { jws: unknown }).jws)
})

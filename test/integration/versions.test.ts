import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DropReceipt } from '../../src/documents/receipt.js'
import type { ValidationReport } from '../../src/documents/report.js'
import { ERRORS } from '../../src/errors.js'
import { ParquetStorageEngine, VersionedParquetStorage } from '../../src/index.js'
import { IntakeWorkspace, type RunningDaemon } from '../support/intake-workspace.js'
import { expectRowsAddUp, expectTidy, namesIn } from '../support/receipt-rules.js'
import { endOfFile } from '../support/temporary-folder.js'

/** What a drop becomes, compared with what its record holds, and what of a bad one goes on (DESIGN §5). */

const TABLES = {
  samples: {
    name: 'samples',
    fields: [
      { name: 'id', type: 'integer', constraints: { required: true } },
      { name: 'rec', type: 'string' },
      { name: 'depth', type: 'number', parquet: { type: 'DECIMAL', precision: 9, scale: 2 } },
      { name: 'note', type: 'string' },
    ],
    fieldsMatch: 'superset',
    primaryKey: ['id'],
  },
  others: { name: 'others', fields: [{ name: 'id', type: 'integer' }] },
}
const source = (name: string, rest: object): object => ({
  name,
  match: `${name}/*.csv`,
  table: 'samples',
  record: '{stem}',
  createdBy: 'lab',
  ...rest,
})
const SOURCES = [
  source('one', {}),
  source('twin', {}),
  source('other', { table: 'others' }),
  source('all', { record: 'all/{column:rec}' }),
  source('each', { record: 'each/{column:rec}', onInvalid: 'quarantine-record' }),
  source('skip', { record: 'skip/{column:rec}', onInvalid: 'skip-rows' }),
  source('mixed', { record: '{column:rec}', onInvalid: 'quarantine-record' }),
  source('manifest', { record: 'manifest', allowedCreatedBy: ['crew-7'] }),
]

const HEADER = 'id,rec,depth,note'
const csv = (...rows: string[]): string => `${[HEADER, ...rows].join('\n')}\n`

const onEnd = endOfFile()
let ws: IntakeWorkspace
let daemon: RunningDaemon

beforeAll(async () => {
  ws = await IntakeWorkspace.make({ sources: SOURCES, tables: TABLES, onEnd })
  daemon = await ws.start()
}, 60_000)

afterAll(async () => {
  expect((await daemon.stop()).status).toBe(0)
  await expectTidy(ws)
})

/** Drops a file and waits for its receipt, whose rows add up. */
async function send(path: string, content: string | Uint8Array): Promise<DropReceipt> {
  const earlier = ws.dropReceipts().filter((r) => r.path === path).length
  await ws.drop(path, content)
  const receipt = await daemon.receiptOf(path, earlier + 1)
  expectRowsAddUp(receipt)
  return receipt
}

const outcomes = (receipt: DropReceipt): unknown[] => receipt.records.map((r) => [r.record_id, r.outcome, r.version])
const versionsOf = (record: string): number[] =>
  ws
    .metadata(record)
    .history.filter((e) => e.status === 'draft')
    .map((e) => e.version as number)

async function rowsOf(record: string, version: number): Promise<unknown[]> {
  const storage = new VersionedParquetStorage(new ParquetStorageEngine({ mode: 'local', basePath: ws.path('store') }))
  const reader = await storage.getSpecificVersion(record, version)
  const rows: unknown[] = []
  for await (const row of reader.rows()) rows.push(Object.values(row).map((cell) => (cell === null ? null : String(cell))))
  await reader.close()
  return rows
}

async function decide(verb: 'approve' | 'reject', record: string): Promise<void> {
  await ws.run([verb, record, '--key', ws.path('keys/approver-456.jwk.json')])
}

const linesOf = (text: string): string[] => text.split(/\r?\n/)
/** The columns of the file and `_line`, without what `_errors` says. */
const withoutErrors = (text: string): string[] => linesOf(text).map((line) => line.split(',').slice(0, 5).join())

const reportFile = (receipt: DropReceipt, name: string): string => readFileSync(join(ws.path(receipt.report_at!), name), 'utf8')

interface Requeued {
  receipt: DropReceipt
}

describe('the same again makes no version', () => {
  test('duplicate: the bytes of the current version, under any name of the record', async () => {
    const content = csv('1,,1.50,a')
    const first = await send('one/D-1.csv', content)
    expect(outcomes(first)).toEqual([['D-1', 'created', 1]])
    const again = await send('one/D-1.csv', content)
    expect(again).toMatchObject({
      outcome: 'duplicate',
      code: null,
      rows: { in: 1, committed: 0, unchanged: 1, withheld: 0 },
      report_at: null,
    })
    expect(outcomes(again)).toEqual([['D-1', 'duplicate', 1]])
    expect(again.stored_at).toMatch(/^archive\//)
    expect(readFileSync(ws.path(again.stored_at!), 'utf8')).toBe(content)
    expect(versionsOf('D-1')).toEqual([1])
  })

  test.each([
    ['line ends', 'id,rec,depth,note\r\n1,,1.50,a\r\n2,,2,b\r\n'],
    ['columns in another order', 'note,depth,rec,id\na,1.50,,1\nb,2.00,,2\n'],
    ['another spelling of numbers', csv('1,,1.5,a', '+2,,2.00,b')],
    ['quotes', csv('"1","","1.5","a"', '2,,2,"b"')],
    ['an absent column instead of an empty one', 'id,depth,note\n1,1.5,a\n2,2,b\n'],
    ['blank lines', csv('1,,1.5,a', '', '2,,2,b', ',,,')],
  ])('unchanged: other bytes, same cells: %s', async (rule, content) => {
    const record = `U-${rule.replaceAll(' ', '-')}`
    await send(`one/${record}.csv`, csv('1,,1.50,a', '2,,2,b'))
    const again = await send(`one/${record}.csv`, content)
    expect(again).toMatchObject({ outcome: 'unchanged', rows: { committed: 0, unchanged: 2, invalid: 0 } })
    expect(versionsOf(record)).toEqual([1])
  })

  test.each([
    ['another cell', csv('1,,1.51,a', '2,,2,b')],
    ['another order of the rows', csv('2,,2,b', '1,,1.5,a')],
    ['one row fewer', csv('1,,1.5,a')],
    ['an empty cell instead of a text', csv('1,,1.5,', '2,,2,b')],
  ])('but a difference in content does: %s', async (rule, content) => {
    const record = `N-${rule.replaceAll(' ', '-')}`
    await send(`one/${record}.csv`, csv('1,,1.50,a', '2,,2,b'))
    expect(await send(`one/${record}.csv`, content)).toMatchObject({ outcome: 'committed', records: [{ outcome: 'updated', version: 2 }] })
  })

  test('superseded: the bytes of an older version are not taken for news; a person decides, and requeue --force makes them current', async () => {
    const [first, second] = [csv('1,,1,a'), csv('1,,2,a')]
    await send('one/S-1.csv', first)
    await send('one/S-1.csv', second)
    const old = await send('one/S-1.csv', first)
    expect(old).toMatchObject({ outcome: 'superseded', rows: { in: 1, committed: 0, unchanged: 1 } })
    expect(outcomes(old)).toEqual([['S-1', 'superseded', 2]])
    const { attention } = await ws.json<{ attention: Array<{ drop_id: string }> }>(['status'])
    expect(attention.map((r) => r.drop_id)).toContain(old.drop_id)

    const plain = await ws.json<Requeued>(['requeue', old.drop_id], 3)
    expect(plain.receipt).toMatchObject({ outcome: 'superseded', requeue_of: old.drop_id, force: false, path: 'one/S-1.csv' })
    expect(versionsOf('S-1')).toEqual([1, 2])

    const forced = await ws.json<Requeued>(['requeue', old.drop_id, '--force'])
    expect(forced.receipt).toMatchObject({
      outcome: 'committed',
      requeue_of: old.drop_id,
      force: true,
      records: [{ outcome: 'updated', version: 3 }],
    })
    expect(await rowsOf('S-1', 3)).toEqual([['1', null, '1.00', 'a']])
    expect(readFileSync(ws.path(old.stored_at!), 'utf8')).toBe(first)
    expect(namesIn(ws.path('inbox/one'))).toEqual([])
  })

  test('neither duplicate nor unchanged holds over a rejected version: sending it again is a new draft', async () => {
    const content = csv('1,,1.5,a')
    await send('one/R-1.csv', content)
    await decide('reject', 'R-1')
    expect(await send('one/R-1.csv', content)).toMatchObject({ outcome: 'committed', records: [{ outcome: 'updated', version: 2 }] })
    await decide('reject', 'R-1')
    expect(await send('one/R-1.csv', csv('1,,1.50,a'))).toMatchObject({
      outcome: 'committed',
      records: [{ outcome: 'updated', version: 3 }],
    })
    expect(ws.metadata('R-1')).toMatchObject({ status: 'draft', rejected_by: null })
  })

  test('over an approved version they do hold, and the approval stays', async () => {
    await send('one/A-1.csv', csv('1,,1.5,a'))
    await decide('approve', 'A-1')
    expect(await send('one/A-1.csv', csv('1,,1.5,a'))).toMatchObject({ outcome: 'duplicate' })
    expect(await send('one/A-1.csv', csv('1,,1.50,a'))).toMatchObject({ outcome: 'unchanged' })
    expect(ws.metadata('A-1')).toMatchObject({ status: 'approved', current_version: 1, approved_version: 1 })
  })
})

describe('requeue', () => {
  test('takes a quarantined drop again under the rules of today, and its first receipt stands', async () => {
    const bad = await send('one/Q-1.csv', csv('1,,deep,a'))
    expect(bad).toMatchObject({ outcome: 'quarantined', code: 'TYPE_ERROR' })
    const { receipt } = await ws.json<Requeued>(['requeue', bad.drop_id], 3)
    expect(receipt).toMatchObject({ outcome: 'quarantined', code: 'TYPE_ERROR', requeue_of: bad.drop_id, sha256: bad.sha256 })
    expect(receipt.drop_id > bad.drop_id).toBe(true)
    expect(readFileSync(ws.path(bad.stored_at!), 'utf8')).toBe(csv('1,,deep,a'))
    expect(ws.dropReceipts().find((r) => r.drop_id === bad.drop_id)).toEqual(bad)
  })

  test('while no daemon runs waits for the next start; with and without --force are two wishes, and each is carried out once', async () => {
    const own = await IntakeWorkspace.make({ sources: SOURCES, tables: TABLES })
    for (const depth of [1, 2]) {
      await own.drop('one/O-1.csv', csv(`1,,${depth},a`))
      await own.run(['run', '--once'])
    }
    const [first] = own.dropReceipts()
    expect(await own.json<object>(['requeue', first!.drop_id, '--force'])).toMatchObject({ requested: true, receipt: null })
    expect(await own.json<object>(['requeue', first!.drop_id])).toMatchObject({ requested: true, receipt: null })
    // 3: without force it may be found superseded, if it comes first.
    expect([0, 3]).toContain((await own.run(['run', '--once'], null)).status)
    await own.run(['run', '--once'])
    const taken = own.dropReceipts().slice(2)
    expect(taken.map((r) => [r.requeue_of, r.force]).sort()).toEqual([
      [first!.drop_id, false],
      [first!.drop_id, true],
    ])
    expect(taken.find((r) => r.force)).toMatchObject({ records: [{ outcome: 'updated', version: 3 }] })
    expect(namesIn(own.path('state/requests'))).toEqual([])
    await expectTidy(own)
  })

  test('of a drop that nobody knows is refused', async () => {
    const result = await ws.run(['requeue', '20240127T100000123Z-000001-9f86d081884c7d65', '--json'], 1)
    expect(result.stdout).toContain('DROP_NOT_FOUND')
    expect((await ws.run(['requeue', 'one/Q-1.csv'], 2)).stderr).toContain('USAGE')
  })
})

describe('a record belongs to one table and one source', () => {
  test('TABLE_MISMATCH and SOURCE_MISMATCH quarantine the drop and leave the record alone', async () => {
    await send('one/B-1.csv', csv('1,,1,a'))
    const before = readFileSync(ws.path('store/records/B-1/metadata.json'))
    const table = await send('other/B-1.csv', 'id\n1\n')
    expect(table).toMatchObject({
      outcome: 'quarantined',
      code: 'TABLE_MISMATCH',
      hint: ERRORS.TABLE_MISMATCH.hint,
      rows: { in: 1, committed: 0, withheld: 1 },
    })
    expect(table.stored_at).toMatch(/^quarantine\//)
    const foreign = await send('twin/B-1.csv', csv('1,,2,a'))
    expect(foreign).toMatchObject({ outcome: 'quarantined', code: 'SOURCE_MISMATCH', rows: { in: 1, committed: 0, withheld: 1 } })
    expect(foreign.message).toContain('belongs to source one')
    expect(readFileSync(ws.path('store/records/B-1/metadata.json')).equals(before)).toBe(true)
  })

  test('one foreign record in a file of many holds back its own rows only', async () => {
    await send('one/F-1.csv', csv('1,,1,a'))
    const receipt = await send('mixed/load.csv', csv('1,F-1,5,x', '2,F-2,5,y', '3,F-1,6,z'))
    expect(receipt).toMatchObject({ outcome: 'partial', code: 'SOURCE_MISMATCH', rows: { in: 3, committed: 1, withheld: 2, invalid: 0 } })
    expect(outcomes(receipt)).toEqual([
      ['F-1', 'quarantined', null],
      ['F-2', 'created', 1],
    ])
    expect(versionsOf('F-1')).toEqual([1])
    expect(receipt.report_at).not.toBeNull()
    expect(reportFile(receipt, 'reason.txt')).toContain('SOURCE_MISMATCH')
    expect(linesOf(reportFile(receipt, 'mended.csv'))).toEqual(['id,rec,depth,note,_line,_errors', '1,F-1,5,x,2,', '3,F-1,6,z,4,', ''])
    expect(namesIn(ws.path('store/staging'))).toEqual([])
  })
})

describe('one file, many records', () => {
  test('quarantine-drop: one bad row holds back all of them', async () => {
    const receipt = await send('all/load.csv', csv('1,P,1,a', '2,Q,deep,b', '3,R,3,c'))
    expect(receipt).toMatchObject({ outcome: 'quarantined', code: 'TYPE_ERROR', rows: { in: 3, committed: 0, withheld: 2, invalid: 1 } })
    expect(outcomes(receipt)).toEqual([
      ['all/P', 'quarantined', null],
      ['all/Q', 'quarantined', null],
      ['all/R', 'quarantined', null],
    ])
    expect(namesIn(ws.path('store/records/all'))).toEqual([])
    expect(linesOf(reportFile(receipt, 'mended.csv'))).toHaveLength(5)
  })

  test('quarantine-record: the others go on, and the mended file is the complete next version of those held back', async () => {
    const load = csv('1,P,1,a', '2,Q,2,b', '3,P,2,c', '4,Q,deep,d', '5,R,3,"e, f"')
    const receipt = await send('each/load.csv', load)
    expect(receipt).toMatchObject({
      outcome: 'partial',
      code: 'TYPE_ERROR',
      rows: { in: 5, committed: 3, unchanged: 0, withheld: 1, invalid: 1, blank: 0 },
      errors: { TYPE_ERROR: 1 },
    })
    expect(receipt.message).toContain('Line 5, column "depth"')
    expect(outcomes(receipt).sort()).toEqual([
      ['each/P', 'created', 1],
      ['each/Q', 'quarantined', null],
      ['each/R', 'created', 1],
    ])
    expect(readFileSync(ws.path(receipt.stored_at!), 'utf8')).toBe(load)
    expect(receipt.stored_at).toMatch(/^archive\//)
    const mended = reportFile(receipt, 'mended.csv')
    expect(withoutErrors(mended)).toEqual(['id,rec,depth,note,_line', '2,Q,2,b,3', '4,Q,deep,d,5', ''])
    expect(linesOf(reportFile(receipt, 'rejects.csv'))).toHaveLength(3)
    expect(reportFile(receipt, 'rejects.csv')).toContain('4,Q,deep,d,5,')

    // Unmended it is as wrong as it was, at the lines of this file, and the marks do not pile up.
    const unmended = await send('each/mended.csv', mended)
    expect(unmended).toMatchObject({ outcome: 'quarantined', code: 'TYPE_ERROR', rows: { in: 2, committed: 0, withheld: 1, invalid: 1 } })
    expect(unmended.message).toContain('Line 3, column "depth"')
    const again = reportFile(unmended, 'mended.csv')
    expect(withoutErrors(again)).toEqual(['id,rec,depth,note,_line', '2,Q,2,b,2', '4,Q,deep,d,3', ''])
    expect(readFileSync(ws.path(unmended.stored_at!), 'utf8')).toBe(mended)

    const whole = await send('each/load-mended.csv', mended.replace('deep', '2.5'))
    expect(whole).toMatchObject({ outcome: 'committed', rows: { in: 2, committed: 2 } })
    expect(outcomes(whole)).toEqual([['each/Q', 'created', 1]])
    expect(await rowsOf('each/Q', 1)).toEqual([
      ['2', 'Q', '2.00', 'b'],
      ['4', 'Q', '2.50', 'd'],
    ])
    expect(versionsOf('each/P')).toEqual([1])
  })

  test('skip-rows: good rows are committed, and the mended file is the complete next version', async () => {
    const receipt = await send('skip/load.csv', csv('1,P,1,a', '2,P,deep,b', '3,Q,3,c', '', '4,,4,d', '5,P,5', '6,P,6,f'))
    expect(receipt).toMatchObject({
      outcome: 'partial',
      rows: { in: 7, committed: 3, withheld: 0, invalid: 3, blank: 1 },
      errors: { TYPE_ERROR: 1, RECORD_ID_ILLEGAL: 1, RAGGED_ROW: 1 },
    })
    expect(receipt.records).toMatchObject([
      { record_id: 'skip/P', outcome: 'created', rows: 2, invalid: 1 },
      { record_id: 'skip/Q', outcome: 'created', rows: 1, invalid: 0 },
    ])
    expect(await rowsOf('skip/P', 1)).toEqual([
      ['1', 'P', '1.00', 'a'],
      ['6', 'P', '6.00', 'f'],
    ])
    expect(linesOf(reportFile(receipt, 'rejects.csv'))).toHaveLength(5)
    const mended = reportFile(receipt, 'mended.csv')
    expect(withoutErrors(mended)).toEqual(['id,rec,depth,note,_line', '1,P,1,a,2', '2,P,deep,b,3', '4,,4,d,6', '5,P,5,,7', '6,P,6,f,8', ''])
    // Nothing in it mends itself: the row that was short is still short.
    const unmended = await send('skip/unmended.csv', mended)
    expect(unmended).toMatchObject({
      outcome: 'partial',
      rows: { in: 5, committed: 0, unchanged: 2, invalid: 3 },
      errors: { TYPE_ERROR: 1, RECORD_ID_ILLEGAL: 1, RAGGED_ROW: 1 },
      records: [{ record_id: 'skip/P', outcome: 'unchanged', version: 1 }],
    })
    const whole = await send(
      'skip/whole.csv',
      mended
        .replace('deep', '2')
        .replace('4,,4', '4,P,4')
        .replace(/^(5,P,5,,7,[^\r\n]*),[^,\r\n]*$/m, '$1'),
    )
    expect(whole).toMatchObject({
      outcome: 'committed',
      rows: { in: 5, committed: 5 },
      records: [{ record_id: 'skip/P', outcome: 'updated', version: 2 }],
    })
    expect(await rowsOf('skip/P', 2)).toEqual([
      ['1', 'P', '1.00', 'a'],
      ['2', 'P', '2.00', 'b'],
      ['4', 'P', '4.00', 'd'],
      ['5', 'P', '5.00', null],
      ['6', 'P', '6.00', 'f'],
    ])
  })

  test('skip-rows with no good row quarantines the drop', async () => {
    const receipt = await send('skip/none.csv', csv('1,N,deep,a', 'x,N,1,b'))
    expect(receipt).toMatchObject({ outcome: 'quarantined', rows: { in: 2, committed: 0, withheld: 0, invalid: 2 } })
    expect(receipt.stored_at).toMatch(/^quarantine\//)
  })

  test.each([
    ['each', 'a ragged row', '2,V'],
    ['each', 'an empty record cell', '2,,2,b'],
    ['each', 'an illegal record cell', '2,a b,2,b'],
  ])('%s: %s quarantines the whole drop: whose row it is cannot be said', async (folder, rule, row) => {
    const name = rule.replaceAll(' ', '-')
    const receipt = await send(`${folder}/${name}.csv`, csv(`1,W-${name},1,a`, row))
    expect(receipt).toMatchObject({ outcome: 'quarantined', rows: { in: 2, committed: 0, withheld: 1, invalid: 1 } })
    expect(namesIn(ws.path(`store/records/each/W-${name}`))).toEqual([])
  })

  test('each record is compared with its own past: created, updated, unchanged, in one drop', async () => {
    await send('each/past-1.csv', csv('1,K1,1,a', '1,K2,1,a', '2,K2,1,b'))
    const receipt = await send('each/past-2.csv', csv('1,K1,2,a', '1,K2,1.0,a', '2,K2,1,b', '1,K3,1,a'))
    expect(receipt).toMatchObject({ outcome: 'committed', rows: { in: 4, committed: 2, unchanged: 2 } })
    expect(outcomes(receipt)).toEqual([
      ['each/K1', 'updated', 2],
      ['each/K2', 'unchanged', 1],
      ['each/K3', 'created', 1],
    ])
  })
})

describe('reports', () => {
  test('every error of a file in one pass, listed up to the cap, counted exactly', async () => {
    const rows = Array.from({ length: 1500 }, (_, i) => `${i % 3 === 0 ? 'x' : i},,deep,n`)
    const receipt = await send('one/E-1.csv', csv(...rows))
    const errors = 1500 + 500
    expect(receipt).toMatchObject({
      outcome: 'quarantined',
      code: 'TYPE_ERROR',
      errors: { TYPE_ERROR: errors },
      rows: { in: 1500, invalid: 1500, withheld: 0 },
    })
    expect(receipt.message).toContain(`and ${errors - 1} more errors`)
    const report = JSON.parse(reportFile(receipt, 'report.json')) as ValidationReport
    const task = report.tasks[0]!
    expect(report).toMatchObject({ valid: false, stats: { tasks: 1, errors } })
    expect(task).toMatchObject({
      truncated: true,
      totals: { TYPE_ERROR: errors },
      stats: { errors, rows: 1500, fields: 4, bytes: receipt.bytes, sha256: receipt.sha256 },
    })
    expect(task.errors).toHaveLength(1000)
    expect(task.errors[0]).toMatchObject({
      type: 'type-error',
      code: 'TYPE_ERROR',
      line: 2,
      rowNumber: 2,
      fieldName: 'id',
      fieldNumber: 1,
      cell: 'x',
    })
    expect(task.errors[1]).toMatchObject({ line: 2, rowNumber: 2, fieldName: 'depth', fieldNumber: 3, cell: 'deep' })
    expect(linesOf(reportFile(receipt, 'rejects.csv'))).toHaveLength(1502)
  })

  test('below the cap the list is complete; lines count physically, rows logically', async () => {
    const receipt = await send('one/E-2.csv', csv('1,,1,"two\nlines"', '2,,deep,b', '1,,3,c', '4,,4'))
    const task = (JSON.parse(reportFile(receipt, 'report.json')) as ValidationReport).tasks[0]!
    expect(task).toMatchObject({
      truncated: false,
      stats: {
        errors: 3,
        md5: createHash('md5')
          .update(readFileSync(ws.path(receipt.stored_at!)))
          .digest('hex'),
      },
    })
    expect(task.errors.map((e) => [e.code, e.line, e.rowNumber])).toEqual([
      ['TYPE_ERROR', 4, 3],
      ['PRIMARY_KEY_ERROR', 5, 4],
      ['RAGGED_ROW', 6, 5],
    ])
  })
})

describe('what a version says about its making', () => {
  test('created_by and comment of a manifest; without one the source and the name of the file', async () => {
    const content = csv('1,,1,a')
    await ws.drop(
      'manifest/by-hand.csv.manifest.json',
      JSON.stringify({ record_id: 'sites/M-1', created_by: 'crew-7', comment: 'Second look, é' }),
    )
    await ws.drop('manifest/by-hand.csv', content)
    await daemon.receiptOf('manifest/by-hand.csv')
    expect(ws.metadata('sites/M-1')).toMatchObject({
      created_by: 'crew-7',
      source: 'manifest',
      history: [{ created_by: 'crew-7', comment: 'Second look, é', rows: 1 }],
    })
    await ws.drop('manifest/next.csv.manifest.json', JSON.stringify({ record_id: 'sites/M-1' }))
    await ws.drop('manifest/next.csv', csv('1,,2,a'))
    await daemon.receiptOf('manifest/next.csv')
    expect(ws.metadata('sites/M-1')).toMatchObject({
      created_by: 'crew-7',
      history: [{}, { created_by: 'lab', comment: 'From manifest/next.csv', version: 2 }],
    })
  })

  test('columns that the drop left out are null and named on the receipt', async () => {
    const receipt = await send('one/C-1.csv', 'id,note\n1,a\n')
    expect(receipt).toMatchObject({ outcome: 'committed', absent_columns: ['rec', 'depth'] })
    expect(await rowsOf('C-1', 1)).toEqual([['1', null, null, 'a']])
  })
})

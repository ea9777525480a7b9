import { appendFile, chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { cat } from '../../../src/commands/cat.js'
import { history } from '../../../src/commands/history.js'
import { records } from '../../../src/commands/records.js'
import { show } from '../../../src/commands/show.js'
import { verify } from '../../../src/commands/verify.js'
import { ParquetStorageEngine, registerTable, VersionedParquetStorage } from '../../../src/index.js'
import { testContext } from '../../support/command-context.js'

/** Verbs that read, over a small store that the library made. */

const schema = {
  name: 'readings',
  fields: [
    { name: 'id', type: 'integer' },
    { name: '10', type: 'string' },
    { name: 'amount', type: 'number', parquet: { type: 'DECIMAL', precision: 20, scale: 3 } },
    { name: 'level', type: 'number' },
    { name: 'at', type: 'datetime', parquet: { type: 'TIMESTAMP_MILLIS', utc: true } },
    { name: 'extra', type: 'object' },
    { name: 'never', type: 'string' },
  ],
  missingValues: ['NA'],
}

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'parquet-intake-reading-'))
  await mkdir(join(cwd, 'config'))
  await writeFile(join(cwd, 'config/intake.json'), '{}')
  registerTable(schema)
  const storage = new VersionedParquetStorage(new ParquetStorageEngine({ mode: 'local', basePath: join(cwd, 'store') }))
  const data = [
    {
      id: 9007199254740993n,
      '10': 'a,"b"\nc',
      amount: '12345678901234567.125',
      level: 0.1,
      at: '2024-01-15T10:00:00Z',
      extra: { x: [1, 2] },
    },
    { id: 2, '10': '', amount: null, level: -0, at: null, extra: null },
    { id: 3, '10': '\u001b[31m試料', amount: '-0.500', level: 1e300, at: null, extra: null },
  ]
  const base = { tableName: 'readings', comment: 'first' }
  await storage.createRecord({ ...base, recordId: 'site-a/R1', data, createdBy: 'user-123' })
  await storage.approveRecord({ recordId: 'site-a/R1', approvedBy: 'approver-456', comment: 'All checks passed' })
  await storage.updateRecord({ recordId: 'site-a/R1', data: data.slice(0, 1), updatedBy: 'user-124', comment: 'second' })
  await storage.createRecord({ ...base, recordId: 'R2', data: data.slice(1, 2), createdBy: 'user-123' })
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

const context = (options: { json?: boolean; columns?: number } = {}) => testContext({ cwd, ...options })
const ofCat = { recordId: 'site-a/R1', version: undefined, format: undefined, limit: undefined }

describe('records', () => {
  test('all of them, with status and versions', async () => {
    const c = context({ json: true })
    expect(await records(c, { table: undefined, status: undefined })).toBe(0)
    const printed = JSON.parse(c.stdout.text) as { records: Record<string, unknown>[]; damaged: unknown[] }
    expect(printed.damaged).toEqual([])
    expect(printed.records.map((r) => [r.record_id, r.status, r.current_version, r.approved_version, r.rows])).toEqual([
      ['R2', 'draft', 1, null, 1],
      ['site-a/R1', 'draft', 2, 1, 1],
    ])
  })

  test.each([
    [{ table: 'other', status: undefined }, 0],
    [{ table: 'readings', status: undefined }, 2],
    [{ table: undefined, status: 'approved' as const }, 0],
    [{ table: undefined, status: 'draft' as const }, 2],
  ])('%j leaves %i', async (options, count) => {
    const c = context({ json: true })
    await records(c, options)
    expect((JSON.parse(c.stdout.text) as { records: unknown[] }).records).toHaveLength(count)
  })

  test('results on standard output, the count on standard error', async () => {
    const c = context()
    await records(c, { table: undefined, status: undefined })
    expect(c.stdout.text).toContain('site-a/R1  readings  draft')
    expect(c.stderr.text).toBe('2 records\n')
  })
})

describe('show and history', () => {
  test('show tells each version with its own status', async () => {
    const c = context({ json: true })
    await show(c, { recordId: 'site-a/R1' })
    expect(JSON.parse(c.stdout.text)).toMatchObject({
      record_id: 'site-a/R1',
      status: 'draft',
      approved_version: 1,
      versions: [
        {
          version: 1,
          status: 'approved',
          decided_by: 'approver-456',
          rows: 3,
          path: join(cwd, 'store/records/site-a/R1/versions/v1.parquet'),
        },
        { version: 2, status: 'draft', decided_by: null, rows: 1 },
      ],
    })
    const text = context()
    await show(text, { recordId: 'site-a/R1' })
    expect(text.stdout.text).toContain('approved  version 1')
  })

  test('history is every entry, oldest first', async () => {
    const c = context({ json: true })
    await history(c, { recordId: 'site-a/R1' })
    const printed = JSON.parse(c.stdout.text) as { history: { status: string; version: number }[] }
    expect(printed.history.map((h) => [h.version, h.status])).toEqual([
      [1, 'draft'],
      [1, 'approved'],
      [2, 'draft'],
    ])
    const text = context()
    await history(text, { recordId: 'site-a/R1' })
    expect(text.stdout.text.split('\n').map((l) => l.split(/\s{2,}/)[1])).toEqual(['WHAT', 'created', 'approved', 'updated', undefined])
  })

  test.each([
    ['nope', 'RECORD_NOT_FOUND'],
    ['../store', 'RECORD_ID_ILLEGAL'],
    ['', 'RECORD_ID_ILLEGAL'],
  ])('%j is %s for every verb', async (recordId, code) => {
    for (const verb of [show, history]) await expect(verb(context(), { recordId })).rejects.toMatchObject({ code })
    await expect(cat(context(), { ...ofCat, recordId })).rejects.toMatchObject({ code })
  })
})

describe('cat', () => {
  test('CSV in a pipe: every cell exact, columns in schema order', async () => {
    const c = context()
    await cat(c, { ...ofCat, version: 1 })
    expect(c.stdout.text).toBe(
      [
        'id,10,amount,level,at,extra,never',
        '9007199254740993,"a,""b""\nc",12345678901234567.125,0.1,2024-01-15T10:00:00Z,"{""x"":[1,2]}",',
        '2,"",,-0,,,',
        '3,\u001b[31m試料,-0.500,1e+300,,,',
        '',
      ].join('\n'),
    )
    expect(c.stderr.text).toBe('3 rows, version 1 of site-a/R1\n')
  })

  test('NDJSON with --json: exact as text where a number would round, names in schema order', async () => {
    const c = context({ json: true })
    await cat(c, { ...ofCat, version: 1 })
    const lines = c.stdout.text.trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toBe(
      '{"id":"9007199254740993","10":"a,\\"b\\"\\nc","amount":"12345678901234567.125","level":0.1,"at":"2024-01-15T10:00:00.000Z","extra":{"x":[1,2]},"never":null}',
    )
    expect(JSON.parse(lines[1]!)).toMatchObject({ id: 2, amount: null })
  })

  test('a table on a terminal: nothing wider than it, no control characters, empty columns named', async () => {
    const c = context({ columns: 60 })
    await cat(c, { ...ofCat, version: 1 })
    expect(c.stdout.text).not.toMatch(/\u001b|\r/)
    expect(c.stdout.text).toContain('\\u{1b}[31m試料')
    expect(c.stdout.text).not.toContain('never')
    expect(c.stderr.text).toContain('1 column without a value')
  })

  test.each(['csv', 'ndjson'] as const)('%s on a terminal shows control characters instead of sending them', async (format) => {
    const c = context({ columns: 80 })
    await cat(c, { ...ofCat, version: 1, format })
    expect(c.stdout.text).not.toContain('\u001b')
  })

  test('the newest by default, the approved one by name, any by number', async () => {
    const rowsOf = async (version: number | 'approved' | undefined) => {
      const c = context({ json: true })
      await cat(c, { ...ofCat, version })
      return c.stdout.text.trimEnd().split('\n').length
    }
    expect([await rowsOf(undefined), await rowsOf('approved'), await rowsOf(1), await rowsOf(2)]).toEqual([1, 3, 3, 1])
  })

  test('--limit cuts and says so', async () => {
    const c = context()
    await cat(c, { ...ofCat, version: 1, limit: 1 })
    expect(c.stderr.text).toBe('the first 1 of 3 rows, version 1 of site-a/R1\n')
    const none = context()
    await cat(none, { ...ofCat, version: 1, limit: 0, format: 'csv' })
    expect(none.stdout.text).toBe('id,10,amount,level,at,extra,never\n')
  })

  test('a version that is not there', async () => {
    await expect(cat(context(), { ...ofCat, version: 3 })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
    await expect(cat(context(), { ...ofCat, recordId: 'R2', version: 'approved' })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
  })
})

describe('verify', () => {
  test('finds nothing in a store that nobody touched', async () => {
    const c = context({ json: true })
    expect(await verify(c, { recordIds: [] })).toBe(0)
    expect(JSON.parse(c.stdout.text)).toMatchObject({ records: 2, versions: 3, findings: [] })
    const text = context()
    expect(await verify(text, { recordIds: ['R2'] })).toBe(0)
    expect(text.stdout.text).toContain('nothing found')
  })

  test('a record that is not there is an error, not a finding', async () => {
    await expect(verify(context(), { recordIds: ['nope'] })).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' })
  })

  test('findings have stable codes and status 3', async () => {
    const copy = await mkdtemp(join(tmpdir(), 'parquet-intake-reading-'))
    onTestFinished(() => rm(copy, { recursive: true, force: true }))
    await cp(cwd, copy, { recursive: true })
    const version = join(copy, 'store/records/R2/versions/v1.parquet')
    await chmod(version, 0o640)
    await appendFile(version, 'x')
    const c = testContext({ cwd: copy })
    expect(await verify(c, { recordIds: ['R2'] })).toBe(3)
    expect(c.stdout.text).toContain('error VERSION_SIZE_MISMATCH (R2, version 1')
    expect(c.stdout.text).toContain('hint: ')
  })

  test('without a store it says so', async () => {
    await expect(verify(testContext({ cwd, env: { PARQUET_INTAKE_STORE_PATH: '/nonexistent' } }), { recordIds: [] })).rejects.toMatchObject(
      { code: 'NO_STORE' },
    )
  })
})

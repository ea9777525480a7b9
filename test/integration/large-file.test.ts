import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { convertSource } from '../../src/convert/convert-source.js'
import { ConvertPool } from '../../src/convert/pool.js'
import type { ConvertDone, ConvertRequest, ConvertResult } from '../../src/convert/protocol.js'
import { sha256Hex } from '../../src/core/hashes.js'
import { DEFAULT_DIALECT, intakeConfig } from '../../src/documents/config.js'
import { nodeFiles } from '../../src/runtime/files.js'
import { builtMain } from '../support/built-program.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** One large file on all threads: parts are cut at records, whatever stands in the cells, and the result is that of one thread. */
const TABLE = {
  name: 'large',
  fields: [
    { name: 'id', type: 'integer', constraints: { required: true } },
    { name: 'kind', type: 'string' },
    { name: 'x', type: 'number' },
    { name: 'note', type: 'string' },
  ],
  missingValues: [''],
}

let pool: ConvertPool
beforeAll(() => {
  pool = new ConvertPool({ threads: 3, lanes: 2, workerUrl: pathToFileURL(join(dirname(builtMain()), '../workers/convert-thread.cjs')) })
})
afterAll(() => pool.close())

async function write(rows: (i: number) => string, count: number): Promise<{ folder: string; path: string }> {
  const folder = await temporaryFolder()
  const path = join(folder, 'in.csv')
  let text = 'id,kind,x,note\n'
  for (let i = 0; i < count; i++) text += rows(i)
  writeFileSync(path, text)
  return { folder, path }
}

/** Long notes with quotes, delimiters and line ends make it certain that parts begin inside quotes. */
const row = (i: number): string => `${i},${'abc'[i % 3]},${i / 8},"line ${i}\n""two"", and ${'three '.repeat(i % 40)}\r\n"\n`

function request(path: string, out: string, table: object = TABLE): ConvertRequest {
  return {
    sourcePath: path,
    place: 'in.csv',
    tableName: 'large',
    tableDocument: table,
    dialect: DEFAULT_DIALECT,
    grouping: { kind: 'single', recordId: null },
    onInvalid: 'quarantine-drop',
    output: { kind: 'file', path: out },
    reportFolder: null,
    limits: intakeConfig.parse({}).limits,
    compression: 'SNAPPY',
    verify: 'full',
    expectedRows: null,
    progress: null,
  }
}

function done(result: ConvertResult): ConvertDone {
  if (result.status === 'failed') throw new Error(`${result.code}: ${result.message}`)
  return result
}

test('the bytes are those of one thread, and the cells those of csv-parse', async () => {
  const { folder, path } = await write(row, 160_000)
  const lanes = done(await pool.convert(request(path, join(folder, 'lanes.parquet'))))
  const one = done(await convertSource(request(path, join(folder, 'one.parquet')), { files: nodeFiles }))
  const slow = done(await convertSource(request(path, join(folder, 'slow.parquet')), { files: nodeFiles, plainText: false }))
  expect(lanes.rows).toEqual({ in: 160_000, good: 160_000, invalid: 0, blank: 0 })
  expect(lanes.staged[0]!.parquetSha256).toBe(one.staged[0]!.parquetSha256)
  expect(lanes.staged[0]!.contentSha256).toBe(slow.staged[0]!.contentSha256)
  expect(existsSync(join(folder, 'lanes.parquet'))).toBe(true)
})

test('one wrong cell in the middle is reported with its line, and nothing is left of the attempt', async () => {
  const { folder, path } = await write((i) => (i === 90_000 ? 'x,a,1,n\n' : `${i},a,${i}.5,${'text '.repeat(20)}${i}\n`), 120_000)
  const result = done(await pool.convert(request(path, join(folder, 'out.parquet'))))
  expect(result).toMatchObject({ valid: false, staged: [], rows: { in: 120_000, good: 119_999, invalid: 1 }, totals: { TYPE_ERROR: 1 } })
  expect(result.report.tasks[0]!.errors[0]).toMatchObject({ line: 90_002, fieldName: 'id' })
  expect(readdirSync(folder)).toEqual(['in.csv'])
})

test('a key that stands in two parts is found', async () => {
  const table = { ...TABLE, primaryKey: ['id'] }
  const { folder, path } = await write((i) => `${i === 119_990 ? 7 : i},a,${i}.5,${'text '.repeat(20)}${i}\n`, 120_000)
  const result = done(await pool.convert(request(path, join(folder, 'out.parquet'), table)))
  expect(result).toMatchObject({ valid: false, totals: { PRIMARY_KEY_ERROR: 1 } })
  expect(result.report.tasks[0]!.errors[0]).toMatchObject({ line: 119_992 })
})

test('a record that goes through whole parts, and blank lines at their borders, are no matter', async () => {
  const { folder, path } = await write(
    (i) => (i === 60_000 ? `${i},a,1,"${'long\n'.repeat(2_500_000)}"\n\n\n` : `${i},a,${i}.5,${'text '.repeat(20)}${i}\n`),
    120_000,
  )
  const lanes = done(await pool.convert(request(path, join(folder, 'lanes.parquet'))))
  const one = done(await convertSource(request(path, join(folder, 'one.parquet')), { files: nodeFiles }))
  expect(lanes.rows).toEqual({ in: 120_002, good: 120_000, invalid: 0, blank: 2 })
  expect(lanes.staged[0]!.parquetSha256).toBe(one.staged[0]!.parquetSha256)
})

test('an abort stops all lanes and leaves nothing', async () => {
  const { folder, path } = await write(row, 160_000)
  const abort = new AbortController()
  const converting = pool.convert(request(path, join(folder, 'out.parquet')), { signal: abort.signal })
  setImmediate(() => abort.abort())
  expect(await converting).toMatchObject({ status: 'failed', code: 'ABORTED' })
  expect(readdirSync(folder)).toEqual(['in.csv'])
  // The same threads go on with other work.
  expect(done(await pool.convert(request(path, join(folder, 'again.parquet')))).valid).toBe(true)
})

/** The same threads, with a file of many records. */
const HOLES = 50
const bulkRow = (i: number): string =>
  `${i},"H${(i * 7919) % HOLES}",${i / 8},"line ${i % 5000}\n""two"", and ${'three '.repeat(i % 30)}"\n`

function bulkRequest(folder: string, path: string, table: object = TABLE): ConvertRequest {
  return {
    ...request(path, '', table),
    grouping: { kind: 'column', prefix: 'h/', column: 'kind', suffix: '' },
    output: { kind: 'staging', stagingRoot: folder, dropId: '20240127T100000123Z-000001-9f86d081884c7d65' },
  }
}

test('a bulk file on all threads stages the bytes of one thread, in the order in which its records appear', async () => {
  const { folder, path } = await write(bulkRow, 150_000)
  const results: ConvertDone[] = []
  for (const convert of [
    () => pool.convert(bulkRequest(folder, path)),
    () => convertSource(bulkRequest(folder, path), { files: nodeFiles }),
    () => convertSource(bulkRequest(folder, path), { files: nodeFiles, splitSizes: { chunkBytes: 1 << 30 } }),
  ]) {
    const result = done(await convert())
    results.push(result)
    for (const { path: file, parquetSha256 } of result.staged) expect(sha256Hex(readFileSync(file))).toBe(parquetSha256)
    for (const staged of result.staged) rmSync(dirname(staged.path), { recursive: true })
  }
  const [lanes, ...others] = results
  expect(lanes!.rows).toEqual({ in: 150_000, good: 150_000, invalid: 0, blank: 0 })
  expect(lanes!.staged.map((s) => s.recordId)).toEqual(Array.from({ length: HOLES }, (_, i) => `h/H${(i * 7919) % HOLES}`))
  for (const other of others) expect(other.staged).toEqual(lanes!.staged)
  expect(readdirSync(folder)).toEqual(['in.csv'])
})

test('a key that stands twice in a record, far apart, is found on all threads, and nothing is left', async () => {
  const table = { ...TABLE, primaryKey: ['id'] }
  const { folder, path } = await write((i) => (i === 119_950 ? bulkRow(i).replace(/^\d+/, '0') : bulkRow(i)), 120_000)
  const result = done(await pool.convert(bulkRequest(folder, path, table)))
  // Row 0 and row 119,950 are of one record.
  expect(result).toMatchObject({ valid: false, staged: [], totals: { PRIMARY_KEY_ERROR: 1 } })
  expect(readdirSync(folder)).toEqual(['in.csv'])
})

test('one wrong cell in a bulk file is reported with its line, and an abort leaves nothing either', async () => {
  const { folder, path } = await write(
    (i) => (i === 100_000 ? 'x,H1,1,n\n' : `${i},H${i % HOLES},${i}.5,${'text '.repeat(20)}${i}\n`),
    120_000,
  )
  const result = done(await pool.convert(bulkRequest(folder, path)))
  expect(result).toMatchObject({ valid: false, staged: [], totals: { TYPE_ERROR: 1 } })
  expect(result.report.tasks[0]!.errors[0]).toMatchObject({ line: 100_002, fieldName: 'id' })
  const abort = new AbortController()
  const converting = pool.convert(bulkRequest(folder, path), { signal: abort.signal })
  setTimeout(() => abort.abort(), 50)
  expect(await converting).toMatchObject({ status: 'failed', code: 'ABORTED' })
  expect(readdirSync(folder)).toEqual(['in.csv'])
})

import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { DropReceipt } from '../../src/documents/receipt.js'
import { duckdbTexts } from '../support/duckdb.js'
import { IntakeWorkspace } from '../support/intake-workspace.js'

/**
 * Real files, dropped on the built daemon and compared cell by cell with what DuckDB reads from the same CSV by itself.
 * `SAMPLES_DIR=… npm run test:samples`; the files are not shipped, so without the folder there is nothing to run.
 */
const folder = process.env.SAMPLES_DIR
const at = (name: string): string => join(folder ?? '', name)
const table = (name: string): object => JSON.parse(readFileSync(new URL(`tables/${name}.json`, import.meta.url), 'utf8')) as object

interface Sample {
  readonly file: string
  readonly table: string
  readonly match: string
  readonly drop: string
  readonly record: string
  readonly dialect?: object
  readonly onInvalid?: string
  /** DuckDB's own reading of the CSV, every column as text. */
  readonly read: string
  /** Columns compared as numbers, not as texts. */
  readonly doubles: readonly string[]
  readonly decimals?: readonly string[]
  readonly booleans?: readonly string[]
  /** The dialect skips spaces at the start of a cell. */
  readonly trims?: boolean
  readonly rows: number
  readonly records: number
}

const SAMPLES: readonly Sample[] = [
  {
    file: 'drillhole-assay.csv',
    table: 'drillhole_assay',
    match: 'assay/*.csv',
    drop: 'assay/assay.csv',
    record: 'holes/{column:BHID}/assay',
    read: `read_csv('${at('drillhole-assay.csv')}', all_varchar = true, header = true)`,
    doubles: ['FROM', 'TO', 'CU', 'NI', 'S', 'FE'],
    rows: 35_616,
    records: 399,
  },
  {
    file: 'drillhole-collar.csv',
    table: 'drillhole_collar',
    match: 'collar/*.csv',
    drop: 'collar/collar.csv',
    record: '{stem}',
    read: `read_csv('${at('drillhole-collar.csv')}', all_varchar = true, header = true)`,
    doubles: ['XCOLLAR', 'YCOLLAR', 'ZCOLLAR'],
    rows: 399,
    records: 1,
  },
  {
    file: 'drillhole-survey.csv',
    table: 'drillhole_survey',
    match: 'survey/*.csv',
    drop: 'survey/survey.csv',
    record: 'holes/{column:BHID}/survey',
    read: `read_csv('${at('drillhole-survey.csv')}', all_varchar = true, header = true)`,
    doubles: ['AT', 'AZ', 'DIP'],
    rows: 2628,
    records: 399,
  },
  {
    file: 'usgs-water-samples.csv',
    table: 'water_samples',
    match: 'water/*.csv',
    drop: 'water/samples.csv',
    record: '{stem}',
    read: `read_csv('${at('usgs-water-samples.csv')}', all_varchar = true, header = true)`,
    doubles: ['Location_Latitude', 'Location_Longitude', 'Result_Measure', 'DetectionLimit_MeasureA', 'DetectionLimit_MeasureB'],
    rows: 67,
    records: 1,
  },
  {
    file: 'ags-lab-results.csv',
    table: 'lab_results',
    match: 'ags/*.csv',
    drop: 'ags/ERES.csv',
    record: 'ags/{stem}',
    dialect: { headerRows: [1], commentRows: [2, 3] },
    read: `(SELECT * FROM read_csv('${at('ags-lab-results.csv')}', all_varchar = true, header = true) WHERE HEADING = 'DATA')`,
    doubles: ['ERES_RVAL', 'ERES_RDLM', 'ERES_MDLM', 'ERES_QLM'],
    decimals: ['SAMP_TOP', 'SPEC_DPTH'],
    booleans: ['ERES_RRES', 'ERES_DETF', 'ERES_ORG'],
    rows: 1659,
    records: 1,
  },
  {
    file: 'usgs-sites.rdb',
    table: 'water_sites',
    match: 'sites/*.rdb',
    drop: 'sites/sites.rdb',
    record: 'sites/{stem}',
    dialect: { delimiter: '\t', quoteChar: null, commentChar: '#', skipInitialSpace: true, headerRows: [1], commentRows: [2] },
    read: `(SELECT COLUMNS(c -> true) FROM read_csv('${at('usgs-sites.rdb')}', all_varchar = true, header = true, delim = '\t', quote = '', comment = '#') WHERE agency_cd <> '5s')`,
    doubles: ['dec_lat_va', 'dec_long_va', 'alt_acy_va'],
    decimals: ['alt_va'],
    trims: true,
    rows: 206,
    records: 1,
  },
]

const figures: string[] = []

describe.skipIf(folder === undefined)('real files', () => {
  for (const sample of SAMPLES) {
    test(`${sample.file}: every cell that goes in comes out`, async () => {
      const ws = await IntakeWorkspace.make({
        sources: [
          {
            name: sample.table,
            match: sample.match,
            table: sample.table,
            record: sample.record,
            createdBy: 'survey',
            ...(sample.dialect === undefined ? {} : { dialect: sample.dialect }),
            ...(sample.onInvalid === undefined ? {} : { onInvalid: sample.onInvalid }),
          },
        ],
        tables: { [sample.table]: table(sample.table) },
      })
      const bytes = readFileSync(at(sample.file))
      await ws.drop(sample.drop, bytes)
      const run = await ws.run(['run', '--once'], null)
      const receipt = ws.receiptOf(sample.drop)
      expect(receipt, run.stderr).toMatchObject({ sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length })
      const { rows } = receipt
      expect(rows.in).toBe(rows.committed! + rows.unchanged! + rows.withheld! + rows.invalid! + rows.blank!)
      figures.push(figure(sample, receipt, bytes.length, ws))
      if (receipt.outcome !== 'committed') return
      expect(receipt.records).toHaveLength(sample.records)
      expect(rows.in).toBe(sample.rows)
      const cast = (c: string): string =>
        sample.doubles.includes(c)
          ? 'DOUBLE'
          : sample.decimals?.includes(c)
            ? 'DECIMAL(18,2)'
            : sample.booleans?.includes(c)
              ? 'BOOLEAN'
              : 'VARCHAR'
      const names = (table(sample.table) as { fields: Array<{ name: string }> }).fields.map((f) => f.name)
      const columns = names.map((c) => `CAST(NULLIF(${sample.trims ? `ltrim("${c}")` : `"${c}"`}, '') AS ${cast(c)}) AS "${c}"`).join(', ')
      const columnsOut = names.map((c) => `CAST("${c}" AS ${cast(c)}) AS "${c}"`).join(', ')
      const parquet = `read_parquet('${ws.path('store/records')}/**/versions/*.parquet')`
      const [missing] = await duckdbTexts(
        `SELECT count(*)::VARCHAR FROM (SELECT ${columns} FROM ${sample.read} EXCEPT ALL SELECT ${columnsOut} FROM ${parquet})`,
      )
      const [added] = await duckdbTexts(
        `SELECT count(*)::VARCHAR FROM (SELECT ${columnsOut} FROM ${parquet} EXCEPT ALL SELECT ${columns} FROM ${sample.read})`,
      )
      expect([missing, added]).toEqual([['0'], ['0']])
      expect((await ws.json<{ findings: unknown[] }>(['verify'])).findings).toEqual([])
    })
  }

  afterAll(() => {
    process.stdout.write(
      `\n| file | bytes | rows | records | outcome | Parquet bytes | why not |\n|---|---:|---:|---:|---|---:|---|\n${figures.join('\n')}\n`,
    )
  })
})

function figure(sample: Sample, receipt: DropReceipt, bytes: number, ws: IntakeWorkspace): string {
  const size = receipt.records.reduce((n, r) => n + (r.key === null ? 0 : statSync(ws.path('store', r.key)).size), 0)
  const errors = Object.entries(receipt.errors ?? {})
    .map(([code, n]) => `${code} ${n}`)
    .join(', ')
  return `| ${sample.file} | ${bytes} | ${receipt.rows.in ?? '?'} | ${receipt.records.length} | ${receipt.outcome} | ${size} | ${errors || (receipt.message ?? '')} |`
}

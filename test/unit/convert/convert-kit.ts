import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { toJs } from '../../../src/columns/value-format.js'
import { convertSource } from '../../../src/convert/convert-source.js'
import type { ConvertDone, ConvertFailed, ConvertRequest, ConvertResult } from '../../../src/convert/protocol.js'
import { DEFAULT_DIALECT, type DialectDocument, dialectDocument, intakeConfig } from '../../../src/documents/config.js'
import { fileSource, openParquet } from '../../../src/parquet/read-file.js'
import { type Files, nodeFiles } from '../../../src/runtime/files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

export const DROP_ID = '20240127T100000123Z-000001-9f86d081884c7d65'

/** A number per row, its record, a unique column, and a note. */
export const TABLE = {
  name: 'samples',
  fields: [
    { name: 'hole', type: 'string', constraints: { required: true } },
    { name: 'no', type: 'integer', constraints: { minimum: 1 } },
    { name: 'depth', type: 'number', constraints: { unique: true } },
    { name: 'note', type: 'string' },
  ],
}

export type RequestOptions = Partial<Omit<ConvertRequest, 'dialect' | 'limits'>> & {
  readonly dialect?: Partial<DialectDocument>
  readonly limits?: Partial<ConvertRequest['limits']>
}

/** One drop on disk with its claim folder and staging area. */
export class Drop {
  private constructor(
    readonly folder: string,
    readonly source: string,
    readonly staging: string,
    readonly report: string,
  ) {}

  static async of(csv: string | Uint8Array): Promise<Drop> {
    const folder = await temporaryFolder()
    const drop = new Drop(folder, join(folder, 'source.csv'), join(folder, 'staging'), join(folder, 'claim'))
    await writeFile(drop.source, csv)
    await mkdir(drop.staging)
    await mkdir(drop.report)
    return drop
  }

  request(options: RequestOptions = {}): ConvertRequest {
    const { dialect, limits, ...rest } = options
    return {
      sourcePath: this.source,
      place: 'drop.csv',
      tableName: 'samples',
      tableDocument: TABLE,
      dialect: dialect === undefined ? DEFAULT_DIALECT : dialectDocument.parse(dialect),
      grouping: { kind: 'single', recordId: 'R1' },
      onInvalid: 'quarantine-drop',
      output: { kind: 'staging', stagingRoot: this.staging, dropId: DROP_ID },
      reportFolder: this.report,
      limits: { ...intakeConfig.parse({}).limits, ...limits },
      compression: 'SNAPPY',
      verify: 'full',
      expectedRows: null,
      progress: null,
      ...rest,
    }
  }

  run(options: RequestOptions = {}, files: Files = nodeFiles, signal?: AbortSignal): Promise<ConvertResult> {
    return convertSource(this.request(options), signal === undefined ? { files } : { files, signal })
  }

  async done(options: RequestOptions = {}): Promise<ConvertDone> {
    const result = await this.run(options)
    if (result.status !== 'done') throw new Error(`${result.code}: ${result.message}`)
    return result
  }

  async failed(options: RequestOptions = {}, files: Files = nodeFiles, signal?: AbortSignal): Promise<ConvertFailed> {
    const result = await this.run(options, files, signal)
    expect(result.status).toBe('failed')
    return result as ConvertFailed
  }

  /** What lies in the staging area. */
  get stagedNames(): string[] {
    return readdirSync(this.staging).sort()
  }

  get reportNames(): string[] {
    return readdirSync(this.report).sort()
  }

  text(name: 'rejects.csv' | 'mended.csv'): string {
    return readFileSync(join(this.report, name), 'utf8')
  }

  bytes(name: 'rejects.csv' | 'mended.csv'): Buffer {
    return readFileSync(join(this.report, name))
  }

  has(name: string): boolean {
    return existsSync(join(this.report, name))
  }
}

/** Every row of a Parquet file as the library gives it, and the rows of each row group. */
export async function readRows(path: string): Promise<{ names: string[]; rows: unknown[][]; groups: number[] }> {
  const file = await nodeFiles.openRead(path)
  if (file === null) throw new Error(`${path} is not there`)
  try {
    const parquet = await openParquet(await fileSource(file))
    const rows: unknown[][] = []
    for (let g = 0; g < parquet.rowGroups.length; g++) {
      const vectors = await parquet.readRowGroup(g)
      for (let i = 0; i < parquet.rowGroups[g]!.rows; i++) {
        rows.push(vectors.map((v, c) => (v.validity[i] === 0 ? null : toJs(parquet.columns[c]!, v.values, i))))
      }
    }
    return { names: parquet.columns.map((c) => c.name), rows, groups: parquet.rowGroups.map((g) => g.rows) }
  } finally {
    await file.close()
  }
}

export function column(prefix = 'soil/', name = 'hole', suffix = ''): ConvertRequest['grouping'] {
  return { kind: 'column', prefix, column: name, suffix }
}

/** in = rows of staged records + rows of withheld ones + what belongs to none + invalid + blank. */
export function expectAccount(done: ConvertDone): void {
  if (done.rows.in === null) {
    expect(done.rows).toEqual({ in: null, good: null, invalid: null, blank: null })
    return
  }
  const { good, invalid, blank } = done.rows
  expect(done.rows.in).toBe(good! + invalid! + blank!)
  const staged = done.staged.reduce((n, r) => n + r.rows, 0)
  const withheld = done.withheld.reduce((n, r) => n + r.rows, 0)
  expect(staged + withheld).toBeLessThanOrEqual(good!)
}

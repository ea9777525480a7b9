import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type DuckDBConnection,
  type DuckDBDateValue,
  type DuckDBDecimalValue,
  DuckDBInstance,
  type DuckDBTimestampTZValue,
  type DuckDBTimestampValue,
  type DuckDBTimeValue,
} from '@duckdb/node-api'
import type { LogicalType } from '../../../src/columns/vector.js'
import type { Cell } from './sample-vectors.js'

/** An engine of its own, and a folder for files that it reads. */
export class Engine {
  private constructor(
    private readonly instance: DuckDBInstance,
    readonly connection: DuckDBConnection,
    private readonly folder: string,
  ) {}
  private files = 0

  static async start(): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    const connection = await instance.connect()
    await connection.run("SET TimeZone = 'UTC'")
    return new Engine(instance, connection, await mkdtemp(join(tmpdir(), 'parquet-engine-')))
  }

  /** SQL that reads the bytes as a table. */
  async table(bytes: Uint8Array): Promise<string> {
    const path = join(this.folder, `${this.files++}.parquet`)
    await writeFile(path, bytes)
    return `read_parquet('${path}')`
  }

  async rows(sql: string): Promise<unknown[][]> {
    return (await (await this.connection.run(sql)).getRows()) as unknown[][]
  }

  async stop(): Promise<void> {
    this.connection.closeSync()
    this.instance.closeSync()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** What DuckDB gives, in the physical form of our vectors. */
export function cellFromDuckdb(logical: LogicalType, value: unknown): Cell {
  if (value === null) return null
  switch (logical.kind) {
    case 'decimal': {
      const unscaled = (value as DuckDBDecimalValue).value
      return logical.precision <= 9 ? Number(unscaled) : unscaled
    }
    case 'date':
      return (value as DuckDBDateValue).days
    case 'time': {
      const micros = (value as DuckDBTimeValue).micros
      return logical.unit === 'MILLIS' ? Number(micros / 1000n) : micros
    }
    case 'timestamp': {
      const micros = (value as DuckDBTimestampValue | DuckDBTimestampTZValue).micros
      return logical.unit === 'MILLIS' ? micros / 1000n : micros
    }
    default:
      return value as Cell
  }
}

import { toJs } from '../columns/value-format.js'
import type { ColumnType, PlainVector } from '../columns/vector.js'
import { type CompiledFilter, compileFilter, type RowFilter } from './filters.js'
import { type ByteSource, columnIndex, openParquet, type ParquetFile } from './read-file.js'
import { signedBigEndian } from './value-order.js'

export type { RowFilter } from './filters.js'

export interface RowsOptions {
  /** Names of the columns wanted, in the order wanted; all in schema order by default. */
  readonly columns?: readonly string[]
  /** All must hold. */
  readonly filters?: readonly RowFilter[]
}

/**
 * Every value of a column, aligned with rows; `validity` is 1 where a row has a value. A missing row holds zero, or an empty text.
 *
 * | logical type                             | values                                     |
 * |------------------------------------------|--------------------------------------------|
 * | boolean                                  | Uint8Array, 0 or 1                         |
 * | integer of 32 bits, date, time in MILLIS | Int32Array                                 |
 * | integer of 64 bits, time in MICROS, timestamp | BigInt64Array                         |
 * | double                                   | Float64Array                               |
 * | decimal                                  | unscaled: Int32Array (precision ≤ 9), BigInt64Array (≤ 18), bigint[] |
 * | string, json                             | string[]                                   |
 */
export interface ColumnData {
  readonly type: ColumnType
  readonly values: Uint8Array | Int32Array | BigInt64Array | Float64Array | string[] | bigint[]
  readonly validity: Uint8Array
}

/** One version of a record, or any Parquet file of this product. Only what is asked for is read: row groups and columns that cannot matter are not. */
export class VersionReader {
  private constructor(
    private readonly file: ParquetFile,
    /** Where an engine (DuckDB, Spark, pandas) opens the same bytes. */
    readonly url: string,
  ) {}

  /** Reads the footer. Throws PARQUET_INVALID. The source is closed by `close`, or here when opening fails. */
  static async open(options: { source: ByteSource; url: string }): Promise<VersionReader> {
    try {
      return new VersionReader(await openParquet(options.source), options.url)
    } catch (error) {
      await options.source.close?.()
      throw error
    }
  }

  get rowCount(): number {
    return this.file.rowCount
  }

  get schema(): readonly ColumnType[] {
    return this.file.columns
  }

  /** The file's own key-value metadata. */
  get keyValue(): ReadonlyMap<string, string> {
    return this.file.keyValue
  }

  /**
   * Rows in file order, as objects without a prototype, so that a column may have any name (JavaScript lists names that look like array
   * indices first; `schema` has the true order). Values: columns/value-format.ts, `toJs`; a missing one is null.
   * Throws UNKNOWN_COLUMN and FILTER_INVALID before the first row. Memory: the wanted columns of one row group.
   */
  async *rows(options: RowsOptions = {}): AsyncIterableIterator<Record<string, unknown>> {
    const { columns } = this.file
    const wanted = this.columnIndices(options.columns)
    const filters = (options.filters ?? []).map((filter) => compileFilter(filter, columns))
    for (const [g, group] of this.file.rowGroups.entries()) {
      if (!filters.every((filter) => filter.mayMatch(group.columns[filter.column]!, group.rows))) continue
      const vectors = new Map<number, PlainVector>()
      const matching = await this.matchingRows(g, filters, vectors)
      if (matching !== null && matching.length === 0) continue
      const read: { type: ColumnType; vector: PlainVector }[] = []
      for (const c of wanted) read.push({ type: columns[c]!, vector: await this.vector(g, c, vectors) })
      const count = matching === null ? group.rows : matching.length
      for (let k = 0; k < count; k++) {
        const i = matching === null ? k : matching[k]!
        const row: Record<string, unknown> = Object.create(null)
        for (const { type, vector } of read) row[type.name] = vector.validity[i] === 1 ? toJs(type, vector.values, i) : null
        yield row
      }
    }
  }

  /** Whole columns as typed arrays, by name, in the order asked for. Memory: those columns. Throws UNKNOWN_COLUMN. */
  async columns(names?: readonly string[]): Promise<Map<string, ColumnData>> {
    const result = new Map<string, ColumnData>()
    for (const c of this.columnIndices(names)) {
      const type = this.file.columns[c]!
      const validity = new Uint8Array(this.rowCount)
      const column = new ColumnAssembly(type, this.rowCount)
      let at = 0
      for (const [g, group] of this.file.rowGroups.entries()) {
        const vector = await this.file.readColumn(g, c)
        validity.set(vector.validity, at)
        column.put(vector, at)
        at += group.rows
      }
      result.set(type.name, { type, values: column.values, validity })
    }
    return result
  }

  async close(): Promise<void> {
    await this.file.close()
  }

  private columnIndices(names: readonly string[] | undefined): number[] {
    return names === undefined ? this.file.columns.map((_, i) => i) : names.map((name) => columnIndex(this.file.columns, name))
  }

  /** Rows of a row group that all filters let through; null: all rows, for there is no filter. */
  private async matchingRows(
    g: number,
    filters: readonly CompiledFilter[],
    vectors: Map<number, PlainVector>,
  ): Promise<Uint32Array | null> {
    let matching: Uint32Array | null = null
    for (const filter of filters) {
      const vector = await this.vector(g, filter.column, vectors)
      const before: Uint32Array | null = matching
      const count: number = before === null ? vector.rows : before.length
      const kept = new Uint32Array(count)
      let n = 0
      for (let k = 0; k < count; k++) {
        const i: number = before === null ? k : before[k]!
        if (filter.matches(vector, i)) kept[n++] = i
      }
      matching = kept.subarray(0, n)
      if (n === 0) break
    }
    return matching
  }

  private async vector(g: number, column: number, vectors: Map<number, PlainVector>): Promise<PlainVector> {
    const known = vectors.get(column)
    if (known !== undefined) return known
    const vector = await this.file.readColumn(g, column)
    vectors.set(column, vector)
    return vector
  }
}

class ColumnAssembly {
  readonly values: ColumnData['values']

  constructor(type: ColumnType, rows: number) {
    switch (type.physical) {
      case 'BOOLEAN':
        this.values = new Uint8Array(rows)
        break
      case 'INT32':
        this.values = new Int32Array(rows)
        break
      case 'INT64':
        this.values = new BigInt64Array(rows)
        break
      case 'DOUBLE':
        this.values = new Float64Array(rows)
        break
      case 'FIXED_LEN_BYTE_ARRAY':
        this.values = new Array<bigint>(rows).fill(0n)
        break
      case 'BYTE_ARRAY':
        this.values = new Array<string>(rows).fill('')
        break
    }
  }

  put(vector: PlainVector, at: number): void {
    const { values } = vector
    switch (values.physical) {
      case 'BOOLEAN':
        ;(this.values as Uint8Array).set(values.data, at)
        break
      case 'INT32':
        ;(this.values as Int32Array).set(values.data, at)
        break
      case 'INT64':
        ;(this.values as BigInt64Array).set(values.data, at)
        break
      case 'DOUBLE':
        ;(this.values as Float64Array).set(values.data, at)
        break
      case 'FIXED_LEN_BYTE_ARRAY': {
        const target = this.values as bigint[]
        const w = values.widthBytes
        for (let i = 0; i < vector.rows; i++)
          if (vector.validity[i] === 1) target[at + i] = signedBigEndian(values.data.subarray(i * w, i * w + w))
        break
      }
      case 'BYTE_ARRAY': {
        const target = this.values as string[]
        const bytes = Buffer.from(values.data.buffer, values.data.byteOffset, values.data.byteLength)
        for (let i = 0; i < vector.rows; i++) target[at + i] = bytes.toString('utf8', values.offsets[i]!, values.offsets[i + 1]!)
        break
      }
    }
  }
}

import { crc32, gunzipSync } from 'node:zlib'
import {
  type ColumnType,
  DECIMAL_WIDTH_BYTES,
  type LogicalType,
  type PhysicalType,
  type PlainVector,
  physicalTypeOf,
  type Values,
} from '../columns/vector.js'
import { IntakeError } from '../errors.js'
import type { OpenFile } from '../runtime/files.js'
import { zstdDecompress } from './decode-zstd.js'
import { UNIT_KEY, UNITS_KEY } from './metadata-keys.js'
import type { PhysicalValue } from './value-order.js'

/** Bytes that can be read by position: a file, or an object behind range reads. */
export interface ByteSource {
  readonly sizeBytes: number
  /** The bytes `[start, end)`, all of them. */
  read(start: number, end: number): Promise<Uint8Array>
  /** The bytes from `start` on, into memory of the caller, which they fill: for who reads much, and again and again. */
  readInto?(start: number, into: Uint8Array): Promise<void>
  close?(): Promise<void>
}

/** A file as a source. Its size is taken now; a file that gets shorter later fails with PARQUET_INVALID. */
export async function fileSource(file: OpenFile): Promise<ByteSource> {
  const { sizeBytes } = await file.stat()
  const readInto = async (start: number, into: Uint8Array): Promise<void> => {
    const got = await file.read(into, start)
    if (got !== into.length) throw invalid(`the file ends at byte ${start + got}, and ${start + into.length} were expected`)
  }
  return {
    sizeBytes,
    readInto,
    async read(start, end) {
      const bytes = new Uint8Array(end - start)
      await readInto(start, bytes)
      return bytes
    },
    close: () => file.close(),
  }
}

/** Bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return { sizeBytes: bytes.length, read: async (start, end) => bytes.subarray(start, end) }
}

/** Bytes that stand together in a file. */
export interface FileSection {
  readonly startByte: number
  readonly sizeBytes: number
}

export interface ColumnChunkFacts {
  readonly name: string
  readonly min: PhysicalValue | null
  readonly max: PhysicalValue | null
  /** Whether the bounds are values of the chunk, and not merely bounds. */
  readonly minExact: boolean
  readonly maxExact: boolean
  /** null: the file does not say. */
  readonly nullCount: number | null
  readonly encodings: readonly string[]
  readonly compression: string
  /** Where the pages begin in the file, and how many bytes they take there, with their headers. */
  readonly startByte: number
  readonly compressedBytes: number
  /** The same before compression; headers are not compressed. */
  readonly uncompressedBytes: number
  /** Bytes before the first data page: the dictionary page, or 0. */
  readonly dictionaryPageBytes: number
  /** Whether the schema lets rows be missing, so that pages have definition levels. */
  readonly optional: boolean
  /** Its page index (verify-page-index.ts decodes it); null: the file has none. */
  readonly columnIndex: FileSection | null
  readonly offsetIndex: FileSection | null
}

export interface RowGroupFacts {
  readonly rows: number
  readonly columns: readonly ColumnChunkFacts[]
}

/**
 * A Parquet file of the shapes that this product writes (columns/vector.ts), read with hyparquet. Cells come out as the physical values
 * they are: no Date, no rounded decimal, no name that could be taken for a property. Columns are found by position, never through objects.
 */
export interface ParquetFile {
  readonly rowCount: number
  readonly columns: readonly ColumnType[]
  readonly keyValue: ReadonlyMap<string, string>
  readonly createdBy: string | null
  readonly rowGroups: readonly RowGroupFacts[]
  readColumn(rowGroup: number, column: number): Promise<PlainVector>
  /** The pages of a column that have a row of `[from, to)` of the row group, and the row that the first of them begins with. */
  readPages(rowGroup: number, column: number, from: number, to: number): Promise<{ firstRow: number; vector: PlainVector }>
  /**
   * The page of a column that has the row, and no more than its first `most` rows: to look at some rows without paying for many. `bytes` are
   * those of the column in that row group, which the caller has read already.
   */
  readSample(rowGroup: number, column: number, row: number, most: number, bytes: Uint8Array): { firstRow: number; vector: PlainVector }
  /** The named columns in the order given, or all. A name the file does not have throws UNKNOWN_COLUMN. */
  readRowGroup(rowGroup: number, columnNames?: readonly string[]): Promise<PlainVector[]>
  close(): Promise<void>
}

const MAGIC = 0x31524150
/** One read mostly gets the footer and its length. */
const FOOTER_GUESS_BYTES = 65_536

async function loadHyparquet() {
  const [{ parquetMetadata }, { parquetHeader }, pages, { deserializeTCompactProtocol }, { readRleBitPackedHybrid }, names] =
    await Promise.all([
      import('hyparquet/src/metadata.js'),
      import('hyparquet/src/column.js'),
      import('hyparquet/src/datapage.js'),
      import('hyparquet/src/thrift.js'),
      import('hyparquet/src/encoding.js'),
      import('hyparquet/src/constants.js'),
    ])
  const { readPlain } = await import('hyparquet/src/plain.js')
  const { CompressionCodecs, Encodings, ParquetTypes } = names
  return {
    parquetMetadata,
    parquetHeader,
    ...pages,
    readPlain,
    deserializeTCompactProtocol,
    readRleBitPackedHybrid,
    CompressionCodecs,
    Encodings,
    ParquetTypes,
  }
}
type Hyparquet = Awaited<ReturnType<typeof loadHyparquet>>

/** Asking the loader each time takes longer than to read a small footer. */
let loading: Promise<Hyparquet> | null = null
type SchemaElement = ReturnType<Hyparquet['parquetMetadata']>['schema'][number]
type Codec = Hyparquet['CompressionCodecs'][number]
type ColumnDecoder = Parameters<Hyparquet['readDataPage']>[2]
type DecodedArray = ReturnType<Hyparquet['readPlain']>

/** Throws PARQUET_INVALID for anything that is not a whole Parquet file of ours; errors of the source itself pass through. */
export async function openParquet(source: ByteSource): Promise<ParquetFile> {
  loading ??= loadHyparquet()
  const hyparquet = await loading
  const footer = await readFooter(source)
  return damaged('the footer', () => new HyparquetFile(source, hyparquet, footer))
}

async function readFooter(source: ByteSource): Promise<Uint8Array> {
  const { sizeBytes } = source
  if (sizeBytes < 12) throw invalid(`${sizeBytes} bytes are too few for a Parquet file`)
  const head = await source.read(0, 4)
  let tail = await source.read(Math.max(0, sizeBytes - FOOTER_GUESS_BYTES), sizeBytes)
  if (viewOf(head).getUint32(0, true) !== MAGIC) throw invalid('it does not start with PAR1')
  const ends = viewOf(tail)
  if (ends.getUint32(tail.length - 4, true) !== MAGIC) throw invalid('it does not end with PAR1: it was cut off, or is not Parquet')
  const footerBytes = ends.getUint32(tail.length - 8, true) + 8
  if (footerBytes > sizeBytes - 4) throw invalid('its footer is said to be longer than the file')
  if (footerBytes > tail.length) tail = await source.read(sizeBytes - footerBytes, sizeBytes)
  return tail.subarray(tail.length - footerBytes)
}

/**
 * Footers as hyparquet's Thrift reader gives them, by the numbers of parquet.thrift. What it makes of them itself takes as long again, most of
 * it for statistics, which become dates and rounded decimals: it is asked only for the schema, of which a table has one.
 */
interface RawFooter {
  readonly field_2: readonly RawSchemaElement[]
  readonly field_3: bigint
  readonly field_4: readonly { readonly field_1: readonly RawChunk[]; readonly field_3: bigint }[]
  readonly field_5?: readonly RawKeyValue[]
  readonly field_6?: Uint8Array
}

interface RawSchemaElement {
  readonly field_4: Uint8Array
}

interface RawKeyValue {
  readonly field_1: Uint8Array
  readonly field_2?: Uint8Array
}

/** 3 meta_data, 4 and 5 place and size of the offset index, 6 and 7 of the column index. */
interface RawChunk {
  readonly field_3?: RawChunkMetadata
  readonly field_4?: bigint
  readonly field_5?: number
  readonly field_6?: bigint
  readonly field_7?: number
}

interface RawChunkMetadata {
  /** type */
  readonly field_1: number
  /** encodings */
  readonly field_2: readonly number[]
  /** path_in_schema */
  readonly field_3: readonly Uint8Array[]
  /** codec */
  readonly field_4: number
  /** num_values, total_uncompressed_size, total_compressed_size */
  readonly field_5: bigint
  readonly field_6: bigint
  readonly field_7: bigint
  /** key_value_metadata */
  readonly field_8?: readonly RawKeyValue[]
  /** data_page_offset, dictionary_page_offset */
  readonly field_9: bigint
  readonly field_11?: bigint
  readonly field_12?: ThriftStatistics
}

/** What hyparquet says of a schema. The same bytes say the same. */
interface KnownSchema {
  readonly raw: readonly RawSchemaElement[]
  readonly units: readonly (string | null)[]
  readonly leaves: readonly SchemaElement[]
  readonly columns: readonly ColumnType[]
}

/** The latest first. */
const knownSchemas: KnownSchema[] = []
const SCHEMAS_KEPT = 16

function schemaOf(
  hyparquet: Hyparquet,
  footer: Uint8Array,
  raw: readonly RawSchemaElement[],
  units: readonly (string | null)[],
): KnownSchema {
  const at = knownSchemas.findIndex((known) => isEqual(known.raw, raw) && isEqual(known.units, units))
  const [found] = at < 0 ? [] : at === 0 ? knownSchemas : knownSchemas.splice(at, 1)
  if (at === 0) return found!
  const schema = found ?? readSchema(hyparquet, footer, raw, units)
  knownSchemas.unshift(schema)
  if (knownSchemas.length > SCHEMAS_KEPT) knownSchemas.pop()
  return schema
}

function readSchema(
  hyparquet: Hyparquet,
  footer: Uint8Array,
  raw: readonly RawSchemaElement[],
  units: readonly (string | null)[],
): KnownSchema {
  const [root, ...leaves] = hyparquet.parquetMetadata(footer, { geoparquet: false }).schema
  check(root !== undefined && root.num_children === leaves.length, 'the schema is not one flat list of columns')
  const columns = leaves.map((element, i) => columnTypeOf(element, units[i] ?? null))
  return { raw: copyOf(raw), units, leaves, columns }
}

/** With bytes of its own: those of the footer may be a part of far more, or be written over. */
function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value.slice() as T
  if (Array.isArray(value)) return value.map(copyOf) as T
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copyOf(member)])) as T
}

/** Of what a Thrift reader gives, and of lists of texts. */
function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) if (!isEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false
  return true
}

class HyparquetFile implements ParquetFile {
  readonly rowCount: number
  readonly columns: readonly ColumnType[]
  readonly rowGroups: readonly RowGroupFacts[]
  private readonly raw: RawFooter
  private readonly leaves: readonly SchemaElement[]

  constructor(
    private readonly source: ByteSource,
    private readonly hyparquet: Hyparquet,
    footer: Uint8Array,
  ) {
    const raw = hyparquet.deserializeTCompactProtocol({ view: viewOf(footer), offset: 0 }) as unknown as RawFooter
    this.raw = raw
    const { field_2: schema, field_4: groups } = raw
    const width = schema.length - 1
    // They are looked at when somebody asks for them, where no damage is expected any more.
    for (const { field_1: key, field_2: value = key } of raw.field_5 ?? [])
      check(key instanceof Uint8Array && value instanceof Uint8Array, 'a key-value pair is no text')
    check(raw.field_6 === undefined || raw.field_6 instanceof Uint8Array, 'who made it is no text')
    const { leaves, columns } = schemaOf(hyparquet, footer, schema, this.units(width))
    this.leaves = leaves
    this.columns = columns
    this.rowGroups = groups.map(({ field_1: chunks, field_3: rows }, g) => {
      check(chunks.length === width, `row group ${g} has ${chunks.length} columns, the schema ${width}`)
      return { rows: safeNumber(rows), columns: chunks.map((chunk, c) => this.chunkFacts(g, c, chunk, rows)) }
    })
    this.rowCount = safeNumber(raw.field_3)
    const rowsOfGroups = this.rowGroups.reduce((n, group) => n + group.rows, 0)
    check(rowsOfGroups === this.rowCount, `the row groups have ${rowsOfGroups} rows, the footer says ${this.rowCount}`)
  }

  get keyValue(): ReadonlyMap<string, string> {
    return new Map(this.raw.field_5?.map(({ field_1: key, field_2: value }) => [textOf(key), value === undefined ? '' : textOf(value)]))
  }

  get createdBy(): string | null {
    return this.raw.field_6 === undefined ? null : textOf(this.raw.field_6)
  }

  private units(columns: number): (string | null)[] {
    const first = this.raw.field_4[0]
    if (first !== undefined) {
      return first.field_1.map(({ field_3: metadata }) => {
        const unit = metadata?.field_8?.find(({ field_1: key }) => textOf(key) === UNIT_KEY)?.field_2
        return unit === undefined ? null : textOf(unit)
      })
    }
    const text = this.keyValue.get(UNITS_KEY)
    if (text === undefined) return new Array<null>(columns).fill(null)
    const units: unknown = JSON.parse(text)
    check(
      Array.isArray(units) && units.length === columns && units.every((u) => u === null || typeof u === 'string'),
      `${UNITS_KEY} is not a list of units`,
    )
    return units as (string | null)[]
  }

  private chunkFacts(g: number, c: number, chunk: RawChunk, rows: bigint): ColumnChunkFacts {
    const { hyparquet } = this
    const column = this.columns[c]!
    const metadata = chunk.field_3
    check(metadata !== undefined, `row group ${g} has no metadata of column ${c + 1}`)
    const { field_1: type, field_3: path, field_12: statistics } = metadata
    check(
      path.length === 1 && Buffer.compare(path[0]!, this.raw.field_2[c + 1]!.field_4) === 0,
      `row group ${g} calls column ${c + 1} by another name`,
    )
    check(hyparquet.ParquetTypes[type] === column.physical, `row group ${g} gives column ${c + 1} another type`)
    check(safeNumber(metadata.field_5) === Number(rows), `row group ${g}, column ${c + 1}: values differ from rows`)
    const [start, end] = chunkRange(metadata)
    check(start >= 4 && end >= start && end <= this.source.sizeBytes, `row group ${g}, column ${c + 1} lies outside the file`)
    return {
      name: column.name,
      min: statisticsValue(column.physical, statistics?.field_6),
      max: statisticsValue(column.physical, statistics?.field_5),
      minExact: statistics?.field_8 === true,
      maxExact: statistics?.field_7 === true,
      nullCount: statistics?.field_3 === undefined ? null : safeNumber(statistics.field_3),
      encodings: metadata.field_2.map((encoding) => hyparquet.Encodings[encoding]!),
      compression: this.codecOf(metadata),
      startByte: start,
      compressedBytes: end - start,
      uncompressedBytes: safeNumber(metadata.field_6),
      dictionaryPageBytes: safeNumber(metadata.field_9) - start,
      optional: this.leaves[c]!.repetition_type !== 'REQUIRED',
      columnIndex: this.section(chunk.field_6, chunk.field_7),
      offsetIndex: this.section(chunk.field_4, chunk.field_5),
    }
  }

  private codecOf({ field_4: codec }: RawChunkMetadata): Codec {
    const name = this.hyparquet.CompressionCodecs[codec]
    check(name !== undefined, `pages are compressed in a way that Parquet does not have (${codec})`)
    return name
  }

  private section(start: bigint | undefined, length: number | undefined): FileSection | null {
    if (start === undefined || length === undefined) return null
    const section = { startByte: safeNumber(start), sizeBytes: length }
    check(length > 0 && section.startByte + length <= this.source.sizeBytes, 'a page index lies outside the file')
    return section
  }

  async readRowGroup(rowGroup: number, columnNames?: readonly string[]): Promise<PlainVector[]> {
    const wanted = columnNames === undefined ? this.columns.map((_, i) => i) : columnNames.map((name) => columnIndex(this.columns, name))
    const vectors: PlainVector[] = []
    for (const column of wanted) vectors.push(await this.readColumn(rowGroup, column))
    return vectors
  }

  async readColumn(rowGroup: number, column: number): Promise<PlainVector> {
    return (await this.readPages(rowGroup, column, 0, this.rowGroups[rowGroup]!.rows)).vector
  }

  async readPages(rowGroup: number, column: number, from: number, to: number): Promise<{ firstRow: number; vector: PlainVector }> {
    const [start, end] = chunkRange(this.raw.field_4[rowGroup]!.field_1[column]!.field_3!)
    return this.decode(rowGroup, column, from, to, Infinity, await this.source.read(start, end))
  }

  readSample(rowGroup: number, column: number, row: number, most: number, bytes: Uint8Array): { firstRow: number; vector: PlainVector } {
    return this.decode(rowGroup, column, row, row + 1, most, bytes)
  }

  private decode(
    rowGroup: number,
    column: number,
    from: number,
    to: number,
    most: number,
    bytes: Uint8Array,
  ): { firstRow: number; vector: PlainVector } {
    return damaged(`row group ${rowGroup}, column ${JSON.stringify(this.columns[column]!.name)}`, () => {
      const metadata = this.raw.field_4[rowGroup]!.field_1[column]!.field_3!
      const { rows } = this.rowGroups[rowGroup]!
      const { firstRow, pages } = this.decodePages(bytes, rows, column, metadata, from, to, most)
      const covered = pages.reduce((n, page) => n + page.rows, 0)
      return { firstRow, vector: assemble(this.columns[column]!, covered, pages) }
    })
  }

  /**
   * Pages of one chunk that have a row of `[from, to)`, decoded by hyparquet; what the headers say is checked before it is believed. Pages
   * before are passed over, and of each page the rows behind the first `most`.
   */
  private decodePages(
    bytes: Uint8Array,
    rows: number,
    column: number,
    metadata: RawChunkMetadata,
    from: number,
    to: number,
    most: number,
  ): { firstRow: number; pages: DecodedPage[] } {
    const { hyparquet } = this
    const { physical } = this.columns[column]!
    const leaf = this.leaves[column]!
    const codec = this.codecOf(metadata)
    // A schema of our own making for hyparquet: only what the bytes need, no logical type, so that values come out as they are stored.
    const element: SchemaElement = { name: 'column', type: physical, repetition_type: leaf.repetition_type ?? 'REQUIRED' }
    if (leaf.type_length !== undefined) element.type_length = leaf.type_length
    const node = { count: 1, element, children: [], path: ['column'] }
    const root = { count: 2, element: { name: 'schema', num_children: 1 }, children: [node], path: [] }
    const compressors = {
      GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)),
      ZSTD: (input: Uint8Array, size: number) => new Uint8Array(zstdDecompress(input, size)),
    }
    const decoder = {
      pathInSchema: ['column'],
      type: physical,
      element,
      schemaPath: [root, node],
      codec,
      compressors,
      utf8: false,
    }
    const columnDecoder = decoder as unknown as ColumnDecoder

    const reader = { view: viewOf(bytes), offset: 0 }
    const pages: DecodedPage[] = []
    let dictionary: DecodedArray | null = null
    let seen = 0
    let firstRow = 0
    while (seen < to) {
      const header = hyparquet.parquetHeader(reader)
      const size = header.compressed_page_size
      check(size >= 0 && reader.offset + size <= bytes.length, 'a page is longer than its column')
      check(
        header.uncompressed_page_size >= 0 && header.uncompressed_page_size <= Number(metadata.field_6),
        'a page is larger than its column',
      )
      const body = bytes.subarray(reader.offset, reader.offset + size)
      reader.offset += size
      if (header.crc !== undefined) check((crc32(body) | 0) === header.crc, 'the checksum of a page does not hold')
      if (header.type === 'DICTIONARY_PAGE') {
        const { num_values: entries = -1, encoding = 'PLAIN' } = header.dictionary_page_header ?? {}
        const page = hyparquet.decompressPage(body, header.uncompressed_page_size, codec, compressors)
        check(encoding === 'PLAIN' || encoding === 'PLAIN_DICTIONARY', 'a dictionary in an encoding that Parquet does not have')
        check(dictionary === null && entries >= 0 && entries <= page.length * 8, 'the dictionary page is not sound')
        dictionary = hyparquet.readPlain({ view: viewOf(page), offset: 0 }, physical, entries, leaf.type_length)
        continue
      }
      const facts =
        header.type === 'DATA_PAGE' ? header.data_page_header : header.type === 'DATA_PAGE_V2' ? header.data_page_header_v2 : undefined
      check(facts !== undefined, `a page of the type ${header.type}`)
      // hyparquet takes levels for RLE whatever the header says; other readers do not.
      if (header.type === 'DATA_PAGE')
        check(header.data_page_header!.definition_level_encoding === 'RLE', 'definition levels in another encoding than RLE')
      check(facts.num_values >= 0 && facts.num_values <= rows - seen, 'a page has more values than its column')
      if (seen + facts.num_values <= from) {
        seen += facts.num_values
        firstRow = seen
        continue
      }
      const pageRows = Math.min(facts.num_values, most)
      const page = header.type === 'DATA_PAGE' ? hyparquet.decompressPage(body, header.uncompressed_page_size, codec, compressors) : null
      const decoded =
        page === null
          ? hyparquet.readDataPageV2(body, header, columnDecoder)
          : pageRows < facts.num_values
            ? readFirstRows(hyparquet, page, header.data_page_header!, columnDecoder, pageRows)
            : hyparquet.readDataPage(page, header.data_page_header!, columnDecoder)
      const coded = facts.encoding === 'RLE_DICTIONARY' || facts.encoding === 'PLAIN_DICTIONARY'
      check(!coded || dictionary !== null, 'a page has codes and no dictionary')
      pages.push({
        rows: pageRows,
        levels: decoded.definitionLevels ?? [],
        values: decoded.dataPage,
        dictionary: coded ? dictionary : null,
      })
      seen += facts.num_values
    }
    return { firstRow, pages }
  }

  async close(): Promise<void> {
    await this.source.close?.()
  }
}

interface DecodedPage {
  readonly rows: number
  /** 1 present, 0 missing; empty when no row is missing. */
  readonly levels: ArrayLike<number>
  /** Values of the present rows, or their codes. */
  readonly values: DecodedArray
  readonly dictionary: DecodedArray | null
}

/**
 * The first rows of a page. hyparquet reads pages whole, for runs of levels go on beyond an array that is too short; so it reads all levels,
 * and then of the values, as of a page that has no levels, as many as belong to the rows.
 */
function readFirstRows(
  hyparquet: Hyparquet,
  page: Uint8Array,
  header: Parameters<Hyparquet['readDataPage']>[1],
  decoder: ColumnDecoder,
  rows: number,
): { definitionLevels: number[]; dataPage: DecodedArray } {
  const reader = { view: viewOf(page), offset: 0 }
  const { element, schemaPath } = decoder
  const definitionLevels: number[] = []
  if (element.repetition_type !== 'REQUIRED') {
    definitionLevels.length = header.num_values
    hyparquet.readRleBitPackedHybrid(reader, 1, definitionLevels)
    definitionLevels.length = rows
  }
  const present = definitionLevels.length === 0 ? rows : definitionLevels.reduce((n, level) => n + (level === 1 ? 1 : 0), 0)
  if (present === 0) return { definitionLevels, dataPage: [] }
  const required = { ...element, repetition_type: 'REQUIRED' as const }
  const path = schemaPath.map((node) => (node.element === element ? { ...node, element: required } : node))
  const { dataPage } = hyparquet.readDataPage(
    page.subarray(reader.offset),
    { ...header, num_values: present },
    { ...decoder, element: required, schemaPath: path },
  )
  return { definitionLevels, dataPage }
}

/** Fields of Thrift's Statistics by number: 3 null_count, 5 max_value, 6 min_value, 7 is_max_value_exact, 8 is_min_value_exact. */
interface ThriftStatistics {
  readonly field_3?: bigint
  readonly field_5?: Uint8Array
  readonly field_6?: Uint8Array
  readonly field_7?: boolean
  readonly field_8?: boolean
}

/** Puts present values on their rows. `put` gets each present row and its value. */
function place<T>(pages: readonly DecodedPage[], validity: Uint8Array, put: (row: number, value: T) => void): void {
  let row = 0
  for (const { rows, levels, values, dictionary } of pages) {
    let next = 0
    for (let i = 0; i < rows; i++, row++) {
      if (levels.length > 0 && levels[i] !== 1) continue
      validity[row] = 1
      const stored: unknown = values[next++]
      const value: unknown = dictionary === null ? stored : dictionary[stored as number]
      if (value === undefined) throw invalid('a page has fewer values than it says, or a code outside its dictionary')
      put(row, value as T)
    }
  }
}

function assemble(column: ColumnType, rows: number, pages: readonly DecodedPage[]): PlainVector {
  const validity = new Uint8Array(rows)
  const values = assembleValues(column, rows, pages, validity)
  let nulls = 0
  for (let i = 0; i < rows; i++) nulls += 1 - validity[i]!
  return { form: 'plain', rows, validity, nulls, values }
}

function assembleValues(column: ColumnType, rows: number, pages: readonly DecodedPage[], validity: Uint8Array): Values {
  switch (column.physical) {
    case 'BOOLEAN': {
      const data = new Uint8Array(rows)
      place<boolean>(pages, validity, (row, value) => {
        data[row] = value ? 1 : 0
      })
      return { physical: 'BOOLEAN', data }
    }
    case 'INT32': {
      const data = new Int32Array(rows)
      place<number>(pages, validity, (row, value) => {
        data[row] = value
      })
      return { physical: 'INT32', data }
    }
    case 'INT64': {
      const data = new BigInt64Array(rows)
      place<bigint>(pages, validity, (row, value) => {
        data[row] = value
      })
      return { physical: 'INT64', data }
    }
    case 'DOUBLE': {
      const data = new Float64Array(rows)
      place<number>(pages, validity, (row, value) => {
        data[row] = value
      })
      return { physical: 'DOUBLE', data }
    }
    case 'FIXED_LEN_BYTE_ARRAY': {
      const w = DECIMAL_WIDTH_BYTES
      const data = new Uint8Array(rows * w)
      place<Uint8Array>(pages, validity, (row, value) => {
        data.set(value, row * w)
      })
      return { physical: 'FIXED_LEN_BYTE_ARRAY', data, widthBytes: w }
    }
    case 'BYTE_ARRAY': {
      const offsets = new Uint32Array(rows + 1)
      let total = 0
      place<Uint8Array>(pages, validity, (row, value) => {
        offsets[row + 1] = value.length
        total += value.length
      })
      if (total > 0xffffffff) throw invalid('a column of one row group holds more than 4 GB of text')
      for (let i = 0; i < rows; i++) offsets[i + 1]! += offsets[i]!
      const data = new Uint8Array(total)
      place<Uint8Array>(pages, validity, (row, value) => {
        data.set(value, offsets[row]!)
      })
      return { physical: 'BYTE_ARRAY', data, offsets }
    }
  }
}

/** The column that a schema element describes; PARQUET_INVALID for types this product does not write, and where the two annotations disagree. */
function columnTypeOf(element: SchemaElement, unit: string | null): ColumnType {
  const { name } = element
  const shown = JSON.stringify(name)
  check(element.num_children === undefined && element.type !== undefined, `column ${shown} is a group; only flat columns are read`)
  check(element.repetition_type === 'OPTIONAL' || element.repetition_type === 'REQUIRED', `column ${shown} repeats`)
  const logical = logicalTypeOf(element)
  check(
    logical !== null,
    `column ${shown} has a type that parquet-intake does not write (${element.type} ${element.logical_type?.type ?? element.converted_type ?? ''})`,
  )
  const physical = physicalTypeOf(logical)
  check(physical === element.type, `column ${shown} keeps ${logical.kind} in ${element.type}; parquet-intake writes ${physical}`)
  if (physical === 'FIXED_LEN_BYTE_ARRAY')
    check(element.type_length === DECIMAL_WIDTH_BYTES, `column ${shown} is ${element.type_length} bytes wide`)
  return { name, logical, physical, unit }
}

function logicalTypeOf(element: SchemaElement): LogicalType | null {
  const { logical_type: logical, converted_type: converted, type } = element
  const agrees = (...names: (string | undefined)[]): boolean => names.includes(converted)
  switch (logical?.type) {
    case 'STRING':
      return agrees('UTF8', undefined) ? { kind: 'string' } : null
    case 'JSON':
      return agrees('JSON', undefined) ? { kind: 'json' } : null
    case 'DATE':
      return agrees('DATE', undefined) ? { kind: 'date' } : null
    case 'DECIMAL': {
      const { precision, scale } = logical
      const stated = agrees('DECIMAL', undefined) && (element.precision ?? precision) === precision && (element.scale ?? scale) === scale
      return stated && precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision ? { kind: 'decimal', precision, scale } : null
    }
    case 'INTEGER':
      if (!logical.isSigned) return null
      if (logical.bitWidth === 32) return agrees('INT_32', undefined) ? { kind: 'integer', bits: 32 } : null
      if (logical.bitWidth === 64) return agrees('INT_64', undefined) ? { kind: 'integer', bits: 64 } : null
      return null
    case 'TIME':
      return logical.unit !== 'NANOS' && agrees(undefined) && !logical.isAdjustedToUTC ? { kind: 'time', unit: logical.unit } : null
    case 'TIMESTAMP':
      if (logical.unit === 'NANOS' || !agrees(logical.isAdjustedToUTC ? `TIMESTAMP_${logical.unit}` : undefined, undefined)) return null
      return { kind: 'timestamp', unit: logical.unit, utc: logical.isAdjustedToUTC }
    case undefined:
      break
    default:
      return null
  }
  switch (converted) {
    case 'UTF8':
      return { kind: 'string' }
    case 'JSON':
      return { kind: 'json' }
    case 'DATE':
      return { kind: 'date' }
    case 'INT_32':
      return { kind: 'integer', bits: 32 }
    case 'INT_64':
      return { kind: 'integer', bits: 64 }
    case 'DECIMAL':
      return element.precision === undefined ? null : { kind: 'decimal', precision: element.precision, scale: element.scale ?? 0 }
    case 'TIMESTAMP_MILLIS':
      return { kind: 'timestamp', unit: 'MILLIS', utc: true }
    case 'TIMESTAMP_MICROS':
      return { kind: 'timestamp', unit: 'MICROS', utc: true }
    case undefined:
      break
    default:
      return null
  }
  switch (type) {
    case 'BOOLEAN':
      return { kind: 'boolean' }
    case 'DOUBLE':
      return { kind: 'double' }
    case 'INT32':
      return { kind: 'integer', bits: 32 }
    case 'INT64':
      return { kind: 'integer', bits: 64 }
    default:
      return null
  }
}

/** Position of a column; throws UNKNOWN_COLUMN. */
export function columnIndex(columns: readonly ColumnType[], name: string): number {
  const index = columns.findIndex((column) => column.name === name)
  if (index < 0) throw new IntakeError('UNKNOWN_COLUMN', `There is no column ${JSON.stringify(name)}`, { data: { column: name } })
  return index
}

function statisticsValue(physical: PhysicalType, bytes: Uint8Array | undefined): PhysicalValue | null {
  if (bytes === undefined) return null
  switch (physical) {
    case 'BOOLEAN':
      return bytes.length === 1 ? bytes[0]! : null
    case 'INT32':
      return bytes.length === 4 ? viewOf(bytes).getInt32(0, true) : null
    case 'INT64':
      return bytes.length === 8 ? viewOf(bytes).getBigInt64(0, true) : null
    case 'DOUBLE': {
      const value = bytes.length === 8 ? viewOf(bytes).getFloat64(0, true) : Number.NaN
      return Number.isNaN(value) ? null : value
    }
    case 'FIXED_LEN_BYTE_ARRAY':
      return bytes.length === DECIMAL_WIDTH_BYTES ? bytes.slice() : null
    case 'BYTE_ARRAY':
      return bytes.slice()
  }
}

function chunkRange(metadata: RawChunkMetadata): [number, number] {
  const data = safeNumber(metadata.field_9)
  const dictionary = metadata.field_11 === undefined ? data : safeNumber(metadata.field_11)
  const start = Math.min(data, dictionary)
  return [start, start + safeNumber(metadata.field_7)]
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

function safeNumber(value: bigint): number {
  const number = Number(value)
  check(typeof value === 'bigint' && Number.isSafeInteger(number) && number >= 0, 'a count or an offset makes no sense')
  return number
}

function viewOf(bytes: Uint8Array): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)
}

function check(condition: unknown, message: string): asserts condition {
  if (!condition) throw invalid(message)
}

function invalid(message: string, cause?: unknown): IntakeError {
  return new IntakeError('PARQUET_INVALID', `Not a sound Parquet file: ${message}`, { cause })
}

/** Decoders meet damaged bytes with errors of every kind; for our callers they are one. */
function damaged<T>(place: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof IntakeError)
      throw error.code === 'PARQUET_INVALID' ? new IntakeError(error.code, `${error.message} (${place})`, { cause: error }) : error
    throw invalid(`${place} cannot be decoded: ${(error as Error).message}`, error)
  }
}

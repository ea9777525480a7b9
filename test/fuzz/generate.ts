import type { ConvertLimits, ConvertRequest, Grouping } from '../../src/convert/protocol.js'
import { DEFAULT_DIALECT, intakeConfig, type OnInvalid } from '../../src/documents/config.js'
import { type Expected, type FieldModel, fieldModel, missingValues } from './fields.js'
import { FuzzRandom } from './random.js'

/** Documents that share a schema. */
const DOCUMENTS_PER_SCHEMA = 32
const TABLE_NAME = 'fuzz'
const LIMITS: ConvertLimits = intakeConfig.parse({}).limits

/** What a conversion is asked, apart from places and the bytes. */
export type FuzzRequest = Pick<
  ConvertRequest,
  'tableName' | 'tableDocument' | 'dialect' | 'grouping' | 'onInvalid' | 'limits' | 'compression' | 'verify' | 'expectedRows'
> & {
  readonly output: 'staging' | 'file' | 'none'
  readonly mends: boolean
  /** null: as large as the conversion would make them. */
  readonly partLines: number | null
  /** Rows of a batch, and after which a column of many texts may leave its dictionary; null: as many as in earnest. */
  readonly trialRows: number | null
}

/** One row as it was meant. */
export interface ModelRow {
  /** As it stands in the file, with its line end. */
  readonly text: string
  /** The record it names; null where there is one record only. */
  readonly record: string | null
  /** By column of the table, null for a missing value; null for a row without content. */
  readonly values: readonly (Expected | null)[] | null
}

/** What the generator knows of a document that it did not spoil. */
export interface Model {
  readonly head: string
  readonly rows: readonly ModelRow[]
  /** Nothing in the schema can refuse these rows. */
  readonly mustBeValid: boolean
}

export interface FuzzDocument {
  readonly request: FuzzRequest
  readonly bytes: Buffer
  /** null: the document was spoilt, and only the three ways can say what it is. */
  readonly model: Model | null
}

interface Schema {
  readonly document: Readonly<Record<string, unknown>>
  readonly fields: readonly FieldModel[]
  readonly fieldsMatch: string
  readonly primaryKey: readonly string[]
  readonly wide: boolean
}

interface Column {
  /** null: a column that the table does not know. */
  readonly field: FieldModel | null
  readonly label: string
}

/** Document `number` of a seed: the same whenever and wherever it is made. */
export class DocumentGenerator {
  private schema: { group: number; schema: Schema } | null = null

  constructor(readonly seed: number) {}

  document(number: number): FuzzDocument {
    const group = Math.floor(number / DOCUMENTS_PER_SCHEMA)
    if (this.schema?.group !== group) this.schema = { group, schema: schemaOf(new FuzzRandom(this.seed, group, 1)) }
    return documentOf(new FuzzRandom(this.seed, number, 2), this.schema.schema)
  }
}

const NAMES = [
  'id',
  'depth',
  'Größe',
  'unit weight',
  'a,b',
  'say "x"',
  'two\nlines',
  '日本語',
  '🙂',
  'x;y',
  'p|q',
  'tab\there',
  '0',
  '__proto__',
  'toString',
]

function schemaOf(random: FuzzRandom): Schema {
  const tableMissing = missingValues(random)
  const wide = random.oneIn(400)
  const count = wide ? random.between(60, random.oneIn(4) ? 1200 : 200) : random.oneIn(8) ? random.between(7, 24) : random.between(1, 6)
  const names = random.shuffled(NAMES)
  const fields = Array.from({ length: count }, (_, i) =>
    fieldModel(random, i < names.length && random.oneIn(2) ? names[i]! : `c${i}`, tableMissing),
  )
  const fieldsMatch = random.oneIn(4) ? random.pick(['equal', 'subset', 'superset', 'partial']) : 'exact'
  const primaryKey = random.oneIn(20) ? random.shuffled(fields.map((f) => f.name)).slice(0, random.between(1, Math.min(3, count))) : []
  const document: Record<string, unknown> = { name: TABLE_NAME, fields: fields.map((f) => f.document) }
  if (fieldsMatch !== 'exact') document.fieldsMatch = fieldsMatch
  if (tableMissing.length !== 1 || tableMissing[0] !== '') document.missingValues = tableMissing
  if (primaryKey.length > 0) document.primaryKey = primaryKey
  return { document, fields, fieldsMatch, primaryKey, wide }
}

function documentOf(random: FuzzRandom, schema: Schema): FuzzDocument {
  const delimiter = random.oneIn(3) ? random.pick([';', '\t', '|']) : ','
  // Some go another way altogether, which is quickly said and must be found out.
  const dialect = random.oneIn(80)
    ? {
        ...DEFAULT_DIALECT,
        delimiter,
        ...random.pick([{ quoteChar: "'" }, { skipInitialSpace: true }, { escapeChar: '\\' }, { header: false }, { commentChar: '#' }]),
      }
    : { ...DEFAULT_DIALECT, delimiter }
  const spoils = random.below(20)
  const oddRows = spoils >= 12 && spoils < 16
  const oddBytes = spoils >= 16 && !(schema.wide && spoils < 18)
  const plainDialect =
    dialect.quoteChar === '"' && !dialect.skipInitialSpace && dialect.escapeChar === null && dialect.header && dialect.commentChar === null

  const { columns, sound: headerIsSound } = columnsOf(random, schema)
  const rowCount = rowCountOf(random, schema)
  const grouping = groupingOf(random, columns, rowCount)
  const lineEnd = lineEnds(random)
  const head = `${random.oneIn(12) ? '\uFEFF' : ''}${columns.map((c) => rawCell(random, c.label, delimiter)).join(delimiter)}${lineEnd()}`
  // In a long document one fault must lie behind many sound rows, or what they became is never looked at.
  const faultOnceIn = (oddRows || oddBytes) && random.oneIn(2) ? Math.max(25, rowCount) : 0
  const maker = new RowMaker(random, schema, columns, { delimiter, grouping, lineEnd, repeats: random.oneIn(3), faultOnceIn })
  const rows: ModelRow[] = []
  for (let i = 0; i < rowCount; i++) rows.push(maker.row())
  const oneColumn = columns.length === 1
  if (rows.length > 0 && !random.oneIn(3)) {
    const last = rows.at(-1)!
    // A last row that is nothing at all would be no row without its line end.
    const text = last.text.replace(/(?:\r\n|\r|\n)$/, '')
    if (text !== '' || !oneColumn) rows[rows.length - 1] = { ...last, text: random.oneIn(2) ? text : last.text }
  }
  const texts = rows.map((row) => row.text)
  if (oddRows)
    for (let n = random.between(1, 3); n > 0; n--)
      texts.splice(random.below(texts.length + 1), 0, oddRow(random, texts, delimiter) + lineEnd())
  let bytes = Buffer.from(head + texts.join(''))
  if (oddBytes) for (let n = random.oneIn(3) ? random.between(2, 5) : 1; n > 0; n--) bytes = mutated(random, bytes, delimiter)

  const limits = random.oneIn(25) ? { ...LIMITS, ...tightLimit(random, rows, columns.length) } : LIMITS
  const expectedRows = random.oneIn(40) ? rows.length - random.below(2) : null
  const onInvalid: OnInvalid = random.pick(['quarantine-drop', 'quarantine-record', 'skip-rows'])
  const request: FuzzRequest = {
    tableName: TABLE_NAME,
    tableDocument: schema.document,
    dialect,
    grouping,
    onInvalid,
    limits,
    compression: random.oneIn(3) ? 'SNAPPY' : random.oneIn(40) ? 'GZIP' : 'NONE',
    verify: random.oneIn(30) ? 'full' : random.oneIn(200) ? 'paranoid' : 'none',
    expectedRows,
    output: random.oneIn(30) ? 'none' : grouping.kind === 'single' && random.oneIn(30) ? 'file' : 'staging',
    mends: random.oneIn(15),
    partLines: random.oneIn(3) ? partLinesOf(random, bytes) : null,
    trialRows: random.oneIn(2) ? random.between(1, 24) : null,
  }
  // A column that was given a wrong label may have got that of another field: then its cells are that field's.
  const sound = headerIsSound && !oddRows && !oddBytes && plainDialect && limits === LIMITS && expectedRows === null
  const mustBeValid =
    headerIsSound &&
    grouping.kind === 'single' &&
    schema.fields.every((f) => f.always) &&
    schema.primaryKey.length === 0 &&
    rows.some((row) => row.values !== null)
  return { request, bytes, model: sound ? { head, rows, mustBeValid } : null }
}

/** A limit at or beside the edge of what the document needs. */
function tightLimit(random: FuzzRandom, rows: readonly ModelRow[], width: number): Partial<ConvertLimits> {
  const row = rows.length === 0 ? '' : random.pick(rows).text
  return random.pick([
    { rowBytes: Math.max(4, Buffer.byteLength(row) + random.between(-4, 2)) },
    { columns: Math.max(1, width + random.between(-1, 1)) },
    { recordsPerDrop: random.between(1, 3) },
    { reportErrors: random.between(1, 4) },
  ])
}

function rowCountOf(random: FuzzRandom, schema: Schema): number {
  if (schema.wide) return random.below(6)
  if (schema.fields.length <= 4) {
    // Beyond these counts columns leave their dictionaries: the numbers are those of plain-text-chunk.ts and of the blocks of a content hash.
    if (random.oneIn(700)) return random.between(4000, 9000)
    if (random.oneIn(9000)) return random.between(32_000, 72_000)
  }
  const size = random.below(20)
  if (size === 0) return 0
  return size < 12 ? random.between(1, 6) : random.between(6, 60)
}

function partLinesOf(random: FuzzRandom, bytes: Uint8Array): number {
  let lines = 1
  for (const byte of bytes) if (byte === 0x0a) lines++
  // Each part begins anew, so no more than some dozens of them.
  const least = Math.ceil(lines / 40)
  return random.between(least, Math.max(least, random.oneIn(2) ? 6 : 600))
}

/** `sound`: the header is one that the table's mode of matching takes. */
function columnsOf(random: FuzzRandom, schema: Schema): { columns: Column[]; sound: boolean } {
  let columns: Column[] = schema.fields.map((field) => ({ field, label: field.name }))
  const { fieldsMatch } = schema
  const [reordered, shortened, extended, misnamed] = [60, 80, 80, 80].map((n) => random.oneIn(n))
  if (fieldsMatch !== 'exact' || reordered) columns = random.shuffled(columns)
  const shorter = fieldsMatch === 'superset' || fieldsMatch === 'partial'
  if ((shorter || shortened) && columns.length > 1) columns = columns.slice(random.below(Math.min(3, columns.length)))
  const longer = fieldsMatch === 'subset' || fieldsMatch === 'partial'
  if (longer || extended) {
    for (let n = random.below(3); n > 0; n--) columns.splice(random.below(columns.length + 1), 0, { field: null, label: `extra ${n}` })
  }
  // The columns of a mended file, which every table ignores.
  if (random.oneIn(30)) for (const label of ['_line', '_errors']) columns.push({ field: null, label })
  if (misnamed) columns[random.below(columns.length)] = { field: null, label: random.pick(['', ' ', 'c0', 'ID', 'nonsense']) }
  const sound = !misnamed && !(reordered && fieldsMatch === 'exact') && !(shortened && !shorter) && !(extended && !longer)
  return { columns, sound }
}

function groupingOf(random: FuzzRandom, columns: readonly Column[], rows: number): Grouping {
  // More records than some dozens would be a document of many files.
  if (rows > 3000 || !random.oneIn(4)) return { kind: 'single', recordId: random.oneIn(20) ? null : 'R' }
  const fitting = columns.filter(namesRecords)
  if (fitting.length === 0 && !random.oneIn(6)) return { kind: 'single', recordId: 'R' }
  return {
    kind: 'column',
    prefix: random.pick(['', 'r/', 'a-']),
    column: random.pick(fitting.length === 0 || random.oneIn(6) ? columns : fitting).label,
    suffix: random.pick(['', '', '-z', '/x']),
  }
}

/** A column that may hold any text, so that the names of records can stand in it. */
function namesRecords({ field }: Column): boolean {
  return field === null || (field.always && field.document.type === 'string' && field.document.format === undefined)
}

function lineEnds(random: FuzzRandom): () => string {
  const kind = random.below(12)
  if (kind === 0) return () => random.pick(['\n', '\r\n', '\r'])
  if (kind === 1) return () => random.pick(['\n', '\r\n'])
  return kind < 5 ? () => '\r\n' : () => '\n'
}

/** A cell as it may stand in the file: bare where it can, quoted where it must or by whim. */
function rawCell(random: FuzzRandom, text: string, delimiter: string): string {
  const must = text.includes(delimiter) || /["\r\n]/.test(text)
  return must || random.oneIn(7) ? `"${text.replaceAll('"', '""')}"` : text
}

class RowMaker {
  private readonly pools: readonly (readonly { text: string; value: Expected }[] | null)[]
  private readonly recordAt: number
  private readonly places: readonly number[]
  private readonly records: readonly string[]

  constructor(
    private readonly random: FuzzRandom,
    private readonly schema: Schema,
    private readonly columns: readonly Column[],
    private readonly options: { delimiter: string; grouping: Grouping; lineEnd: () => string; repeats: boolean; faultOnceIn: number },
  ) {
    const { grouping } = options
    this.recordAt = grouping.kind === 'column' ? columns.findIndex((c) => c.label === grouping.column) : -1
    this.places = columns.map((c) => (c.field === null ? -1 : schema.fields.indexOf(c.field)))
    this.pools = columns.map((c) =>
      options.repeats && c.field !== null ? Array.from({ length: random.between(1, 9) }, () => c.field!.make(random)) : null,
    )
    this.records = Array.from({ length: random.between(1, 7) }, () => random.pick(['A', 'b-1', 'R2', '7', '42', 'x_y', 'z.9']))
  }

  row(): ModelRow {
    const { random, columns, schema, options } = this
    const { delimiter, grouping, lineEnd } = options
    if (random.oneIn(60)) {
      const text =
        columns.length === 1 && random.oneIn(2)
          ? ''
          : random.oneIn(4)
            ? columns.map(() => '""').join(delimiter)
            : delimiter.repeat(columns.length - 1)
      return { text: text + lineEnd(), record: null, values: null }
    }
    const values = new Array<Expected | null>(schema.fields.length).fill(null)
    const texts: string[] = []
    let raw = ''
    let content = false
    for (let i = 0; i < columns.length; i++) {
      const { field } = columns[i]!
      let text: string
      if (field === null)
        text =
          i === this.recordAt && !random.oneIn(200) ? random.pick(this.records) : random.oneIn(3) ? '' : random.pick(['note', 'a,b', 'é'])
      else if (field.missing.size > 0 && random.oneIn(field.required ? 500 : i === this.recordAt ? 200 : 9))
        text = random.pick([...field.missing])
      else {
        const pool = this.pools[i]!
        const cell = pool === null ? field.make(random) : random.pick(pool)
        text = cell.text
        values[this.places[i]!] = cell.value
        if (options.faultOnceIn > 0 && random.oneIn(options.faultOnceIn)) text = nearMiss(random, text)
        else if (i === this.recordAt && namesRecords(columns[i]!) && !random.oneIn(150)) {
          text = random.pick(this.records)
          values[this.places[i]!] = text
        }
        if (field.missing.has(text)) values[this.places[i]!] = null
      }
      texts.push(text)
      if (text !== '') content = true
      raw += (i === 0 ? '' : delimiter) + rawCell(random, text, delimiter)
    }
    if (!content) return { text: raw + lineEnd(), record: null, values: null }
    const record = grouping.kind === 'column' ? `${grouping.prefix}${texts[this.recordAt]!}${grouping.suffix}` : null
    return { text: raw + lineEnd(), record, values }
  }
}

/** One character more, less or other: what a grammar must refuse, or just may not. */
function nearMiss(random: FuzzRandom, text: string): string {
  const at = random.below(text.length + 1)
  const other = random.pick([
    '0',
    '9',
    '-',
    '+',
    '.',
    ',',
    ':',
    'e',
    'T',
    'Z',
    ' ',
    'x',
    '/',
    '\t',
    '"',
    '\n',
    'é',
    '５',
    '\u0660',
    '1',
    '00',
    '\uFEFF',
  ])
  switch (random.below(3)) {
    case 0:
      return (text.slice(0, at) + other + text.slice(at)).toWellFormed()
    case 1:
      return (text.slice(0, at) + text.slice(at + 1)).toWellFormed()
    default:
      return (text.slice(0, at) + other + text.slice(at + 1)).toWellFormed()
  }
}

function oddRow(random: FuzzRandom, texts: readonly string[], delimiter: string): string {
  const model = texts.length === 0 ? '' : random.pick(texts).replace(/(?:\r\n|\r|\n)$/, '')
  const at = random.below(model.length + 1)
  switch (random.below(9)) {
    case 0:
      return ''
    case 1:
      return model + delimiter
    case 2:
      return model.slice(0, at)
    case 3:
      return `${model.slice(0, at)}"${model.slice(at)}`
    case 4:
      return `"${model}"x`
    case 5:
      return `"open${delimiter}${model}`
    case 6:
      return `${model.slice(0, at)}\r${model.slice(at)}`
    case 7:
      return delimiter.repeat(random.below(12))
    default:
      return `${model}${delimiter}x${delimiter}"y"`
  }
}

const STRAY_BYTES = [0x22, 0x2c, 0x0a, 0x0d, 0x00, 0x20, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 0xff, 0x30, 0x2d, 0x3b, 0x09, 0x7c]
const STRAY_RUNS = ['""', '"', '\r\n', '\n\n', ',,', '\uFEFF', 'é', '🙂', '\n"', '"\n', '\r\r\n', '\0'].map((run) => Buffer.from(run))

function mutated(random: FuzzRandom, bytes: Buffer, delimiter: string): Buffer<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  const splice = (cut: number, put: Uint8Array) => Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)])
  switch (random.below(9)) {
    case 0: {
      const copy = Buffer.from(bytes)
      if (copy.length > 0) copy[at % copy.length]! ^= 1 << random.below(8)
      return copy
    }
    case 1:
    case 2:
      return splice(1, Buffer.of(random.oneIn(5) ? delimiter.charCodeAt(0) : random.pick(STRAY_BYTES)))
    case 3:
      return splice(0, Buffer.of(random.oneIn(3) ? random.below(256) : random.pick(STRAY_BYTES)))
    case 4:
      return splice(0, random.pick(STRAY_RUNS))
    case 5:
      return splice(random.between(1, 4), new Uint8Array(0))
    case 6:
      // The end cut off, in the middle of a character, of a quote or of a line end.
      return Buffer.from(bytes.subarray(0, random.oneIn(2) ? at : Math.max(0, bytes.length - random.between(1, 4))))
    case 7: {
      const from = random.below(bytes.length + 1)
      return splice(0, bytes.subarray(from, from + random.below(80)))
    }
    default:
      return splice(random.below(40), new Uint8Array(0))
  }
}

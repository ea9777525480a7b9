import { createReadStream, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type DuckDBBlobValue, type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { parquetMetadataAsync, parquetRead } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { convertSource } from '../../src/convert/convert-source.js'
import { ConvertPool } from '../../src/convert/pool.js'
import type { ConvertDone, ConvertRequest } from '../../src/convert/protocol.js'
import { type DialectDocument, dialectDocument, intakeConfig } from '../../src/documents/config.js'
import { nodeFiles } from '../../src/runtime/files.js'
import { builtMain } from '../support/built-program.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/**
 * CSV → Parquet → DuckDB and hyparquet, over generated tables of every type. What a cell means and how it may be written is said here once
 * more, with nothing of src/: the calendar is `Date`, numbers are rendered from their value, and the text of the file is put together by
 * hand. A failure prints seed and path of fast-check; this seed makes every run the same.
 */
const SEED = 20240127
const RUNS = 3

/** A cell in its one exact form: integers, decimals (unscaled), dates (days), times and timestamps (units) are bigints. */
type Model = boolean | bigint | number | string | null

interface Written {
  readonly model: Model
  readonly text: string
}

interface Spec {
  readonly label: string
  readonly field: Record<string, unknown>
  /** DuckDB's type. */
  readonly engineType: string
  readonly cell: fc.Arbitrary<Written>
}

// ---- values and how they may be written ----

const MISSING = ['', 'NA', '-99']
const DAY_MS = 86_400_000
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z')
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

const character = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...'abcXYZ019 ,;|\t"\'#-_=+@\n\r\\/€éß日😀\u0301\u200b\u00a0\ufeff') },
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((c) => c !== '\u0000'),
)
const freeText = fc.oneof(
  fc.array(character, { maxLength: 12 }).map((c) => c.join('')),
  fc.constantFrom('x'.repeat(64), 'x'.repeat(65), `${'x'.repeat(63)}é`, `${'\u{10ffff}'.repeat(17)}z`, 'NULL', 'nan', '-0', 'constructor'),
)
const asText = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<Written> => arbitrary.map((text) => ({ model: text, text }))

function grouped(digits: string, groupChar: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, groupChar)
}

function integers(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  return fc.oneof(fc.bigInt({ min, max }), fc.bigInt({ min: -20n, max: 20n }), fc.constantFrom(min, max, 0n, -1n, 2n ** 31n - 1n))
}

function integerCell(bits: 32 | 64, style: 'plain' | 'grouped' | 'decorated' = 'plain'): fc.Arbitrary<Written> {
  const max = 2n ** BigInt(bits - 1) - 1n
  return fc
    .record({
      value: integers(-max - 1n, max),
      zeros: fc.nat(3),
      plus: fc.boolean(),
      around: fc.constantFrom(['', ''], ['€', ''], ['kPa ', ''], ['', ' %'], ['~', '*']),
    })
    .map(({ value, zeros, plus, around }) => {
      const digits = String(value < 0n ? -value : value)
      const sign = value < 0n ? '-' : plus ? '+' : ''
      if (style === 'grouped') return { model: value, text: sign + grouped(digits, ' ') }
      const number = `${sign}${'0'.repeat(zeros)}${digits}`
      return { model: value, text: style === 'decorated' ? `${around[0]}${number}${around[1]}` : number }
    })
}

function doubleCell(style: 'plain' | 'german'): fc.Arbitrary<Written> {
  const values = fc.oneof(
    fc.double(),
    fc.double({ min: -1000, max: 1000, noNaN: true }),
    fc.integer({ min: -5, max: 5 }),
    fc.constantFrom(0, -0, 5e-324, Number.MAX_VALUE, 0.1, 1 / 3, 2 ** 53 + 2, Number.NaN, Infinity, -Infinity),
  )
  return fc.record({ value: values, form: fc.nat(3) }).map(({ value, form }) => {
    if (Number.isNaN(value)) return { model: value, text: form > 1 ? 'NaN' : 'nan' }
    if (!Number.isFinite(value)) return { model: value, text: value > 0 ? 'INF' : '-INF' }
    let text = Object.is(value, -0) ? '-0' : String(value)
    if (form === 1) text = Object.is(value, -0) ? '-0.0' : value.toExponential()
    if (form === 2 && /^-?\d+$/.test(text)) text += '.0'
    if (form === 3 && /^-?0\.\d+$/.test(text)) text = text.replace('0.', '.')
    if (style === 'german') {
      const [, sign, whole, rest] = /^(-?)(\d*)(.*)$/.exec(text)!
      text = `${sign}${form === 0 ? grouped(whole!, '.') : whole}${rest!.replace('.', ',')}`
    }
    return { model: value, text }
  })
}

function decimalCell(precision: number, scale: number, decimalChar = '.'): fc.Arbitrary<Written> {
  const limit = 10n ** BigInt(precision) - 1n
  return fc.record({ unscaled: integers(-limit, limit), form: fc.nat(4) }).map(({ unscaled: drawn, form }) => {
    const unscaled = drawn > limit || drawn < -limit ? 0n : drawn
    const sign = unscaled < 0n ? '-' : ''
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
    const whole = digits.slice(0, digits.length - scale)
    let fraction = scale === 0 ? '' : digits.slice(-scale)
    if (form === 1) fraction = fraction.replace(/0+$/, '')
    if (form === 2) fraction += '000'
    let text = fraction === '' ? sign + whole : `${sign}${whole}${decimalChar}${fraction}`
    if (form === 3) text = `${unscaled}e-${scale}`
    if (form === 4 && fraction !== '' && whole === '0') text = `${sign}${decimalChar}${fraction}`
    return { model: unscaled, text }
  })
}

const two = (n: number): string => String(n).padStart(2, '0')

function dateCell(form: 'iso' | 'german' | 'day of year'): fc.Arbitrary<Written> {
  const days = fc.oneof(
    fc.integer({ min: FIRST_MS / DAY_MS, max: Math.floor(LAST_MS / DAY_MS) }),
    fc.integer({ min: -3, max: 20_000 }),
    fc.constantFrom(FIRST_MS / DAY_MS, Math.floor(LAST_MS / DAY_MS), 0, -1, 11_016, 19_782),
  )
  return days.map((day) => {
    const iso = new Date(day * DAY_MS).toISOString().slice(0, 10)
    const [y, m, d] = iso.split('-') as [string, string, string]
    if (form === 'iso') return { model: BigInt(day), text: iso }
    if (form === 'german') return { model: BigInt(day), text: `${d}.${m}.${y}` }
    const first = new Date(0)
    first.setUTCFullYear(Number(y), 0, 1)
    return { model: BigInt(day), text: `${y}${String(day - first.getTime() / DAY_MS + 1).padStart(3, '0')}` }
  })
}

/** hh:mm:ss of a second of a day and a fraction of so many digits, some of them left out or added where they are zero. */
function clockText(second: number, fraction: string, form: number): string {
  const clock = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`
  const trimmed = fraction.replace(/0+$/, '')
  if (form === 0) return trimmed === '' ? clock : `${clock}.${trimmed}`
  return form === 1 ? `${clock}.${fraction}` : `${clock}.${fraction}00000`
}

function timeCell(unit: 'MILLIS' | 'MICROS'): fc.Arbitrary<Written> {
  const perSecond = unit === 'MILLIS' ? 1000 : 1_000_000
  const units = fc.oneof(
    fc.integer({ min: 0, max: 86_400 * perSecond - 1 }),
    fc.constantFrom(0, 1, 86_400 * perSecond - 1, 43_200 * perSecond),
  )
  return fc.record({ value: units, form: fc.nat(2) }).map(({ value, form }) => {
    const fraction = String(value % perSecond).padStart(unit === 'MILLIS' ? 3 : 6, '0')
    return { model: BigInt(value), text: clockText(Math.floor(value / perSecond), fraction, form) }
  })
}

function timestampCell(unit: 'MILLIS' | 'MICROS', utc: boolean): fc.Arbitrary<Written> {
  const ms = fc.oneof(
    fc.integer({ min: FIRST_MS, max: LAST_MS }),
    fc.integer({ min: -5000, max: 2e12 }),
    fc.constantFrom(FIRST_MS, LAST_MS, 0, -1, Date.parse('1969-12-31T12:00:00Z'), Date.parse('2024-02-29T23:59:59.999Z')),
  )
  return fc
    .record({
      ms,
      micros: unit === 'MICROS' ? fc.nat(999) : fc.constant(0),
      offset: fc.integer({ min: -14 * 60, max: 14 * 60 }),
      form: fc.nat(2),
      zulu: fc.boolean(),
    })
    .map(({ ms, micros, offset, form, zulu }) => {
      const model = unit === 'MILLIS' ? BigInt(ms) : BigInt(ms) * 1000n + BigInt(micros)
      const local = ms + offset * 60_000
      const shifted = utc && !zulu && local >= FIRST_MS && local <= LAST_MS
      const iso = new Date(shifted ? local : ms).toISOString()
      const second = Number(iso.slice(11, 13)) * 3600 + Number(iso.slice(14, 16)) * 60 + Number(iso.slice(17, 19))
      const fraction = iso.slice(20, 23) + (unit === 'MICROS' ? String(micros).padStart(3, '0') : '')
      const sign = offset < 0 ? '-' : '+'
      const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`
      return { model, text: `${iso.slice(0, 11)}${clockText(second, fraction, form)}${utc ? (shifted ? zone : 'Z') : ''}` }
    })
}

/** %d/%m/%Y %H:%M, zone-less, or with %z. */
function patternCell(zone: boolean): fc.Arbitrary<Written> {
  return fc.integer({ min: Math.ceil(FIRST_MS / 60_000) + 900, max: Math.floor(LAST_MS / 60_000) - 900 }).chain((minute) =>
    fc.integer({ min: -840, max: 840 }).map((offset) => {
      const iso = new Date((minute + (zone ? offset : 0)) * 60_000).toISOString()
      const text = `${iso.slice(8, 10)}/${iso.slice(5, 7)}/${iso.slice(0, 4)} ${iso.slice(11, 16)}`
      const sign = offset < 0 ? '-' : '+'
      const tail = zone ? ` ${sign}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}` : ''
      return { model: BigInt(minute) * 60_000n, text: text + tail }
    }),
  )
}

function booleanCell(trueTexts: readonly string[], falseTexts: readonly string[]): fc.Arbitrary<Written> {
  return fc.oneof(
    fc.constantFrom(...trueTexts).map((text) => ({ model: true, text })),
    fc.constantFrom(...falseTexts).map((text) => ({ model: false, text })),
  )
}

/** Items as they are written, and as they stand in the JSON text. */
function listCell(item: fc.Arbitrary<{ text: string; json: string }>, delimiter: string): fc.Arbitrary<Written> {
  return fc
    .array(
      item.filter(({ text }) => !text.includes(delimiter)),
      { minLength: 1, maxLength: 4 },
    )
    .map((items) => ({ model: `[${items.map((i) => i.json).join(',')}]`, text: items.map((i) => i.text).join(delimiter) }))
    .filter(({ text }) => !MISSING.includes(text))
}

const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' })
const jsonCell = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Written> =>
  fc
    .record({ value, indent: fc.constantFrom(0, 1, 2, '\t') })
    .map(({ value: v, indent }) => ({ model: JSON.stringify(v), text: JSON.stringify(v, null, indent) }))

const stringItem = freeText.map((text) => ({ text, json: JSON.stringify(text) }))
const tokens = (arbitrary: fc.Arbitrary<string>) => arbitrary.map((text) => ({ text, json: text }))
const degrees = fc.record({ lon: fc.double({ min: -180, max: 180, noNaN: true }), lat: fc.double({ min: -90, max: 90, noNaN: true }) })

const decimal = (precision: number, scale: number): Spec => ({
  label: `decimal ${precision},${scale}`,
  field: { type: 'number', parquet: { type: 'DECIMAL', precision, scale } },
  engineType: `DECIMAL(${precision},${scale})`,
  cell: decimalCell(precision, scale),
})

const GROUPS: Record<string, readonly Spec[]> = {
  texts: [
    { label: 'string', field: { type: 'string' }, engineType: 'VARCHAR', cell: asText(freeText) },
    { label: 'any', field: { type: 'any' }, engineType: 'VARCHAR', cell: asText(freeText) },
    { label: 'no type', field: {}, engineType: 'VARCHAR', cell: asText(freeText) },
    { label: 'uuid', field: { type: 'string', format: 'uuid' }, engineType: 'VARCHAR', cell: asText(fc.uuid()) },
    {
      label: 'email',
      field: { type: 'string', format: 'email' },
      engineType: 'VARCHAR',
      cell: asText(fc.constantFrom('a@b.c', 'jörg.müller@example.org', 'x+y@localhost')),
    },
    {
      label: 'uri',
      field: { type: 'string', format: 'uri' },
      engineType: 'VARCHAR',
      cell: asText(fc.constantFrom('https://example.org/a?b=c,d', 'urn:isbn:0451450523')),
    },
    {
      label: 'binary',
      field: { type: 'string', format: 'binary' },
      engineType: 'VARCHAR',
      cell: asText(fc.uint8Array({ minLength: 1, maxLength: 9 }).map((b) => Buffer.from(b).toString('base64'))),
    },
  ],
  'integers and booleans': [
    { label: 'integer', field: { type: 'integer' }, engineType: 'BIGINT', cell: integerCell(64) },
    { label: 'INT32', field: { type: 'integer', parquet: { type: 'INT32', unit: 'm' } }, engineType: 'INTEGER', cell: integerCell(32) },
    { label: 'grouped', field: { type: 'integer', groupChar: ' ' }, engineType: 'BIGINT', cell: integerCell(64, 'grouped') },
    { label: 'decorated', field: { type: 'integer', bareNumber: false }, engineType: 'BIGINT', cell: integerCell(64, 'decorated') },
    {
      label: 'year',
      field: { type: 'year' },
      engineType: 'INTEGER',
      cell: fc.integer({ min: 1, max: 9999 }).map((y) => ({ model: BigInt(y), text: String(y).padStart(4, '0') })),
    },
    {
      label: 'boolean',
      field: { type: 'boolean' },
      engineType: 'BOOLEAN',
      cell: booleanCell(['true', 'True', 'TRUE', '1'], ['false', 'False', 'FALSE', '0']),
    },
    {
      label: 'ja/nein',
      field: { type: 'boolean', trueValues: ['ja', 'J'], falseValues: ['nein', 'N,'] },
      engineType: 'BOOLEAN',
      cell: booleanCell(['ja', 'J'], ['nein', 'N,']),
    },
  ],
  'numbers of floating and fixed point': [
    { label: 'double', field: { type: 'number' }, engineType: 'DOUBLE', cell: doubleCell('plain') },
    {
      label: 'german double',
      field: { type: 'number', decimalChar: ',', groupChar: '.' },
      engineType: 'DOUBLE',
      cell: doubleCell('german'),
    },
    {
      label: 'german decimal',
      field: { type: 'number', decimalChar: ',', parquet: { type: 'DECIMAL', precision: 12, scale: 3 } },
      engineType: 'DECIMAL(12,3)',
      cell: decimalCell(12, 3, ','),
    },
    decimal(1, 0),
    decimal(9, 2),
    decimal(9, 9),
  ],
  'large decimals': [decimal(10, 0), decimal(18, 6), decimal(18, 18), decimal(19, 4), decimal(38, 10), decimal(38, 38), decimal(38, 0)],
  'dates and times': [
    { label: 'date', field: { type: 'date' }, engineType: 'DATE', cell: dateCell('iso') },
    { label: 'german date', field: { type: 'date', format: '%d.%m.%Y' }, engineType: 'DATE', cell: dateCell('german') },
    { label: 'day of year', field: { type: 'date', format: '%Y%j' }, engineType: 'DATE', cell: dateCell('day of year') },
    { label: 'time', field: { type: 'time' }, engineType: 'TIME', cell: timeCell('MILLIS') },
    { label: 'time MICROS', field: { type: 'time', parquet: { type: 'TIME_MICROS' } }, engineType: 'TIME', cell: timeCell('MICROS') },
    {
      label: 'yearmonth',
      field: { type: 'yearmonth' },
      engineType: 'VARCHAR',
      cell: asText(fc.constantFrom('0001-01', '2024-12', '9999-06')),
    },
    {
      label: 'duration',
      field: { type: 'duration' },
      engineType: 'VARCHAR',
      cell: asText(fc.constantFrom('P1Y', 'PT0.5S', '-P1DT12H', 'P1Y2M3DT4H5M6.789S')),
    },
  ],
  timestamps: [
    ...(['MILLIS', 'MICROS'] as const).flatMap((unit) =>
      [true, false].map((utc) => ({
        label: `${unit} ${utc ? 'UTC' : 'local'}`,
        field: { type: 'datetime', parquet: { type: `TIMESTAMP_${unit}`, utc } },
        engineType: utc ? 'TIMESTAMP WITH TIME ZONE' : 'TIMESTAMP',
        cell: timestampCell(unit, utc),
      })),
    ),
    { label: 'pattern', field: { type: 'datetime', format: '%d/%m/%Y %H:%M' }, engineType: 'TIMESTAMP', cell: patternCell(false) },
    {
      label: 'pattern with zone',
      field: { type: 'datetime', format: '%d/%m/%Y %H:%M %z' },
      engineType: 'TIMESTAMP WITH TIME ZONE',
      cell: patternCell(true),
    },
  ],
  'JSON texts': [
    { label: 'list', field: { type: 'list' }, engineType: 'JSON', cell: listCell(stringItem, ',') },
    {
      label: 'integers',
      field: { type: 'list', itemType: 'integer', delimiter: ';' },
      engineType: 'JSON',
      cell: listCell(tokens(integers(-(2n ** 63n), 2n ** 63n - 1n).map(String)), ';'),
    },
    {
      label: 'numbers',
      field: { type: 'list', itemType: 'number', delimiter: ' ' },
      engineType: 'JSON',
      cell: listCell(tokens(fc.constantFrom('1.50', '-0.1', '1e300', '12345678901234567890')), ' '),
    },
    {
      label: 'booleans',
      field: { type: 'list', itemType: 'boolean', delimiter: '|' },
      engineType: 'JSON',
      cell: listCell(fc.constantFrom({ text: 'True', json: 'true' }, { text: '0', json: 'false' }), '|'),
    },
    {
      label: 'dates',
      field: { type: 'list', itemType: 'date' },
      engineType: 'JSON',
      cell: listCell(fc.constantFrom({ text: '2024-02-29', json: '"2024-02-29"' }), ','),
    },
    {
      label: 'object',
      field: { type: 'object' },
      engineType: 'JSON',
      cell: jsonCell(fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), json, { maxKeys: 4 })),
    },
    { label: 'array', field: { type: 'array' }, engineType: 'JSON', cell: jsonCell(fc.array(json, { maxLength: 4 })) },
  ],
  places: [
    {
      label: 'geojson',
      field: { type: 'geojson' },
      engineType: 'JSON',
      cell: jsonCell(degrees.map(({ lon, lat }) => ({ type: 'Point', coordinates: [lon, lat] }))),
    },
    {
      label: 'geopoint',
      field: { type: 'geopoint' },
      engineType: 'VARCHAR',
      cell: asText(degrees.map(({ lon, lat }) => `${lon}, ${lat}`)),
    },
    {
      label: 'geopoint array',
      field: { type: 'geopoint', format: 'array' },
      engineType: 'VARCHAR',
      cell: asText(degrees.map(({ lon, lat }) => `[${lon}, ${lat}]`)),
    },
    {
      label: 'geopoint object',
      field: { type: 'geopoint', format: 'object' },
      engineType: 'VARCHAR',
      cell: asText(degrees.map((p) => JSON.stringify(p))),
    },
  ],
}

// ---- tables and how they may be written ----

interface Style {
  readonly delimiter: string
  readonly rowEnd: string
  readonly bom: boolean
  readonly lastRowEnd: boolean
  /** needed: only where the grammar asks for it. */
  readonly quotes: 'needed' | 'always' | 'some'
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be'
}

const style: fc.Arbitrary<Style> = fc.record({
  delimiter: fc.constantFrom(',', ',', ';', '\t', '|', '~~'),
  rowEnd: fc.constantFrom('\n', '\r\n', '\r'),
  bom: fc.boolean(),
  lastRowEnd: fc.boolean(),
  quotes: fc.constantFrom('needed' as const, 'always' as const, 'some' as const),
  encoding: fc.constantFrom('utf-8' as const, 'utf-8' as const, 'utf-16le' as const, 'utf-16be' as const),
})

interface GeneratedColumn {
  readonly name: string
  readonly spec: Spec
  readonly cells: readonly Written[]
}

interface GeneratedTable {
  readonly columns: readonly GeneratedColumn[]
  readonly rows: number
  /** Order of the columns in the file. */
  readonly order: readonly number[]
  readonly style: Style
}

/** A text that means "no value" is none, whatever it would be otherwise. */
const settled = (cell: Written): Written => (MISSING.includes(cell.text) ? { model: null, text: cell.text } : cell)

function cellsOf(spec: Spec, rows: number): fc.Arbitrary<readonly Written[]> {
  const missing = fc.constantFrom(...MISSING).map((text): Written => ({ model: null, text }))
  const length = { minLength: rows, maxLength: rows }
  return fc
    .oneof(
      fc.array(fc.oneof({ weight: 5, arbitrary: spec.cell }, missing), length),
      fc
        .array(fc.oneof({ weight: 5, arbitrary: spec.cell }, missing), { minLength: 1, maxLength: 3 })
        .chain((few) => fc.array(fc.constantFrom(...few), length)),
    )
    .map((cells) => cells.map(settled))
}

const columnName = fc.oneof(
  fc.constantFrom(
    'depth (m)',
    'a,b',
    'say "x"',
    '__proto__',
    'constructor',
    '1',
    ' padded ',
    'Größe',
    '深さ',
    '😀',
    "it's",
    'two\nlines',
    'semi;colon',
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
)

/** Every spec of a group side by side, the record's own number first so that no row is blank. */
function tableOf(specs: readonly Spec[]): fc.Arbitrary<GeneratedTable> {
  const names = fc.uniqueArray(
    columnName.filter((n) => n.trim() !== '' && !n.includes('\u0000') && n !== 'no'),
    { minLength: specs.length, maxLength: specs.length, selector: (n) => n.toLowerCase() },
  )
  return fc.record({ names, rows: fc.integer({ min: 1, max: 24 }), style }).chain(({ names, rows, style }) =>
    fc
      .record({
        cells: fc.tuple(...specs.map((spec) => cellsOf(spec, rows))),
        order: fc.shuffledSubarray([...Array(specs.length + 1).keys()], { minLength: specs.length + 1 }),
      })
      .map(({ cells, order }) => {
        const no = Array.from({ length: rows }, (_, i) => ({ model: BigInt(i), text: `${i}` }))
        const columns = [
          { name: 'no', spec: { label: 'no', field: { type: 'integer' }, engineType: 'BIGINT', cell: integerCell(64) }, cells: no },
          ...specs.map((spec, i) => ({ name: names[i]!, spec, cells: cells[i]! })),
        ]
        const table = { columns, rows, order, style }
        return { ...table, [fc.toStringMethod]: () => JSON.stringify({ table: documentOf(table), style, csv: textOf(table) }, null, 2) }
      }),
  )
}

function csvOf(table: GeneratedTable): Buffer {
  const { encoding } = table.style
  if (encoding === 'utf-8') return Buffer.from(textOf(table), 'utf8')
  const wide = Buffer.from(textOf(table), 'utf16le')
  return encoding === 'utf-16le' ? wide : wide.swap16()
}

function textOf(table: GeneratedTable): string {
  const { style, order, columns } = table
  let count = 0
  const cellText = (text: string): string => {
    const needed =
      [style.delimiter, '"', '\n', '\r'].some((c) => text.includes(c)) ||
      text.startsWith('\ufeff') ||
      (style.delimiter.length > 1 && text.includes('~'))
    const wanted = style.quotes === 'always' || (style.quotes === 'some' && count++ % 3 === 0)
    return needed || wanted ? `"${text.replaceAll('"', '""')}"` : text
  }
  const line = (texts: readonly string[]): string => texts.map(cellText).join(style.delimiter)
  const lines = [line(order.map((c) => columns[c]!.name))]
  for (let r = 0; r < table.rows; r++) lines.push(line(order.map((c) => columns[c]!.cells[r]!.text)))
  return `${style.bom ? '\ufeff' : ''}${lines.join(style.rowEnd)}${style.lastRowEnd ? style.rowEnd : ''}`
}

const documentOf = (table: GeneratedTable): object => ({
  name: 'generated',
  fieldsMatch: 'equal',
  missingValues: MISSING,
  fields: table.columns.map(({ name, spec }) => ({ name, ...spec.field, ...(name === 'no' ? { missingValues: [] } : {}) })),
})

const dialectOf = (table: GeneratedTable): DialectDocument =>
  dialectDocument.parse({ delimiter: table.style.delimiter, encoding: table.style.encoding })

// ---- reading back ----

/** hyparquet without its conversions: the annotations are taken away, so that it hands out what is stored. */
async function readByHyparquet(path: string, table: GeneratedTable): Promise<Model[][]> {
  const bytes = readFileSync(path)
  const file = {
    byteLength: bytes.length,
    slice: async (start: number, end?: number) =>
      bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + (end ?? bytes.length)) as ArrayBuffer,
  }
  const metadata = await parquetMetadataAsync(file)
  for (const element of metadata.schema) {
    delete (element as { converted_type?: unknown }).converted_type
    delete (element as { logical_type?: unknown }).logical_type
  }
  let rows: unknown[][] = []
  await parquetRead({ file, metadata, utf8: false, onComplete: (all) => (rows = all as unknown[][]) })
  return rows.map((row) => row.map((value, c) => storedModel(table.columns[c]!.spec.engineType, value)))
}

function storedModel(engineType: string, value: unknown): Model {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) {
    if (!engineType.startsWith('DECIMAL')) return Buffer.from(value).toString('utf8')
    return BigInt.asIntN(128, BigInt(`0x${Buffer.from(value).toString('hex')}`))
  }
  return typeof value === 'number' && engineType !== 'DOUBLE' ? BigInt(value) : (value as Model)
}

function engineModel(spec: Spec, value: unknown): Model {
  if (value === null) return null
  if (isText(spec.engineType)) return textOfBlob(value)
  const micros = (v: unknown): bigint => (v as { micros: bigint }).micros
  const inMillis =
    JSON.stringify(spec.field).includes('MILLIS') || (spec.field.parquet as { type?: string } | undefined)?.type === undefined
  if (spec.engineType.startsWith('DECIMAL')) return (value as { value: bigint }).value
  if (spec.engineType.startsWith('TIME')) return inMillis ? micros(value) / 1000n : micros(value)
  if (spec.engineType === 'DATE') return BigInt((value as { days: number }).days)
  if (spec.engineType === 'INTEGER') return BigInt(value as number)
  return value as Model
}

let instance: DuckDBInstance
let engine: DuckDBConnection
let folder: string
const cleanUps: (() => Promise<void>)[] = []
beforeAll(async () => {
  folder = await temporaryFolder((cleanUp) => cleanUps.push(cleanUp))
  instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  engine = await instance.connect()
  await engine.run("SET TimeZone = 'UTC'")
})
afterAll(async () => {
  engine.closeSync()
  instance.closeSync()
  for (const cleanUp of cleanUps) await cleanUp()
})

const query = async (sql: string): Promise<unknown[][]> => (await (await engine.run(sql)).getRows()) as unknown[][]
const isText = (engineType: string): boolean => engineType === 'VARCHAR' || engineType === 'JSON'
/** DuckDB's client takes a byte order mark off every text that begins with one, so texts are asked for as bytes. */
const asStored = (name: string, engineType: string): string =>
  isText(engineType) ? `encode(CAST(${quotedName(name)} AS VARCHAR))` : quotedName(name)
const textOfBlob = (value: unknown): string => Buffer.from((value as DuckDBBlobValue).bytes).toString('utf8')

const quotedName = (name: string): string => `"${name.replaceAll('"', '""')}"`
const quotedText = (text: string): string => `'${text.replaceAll("'", "''")}'`

async function readByEngine(path: string, table: GeneratedTable): Promise<Model[][]> {
  const columns = table.columns.map(({ name, spec }) => asStored(name, spec.engineType)).join(', ')
  const rows = await query(`SELECT ${columns} FROM read_parquet(${quotedText(path)})`)
  return rows.map((row) => row.map((value, c) => engineModel(table.columns[c]!.spec, value)))
}

let files = 0
function requestOf(table: GeneratedTable, source: string, out: string): ConvertRequest {
  return {
    sourcePath: source,
    place: 'generated.csv',
    tableName: 'generated',
    tableDocument: documentOf(table),
    dialect: dialectOf(table),
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

async function convert(table: GeneratedTable): Promise<{ path: string; request: ConvertRequest; done: ConvertDone }> {
  const id = files++
  const source = join(folder, `${id}.csv`)
  const path = join(folder, `${id}.parquet`)
  await writeFile(source, csvOf(table))
  const request = requestOf(table, source, path)
  const done = await convertSource(request, { files: nodeFiles })
  if (done.status !== 'done') throw new Error(`${done.code}: ${done.message}`)
  expect(done.report.tasks[0]!.errors, 'every generated cell is legal').toEqual([])
  return { path, request, done }
}

/** Every condition gives the same rows over the file, where statistics may leave out row groups, as over a copy without statistics. */
async function expectSameFilters(
  path: string,
  columns: readonly { readonly name: string; readonly engineType: string }[],
  distinctLimit: number,
): Promise<number> {
  await query(`CREATE OR REPLACE TEMP TABLE whole AS SELECT * FROM read_parquet(${quotedText(path)})`)
  let conditions = 0
  for (const { name, engineType } of columns) {
    const column = quotedName(name)
    const literals = async (sql: string): Promise<string[]> =>
      (await query(sql)).flat().map((v) => `CAST(decode(unhex(${quotedText(v as string)})) AS ${engineType})`)
    const hex = (expression: string): string => `hex(encode(CAST(${expression} AS VARCHAR)))`
    const distinct = `SELECT DISTINCT ${column} AS v FROM whole WHERE ${column} IS NOT NULL`
    const values = await literals(`SELECT ${hex('v')} FROM (${distinct}) ORDER BY v LIMIT ${distinctLimit}`)
    const extremes = values.length === 0 ? [] : await literals(`SELECT ${hex(`min(${column})`)}, ${hex(`max(${column})`)} FROM whole`)
    const wheres = [
      `${column} IS NULL`,
      `${column} IS NOT NULL`,
      ...values.map((v) => `${column} = ${v}`),
      ...extremes.flatMap((v) => ['=', '<>', '<', '<=', '>', '>='].map((op) => `${column} ${op} ${v}`)),
    ]
    conditions += wheres.length
    const over = (from: string): string =>
      wheres
        .map((where, i) => `SELECT ${i} AS k, list("no" ORDER BY "no") AS nos, count(*) AS n FROM ${from} WHERE ${where}`)
        .join(' UNION ALL ')
    const differing = await query(
      `SELECT f.k FROM (${over(`read_parquet(${quotedText(path)})`)}) f JOIN (${over('whole')}) w USING (k) WHERE f.nos IS DISTINCT FROM w.nos OR f.n <> w.n`,
    )
    expect(
      differing.map(([k]) => wheres[k as number]),
      `conditions on a column of ${engineType} that find other rows`,
    ).toEqual([])
    // Each value finds its own row: equal over both is not enough where both find nothing.
    if (engineType !== 'DOUBLE') {
      const empty = await query(
        `SELECT k FROM (${over(`read_parquet(${quotedText(path)})`)}) WHERE n = 0 AND k BETWEEN 2 AND ${1 + values.length}`,
      )
      expect(empty).toEqual([])
    }
  }
  return conditions
}

describe('generated tables: every cell is read back equal by DuckDB and hyparquet, and every filter finds its rows', () => {
  for (const [group, specs] of Object.entries(GROUPS)) {
    test(`${group}: ${specs.map((s) => s.label).join(', ')}`, async () => {
      await fc.assert(
        fc.asyncProperty(tableOf(specs), async (table) => {
          const { path, done } = await convert(table)
          expect(done.rows).toMatchObject({ in: table.rows, good: table.rows, invalid: 0, blank: 0 })
          const models = Array.from({ length: table.rows }, (_, r) => table.columns.map((c) => c.cells[r]!.model))
          expect(await readByHyparquet(path, table)).toEqual(models)
          const described = await query(`DESCRIBE SELECT * FROM read_parquet(${quotedText(path)})`)
          expect(described.map(([name, type]) => [name, type])).toEqual(table.columns.map((c) => [c.name, c.spec.engineType]))
          expect(await readByEngine(path, table)).toEqual(models)
          await expectSameFilters(
            path,
            table.columns.map(({ name, spec }) => ({ name, engineType: spec.engineType })),
            24,
          )
        }),
        { seed: SEED, numRuns: RUNS, endOnFailure: true },
      )
    })
  }
})

/** 200,000 rows in several row groups: a rising and a falling column, one constant over long runs, texts with a long head in common. */
function largeTable(): GeneratedTable {
  const rows = 200_000
  const group = (i: number): number => Math.floor(i / 131_072)
  const column = (name: string, field: Record<string, unknown>, engineType: string, cell: (i: number) => Written): GeneratedColumn => ({
    name,
    spec: { label: name, field, engineType, cell: fc.constant({ model: null, text: '' }) },
    cells: Array.from({ length: rows }, (_, i) => cell(i)),
  })
  const columns = [
    column('no', { type: 'integer' }, 'BIGINT', (i) => ({ model: BigInt(i), text: String(i) })),
    column('falling', { type: 'number' }, 'DOUBLE', (i) => ({ model: 10_000 - i / 64, text: String(10_000 - i / 64) })),
    column('group', { type: 'integer', parquet: { type: 'INT32' } }, 'INTEGER', (i) =>
      group(i) === 1 ? { model: null, text: '' } : { model: BigInt(group(i)), text: String(group(i)) },
    ),
    column('text', { type: 'string' }, 'VARCHAR', (i) => {
      const text = `${'long head '.repeat(7)}${group(i)}${['é', '\u{1f600}'][i % 2]}${i % 5}`
      return { model: text, text }
    }),
    column('day', { type: 'date' }, 'DATE', (i) => ({ model: BigInt(i % 7), text: `1970-01-0${(i % 7) + 1}` })),
  ]
  return {
    columns,
    rows,
    order: [4, 3, 2, 1, 0],
    style: { delimiter: ',', rowEnd: '\n', bom: false, lastRowEnd: true, quotes: 'needed', encoding: 'utf-8' },
  }
}

describe('a table of several row groups', () => {
  let table: GeneratedTable
  let converted: Awaited<ReturnType<typeof convert>>
  beforeAll(async () => {
    table = largeTable()
    converted = await convert(table)
  })

  test('is read back equal, and filters at the borders of row groups find their rows', async () => {
    const { path } = converted
    const groups = await query(`SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata(${quotedText(path)}) ORDER BY 1`)
    const sizes = groups.map(([, rows]) => Number(rows))
    expect(sizes.length).toBeGreaterThan(1)
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(50_000)
    const differs = (row: Model[], r: number): boolean => row.some((value, c) => !Object.is(value, table.columns[c]!.cells[r]!.model))
    const rows = await readByEngine(path, table)
    expect([rows.length, rows.findIndex(differs)]).toEqual([table.rows, -1])
    expect((await readByHyparquet(path, table)).findIndex(differs)).toBe(-1)
    const small = table.columns.slice(2).map(({ name, spec }) => ({ name, engineType: spec.engineType }))
    expect(await expectSameFilters(path, small, 40)).toBeGreaterThan(50)
    const starts = sizes.map((_, g) => sizes.slice(0, g).reduce((a, b) => a + b, 0))
    for (const at of [...starts, ...starts.map((s) => s - 1), table.rows - 1].filter((at) => at >= 0)) {
      const falling = 10_000 - at / 64
      for (const where of [`"no" = ${at}`, `falling = ${falling}`, `falling <= ${falling} AND "no" <= ${at}`]) {
        expect(await query(`SELECT count(*), min("no"), max("no") FROM read_parquet(${quotedText(path)}) WHERE ${where}`), where).toEqual([
          [1n, BigInt(at), BigInt(at)],
        ])
      }
    }
  })

  test('and a small one give the same bytes each time, in this thread and on the threads of the built program', async () => {
    const small = fc.sample(tableOf(GROUPS.timestamps!), { seed: SEED, numRuns: 1 })[0]!
    const pool = new ConvertPool({ threads: 2, workerUrl: pathToFileURL(join(dirname(builtMain()), '../workers/convert-thread.cjs')) })
    try {
      for (const { request, path, done } of [await convert(small), converted]) {
        const to = (name: string): ConvertRequest => ({ ...request, output: { kind: 'file', path: `${path}.${name}` } })
        const again = await Promise.all([
          convertSource(to('again'), { files: nodeFiles }),
          pool.convert(to('thread-1')),
          pool.convert(to('thread-2')),
        ])
        for (const result of again) {
          if (result.status !== 'done') throw new Error(`${result.code}: ${result.message}`)
          expect({ ...result.staged[0]!, path }).toEqual(done.staged[0])
          expect(await sameBytes(path, result.staged[0]!.path)).toBe(true)
        }
      }
    } finally {
      await pool.close()
    }
  })
})

async function sameBytes(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all([a, b].map((path) => createReadStream(path).toArray()))
  return Buffer.concat(left as Buffer[]).equals(Buffer.concat(right as Buffer[]))
}

import { booleanParser, FALSE_VALUES, TRUE_VALUES } from '../columns/boolean.js'
import type { CellParser } from '../columns/cell.js'
import { dateParser } from '../columns/date.js'
import { decimalParser } from '../columns/decimal.js'
import { doubleParser } from '../columns/double.js'
import { integerParser, yearParser } from '../columns/integer.js'
import { jsonParser } from '../columns/json.js'
import { LIST_ITEM_TYPES, listParser } from '../columns/list.js'
import type { NumberStyle } from '../columns/number-text.js'
import {
  anyParser,
  durationParser,
  GEOPOINT_FORMATS,
  geopointParser,
  STRING_FORMATS,
  stringParser,
  yearMonthParser,
} from '../columns/string.js'
import { StrptimeError, StrptimePattern } from '../columns/strptime.js'
import { timeParser } from '../columns/time.js'
import { timestampParser } from '../columns/timestamp.js'
import type { FieldDocument } from './schema.js'

type Report = (problem: string) => void

interface FieldType {
  /** What `parquet.type` may say; the first one is the default. */
  readonly parquetTypes: readonly string[]
  readonly formats: readonly string[] | 'patterns'
  make(field: FieldDocument, parquetType: string, report: Report): CellParser | null
}

const TEXT_TYPES = ['STRING', 'UTF8'] as const
const JSON_TYPES = ['JSON'] as const

/** One entry a type of Table Schema v2: its formats, its physical types, and its parser. */
const FIELD_TYPES = new Map<string, FieldType>(
  Object.entries({
    string: {
      parquetTypes: TEXT_TYPES,
      formats: STRING_FORMATS,
      make: (field) => stringParser({ format: STRING_FORMATS.find((f) => f === formatOf(field)) ?? 'default' }),
    },
    integer: {
      parquetTypes: ['INT64', 'INT32'],
      formats: ['default'],
      make: (field, type) => integerParser({ bits: type === 'INT32' ? 32 : 64, style: numberStyle(field) }),
    },
    number: { parquetTypes: ['DOUBLE', 'DECIMAL'], formats: ['default'], make: makeNumber },
    boolean: { parquetTypes: ['BOOLEAN'], formats: ['default'], make: makeBoolean },
    date: {
      parquetTypes: ['DATE'],
      formats: 'patterns',
      make(field, _type, report) {
        const pattern = patternOf(field, report)
        if (pattern?.hasTime === true || pattern?.hasZone === true) report(`format: the pattern of a date holds a time of day`)
        if (pattern?.hasDate === false) report('format: the pattern of a date must hold year, month and day')
        return pattern === undefined ? null : dateParser({ pattern })
      },
    },
    time: {
      parquetTypes: ['TIME_MILLIS', 'TIME_MICROS'],
      formats: 'patterns',
      make(field, type, report) {
        const pattern = patternOf(field, report)
        if (pattern?.hasDate === true || pattern?.hasZone === true) report('format: the pattern of a time holds a date or a zone')
        if (pattern?.hasTime === false) report('format: the pattern of a time must hold the hour')
        return pattern === undefined ? null : timeParser({ unit: type === 'TIME_MICROS' ? 'MICROS' : 'MILLIS', pattern })
      },
    },
    datetime: { parquetTypes: ['TIMESTAMP_MILLIS', 'TIMESTAMP_MICROS'], formats: 'patterns', make: makeTimestamp },
    list: {
      parquetTypes: JSON_TYPES,
      formats: ['default'],
      make(field, _type, report) {
        const itemType = LIST_ITEM_TYPES.find((t) => t === (field.itemType ?? 'string'))
        if (itemType === undefined) report(`itemType must be one of ${LIST_ITEM_TYPES.join(', ')}, not ${JSON.stringify(field.itemType)}`)
        return itemType === undefined ? null : listParser({ itemType, delimiter: field.delimiter ?? ',' })
      },
    },
    object: { parquetTypes: JSON_TYPES, formats: ['default'], make: () => jsonParser({ kind: 'object' }) },
    array: { parquetTypes: JSON_TYPES, formats: ['default'], make: () => jsonParser({ kind: 'array' }) },
    geojson: {
      parquetTypes: JSON_TYPES,
      formats: ['default', 'topojson'],
      make: (field) => jsonParser({ kind: formatOf(field) === 'topojson' ? 'topojson' : 'geojson' }),
    },
    geopoint: {
      parquetTypes: TEXT_TYPES,
      formats: GEOPOINT_FORMATS,
      make: (field) => geopointParser({ format: GEOPOINT_FORMATS.find((f) => f === formatOf(field)) ?? 'default' }),
    },
    year: { parquetTypes: ['INT32'], formats: ['default'], make: yearParser },
    yearmonth: { parquetTypes: TEXT_TYPES, formats: ['default'], make: yearMonthParser },
    duration: { parquetTypes: TEXT_TYPES, formats: ['default'], make: durationParser },
    // The standard allows any format here and gives it no meaning.
    any: { parquetTypes: TEXT_TYPES, formats: ['default', 'any'], make: anyParser },
  } satisfies Record<string, FieldType>),
)

/** The parser of a field's cells; null where problems were reported. */
export function compileFieldType(field: FieldDocument, report: Report): CellParser | null {
  const type = FIELD_TYPES.get(field.type)
  if (type === undefined) {
    report(`the type ${JSON.stringify(field.type)} is not known; there are ${[...FIELD_TYPES.keys()].join(', ')}`)
    return null
  }
  const { parquet = {} } = field
  const format = formatOf(field)
  if (type.formats !== 'patterns' && !type.formats.includes(format)) {
    report(`format must be one of ${type.formats.join(', ')} for a ${field.type}, not ${JSON.stringify(format)}`)
    return null
  }
  const parquetType = parquet.type ?? type.parquetTypes[0]!
  if (!type.parquetTypes.includes(parquetType)) {
    report(`parquet.type must be one of ${type.parquetTypes.join(', ')} for a ${field.type}, not ${JSON.stringify(parquetType)}`)
    return null
  }
  if (parquet.utc !== undefined && field.type !== 'datetime') report('parquet.utc belongs to a datetime')
  for (const key of ['precision', 'scale'] as const) {
    if (parquet[key] !== undefined && parquetType !== 'DECIMAL') report(`parquet.${key} belongs to parquet.type "DECIMAL"`)
  }
  return type.make(field, parquetType, report)
}

function formatOf(field: FieldDocument): string {
  // Data Package v0 wrote temporal patterns with this prefix; v2 asks readers to take it off.
  return (field.format ?? 'default').replace(/^fmt:/, '')
}

/** null: the default format. undefined: a problem was reported. */
function patternOf(field: FieldDocument, report: Report): StrptimePattern | null | undefined {
  const format = formatOf(field)
  if (format === 'default') return null
  if (format === 'any') {
    report('format "any" would have to guess; give a pattern such as "%d/%m/%Y"')
    return undefined
  }
  try {
    return new StrptimePattern(format)
  } catch (error) {
    if (!(error instanceof StrptimeError)) throw error
    report(`format ${JSON.stringify(format)}: ${error.message}`)
    return undefined
  }
}

function numberStyle(field: FieldDocument): NumberStyle {
  return { decimalChar: field.decimalChar ?? '.', groupChar: field.groupChar ?? null, bareNumber: field.bareNumber ?? true }
}

function makeNumber(field: FieldDocument, parquetType: string, report: Report): CellParser | null {
  const style = numberStyle(field)
  if (/[0-9+\-eE]/.test(style.decimalChar)) report('decimalChar cannot be a digit, a sign or an exponent')
  if (style.groupChar !== null && /[0-9+\-eE]/.test(style.groupChar)) report('groupChar cannot be a digit, a sign or an exponent')
  if (style.groupChar === style.decimalChar) report('decimalChar and groupChar are the same')
  if (parquetType !== 'DECIMAL') return doubleParser({ style })
  const precision = field.parquet?.precision ?? 18
  const scale = field.parquet?.scale ?? 0
  let sound = true
  if (precision < 1 || precision > 38) {
    report(`parquet.precision must be 1 to 38, not ${precision}`)
    sound = false
  }
  if (scale < 0 || scale > precision) {
    report(`parquet.scale must be 0 to the precision (${precision}), not ${scale}`)
    sound = false
  }
  return sound ? decimalParser({ precision, scale, style }) : null
}

function makeBoolean(field: FieldDocument, _type: string, report: Report): CellParser {
  const trueValues = field.trueValues ?? TRUE_VALUES
  const falseValues = field.falseValues ?? FALSE_VALUES
  for (const text of trueValues) if (falseValues.includes(text)) report(`${JSON.stringify(text)} is in trueValues and in falseValues`)
  return booleanParser({ trueValues, falseValues })
}

function makeTimestamp(field: FieldDocument, parquetType: string, report: Report): CellParser | null {
  const pattern = patternOf(field, report)
  if (pattern === undefined) return null
  if (pattern !== null && !(pattern.hasDate && pattern.hasTime))
    report('format: the pattern of a datetime must hold a date and a time of day')
  const utc = field.parquet?.utc ?? (pattern === null || pattern.hasZone)
  if (pattern !== null && utc !== pattern.hasZone) {
    report(utc ? 'parquet.utc is true, so the pattern needs %z' : 'parquet.utc is false, so the pattern cannot hold %z')
  }
  return timestampParser({ unit: parquetType === 'TIMESTAMP_MICROS' ? 'MICROS' : 'MILLIS', utc, pattern })
}

import { type CellParser, describeJs, type Scalar, typeProblem } from './cell.js'
import { compactJson } from './json-text.js'
import { NUMBER_GRAMMAR } from './number-text.js'

const LONE_SURROGATE = typeProblem('expected text that UTF-8 can hold: it has a lone surrogate')

/** A text with a grammar, stored as it stands. */
export function textParser(options: {
  test: ((text: string) => boolean) | null
  expected: string
  ordered?: boolean
  measured: boolean
}): CellParser {
  const { test } = options
  const problem = typeProblem(`expected ${options.expected}`)
  return {
    logical: { kind: 'string' },
    ordered: options.ordered ?? false,
    lengthOf: options.measured ? characters : null,
    parse(text) {
      if (!text.isWellFormed()) return LONE_SURROGATE
      return test === null || test(text) ? text : problem
    },
    fromJs: (value) => typeProblem(`expected ${options.expected} as a string, not ${describeJs(value)}`),
    format: String,
  }
}

/** Unicode characters (code points), as XML Schema counts them. */
function characters(value: Scalar): number {
  let count = 0
  for (const _ of value as string) count++
  return count
}

export const STRING_FORMATS = ['default', 'email', 'uri', 'binary', 'uuid'] as const
export type StringFormat = (typeof STRING_FORMATS)[number]

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]+$/
const EMAIL = /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)*$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Table Schema `string` with its formats. */
export function stringParser(options: { format: StringFormat }): CellParser {
  switch (options.format) {
    case 'default':
      return textParser({ test: null, expected: 'text', measured: true })
    case 'email':
      return textParser({ test: (text) => text.length <= 320 && EMAIL.test(text), expected: 'an e-mail address', measured: true })
    case 'uri':
      return textParser({ test: (text) => URI.test(text), expected: 'a URI with its scheme', measured: true })
    case 'uuid':
      return textParser({ test: (text) => UUID.test(text), expected: 'a UUID', measured: true })
    case 'binary':
      return textParser({ test: (text) => text.length % 4 === 0 && BASE64.test(text), expected: 'base64', measured: true })
  }
}

/** XML Schema duration: at least one part, and after `T` at least one. */
const DURATION = /^-?P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$/

/** Table Schema types that are stored as the text they are: yearmonth, duration, geopoint, any. */
export function yearMonthParser(): CellParser {
  return textParser({
    test: (text) => /^\d{4}-(?:0[1-9]|1[0-2])$/.test(text) && !text.startsWith('0000'),
    expected: 'a year and month such as 2024-01',
    // Four-digit years compare as text.
    ordered: true,
    measured: false,
  })
}

export function durationParser(): CellParser {
  return textParser({ test: (text) => DURATION.test(text), expected: 'an ISO 8601 duration such as P1DT12H', measured: false })
}

export function anyParser(): CellParser {
  return textParser({ test: null, expected: 'text', measured: false })
}

export const GEOPOINT_FORMATS = ['default', 'array', 'object'] as const
export type GeopointFormat = (typeof GEOPOINT_FORMATS)[number]

export function geopointParser(options: { format: GeopointFormat }): CellParser {
  const expected = {
    default: 'a point such as "90.5, 45.5"',
    array: 'a point such as [90.5, 45.5]',
    object: 'a point such as {"lon": 90.5, "lat": 45.5}',
  }
  return textParser({
    test: (text) => isPoint(text, options.format),
    expected: `${expected[options.format]} (longitude first)`,
    measured: false,
  })
}

function isPoint(text: string, format: GeopointFormat): boolean {
  if (format === 'default') {
    const parts = text.split(',')
    if (parts.length !== 2) return false
    const [lon, lat] = [parts[0]!, parts[1]!.replace(/^ /, '')]
    return NUMBER_GRAMMAR.test(lon) && NUMBER_GRAMMAR.test(lat) && isPosition(Number(lon), Number(lat))
  }
  const json = compactJson(text)
  if (!json.ok || json.kind !== format) return false
  const value = JSON.parse(json.text) as object
  if (Array.isArray(value)) return value.length === 2 && isPosition(value[0], value[1])
  const { lon, lat } = value as { lon?: unknown; lat?: unknown }
  return Object.keys(value).length === 2 && isPosition(lon, lat)
}

function isPosition(lon: unknown, lat: unknown): boolean {
  return typeof lon === 'number' && typeof lat === 'number' && Math.abs(lon) <= 180 && Math.abs(lat) <= 90
}

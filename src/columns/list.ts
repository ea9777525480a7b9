import { booleanParser, FALSE_VALUES, TRUE_VALUES } from './boolean.js'
import { type CellParser, describeJs, isProblem, typeProblem } from './cell.js'
import { dateParser } from './date.js'
import { integerParser } from './integer.js'
import { jsonLength } from './json.js'
import { jsonTextOf } from './json-text.js'
import { NUMBER_GRAMMAR, PLAIN_NUMBERS } from './number-text.js'
import { timeParser } from './time.js'
import { timestampParser } from './timestamp.js'

export const LIST_ITEM_TYPES = ['string', 'integer', 'boolean', 'number', 'datetime', 'date', 'time'] as const
export type ListItemType = (typeof LIST_ITEM_TYPES)[number]

/**
 * Table Schema `list`: items between delimiters, each in the default form of `itemType`, stored as a compact JSON array. Numbers and
 * integers keep their digits; dates and times are JSON strings.
 */
export function listParser(options: { itemType: ListItemType; delimiter: string }): CellParser {
  const { itemType, delimiter } = options
  const itemText = ITEM_TEXT[itemType]
  const problem = typeProblem(`expected a list of ${itemType} items separated by ${JSON.stringify(delimiter)}`)

  const parse = (text: string) => {
    const items: string[] = []
    for (const item of text.split(delimiter)) {
      const json = itemText(item)
      if (json === null) return problem
      items.push(json)
    }
    return `[${items.join(',')}]`
  }

  return {
    logical: { kind: 'json' },
    ordered: false,
    lengthOf: jsonLength,
    parse,
    fromJs(value) {
      if (!Array.isArray(value)) return typeProblem(`expected an array, not ${describeJs(value)}`)
      const texts: string[] = []
      for (const item of value as unknown[]) {
        const text = typeof item === 'string' ? item : jsonTextOf(item)
        if (typeof text !== 'string' && (!text.ok || text.kind !== jsonKindOf(itemType))) return problem
        texts.push(typeof text === 'string' ? text : text.text)
      }
      const joined = texts.join(delimiter)
      // A list that the text form cannot say (no items, one empty item, an item with the delimiter in it) could not be exported again.
      if (joined === '') return typeProblem('expected a list with at least one item that is not empty; pass null for "no value"')
      if (texts.some((text) => text.includes(delimiter)))
        return typeProblem(`expected items without the delimiter ${JSON.stringify(delimiter)}`)
      return parse(joined)
    },
    format: (value) => itemsOf(value as string).join(delimiter),
  }
}

const integer = integerParser({ bits: 64, style: PLAIN_NUMBERS })
const boolean = booleanParser({ trueValues: TRUE_VALUES, falseValues: FALSE_VALUES })
const date = dateParser({ pattern: null })
const time = timeParser({ unit: 'MICROS', pattern: null })
const instant = timestampParser({ unit: 'MICROS', utc: true, pattern: null })
const localTime = timestampParser({ unit: 'MICROS', utc: false, pattern: null })

/** JSON text of an item, or null where it is not of its type. */
const ITEM_TEXT: Record<ListItemType, (item: string) => string | null> = {
  string: (item) => (item.isWellFormed() ? JSON.stringify(item) : null),
  integer: canonical(integer, (value) => value),
  boolean: canonical(boolean, (value) => value),
  number: numberItem,
  date: canonical(date, JSON.stringify),
  time: canonical(time, JSON.stringify),
  datetime(item) {
    const zoned = instant.parse(item)
    if (!isProblem(zoned)) return JSON.stringify(instant.format(zoned))
    const local = localTime.parse(item)
    return isProblem(local) ? null : JSON.stringify(localTime.format(local))
  },
}

function canonical(parser: CellParser, wrap: (text: string) => string): (item: string) => string | null {
  return (item) => {
    const value = parser.parse(item)
    return isProblem(value) ? null : wrap(parser.format(value))
  }
}

/** A number with its own digits, only its form made JSON: no plus sign, no leading zeros, a digit on both sides of the point. */
function numberItem(item: string): string | null {
  if (!NUMBER_GRAMMAR.test(item)) return null
  const match = /^([+-]?)0*(\d*)(?:\.(\d*))?(.*)$/.exec(item)!
  const fraction = match[3] === undefined || match[3] === '' ? '' : `.${match[3]}`
  return `${match[1] === '-' ? '-' : ''}${match[2] === '' ? '0' : match[2]}${fraction}${match[4]}`
}

function jsonKindOf(itemType: ListItemType): 'number' | 'boolean' | 'string' {
  if (itemType === 'integer' || itemType === 'number') return 'number'
  return itemType === 'boolean' ? 'boolean' : 'string'
}

/** The items of a stored list as texts, numbers with their digits. */
function itemsOf(json: string): string[] {
  const items: string[] = []
  let at = 1
  while (at < json.length - 1) {
    const start = at
    if (json.charCodeAt(at) === 0x22) {
      at++
      while (json.charCodeAt(at) !== 0x22) at += json.charCodeAt(at) === 0x5c ? 2 : 1
      at++
      items.push(JSON.parse(json.slice(start, at)) as string)
    } else {
      while (at < json.length - 1 && json.charCodeAt(at) !== 0x2c) at++
      items.push(json.slice(start, at))
    }
    at++
  }
  return items
}

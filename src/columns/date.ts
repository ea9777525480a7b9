import { dateOfDays, dateText, daysOfDate, FIRST_DAY, isDate, LAST_DAY, MS_PER_DAY } from './calendar.js'
import { type CellParser, describeJs, typeProblem } from './cell.js'
import type { StrptimePattern } from './strptime.js'

const DEFAULT_FORMAT = /^(\d{4})-(\d{2})-(\d{2})$/

/** Table Schema `date`: YYYY-MM-DD, or a strptime pattern. Days since 1970-01-01, years 1 to 9999. */
export function dateParser(options: { pattern: StrptimePattern | null }): CellParser {
  const { pattern } = options
  const problem = typeProblem(pattern === null ? 'expected a date such as 2024-01-31' : `expected a date in the form ${pattern.pattern}`)

  const format = (days: number): string => {
    if (pattern === null) return dateText(days)
    return pattern.format({ ...dateOfDays(days), hour: 0, minute: 0, second: 0, micros: 0 })
  }

  const parse = (text: string) => {
    if (pattern !== null) {
      const parts = pattern.parse(text)
      return parts === null ? problem : daysOfDate(parts.year, parts.month, parts.day)
    }
    const match = DEFAULT_FORMAT.exec(text)
    if (match === null) return problem
    const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
    return isDate(year, month, day) ? daysOfDate(year, month, day) : typeProblem('expected a date of the calendar, year 1 to 9999')
  }

  return {
    logical: { kind: 'date' },
    ordered: true,
    lengthOf: null,
    parse,
    fromJs(value) {
      if (!(value instanceof Date)) return typeProblem(`expected a date as text or Date, not ${describeJs(value)}`)
      const days = value.getTime() / MS_PER_DAY
      if (!Number.isInteger(days)) return typeProblem('expected a Date at midnight UTC; pass a text such as "2024-01-31"')
      if (days < FIRST_DAY || days > LAST_DAY) return typeProblem('expected a date of the calendar, year 1 to 9999')
      // A two-digit year cannot say every date: what could not be written back is not taken.
      return parse(format(days)) === days ? days : problem
    },
    format: (value) => format(value as number),
  }
}

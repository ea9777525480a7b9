import {
  type DateTimeParts,
  dateOfDays,
  dateText,
  daysOfDate,
  FIRST_DAY,
  isDate,
  isTimeOfDay,
  LAST_DAY,
  MS_PER_DAY,
  microsOfFraction,
  secondsOfDay,
  timeText,
} from './calendar.js'
import { type CellParser, describeJs, type Scalar, typeProblem } from './cell.js'
import { offsetOf, type StrptimePattern } from './strptime.js'
import type { TimeUnit } from './vector.js'

/** XML Schema dateTime, years of four digits. */
const DEFAULT_FORMAT = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})?$/

const FIRST_SECOND = FIRST_DAY * 86_400
const LAST_SECOND = LAST_DAY * 86_400 + 86_399

/**
 * Table Schema `datetime`: XML Schema dateTime, or a strptime pattern. `parquet.utc` says whether the text carries a zone: instants and
 * zone-less times are kept apart, and a text of the other kind, or finer than the unit, is a type error.
 */
export function timestampParser(options: { unit: TimeUnit; utc: boolean; pattern: StrptimePattern | null }): CellParser {
  const { unit, utc, pattern } = options
  const example = utc ? '2024-01-31T09:30:00Z' : '2024-01-31T09:30:00'
  const problem = typeProblem(
    pattern === null ? `expected a date and time such as ${example}` : `expected a date and time in the form ${pattern.pattern}`,
  )
  const noZone = typeProblem(`expected a date and time with a zone, such as ${example}: the column holds instants`)
  const zone = typeProblem(`expected a date and time without a zone, such as ${example}: the column holds local times`)
  const tooFine = typeProblem(`expected a date and time no finer than ${unit === 'MILLIS' ? 'milliseconds' : 'microseconds'}`)
  const outOfRange = typeProblem('expected a date and time of the years 1 to 9999 in UTC')

  const stored = (parts: DateTimeParts) => {
    if (utc && parts.offsetMinutes === null) return noZone
    if (!utc && parts.offsetMinutes !== null) return zone
    const second =
      daysOfDate(parts.year, parts.month, parts.day) * 86_400 +
      secondsOfDay(parts.hour, parts.minute, parts.second) -
      (parts.offsetMinutes ?? 0) * 60
    // The zone can carry an instant over the edge of what can be written back.
    if (second < FIRST_SECOND || second > LAST_SECOND) return outOfRange
    if (unit === 'MICROS') return BigInt(second) * 1_000_000n + BigInt(parts.micros)
    return parts.micros % 1000 === 0 ? BigInt(second * 1000 + parts.micros / 1000) : tooFine
  }

  const parse = (text: string) => {
    if (pattern !== null) {
      const parts = pattern.parse(text)
      return parts === null ? problem : stored(parts)
    }
    const match = DEFAULT_FORMAT.exec(text)
    if (match === null) return problem
    const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
    const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])]
    if (!isDate(year, month, day)) return typeProblem('expected a date of the calendar, year 1 to 9999')
    if (!isTimeOfDay(hour, minute, second)) return typeProblem('expected a time from 00:00:00 to 23:59:59')
    const micros = match[7] === undefined ? 0 : microsOfFraction(match[7])
    if (micros === null) return tooFine
    const offsetMinutes = match[8] === undefined ? null : offsetOf(match[8])
    if (match[8] !== undefined && offsetMinutes === null) return typeProblem('expected a zone from -14:00 to +14:00')
    return stored({ year, month, day, hour, minute, second, micros, offsetMinutes })
  }

  const format = (value: Scalar): string => {
    if (pattern === null) return timestampText(value, unit, utc, false)
    const { day, second, micros } = timestampParts(value, unit)
    return pattern.format({
      ...dateOfDays(day),
      hour: Math.floor(second / 3600),
      minute: Math.floor(second / 60) % 60,
      second: second % 60,
      micros,
    })
  }

  return {
    logical: { kind: 'timestamp', unit, utc },
    ordered: true,
    lengthOf: null,
    parse,
    fromJs(value) {
      if (!(value instanceof Date)) return typeProblem(`expected a date and time as text${utc ? ' or Date' : ''}, not ${describeJs(value)}`)
      // A Date is an instant; which local time it stands for only the caller can know.
      if (!utc) return typeProblem(`expected a date and time without a zone as text, such as "${example}": a Date is an instant`)
      const ms = value.getTime()
      if (Number.isNaN(ms)) return typeProblem('expected a valid Date')
      if (ms < FIRST_DAY * MS_PER_DAY || ms >= (LAST_DAY + 1) * MS_PER_DAY) return outOfRange
      const stored = unit === 'MILLIS' ? BigInt(ms) : BigInt(ms) * 1000n
      return parse(format(stored)) === stored ? stored : problem
    },
    format,
  }
}

export function timestampParts(value: Scalar, unit: TimeUnit): { day: number; second: number; micros: number } {
  const perSecond = unit === 'MILLIS' ? 1000n : 1_000_000n
  const units = BigInt(value)
  let fraction = units % perSecond
  if (fraction < 0n) fraction += perSecond
  const seconds = Number((units - fraction) / perSecond)
  const day = Math.floor(seconds / 86_400)
  return { day, second: seconds - day * 86_400, micros: Number(fraction) * (unit === 'MILLIS' ? 1000 : 1) }
}

/** ISO 8601. `full` writes the fraction even when it is zero: three digits for MILLIS, six for MICROS. */
export function timestampText(value: Scalar, unit: TimeUnit, utc: boolean, full: boolean): string {
  const { day, second, micros } = timestampParts(value, unit)
  let time = timeText(second, full ? 0 : micros)
  if (full) time += `.${String(unit === 'MILLIS' ? micros / 1000 : micros).padStart(unit === 'MILLIS' ? 3 : 6, '0')}`
  return `${dateText(day)}T${time}${utc ? 'Z' : ''}`
}

/** The proleptic Gregorian calendar in plain arithmetic. `Date` is not used: it guesses, and it knows local time. */

export const MS_PER_DAY = 86_400_000

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : DAYS_IN_MONTH[month - 1]!
}

/** Years 1 to 9999, as every reader of Parquet agrees on. */
export function isDate(year: number, month: number, day: number): boolean {
  return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month)
}

/** Days since 1970-01-01 of a date for which `isDate` holds. */
export function daysOfDate(year: number, month: number, day: number): number {
  const y = year - 1
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400)
  const dayOfYear = DAYS_BEFORE_MONTH[month - 1]! + (month > 2 && isLeapYear(year) ? 1 : 0) + day - 1
  // 719162 days lie between 0001-01-01 and 1970-01-01.
  return y * 365 + leapDays + dayOfYear - 719_162
}

/** The inverse of `daysOfDate`, for any day. After H. Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years from 1 March. */
export function dateOfDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

export const FIRST_DAY = daysOfDate(1, 1, 1)
export const LAST_DAY = daysOfDate(9999, 12, 31)

export function digits(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

/** `YYYY-MM-DD`. */
export function dateText(days: number): string {
  const { year, month, day } = dateOfDays(days)
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`
}

/** A date and a time of day as they stand in a text. */
export interface DateTimeParts {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  /** Millionths of a second, 0 to 999,999. */
  micros: number
  /** Minutes east of UTC; null where the text carries no zone. */
  offsetMinutes: number | null
}

/** Microseconds since midnight of a second and its fraction: the seconds part and the part below, kept apart so that numbers stay exact. */
export function secondsOfDay(hour: number, minute: number, second: number): number {
  return hour * 3600 + minute * 60 + second
}

/** 0:00:00 to 23:59:59: no 24:00, no leap second, because neither has a Parquet value of its own. */
export function isTimeOfDay(hour: number, minute: number, second: number): boolean {
  return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59
}

/**
 * The digits after the decimal point of a second as microseconds.
 * null: finer than a microsecond. Zeros beyond the sixth digit say nothing and are taken.
 */
export function microsOfFraction(fraction: string): number | null {
  for (let i = 6; i < fraction.length; i++) if (fraction.charCodeAt(i) !== 0x30) return null
  return Number(fraction.slice(0, 6).padEnd(6, '0'))
}

/** `hh:mm:ss` and, where it is not zero, a fraction: three digits where they say it all, six otherwise. */
export function timeText(secondOfDay: number, micros: number): string {
  const text = `${digits(Math.floor(secondOfDay / 3600), 2)}:${digits(Math.floor(secondOfDay / 60) % 60, 2)}:${digits(secondOfDay % 60, 2)}`
  if (micros === 0) return text
  return micros % 1000 === 0 ? `${text}.${digits(micros / 1000, 3)}` : `${text}.${digits(micros, 6)}`
}

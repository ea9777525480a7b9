import { isTimeOfDay, microsOfFraction, secondsOfDay, timeText } from './calendar.js'
import { type CellParser, describeJs, type Scalar, typeProblem } from './cell.js'
import type { StrptimePattern } from './strptime.js'
import type { TimeUnit } from './vector.js'

const DEFAULT_FORMAT = /^(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?$/

/** Table Schema `time`: hh:mm:ss with an optional fraction, or a strptime pattern. Units since midnight. */
export function timeParser(options: { unit: TimeUnit; pattern: StrptimePattern | null }): CellParser {
  const { unit, pattern } = options
  const problem = typeProblem(pattern === null ? 'expected a time such as 09:30:00' : `expected a time in the form ${pattern.pattern}`)
  const tooFine = typeProblem(
    unit === 'MILLIS' ? 'expected a time no finer than milliseconds' : 'expected a time no finer than microseconds',
  )

  const stored = (second: number, micros: number) => {
    if (unit === 'MICROS') return BigInt(second * 1_000_000 + micros)
    return micros % 1000 === 0 ? second * 1000 + micros / 1000 : tooFine
  }

  return {
    logical: { kind: 'time', unit },
    ordered: true,
    lengthOf: null,
    parse(text) {
      if (pattern !== null) {
        const parts = pattern.parse(text)
        return parts === null ? problem : stored(secondsOfDay(parts.hour, parts.minute, parts.second), parts.micros)
      }
      const match = DEFAULT_FORMAT.exec(text)
      if (match === null) return problem
      const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3])]
      if (!isTimeOfDay(hour, minute, second)) return typeProblem('expected a time from 00:00:00 to 23:59:59')
      const micros = match[4] === undefined ? 0 : microsOfFraction(match[4])
      return micros === null ? tooFine : stored(secondsOfDay(hour, minute, second), micros)
    },
    fromJs: (value) => typeProblem(`expected a time as text such as "09:30:00", not ${describeJs(value)}`),
    format(value) {
      const { second, micros } = timeParts(value, unit)
      if (pattern === null) return timeText(second, micros)
      return pattern.format({
        year: 1970,
        month: 1,
        day: 1,
        hour: Math.floor(second / 3600),
        minute: Math.floor(second / 60) % 60,
        second: second % 60,
        micros,
      })
    },
  }
}

export function timeParts(value: Scalar, unit: TimeUnit): { second: number; micros: number } {
  const micros = unit === 'MICROS' ? Number(value) : Number(value) * 1000
  return { second: Math.floor(micros / 1_000_000), micros: micros % 1_000_000 }
}

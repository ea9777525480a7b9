import { type DateTimeParts, daysOfDate, digits, isDate, isTimeOfDay } from './calendar.js'

/** Thrown for a pattern that cannot be used; the message is meant for TABLE_INVALID. */
export class StrptimeError extends Error {}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']

type Directive = 'Y' | 'y' | 'm' | 'd' | 'j' | 'H' | 'I' | 'M' | 'S' | 'f' | 'p' | 'b' | 'B' | 'z'

/** Width of the numeric directives: as many digits as Python's strptime takes. */
const NUMERIC: Partial<Record<Directive, { min: number; max: number }>> = {
  Y: { min: 4, max: 4 },
  y: { min: 2, max: 2 },
  m: { min: 1, max: 2 },
  d: { min: 1, max: 2 },
  j: { min: 1, max: 3 },
  H: { min: 1, max: 2 },
  I: { min: 1, max: 2 },
  M: { min: 1, max: 2 },
  S: { min: 1, max: 2 },
  f: { min: 1, max: 6 },
}

const DATE_DIRECTIVES = new Set<Directive>(['Y', 'y', 'm', 'd', 'j', 'b', 'B'])

type Piece = { readonly literal: string } | { readonly directive: Directive }

/**
 * A `format` pattern of Table Schema (Python/C strptime): %Y %y %m %d %j %b %B %H %I %p %M %S %f %z %%, with English month names.
 * A numeric directive that another one follows at once takes its full width: "%Y%m%d" has one reading only.
 */
export class StrptimePattern {
  private readonly pieces: readonly Piece[]
  private readonly grammar: RegExp
  private readonly order: readonly Directive[]
  readonly hasZone: boolean
  readonly hasDate: boolean
  readonly hasTime: boolean

  /** Throws StrptimeError. */
  constructor(readonly pattern: string) {
    const pieces: Piece[] = []
    for (let i = 0; i < pattern.length; i++) {
      const c = pattern[i]!
      if (c !== '%') {
        pieces.push({ literal: c })
        continue
      }
      const letter = pattern[++i]
      if (letter === '%') pieces.push({ literal: '%' })
      else if (letter !== undefined && /^[YymdjbBHIpMSfz]$/.test(letter)) pieces.push({ directive: letter as Directive })
      else throw new StrptimeError(`the directive %${letter ?? ''} is not known`)
    }
    this.pieces = pieces
    this.order = pieces.flatMap((p) => ('directive' in p ? [p.directive] : []))
    if (this.order.length === 0) throw new StrptimeError('the pattern holds no directive such as %Y')
    const has = (...any: Directive[]): boolean => any.some((d) => this.order.includes(d))
    for (const d of this.order)
      if (this.order.filter((o) => o === d).length > 1) throw new StrptimeError(`%${d} stands in the pattern twice`)
    for (const group of [
      ['Y', 'y'],
      ['m', 'b', 'B', 'j'],
      ['d', 'j'],
      ['H', 'I'],
    ] as Directive[][]) {
      const used = group.filter((d) => this.order.includes(d))
      if (used.length > 1) throw new StrptimeError(`${used.map((d) => `%${d}`).join(' and ')} say the same thing twice`)
    }
    if (has('I') !== has('p')) throw new StrptimeError('%I and %p need each other')
    this.hasDate = this.order.some((d) => DATE_DIRECTIVES.has(d))
    this.hasTime = has('H', 'I', 'M', 'S', 'f')
    this.hasZone = has('z')
    if (this.hasDate && !(has('Y', 'y') && (has('j') || (has('m', 'b', 'B') && has('d'))))) {
      throw new StrptimeError('the pattern must hold year, month and day')
    }
    if (this.hasTime && !has('H', 'I')) throw new StrptimeError('the pattern must hold the hour')
    if (has('S') && !has('M')) throw new StrptimeError('the pattern holds seconds without minutes')
    if (has('f') && !has('S')) throw new StrptimeError('the pattern holds a fraction without seconds')
    this.grammar = new RegExp(`^${pieces.map((p, i) => this.grammarOf(p, pieces[i + 1])).join('')}$`, 'i')
  }

  /** The parts of a text, each in its range; null where the text is not of the pattern. What the pattern leaves out is zero. */
  parse(text: string): DateTimeParts | null {
    const match = this.grammar.exec(text)
    if (match === null) return null
    const parts: DateTimeParts = { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, micros: 0, offsetMinutes: null }
    let dayOfYear: number | null = null
    let afternoon: boolean | null = null
    for (let i = 0; i < this.order.length; i++) {
      const piece = match[i + 1]!
      switch (this.order[i]!) {
        case 'Y':
          parts.year = Number(piece)
          break
        case 'y':
          // POSIX: 69 to 99 are of the twentieth century.
          parts.year = Number(piece) + (Number(piece) >= 69 ? 1900 : 2000)
          break
        case 'm':
          parts.month = Number(piece)
          break
        case 'b':
        case 'B':
          parts.month = MONTHS.findIndex((name) => name.slice(0, 3).toLowerCase() === piece.slice(0, 3).toLowerCase()) + 1
          break
        case 'd':
          parts.day = Number(piece)
          break
        case 'j':
          dayOfYear = Number(piece)
          break
        case 'H':
          parts.hour = Number(piece)
          break
        case 'I':
          if (Number(piece) < 1 || Number(piece) > 12) return null
          parts.hour = Number(piece) % 12
          break
        case 'p':
          afternoon = piece.toLowerCase() === 'pm'
          break
        case 'M':
          parts.minute = Number(piece)
          break
        case 'S':
          parts.second = Number(piece)
          break
        case 'f':
          parts.micros = Number(piece.padEnd(6, '0'))
          break
        case 'z': {
          const offset = offsetOf(piece)
          if (offset === null) return null
          parts.offsetMinutes = offset
          break
        }
      }
    }
    if (afternoon === true) parts.hour += 12
    if (dayOfYear !== null) {
      if (dayOfYear < 1 || !isDate(parts.year, 1, 1)) return null
      let month = 1
      while (month < 12 && daysOfDate(parts.year, month + 1, 1) - daysOfDate(parts.year, 1, 1) < dayOfYear) month++
      parts.month = month
      parts.day = dayOfYear - (daysOfDate(parts.year, month, 1) - daysOfDate(parts.year, 1, 1))
    }
    return isDate(parts.year, parts.month, parts.day) && isTimeOfDay(parts.hour, parts.minute, parts.second) ? parts : null
  }

  /** Writes parts in UTC or without a zone; what the pattern has no directive for is left out. */
  format(parts: Omit<DateTimeParts, 'offsetMinutes'>): string {
    return this.pieces.map((p) => ('literal' in p ? p.literal : written(p.directive, parts))).join('')
  }

  private grammarOf(piece: Piece, next: Piece | undefined): string {
    if ('literal' in piece) return piece.literal.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
    const width = NUMERIC[piece.directive]
    if (width !== undefined) {
      const nextIsNumeric = next !== undefined && ('literal' in next ? /\d/.test(next.literal) : NUMERIC[next.directive] !== undefined)
      return nextIsNumeric ? `(\\d{${width.max}})` : `(\\d{${width.min},${width.max}})`
    }
    switch (piece.directive) {
      case 'p':
        return '(AM|PM)'
      case 'z':
        return '(Z|[+-]\\d{2}:?\\d{2})'
      case 'b':
        return `(${MONTHS.map((m) => m.slice(0, 3)).join('|')})`
      default:
        return `(${MONTHS.join('|')})`
    }
  }
}

/** Minutes east of UTC of `Z`, `±hh:mm` or `±hhmm`; null beyond ±14:00 (XML Schema). */
export function offsetOf(text: string): number | null {
  if (text === 'Z' || text === 'z') return 0
  const minutes = Number(text.slice(-2))
  const total = Number(text.slice(1, 3)) * 60 + minutes
  if (minutes > 59 || total > 14 * 60) return null
  return text.startsWith('-') ? -total : total
}

function written(directive: Directive, parts: Omit<DateTimeParts, 'offsetMinutes'>): string {
  switch (directive) {
    case 'Y':
      return digits(parts.year, 4)
    case 'y':
      return digits(parts.year % 100, 2)
    case 'm':
      return digits(parts.month, 2)
    case 'b':
      return MONTHS[parts.month - 1]!.slice(0, 3)
    case 'B':
      return MONTHS[parts.month - 1]!
    case 'd':
      return digits(parts.day, 2)
    case 'j':
      return digits(daysOfDate(parts.year, parts.month, parts.day) - daysOfDate(parts.year, 1, 1) + 1, 3)
    case 'H':
      return digits(parts.hour, 2)
    case 'I':
      return digits(parts.hour % 12 === 0 ? 12 : parts.hour % 12, 2)
    case 'p':
      return parts.hour < 12 ? 'AM' : 'PM'
    case 'M':
      return digits(parts.minute, 2)
    case 'S':
      return digits(parts.second, 2)
    case 'f':
      return digits(parts.micros, 6)
    case 'z':
      return '+0000'
  }
}

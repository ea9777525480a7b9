import { decimalText, doubleText, integerText, integerValue, type Spelling, spelt } from './number-texts.js'
import type { FuzzRandom } from './random.js'

/** A value as VersionReader.columns() gives it; UNKNOWN where the model leaves it to the three ways to agree. */
export type Expected = number | bigint | string | typeof UNKNOWN
export const UNKNOWN = Symbol('unknown')

/** A text and the value that it must become. */
export interface Cell {
  readonly text: string
  readonly value: Expected
}

export interface FieldModel {
  readonly name: string
  readonly document: Readonly<Record<string, unknown>>
  /** Texts of this field that mean "no value". */
  readonly missing: ReadonlySet<string>
  readonly required: boolean
  /** False: a constraint may refuse what `make` gives. */
  readonly always: boolean
  /** A cell of the field's type. */
  make(random: FuzzRandom): Cell
}

/** Members of the field document that say its type, and its cells. */
interface TypeModel {
  readonly members: Readonly<Record<string, unknown>>
  /** Constraints that the type has. */
  readonly bounded: boolean
  readonly measured: boolean
  make(random: FuzzRandom): Cell
}

const WORDS = [
  'a',
  'b',
  'kg',
  'Lehm',
  'clay',
  'sand, fine',
  'é',
  'Größe',
  '日本',
  '🙂',
  'x;y',
  'p|q',
  'tab\there',
  'say "hi"',
  '"',
  '""',
  "'",
]
const ODD_TEXTS = [
  ' ',
  ' padded ',
  'line\nbreak',
  'cr\r\nlf',
  'cr\ralone',
  '\uFEFFmark',
  '\u2028',
  '\u0085',
  '\u00a0',
  '\u0001\u001b',
  '\u007f',
  'NA',
  'null',
  '0',
  '1.50',
  '-',
  'true',
  '2024-02-29',
  '\u{10FFFF}',
  '\uFFFD',
  'ﬃ',
  'e\u0301',
  ',',
  '\n',
  '\r',
  '\t',
  '""x""',
  'aaaaaaaa',
  'aaaaaaaab',
  'aaaaaaaac',
]

function anyText(random: FuzzRandom): string {
  switch (random.below(12)) {
    case 0:
    case 1:
      return random.pick(ODD_TEXTS)
    case 2:
    case 3:
    case 4:
      return random.pick(WORDS)
    case 5:
      return `${random.pick(WORDS)}${random.pick(['', ' ', '\n', '""', ',', ', ', '\r\n'])}${random.pick(WORDS)}${random.digits(6)}`
    case 6: {
      let text = ''
      for (let i = random.below(10); i >= 0; i--) text += anyCharacter(random)
      return text
    }
    case 7:
      if (random.oneIn(4000)) return longText(random, random.between(60_000, 200_000))
      return random.oneIn(40) ? longText(random, random.between(300, 5000)) : `abcdefgh${random.digits(9)}`
    default:
      return `text ${random.digits(4)}`
  }
}

/** Long enough to meet the ends of blocks, with what makes blocks hard now and then. */
function longText(random: FuzzRandom, length: number): string {
  const filler = random.pick(['x', 'ab', 'é', '🙂', 'long text, ', 'line\n', '"q" ', '\r\n'])
  return filler.repeat(Math.ceil(length / Buffer.byteLength(filler))) + random.digits(3)
}

function anyCharacter(random: FuzzRandom): string {
  switch (random.below(5)) {
    case 0:
      return String.fromCodePoint(random.between(0x20, 0x7e))
    case 1:
      return String.fromCodePoint(random.between(0x80, 0x7ff))
    case 2:
      return String.fromCodePoint(random.oneIn(2) ? random.between(0x800, 0xd7ff) : random.between(0xe000, 0xffff))
    case 3:
      return String.fromCodePoint(random.between(0x10000, 0x10ffff))
    default:
      return String.fromCodePoint(random.between(0x61, 0x7a))
  }
}

function two(n: number): string {
  return String(n).padStart(2, '0')
}

interface Day {
  readonly year: number
  readonly month: number
  readonly day: number
  /** Since 1970-01-01. */
  readonly days: number
}

function dayFrom(random: FuzzRandom, first: number, last: number): Day {
  const date = new Date(0)
  if (random.oneIn(12)) date.setUTCFullYear(random.pick([first, last, 2000, 2023]), random.pick([0, 1, 2, 11]), random.pick([1, 28]))
  else
    date.setUTCFullYear(random.oneIn(3) ? random.between(1990, 2030) : random.between(first, last), random.below(12), random.between(1, 28))
  const days = date.getTime() / 86_400_000 + (random.oneIn(8) && date.getUTCFullYear() < last ? random.below(4) : 0)
  const moved = new Date(days * 86_400_000)
  return { year: moved.getUTCFullYear(), month: moved.getUTCMonth() + 1, day: moved.getUTCDate(), days }
}

function isoDay(at: Day): string {
  return `${String(at.year).padStart(4, '0')}-${two(at.month)}-${two(at.day)}`
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']

interface Clock {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly micros: number
}

function clockOf(random: FuzzRandom, unit: 'MILLIS' | 'MICROS'): Clock {
  const fraction = random.oneIn(2) ? 0 : unit === 'MILLIS' ? random.below(1000) * 1000 : random.below(1_000_000)
  if (random.oneIn(15))
    return random.pick([0, 1]) === 0 ? { hour: 0, minute: 0, second: 0, micros: 0 } : { hour: 23, minute: 59, second: 59, micros: fraction }
  return { hour: random.below(24), minute: random.below(60), second: random.below(60), micros: fraction }
}

/** hh:mm:ss and, as the value needs and whim allows, a fraction with zeros behind it. */
function clockText(random: FuzzRandom, at: Clock): string {
  const base = `${two(at.hour)}:${two(at.minute)}:${two(at.second)}`
  let fraction = String(at.micros).padStart(6, '0').replace(/0+$/, '')
  if (random.oneIn(6)) fraction += '0'.repeat(random.between(1, 8))
  return fraction === '' ? base : `${base}.${fraction}`
}

function micros(at: Clock): bigint {
  return BigInt((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000n + BigInt(at.micros)
}

function text(members: Record<string, unknown>, make: (random: FuzzRandom) => string, measured = true): TypeModel {
  return {
    members,
    bounded: false,
    measured,
    make(random) {
      const made = make(random)
      return { text: made, value: made }
    },
  }
}

function spelling(random: FuzzRandom): { spelling: Spelling; members: Record<string, unknown> } {
  if (!random.oneIn(5)) return { spelling: { decimalChar: '.', groupChar: null, bare: true }, members: {} }
  const decimalChar = random.pick(['.', ','])
  const groupChar = random.oneIn(2) ? null : random.pick(decimalChar === '.' ? [',', ' ', "'"] : ['.', ' '])
  const bare = !random.oneIn(3)
  const members: Record<string, unknown> = {}
  if (decimalChar !== '.') members.decimalChar = decimalChar
  if (groupChar !== null) members.groupChar = groupChar
  if (!bare || random.oneIn(4)) members.bareNumber = bare
  return { spelling: { decimalChar, groupChar, bare }, members }
}

function integerType(random: FuzzRandom): TypeModel {
  const bits = random.oneIn(3) ? 32 : 64
  const { spelling: style, members } = spelling(random)
  const small = random.oneIn(3)
  return {
    members: { type: 'integer', ...members, ...(bits === 32 ? { parquet: { type: 'INT32' } } : {}) },
    bounded: true,
    measured: false,
    make(r) {
      const value = small ? BigInt(r.below(50)) : integerValue(r, bits)
      return { text: spelt(r, integerText(r, value), { ...style, decimalChar: '.' }), value: bits === 32 ? Number(value) : value }
    },
  }
}

function doubleType(random: FuzzRandom): TypeModel {
  const { spelling: style, members } = spelling(random)
  return {
    members: { type: 'number', ...members },
    bounded: true,
    measured: false,
    make(r) {
      if (r.oneIn(40)) {
        const [special, value] = r.pick([
          ['NaN', Number.NaN],
          ['INF', Number.POSITIVE_INFINITY],
          ['-INF', Number.NEGATIVE_INFINITY],
        ] as const)
        return { text: r.oneIn(3) ? special.toLowerCase() : special, value }
      }
      const plain = doubleText(r)
      return { text: spelt(r, plain, style), value: Number(plain) }
    },
  }
}

function decimalType(random: FuzzRandom): TypeModel {
  const { spelling: style, members } = spelling(random)
  const precision = random.pick([1, 4, 9, 9, 10, 18, 18, 19, 30, 38])
  const scale = random.oneIn(5) ? precision : random.below(Math.min(precision, 12) + 1)
  return {
    members: { type: 'number', ...members, parquet: { type: 'DECIMAL', precision, scale } },
    bounded: true,
    measured: false,
    make(r) {
      const size = BigInt(r.digits(r.oneIn(3) ? precision : Math.min(precision, 4)))
      const unscaled = r.oneIn(40) ? 10n ** BigInt(precision) - 1n : size
      const value = r.oneIn(4) ? -unscaled : unscaled
      return { text: spelt(r, decimalText(r, value, scale), style), value: precision <= 9 ? Number(value) : value }
    },
  }
}

function booleanType(random: FuzzRandom): TypeModel {
  const own = random.oneIn(3)
  const yes = own ? ['yes', 'Y', 'ja'] : ['true', 'True', 'TRUE', '1']
  const no = own ? ['no', 'N', 'nein'] : ['false', 'False', 'FALSE', '0']
  return {
    members: { type: 'boolean', ...(own ? { trueValues: yes, falseValues: no } : {}) },
    bounded: false,
    measured: false,
    make(r) {
      const value = r.below(2)
      return { text: r.pick(value === 1 ? yes : no), value }
    },
  }
}

const DATE_PATTERNS: readonly { pattern: string; first: number; last: number; write: (r: FuzzRandom, at: Day) => string }[] = [
  {
    pattern: '%d/%m/%Y',
    first: 1,
    last: 9999,
    write: (r, at) => `${r.oneIn(2) ? at.day : two(at.day)}/${two(at.month)}/${String(at.year).padStart(4, '0')}`,
  },
  { pattern: '%Y%m%d', first: 1, last: 9999, write: (_, at) => isoDay(at).replaceAll('-', '') },
  { pattern: '%d.%m.%y', first: 1969, last: 2068, write: (_, at) => `${two(at.day)}.${two(at.month)}.${two(at.year % 100)}` },
  {
    pattern: '%B %d, %Y',
    first: 1,
    last: 9999,
    write: (r, at) =>
      `${r.oneIn(5) ? MONTHS[at.month - 1]!.toLowerCase() : MONTHS[at.month - 1]!} ${at.day}, ${String(at.year).padStart(4, '0')}`,
  },
]

function dateType(random: FuzzRandom): TypeModel {
  const form = random.oneIn(3) ? random.pick(DATE_PATTERNS) : null
  return {
    members: { type: 'date', ...(form === null ? {} : { format: form.pattern }) },
    bounded: true,
    measured: false,
    make(r) {
      const at = dayFrom(r, form?.first ?? 1, form?.last ?? 9999)
      return { text: form === null ? isoDay(at) : form.write(r, at), value: at.days }
    },
  }
}

function timeType(random: FuzzRandom): TypeModel {
  const unit = random.oneIn(2) ? 'MILLIS' : 'MICROS'
  const short = random.oneIn(4)
  return {
    members: {
      type: 'time',
      ...(short ? { format: random.pick(['%H:%M', '%I:%M %p']) } : {}),
      ...(unit === 'MICROS' ? { parquet: { type: 'TIME_MICROS' } } : {}),
    },
    bounded: true,
    measured: false,
    make(r) {
      const at = clockOf(r, unit)
      if (!short) return { text: clockText(r, at), value: unit === 'MICROS' ? micros(at) : Number(micros(at) / 1000n) }
      const minute = { ...at, second: 0, micros: 0 }
      const written =
        this.members.format === '%H:%M'
          ? `${two(at.hour)}:${two(at.minute)}`
          : `${two(at.hour % 12 === 0 ? 12 : at.hour % 12)}:${two(at.minute)} ${at.hour < 12 ? 'AM' : 'PM'}`
      return { text: written, value: unit === 'MICROS' ? micros(minute) : Number(micros(minute) / 1000n) }
    },
  }
}

function timestampType(random: FuzzRandom): TypeModel {
  const unit = random.oneIn(2) ? 'MILLIS' : 'MICROS'
  const utc = random.oneIn(2)
  const pattern = random.oneIn(4) ? (utc ? '%Y-%m-%d %H:%M:%S%z' : '%d.%m.%Y %H:%M:%S') : null
  const parquet: Record<string, unknown> =
    unit === 'MICROS' ? { type: 'TIMESTAMP_MICROS' } : random.oneIn(2) ? { type: 'TIMESTAMP_MILLIS' } : {}
  if (pattern === null && (!utc || random.oneIn(2))) parquet.utc = utc
  return {
    members: { type: 'datetime', ...(pattern === null ? {} : { format: pattern }), parquet },
    bounded: true,
    measured: false,
    make(r) {
      const at = dayFrom(r, utc ? 2 : 1, utc ? 9998 : 9999)
      const clock = pattern === null ? clockOf(r, unit) : { ...clockOf(r, unit), micros: 0 }
      const minutes = utc && !r.oneIn(3) ? r.between(-840, 840) : 0
      const east = Math.abs(minutes)
      const zone = !utc
        ? ''
        : minutes === 0 && !r.oneIn(4)
          ? 'Z'
          : `${minutes < 0 ? '-' : '+'}${two(Math.floor(east / 60))}:${two(east % 60)}`
      const since = BigInt(at.days) * 86_400_000_000n + micros(clock) - BigInt(minutes) * 60_000_000n
      const time = pattern === null ? clockText(r, clock) : clockText(r, clock).slice(0, 8)
      const written =
        pattern === null
          ? `${isoDay(at)}T${time}${zone}`
          : utc
            ? `${isoDay(at)} ${time}${zone}`
            : `${two(at.day)}.${two(at.month)}.${String(at.year).padStart(4, '0')} ${time}`
      return { text: written, value: unit === 'MICROS' ? since : since / 1000n }
    },
  }
}

function jsonText(random: FuzzRandom, depth: number): string {
  switch (random.below(depth > 2 ? 4 : 6)) {
    case 0:
      return random.pick(['1', '-0.50', '1e5', '12345678901234567890', '0'])
    case 1:
      return JSON.stringify(anyText(random).slice(0, 40).toWellFormed())
    case 2:
      return random.pick(['true', 'false', 'null'])
    case 3:
      return '""'
    case 4:
      return `[${Array.from({ length: random.below(3) }, () => jsonText(random, depth + 1)).join(',')}]`
    default:
      return objectText(random, depth)
  }
}

function objectText(random: FuzzRandom, depth: number): string {
  return `{${Array.from({ length: random.below(3) }, (_, i) => `"k${i}":${jsonText(random, depth + 1)}`).join(',')}}`
}

function jsonType(random: FuzzRandom): TypeModel {
  const type = random.pick(['object', 'array', 'geojson'])
  return {
    members: { type },
    bounded: false,
    measured: type !== 'geojson',
    make(r) {
      const compact =
        type === 'object'
          ? objectText(r, 0)
          : type === 'array'
            ? `[${jsonText(r, 1)}]`
            : `{"type":"Point","coordinates":[${r.below(180)},${r.below(90)}]}`
      const space = r.pick(['', ' ', '\n'])
      return { text: space + compact + space, value: compact }
    },
  }
}

function listType(random: FuzzRandom): TypeModel {
  const itemType = random.pick(['string', 'integer', 'boolean', 'number', 'date', 'time', 'datetime'])
  const delimiter = random.pick([',', ';', '|', ', '])
  return {
    members: { type: 'list', ...(itemType === 'string' ? {} : { itemType }), ...(delimiter === ',' ? {} : { delimiter }) },
    bounded: false,
    measured: true,
    make(r) {
      const item = (): string => {
        switch (itemType) {
          case 'string':
            return r.pick(['a', 'b c', 'é', '', '"q"', '🙂'])
          case 'integer':
            return String(r.between(-50, 50))
          case 'boolean':
            return r.pick(['true', 'False', '1'])
          case 'number':
            return r.pick(['1.50', '2', '-.5', '1e3'])
          case 'date':
            return isoDay(dayFrom(r, 1, 9999))
          case 'time':
            return '07:08:09.5'
          default:
            return '2024-01-31T09:30:00Z'
        }
      }
      const items = Array.from({ length: r.between(1, 4) }, item)
      const known = itemType === 'string' || itemType === 'integer'
      const json = `[${items.map((i) => (itemType === 'string' ? JSON.stringify(i) : i)).join(',')}]`
      return { text: items.join(delimiter), value: known ? json : UNKNOWN }
    },
  }
}

function hex(random: FuzzRandom, length: number): string {
  let out = ''
  while (out.length < length) out += random.bits().toString(16).padStart(8, '0')
  return out.slice(0, length)
}

function stringType(random: FuzzRandom): TypeModel {
  switch (random.below(14)) {
    case 0:
      return text({ type: 'string', format: 'email' }, (r) => `${r.pick(['a', 'b.c', 'é'])}${r.digits(2)}@example.org`)
    case 1:
      return text({ type: 'string', format: 'uri' }, (r) => `https://example.org/${r.digits(3)}?q=é`)
    case 2:
      return text({ type: 'string', format: 'uuid' }, (r) => `${hex(r, 8)}-${hex(r, 4)}-${hex(r, 4)}-${hex(r, 4)}-${hex(r, 12)}`)
    case 3:
      return text({ type: 'string', format: 'binary' }, (r) => Buffer.from(hex(r, r.below(12))).toString('base64'))
    case 4:
      return text(random.oneIn(2) ? {} : { type: 'any' }, anyText, false)
    case 5:
      return text({ type: 'string' }, (r) => r.pick(['a', 'b', 'c', 'dd', 'e1', 'F-9']))
    default:
      return text({ type: 'string' }, anyText)
  }
}

function rareType(random: FuzzRandom): TypeModel {
  switch (random.below(4)) {
    case 0:
      return {
        members: { type: 'year' },
        bounded: true,
        measured: false,
        make(r) {
          const year = r.between(1, 9999)
          return { text: String(year).padStart(4, '0'), value: year }
        },
      }
    case 1:
      return text({ type: 'yearmonth' }, (r) => `${String(r.between(1, 9999)).padStart(4, '0')}-${two(r.between(1, 12))}`, false)
    case 2:
      return text({ type: 'duration' }, (r) => `${r.pick(['', '-'])}P${r.below(40)}DT${r.below(24)}H${r.pick(['', '5M', '1.5S'])}`, false)
    default:
      return text(
        { type: 'geopoint' },
        (r) => `${r.between(-180, 180)},${r.pick(['', ' '])}${r.between(-90, 90)}.5`.replace(/90\.5$/, '90'),
        false,
      )
  }
}

const TYPES: readonly ((random: FuzzRandom) => TypeModel)[] = [
  integerType,
  integerType,
  integerType,
  doubleType,
  doubleType,
  decimalType,
  decimalType,
  booleanType,
  dateType,
  timeType,
  timestampType,
  timestampType,
  stringType,
  stringType,
  stringType,
  stringType,
  listType,
  jsonType,
  rareType,
]

const MISSING_VALUES: readonly (readonly string[])[] = [
  [''],
  [''],
  ['', 'NA'],
  ['NA', '-999', '-'],
  ['', 'null', 'N/A', ' '],
  ['', '0'],
  ['é', ''],
]

export function missingValues(random: FuzzRandom): readonly string[] {
  return random.pick(MISSING_VALUES)
}

/** A field of a random type; `tableMissing` holds where the field has no missing values of its own. */
export function fieldModel(random: FuzzRandom, name: string, tableMissing: readonly string[]): FieldModel {
  const type = random.pick(TYPES)(random)
  const document: Record<string, unknown> = { name, ...type.members }
  const own = random.oneIn(8) ? missingValues(random) : null
  if (own !== null) document.missingValues = random.oneIn(3) ? own.map((value) => ({ value })) : own
  if (random.oneIn(12)) document.parquet = { ...(document.parquet as object | undefined), unit: 'kPa' }
  const missing = new Set(own ?? tableMissing)
  const base = { name, document, missing }
  if (!random.oneIn(4)) return { ...base, required: false, always: true, make: (r) => type.make(r) }

  if (type.bounded && random.oneIn(3)) {
    // Bounds alone, and any cells: such a column can go on without its dictionary.
    const inOrder = ordered(Array.from({ length: 80 }, () => type.make(random)))
    const constraints: Record<string, unknown> = {}
    if (inOrder.length > 0 && !random.oneIn(3)) constraints[random.oneIn(5) ? 'exclusiveMinimum' : 'minimum'] = inOrder[0]!.text
    if (inOrder.length > 0 && !random.oneIn(3)) constraints[random.oneIn(5) ? 'exclusiveMaximum' : 'maximum'] = inOrder.at(-1)!.text
    if (random.oneIn(3)) constraints.required = true
    document.constraints = constraints
    return { ...base, required: constraints.required === true, always: Object.keys(constraints).length === 0, make: (r) => type.make(r) }
  }

  // With constraints the cells come from a few, so that most rows can hold them.
  const pool = Array.from({ length: random.between(2, 24) }, () => type.make(random))
  const constraints: Record<string, unknown> = {}
  const make = random.oneIn(2) ? (r: FuzzRandom) => r.pick(pool) : (r: FuzzRandom) => (r.oneIn(30) ? type.make(r) : r.pick(pool))
  if (random.oneIn(4)) constraints.required = true
  const inOrder = type.bounded ? ordered(pool) : []
  if (inOrder.length > 0 && random.oneIn(2)) {
    const slack = random.oneIn(3) && inOrder.length > 2 ? 1 : 0
    if (random.oneIn(2)) constraints[random.oneIn(4) ? 'exclusiveMinimum' : 'minimum'] = inOrder[slack]!.text
    if (random.oneIn(2)) constraints[random.oneIn(4) ? 'exclusiveMaximum' : 'maximum'] = inOrder[inOrder.length - 1 - slack]!.text
  }
  if (type.measured && random.oneIn(3)) {
    const [least, most] = [random.below(3), random.between(3, 40)]
    if (random.oneIn(2)) constraints.minLength = least
    constraints.maxLength = most
  }
  if (random.oneIn(4)) constraints.enum = [...new Set((random.oneIn(3) ? pool.slice(1) : pool).map((cell) => cell.text))]
  if (document.type === 'string' && random.oneIn(5)) constraints.pattern = random.pick(['.*', '[a-z ]+[0-9]*', '[^x]+'])
  if (random.oneIn(14)) constraints.unique = true
  if (Object.keys(constraints).length > 0) document.constraints = constraints
  return { ...base, required: constraints.required === true, always: Object.keys(constraints).length === 0, make }
}

/** The cells of a type with an order, those left out that are in none. */
function ordered(cells: readonly Cell[]): Cell[] {
  return cells.filter((cell) => !Number.isNaN(cell.value)).sort((a, b) => ((a.value as bigint) < (b.value as bigint) ? -1 : 1))
}

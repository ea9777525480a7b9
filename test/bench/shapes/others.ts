import type { Random } from '../random.js'
import type { RowBuffer } from '../row-buffer.js'
import { column, type Shape, type ShapeColumn, type TYPES } from './shape.js'

const WIDE_COLUMNS = 200
const WIDE_TYPES: readonly (keyof typeof TYPES)[] = ['int64', 'double', 'string', 'date', 'boolean', 'int32', 'double', 'string']
const UNITS = ['kPa', 'MPa', 'm', 'mm', 'kN', 'deg', 'percent', 'none'] as const

export const wide: Shape = {
  name: 'wide',
  title: `${WIDE_COLUMNS} columns`,
  columns: Array.from({ length: WIDE_COLUMNS }, (_, c) => column(`c${c}`, WIDE_TYPES[c % WIDE_TYPES.length]!)),
  row: (out, r, i) => {
    for (let c = 0; c < WIDE_COLUMNS; c++) {
      if (c > 0) out.comma()
      switch (c % WIDE_TYPES.length) {
        case 0:
          out.digits(i * 3 + c)
          break
        case 1:
          out.fixed(r.below(1_000_000), 3)
          break
        case 2:
          out.ascii(r.pick(UNITS))
          break
        case 3:
          out.date(17_000 + r.below(3000))
          break
        case 4:
          out.ascii(r.below(2) === 0 ? 'true' : 'false')
          break
        case 5:
          out.digits(r.below(500))
          break
        case 6:
          if (r.below(8) !== 0) out.fixed(r.belowLarge(10_000_000_000), 6)
          break
        default:
          out.ascii('site ').digits(r.below(4000))
      }
    }
    out.endRow()
  },
}

const SENTENCES = [
  'The client calls it ""hard pan"", and it is.',
  'Refusal at 12.4 m, ""boulder"" suspected,\nmoved two metres north.',
  'See drawing A-17, sheet 3, and the photographs.',
  'Water struck at 3.1 m,\r\nrose to 2.7 m in twenty minutes,\r\nstill rising when left.',
  'Casing lost, hole abandoned',
  '""No recovery"", twice.',
  'Drilled dry, with care, at low pressure, then flushed.',
  'Core boxes 4, 5 and 6 were relabelled\nby the night shift.',
] as const

/** Long texts, nearly all of them quoted, with commas, doubled quotes and line feeds in them. */
export const quotedTexts: Shape = {
  name: 'quoted-texts',
  title: 'texts with quotes and line feeds',
  columns: [column('entry', 'int64'), column('author', 'string'), column('report', 'string'), column('comment', 'string')],
  row: (out, r, i) => {
    out.digits(i).comma()
    out.ascii('"Dr. ').ascii(r.pick(UNITS)).ascii(', ').digits(r.below(300)).byte(34).comma()
    sentences(out, r, 2 + r.below(5))
    out.comma()
    sentences(out, r, 1 + r.below(2))
    out.endRow()
  },
}

function sentences(out: RowBuffer, r: Random, count: number): void {
  out.byte(34).digits(r.below(100_000)).byte(58)
  for (let s = 0; s < count; s++) out.byte(32).ascii(r.pick(SENTENCES))
  out.byte(34)
}

const NON_ASCII = [
  'Größe',
  'Übergang',
  'Москва',
  'грунт',
  '粘土',
  '砂れき層',
  '地下水位',
  '점토',
  'مياه',
  'água',
  'žula',
  'δοκιμή',
  '🪨',
  '½″',
  'Ångström',
  'ชั้นดิน',
].map((word) => Buffer.from(word, 'utf8'))

/** Texts of several scripts, from two to four bytes a character. */
export const nonAscii: Shape = {
  name: 'non-ascii',
  title: 'non-ASCII texts',
  columns: [
    column('Nummer', 'int64'),
    column('Ort', 'string'),
    column('土質', 'string'),
    column('описание', 'string'),
    column('Wert', 'double'),
    column('注記', 'string'),
  ],
  row: (out, r, i) => {
    out.digits(i).comma()
    out.raw(r.pick(NON_ASCII)).byte(32).digits(r.below(500)).comma()
    out.raw(r.pick(NON_ASCII)).comma()
    words(out, r, 3 + r.below(4))
    out.comma()
    out.fixed(r.below(10_000_000), 4).comma()
    words(out, r, r.below(6))
    out.endRow()
  },
}

function words(out: RowBuffer, r: Random, count: number): void {
  for (let w = 0; w < count; w++) {
    if (w > 0) out.byte(32)
    out.raw(r.pick(NON_ASCII))
  }
}

const EMPTY_COLUMNS = 40

/** Four columns with values and forty in which there is never one. */
export const nulls: Shape = {
  name: 'nulls',
  title: `${EMPTY_COLUMNS} all-null columns and 4 others`,
  columns: [
    column('n', 'int64'),
    ...Array.from(
      { length: EMPTY_COLUMNS },
      (_, c): ShapeColumn => column(`empty_${c}`, (['string', 'double', 'int64', 'date', 'instant'] as const)[c % 5]!),
    ),
    column('name', 'string'),
    column('depth', 'double'),
    column('day', 'date'),
  ],
  row: (out, r, i) => {
    out.digits(i).comma()
    for (let c = 0; c < EMPTY_COLUMNS; c++) out.comma()
    out.ascii('hole ').digits(r.below(3000)).comma()
    out.fixed(r.below(100_000), 2).comma()
    out.date(18_000 + r.below(2000)).endRow()
  },
}

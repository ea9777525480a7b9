import { printable } from '../runtime/printable.js'

/**
 * Aligned tables for people. Widths are those of terminal cells: combining marks take none, East Asian wide characters and emoji two.
 * Whatever comes from outside goes through `printable` first, so that a name can neither drive the terminal nor pretend to be another.
 */

/** East Asian Width "W" and "F" (Unicode 15), joined to coarse ranges; unassigned code points between them do not matter. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23ec],
  [0x23f0, 0x23f0],
  [0x23f3, 0x23f3],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x267f, 0x267f],
  [0x2693, 0x2693],
  [0x26a1, 0x26a1],
  [0x26aa, 0x26ab],
  [0x26bd, 0x26be],
  [0x26c4, 0x26c5],
  [0x26ce, 0x26ce],
  [0x26d4, 0x26d4],
  [0x26ea, 0x26ea],
  [0x26f2, 0x26f3],
  [0x26f5, 0x26f5],
  [0x26fa, 0x26fa],
  [0x26fd, 0x26fd],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x274e, 0x274e],
  [0x2753, 0x2755],
  [0x2757, 0x2757],
  [0x2795, 0x2797],
  [0x27b0, 0x27b0],
  [0x27bf, 0x27bf],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b50],
  [0x2b55, 0x2b55],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1f004, 0x1f004],
  [0x1f0cf, 0x1f0cf],
  [0x1f18e, 0x1f18e],
  [0x1f191, 0x1f19a],
  [0x1f200, 0x1f320],
  [0x1f32d, 0x1f335],
  [0x1f337, 0x1f37c],
  [0x1f37e, 0x1f393],
  [0x1f3a0, 0x1f3ca],
  [0x1f3cf, 0x1f3d3],
  [0x1f3e0, 0x1f3f0],
  [0x1f3f4, 0x1f3f4],
  [0x1f3f8, 0x1f43e],
  [0x1f440, 0x1f440],
  [0x1f442, 0x1f4fc],
  [0x1f4ff, 0x1f53d],
  [0x1f54b, 0x1f54e],
  [0x1f550, 0x1f567],
  [0x1f57a, 0x1f57a],
  [0x1f595, 0x1f596],
  [0x1f5a4, 0x1f5a4],
  [0x1f5fb, 0x1f64f],
  [0x1f680, 0x1f6c5],
  [0x1f6cc, 0x1f6cc],
  [0x1f6d0, 0x1f6d2],
  [0x1f6d5, 0x1f6df],
  [0x1f6eb, 0x1f6ec],
  [0x1f6f4, 0x1f6fc],
  [0x1f7e0, 0x1f7f0],
  [0x1f90c, 0x1f93a],
  [0x1f93c, 0x1f945],
  [0x1f947, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x3fffd],
]

const PLAIN = /^[\x20-\x7e]*$/
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
/** Made for the first text that needs it: that takes ten milliseconds, and most texts are plain. */
let segmenter: Intl.Segmenter | null = null

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}

/** Cells of a terminal that `text` fills. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemesOf(text)) width += graphemeWidth(segment)
  return width
}

function graphemeWidth(grapheme: string): number {
  if (NO_WIDTH.test(grapheme)) return 0
  const first = grapheme.codePointAt(0)!
  // U+FE0F asks for the emoji form, which is wide whatever the character is by itself.
  if (grapheme.includes('\ufe0f') || isWide(first)) return 2
  return 1
}

function isWide(codePoint: number): boolean {
  let low = 0
  let high = WIDE.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const [from, to] = WIDE[middle]!
    if (codePoint < from) high = middle - 1
    else if (codePoint > to) low = middle + 1
    else return true
  }
  return false
}

/** `text` in at most `width` cells, the cut shown by `…`. */
export function fitText(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let out = ''
  let used = 0
  for (const { segment } of graphemesOf(text)) {
    const w = graphemeWidth(segment)
    if (used + w > width - 1) break
    out += segment
    used += w
  }
  return width < 1 ? '' : `${out}…`
}

export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + space : space + text
}

export interface TableColumn {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Cells this column keeps at least when the table is fitted to a terminal. */
  readonly minWidth?: number
}

const GAP = '  '

/**
 * Lines of a table with a head row. With `maxWidth` the widest columns are narrowed until it fits, as far as their `minWidth` allows;
 * without it (a pipe, a file) nothing is ever cut.
 */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly (string | number | null)[])[],
  maxWidth: number | null = null,
): string {
  const cells = rows.map((row) => columns.map((_, i) => (row[i] === null || row[i] === undefined ? '-' : printable(String(row[i])))))
  const widths = columns.map((c, i) => Math.max(widthOf(c.title), ...cells.map((row) => widthOf(row[i]!))))
  if (maxWidth !== null) narrow(columns, widths, maxWidth)
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => pad(fitText(cell, widths[i]!), widths[i]!, columns[i]!.align))
      .join(GAP)
      .trimEnd()
  return [line(columns.map((c) => c.title)), ...cells.map(line)].map((l) => `${l}\n`).join('')
}

function narrow(columns: readonly TableColumn[], widths: number[], maxWidth: number): void {
  const total = (): number => widths.reduce((a, b) => a + b, 0) + GAP.length * (widths.length - 1)
  while (total() > maxWidth) {
    let widest = -1
    for (let i = 0; i < widths.length; i++) {
      if (widths[i]! > (columns[i]!.minWidth ?? 8) && (widest === -1 || widths[i]! > widths[widest]!)) widest = i
    }
    if (widest === -1) return
    widths[widest]!--
  }
}

/** `name  value` lines, values aligned. */
export function renderFacts(facts: readonly (readonly [string, string | number | null])[]): string {
  const width = Math.max(0, ...facts.map(([name]) => widthOf(name)))
  return facts.map(([name, value]) => `${pad(name, width)}  ${value === null ? '-' : printable(String(value))}\n`).join('')
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Decimal units, three digits: `512 B`, `5.12 kB`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return unit === 0 ? `${value} B` : `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${UNITS[unit]}`
}

/** 1234567 → `1,234,567`, whatever the locale. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

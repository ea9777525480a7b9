import type { Spread } from './measure.js'

/** A table of results: Markdown for people, the same rows as objects for programs. */
export interface Table {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What a reader must know about it. */
  readonly notes?: readonly string[]
}

/** One section of the program: what it says, and all that was measured. */
export interface SectionResult {
  readonly tables: readonly Table[]
  readonly measured: unknown
}

export function markdown(table: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = table.head.map((_, i) => (i === 0 ? '---' : '---:'))
  const notes = table.notes ?? []
  return [
    `### ${table.title}`,
    '',
    line(table.head),
    line(rule),
    ...table.rows.map(line),
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
  ].join('\n')
}

export function seconds(spread: Spread): string {
  return withSpread(spread, (n) => n.toFixed(n < 10 ? 2 : 1))
}

export function ratio(spread: Spread): string {
  return withSpread(spread, (n) => n.toFixed(2))
}

function withSpread(spread: Spread, text: (n: number) => string): string {
  const [median, least, most] = [text(spread.median), text(spread.least), text(spread.most)]
  return least === most ? median : `${median} (${least}–${most})`
}

export function count(n: number): string {
  return Math.round(n).toLocaleString('en')
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 100e6 ? 1 : 0)
}

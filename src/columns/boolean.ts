import { type CellParser, describeJs, typeProblem } from './cell.js'

export const TRUE_VALUES: readonly string[] = ['true', 'True', 'TRUE', '1']
export const FALSE_VALUES: readonly string[] = ['false', 'False', 'FALSE', '0']

/** Table Schema `boolean`: exactly the texts of trueValues and falseValues. */
export function booleanParser(options: { trueValues: readonly string[]; falseValues: readonly string[] }): CellParser {
  const values = new Map<string, number>()
  for (const text of options.falseValues) values.set(text, 0)
  for (const text of options.trueValues) values.set(text, 1)
  const listed = [...options.trueValues, ...options.falseValues].slice(0, 12).map((text) => JSON.stringify(text))
  const problem = typeProblem(`expected a boolean: one of ${listed.join(', ')}`)
  return {
    logical: { kind: 'boolean' },
    ordered: false,
    lengthOf: null,
    parse: (text) => values.get(text) ?? problem,
    fromJs: (value) => (typeof value === 'boolean' ? Number(value) : typeProblem(`expected a boolean, not ${describeJs(value)}`)),
    format: (value) => (value === 1 ? options.trueValues : options.falseValues)[0] ?? '',
  }
}

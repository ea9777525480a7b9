import { type CellParser, type ConstraintCheck, constraintProblem, isProblem, type Scalar } from '../columns/cell.js'
import { PATTERN_TEXT_LIMIT, Pattern, PatternError } from '../columns/pattern.js'
import type { FieldDocument } from './schema.js'

type Report = (problem: string) => void

/** Comparisons are written so that NaN, which is in no order, breaks every bound. */
const BOUNDS = {
  minimum: { holds: (value: Scalar, bound: Scalar) => value >= bound, words: 'at least' },
  maximum: { holds: (value: Scalar, bound: Scalar) => value <= bound, words: 'at most' },
  exclusiveMinimum: { holds: (value: Scalar, bound: Scalar) => value > bound, words: 'more than' },
  exclusiveMaximum: { holds: (value: Scalar, bound: Scalar) => value < bound, words: 'less than' },
} as const

/** The checks of a field's constraints besides `required` and `unique`, which are no matter of one value. */
export function compileConstraints(field: FieldDocument, parser: CellParser, report: Report): ConstraintCheck[] {
  const { constraints: rules = {} } = field
  const checks: ConstraintCheck[] = []

  for (const name of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const) {
    const given = rules[name]
    if (given === undefined) continue
    if (!parser.ordered) {
      report(`the constraint ${name} does not apply to a ${field.type}`)
      continue
    }
    const bound = constraintValue(given, parser)
    if (bound === null || Number.isNaN(bound)) {
      report(`the constraint ${name} is no ${field.type} of the field: ${JSON.stringify(given)}`)
      continue
    }
    const { holds, words } = BOUNDS[name]
    const problem = constraintProblem(name, `expected ${words} ${parser.format(bound)}`)
    checks.push((value) => (holds(value, bound) ? null : problem))
  }

  for (const name of ['minLength', 'maxLength'] as const) {
    const limit = rules[name]
    if (limit === undefined) continue
    const { lengthOf } = parser
    if (lengthOf === null) {
      report(`the constraint ${name} does not apply to a ${field.type}`)
      continue
    }
    const unit = parser.logical.kind === 'json' ? 'items' : 'characters'
    const problem = constraintProblem(name, `expected at ${name === 'minLength' ? 'least' : 'most'} ${limit} ${unit}`)
    checks.push(
      name === 'minLength'
        ? (value) => (lengthOf(value) >= limit ? null : problem)
        : (value) => (lengthOf(value) <= limit ? null : problem),
    )
  }
  if (rules.minLength !== undefined && rules.maxLength !== undefined && rules.minLength > rules.maxLength) {
    report('the constraints minLength and maxLength leave nothing over')
  }

  if (rules.pattern !== undefined) {
    const check = patternCheck(rules.pattern, field, report)
    if (check !== null) checks.push(check)
  }

  if (rules.enum !== undefined) {
    const check = enumCheck('enum', rules.enum, field, parser, report)
    if (check !== null) checks.push(check)
  }
  if (field.categories !== undefined) {
    if (field.type !== 'string' && field.type !== 'integer') report(`categories do not apply to a ${field.type}`)
    else {
      const values = field.categories.map((entry) =>
        typeof entry === 'object' && entry !== null && 'value' in entry ? entry.value : entry,
      )
      const check = enumCheck('categories', values, field, parser, report)
      if (check !== null) checks.push(check)
    }
  }

  if (rules.jsonSchema !== undefined)
    report('the constraint jsonSchema is not supported; leave it out, or check the values before the drop')
  return checks
}

function patternCheck(source: string, field: FieldDocument, report: Report): ConstraintCheck | null {
  if (field.type !== 'string' && field.type !== 'any') {
    report(`the constraint pattern does not apply to a ${field.type}`)
    return null
  }
  try {
    const pattern = new Pattern(source)
    const problem = constraintProblem('pattern', `expected a value of the pattern ${source}`)
    const tooLong = constraintProblem(
      'pattern',
      `expected a value of at most ${PATTERN_TEXT_LIMIT} characters, for longer ones are not matched against a pattern`,
    )
    return (value) => ((value as string).length > PATTERN_TEXT_LIMIT ? tooLong : pattern.matches(value as string) ? null : problem)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    report(`the constraint pattern ${JSON.stringify(source)} cannot be used: ${error.message}`)
    return null
  }
}

function enumCheck(
  name: 'enum' | 'categories',
  given: readonly unknown[],
  field: FieldDocument,
  parser: CellParser,
  report: Report,
): ConstraintCheck | null {
  const values = new Set<Scalar>()
  for (const entry of given) {
    const value = constraintValue(entry, parser)
    if (value === null) report(`the constraint ${name} holds a value that is no ${field.type} of the field: ${JSON.stringify(entry)}`)
    else values.add(value)
  }
  const listed = [...values].slice(0, 20).map((value) => parser.format(value))
  const more = values.size > 20 ? `, … (${values.size} values)` : ''
  const problem = constraintProblem('enum', `expected one of ${listed.join(', ')}${more}`)
  return (value) => (values.has(value) ? null : problem)
}

/** A constraint's value as JSON has it, or as a text in the field's own format; null where it is neither. */
function constraintValue(given: unknown, parser: CellParser): Scalar | null {
  if (given === null || given === undefined) return null
  const outcome = typeof given === 'string' ? parser.parse(given) : parser.fromJs(given)
  return isProblem(outcome) ? null : outcome
}

import type { ErrorCode } from '../errors.js'
import type { LogicalType } from './vector.js'

/**
 * One typed value outside an array, by physical type: BOOLEAN (0 or 1), INT32 and DOUBLE are numbers; INT64 and FIXED_LEN_BYTE_ARRAY
 * (the unscaled value of a decimal) are bigints; BYTE_ARRAY (text, JSON text) is a string.
 */
export type Scalar = number | bigint | string

/** What is wrong with one cell. The message says what was expected and holds neither the column's name nor the cell: the caller adds them. */
export interface CellProblem {
  readonly type: 'type-error' | 'constraint-error'
  readonly code: ErrorCode
  /** The constraint that does not hold; null for a type error. */
  readonly constraint: string | null
  readonly message: string
}

/** How the cells of one field are read and written. A parser knows the type and format of its field, but neither its missing values nor its constraints. */
export interface CellParser {
  readonly logical: LogicalType
  /** The exact value of a text, or what is wrong with it. Never rounds and never guesses. */
  parse(text: string): Scalar | CellProblem
  /** The same for a value of a row object that is no string, null or undefined. */
  fromJs(value: unknown): Scalar | CellProblem
  /** A text that `parse` reads as the same value again. */
  format(value: Scalar): string
  /** Values compare with `<` in the order of their type (minimum, maximum). */
  readonly ordered: boolean
  /** Length for minLength and maxLength: characters of a text, items of a collection; null where the type has none. */
  readonly lengthOf: ((value: Scalar) => number) | null
}

/** A rule of `constraints`, tested against the typed value. null: it holds. */
export type ConstraintCheck = (value: Scalar) => CellProblem | null

export function isProblem(outcome: Scalar | CellProblem): outcome is CellProblem {
  return typeof outcome === 'object'
}

export function typeProblem(message: string): CellProblem {
  return { type: 'type-error', code: 'TYPE_ERROR', constraint: null, message }
}

export function constraintProblem(constraint: string, message: string): CellProblem {
  return { type: 'constraint-error', code: 'CONSTRAINT_ERROR', constraint, message }
}

/** A JavaScript value's type in words, for messages. */
export function describeJs(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return 'a Date'
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer number' : 'a number'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

import { type CellProblem, constraintProblem, isProblem, type Scalar } from './cell.js'
import type { Column } from './column.js'
import { type ValuesWriter, valuesWriter } from './values-writer.js'
import type { ColumnVector, Values } from './vector.js'

/** The cell has no value. */
export const MISSING = -1
/** The cell is wrong; `lastProblem` says how. */
export const PROBLEM = -2

/** Distinct texts with a problem whose finding is kept; beyond, a text is judged again each time it comes. */
const CACHED_PROBLEMS = 1024
/** Up to so many distinct values a dictionary always pays; beyond, only where values repeat. */
const DICTIONARY_FLOOR = 65_536

const REQUIRED: CellProblem = constraintProblem('required', 'expected a value: the column is required')

/**
 * Turns the cells of one column into a vector. Each distinct text is parsed and checked once; after that a cell costs one look-up and no
 * allocation. Equal values get one code, whatever their text (1.5 and 1.50), in order of first appearance.
 *
 * A code belongs to the builder until `take()` or `forget()`, which start a new dictionary.
 */
export class ColumnBuilder {
  /** What is wrong with the cell that the last `check` or `checkValue` answered with PROBLEM. */
  lastProblem: CellProblem | null = null

  /** Text → code, MISSING or PROBLEM. */
  private codes = new Map<string, number>()
  private problems = new Map<string, CellProblem>()
  /** Value → code, where a value can have several texts; null for strings, whose text is the value. */
  private valueCodes: Map<Scalar, number> | null = null
  private dictionary: ValuesWriter
  private rowCodes = new Uint32Array(1024)
  private validity = new Uint8Array(1024)
  private nulls = 0
  private count = 0

  constructor(readonly column: Column) {
    this.dictionary = valuesWriter(column.physical)
    this.reset()
  }

  get rows(): number {
    return this.count
  }

  /** Distinct values since the last take(). */
  get distinctValues(): number {
    return this.dictionary.count
  }

  /** Bytes held for values and rows: what a caller sums up to bound memory. Texts are counted at their UTF-8 length, once more for the look-up. */
  get sizeBytes(): number {
    return this.dictionary.sizeBytes * 2 + this.codes.size * 64 + this.count * 5
  }

  /** The code of a cell's value, MISSING or PROBLEM. */
  check(text: string): number {
    const code = this.codes.get(text)
    if (code === undefined) return this.judge(text)
    if (code === PROBLEM) this.lastProblem = this.problems.get(text) ?? REQUIRED
    return code
  }

  /** The same for a value of a row object. A string is read like a cell; null and undefined are missing. */
  checkValue(value: unknown): number {
    if (typeof value === 'string') return this.check(value)
    if (value === null || value === undefined) return this.column.required ? this.refuse(REQUIRED) : MISSING
    const outcome = this.column.parser.fromJs(value)
    return isProblem(outcome) ? this.refuse(outcome) : this.accept(outcome)
  }

  /** Adds a row: a code that `check` gave since the last take(), or MISSING. */
  push(code: number): void {
    if (this.count === this.validity.length) this.grow()
    if (code >= 0) {
      this.rowCodes[this.count] = code
      this.validity[this.count] = 1
    } else {
      this.rowCodes[this.count] = 0
      this.validity[this.count] = 0
      this.nulls++
    }
    this.count++
  }

  /** Adds many rows: codes that `check` gave since the last take(), or MISSING. */
  pushAll(codes: Int32Array): void {
    while (this.count + codes.length > this.validity.length) this.grow()
    const { rowCodes, validity, count } = this
    let nulls = 0
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!
      if (code >= 0) {
        rowCodes[count + i] = code
        validity[count + i] = 1
      } else {
        rowCodes[count + i] = 0
        validity[count + i] = 0
        nulls++
      }
    }
    this.nulls += nulls
    this.count += codes.length
  }

  /** Canonical text of a value: equal exactly where values are equal (1.5 and 1.50; 0 and -0 count as equal, as do two NaN). */
  keyText(code: number): string {
    // String() of -0 is "0".
    return String(this.dictionary.at(code))
  }

  /** The rows pushed since the last call, as a vector that owns its arrays. Codes given out before are void. */
  take(): ColumnVector {
    const { rows } = this
    const codes = this.rowCodes.slice(0, rows)
    const validity = this.validity.slice(0, rows)
    const base = { rows, validity, nulls: this.nulls }
    const distinct = this.dictionary.count
    const vector: ColumnVector = this.goesPlain(distinct, rows - this.nulls)
      ? { form: 'plain', ...base, values: this.dictionary.gather(codes, validity) }
      : { form: 'dictionary', ...base, codes, dictionary: this.dictionary.values() }
    this.reset()
    return vector
  }

  /** The values of codes that `check` gave since the last take(). */
  valuesOf(codes: Uint32Array): Values {
    return this.dictionary.gather(codes, new Uint8Array(codes.length).fill(1))
  }

  /** Starts a new dictionary and drops the rows pushed: codes given out before are void. */
  forget(): void {
    this.reset()
  }

  /** Parquet has no dictionaries of booleans, and one of mostly unique values only costs space. */
  private goesPlain(distinct: number, present: number): boolean {
    return this.column.physical === 'BOOLEAN' || (distinct > DICTIONARY_FLOOR && distinct * 2 > present)
  }

  private judge(text: string): number {
    const outcome = this.column.parser.parse(text)
    if (isProblem(outcome)) return this.remember(text, outcome)
    const broken = this.brokenConstraint(outcome)
    if (broken !== null) return this.remember(text, broken)
    const code = this.codeOf(outcome)
    this.codes.set(text, code)
    return code
  }

  private accept(value: Scalar): number {
    const broken = this.brokenConstraint(value)
    if (broken !== null) return this.refuse(broken)
    const code = this.codeOf(value)
    return code
  }

  private brokenConstraint(value: Scalar): CellProblem | null {
    for (const constraint of this.column.constraints) {
      const problem = constraint(value)
      if (problem !== null) return problem
    }
    return null
  }

  private codeOf(value: Scalar): number {
    const known = this.valueCodes
    if (known === null) {
      const code = this.dictionary.count
      this.dictionary.append(value)
      return code
    }
    // A Map takes -0 for 0, but they are two values in a file.
    const key = Object.is(value, -0) ? '-0' : value
    let code = known.get(key)
    if (code === undefined) {
      code = this.dictionary.count
      this.dictionary.append(value)
      known.set(key, code)
    }
    return code
  }

  private remember(text: string, problem: CellProblem): number {
    if (this.problems.size < CACHED_PROBLEMS) {
      this.problems.set(text, problem)
      this.codes.set(text, PROBLEM)
    }
    return this.refuse(problem)
  }

  private refuse(problem: CellProblem): number {
    this.lastProblem = problem
    return PROBLEM
  }

  private grow(): void {
    const codes = new Uint32Array(this.rowCodes.length * 2)
    codes.set(this.rowCodes)
    this.rowCodes = codes
    const validity = new Uint8Array(this.validity.length * 2)
    validity.set(this.validity)
    this.validity = validity
  }

  private reset(): void {
    this.codes = new Map()
    this.problems = new Map()
    this.valueCodes = this.column.logical.kind === 'string' ? null : new Map()
    this.dictionary = valuesWriter(this.column.physical)
    this.nulls = 0
    this.count = 0
    for (const text of this.column.missingValues) this.codes.set(text, this.column.required ? PROBLEM : MISSING)
  }
}

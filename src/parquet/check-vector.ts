import { type ColumnVector, countOf, type PhysicalType } from '../columns/vector.js'
import { assert } from '../errors.js'

/** Asserts what `columns/vector.ts` promises of a vector. One pass; the hash and the encoder rely on it, and would write nonsense without a word. */
export function checkVector(vector: ColumnVector, physical: PhysicalType): void {
  const { rows, validity, nulls } = vector
  const values = vector.form === 'plain' ? vector.values : vector.dictionary
  assert(values.physical === physical, `a vector of ${values.physical} for a column of ${physical}`)
  const aligned = vector.form === 'plain' ? countOf(values) : vector.codes.length
  assert(validity.length === rows && aligned === rows, 'validity and values have one place per row')
  let missing = 0
  for (let i = 0; i < rows; i++) {
    const present = validity[i]!
    if (present === 0) missing++
    else if (present !== 1) assert(false, 'validity is 0 or 1')
  }
  assert(missing === nulls, `${missing} rows are missing, the vector says ${nulls}`)
  if (vector.form === 'dictionary') {
    const entries = countOf(values)
    const { codes } = vector
    for (let i = 0; i < rows; i++) if (codes[i]! >= entries && validity[i] === 1) assert(false, 'codes point into the dictionary')
  }
}

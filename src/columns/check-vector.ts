import { assert } from '../errors.js'
import { type ColumnVector, countOf, type PhysicalType, type Values } from './vector.js'

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
  if (vector.form === 'plain') {
    if (nulls > 0) assertMissingIsZero(vector.values, validity)
  } else {
    const entries = countOf(values)
    const { codes } = vector
    for (let i = 0; i < rows; i++) if (codes[i]! >= entries && validity[i] === 1) assert(false, 'codes point into the dictionary')
  }
}

/** A missing row that holds something would give one content two hashes: whoever made the vector broke its contract. */
function assertMissingIsZero(values: Values, validity: Uint8Array): void {
  const rows = countOf(values)
  for (let i = 0; i < rows; i++) {
    if (validity[i] === 1) continue
    let zero = true
    switch (values.physical) {
      case 'BOOLEAN':
      case 'INT32':
        zero = values.data[i] === 0
        break
      case 'INT64':
        zero = values.data[i] === 0n
        break
      case 'DOUBLE':
        zero = Object.is(values.data[i], 0)
        break
      case 'FIXED_LEN_BYTE_ARRAY':
        zero = values.data.subarray(i * values.widthBytes, (i + 1) * values.widthBytes).every((byte) => byte === 0)
        break
      case 'BYTE_ARRAY':
        zero = values.offsets[i] === values.offsets[i + 1]
        break
    }
    assert(zero, 'missing rows of a plain vector are zero')
  }
}

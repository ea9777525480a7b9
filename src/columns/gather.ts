import { assert } from '../errors.js'
import { type ColumnVector, countOf, type DictionaryVector, takeRows, takeValues, type Values } from './vector.js'

/** BYTE_ARRAY offsets have 32 bits. */
const BYTES_LIMIT = 0xffff_ffff

/** Some rows of one vector, in their order. */
export interface Piece {
  readonly vector: ColumnVector
  readonly indices: Uint32Array
}

/** Scratch for `gatherRows`: a place per dictionary entry, reused between calls so that a record of ten rows does not pay for a dictionary of 100,000. */
export class GatherScratch {
  private place = new Uint32Array(1024)
  private stamp = new Uint32Array(1024)
  private epoch = 0

  /** The rows of `indices`, with a dictionary of only the values they use, in order of first appearance. */
  compact(vector: DictionaryVector, indices: Uint32Array): DictionaryVector {
    const entries = countOf(vector.dictionary)
    if (this.place.length < entries) {
      this.place = new Uint32Array(entries * 2)
      this.stamp = new Uint32Array(entries * 2)
      this.epoch = 0
    }
    this.epoch += 1
    const rows = indices.length
    const codes = new Uint32Array(rows)
    const validity = new Uint8Array(rows)
    const used = new Uint32Array(Math.min(rows, entries))
    let count = 0
    let nulls = 0
    for (let i = 0; i < rows; i++) {
      const row = indices[i]!
      if (vector.validity[row] === 0) {
        nulls++
        continue
      }
      validity[i] = 1
      const old = vector.codes[row]!
      if (this.stamp[old] !== this.epoch) {
        this.stamp[old] = this.epoch
        this.place[old] = count
        used[count++] = old
      }
      codes[i] = this.place[old]!
    }
    return { form: 'dictionary', rows, validity, nulls, codes, dictionary: takeValues(vector.dictionary, used.subarray(0, count)) }
  }
}

/** Rows of several vectors of one column, one after the other; at least one piece. */
export function gatherRows(pieces: readonly Piece[], scratch: GatherScratch): ColumnVector {
  assert(pieces.length > 0, 'there is something to gather')
  const parts = pieces.map(({ vector, indices }) =>
    vector.form === 'dictionary' ? scratch.compact(vector, indices) : takeRows(vector, indices),
  )
  if (parts.length === 1) return parts[0]!
  if (parts.every((p) => p.form === 'dictionary')) return joinDictionaries(parts)
  const plain = parts.map((p) => (p.form === 'plain' ? p.values : takeValues(withNullEntry(p.dictionary), missingAsLast(p))))
  return { ...joinRows(parts), form: 'plain', values: joinValues(plain) }
}

function joinRows(parts: readonly ColumnVector[]): { rows: number; nulls: number; validity: Uint8Array } {
  const rows = parts.reduce((n, p) => n + p.rows, 0)
  const validity = new Uint8Array(rows)
  let at = 0
  let nulls = 0
  for (const part of parts) {
    validity.set(part.validity, at)
    at += part.rows
    nulls += part.nulls
  }
  return { rows, nulls, validity }
}

function joinDictionaries(parts: readonly DictionaryVector[]): DictionaryVector {
  const base = joinRows(parts)
  const codes = new Uint32Array(base.rows)
  const codeOfKey = new Map<unknown, number>()
  const kept: Values[] = []
  let at = 0
  for (const part of parts) {
    const entries = countOf(part.dictionary)
    const map = new Uint32Array(entries)
    const fresh = new Uint32Array(entries)
    let freshCount = 0
    for (let i = 0; i < entries; i++) {
      const key = keyOf(part.dictionary, i)
      let code = codeOfKey.get(key)
      if (code === undefined) {
        code = codeOfKey.size
        codeOfKey.set(key, code)
        fresh[freshCount++] = i
      }
      map[i] = code
    }
    kept.push(takeValues(part.dictionary, fresh.subarray(0, freshCount)))
    for (let i = 0; i < part.rows; i++) if (part.validity[i] === 1) codes[at + i] = map[part.codes[i]!]!
    at += part.rows
  }
  return { ...base, form: 'dictionary', codes, dictionary: joinValues(kept) }
}

/** Equal exactly for equal values; -0 and 0 are two, every NaN is one. */
function keyOf(values: Values, i: number): unknown {
  switch (values.physical) {
    case 'BOOLEAN':
    case 'INT32':
    case 'INT64':
      return values.data[i]
    case 'DOUBLE': {
      const v = values.data[i]!
      return Object.is(v, -0) ? '-0' : v
    }
    case 'FIXED_LEN_BYTE_ARRAY':
      return Buffer.from(values.data.buffer, values.data.byteOffset + i * values.widthBytes, values.widthBytes).toString('latin1')
    case 'BYTE_ARRAY': {
      const start = values.offsets[i]!
      return Buffer.from(values.data.buffer, values.data.byteOffset + start, values.offsets[i + 1]! - start).toString('latin1')
    }
  }
}

function joinValues(parts: readonly Values[]): Values {
  const first = parts[0]!
  switch (first.physical) {
    case 'BOOLEAN':
      return { physical: 'BOOLEAN', data: joinBytes(parts.map((p) => p.data as Uint8Array)) }
    case 'INT32': {
      const data = new Int32Array(parts.reduce((n, p) => n + p.data.length, 0))
      let at = 0
      for (const p of parts) {
        data.set(p.data as Int32Array, at)
        at += p.data.length
      }
      return { physical: 'INT32', data }
    }
    case 'INT64': {
      const data = new BigInt64Array(parts.reduce((n, p) => n + p.data.length, 0))
      let at = 0
      for (const p of parts) {
        data.set(p.data as BigInt64Array, at)
        at += p.data.length
      }
      return { physical: 'INT64', data }
    }
    case 'DOUBLE': {
      const data = new Float64Array(parts.reduce((n, p) => n + p.data.length, 0))
      let at = 0
      for (const p of parts) {
        data.set(p.data as Float64Array, at)
        at += p.data.length
      }
      return { physical: 'DOUBLE', data }
    }
    case 'FIXED_LEN_BYTE_ARRAY':
      return { physical: 'FIXED_LEN_BYTE_ARRAY', data: joinBytes(parts.map((p) => p.data as Uint8Array)), widthBytes: first.widthBytes }
    case 'BYTE_ARRAY': {
      const counts = parts.map(countOf)
      const offsets = new Uint32Array(counts.reduce((a, b) => a + b, 0) + 1)
      let at = 0
      let base = 0
      parts.forEach((p, k) => {
        if (p.physical !== 'BYTE_ARRAY') return
        for (let i = 0; i < counts[k]!; i++) offsets[at + i] = base + p.offsets[i]!
        at += counts[k]!
        base += p.offsets[counts[k]!]!
      })
      assert(base <= BYTES_LIMIT, 'a column of a row group holds at most 4 GiB of text')
      offsets[at] = base
      const data = joinBytes(
        parts.map((p, k) => (p.physical === 'BYTE_ARRAY' ? p.data.subarray(0, p.offsets[counts[k]!]!) : new Uint8Array())),
      )
      return { physical: 'BYTE_ARRAY', data, offsets }
    }
  }
}

function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const data = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    data.set(p, at)
    at += p.length
  }
  return data
}

/** The dictionary with one more entry, of zero or no bytes: what a missing row of a plain vector holds. */
function withNullEntry(values: Values): Values {
  switch (values.physical) {
    case 'BOOLEAN':
      return joinValues([values, { physical: 'BOOLEAN', data: new Uint8Array(1) }])
    case 'INT32':
      return joinValues([values, { physical: 'INT32', data: new Int32Array(1) }])
    case 'INT64':
      return joinValues([values, { physical: 'INT64', data: new BigInt64Array(1) }])
    case 'DOUBLE':
      return joinValues([values, { physical: 'DOUBLE', data: new Float64Array(1) }])
    case 'FIXED_LEN_BYTE_ARRAY':
      return joinValues([
        values,
        { physical: 'FIXED_LEN_BYTE_ARRAY', data: new Uint8Array(values.widthBytes), widthBytes: values.widthBytes },
      ])
    case 'BYTE_ARRAY':
      return joinValues([values, { physical: 'BYTE_ARRAY', data: new Uint8Array(0), offsets: new Uint32Array(2) }])
  }
}

function missingAsLast(part: DictionaryVector): Uint32Array {
  const last = countOf(part.dictionary)
  const indices = new Uint32Array(part.rows)
  for (let i = 0; i < part.rows; i++) indices[i] = part.validity[i] === 1 ? part.codes[i]! : last
  return indices
}

import type { ColumnVector, Values } from '../columns/vector.js'
import { countOf } from '../columns/vector.js'
import type { Table } from '../tables/schema.js'

/** Keys that an index holds at most: 16 bytes each at the most, so 128 MiB. Beyond, the slow way looks at the file. */
const KEYS_MAX = 1 << 23
const FIRST_SLOTS = 1 << 14

/**
 * Says whether any key of a table may stand twice in a record. It keeps 64-bit hashes of the typed values, so it never misses a key that
 * does, and now and then takes two different ones for the same (one file in millions): whoever is told 'maybe' looks again with the keys
 * themselves.
 */
export class KeyIndex {
  private readonly sets: readonly KeySet[]

  constructor(private readonly table: Table) {
    this.sets = keyRules(table).map(() => new KeySet())
  }

  /** Takes the rows of a segment. False: a key may be there already, a part of a primary key is missing, or there are too many keys. */
  add(vectors: readonly ColumnVector[], recordOfRow: Uint32Array): boolean {
    const hashes = keyHashes(this.table, (column) => vectors[column]!, recordOfRow)
    return hashes !== null && this.addHashes(hashes)
  }

  /** The same with what `keyHashes` gave. */
  addHashes(hashes: readonly Uint32Array[]): boolean {
    return hashes.every((of, rule) => this.sets[rule]!.add(of))
  }
}

/** Whether rows of a table can be at odds with earlier ones. */
export function hasKeys(table: Table): boolean {
  return keyRules(table).length > 0
}

interface KeyRule {
  readonly columns: readonly number[]
  readonly primary: boolean
}

/** In the order of `RowValidator`: unique columns, then the primary key. */
function keyRules(table: Table): readonly KeyRule[] {
  return [
    ...table.columns.filter((column) => column.unique).map((column) => ({ columns: [column.index], primary: false })),
    ...(table.primaryKey.length > 0 ? [{ columns: table.primaryKey, primary: true }] : []),
  ]
}

/** Per rule the hashes of the keys of some rows, two words each; null: a part of a primary key is missing. */
export function keyHashes(table: Table, vectorOf: (column: number) => ColumnVector, recordOfRow: Uint32Array): Uint32Array[] | null {
  const out: Uint32Array[] = []
  for (const rule of keyRules(table)) {
    const keys = rule.columns.map(vectorOf)
    if (rule.primary && keys.some((vector) => vector.nulls > 0)) return null
    out.push(hashesOfRows(keys, recordOfRow))
  }
  return out
}

/** A key of one column that is missing has no hash. */
function hashesOfRows(keys: readonly ColumnVector[], recordOfRow: Uint32Array): Uint32Array {
  const rows = recordOfRow.length
  const low = new Uint32Array(rows)
  const high = new Uint32Array(rows)
  for (let i = 0; i < rows; i++) {
    low[i] = mix(recordOfRow[i]! ^ 0x2545f491)
    high[i] = mix(recordOfRow[i]! ^ 0x6c8e9cf5)
  }
  for (const vector of keys) foldColumn(vector, low, high)
  const only = keys.length === 1 ? keys[0]! : null
  const out = new Uint32Array((rows - (only?.nulls ?? 0)) * 2)
  let n = 0
  for (let i = 0; i < rows; i++) {
    if (only !== null && only.validity[i] === 0) continue
    out[n++] = low[i]!
    out[n++] = high[i]!
  }
  return out
}

class KeySet {
  private low = new Uint32Array(FIRST_SLOTS)
  private high = new Uint32Array(FIRST_SLOTS)
  private count = 0

  add(hashes: Uint32Array): boolean {
    const keys = hashes.length / 2
    if (this.count + keys > KEYS_MAX) return false
    while ((this.count + keys) * 2 > this.low.length) this.grow()
    for (let i = 0; i < hashes.length; i += 2) if (!this.insert(hashes[i]!, hashes[i + 1]!)) return false
    return true
  }

  private insert(low: number, high: number): boolean {
    // An empty slot is two zeros; a hash of two zeros takes the place of another one.
    const h = low === 0 && high === 0 ? 1 : high
    const mask = this.low.length - 1
    let slot = low & mask
    while (this.low[slot] !== 0 || this.high[slot] !== 0) {
      if (this.low[slot] === low && this.high[slot] === h) return false
      slot = (slot + 1) & mask
    }
    this.low[slot] = low
    this.high[slot] = h
    this.count++
    return true
  }

  private grow(): void {
    const { low, high } = this
    this.low = new Uint32Array(low.length * 2)
    this.high = new Uint32Array(low.length * 2)
    this.count = 0
    for (let i = 0; i < low.length; i++) if (low[i] !== 0 || high[i] !== 0) this.insert(low[i]!, high[i]!)
  }
}

/** Adds the value of each row to its hash. Equal values add the same, whether they come from a dictionary or not. */
function foldColumn(vector: ColumnVector, low: Uint32Array, high: Uint32Array): void {
  const values = vector.form === 'plain' ? vector.values : vector.dictionary
  const hashes = hashesOf(values)
  for (let i = 0; i < low.length; i++) {
    const v = vector.form === 'plain' ? i : vector.codes[i]!
    low[i] = mix(Math.imul(low[i]! ^ hashes[v * 2]!, 0x9e3779b1))
    high[i] = mix(Math.imul(high[i]! ^ hashes[v * 2 + 1]!, 0x85ebca77))
  }
}

/** Two words for each value. */
function hashesOf(values: Values): Uint32Array {
  const n = countOf(values)
  const out = new Uint32Array(n * 2)
  switch (values.physical) {
    case 'BOOLEAN':
    case 'INT32':
      for (let i = 0; i < n; i++) words(out, i, values.data[i]!, 0)
      break
    case 'INT64': {
      const parts = new Uint32Array(values.data.buffer, values.data.byteOffset, n * 2)
      for (let i = 0; i < n; i++) words(out, i, parts[i * 2]!, parts[i * 2 + 1]!)
      break
    }
    case 'DOUBLE': {
      // 0 and -0 are one key, and so are all NaN.
      const normal = Float64Array.from(values.data, (v) => (Number.isNaN(v) ? Number.NaN : v + 0))
      const parts = new Uint32Array(normal.buffer)
      for (let i = 0; i < n; i++) words(out, i, parts[i * 2]!, parts[i * 2 + 1]!)
      break
    }
    case 'FIXED_LEN_BYTE_ARRAY':
      for (let i = 0; i < n; i++) bytes(out, i, values.data, i * values.widthBytes, (i + 1) * values.widthBytes)
      break
    case 'BYTE_ARRAY':
      for (let i = 0; i < n; i++) bytes(out, i, values.data, values.offsets[i]!, values.offsets[i + 1]!)
  }
  return out
}

function words(out: Uint32Array, i: number, a: number, b: number): void {
  out[i * 2] = mix(Math.imul(a ^ 0x3c6ef372, 0x27d4eb2f) ^ mix(b ^ 0x1b873593))
  out[i * 2 + 1] = mix(Math.imul(b ^ 0x52dce729, 0x165667b1) ^ mix(a ^ 0x38495ab5))
}

function bytes(out: Uint32Array, i: number, data: Uint8Array, from: number, to: number): void {
  let a = 0x811c9dc5 ^ (to - from)
  let b = 0x9747b28c
  for (let at = from; at < to; at++) {
    const byte = data[at]!
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul((b << 5) ^ (b >>> 27) ^ byte, 0x5bd1e995)
  }
  out[i * 2] = mix(a)
  out[i * 2 + 1] = mix(b)
}

/** Murmur3's finaliser: every bit of the input moves about half of the output's. */
function mix(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

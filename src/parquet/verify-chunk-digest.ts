import type { Values } from '../columns/vector.js'
import { assert } from '../errors.js'
import type { ChunkDigest } from './chunk-digest.js'
import { viewOf } from './decode-copy.js'

/**
 * The digest of a column chunk from its decoded pages, as chunk-digest.ts defines it and without anything of the writer's; assembly/digest.as does the
 * same in WebAssembly.
 */

const PRIMES = Int32Array.of(0x9e3779b1, 0x85ebca77)
const MISSING = Int32Array.of(0x6d697373, 0x27d4eb2f)
/** Of NaN, whichever it is in the file. */
const NAN_UPPER = 0x7ff80000

/** The rows of a page; has the shape of a ColumnVector. */
type Rows = { readonly rows: number; readonly validity: Uint8Array } & (
  | { readonly form: 'plain'; readonly values: Values }
  | { readonly form: 'dictionary'; readonly codes: Uint32Array; readonly dictionary: Values }
)

export class ChunkDigester {
  private readonly pairs = new Int32Array(16)
  private rows = 0
  private dictionary: Values | null = null
  private entryHashes: Int32Array = new Int32Array(0)

  constructor() {
    for (let word = 0; word < 16; word++) this.pairs[word] = Math.imul(word + 1, PRIMES[0]!)
  }

  take(page: Rows): void {
    if (page.form === 'plain') foldPage(this.pairs, this.rows, hashesOf(page.values), null, page.validity, page.rows)
    else {
      if (this.dictionary !== page.dictionary) this.entryHashes = hashesOf(page.dictionary)
      this.dictionary = page.dictionary
      foldPage(this.pairs, this.rows, this.entryHashes, page.codes, page.validity, page.rows)
    }
    this.rows += page.rows
  }

  finish(): ChunkDigest {
    const text = new DataView(new ArrayBuffer(68))
    for (let word = 0; word < 16; word++) text.setInt32(word * 4, this.pairs[word]!, true)
    text.setUint32(64, this.rows, true)
    const hash = new Int32Array(2)
    hashText(text, 0, 68, hash, 0)
    return [hash[0]! >>> 0, hash[1]! >>> 0]
  }
}

function turn(word: number): number {
  return (word >>> 16) | (word << 16)
}

/** Two words each. */
function hashesOf(values: Values): Int32Array {
  switch (values.physical) {
    case 'BYTE_ARRAY':
      return hashesOfTexts(viewOf(values.data), values.offsets)
    case 'FIXED_LEN_BYTE_ARRAY':
      return hashesOfFixed(viewOf(values.data), values.widthBytes, values.data.length / values.widthBytes)
    case 'BOOLEAN':
    case 'INT32':
      return hashesOfWords(values.data)
    case 'INT64':
    case 'DOUBLE': {
      const { buffer, byteOffset, length } = values.data
      assert(byteOffset % 4 === 0, 'decoded values are aligned')
      return hashesOfPairs(new Int32Array(buffer, byteOffset, length * 2), values.physical === 'DOUBLE')
    }
  }
}

function hashesOfWords(words: Uint8Array | Int32Array): Int32Array {
  const out = new Int32Array(words.length * 2)
  for (let i = 0; i < words.length; i++) putHash(out, i * 2, words[i]!, 0)
  return out
}

function hashesOfPairs(words: Int32Array, areDoubles: boolean): Int32Array {
  const out = new Int32Array(words.length)
  for (let i = 0; i < words.length; i += 2) {
    const lower = words[i]!
    const upper = words[i + 1]!
    // An exponent of ones and any bit behind it.
    const magnitude = upper & 0x7fffffff
    if (areDoubles && (magnitude > 0x7ff00000 || (magnitude === 0x7ff00000 && lower !== 0))) putHash(out, i, 0, NAN_UPPER)
    else putHash(out, i, lower, upper)
  }
  return out
}

function putHash(out: Int32Array, at: number, a: number, b: number): void {
  const low = (a + turn(Math.imul(b, 0x85ebca6b))) | 0
  out[at] = low
  out[at + 1] = b + turn(Math.imul(low, 0xc2b2ae35))
}

function hashesOfFixed(view: DataView, widthBytes: number, count: number): Int32Array {
  const out = new Int32Array(count * 2)
  for (let i = 0; i < count; i++) hashText(view, i * widthBytes, widthBytes, out, i * 2)
  return out
}

function hashesOfTexts(view: DataView, offsets: Uint32Array): Int32Array {
  const count = offsets.length - 1
  const out = new Int32Array(count * 2)
  for (let i = 0; i < count; i++) hashText(view, offsets[i]!, offsets[i + 1]! - offsets[i]!, out, i * 2)
  return out
}

function hashText(view: DataView, from: number, length: number, out: Int32Array, at: number): void {
  let low = length ^ 0x2545f491
  let high = 0x165667b1
  for (let done = 0; done < length; done += 8) {
    const left = length - done
    const a = left >= 4 ? view.getInt32(from + done, true) : lastBytes(view, from + done, left)
    const b = left >= 8 ? view.getInt32(from + done + 4, true) : left > 4 ? lastBytes(view, from + done + 4, left - 4) : 0
    low = (Math.imul(turn(low ^ a), 0x9e3779b1) + high) | 0
    high = (Math.imul(turn(high ^ b), 0x85ebca77) + low) | 0
  }
  low = Math.imul(low ^ (low >>> 15), 0xc2b2ae3d)
  high = Math.imul(high ^ low ^ (high >>> 13), 0x27d4eb2f)
  out[at] = low ^ (high >>> 16)
  out[at + 1] = high
}

/** Fewer than four, as a word. */
function lastBytes(view: DataView, from: number, count: number): number {
  let word = 0
  for (let i = 0; i < count; i++) word |= view.getUint8(from + i) << (8 * i)
  return word
}

function foldPage(
  pairs: Int32Array,
  rowsBefore: number,
  hashes: Int32Array,
  codes: Uint32Array | null,
  validity: Uint8Array,
  rows: number,
): void {
  const [primeLow, primeHigh] = PRIMES as unknown as [number, number]
  for (let row = 0; row < rows; row++) {
    const present = validity[row] === 1
    const from = present ? hashes : MISSING
    const at = present ? (codes === null ? row : codes[row]!) * 2 : 0
    const pair = ((rowsBefore + row) & 7) * 2
    pairs[pair] = Math.imul(turn(pairs[pair]! ^ from[at]!), primeLow)
    pairs[pair + 1] = Math.imul(turn(pairs[pair + 1]! ^ from[at + 1]!), primeHigh)
  }
}

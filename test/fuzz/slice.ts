import type { DocumentGenerator } from './generate.js'
import { FuzzRandom } from './random.js'
import { compareWays, type Difference } from './ways.js'

/** One document in so many is also decoded and held to the model. */
const DECODED = 12

/** What came of documents, in numbers. */
export interface Totals {
  documents: number
  valid: number
  faulty: number
  errors: number
  rows: number
  bytes: number
  /** Documents that went the fast way to their end, and those of them cut into chunks of a given size. */
  plainText: number
  cut: number
  decoded: number
  /** Column chunks in decoded files, with a dictionary and without. */
  dictionaries: number
  plain: number
}

export interface Failure {
  readonly number: number
  readonly difference: Difference
}

export function noTotals(): Totals {
  return { documents: 0, valid: 0, faulty: 0, errors: 0, rows: 0, bytes: 0, plainText: 0, cut: 0, decoded: 0, dictionaries: 0, plain: 0 }
}

export function addTotals(sum: Totals, more: Totals): void {
  for (const key of Object.keys(sum) as (keyof Totals)[]) sum[key] += more[key]
}

export function isDecoded(seed: number, number: number): boolean {
  return new FuzzRandom(seed, number, 3).oneIn(DECODED)
}

/** Documents `from` to `to - 1`, up to the first that the three ways do not agree about. */
export async function runSlice(
  generator: DocumentGenerator,
  from: number,
  to: number,
): Promise<{ totals: Totals; failure: Failure | null }> {
  const totals = noTotals()
  for (let number = from; number < to; number++) {
    const document = generator.document(number)
    const outcome = await compareWays(document, isDecoded(generator.seed, number))
    if (outcome.difference !== null) return { totals, failure: { number, difference: outcome.difference } }
    totals.documents++
    if (outcome.valid) totals.valid++
    else totals.faulty++
    totals.errors += outcome.errors
    totals.rows += outcome.rows
    totals.bytes += document.bytes.length
    if (outcome.plainText) totals.plainText++
    if (outcome.plainText && outcome.cut) totals.cut++
    if (outcome.decoded) totals.decoded++
    totals.dictionaries += outcome.dictionaries
    totals.plain += outcome.plain
  }
  return { totals, failure: null }
}

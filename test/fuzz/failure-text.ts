import { isUtf8 } from 'node:buffer'
import type { DocumentGenerator, FuzzDocument } from './generate.js'
import { shrink } from './shrink.js'
import { type Failure, isDecoded } from './slice.js'
import { compareWays, type Difference } from './ways.js'

const SHOWN_CHARACTERS = 6000
const SHRINK_TRIES = 4000
/** Documents before a failing one that may have left in reused memory what it stumbles over. */
const FORERUNNERS = 64

/** A failure in words: how to see it again, the document, what was asked, the difference, and the same made small. */
export async function failureText(generator: DocumentGenerator, failure: Failure): Promise<string> {
  const { number } = failure
  const { seed } = generator
  const document = generator.document(number)
  const decode = isDecoded(seed, number)
  const lines = [`document ${number} of seed ${seed} fails: ${failure.difference.kind}`, `  ${failure.difference.detail}`]
  const alone = (await tried(document, decode)) !== null
  lines.push(
    alone
      ? `again: npm run fuzz -- --seed ${seed} --only ${number}`
      : `alone it does not fail; with those before it: npm run fuzz -- --seed ${seed} --only ${number} --after ${FORERUNNERS}`,
  )
  lines.push(...documentLines(document))
  if (!alone) return lines.join('\n')
  const fails = async (smaller: FuzzDocument): Promise<boolean> => (await tried(smaller, decode))?.kind === failure.difference.kind
  const small = await shrink(document, { fails, tries: SHRINK_TRIES })
  const difference = await tried(small, decode)
  lines.push('', `made small: ${difference?.kind}`, `  ${difference?.detail}`, ...documentLines(small))
  return lines.join('\n')
}

/** A defect that throws is a difference as well. */
async function tried(document: FuzzDocument, decode: boolean): Promise<Difference | null> {
  try {
    return (await compareWays(document, decode)).difference
  } catch (error) {
    return { kind: 'thrown', detail: String((error as Error).stack) }
  }
}

function documentLines(document: FuzzDocument): string[] {
  return [
    `request: ${shortened(JSON.stringify(document.request))}`,
    `document, ${document.bytes.length} bytes: ${shortened(escaped(document.bytes))}`,
  ]
}

function shortened(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)` : text
}

/** As a string literal: printable ASCII as it is, other characters by number, bytes that are no UTF-8 as bytes. */
export function escaped(bytes: Buffer): string {
  const text = isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1')
  const byte = !isUtf8(bytes)
  const body = JSON.stringify(text).replace(/[^\x20-\x7e]/gu, (c) => {
    const code = c.codePointAt(0)!
    return byte ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
  return byte ? `bytes ${body}` : body
}

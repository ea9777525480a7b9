import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anchorLine, decodeAnchor, encodeAnchor } from '../../../src/documents/anchor.js'

const HASH = 'a1'.repeat(32)
const LINE = { record_id: 'soil/r-1.a', history_length: 3, metadata_sha256: HASH, prev: HASH.replaceAll('a', 'f') }

/** What the schema and the writer say together. */
function bySchema(text: string): unknown {
  try {
    const parsed = anchorLine.safeParse(JSON.parse(text))
    return parsed.success && encodeAnchor(parsed.data) === text ? parsed.data : null
  } catch {
    return null
  }
}

describe('a line of an anchor log', () => {
  it('is read as it was written', () => {
    expect(decodeAnchor(encodeAnchor(LINE))).toEqual(LINE)
    const longest = { ...LINE, history_length: Number.MAX_SAFE_INTEGER, record_id: `${'a'.repeat(128)}/b/c/d` }
    expect(decodeAnchor(encodeAnchor(longest))).toEqual(longest)
  })

  it('is nothing else than what its schema takes, byte for byte', () => {
    const text = encodeAnchor(LINE)
    const others = [
      { ...LINE, history_length: 0 },
      { ...LINE, history_length: 1.5 },
      { ...LINE, history_length: -1 },
      { ...LINE, history_length: 2 ** 53 },
      { ...LINE, record_id: 'a//b' },
      { ...LINE, record_id: 'a/versions' },
      { ...LINE, record_id: '.a' },
      { ...LINE, record_id: 'a/b/c/d/e' },
      { ...LINE, record_id: 'é' },
      { ...LINE, prev: HASH.toUpperCase() },
      { ...LINE, metadata_sha256: HASH.slice(1) },
    ]
    for (const wrong of [...others.map(encodeAnchor), `${text} `, ` ${text}`, `${text}\n`, text.slice(0, -1), '', '{}', 'null']) {
      expect(decodeAnchor(wrong), wrong).toBeNull()
      expect(bySchema(wrong), wrong).toBeNull()
    }
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 2 }), fc.nat(2), (at, put, cut) => {
        const changed = text.slice(0, at) + put + text.slice(at + cut)
        expect(decodeAnchor(changed)).toEqual(bySchema(changed))
      }),
      { numRuns: 1000 },
    )
  })
})

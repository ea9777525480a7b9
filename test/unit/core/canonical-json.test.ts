import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../../src/core/canonical-json.js'

describe('the RFC 8785 form', () => {
  it('sorts members by their UTF-16 code units, numbers among them, at every depth', () => {
    const document = { b: 1, a: { '10': 1, '9': 2, é: 3, '\u{1f600}': 4, '\ufb33': 5 }, '': null, A: [{ d: 1, c: 2 }] }
    expect(canonicalJson(document)).toBe('{"":null,"A":[{"c":2,"d":1}],"a":{"10":1,"9":2,"é":3,"\u{1f600}":4,"\ufb33":5},"b":1}')
  })

  it('leaves out members that are undefined, be they first or last', () => {
    expect(canonicalJson({ a: undefined, b: 1, c: undefined })).toBe('{"b":1}')
    expect(canonicalJson({ a: undefined })).toBe('{}')
  })

  it('is the same however the members came, and reads back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(reversed(value))).toBe(text)
      }),
    )
  })

  it('refuses what I-JSON cannot carry', () => {
    for (const value of ['\ud800', Number.NaN, Number.POSITIVE_INFINITY, undefined, () => 1, { '\udc00': 1 }]) {
      expect(() => canonicalJson({ a: [value, 1], b: value })).toThrow(/canonical JSON has no/)
      expect(() => canonicalJson([value])).toThrow(/canonical JSON has no/)
    }
  })
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  )
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scanJson } from '../../../src/runtime/json-text.js'

function problem(text: string): string {
  const scan = scanJson(text)
  return scan.ok ? 'no problem' : `${scan.position.line}:${scan.position.column} ${scan.message}`
}

describe('a JSON document that a person edits', () => {
  test('every JSON document reads as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        const scan = scanJson(text)
        expect(scan.ok && scan.value).toEqual(JSON.parse(text))
      }),
    )
  })

  test('what JSON.parse refuses is refused', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), fc.constantFrom('', ',', '}', '"', ']', 'x', '\u0001', '\\'), (value, at, piece) => {
        const whole = JSON.stringify(value)
        const i = at % (whole.length + 1)
        const text = whole.slice(0, i) + piece + whole.slice(i + 1)
        let valid = true
        try {
          JSON.parse(text)
        } catch {
          valid = false
        }
        const scan = scanJson(text)
        // Doubled members are the one thing that is refused here and not there.
        if (!scan.ok && scan.message.includes('is there twice')) return
        expect(scan.ok).toBe(valid)
      }),
    )
  })

  test.each([
    ['{\n  "a": 1,\n  "b" 2\n}', '3:7 expected ":" after "b", found "2"'],
    ['{\n  "a": 1\n  "b": 2\n}', '3:3 expected "," or "}", found "\\""'],
    ['{"a": [1, 2,]}', '1:13 a comma before "]" is one too many'],
    ['{"a": 1,}', '1:9 a comma before "}" is one too many'],
    ['{\n// no\n}', '2:1 JSON has no comments'],
    ['{"a": "x', '1:7 a string is never closed'],
    ['{"a": 1, "a": 2}', '1:10 the member "a" is there twice'],
    ['{"a": 01}', '1:8 expected "," or "}", found "1"'],
    ["{'a': 1}", '1:2 expected a member name in double quotes, found "\'"'],
    ['{"a": x}', '1:7 expected a value, found "x"'],
    ['', '1:1 expected a value, found the end of the file'],
    ['{} {}', '1:4 nothing may follow the document, found "{"'],
  ])('%j: the place of the mistake is told', (text, expected) => {
    expect(problem(text)).toBe(expected)
  })

  test('a byte order mark in front is passed over and does not shift columns', () => {
    const scan = scanJson('\ufeff{"a": 1}')
    expect(scan.ok && scan.positionOf(['a'])).toEqual({ line: 1, column: 7 })
  })

  test('the place of a value, or of the nearest thing around it that is there', () => {
    const scan = scanJson('{\n  "sources": [\n    { "name": "x" }\n  ]\n}')
    if (!scan.ok) throw new Error('it is JSON')
    expect(scan.positionOf(['sources', 0, 'name'])).toEqual({ line: 3, column: 15 })
    expect(scan.positionOf(['sources', 0, 'table'])).toEqual({ line: 3, column: 5 })
    expect(scan.positionOf(['inbox'])).toEqual({ line: 1, column: 1 })
  })

  test('"__proto__" is a member like any other', () => {
    const scan = scanJson('{"__proto__": {"polluted": true}}')
    expect(scan.ok && Object.keys(scan.value as object)).toEqual(['__proto__'])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('deep nesting is a problem, not a crash', () => {
    expect(problem('['.repeat(100_000))).toMatch(/nested more than 64 deep/)
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBase64url, readStrictJson } from '../../../src/decisions/strict-json.js'

const limits = { maxBytes: 65_536, maxDepth: 16 }
const read = (text: string | Uint8Array) => readStrictJson(typeof text === 'string' ? Buffer.from(text) : text, limits)

describe('strict JSON reads what JSON.parse reads', () => {
  test('any document', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space)
        if (text.includes('\\ud')) return
        expect(read(text)).toEqual({ ok: true, value: JSON.parse(text) })
      }),
    )
  })

  test.each([
    '0',
    '-0',
    '1e3',
    '1E+3',
    '-1.5e-3',
    'true',
    'false',
    'null',
    '""',
    '[]',
    '{}',
    ' [ 1 , 2 ] ',
    '"\\u00e9\\n\\/\\"\\\\"',
    '"\\ud83d\\ude00"',
    '"é😀"',
  ])('%s', (text) => {
    expect(read(text)).toEqual({ ok: true, value: JSON.parse(text) })
  })

  test('a member named __proto__ stays a member', () => {
    const result = read('{"__proto__":{"polluted":1},"constructor":2}')
    expect(result.ok && Object.keys(result.value as object)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('where numbers must be in plain digits', () => {
  const plain = (text: string) => readStrictJson(Buffer.from(text), { ...limits, plainIntegers: true })

  test.each(['0', '-1', '3', '9007199254740991', '[1,2]'])('%s may stand', (text) => {
    expect(plain(text)).toEqual({ ok: true, value: JSON.parse(text) })
  })

  test.each(['3.0', '3e0', '0.3e1', '30e-1', '{"a":[1E2]}'])('%s may not, though it is an integer to many readers', (text) => {
    expect(plain(text)).toMatchObject({ ok: false, truncated: false, message: expect.stringContaining('plain digits') })
    expect(read(text)).toMatchObject({ ok: true })
  })
})

describe('strict JSON refuses what readers disagree about', () => {
  test.each([
    ['two members of one name', '{"a":1,"a":2}'],
    ['two members of one name, one escaped', '{"a":1,"\\u0061":2}'],
    ['two members of one name further down', '{"x":[{"b":1,"b":1}]}'],
    ['two members named __proto__', '{"__proto__":1,"__proto__":2}'],
    ['half a surrogate pair', '"\\ud800"'],
    ['half a surrogate pair, the second', '"\\udc00x"'],
    ['surrogates in the wrong order', '"\\ude00\\ud83d"'],
    ['half a surrogate pair in a name', '{"\\ud800":1}'],
    ['text after the value', '{} {}'],
    ['NUL after the value', '{}\u0000'],
    ['a number beyond double range', '[1e400]'],
    ['a leading zero', '[01]'],
    ['a leading plus', '[+1]'],
    ['a bare point', '[.5]'],
    ['a point without digits', '[1.]'],
    ['NaN', '[NaN]'],
    ['Infinity', '[-Infinity]'],
    ['hexadecimal', '[0x10]'],
    ['single quotes', "{'a':1}"],
    ['a bare name', '{a:1}'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a trailing comma in a list', '[1,]'],
    ['a missing comma', '[1 2]'],
    ['a comment', '// x\n{}'],
    ['a line feed in a text', '"a\nb"'],
    ['a tab in a text', '"a\tb"'],
    ['an unknown escape', '"\\x41"'],
    ['an escape of three digits', '"\\u004"'],
    ['white space of Unicode', '\u00a0{}'],
    ['a word', 'undefined'],
    ['a capital word', 'True'],
  ])('%s', (_name, text) => {
    expect(read(text)).toMatchObject({ ok: false, truncated: false })
  })

  test('a byte order mark, UTF-16, bytes that are not UTF-8, overlong forms and encoded surrogates', () => {
    for (const bytes of [
      Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
      Buffer.from('{}', 'utf16le'),
      Buffer.from([0x22, 0xff, 0x22]),
      Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
      Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
    ]) {
      expect(read(bytes)).toMatchObject({ ok: false, truncated: false })
    }
  })

  test('more bytes or levels than allowed, and not one less', () => {
    expect(readStrictJson(Buffer.from('[[[]]]'), { maxBytes: 6, maxDepth: 3 }).ok).toBe(true)
    expect(readStrictJson(Buffer.from('[[[]]]'), { maxBytes: 5, maxDepth: 3 }).ok).toBe(false)
    expect(readStrictJson(Buffer.from('[[[]]]'), { maxBytes: 6, maxDepth: 2 }).ok).toBe(false)
    expect(readStrictJson(Buffer.from('{"a":{"a":{}}}'), { maxBytes: 99, maxDepth: 2 }).ok).toBe(false)
    expect(readStrictJson(Buffer.from('['.repeat(1_000_000)), { maxBytes: 1e7, maxDepth: 16 }).ok).toBe(false)
  })
})

describe('strict JSON says what is wrong, and where', () => {
  test.each([
    ['{} {}', 'text follows the value (character 4)'],
    ['{a:1}', 'a member name was expected (character 2)'],
    ['{"a" 1}', 'a colon was expected (character 6)'],
    ['{"a";1}', 'a colon was expected (character 5)'],
    ['{"a":1;"b":2}', 'a comma or a closing brace was expected (character 7)'],
    ['{"a":1]', 'a comma or a closing brace was expected (character 7)'],
    ['[1;2]', 'a comma or a closing bracket was expected (character 3)'],
    ['[1}', 'a comma or a closing bracket was expected (character 3)'],
    ['[trux]', 'a value was expected (character 5)'],
    ['trie', 'a value was expected (character 3)'],
    ['[fals_]', 'a value was expected (character 6)'],
    ['[?]', 'a value was expected (character 2)'],
    ['[1e400]', 'a number is too large'],
    ['"a\u0001b"', 'a control character stands in a text (character 3)'],
    [' "\\ud800"', 'a text holds half of a surrogate pair (character 2)'],
    ['"\\u00g1"', 'an escape is not of the form \\uXXXX (character 3)'],
    ['"\\u004"', 'an escape is not of the form \\uXXXX (character 3)'],
    ['"\\ug"', 'an escape is not of the form \\uXXXX (character 3)'],
    ['"\\x41"', 'an unknown escape (character 3)'],
    ['"\\hasOwnProperty"', 'an unknown escape (character 3)'],
    ['{"a":1,"a":2}', 'the member "a" stands twice in one object'],
    [`{"${'a'.repeat(101)}":1,"${'a'.repeat(101)}":2}`, `the member "${'a'.repeat(100)}" stands twice in one object`],
  ])('%j: %s', (text, message) => {
    expect(read(text)).toEqual({ ok: false, message, truncated: false })
  })

  test.each([
    '',
    ' ',
    '{',
    '[1',
    '"a',
    '"\\',
    '"\\u',
    '"\\u0',
    '"\\u00',
    '"\\u004',
    '-',
    '1.',
    '1e',
    '1e+',
    'tru',
    '{"a"',
    '{"a":',
    '{"a":1',
  ])('%j ends too early', (text) => {
    expect(read(text)).toEqual({ ok: false, message: 'it ends too early', truncated: true })
  })

  test('of bytes as a whole', () => {
    const failed = (message: string) => ({ ok: false, message, truncated: false })
    expect(readStrictJson(Buffer.from('[1, 2]'), { maxBytes: 5, maxDepth: 1 })).toEqual(failed('it has more than 5 bytes'))
    expect(readStrictJson(Buffer.from('[[1]]'), { maxBytes: 5, maxDepth: 1 })).toEqual(failed('it is nested deeper than 1 levels'))
    expect(read(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))).toEqual(failed('it starts with a byte order mark'))
    expect(read(Buffer.from([0xef, 0xbb, 0x7b]))).toEqual(failed('it is not UTF-8'))
    expect(read(Buffer.from([0xff]))).toEqual(failed('it is not UTF-8'))
    // The first, the second or the third byte of the mark alone is none.
    for (const text of ['"\uffff"', '"\u00fb"', '"\u00bf"', ' \ufeff'])
      expect(read(text)).not.toEqual(failed('it starts with a byte order mark'))
    expect(read('\uf8ff')).toEqual(failed('a value was expected (character 1)'))
    expect(read('\uf8c0')).toEqual(failed('a value was expected (character 1)'))
    expect(read('\ufec0')).toEqual(failed('a value was expected (character 1)'))
    expect(read('\u27bf')).toEqual(failed('a value was expected (character 1)'))
  })
})

test('strict JSON reads every escape and every white space that RFC 8259 knows', () => {
  expect(read('"\\b\\f\\n\\r\\t\\/\\\\\\""')).toEqual({ ok: true, value: '\b\f\n\r\t/\\"' })
  expect(read('\r\n\t {\r"a"\r:\r[\r1\r,\r2\r]\r}\r')).toEqual({ ok: true, value: { a: [1, 2] } })
  expect(read('{ }')).toEqual({ ok: true, value: {} })
  expect(read('[ ]')).toEqual({ ok: true, value: [] })
  const result = read('{"a":1}')
  expect(result.ok && Object.getOwnPropertyDescriptor(result.value as object, 'a')).toEqual({
    value: 1,
    enumerable: true,
    configurable: true,
    writable: true,
  })
})

test('a document cut anywhere is known as cut', () => {
  const text = JSON.stringify({ a: [1.5, true, null, 'x\n\u00e9', { b: '\\' }], c: false })
  for (let length = 0; length < text.length; length += 1) {
    expect(read(text.slice(0, length)), text.slice(0, length)).toMatchObject({ ok: false, truncated: true })
  }
})

describe('base64url has one text for each byte sequence', () => {
  test('what Node writes is read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(decodeBase64url(Buffer.from(bytes).toString('base64url'))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  test('any other text of the same bytes is refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ABab01-_+/= \n'), maxLength: 12 }), (text) => {
        const bytes = decodeBase64url(text)
        if (bytes !== null) expect(bytes.toString('base64url')).toBe(text)
      }),
    )
  })

  test.each(['AA==', 'AB', 'AAF', 'A', 'A+', 'A/', ' AA', 'AA\n', 'é'])('%j', (text) => {
    expect(decodeBase64url(text)).toBeNull()
  })
})

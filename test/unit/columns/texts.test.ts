import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { booleanParser, FALSE_VALUES, TRUE_VALUES } from '../../../src/columns/boolean.js'
import { type CellParser, isProblem } from '../../../src/columns/cell.js'
import { jsonParser } from '../../../src/columns/json.js'
import { compactJson, jsonTextOf } from '../../../src/columns/json-text.js'
import { type ListItemType, listParser } from '../../../src/columns/list.js'
import { anyParser, durationParser, geopointParser, stringParser, yearMonthParser } from '../../../src/columns/string.js'

const refuses = (parser: CellParser, text: string): void => {
  expect(parser.parse(text), JSON.stringify(text)).toMatchObject({ type: 'type-error' })
}

describe('boolean', () => {
  const parser = booleanParser({ trueValues: TRUE_VALUES, falseValues: FALSE_VALUES })

  it('reads exactly the texts of its lists', () => {
    for (const text of TRUE_VALUES) expect(parser.parse(text)).toBe(1)
    for (const text of FALSE_VALUES) expect(parser.parse(text)).toBe(0)
    for (const text of ['', 'yes', 'tRUE', ' true', 'constructor', '00']) refuses(parser, text)
    const own = booleanParser({ trueValues: ['ja'], falseValues: ['nein'] })
    expect(own.parse(own.format(1))).toBe(1)
    refuses(own, 'true')
  })

  it('takes booleans of row objects and nothing that only looks like one', () => {
    expect(parser.fromJs(false)).toBe(0)
    for (const value of [0, 1, {}, []]) expect(isProblem(parser.fromJs(value))).toBe(true)
  })
})

describe('string', () => {
  it('keeps every text as it is, spaces and control characters too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(stringParser({ format: 'default' }).parse(text)).toBe(text)
      }),
    )
  })

  it('refuses what UTF-8 cannot hold, and values that are no strings', () => {
    refuses(stringParser({ format: 'default' }), 'a\ud800')
    for (const value of [1, true, {}, 1n]) expect(isProblem(stringParser({ format: 'default' }).fromJs(value))).toBe(true)
  })

  it('measures characters, not UTF-16 units', () => {
    expect(stringParser({ format: 'default' }).lengthOf?.('a😀é')).toBe(3)
  })

  it.each([
    ['email', ['a@b.org', 'x.y+z@lab.example'], ['a', '@b', 'a@', 'a b@c', 'a@b..c', 'a@@b']],
    ['uri', ['http://x/y?z#f', 'urn:isbn:1'], ['x/y', '://x', 'http:', 'http://a b']],
    [
      'uuid',
      ['0b8f0f5c-6c5b-4a53-9d6e-0c8a1d1d3b11', '0B8F0F5C-6C5B-4A53-9D6E-0C8A1D1D3B11'],
      ['0b8f0f5c6c5b4a539d6e0c8a1d1d3b11', '{0b8f0f5c-6c5b-4a53-9d6e-0c8a1d1d3b11}'],
    ],
    ['binary', ['', 'YQ==', 'YWI=', 'YWJj'], ['YQ', 'YQ=', 'Y===', 'a b=', '===='.repeat(2)]],
  ] as const)('format %s', (format, good, bad) => {
    const parser = stringParser({ format })
    for (const text of good) expect(parser.parse(text), text).toBe(text)
    for (const text of bad) refuses(parser, text)
  })

  it('checks the types that are stored as text', () => {
    expect(yearMonthParser().parse('2024-12')).toBe('2024-12')
    for (const text of ['2024-13', '2024-1', '0000-01', '2024']) refuses(yearMonthParser(), text)
    for (const text of ['P1D', 'PT0.5S', '-P1Y2M3DT4H5M6.7S', 'P1M']) expect(durationParser().parse(text)).toBe(text)
    for (const text of ['P', 'PT', 'P1DT', '1D', 'P1.5D', 'P1H', '']) refuses(durationParser(), text)
    const point = geopointParser({ format: 'default' })
    for (const text of ['90.50, 45.50', '-180,90']) expect(point.parse(text)).toBe(text)
    for (const text of ['45.5', '45.5, 90.5', '1,2,3', '181,0', 'a,b', '1,  2']) refuses(point, text)
    expect(geopointParser({ format: 'array' }).parse('[90.5, 45.5]')).toBe('[90.5, 45.5]')
    refuses(geopointParser({ format: 'array' }), '[90.5]')
    expect(geopointParser({ format: 'object' }).parse('{"lat": 45.5, "lon": 90.5}')).toBe('{"lat": 45.5, "lon": 90.5}')
    refuses(geopointParser({ format: 'object' }), '{"lat": 45.5, "lng": 90.5}')
    expect(anyParser().parse('12abc')).toBe('12abc')
  })
})

describe('JSON text', () => {
  it('loses white space and nothing else: digits, escapes and order stay', () => {
    expect(compactJson(' { "b" : [ 1.50 , 12345678901234567890, "a \\" b" ] ,\n"a" : {"x y":1E+2} } ')).toEqual({
      ok: true,
      kind: 'object',
      text: '{"b":[1.50,12345678901234567890,"a \\" b"],"a":{"x y":1E+2}}',
    })
  })

  it('means the same as before', () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 0, max: 3 }), (json, indent) => {
        const outcome = compactJson(JSON.stringify(JSON.parse(json), null, indent))
        if (outcome.ok) expect(outcome.text).toBe(JSON.stringify(JSON.parse(json)))
      }),
    )
  })

  it.each([
    '',
    '{',
    '{"a":1,}',
    "{'a':1}",
    '[01]',
    'NaN',
    '{"a":1}{',
    '{"a":1,"a":2}',
    '{"x":{"é":1,"\\u00e9":2}}',
    '[',
    '['.repeat(501) + ']'.repeat(501),
  ])('refuses %.30s', (text) => {
    expect(compactJson(text).ok).toBe(false)
  })

  it('tells names from values: the same text may stand in several objects and as a value', () => {
    expect(compactJson('[{"a":"a"},{"a":["a","a"]}]').ok).toBe(true)
    expect(compactJson('{"a":{"a":1},"b":"a"}').ok).toBe(true)
    expect(compactJson('{"a":[{"x":1},"x"],"a":1}').ok).toBe(false)
  })

  it('of an object must be an object, of an array an array', () => {
    const object = jsonParser({ kind: 'object' })
    const array = jsonParser({ kind: 'array' })
    expect(object.parse('{}')).toBe('{}')
    expect(array.parse('[ ]')).toBe('[]')
    for (const text of ['[]', '1', '"x"', 'null', 'x']) refuses(object, text)
    for (const text of ['{}', '1', 'null']) refuses(array, text)
    expect(array.lengthOf?.('[1,2]')).toBe(2)
    expect(object.lengthOf?.('{"a":1}')).toBe(1)
  })

  it('of GeoJSON has a type of its standard', () => {
    expect(jsonParser({ kind: 'geojson' }).parse('{"type":"Point","coordinates":[1.50,2]}')).toBe('{"type":"Point","coordinates":[1.50,2]}')
    refuses(jsonParser({ kind: 'geojson' }), '{"type":"Dot"}')
    refuses(jsonParser({ kind: 'geojson' }), '{}')
    refuses(jsonParser({ kind: 'topojson' }), '{"type":"Point"}')
  })

  it('of a row object holds what JSON can say, and nothing is changed to fit', () => {
    const object = jsonParser({ kind: 'object' })
    expect(object.fromJs({ b: [1, true, null, 'é'], a: 12345678901234567890n, u: undefined })).toBe(
      '{"b":[1,true,null,"é"],"a":12345678901234567890}',
    )
    for (const value of [
      { a: Number.NaN },
      { a: new Date(0) },
      { a: new Map() },
      { a: () => 1 },
      { a: [undefined] },
      { a: '\ud800' },
      [],
      5,
    ]) {
      expect(isProblem(object.fromJs(value))).toBe(true)
    }
    const circle: unknown[] = []
    circle.push(circle)
    expect(jsonTextOf(circle).ok).toBe(false)
  })
})

describe('list', () => {
  const list = (itemType: ListItemType, delimiter = ';'): CellParser => listParser({ itemType, delimiter })

  it.each([
    ['string', 'a;b c;"x"', '["a","b c","\\"x\\""]'],
    ['integer', '1;+02;-3', '[1,2,-3]'],
    ['integer', '9223372036854775807', '[9223372036854775807]'],
    ['number', '1.50;+.5;-007.;1e3', '[1.50,0.5,-7,1e3]'],
    ['boolean', 'true;0', '[true,false]'],
    ['date', '2024-01-31', '["2024-01-31"]'],
    ['time', '09:30:00.500', '["09:30:00.500"]'],
    ['datetime', '2024-01-31T09:30:00;2024-01-31T09:30:00+01:00', '["2024-01-31T09:30:00","2024-01-31T08:30:00Z"]'],
  ] as const)('of %s reads %s', (itemType, text, json) => {
    const parser = list(itemType)
    expect(parser.parse(text)).toBe(json)
    expect(parser.parse(parser.format(json))).toBe(json)
    expect(JSON.parse(json)).toHaveLength(parser.lengthOf!(json))
  })

  it.each([
    ['integer', '1;;2'],
    ['integer', '1; 2'],
    ['number', '1;NaN'],
    ['boolean', 'yes'],
    ['date', '2024-02-30'],
    ['time', '25:00:00'],
    ['datetime', '2024-01-31'],
    ['string', 'a;\ud800'],
  ] as const)('of %s refuses %s', (itemType, text) => refuses(list(itemType), text))

  it('of a row object takes arrays whose items can stand in a cell', () => {
    expect(list('string').fromJs(['a', 'b,c'])).toBe('["a","b,c"]')
    expect(list('integer').fromJs([1, 2n, '3'])).toBe('[1,2,3]')
    for (const value of [[], [''], ['a;b'], [1], [null], 'a' as unknown, {}]) expect(isProblem(list('string').fromJs(value))).toBe(true)
    expect(isProblem(list('integer').fromJs([1.5]))).toBe(true)
  })
})

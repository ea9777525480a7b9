import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ColumnBuilder, MISSING, PROBLEM } from '../../../src/columns/builder.js'
import type { Column } from '../../../src/columns/column.js'
import { toJs, toText, valueAt } from '../../../src/columns/value-format.js'
import { type ColumnVector, countOf } from '../../../src/columns/vector.js'
import { compileTable } from '../../../src/tables/schema.js'

const columnOf = (field: Record<string, unknown>): Column => compileTable({ fields: [{ name: 'x', ...field }] }).columns[0]!

function build(column: Column, texts: readonly string[]): ColumnVector {
  const builder = new ColumnBuilder(column)
  for (const text of texts) builder.push(builder.check(text))
  return builder.take()
}

const valuesOf = (column: Column, vector: ColumnVector): unknown[] =>
  Array.from({ length: vector.rows }, (_, row) => {
    if (vector.validity[row] === 0) return null
    return vector.form === 'plain' ? toJs(column, vector.values, row) : toJs(column, vector.dictionary, vector.codes[row]!)
  })

describe('a builder', () => {
  it('gives equal values one code, in order of first appearance, whatever their text', () => {
    const builder = new ColumnBuilder(columnOf({ type: 'number' }))
    expect(['2', '1.5', '1.50', '15e-1', '2.0', '3'].map((text) => builder.check(text))).toEqual([0, 1, 1, 1, 0, 2])
    expect(builder.distinctValues).toBe(3)
  })

  it('keeps 0 and -0 apart in the file and equal as keys', () => {
    const builder = new ColumnBuilder(columnOf({ type: 'number' }))
    const [zero, minus] = [builder.check('0'), builder.check('-0')]
    expect(zero).not.toBe(minus)
    expect(builder.keyText(zero)).toBe(builder.keyText(minus))
    expect(builder.check('NaN')).toBe(builder.check('nan'))
  })

  it('has key texts that are equal only where values are', () => {
    const texts = new ColumnBuilder(columnOf({ type: 'string' }))
    expect(texts.keyText(texts.check('1.5'))).not.toBe(texts.keyText(texts.check('1.50')))
    const instants = new ColumnBuilder(columnOf({ type: 'datetime' }))
    expect(instants.keyText(instants.check('2024-01-01T00:00:00Z'))).toBe(instants.keyText(instants.check('2024-01-01T01:00:00+01:00')))
    const large = new ColumnBuilder(columnOf({ type: 'integer' }))
    expect(large.keyText(large.check('9007199254740993'))).not.toBe(large.keyText(large.check('9007199254740992')))
  })

  it('knows missing values before types and constraints', () => {
    const builder = new ColumnBuilder(columnOf({ type: 'integer', missingValues: ['', '-99'], constraints: { minimum: 0 } }))
    expect([builder.check(''), builder.check('-99'), builder.check('-98')]).toEqual([MISSING, MISSING, PROBLEM])
    const none = new ColumnBuilder(columnOf({ type: 'string', missingValues: [] }))
    expect(none.check('')).toBe(0)
  })

  it('refuses a missing value where one is required', () => {
    const builder = new ColumnBuilder(columnOf({ type: 'string', constraints: { required: true } }))
    for (const check of [() => builder.check(''), () => builder.checkValue(null), () => builder.checkValue(undefined)]) {
      builder.lastProblem = null
      expect(check()).toBe(PROBLEM)
      expect(builder.lastProblem).toMatchObject({ type: 'constraint-error', constraint: 'required', code: 'CONSTRAINT_ERROR' })
    }
  })

  it('says for each wrong cell what was expected, also when the text comes again and after many others', () => {
    const builder = new ColumnBuilder(columnOf({ type: 'integer', constraints: { minimum: 1, maximum: 9 } }))
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 3000; i++) expect(builder.check(`x${i}`)).toBe(PROBLEM)
      expect(builder.check('0')).toBe(PROBLEM)
      expect(builder.lastProblem).toMatchObject({ constraint: 'minimum', message: 'expected at least 1' })
      expect(builder.check('x5')).toBe(PROBLEM)
      expect(builder.lastProblem).toMatchObject({ type: 'type-error', constraint: null })
      expect(builder.check('5')).toBeGreaterThanOrEqual(0)
    }
  })

  it('is not led astray by cells named like parts of an object', () => {
    const builder = new ColumnBuilder(columnOf({ type: 'string' }))
    expect(['__proto__', 'constructor', 'toString', '__proto__'].map((text) => builder.check(text))).toEqual([0, 1, 2, 0])
  })

  it('starts anew after take, and what it gave stays as it was', () => {
    const column = columnOf({ type: 'string' })
    const builder = new ColumnBuilder(column)
    for (const text of ['a', 'b', '', 'a']) builder.push(builder.check(text))
    const first = builder.take()
    expect(builder.rows).toBe(0)
    expect(builder.check('c')).toBe(0)
    builder.push(0)
    expect(valuesOf(column, first)).toEqual(['a', 'b', null, 'a'])
    expect(first).toMatchObject({ form: 'dictionary', rows: 4, nulls: 1, codes: Uint32Array.of(0, 1, 0, 0) })
    expect(valuesOf(column, builder.take())).toEqual(['c'])
    expect(builder.take().rows).toBe(0)
  })

  it('gives booleans plain, for Parquet has no dictionary of them', () => {
    expect(build(columnOf({ type: 'boolean' }), ['true', '', 'false'])).toMatchObject({
      form: 'plain',
      values: { data: Uint8Array.of(1, 0, 0) },
    })
  })

  it('gives up the dictionary where most of many values are unique, and only there', () => {
    for (const field of [{ type: 'integer' }, { type: 'string' }, { type: 'number', parquet: { type: 'DECIMAL', precision: 38 } }]) {
      const column = columnOf(field)
      const unique = Array.from({ length: 70_000 }, (_, i) => (i % 1000 === 7 ? '' : String(i)))
      const plain = build(column, unique)
      expect(plain.form).toBe('plain')
      expect(plain.form === 'plain' && countOf(plain.values)).toBe(70_000)
      const js = valuesOf(column, plain)
      expect(js[7]).toBeNull()
      expect(String(js[69_999])).toBe('69999')
      expect(build(column, unique.slice(0, 60_000)).form).toBe('dictionary')
      expect(build(column, [...unique, ...unique, ...unique]).form).toBe('dictionary')
    }
  }, 60_000)

  it('takes values of row objects by type, and strings like cells', () => {
    const builder = new ColumnBuilder(columnOf({ type: 'number', missingValues: ['', 'NA'], constraints: { maximum: 10 } }))
    expect([
      builder.checkValue(1.5),
      builder.checkValue('1.50'),
      builder.checkValue('NA'),
      builder.checkValue(11),
      builder.checkValue(true),
    ]).toEqual([0, 0, MISSING, PROBLEM, PROBLEM])
  })
})

describe('values', () => {
  const fields: [Record<string, unknown>, fc.Arbitrary<string>][] = [
    [{ type: 'string' }, fc.string({ unit: 'grapheme', minLength: 1 })],
    [{ type: 'integer' }, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
    [{ type: 'integer', parquet: { type: 'INT32' } }, fc.integer().map(String)],
    [
      { type: 'number' },
      fc
        .double()
        .map(String)
        .filter((text) => !text.includes('Infinity')),
    ],
    [{ type: 'number', decimalChar: ',' }, fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => String(n).replace('.', ','))],
    [
      { type: 'number', parquet: { type: 'DECIMAL', precision: 9, scale: 2 } },
      fc.integer({ min: -999_999_999, max: 999_999_999 }).map((n) => (n / 100).toFixed(2)),
    ],
    [
      { type: 'number', parquet: { type: 'DECIMAL', precision: 38, scale: 0 } },
      fc.bigInt({ min: 1n - 10n ** 38n, max: 10n ** 38n - 1n }).map(String),
    ],
    [{ type: 'boolean', trueValues: ['ja'], falseValues: ['nein'] }, fc.constantFrom('ja', 'nein')],
    [{ type: 'date' }, fc.integer({ min: -719_162, max: 2_932_896 }).map((d) => new Date(d * 86_400_000).toISOString().slice(0, 10))],
    [
      { type: 'time', parquet: { type: 'TIME_MICROS' } },
      fc.integer({ min: 0, max: 86_399_999 }).map((ms) => `${new Date(ms).toISOString().slice(11, 23)}456`),
    ],
    [
      { type: 'datetime' },
      fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map((d) => d.toISOString()),
    ],
    [
      { type: 'datetime', parquet: { utc: false } },
      fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map((d) => d.toISOString().slice(0, -1)),
    ],
    [{ type: 'datetime', format: '%d.%m.%Y %H:%M:%S' }, fc.constantFrom('01.02.1903 04:05:06', '31.12.2024 23:59:59')],
    [{ type: 'object' }, fc.dictionary(fc.string(), fc.integer()).map((o) => JSON.stringify(o))],
    [{ type: 'list', delimiter: ';' }, fc.array(fc.constantFrom('a', 'b c', 'é'), { minLength: 1 }).map((items) => items.join(';'))],
  ]

  it.each(fields)('%j: the text of a value reads back as the same value', (field, texts) => {
    const column = columnOf(field)
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1, maxLength: 20 }), (cells) => {
        const vector = build(column, cells)
        const { values, at } =
          vector.form === 'plain'
            ? { values: vector.values, at: (row: number) => row }
            : { values: vector.dictionary, at: (row: number) => vector.codes[row]! }
        const again = build(
          column,
          cells.map((_, row) => toText(column, values, at(row))),
        )
        expect(again).toEqual(vector)
      }),
      { numRuns: 50 },
    )
  })

  it('are given to programs in the forms that README promises', () => {
    const js = (field: Record<string, unknown>, text: string): unknown => {
      const column = columnOf(field)
      return valuesOf(column, build(column, [text]))[0]
    }
    expect(js({ type: 'integer' }, '5')).toBe(5n)
    expect(js({ type: 'integer', parquet: { type: 'INT32' } }, '5')).toBe(5)
    expect(js({ type: 'number' }, '5')).toBe(5)
    expect(js({ type: 'number', parquet: { type: 'DECIMAL', precision: 20, scale: 3 } }, '-0.05')).toBe('-0.050')
    expect(js({ type: 'boolean' }, '0')).toBe(false)
    expect(js({ type: 'date' }, '2024-01-15')).toBe('2024-01-15')
    expect(js({ type: 'time' }, '10:00:00.000')).toBe('10:00:00')
    expect(js({ type: 'datetime' }, '2024-01-15T11:00:00+01:00')).toBe('2024-01-15T10:00:00.000Z')
    expect(js({ type: 'datetime', parquet: { type: 'TIMESTAMP_MICROS', utc: false } }, '2024-01-15T10:00:00')).toBe(
      '2024-01-15T10:00:00.000000',
    )
    expect(js({ type: 'object' }, '{"a": 1}')).toEqual({ a: 1 })
    expect(js({ type: 'list' }, 'a,b')).toEqual(['a', 'b'])
    expect(js({ type: 'year' }, '2024')).toBe(2024)
  })

  it('are written in default forms where only the file is at hand', () => {
    const column = columnOf({ type: 'date', format: '%d/%m/%Y' })
    const vector = build(column, ['31/01/2024'])
    const { parser: _, ...type } = column
    if (vector.form !== 'dictionary') throw new Error('expected a dictionary')
    expect(toText(column, vector.dictionary, 0)).toBe('31/01/2024')
    expect(toText(type, vector.dictionary, 0)).toBe('2024-01-31')
    expect(valueAt(vector.dictionary, 0)).toBe(19_753)
  })
})

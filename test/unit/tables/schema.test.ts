import { describe, expect, it } from 'vitest'
import { ColumnBuilder, PROBLEM } from '../../../src/columns/builder.js'
import type { CellProblem } from '../../../src/columns/cell.js'
import { sha256OfJson } from '../../../src/core/hashes.js'
import { IntakeError } from '../../../src/errors.js'
import { compileTable, type Table } from '../../../src/tables/schema.js'

const tableOf = (...fields: Record<string, unknown>[]): Table => compileTable({ name: 't', fields })

function problemsOf(document: unknown, name?: string): string[] {
  try {
    compileTable(document, name)
  } catch (error) {
    expect(error).toBeInstanceOf(IntakeError)
    expect((error as IntakeError).code).toBe('TABLE_INVALID')
    const problems = (error as IntakeError).data.problems as string[]
    for (const problem of problems) expect((error as Error).message).toContain(problem)
    return problems
  }
  return []
}

const fieldProblems = (field: Record<string, unknown>): string[] => problemsOf({ fields: [{ name: 'x', ...field }] })

/** null: the cell is right. */
function problemOf(field: Record<string, unknown>, text: string): CellProblem | null {
  const builder = new ColumnBuilder(tableOf({ name: 'x', ...field }).columns[0]!)
  return builder.check(text) === PROBLEM ? builder.lastProblem : null
}

describe('a table', () => {
  it('keeps the document as given, its unknown keys too, and hashes the whole', () => {
    const document = { name: 't', fields: [{ name: 'a', type: 'string', rdfType: 'x' }], foreignKeys: [], custom: { b: 1 } }
    const table = compileTable(document)
    expect(table.document).toEqual(document)
    expect(table.schemaSha256).toBe(sha256OfJson(document))
    expect(table.columns[0]!.field).toEqual(document.fields[0])
    ;(document as { custom: unknown }).custom = 'changed later'
    expect(table.document).not.toEqual(document)
  })

  it('is called by its file, by its document, or "table"', () => {
    expect(compileTable({ fields: [{ name: 'a' }] }, 'mine').name).toBe('mine')
    expect(compileTable({ name: 'own', fields: [{ name: 'a' }] }).name).toBe('own')
    expect(compileTable({ fields: [{ name: 'a' }] }).name).toBe('table')
    expect(problemsOf({ name: 'own', fields: [{ name: 'a' }] }, 'mine')).toHaveLength(1)
    expect(problemsOf({ name: '../own', fields: [{ name: 'a' }] })).toHaveLength(1)
  })

  it.each([
    [{ type: 'string' }, 'string', 'BYTE_ARRAY'],
    [{}, 'string', 'BYTE_ARRAY'],
    [{ type: 'integer' }, 'integer', 'INT64'],
    [{ type: 'integer', parquet: { type: 'INT32' } }, 'integer', 'INT32'],
    [{ type: 'number' }, 'double', 'DOUBLE'],
    [{ type: 'number', parquet: { type: 'DECIMAL' } }, 'decimal', 'INT64'],
    [{ type: 'number', parquet: { type: 'DECIMAL', precision: 9, scale: 9 } }, 'decimal', 'INT32'],
    [{ type: 'number', parquet: { type: 'DECIMAL', precision: 38 } }, 'decimal', 'FIXED_LEN_BYTE_ARRAY'],
    [{ type: 'boolean' }, 'boolean', 'BOOLEAN'],
    [{ type: 'date' }, 'date', 'INT32'],
    [{ type: 'time' }, 'time', 'INT32'],
    [{ type: 'time', parquet: { type: 'TIME_MICROS' } }, 'time', 'INT64'],
    [{ type: 'datetime' }, 'timestamp', 'INT64'],
    [{ type: 'list' }, 'json', 'BYTE_ARRAY'],
    [{ type: 'object' }, 'json', 'BYTE_ARRAY'],
    [{ type: 'array' }, 'json', 'BYTE_ARRAY'],
    [{ type: 'geojson' }, 'json', 'BYTE_ARRAY'],
    [{ type: 'year' }, 'integer', 'INT32'],
    [{ type: 'yearmonth' }, 'string', 'BYTE_ARRAY'],
    [{ type: 'duration' }, 'string', 'BYTE_ARRAY'],
    [{ type: 'geopoint' }, 'string', 'BYTE_ARRAY'],
    [{ type: 'any' }, 'string', 'BYTE_ARRAY'],
  ])('%j is %s in %s', (field, logical, physical) => {
    const column = tableOf({ name: 'x', ...field }).columns[0]!
    expect(column.logical.kind).toBe(logical)
    expect(column.physical).toBe(physical)
  })

  it('takes instants unless told otherwise; a pattern tells by %z', () => {
    const utcOf = (field: Record<string, unknown>): unknown => tableOf({ name: 'x', type: 'datetime', ...field }).columns[0]!.logical
    expect(utcOf({})).toMatchObject({ utc: true, unit: 'MILLIS' })
    expect(utcOf({ parquet: { utc: false, type: 'TIMESTAMP_MICROS' } })).toMatchObject({ utc: false, unit: 'MICROS' })
    expect(utcOf({ format: '%d/%m/%Y %H:%M' })).toMatchObject({ utc: false })
    expect(utcOf({ format: 'fmt:%d/%m/%Y %H:%M %z' })).toMatchObject({ utc: true })
  })

  it('has the missing values of the table, or those of the field alone', () => {
    const table = compileTable({
      missingValues: ['', { value: '-' }].slice(0, 1),
      fields: [{ name: 'a' }, { name: 'b', missingValues: [{ value: '-99', label: 'refused' }] }, { name: 'c', missingValues: [] }],
    })
    expect(table.columns.map((column) => [...column.missingValues])).toEqual([[''], ['-99'], []])
  })

  it('has a key of one or several columns, in the order of the document', () => {
    const fields = [{ name: 'a' }, { name: 'b' }]
    expect(compileTable({ fields, primaryKey: 'b' }).primaryKey).toEqual([1])
    expect(compileTable({ fields, primaryKey: ['b', 'a'] }).primaryKey).toEqual([1, 0])
    expect(compileTable({ fields }).primaryKey).toEqual([])
    expect(compileTable({ fields, uniqueKeys: [['b']] }).columns.map((column) => column.unique)).toEqual([false, true])
  })

  it('knows fieldsMatch as a string and as the array of one of the profile', () => {
    expect(compileTable({ fields: [{ name: 'a' }] }).fieldsMatch).toBe('exact')
    expect(compileTable({ fields: [{ name: 'a' }], fieldsMatch: 'partial' }).fieldsMatch).toBe('partial')
    expect(compileTable({ fields: [{ name: 'a' }], fieldsMatch: ['subset'] }).fieldsMatch).toBe('subset')
  })
})

describe('constraints', () => {
  it.each([
    [{ type: 'integer', constraints: { minimum: 1 } }, '1', '0', 'minimum'],
    [{ type: 'integer', constraints: { maximum: '9223372036854775806' } }, '9223372036854775806', '9223372036854775807', 'maximum'],
    [{ type: 'number', constraints: { exclusiveMinimum: 0 } }, '1e-9', '0', 'exclusiveMinimum'],
    [{ type: 'number', constraints: { exclusiveMaximum: 1 } }, '0.99', '1.0', 'exclusiveMaximum'],
    [{ type: 'number', constraints: { minimum: 0 } }, '-0', 'NaN', 'minimum'],
    [{ type: 'number', parquet: { type: 'DECIMAL', scale: 2 }, constraints: { maximum: 0.3 } }, '0.30', '0.31', 'maximum'],
    [{ type: 'date', constraints: { minimum: '1969-12-31' } }, '1969-12-31', '1969-12-30', 'minimum'],
    [{ type: 'date', format: '%d/%m/%Y', constraints: { minimum: '01/02/2024' } }, '01/02/2024', '31/01/2024', 'minimum'],
    [{ type: 'time', constraints: { maximum: '12:00:00' } }, '12:00:00', '12:00:00.001', 'maximum'],
    [
      { type: 'datetime', constraints: { minimum: '2024-01-01T00:00:00Z' } },
      '2024-01-01T01:00:00+01:00',
      '2024-01-01T00:00:00+01:00',
      'minimum',
    ],
    [{ type: 'year', constraints: { minimum: 1900 } }, '1900', '1899', 'minimum'],
    [{ type: 'yearmonth', constraints: { maximum: '2024-06' } }, '2024-06', '2024-07', 'maximum'],
    [{ type: 'string', constraints: { minLength: 2 } }, 'é😀', '😀', 'minLength'],
    [{ type: 'string', constraints: { maxLength: 2 } }, '😀😀', 'abc', 'maxLength'],
    [{ type: 'list', delimiter: ';', constraints: { maxLength: 2 } }, 'a;b', 'a;b;c', 'maxLength'],
    [{ type: 'array', constraints: { minLength: 1 } }, '[0]', '[]', 'minLength'],
    [{ type: 'string', constraints: { pattern: 'a|bc' } }, 'bc', 'abc', 'pattern'],
    [{ type: 'string', constraints: { enum: ['a', '1'] } }, '1', 'A', 'enum'],
    [{ type: 'number', constraints: { enum: [1.5, '2'] } }, '1.50', '3', 'enum'],
    [{ type: 'boolean', constraints: { enum: [true] } }, 'TRUE', '0', 'enum'],
    [{ type: 'integer', categories: [{ value: 1, label: 'one' }] }, '01', '2', 'enum'],
    [{ type: 'string', categories: ['a'] }, 'a', 'b', 'enum'],
  ])('%j takes %s and refuses %s by %s', (field, good, bad, constraint) => {
    expect(problemOf(field, good)).toBeNull()
    expect(problemOf(field, bad)).toMatchObject({ type: 'constraint-error', code: 'CONSTRAINT_ERROR', constraint })
  })

  it('say nothing about missing values', () => {
    expect(problemOf({ type: 'string', constraints: { minLength: 2, enum: ['ab'], pattern: 'ab' } }, '')).toBeNull()
  })
})

describe('a schema that cannot be used', () => {
  it.each([
    [{ type: 'text' }, 'type'],
    [{ type: 'integer', format: 'hex' }, 'format'],
    [{ type: 'string', format: 'phone' }, 'format'],
    [{ type: 'date', format: 'any' }, 'any'],
    [{ type: 'date', format: 'yyyy-mm-dd' }, 'directive'],
    [{ type: 'date', format: '%Y-%m-%d %H' }, 'time of day'],
    [{ type: 'time', format: '%Y-%m-%d' }, 'date'],
    [{ type: 'datetime', format: '%Y-%m-%d' }, 'time of day'],
    [{ type: 'datetime', format: '%Y-%m-%d %H:%M', parquet: { utc: true } }, '%z'],
    [{ type: 'datetime', format: '%Y-%m-%d %H:%M%z', parquet: { utc: false } }, '%z'],
    [{ type: 'string', parquet: { type: 'INT32' } }, 'parquet.type'],
    [{ type: 'integer', parquet: { type: 'UINT_32' } }, 'parquet.type'],
    [{ type: 'integer', parquet: { utc: true } }, 'utc'],
    [{ type: 'number', parquet: { scale: 2 } }, 'scale'],
    [{ type: 'number', parquet: { type: 'DECIMAL', precision: 39 } }, 'precision'],
    [{ type: 'number', parquet: { type: 'DECIMAL', precision: 0 } }, 'precision'],
    [{ type: 'number', parquet: { type: 'DECIMAL', precision: 4, scale: 5 } }, 'scale'],
    [{ type: 'number', parquet: { type: 'DECIMAL', precision: 4, scale: -1 } }, 'scale'],
    [{ type: 'number', parquet: { typ: 'DECIMAL' } }, 'typ'],
    [{ type: 'number', decimalChar: ',', groupChar: ',' }, 'same'],
    [{ type: 'number', decimalChar: '-' }, 'decimalChar'],
    [{ type: 'boolean', trueValues: ['1'], falseValues: ['1'] }, 'trueValues'],
    [{ type: 'list', itemType: 'object' }, 'itemType'],
    [{ type: 'string', constraints: { minimum: 1 } }, 'minimum'],
    [{ type: 'duration', constraints: { minimum: 'P1D' } }, 'minimum'],
    [{ type: 'integer', constraints: { minimum: 1.5 } }, 'minimum'],
    [{ type: 'integer', constraints: { maximum: 2 ** 63 } }, 'maximum'],
    [{ type: 'number', constraints: { minimum: 'NaN' } }, 'minimum'],
    [{ type: 'date', constraints: { maximum: '31/12/2024' } }, 'maximum'],
    [{ type: 'integer', constraints: { minLength: 1 } }, 'minLength'],
    [{ type: 'string', constraints: { minLength: 3, maxLength: 2 } }, 'nothing over'],
    [{ type: 'string', constraints: { minLength: -1 } }, 'minLength'],
    [{ type: 'integer', constraints: { pattern: '\\d' } }, 'pattern'],
    [{ type: 'string', constraints: { pattern: '(a' } }, 'pattern'],
    [{ type: 'string', constraints: { pattern: '(a)\\1' } }, 'back-references'],
    [{ type: 'integer', constraints: { enum: ['x'] } }, 'enum'],
    [{ type: 'string', constraints: { enum: [] } }, 'enum'],
    [{ type: 'string', constraints: { enum: [1] } }, 'enum'],
    [{ type: 'object', constraints: { jsonSchema: {} } }, 'jsonSchema'],
    [{ type: 'string', constraints: { required: 'yes' } }, 'required'],
    [{ type: 'string', constraints: { requierd: true } }, 'requierd'],
    [{ type: 'number', categories: [1] }, 'categories'],
    [{ name: '_line' }, 'reserved'],
    [{ name: '' }, 'name'],
    [{ name: 'a\ud800' }, 'name'],
  ])('%j', (field, word) => {
    const problems = fieldProblems(field)
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.join('\n')).toContain(word)
  })

  it.each([
    [null, ''],
    [[], ''],
    ['x', ''],
    [{}, 'fields'],
    [{ fields: [] }, 'fields'],
    [{ fields: [{}] }, 'field 1: name'],
    [{ fields: [{ name: 'a' }, { name: 'a' }] }, 'twice'],
    [{ fields: [{ name: 'a' }], primaryKey: ['b'] }, '"b"'],
    [{ fields: [{ name: 'a' }], primaryKey: ['a', 'a'] }, 'twice'],
    [{ fields: [{ name: 'a' }, { name: 'b' }], uniqueKeys: [['a', 'b']] }, 'uniqueKeys'],
    [{ fields: [{ name: 'a' }], fieldsMatch: 'loose' }, 'fieldsMatch'],
    [{ fields: [{ name: 'a', constraints: { minimum: 1n } }] }, 'minimum'],
    [{ fields: [{ name: 'a' }], custom: () => 1 }, 'JSON'],
  ])('%# is refused', (document, word) => {
    const problems = problemsOf(document)
    expect(problems.length).toBeGreaterThan(0)
    expect(problems.join('\n')).toContain(word)
  })

  it('is told everything at once, by field', () => {
    const problems = problemsOf({
      fields: [
        { name: 'a', type: 'nope' },
        { name: 'b', type: 'number', parquet: { type: 'DECIMAL', precision: 99 } },
        { name: 'b', type: 'string', constraints: { pattern: '*', minimum: 3 } },
      ],
      primaryKey: ['zz'],
    })
    expect(problems).toHaveLength(6)
    expect(problems.filter((problem) => problem.startsWith('field "b"'))).toHaveLength(3)
  })
})

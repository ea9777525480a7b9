import { describe, expect, it } from 'vitest'
import { type HeaderMatch, matchHeader } from '../../../src/tables/header.js'
import { compileTable } from '../../../src/tables/schema.js'

const match = (fieldsMatch: string, labels: readonly string[] | null, extra: Record<string, unknown> = {}): HeaderMatch =>
  matchHeader(
    compileTable({
      name: 't',
      fieldsMatch,
      fields: [{ name: 'id', constraints: { required: true } }, { name: 'depth' }, { name: 'note' }],
      ...extra,
    }),
    labels,
  )

const told = (header: HeaderMatch): unknown[] =>
  header.problems.map((problem) => [problem.type, problem.code, problem.label, problem.fieldName, problem.fieldNumber])

describe('fieldsMatch', () => {
  it.each([
    ['exact', ['id', 'depth', 'note'], true],
    ['exact', ['id', 'note', 'depth'], false],
    ['exact', ['id', 'depth'], false],
    ['exact', ['id', 'depth', 'note', 'x'], false],
    ['equal', ['note', 'depth', 'id'], true],
    ['equal', ['id', 'depth'], false],
    ['equal', ['id', 'depth', 'note', 'x'], false],
    ['subset', ['x', 'note', 'depth', 'id'], true],
    ['subset', ['id', 'depth', 'x'], false],
    ['superset', ['id'], true],
    ['superset', ['note', 'id'], true],
    ['superset', ['depth', 'note'], false],
    ['superset', ['id', 'x'], false],
    ['partial', ['x', 'id'], true],
    ['partial', ['x', 'depth'], false],
    ['partial', ['x'], false],
  ])('%s with %j: %s', (mode, labels, good) => {
    expect(match(mode, labels).problems.length === 0).toBe(good)
  })

  it('partial asks for one column of the table even where none is required', () => {
    const table = compileTable({ fieldsMatch: 'partial', fields: [{ name: 'a' }, { name: 'b' }] })
    expect(told(matchHeader(table, ['x', 'y']))).toEqual([['missing-label', 'MISSING_COLUMN', null, 'a', 1]])
    expect(matchHeader(table, ['x', 'b']).problems).toEqual([])
  })

  it('maps cells to columns, and -1 where a cell is not taken', () => {
    expect([...match('superset', ['note', '_line', 'id', '_errors']).columnOfCell]).toEqual([2, -1, 0, -1])
    expect([...match('subset', ['x', 'note', 'depth', 'id']).columnOfCell]).toEqual([-1, 2, 1, 0])
    expect(match('superset', ['note', 'id']).absentColumns).toEqual(['depth'])
  })

  it('takes the columns of a mended file in every mode, order of the others kept', () => {
    for (const mode of ['exact', 'equal', 'subset', 'superset', 'partial'])
      expect(match(mode, ['id', 'depth', 'note', '_line', '_errors']).problems).toEqual([])
  })

  it('takes a file without a header in schema order', () => {
    const header = match('exact', null)
    expect([...header.columnOfCell]).toEqual([0, 1, 2])
    expect(header.absentColumns).toEqual([])
  })

  it('holds the columns of the primary key for required', () => {
    expect(told(match('superset', ['id', 'note'], { primaryKey: ['depth'] }))).toEqual([
      ['missing-label', 'MISSING_COLUMN', null, 'depth', 2],
    ])
  })
})

describe('findings', () => {
  it('name each label with its place, all in one pass', () => {
    expect(told(match('superset', ['depth', '', 'depth', 'x', ' ']))).toEqual([
      ['blank-label', 'BLANK_LABEL', '', null, 2],
      ['duplicate-label', 'DUPLICATE_COLUMN', 'depth', 'depth', 3],
      ['extra-label', 'UNKNOWN_COLUMN', 'x', null, 4],
      ['blank-label', 'BLANK_LABEL', ' ', null, 5],
      ['missing-label', 'MISSING_COLUMN', null, 'id', 1],
    ])
  })

  it('refuse a duplicate of a column that would be ignored, too', () => {
    expect(told(match('subset', ['id', 'depth', 'note', 'x', 'x']))).toEqual([['duplicate-label', 'DUPLICATE_COLUMN', 'x', null, 5]])
    expect(told(match('superset', ['id', '_line', '_line']))).toEqual([['duplicate-label', 'DUPLICATE_COLUMN', '_line', null, 3]])
  })

  it('in exact order, tell a swap from a column too many', () => {
    expect(told(match('exact', ['depth', 'id', 'note']))).toEqual([
      ['incorrect-label', 'INCORRECT_COLUMN', 'depth', 'id', 1],
      ['incorrect-label', 'INCORRECT_COLUMN', 'id', 'depth', 2],
    ])
    expect(told(match('exact', ['new', 'id', 'depth', 'note']))).toEqual([['extra-label', 'UNKNOWN_COLUMN', 'new', null, 1]])
    expect(told(match('exact', ['id', 'note']))).toEqual([['missing-label', 'MISSING_COLUMN', null, 'depth', 2]])
  })

  it('guess what was meant, and never take a guess for the name', () => {
    for (const label of ['Depth', ' depth', 'dephth', 'DEPTH ']) {
      const header = match('superset', ['id', label])
      expect(told(header)).toEqual([['extra-label', 'UNKNOWN_COLUMN', label, null, 2]])
      expect(header.problems[0]!.message).toContain('did you mean "depth"?')
    }
    expect(match('superset', ['id', 'completely other']).problems[0]!.message).not.toContain('did you mean')
    expect(
      match('superset', ['ID', 'depth'])
        .problems.map((problem) => problem.message)
        .join(),
    ).toMatch(/did you mean "id".*did you mean "ID"/)
  })

  it('are safe with labels that objects have a meaning for', () => {
    const names = ['__proto__', 'constructor', 'a,b', 'toString']
    const table = compileTable({ fieldsMatch: 'superset', fields: names.map((name) => ({ name })) })
    expect([...matchHeader(table, [...names].reverse()).columnOfCell]).toEqual([3, 2, 1, 0])
    expect(told(match('superset', ['id', '__proto__', 'constructor']))).toEqual([
      ['extra-label', 'UNKNOWN_COLUMN', '__proto__', null, 2],
      ['extra-label', 'UNKNOWN_COLUMN', 'constructor', null, 3],
    ])
  })

  it('never print control characters', () => {
    expect(match('superset', ['id', '\u001b[31m']).problems[0]!.message).not.toContain('\u001b')
  })
})

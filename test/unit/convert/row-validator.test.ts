import { describe, expect, it } from 'vitest'
import type { Grouping } from '../../../src/convert/protocol.js'
import { NO_RECORD, RowValidator, type RowVerdict } from '../../../src/convert/row-validator.js'
import { matchHeader } from '../../../src/tables/header.js'
import { compileTable } from '../../../src/tables/schema.js'

const FIELDS = [
  { name: 'hole', type: 'string' },
  { name: 'no', type: 'integer', constraints: { minimum: 1 } },
  { name: 'depth', type: 'number', constraints: { unique: true } },
]
const BY_HOLE: Grouping = { kind: 'column', prefix: 'soil/', column: 'hole', suffix: '' }

function validatorOf(
  options: {
    document?: object
    labels?: readonly string[]
    grouping?: Grouping
    invalidRowsTakeKeys?: boolean
    recordsLimit?: number
  } = {},
): RowValidator {
  const table = compileTable(options.document ?? { name: 't', fields: FIELDS }, 't')
  const labels = options.labels ?? table.columns.map((c) => c.name)
  return new RowValidator({
    table,
    labels,
    header: matchHeader(table, labels),
    grouping: options.grouping ?? { kind: 'single', recordId: 'R' },
    invalidRowsTakeKeys: options.invalidRowsTakeKeys ?? true,
    recordsLimit: options.recordsLimit ?? 100,
  })
}

let line = 1
const check = (validator: RowValidator, ...cells: string[]): RowVerdict => validator.check({ cells, line: ++line, rowNumber: line })
const codes = (validator: RowValidator): string[] => validator.findings.map((f) => f.code)

describe('a row without content', () => {
  it.each([[['']], [['', '', '']], [['', '', '', '', '']], [['', '']]])('is blank however many cells it has: %j', (cells) => {
    const validator = validatorOf()
    expect(check(validator, ...cells)).toBe('blank')
    expect(validator.findings).toEqual([])
  })

  it('is not blank with a space, or with a text that means "no value"', () => {
    const validator = validatorOf({ document: { name: 't', fields: FIELDS, missingValues: ['', 'NA'] } })
    expect(check(validator, ' ', '', '')).toBe('valid')
    expect(check(validator, 'NA', '', '')).toBe('valid')
  })

  it('has no findings of the row before', () => {
    const validator = validatorOf()
    expect(check(validator, 'a', 'x', '')).toBe('invalid')
    check(validator, '', '', '')
    expect(validator.findings).toEqual([])
  })
})

describe('a ragged row', () => {
  it('with cells missing names the first that is, and nothing else', () => {
    const validator = validatorOf()
    expect(check(validator, 'a', 'not a number')).toBe('invalid')
    expect(validator.findings).toMatchObject([
      { type: 'missing-cell', code: 'RAGGED_ROW', cell: null, fieldName: 'depth', fieldNumber: 3, cells: ['a', 'not a number'] },
    ])
    expect(validator.record).toBe(NO_RECORD)
  })

  it('with cells too many shows the first beyond the header', () => {
    const validator = validatorOf()
    expect(check(validator, 'a', '1', '2', 'more', 'and more')).toBe('invalid')
    expect(validator.findings).toMatchObject([{ type: 'extra-cell', code: 'RAGGED_ROW', cell: 'more', fieldName: null, fieldNumber: 4 }])
  })

  it('takes no keys and makes no record, for its cells may have moved', () => {
    const validator = validatorOf({ grouping: BY_HOLE })
    check(validator, 'A', '1')
    check(validator, 'A', '1', '2.5', '')
    expect(validator.recordIds).toEqual([])
    expect(check(validator, 'A', '1', '2.5')).toBe('valid')
  })
})

describe('cells', () => {
  it('are all looked at, and found in the order of the file', () => {
    const validator = validatorOf({ labels: ['depth', 'no', 'hole'] })
    expect(check(validator, 'deep', '0', 'a')).toBe('invalid')
    expect(validator.findings).toMatchObject([
      { code: 'TYPE_ERROR', type: 'type-error', fieldName: 'depth', fieldNumber: 1, cell: 'deep', constraint: null },
      { code: 'CONSTRAINT_ERROR', type: 'constraint-error', fieldName: 'no', fieldNumber: 2, cell: '0', constraint: 'minimum' },
    ])
  })

  it('are cut and quoted in messages, so that control characters and long texts stay harmless', () => {
    const validator = validatorOf()
    check(validator, 'a', `\u001b[31m${'x'.repeat(1000)}`, '')
    const { message } = validator.findings[0]!
    expect(message).toContain('\\u001b[31m')
    expect(message).not.toContain('\u001b')
    expect(message.length).toBeLessThan(300)
    check(validator, 'a', `${'x'.repeat(59)}😀${'x'.repeat(60)}`, '')
    expect(validator.findings[0]!.message.isWellFormed()).toBe(true)
    expect(validator.findings[0]!.message).not.toContain('\\ud83d')
  })

  it('of columns that the table ignores say nothing', () => {
    const validator = validatorOf({ document: { name: 't', fields: FIELDS, fieldsMatch: 'subset' }, labels: ['x', 'hole', 'no', 'depth'] })
    expect(check(validator, 'anything', 'a', '1', '2')).toBe('valid')
    expect(check(validator, '\u0001', 'a', '1', '3')).toBe('valid')
  })

  it('of an absent column are missing, not those of the row before', () => {
    const validator = validatorOf({ document: { name: 't', fields: FIELDS, fieldsMatch: 'superset' }, labels: ['depth'] })
    expect(check(validator, '1')).toBe('valid')
    validator.push()
    const { vectors, rows } = validator.takeSegment()
    expect([rows, vectors[0]!.nulls, vectors[1]!.nulls, vectors[2]!.nulls]).toEqual([1, 1, 1, 0])
  })
})

describe('unique values', () => {
  it('are compared as values: 1.5 = 1.50, and the first one wins', () => {
    const validator = validatorOf()
    expect(check(validator, 'a', '1', '1.5')).toBe('valid')
    expect(check(validator, 'a', '2', '1.50')).toBe('invalid')
    expect(validator.findings).toMatchObject([
      { type: 'unique-error', code: 'UNIQUE_ERROR', constraint: 'unique', fieldName: 'depth', fieldNumber: 3, cell: '1.50' },
    ])
    expect(check(validator, 'a', '3', '1.51')).toBe('valid')
  })

  it('may be missing any number of times', () => {
    const validator = validatorOf()
    expect([check(validator, 'a', '1', ''), check(validator, 'b', '1', '')]).toEqual(['valid', 'valid'])
  })

  it('are counted per record', () => {
    const validator = validatorOf({ grouping: BY_HOLE })
    expect([check(validator, 'A', '1', '1.5'), check(validator, 'B', '1', '1.5'), check(validator, 'A', '1', '1.5')]).toEqual([
      'valid',
      'valid',
      'invalid',
    ])
  })

  it('stay known after a segment was handed over', () => {
    const validator = validatorOf()
    check(validator, 'a', '1', '7')
    validator.push()
    validator.takeSegment()
    expect(check(validator, 'a', '1', '7.0')).toBe('invalid')
  })
})

describe('keys of an invalid row', () => {
  it('are taken where nothing of its record will be committed: a repair would collide', () => {
    const validator = validatorOf({ invalidRowsTakeKeys: true })
    expect(check(validator, 'a', 'wrong', '5')).toBe('invalid')
    expect(check(validator, 'a', '1', '5')).toBe('invalid')
    expect(codes(validator)).toEqual(['UNIQUE_ERROR'])
  })

  it('are left alone where rows are skipped: the good twin is committed', () => {
    const validator = validatorOf({ invalidRowsTakeKeys: false })
    expect(check(validator, 'a', 'wrong', '5')).toBe('invalid')
    expect(codes(validator)).toEqual(['TYPE_ERROR'])
    expect(check(validator, 'a', '1', '5')).toBe('valid')
    expect(check(validator, 'a', '1', '5')).toBe('invalid')
  })

  it('are not taken in part: a row refused for its primary key leaves its unique value free where rows are skipped', () => {
    const document = { name: 't', fields: FIELDS, primaryKey: ['hole', 'no'] }
    const validator = validatorOf({ document, invalidRowsTakeKeys: false })
    expect(check(validator, 'a', '1', '5')).toBe('valid')
    expect(check(validator, 'a', '1', '6')).toBe('invalid')
    expect(codes(validator)).toEqual(['PRIMARY_KEY_ERROR'])
    expect(check(validator, 'a', '2', '6')).toBe('valid')
  })

  it('and a row without a record takes none', () => {
    const validator = validatorOf({ grouping: BY_HOLE, invalidRowsTakeKeys: true })
    expect(check(validator, '../x', '1', '5')).toBe('invalid')
    expect(check(validator, 'A', '1', '5')).toBe('valid')
  })
})

describe('the primary key', () => {
  const document = { name: 't', fields: FIELDS, primaryKey: ['hole', 'no'] }

  it('of several columns is compared column by column', () => {
    const texts = [
      { name: 'a', type: 'string' },
      { name: 'b', type: 'string' },
    ]
    const validator = validatorOf({ document: { name: 't', fields: texts, primaryKey: ['a', 'b'] } })
    expect(check(validator, 'x', '1:y')).toBe('valid')
    expect(check(validator, 'x1', ':y')).toBe('valid')
    expect(check(validator, 'x', '1:y')).toBe('invalid')
    expect(validator.findings).toMatchObject([
      { type: 'primary-key', code: 'PRIMARY_KEY_ERROR', constraint: 'primaryKey', fieldName: null, cell: null },
    ])
  })

  it('is compared as values', () => {
    const validator = validatorOf({ document: { name: 't', fields: FIELDS, primaryKey: 'no' } })
    expect([check(validator, 'a', '7', ''), check(validator, 'b', '+007', '')]).toEqual(['valid', 'invalid'])
  })

  it('cannot be missing in part', () => {
    const validator = validatorOf({ document })
    expect(check(validator, 'a', '', '1')).toBe('invalid')
    expect(validator.findings).toMatchObject([{ code: 'PRIMARY_KEY_ERROR', fieldName: 'no', fieldNumber: 2, cell: '' }])
  })

  it('with a wrong cell in it is reported once, as that cell', () => {
    const validator = validatorOf({ document })
    check(validator, 'a', 'x', '1')
    check(validator, 'a', 'x', '2')
    expect(codes(validator)).toEqual(['TYPE_ERROR'])
  })

  it('and a unique column both speak, columns first', () => {
    const validator = validatorOf({ document })
    check(validator, 'a', '1', '5')
    check(validator, 'a', '1', '5.0')
    expect(codes(validator)).toEqual(['UNIQUE_ERROR', 'PRIMARY_KEY_ERROR'])
  })
})

describe('the record of a row', () => {
  it('is prefix, cell and suffix; ids stand in order of first appearance', () => {
    const validator = validatorOf({ grouping: { kind: 'column', prefix: 'p/', column: 'hole', suffix: '.x' } })
    const records = ['b', 'a', 'b'].map((hole, i) => {
      check(validator, hole, '1', String(i))
      return validator.record
    })
    expect(records).toEqual([0, 1, 0])
    expect(validator.recordIds).toEqual(['p/b.x', 'p/a.x'])
  })

  it.each(['', '..', 'a/versions', 'a b', 'é', 'a\u0000', 'x'.repeat(129), 'metadata.json', 'a/b/c/d'])('cannot be %j', (hole) => {
    const validator = validatorOf({ grouping: BY_HOLE })
    expect(check(validator, hole, '1', '2')).toBe('invalid')
    expect(validator.findings).toMatchObject([{ code: 'RECORD_ID_ILLEGAL', fieldName: 'hole', fieldNumber: 1, cell: hole }])
    expect(validator.record).toBe(NO_RECORD)
    expect(validator.recordIds).toEqual([])
  })

  it('cannot be a text that means "no value" in its column', () => {
    const document = { name: 't', fields: FIELDS, missingValues: ['', 'NA'] }
    const validator = validatorOf({ document, grouping: BY_HOLE })
    expect(check(validator, 'NA', '1', '2')).toBe('invalid')
    expect(codes(validator)).toEqual(['RECORD_ID_ILLEGAL'])
    expect(validator.recordIds).toEqual([])
  })

  it('may come from a column that the table does not know', () => {
    const document = { name: 't', fields: FIELDS, fieldsMatch: 'subset', missingValues: ['', 'NA'] }
    const grouping: Grouping = { kind: 'column', prefix: '', column: 'batch', suffix: '' }
    const validator = validatorOf({ document, labels: ['hole', 'no', 'depth', 'batch'], grouping })
    expect(check(validator, 'a', '1', '2', 'B7')).toBe('valid')
    expect(check(validator, 'a', '1', '2', 'NA')).toBe('valid')
    expect(validator.recordIds).toEqual(['B7', 'NA'])
  })

  it('is known of a row that is wrong elsewhere, so that its record is held back', () => {
    const validator = validatorOf({ grouping: BY_HOLE })
    expect(check(validator, 'A', 'x', '1')).toBe('invalid')
    expect(validator.record).toBe(0)
  })

  it('is bounded in number', () => {
    const validator = validatorOf({ grouping: BY_HOLE, recordsLimit: 2 })
    check(validator, 'A', '', '')
    check(validator, 'B', '', '')
    expect(validator.tooManyRecords).toBe(false)
    check(validator, 'C', '', '')
    expect(validator.tooManyRecords).toBe(true)
  })
})

describe('a segment', () => {
  it('holds the rows pushed, with their records, and no other', () => {
    const validator = validatorOf({ grouping: BY_HOLE })
    for (const [hole, no] of [
      ['A', '1'],
      ['B', 'wrong'],
      ['B', '3'],
      ['A', '4'],
    ] as const) {
      if (check(validator, hole, no, '') === 'valid') validator.push()
    }
    const segment = validator.takeSegment()
    expect(segment.rows).toBe(3)
    expect([...segment.recordOfRow]).toEqual([0, 1, 0])
    expect(segment.vectors.map((v) => v.rows)).toEqual([3, 3, 3])
    expect(validator.takeSegment().rows).toBe(0)
  })

  it('outgrows its first arrays', () => {
    const validator = validatorOf()
    for (let i = 0; i < 5000; i++) {
      check(validator, 'a', '1', String(i))
      validator.push()
    }
    const segment = validator.takeSegment()
    expect([segment.rows, segment.recordOfRow.length, segment.vectors[2]!.rows]).toEqual([5000, 5000, 5000])
  })

  it('counts the characters of all rows that were looked at, also of wrong ones, for their texts are held too', () => {
    const validator = validatorOf()
    check(validator, 'abc', 'x', '')
    expect(validator.segmentCharacters).toBe(7)
    check(validator, '', '', '')
    check(validator, 'ragged', 'row')
    expect([validator.segmentCharacters, validator.segmentChecked, validator.segmentRows]).toEqual([18, 2, 0])
    validator.takeSegment()
    expect([validator.segmentCharacters, validator.segmentChecked]).toEqual([0, 0])
  })
})

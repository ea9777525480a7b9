import { describe, expect, it } from 'vitest'
import { quoted, shortened } from '../../../src/convert/cell-text.js'
import { ReportBuilder } from '../../../src/convert/report-builder.js'
import { REPORT_ERROR_TYPES } from '../../../src/documents/report.js'
import { Drop } from './convert-kit.js'

const FACTS = { name: 't', labels: ['a'], seconds: 1.5, md5: null, sha256: null, bytes: 10, fields: 1, rows: 3 }
const typeError = (line: number) => ({
  type: 'type-error' as const,
  code: 'TYPE_ERROR' as const,
  message: `Line ${line}`,
  line,
  rowNumber: line,
})

describe('a report', () => {
  it('has the form of Frictionless, with our line, code and constraint beside it', () => {
    const builder = new ReportBuilder({ place: 'a.csv', limit: 10 })
    builder.add({ ...typeError(2), cells: ['x'], cell: 'x', fieldName: 'a', fieldNumber: 1 })
    expect(builder.build(FACTS)).toEqual({
      valid: false,
      stats: { tasks: 1, errors: 1, warnings: 0, seconds: 1.5 },
      warnings: [],
      errors: [],
      tasks: [
        {
          name: 't',
          type: 'table',
          valid: false,
          place: 'a.csv',
          labels: ['a'],
          stats: { errors: 1, warnings: 0, seconds: 1.5, md5: null, sha256: null, bytes: 10, fields: 1, rows: 3 },
          warnings: [],
          errors: [
            {
              type: 'type-error',
              code: 'TYPE_ERROR',
              title: 'Type error',
              description: expect.any(String),
              message: 'Line 2',
              tags: ['#table', '#row', '#cell'],
              note: '',
              cells: ['x'],
              line: 2,
              rowNumber: 2,
              cell: 'x',
              fieldName: 'a',
              fieldNumber: 1,
              constraint: null,
            },
          ],
          truncated: false,
          totals: { TYPE_ERROR: 1 },
        },
      ],
    })
  })

  it('knows every type of error', () => {
    const builder = new ReportBuilder({ place: 'a.csv', limit: 100 })
    for (const type of REPORT_ERROR_TYPES) builder.add({ type, code: 'TYPE_ERROR', message: 'm' })
    const [task] = builder.build(FACTS).tasks
    expect(task!.errors.map((e) => e.type)).toEqual(REPORT_ERROR_TYPES)
    for (const error of task!.errors) expect(error.title.length * error.description.length * error.tags.length).toBeGreaterThan(0)
  })

  it('lists the first errors and counts all of them', () => {
    const builder = new ReportBuilder({ place: 'a.csv', limit: 3 })
    for (let i = 0; i < 10; i++) builder.add(i < 8 ? typeError(i) : { type: 'primary-key', code: 'PRIMARY_KEY_ERROR', message: 'key' })
    const [task] = builder.build(FACTS).tasks
    expect(task).toMatchObject({ truncated: true, totals: { PRIMARY_KEY_ERROR: 2, TYPE_ERROR: 8 }, stats: { errors: 10 } })
    expect(task!.errors.map((e) => e.line)).toEqual([0, 1, 2])
    expect([builder.count, builder.first]).toEqual([10, { code: 'TYPE_ERROR', message: 'Line 0' }])
  })

  it('is not called truncated when it just holds them all', () => {
    const builder = new ReportBuilder({ place: 'a.csv', limit: 2 })
    builder.add(typeError(1))
    builder.add(typeError(2))
    expect(builder.build(FACTS).tasks[0]!.truncated).toBe(false)
  })

  it('cuts long cells between characters', () => {
    const builder = new ReportBuilder({ place: 'a.csv', limit: 2 })
    const cell = `${'x'.repeat(199)}😀${'y'.repeat(1000)}`
    builder.add({ ...typeError(1), cells: [cell, 'short'], cell })
    const [error] = builder.build(FACTS).tasks[0]!.errors
    expect(error!.cells).toEqual([`${'x'.repeat(199)}…`, 'short'])
    expect(error!.cell).toBe(`${'x'.repeat(199)}…`)
  })

  it('of a good file is valid', () => {
    expect(new ReportBuilder({ place: 'a.csv', limit: 2 }).build(FACTS)).toMatchObject({
      valid: true,
      tasks: [{ valid: true, errors: [], totals: {} }],
    })
  })
})

describe('texts in messages', () => {
  it('are whole up to the limit and cut beyond', () => {
    expect([shortened('abc', 3), shortened('abcd', 3), shortened('ab😀', 3), shortened('ab😀', 4)]).toEqual(['abc', 'abc…', 'ab…', 'ab😀'])
  })

  it('cannot drive a terminal', () => {
    expect(quoted('a"\u001b[2J\n')).toBe('"a\\"\\u001b[2J\\n"')
  })
})

describe('100,000 errors', () => {
  it('are counted exactly in bounded memory', async () => {
    const drop = await Drop.of(
      `hole,no,depth,note\n${'A,wrong,,some text that is the same in each row and longer than the rest\n'.repeat(100_000)}`,
    )
    const done = await drop.done({ reportFolder: null, limits: { reportErrors: 50 } })
    const [task] = done.report.tasks
    expect(done.totals).toEqual({ TYPE_ERROR: 100_000 })
    expect(task).toMatchObject({ truncated: true, stats: { errors: 100_000, rows: 100_000 } })
    expect(task!.errors).toHaveLength(50)
    expect(done.problem!.message).toContain('(and 99999 more errors)')
    expect(JSON.stringify(done).length).toBeLessThan(50_000)
  })
})

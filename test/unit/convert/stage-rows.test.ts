import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type RowData, type StagedFacts, stageData } from '../../../src/convert/stage-rows.js'
import { type ErrorCode, IntakeError } from '../../../src/errors.js'
import { type Files, nodeFiles } from '../../../src/runtime/files.js'
import { compileTable } from '../../../src/tables/schema.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { Drop, readRows, TABLE } from './convert-kit.js'
import { WatchedFiles } from './watched-files.js'

const ALL = compileTable(
  {
    fields: [
      { name: 's', type: 'string' },
      { name: 'i', type: 'integer' },
      { name: 'i32', type: 'integer', parquet: { type: 'INT32' } },
      { name: 'n', type: 'number' },
      { name: 'd', type: 'number', parquet: { type: 'DECIMAL', precision: 20, scale: 2 } },
      { name: 'b', type: 'boolean' },
      { name: 'day', type: 'date' },
      { name: 't', type: 'datetime', parquet: { type: 'TIMESTAMP_MILLIS' } },
      { name: 'local', type: 'datetime', parquet: { utc: false } },
      { name: 'list', type: 'list', itemType: 'integer' },
      { name: 'o', type: 'object' },
      { name: 'a', type: 'array' },
    ],
  },
  'all',
)

async function stage(
  data: RowData,
  options: { table?: ReturnType<typeof compileTable>; files?: Files; folder?: string } = {},
): Promise<{ facts: StagedFacts; folder: string }> {
  const folder = options.folder ?? (await temporaryFolder())
  const path = join(folder, 'data.parquet')
  return { facts: await stageData({ files: options.files ?? nodeFiles, table: options.table ?? ALL, data, path }), folder }
}

/** The error of a call, with what it left behind. */
async function refused(
  data: RowData,
  options: { table?: ReturnType<typeof compileTable>; files?: Files } = {},
): Promise<IntakeError & { left: string[] }> {
  const folder = await temporaryFolder()
  const error = await stage(data, { ...options, folder }).then(
    () => {
      throw new Error('it was taken')
    },
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(IntakeError)
  return Object.assign(error as IntakeError, { left: readdirSync(folder) })
}

describe('rows of a library call', () => {
  it('are taken by their JavaScript types', async () => {
    const { facts } = await stage([
      {
        s: 'x',
        i: 2n ** 62n,
        i32: 7,
        n: 0.1,
        d: 0.29,
        b: true,
        day: new Date('2024-01-31T00:00:00Z'),
        t: new Date('2024-01-31T09:30:00.123Z'),
        local: '2024-01-31T09:30:00',
        list: [1, 2, 3],
        o: { k: [null, 'v'] },
        a: [{ x: 1.5 }, 'y'],
      },
      {},
      { s: null, i: undefined, n: Number.NaN, d: '-1.10', b: 'false', i32: '08' },
    ])
    expect(facts).toMatchObject({ rows: 3, schemaSha256: ALL.schemaSha256 })
    expect((await readRows(facts.path)).rows).toEqual([
      [
        'x',
        2n ** 62n,
        7,
        0.1,
        '0.29',
        true,
        '2024-01-31',
        '2024-01-31T09:30:00.123Z',
        '2024-01-31T09:30:00.000',
        [1, 2, 3],
        { k: [null, 'v'] },
        [{ x: 1.5 }, 'y'],
      ],
      Array(12).fill(null),
      [null, null, 8, Number.NaN, '-1.10', false, ...Array(6).fill(null)],
    ])
  })

  it('come from any iterable: arrays, sets, generators, async generators, objects of classes', async () => {
    class Sample {
      constructor(readonly i: number) {}
    }
    function* some() {
      yield new Sample(1)
      yield Object.assign(Object.create(null) as object, { i: 2 })
    }
    async function* later() {
      yield { i: 1 }
      yield { i: 2 }
    }
    for (const data of [[{ i: 1 }, { i: 2 }], new Set([{ i: 1 }, { i: 2 }]), some(), later()] as RowData[]) {
      const { facts } = await stage(data)
      expect((await readRows(facts.path)).rows.map((r) => r[1])).toEqual([1n, 2n])
    }
  })

  it('give the same content as the same cells in a CSV', async () => {
    const table = compileTable(TABLE, 'samples')
    const { facts } = await stage(
      [
        { hole: 'A', no: 1, depth: 1.5 },
        { note: 'n', hole: 'B', depth: '-0' },
      ],
      { table },
    )
    const folder = await temporaryFolder()
    const csvPath = join(folder, 'x.csv')
    await writeFile(csvPath, 'hole,no,depth,note\nA,1,1.50,\nB,,-0,n\n')
    const { facts: fromCsv } = await stage({ csvPath }, { table })
    expect(fromCsv.contentSha256).toBe(facts.contentSha256)
  })

  it('are cut into row groups of 131,072', async () => {
    function* many() {
      for (let i = 0; i < 140_000; i++) yield { i, s: `text ${i}` }
    }
    const { facts } = await stage(many())
    const { groups, rows } = await readRows(facts.path)
    expect(groups).toEqual([131_072, 8928])
    expect([rows[0]![1], rows[139_999]![0]]).toEqual([0n, 'text 139999'])
  })

  it('that are wide are cut earlier', async () => {
    function* wide() {
      for (let i = 0; i < 150; i++) yield { s: `${i}${'x'.repeat(1_000_000)}` }
    }
    const { facts } = await stage(wide())
    expect((await readRows(facts.path)).groups.length).toBeGreaterThan(1)
    expect(facts.rows).toBe(150)
  })
})

describe('columns named like members of every object', () => {
  const fields = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'].map((name) => ({ name, type: 'string' }))
  const table = compileTable({ fields }, 'odd')

  it('are missing where the row does not have them itself', async () => {
    const { facts } = await stage([{}], { table })
    expect((await readRows(facts.path)).rows).toEqual([[null, null, null, null]])
  })

  it('are taken where it does', async () => {
    const row = JSON.parse('{"__proto__":"p","constructor":"c","toString":"t","hasOwnProperty":"h"}') as Record<string, unknown>
    const { facts } = await stage([row], { table })
    expect((await readRows(facts.path)).rows).toEqual([['p', 'c', 't', 'h']])
  })

  it('and are unknown where the table has no such column', async () => {
    const row = JSON.parse('{"i":1,"__proto__":"p","constructor":"c"}') as Record<string, unknown>
    expect(await refused([row])).toMatchObject({ code: 'UNKNOWN_COLUMN', data: { count: 2, errors: { UNKNOWN_COLUMN: 2 } }, left: [] })
  })
})

describe('what is refused, with nothing left behind', () => {
  it.each<[string, unknown, ErrorCode]>([
    ['a column that the table does not have', { x: 1 }, 'UNKNOWN_COLUMN'],
    ['a text that is no integer', { i: '1.5' }, 'TYPE_ERROR'],
    ['a fraction as integer', { i: 1.5 }, 'TYPE_ERROR'],
    ['an integer that a number does not hold exactly', { i: 2 ** 60 }, 'TYPE_ERROR'],
    ['an integer out of range', { i32: 2 ** 31 }, 'TYPE_ERROR'],
    ['NaN as decimal', { d: Number.NaN }, 'TYPE_ERROR'],
    ['a digit too many', { d: 0.295 }, 'TYPE_ERROR'],
    ['a number as boolean', { b: 1 }, 'TYPE_ERROR'],
    ['a number as text', { s: 1 }, 'TYPE_ERROR'],
    ['a Date with a time as date', { day: new Date('2024-01-31T01:00:00Z') }, 'TYPE_ERROR'],
    ['a Date that is none', { t: new Date('nonsense') }, 'TYPE_ERROR'],
    ['a Date as local time', { local: new Date(0) }, 'TYPE_ERROR'],
    ['an object as array', { a: {} }, 'TYPE_ERROR'],
    ['a Map as object', { o: new Map() }, 'TYPE_ERROR'],
    ['an object that has no text', { s: Object.create(null) }, 'TYPE_ERROR'],
    [
      'an object whose text throws',
      {
        n: {
          toString: () => {
            throw new Error('no')
          },
        },
      },
      'TYPE_ERROR',
    ],
    ['a symbol', { s: Symbol('x') }, 'TYPE_ERROR'],
    ['a function', { s: () => 'x' }, 'TYPE_ERROR'],
    ['null as a row', null, 'TYPE_ERROR'],
    ['a text as a row', 'a,b', 'TYPE_ERROR'],
    ['an array as a row', ['x', 1], 'TYPE_ERROR'],
    ['an empty array as a row', [], 'TYPE_ERROR'],
    ['a Map as a row: its entries are no properties', new Map([['i', 1]]), 'TYPE_ERROR'],
    ['a Date as a row', new Date(), 'TYPE_ERROR'],
  ])('%s', async (_, row, code) => {
    const error = await refused([{ i: 1 }, row as Record<string, unknown>, { i: 2 }])
    expect(error).toMatchObject({ code, data: { count: 1, errors: { [code]: 1 } }, left: [] })
    expect(error.message).toMatch(/^Row 2/)
  })

  it('no rows at all', async () => {
    expect(await refused([])).toMatchObject({ code: 'HEADER_ONLY', left: [] })
  })

  it('a required value that is missing, a bound that is broken, a value that stands twice, a key in part', async () => {
    const table = compileTable({ ...TABLE, primaryKey: ['hole', 'no'] }, 'samples')
    const error = await refused(
      [
        { hole: 'A', no: 1, depth: 1.5 },
        { no: 2 },
        { hole: 'A', no: 0 },
        { hole: 'A', no: 3, depth: '1.50' },
        { hole: 'A', no: '1' },
        { hole: 'A' },
      ],
      { table },
    )
    expect(error.data).toEqual({ errors: { CONSTRAINT_ERROR: 2, UNIQUE_ERROR: 1, PRIMARY_KEY_ERROR: 2 }, count: 5 })
    expect(error.code).toBe('CONSTRAINT_ERROR')
    expect(error.message.split('\n').map((l) => l.slice(0, 5))).toEqual(['Row 2', 'Row 3', 'Row 4', 'Row 5', 'Row 6'])
  })

  it('many wrong rows: ten messages and the exact count', async () => {
    function* wrong() {
      for (let i = 0; i < 200_000; i++) yield { i: 'x', s: `text ${i}` }
    }
    const error = await refused(wrong())
    expect(error.data).toEqual({ errors: { TYPE_ERROR: 200_000 }, count: 200_000 })
    expect(error.message.split('\n')).toHaveLength(11)
    expect(error.message).toContain('… and 199990 more')
    expect(error.left).toEqual([])
  })

  it('an iterable that throws midway: its own error comes through, and its tear-down runs', async () => {
    const folder = await temporaryFolder()
    let torn = false
    async function* failing() {
      try {
        for (let i = 0; i < 140_000; i++) yield { i }
        throw new RangeError('the source broke')
      } finally {
        torn = true
      }
    }
    await expect(stage(failing(), { folder })).rejects.toThrow(new RangeError('the source broke'))
    expect([torn, readdirSync(folder)]).toEqual([true, []])
  })

  it('a row whose getter throws', async () => {
    const folder = await temporaryFolder()
    const row = {
      get i(): number {
        throw new Error('getter')
      },
    }
    await expect(stage([row], { folder })).rejects.toThrow('getter')
    expect(readdirSync(folder)).toEqual([])
  })

  it('a file that is there already: it is not touched', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'data.parquet'), 'mine')
    await expect(stage([{ i: 1 }], { folder })).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    await writeFile(join(folder, 'x.csv'), 's\nx\n')
    await expect(stage({ csvPath: join(folder, 'x.csv') }, { folder })).rejects.toMatchObject({ code: 'MISSING_COLUMN' })
    expect((await nodeFiles.read(join(folder, 'data.parquet')))!.toString()).toBe('mine')
  })

  it('any failing call of the file system', async () => {
    const counted = new WatchedFiles()
    await stage([{ i: 1 }, { s: 'x' }], { files: counted.files })
    for (let k = 1; k <= counted.calls.length; k++) {
      const folder = await temporaryFolder()
      const watched = new WatchedFiles(k)
      const outcome = await stage([{ i: 1 }, { s: 'x' }], { files: watched.files, folder }).then(
        () => 'done',
        (e: Error) => e.message,
      )
      expect(watched.stillOpen, watched.failed).toEqual([])
      if (outcome === 'done') expect(watched.failed).toBe('close data.parquet')
      else expect([outcome.includes('injected'), readdirSync(folder)], watched.failed).toEqual([true, []])
    }
  })
})

describe('a CSV of a library call', () => {
  const table = compileTable(TABLE, 'samples')

  it('is all or nothing', async () => {
    const drop = await Drop.of('hole,no,depth,note\nA,1,1,\nA,x,2,\nA,y,3,\n')
    const error = await refused({ csvPath: drop.source }, { table })
    expect(error).toMatchObject({ code: 'TYPE_ERROR', left: [], data: { errors: { TYPE_ERROR: 2 }, report: { valid: false } } })
    expect(error.message).toContain('(and 1 more error)')
  })

  it('may have a dialect of its own, and may not be there', async () => {
    const drop = await Drop.of('hole;no;depth;note\nA;1;1;\n')
    const dialect = { ...drop.request({ dialect: { delimiter: ';' } }).dialect }
    expect((await stage({ csvPath: drop.source, dialect }, { table })).facts.rows).toBe(1)
    expect(await refused({ csvPath: join(drop.folder, 'gone.csv') }, { table })).toMatchObject({ code: 'IO_FAILED', left: [] })
  })
})

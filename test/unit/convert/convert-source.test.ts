import { chmod, link, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { ConvertDone, ConvertRequest } from '../../../src/convert/protocol.js'
import { outputPath } from '../../../src/convert/record-writer.js'
import { RowValidator } from '../../../src/convert/row-validator.js'
import type { OnInvalid } from '../../../src/documents/config.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { column, DROP_ID, Drop, expectAccount, readRows, TABLE } from './convert-kit.js'
import { WatchedFiles } from './watched-files.js'

const HEAD = 'hole,no,depth,note\n'
const staging = (drop: Drop, recordId: string) => outputPath({ kind: 'staging', stagingRoot: drop.staging, dropId: DROP_ID }, recordId)

const summary = (done: ConvertDone) => ({
  staged: done.staged.map((s) => [s.recordId, s.rows, s.invalid]),
  withheld: done.withheld.map((w) => [w.recordId, w.rows, w.invalid]),
  rows: Object.values(done.rows),
  totals: done.totals,
})

describe('a good drop', () => {
  it('of one record becomes one file with every row in order', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1.5,x\nA,2,,\n\nB,3,-0,"y, ""z"""\n`)
    const done = await drop.done()
    expect(done).toMatchObject({
      valid: true,
      problem: null,
      totals: {},
      withheld: [],
      absentColumns: [],
      rows: { in: 4, good: 3, invalid: 0, blank: 1 },
    })
    const [record] = done.staged
    expect(record).toMatchObject({ recordId: 'R1', ...staging(drop, 'R1'), rows: 3, invalid: 0 })
    expect((await readRows(record!.path)).rows).toEqual([
      ['A', 1n, 1.5, 'x'],
      ['A', 2n, null, null],
      ['B', 3n, -0, 'y, "z"'],
    ])
    expect(drop.reportNames).toEqual([])
  })

  it('of many records becomes one file each, whose rows keep their order', async () => {
    const drop = await Drop.of(`${HEAD}B,1,1,\nA,1,1,\nB,2,2,\nC,1,1,\nA,2,2,\nB,3,3,\n`)
    const done = await drop.done({ grouping: column() })
    expect(summary(done)).toEqual({
      staged: [
        ['soil/B', 3, 0],
        ['soil/A', 2, 0],
        ['soil/C', 1, 0],
      ],
      withheld: [],
      rows: [6, 6, 0, 0],
      totals: {},
    })
    expect((await readRows(done.staged[0]!.path)).rows.map((r) => r[1])).toEqual([1n, 2n, 3n])
    expect((await readRows(done.staged[1]!.path)).rows.map((r) => r[1])).toEqual([1n, 2n])
    expect(drop.stagedNames).toEqual(['soil/A', 'soil/B', 'soil/C'].map((id) => staging(drop, id).tx!).sort())
  })

  it('leaves absent columns null and lists them', async () => {
    const drop = await Drop.of('depth,hole\n1,A\n')
    const done = await drop.done({ tableDocument: { ...TABLE, fieldsMatch: 'superset' } })
    expect(done.absentColumns).toEqual(['no', 'note'])
    const { names, rows } = await readRows(done.staged[0]!.path)
    expect([names, rows]).toEqual([['hole', 'no', 'depth', 'note'], [['A', null, 1, null]]])
  })

  it('reports its bytes, hashes, rows and labels', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1.5,x\n`)
    const { report } = await drop.done({ output: { kind: 'none' } })
    expect(report).toMatchObject({ valid: true, stats: { tasks: 1, errors: 0 }, warnings: [], errors: [] })
    expect(report.tasks[0]).toMatchObject({
      name: 'samples',
      place: 'drop.csv',
      labels: ['hole', 'no', 'depth', 'note'],
      truncated: false,
      stats: {
        errors: 0,
        bytes: 29,
        fields: 4,
        rows: 1,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        md5: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    })
  })

  it('gives the same bytes each time, also over what a crashed attempt left', async () => {
    const drop = await Drop.of(`${HEAD}B,1,1,\nA,1,1,\n`)
    const first = await drop.done({ grouping: column() })
    const second = await drop.done({ grouping: column() })
    expect(second.staged).toEqual(first.staged)
  })

  it('never writes into a file that another attempt left: it may be a second name of a committed version', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const { path } = staging(drop, 'R1')
    const version = join(drop.folder, 'v1.parquet')
    await mkdir(dirname(path))
    await writeFile(version, 'committed')
    await link(version, path)
    await drop.done()
    expect((await nodeFiles.read(version))!.toString()).toBe('committed')
  })

  it('shows how far it is', async () => {
    const csv = `${HEAD}${'A,1,,some text\n'.repeat(200_000)}`
    const drop = await Drop.of(csv)
    const progress = new BigInt64Array(new SharedArrayBuffer(16))
    await drop.done({ output: { kind: 'none' }, progress })
    expect([...progress]).toEqual([BigInt(csv.length), BigInt(csv.length)])
  })

  it('validated only, writes nothing', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nA,x,2,\n`)
    const done = await drop.done({ output: { kind: 'none' }, reportFolder: null })
    expect(summary(done)).toMatchObject({ staged: [], rows: [2, 1, 1, 0], totals: { TYPE_ERROR: 1 } })
    expect([drop.stagedNames, drop.reportNames]).toEqual([[], []])
  })
})

// A: clean. B: a wrong cell and a good row. C: a key twice. One row in the end may belong to no record.
const MIXED = `${HEAD}A,1,1,\nB,x,1,\nA,2,2,\nB,2,2,\nC,1,7,\n\nC,2,7,\nA,3,3,\n`

describe('a drop with invalid rows', () => {
  const single: ConvertRequest['grouping'] = { kind: 'single', recordId: 'R1' }
  const one = { ...TABLE, fields: TABLE.fields.map((f) => (f.name === 'depth' ? { name: 'depth', type: 'number' } : f)) }

  const cases: [OnInvalid, 'one record' | 'many records', object][] = [
    ['quarantine-drop', 'one record', { staged: [], withheld: [['R1', 6, 1]], rows: [8, 6, 1, 1], totals: { TYPE_ERROR: 1 } }],
    ['quarantine-record', 'one record', { staged: [], withheld: [['R1', 6, 1]], rows: [8, 6, 1, 1], totals: { TYPE_ERROR: 1 } }],
    ['skip-rows', 'one record', { staged: [['R1', 6, 1]], withheld: [], rows: [8, 6, 1, 1], totals: { TYPE_ERROR: 1 } }],
    [
      'quarantine-drop',
      'many records',
      {
        staged: [],
        withheld: [
          ['soil/A', 3, 0],
          ['soil/B', 1, 1],
          ['soil/C', 1, 1],
        ],
        rows: [8, 5, 2, 1],
        totals: { TYPE_ERROR: 1, UNIQUE_ERROR: 1 },
      },
    ],
    [
      'quarantine-record',
      'many records',
      {
        staged: [['soil/A', 3, 0]],
        withheld: [
          ['soil/B', 1, 1],
          ['soil/C', 1, 1],
        ],
        rows: [8, 5, 2, 1],
        totals: { TYPE_ERROR: 1, UNIQUE_ERROR: 1 },
      },
    ],
    [
      'skip-rows',
      'many records',
      {
        staged: [
          ['soil/A', 3, 0],
          ['soil/B', 1, 1],
          ['soil/C', 1, 1],
        ],
        withheld: [],
        rows: [8, 5, 2, 1],
        totals: { TYPE_ERROR: 1, UNIQUE_ERROR: 1 },
      },
    ],
  ]
  it.each(cases)('%s, %s', async (onInvalid, records, expected) => {
    const drop = await Drop.of(MIXED)
    const many = records === 'many records'
    const done = await drop.done({ onInvalid, grouping: many ? column() : single, tableDocument: many ? TABLE : one })
    expect(summary(done)).toEqual(expected)
    expectAccount(done)
    expect(done.valid).toBe(false)
    expect(done.problem).toMatchObject({ code: 'TYPE_ERROR' })
    expect(drop.stagedNames).toEqual(done.staged.map((s) => s.tx).sort())
    expect(drop.reportNames).toEqual(['mended.csv', 'rejects.csv'])
    for (const { path, rows } of done.staged) expect((await readRows(path)).rows).toHaveLength(rows)
  })

  it.each([
    ['ragged', 'A,4\n', 'RAGGED_ROW'],
    ['of no record', ' ,4,4,\n', 'RECORD_ID_ILLEGAL'],
    ['of an illegal record', '../x,4,4,\n', 'RECORD_ID_ILLEGAL'],
  ])('a row that is %s holds back the whole drop, unless rows are skipped', async (_, row, code) => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nB,1,1,\n${row}`)
    for (const onInvalid of ['quarantine-drop', 'quarantine-record'] as const) {
      const done = await drop.done({ onInvalid, grouping: column() })
      expect(summary(done)).toEqual({
        staged: [],
        withheld: [
          ['soil/A', 1, 0],
          ['soil/B', 1, 0],
        ],
        rows: [3, 2, 1, 0],
        totals: { [code]: 1 },
      })
      expect(drop.stagedNames).toEqual([])
    }
    const done = await drop.done({ onInvalid: 'skip-rows', grouping: column() })
    expect(summary(done)).toMatchObject({
      staged: [
        ['soil/A', 1, 0],
        ['soil/B', 1, 0],
      ],
      rows: [3, 2, 1, 0],
    })
  })

  it('in every record stages nothing', async () => {
    const drop = await Drop.of(`${HEAD}A,x,1,\nB,x,1,\n`)
    const done = await drop.done({ onInvalid: 'quarantine-record', grouping: column() })
    expect(summary(done)).toMatchObject({
      staged: [],
      withheld: [
        ['soil/A', 0, 1],
        ['soil/B', 0, 1],
      ],
    })
    expect(drop.stagedNames).toEqual([])
  })

  it('and no valid one stages nothing, also where rows are skipped', async () => {
    for (const grouping of [single, column()]) {
      const drop = await Drop.of(`${HEAD}A,x,1,\nA,y,2,\n`)
      const done = await drop.done({ onInvalid: 'skip-rows', grouping })
      expect(done.staged).toEqual([])
      expect(done.withheld).toMatchObject([{ rows: 0, invalid: 2 }])
      expect([drop.stagedNames, done.problem?.code]).toEqual([[], 'TYPE_ERROR'])
    }
  })

  it('found late takes back what was written before', async () => {
    const drop = await Drop.of(`${HEAD}${'A,1,,\n'.repeat(140_000)}A,x,,\n`)
    const done = await drop.done({ tableDocument: one })
    expect(summary(done)).toMatchObject({ staged: [], withheld: [['R1', 140_000, 1]] })
    expect(drop.stagedNames).toEqual([])
  })

  it('does not put texts of invalid rows into a file that is committed', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,good note\nA,x,2,SECRET-NOTE\n`)
    const done = await drop.done({ onInvalid: 'skip-rows', compression: 'NONE' })
    const bytes = (await nodeFiles.read(done.staged[0]!.path))!
    expect([bytes.includes('good note'), bytes.includes('SECRET-NOTE')]).toEqual([true, false])
  })

  it('has its rows skipped in any number without holding on to their texts', async () => {
    // 35,000 rows of 1 kB: more than the characters at which columns are emptied, none of them valid but the last.
    const drop = await Drop.of(`${HEAD}${Array.from({ length: 35_000 }, (_, i) => `A,x,,${i}${'n'.repeat(1000)}\n`).join('')}A,1,,\n`)
    const emptied = vi.spyOn(RowValidator.prototype, 'takeSegment')
    const done = await drop.done({ onInvalid: 'skip-rows', tableDocument: one, reportFolder: null, verify: 'none' })
    expect(summary(done)).toEqual({
      staged: [['R1', 1, 35_000]],
      withheld: [],
      rows: [35_001, 1, 35_000, 0],
      totals: { TYPE_ERROR: 35_000 },
    })
    expect((await readRows(done.staged[0]!.path)).groups).toEqual([1])
    // Once on the way, when nothing had been pushed yet, and once at the end of each of the two parts.
    expect(emptied).toHaveBeenCalledTimes(3)
  })
})

describe('a header that is wrong', () => {
  it.each([
    ['hole,no,depth,nott\nA,x,1,\n', { MISSING_COLUMN: 1, UNKNOWN_COLUMN: 1, TYPE_ERROR: 1 }],
    ['hole,hole,depth,note\nA,1,1,\n', { DUPLICATE_COLUMN: 1, MISSING_COLUMN: 1 }],
    ['no,hole,depth,note\n1,A,1,\n', { INCORRECT_COLUMN: 2 }],
    ['hole,,depth,note\nA,1,1,\n', { BLANK_LABEL: 1, MISSING_COLUMN: 1 }],
  ])('%j is reported together with the rows, and nothing is staged whatever onInvalid says', async (csv, totals) => {
    for (const onInvalid of ['quarantine-drop', 'quarantine-record', 'skip-rows'] as const) {
      const drop = await Drop.of(csv)
      const done = await drop.done({ onInvalid })
      expect(done.totals).toEqual(totals)
      expect(done.staged).toEqual([])
      expect(done.rows.in).toBe(1)
      expect(done.report.tasks[0]!.errors[0]).toMatchObject({ rowNumber: 1 })
      expect(drop.stagedNames).toEqual([])
      expectAccount(done)
    }
  })

  it('without the column that names the record is one fault, not one per row', async () => {
    const drop = await Drop.of('no,depth,note\n1,1,\n2,2,\n')
    const done = await drop.done({ onInvalid: 'skip-rows', grouping: column() })
    expect(done.totals).toEqual({ MISSING_COLUMN: 1 })
    expect(summary(done)).toMatchObject({ staged: [], withheld: [], rows: [2, 2, 0, 0] })
    const foreign = await drop.done({
      grouping: column('', 'batch'),
      tableDocument: { ...TABLE, fieldsMatch: 'partial', fields: TABLE.fields.slice(1) },
    })
    expect(foreign.totals).toEqual({ MISSING_COLUMN: 1 })
    expect(foreign.problem!.message).toContain('"batch", which names the record')
  })
})

describe('a file that is wrong as a whole', () => {
  const good = 'A,1,1,\n'
  it.each<[string, string | Uint8Array, string, string | null]>([
    ['no bytes', '', 'EMPTY_FILE', null],
    ['a byte order mark alone', '\uFEFF', 'EMPTY_FILE', null],
    ['a blank header', `,,,\n${good}`, 'BLANK_HEADER', null],
    ['a header alone', HEAD, 'HEADER_ONLY', '0'],
    ['a header and blank rows', `${HEAD}\n,,,\n`, 'HEADER_ONLY', '2'],
    ['a quote that is never closed', `${HEAD}${good}A,x,2,"open\n`, 'QUOTE_NOT_CLOSED', null],
    ['a quote in the middle of a cell', `${HEAD}${good}A,x,3,\nA,2,2,a"b\n`, 'QUOTE_MISPLACED', null],
    ['NUL bytes', `${HEAD}${good}A,x,2,\n\u0000`, 'NUL_BYTE', null],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from(`${HEAD}${good}A,x,2,\nA,3,3,`), Buffer.of(0xff)]), 'NOT_UTF8', null],
  ])('%s', async (_, csv, code, rowsIn) => {
    for (const onInvalid of ['quarantine-drop', 'quarantine-record', 'skip-rows'] as const) {
      for (const grouping of [{ kind: 'single', recordId: 'R1' } as const, column()]) {
        const drop = await Drop.of(csv)
        const done = await drop.done({ onInvalid, grouping })
        expect(done.totals).toHaveProperty(code, 1)
        expect(done.rows.in).toBe(rowsIn === null ? null : Number(rowsIn))
        expect(done.staged).toEqual([])
        expect(drop.stagedNames).toEqual([])
        // What was not read to its end cannot be mended row by row.
        if (rowsIn === null) expect(drop.reportNames).toEqual([])
        expectAccount(done)
        expect(done.report.tasks[0]!.stats.rows).toBe(done.rows.in)
      }
    }
  })

  it('in the middle: errors before it are listed, the fault comes last with its line, hashes are not claimed', async () => {
    const drop = await Drop.of(`${HEAD}A,x,1,\nA,2,2,\nA,y,3,"open\nmore\n`)
    const done = await drop.done({ onInvalid: 'skip-rows' })
    const [task] = done.report.tasks
    expect(task!.errors.map((e) => [e.code, e.line])).toEqual([
      ['TYPE_ERROR', 2],
      ['QUOTE_NOT_CLOSED', 4],
    ])
    expect(task!.stats).toMatchObject({ sha256: null, md5: null, rows: null })
    expect(done.problem!.code).toBe('TYPE_ERROR')
  })

  it.each([
    ['rows of too many bytes', { rowBytes: 40 }, `${HEAD}A,1,1,${'x'.repeat(60)}\n`],
    ['too many cells', { columns: 4 }, `${HEAD}A,1,1,,,\n`],
    ['too many records', { recordsPerDrop: 2 }, `${HEAD}A,1,1,\nB,1,1,\nC,1,1,\n`],
  ])('%s', async (_, limits, csv) => {
    const drop = await Drop.of(csv)
    const done = await drop.done({ limits, grouping: column(), onInvalid: 'skip-rows' })
    expect(done).toMatchObject({ staged: [], totals: { LIMIT_EXCEEDED: 1 }, problem: { code: 'LIMIT_EXCEEDED' }, rows: { in: null } })
    expect(drop.stagedNames).toEqual([])
  })

  it('exactly at its limits is fine', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nB,1,1,\n`)
    const done = await drop.done({ limits: { recordsPerDrop: 2, columns: 4, rowBytes: HEAD.length }, grouping: column() })
    expect(done.staged).toHaveLength(2)
  })
})

describe('the rows a manifest promises', () => {
  it('are those with content', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n\nA,2,2,\n`)
    expect((await drop.done({ expectedRows: 2 })).staged).toHaveLength(1)
  })

  it.each([1, 3, 0])('and not %i', async (expectedRows) => {
    for (const onInvalid of ['quarantine-drop', 'skip-rows'] as const) {
      const drop = await Drop.of(`${HEAD}A,1,1,\n\nA,2,2,\n`)
      const done = await drop.done({ expectedRows, onInvalid })
      expect(done).toMatchObject({ staged: [], totals: { ROW_COUNT_MISMATCH: 1 }, rows: { in: 3, good: 2 } })
      expect(done.withheld).toEqual([{ recordId: 'R1', rows: 2, invalid: 0 }])
      expect(drop.stagedNames).toEqual([])
    }
  })

  it('are said once where the file has none at all', async () => {
    const drop = await Drop.of(HEAD)
    expect((await drop.done({ expectedRows: 5 })).totals).toEqual({ ROW_COUNT_MISMATCH: 1 })
    expect((await drop.done({ expectedRows: 0 })).totals).toEqual({ HEADER_ONLY: 1 })
  })
})

describe('large records', () => {
  it('are cut into row groups of 50,000 rows or more, one record or several in each other', async () => {
    const rows = Array.from({ length: 300_000 }, (_, i) => `${i % 3 === 0 ? 'B' : 'A'},${i + 1},,${i % 7 === 0 ? `note ${i}` : ''}\n`)
    const drop = await Drop.of(HEAD + rows.join(''))
    const document = { ...TABLE, fields: TABLE.fields.map(({ name, type }) => ({ name, type })) }
    const whole = await drop.done({ tableDocument: document, verify: 'none' })
    const { groups } = await readRows(whole.staged[0]!.path)
    expect(groups.reduce((a, b) => a + b)).toBe(300_000)
    // Cut by the bytes of the source, at about 131,072 rows.
    expect(groups.slice(0, -1).every((n) => n >= 50_000 && n <= 200_000)).toBe(true)
    expect(groups.length).toBeGreaterThan(1)
    const split = await drop.done({ tableDocument: document, grouping: column() })
    expect(split.staged.map((s) => [s.recordId, s.rows])).toEqual([
      ['soil/B', 100_000],
      ['soil/A', 200_000],
    ])
    const a = await readRows(split.staged[1]!.path)
    expect(a.groups).toEqual([131_072, 68_928])
    let at = 0
    for (let i = 0; i < 300_000; i++) {
      if (i % 3 === 0) continue
      const expected = ['A', BigInt(i + 1), null, i % 7 === 0 ? `note ${i}` : null]
      if (a.rows[at]!.some((cell, c) => cell !== expected[c])) expect(a.rows[at]).toEqual(expected)
      at++
    }
    expect(at).toBe(200_000)
  })

  it('of wide rows are cut earlier', async () => {
    const rows = Array.from({ length: 38 }, (_, i) => `${i < 36 ? 'A' : 'B'},${i + 1},,${i}${'n'.repeat(1_000_000)}\n`)
    const drop = await Drop.of(HEAD + rows.join(''))
    const numbers = Array.from({ length: 38 }, (_, i) => BigInt(i + 1))
    const whole = await readRows((await drop.done({ verify: 'none' })).staged[0]!.path)
    expect(whole.groups).toEqual([34, 4])
    expect(whole.rows.map((r) => r[1])).toEqual(numbers)
    const split = await drop.done({ grouping: column(), verify: 'none' })
    const a = await readRows(split.staged[0]!.path)
    expect(a.groups).toEqual([34, 2])
    expect(a.rows.map((r) => r[1])).toEqual(numbers.slice(0, 36))
  })
})

describe('what stops a conversion', () => {
  it('an abort before it starts', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const watched = new WatchedFiles()
    expect(await drop.failed({}, watched.files, AbortSignal.abort())).toMatchObject({ code: 'ABORTED' })
    expect([drop.stagedNames, drop.reportNames, watched.stillOpen]).toEqual([[], [], []])
  })

  it.each([
    ['while rows are read', 'read source.csv', 2],
    ['while a record is written', 'create data.parquet', 1],
    ['between two records', 'create data.parquet', 2],
    ['while mended.csv is written', 'overwrite mended.csv.part', 1],
  ])('an abort %s: nothing is left and nothing stays open', async (_, call, nth) => {
    const drop = await Drop.of(`${HEAD}${Array.from({ length: 150_000 }, (_, i) => `${'ABC'[i % 3]},1,,note ${i}\n`).join('')}D,x,,\n`)
    const abort = new AbortController()
    let met = 0
    const watched = new WatchedFiles(null, async (name, path) => {
      if (`${name} ${path.slice(path.lastIndexOf('/') + 1)}` === call && ++met === nth) abort.abort()
    })
    const onInvalid = call.startsWith('overwrite') ? 'quarantine-drop' : 'quarantine-record'
    expect(await drop.failed({ onInvalid, grouping: column() }, watched.files, abort.signal)).toMatchObject({ code: 'ABORTED' })
    // What is read at a time is read whole.
    expect(met).toBeGreaterThanOrEqual(nth)
    if (call !== 'read source.csv') expect(met).toBe(nth)
    expect([drop.stagedNames, drop.reportNames, watched.stillOpen]).toEqual([[], [], []])
  })

  it('a source that is no regular file, or is not there', async () => {
    const drop = await Drop.of('')
    expect(await drop.failed({ sourcePath: drop.folder })).toMatchObject({ code: 'NOT_A_FILE' })
    expect(await drop.failed({ sourcePath: join(drop.folder, 'gone.csv') })).toMatchObject({ code: 'IO_FAILED' })
  })

  it('but not a link to the source', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const path = join(drop.folder, 'link.csv')
    await symlink(drop.source, path)
    expect((await drop.done({ sourcePath: path })).staged).toHaveLength(1)
  })

  it('a table or a dialect that cannot be used', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    expect(await drop.failed({ tableDocument: { fields: [{ name: 'a', type: 'colour' }] } })).toMatchObject({ code: 'TABLE_INVALID' })
    expect(await drop.failed({ dialect: { delimiter: '"' } })).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(drop.stagedNames).toEqual([])
  })

  it('an output file that exists: it is not touched', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const path = join(drop.folder, 'out.parquet')
    await writeFile(path, 'mine')
    expect(await drop.failed({ output: { kind: 'file', path } })).toMatchObject({ code: 'FILE_EXISTS' })
    expect((await nodeFiles.read(path))!.toString()).toBe('mine')
  })

  it('a staging area that is not there', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const output = { kind: 'staging', stagingRoot: join(drop.folder, 'nowhere'), dropId: DROP_ID } as const
    expect(await drop.failed({ output })).toMatchObject({ code: 'IO_FAILED' })
  })

  it('a defect is INTERNAL and says where it is', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const watched = new WatchedFiles(null, async (name) => {
      if (name === 'write') throw new TypeError('a defect')
    })
    const failed = await drop.failed({}, watched.files)
    expect(failed.code).toBe('INTERNAL')
    expect(failed.message).toContain('watched-files')
    expect([drop.stagedNames, watched.stillOpen]).toEqual([[], []])
  })
})

describe('a staged file', () => {
  it('is read-only from its first moment, for its inode becomes the version', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const done = await drop.done()
    const { path } = done.staged[0]!
    expect((await nodeFiles.stat(path))!.mode & 0o222).toBe(0)
    await chmod(path, 0o640)
  })

  it('is whole before it is verified, and verified before it is reported; its commit syncs it', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const watched = new WatchedFiles()
    await drop.run({}, watched.files)
    const calls = watched.calls.filter((c) => c.endsWith('data.parquet')).map((c) => c.split(' ')[0])
    expect(calls.filter((c, i) => c !== calls[i - 1])).toEqual(['create', 'write', 'close', 'openRead', 'read', 'close'])
  })

  it('that is nobody’s to commit is synced before it is verified', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const watched = new WatchedFiles()
    await drop.run({ output: { kind: 'file', path: join(drop.folder, 'out.parquet') } }, watched.files)
    const calls = watched.calls.filter((c) => c.endsWith('out.parquet')).map((c) => c.split(' ')[0])
    expect(calls.slice(0, calls.indexOf('openRead'))).toEqual(['create', ...calls.filter((c) => c === 'write'), 'sync', 'close'])
  })

  it('is not read back where verification is off', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    const watched = new WatchedFiles()
    await drop.run({ verify: 'none' }, watched.files)
    expect(watched.calls.filter((c) => c === 'openRead data.parquet')).toEqual([])
    expect(watched.calls).not.toContain('sync data.parquet')
  })
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { openCsv } from '../../../src/csv/read-csv.js'
import { type DialectDocument, dialectDocument, intakeConfig } from '../../../src/documents/config.js'
import { column, Drop, type RequestOptions, readRows, TABLE } from './convert-kit.js'

const HEAD = 'hole,no,depth,note\n'

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Labels and rows as intake will read the file when it is dropped. */
async function readBack(
  bytes: Uint8Array,
  dialect: Partial<DialectDocument> = {},
): Promise<{ labels: readonly string[] | null; rows: string[][] }> {
  const reader = await openCsv({ chunks: chunk(bytes), dialect: dialectDocument.parse(dialect), limits: intakeConfig.parse({}).limits })
  const rows: string[][] = []
  for await (const batch of reader.batches()) for (const row of batch) rows.push(row.cells)
  return { labels: reader.labels, rows }
}

const errorsOf = (rows: string[][]): boolean[] => rows.map((r) => r[5] !== '')

/** Drops mended.csv as it is, under the same rule. */
async function dropAgain(drop: Drop, options: RequestOptions): Promise<{ again: Drop; done: Awaited<ReturnType<Drop['done']>> }> {
  const again = await Drop.of(drop.bytes('mended.csv'))
  return { again, done: await again.done(options) }
}

describe('mended.csv', () => {
  it('holds every row of the record as it came, with its line and what is wrong, and blank rows not', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,"x, ""y""\nz"\n\nA,bad,2,\nA,3,2.0,é\n`)
    await drop.done()
    const { labels, rows } = await readBack(drop.bytes('mended.csv'))
    expect(labels).toEqual(['hole', 'no', 'depth', 'note', '_line', '_errors'])
    expect(rows).toEqual([
      ['A', '1', '1', 'x, "y"\nz', '2', ''],
      ['A', 'bad', '2', '', '5', 'column "no": expected an integer, got "bad"'],
      ['A', '3', '2.0', 'é', '6', 'column "depth": "2.0" stands in an earlier row of this record already'],
    ])
  })

  it('holds the affected records whole and the others not', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nB,1,1,\nB,x,2,\nC,1,1,\nB,3,3,\n`)
    await drop.done({ onInvalid: 'quarantine-record', grouping: column() })
    expect((await readBack(drop.bytes('mended.csv'))).rows.map((r) => [r[0], r[1], r[4]])).toEqual([
      ['B', '1', '3'],
      ['B', 'x', '4'],
      ['B', '3', '6'],
    ])
  })

  it('holds all records where the whole drop is held back', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nB,x,2,\n`)
    await drop.done({ onInvalid: 'quarantine-drop', grouping: column() })
    expect((await readBack(drop.bytes('mended.csv'))).rows).toHaveLength(2)
  })

  it('holds the good rows too of a record whose bad ones were skipped: dropped, it is the complete next version', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nB,1,1,\nB,x,2,\n,9,9,\n`)
    await drop.done({ onInvalid: 'skip-rows', grouping: column() })
    const { rows } = await readBack(drop.bytes('mended.csv'))
    expect(rows.map((r) => r[0])).toEqual(['B', 'B', ''])
    expect(errorsOf(rows)).toEqual([false, true, true])
  })

  it('mended is good, and its two columns go nowhere', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nA,bad,2,\n`)
    await drop.done()
    const again = await Drop.of(drop.text('mended.csv').replace('bad', '7'))
    const done = await again.done()
    expect(done.valid).toBe(true)
    const { names, rows } = await readRows(done.staged[0]!.path)
    expect(names).toEqual(['hole', 'no', 'depth', 'note'])
    expect(rows).toEqual([
      ['A', 1n, 1, null],
      ['A', 7n, 2, null],
    ])
  })

  it('not mended is wrong again in the same cells, and mended.csv of that has each column once', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\nA,bad,2,\n`)
    await drop.done()
    const { again, done } = await dropAgain(drop, {})
    expect(done).toMatchObject({ staged: [], totals: { TYPE_ERROR: 1 } })
    const { labels, rows } = await readBack(again.bytes('mended.csv'))
    expect(labels).toEqual(['hole', 'no', 'depth', 'note', '_line', '_errors'])
    expect(rows[1]).toEqual(['A', 'bad', '2', '', '3', 'column "no": expected an integer, got "bad"'])
  })

  describe('keeps a ragged row ragged until a person mends it', () => {
    it.each([
      ['short by one', 'A,2,2'],
      ['short by two', 'A,2'],
      ['of one cell', 'A'],
      ['long by one', 'A,2,2,,more'],
      ['long by two', 'A,2,2,,more,and more'],
      ['long by three', 'A,2,2,,,,x'],
    ])('%s', async (_, row) => {
      let drop = await Drop.of(`${HEAD}A,1,1,\n${row}\n`)
      let done = await drop.done()
      // Dropped unmended any number of times, it never becomes a row of other cells than came.
      for (let round = 0; round < 4; round++) {
        expect(done, `round ${round}`).toMatchObject({ staged: [], totals: { RAGGED_ROW: 1 }, rows: { in: 2, good: 1, invalid: 1 } })
        const [good, ragged] = (await readBack(drop.bytes('mended.csv'))).rows
        expect(good).toEqual(['A', '1', '1', '', '2', ''])
        const came = row.split(',')
        expect(ragged!.slice(0, 4)).toEqual([0, 1, 2, 3].map((i) => came[i] ?? ''))
        expect(ragged!.slice(6)).toEqual(came.length > 4 ? came.slice(4) : [expect.stringContaining('delete this one')])
        const next = await dropAgain(drop, {})
        drop = next.again
        done = next.done
      }
    })

    it('and good once the mark is deleted', async () => {
      const drop = await Drop.of(`${HEAD}A,1,1,\nA,2\n`)
      await drop.done()
      const { rows } = await readBack(drop.bytes('mended.csv'))
      const text = drop.text('mended.csv').replace(`,${rows[1]!.at(-1)}`, '')
      expect((await (await Drop.of(text)).done()).valid).toBe(true)
    })
  })

  it('of a wrong header has the rows, so that only the header is left to mend', async () => {
    const drop = await Drop.of('hole,no,depht,note\nA,1,1,\nA,2,2,\n')
    await drop.done()
    expect((await readBack(drop.bytes('mended.csv'))).rows).toHaveLength(2)
    const again = await Drop.of(drop.text('mended.csv').replace('depht', 'depth'))
    expect((await again.done()).valid).toBe(true)
  })

  it('says nothing of lines in its errors twice, and names several faults of one row', async () => {
    const drop = await Drop.of(`${HEAD}A,x,y,\n`)
    await drop.done()
    const { rows } = await readBack(drop.bytes('mended.csv'))
    expect(rows[0]![5]).toBe('column "no": expected an integer, got "x"; column "depth": expected a number, got "y"')
  })
})

describe('mended.csv in the dialect of its source', () => {
  const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
  const utf16 = (text: string): Buffer => Buffer.from(`\uFEFF${text}`, 'utf16le')
  it.each<[string, Partial<DialectDocument>, string | Buffer, (s: string) => string]>([
    ['tabs', { delimiter: '\t' }, 'hole\tno\tdepth\tnote\nA\t1\t1\ta,b\nA\tbad\t2\t"t\tt"\n', (s) => s],
    ['latin1', { encoding: 'latin1' }, latin1('hole,no,depth,note\nA,1,1,é\nA,bad,2,ü\n'), (s) => s],
    ['utf-16', { encoding: 'utf-16le' }, utf16('hole,no,depth,note\r\nA,1,1,é\r\nA,bad,2,😀\r\n'), (s) => s],
    ['two header rows', { headerRows: [1, 2], headerJoin: '_' }, 'top\nhole,no,depth,note\nA,1,1,\nA,bad,2,\n', (s) => s],
    ['a title above the header', { headerRows: [3] }, 'Exported by X,,,\nBH log\nhole,no,depth,note\nA,1,1,\nA,bad,2,\n', (s) => s],
    ['comment rows', { commentRows: [2, 4] }, 'hole,no,depth,note\n-,-,m,-\nA,1,1,\nunits again\nA,bad,2,\n', (s) => s],
    ['comment lines', { commentChar: '#' }, '# made today\nhole,no,depth,note\nA,1,1,"#x"\n# more\nA,bad,2,\n', (s) => s],
    ['semicolons, decimal commas', { delimiter: ';' }, 'hole;no;depth;note\nA;1;1;a,b\nA;bad;2;\n', (s) => s],
    ['escaped quotes', { escapeChar: '\\', doubleQuote: false }, 'hole,no,depth,note\nA,1,1,"a \\"b\\" c"\nA,bad,2,\n', (s) => s],
    ['no quotes at all', { quoteChar: null }, 'hole,no,depth,note\nA,1,1,a "b" c\nA,bad,2,\n', (s) => s],
    ['a terminator of its own', { lineTerminator: '|' }, 'hole,no,depth,note|A,1,1,x|A,bad,2,|', (s) => s],
  ])('%s: reads back as it came, is wrong again unmended, and good once mended', async (name, dialect, csv) => {
    const headed = name === 'two header rows'
    const document = headed ? { ...TABLE, fields: TABLE.fields.map((f) => ({ ...f, name: `top_${f.name}` })) } : TABLE
    const options = { dialect, tableDocument: document }
    const drop = await Drop.of(csv)
    const done = await drop.done(options)
    expect(done.totals).toEqual({ TYPE_ERROR: 1 })
    const came = await readBack(readFileSync(drop.source), dialect)
    const mended = await readBack(drop.bytes('mended.csv'), dialect)
    expect(mended.labels!.slice(0, 4)).toEqual(came.labels)
    expect(mended.labels!.slice(4).map((l) => l.replace('top_', ''))).toEqual(['_line', '_errors'])
    expect(mended.rows.map((r) => r.slice(0, 4))).toEqual(came.rows)

    const { done: unmended } = await dropAgain(drop, options)
    expect(unmended.totals).toEqual({ TYPE_ERROR: 1 })
    const bytes = drop.bytes('mended.csv')
    const wide = dialect.encoding === 'utf-16le'
    const at = bytes.indexOf(Buffer.from('bad', wide ? 'utf16le' : 'latin1'))
    const fixed = Buffer.concat([bytes.subarray(0, at), Buffer.from('7', wide ? 'utf16le' : 'latin1'), bytes.subarray(at + (wide ? 6 : 3))])
    const again = await Drop.of(fixed)
    const result = await again.done(options)
    expect(result.valid).toBe(true)
    expect((await readRows(result.staged[0]!.path)).rows).toHaveLength(2)
  })

  it('without a header gets no columns added, and each row is as it came, ragged ones too', async () => {
    const drop = await Drop.of('A,1,1,\nA,bad,2,\nA,3\nA,4,4,,more\n')
    const done = await drop.done({ dialect: { header: false } })
    expect(done.totals).toEqual({ TYPE_ERROR: 1, RAGGED_ROW: 2 })
    expect((await readBack(drop.bytes('mended.csv'), { header: false })).rows).toEqual([
      ['A', '1', '1', ''],
      ['A', 'bad', '2', ''],
      ['A', '3'],
      ['A', '4', '4', '', 'more'],
    ])
    const { done: again } = await dropAgain(drop, { dialect: { header: false } })
    expect(again.totals).toEqual({ TYPE_ERROR: 1, RAGGED_ROW: 2 })
  })
})

describe('rejects.csv', () => {
  it('holds the invalid rows alone, in plain RFC 4180 and UTF-8 whatever the source is written in', async () => {
    const drop = await Drop.of(Buffer.from('hole;no;depth;note\nA;1;1;\nA;bad;2;é\nA;3\n', 'latin1'))
    await drop.done({ dialect: { delimiter: ';', encoding: 'latin1' } })
    const { labels, rows } = await readBack(drop.bytes('rejects.csv'))
    expect(labels).toEqual(['hole', 'no', 'depth', 'note', '_line', '_errors'])
    expect(rows).toEqual([
      ['A', 'bad', '2', 'é', '3', 'column "no": expected an integer, got "bad"'],
      ['A', '3', '', '', '4', 'has 2 cells, the header has 4'],
    ])
  })

  it('shows cells beyond the header in the note', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,,"more, of it"\n`)
    await drop.done()
    expect((await readBack(drop.bytes('rejects.csv'))).rows[0]![5]).toBe(
      'has 5 cells, the header has 4; cells beyond the header: ["more, of it"]',
    )
  })

  it('has no row where only the file as a whole is wrong', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,\n`)
    await drop.done({ expectedRows: 7 })
    expect((await readBack(drop.bytes('rejects.csv'))).rows).toEqual([])
    expect((await readBack(drop.bytes('mended.csv'))).rows).toHaveLength(1)
  })
})

describe('the second reading', () => {
  it('finds what the first one found: as many rows in rejects.csv as are invalid, with keys over many segments', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `${'AB'[i % 2]},${i % 97 === 0 ? 'x' : i + 1},${i % 4990},\n`)
    const drop = await Drop.of(HEAD + rows.join(''))
    for (const onInvalid of ['quarantine-drop', 'skip-rows'] as const) {
      const done = await drop.done({ onInvalid, grouping: column() })
      const rejects = await readBack(drop.bytes('rejects.csv'))
      expect(rejects.rows).toHaveLength(done.rows.invalid!)
      expect((await readBack(drop.bytes('mended.csv'))).rows).toHaveLength(5000)
    }
  })

  it('is not done where nothing is wrong, or where nobody asked for the files', async () => {
    const good = await Drop.of(`${HEAD}A,1,1,\n`)
    await good.done()
    expect(good.reportNames).toEqual([])
    const bad = await Drop.of(`${HEAD}A,x,1,\n`)
    await bad.done({ reportFolder: null })
    expect(bad.reportNames).toEqual([])
  })
})

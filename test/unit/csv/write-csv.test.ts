import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dialectProblems } from '../../../src/csv/dialect.js'
import { type CsvReader, openCsv } from '../../../src/csv/read-csv.js'
import { textEncoding } from '../../../src/csv/text-encoding.js'
import { CsvWriter, isWritableEncoding } from '../../../src/csv/write-csv.js'
import { type DialectDocument, dialectDocument } from '../../../src/documents/config.js'

const LIMITS = { rowBytes: 1_000_000, columns: 1000 }

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const open = (bytes: Uint8Array, dialect: DialectDocument): Promise<CsvReader> => openCsv({ chunks: once(bytes), dialect, limits: LIMITS })

async function cellsOf(reader: CsvReader): Promise<string[][]> {
  const rows: string[][] = []
  for await (const batch of reader.batches()) rows.push(...batch.map((row) => row.cells))
  return rows
}

const written = (dialect: DialectDocument, rows: readonly (readonly string[])[]): Buffer => {
  const writer = new CsvWriter(dialect)
  return Buffer.concat(rows.map((row) => writer.row(row)))
}

describe('rows', () => {
  it('are RFC 4180 by default, quoted only where needed', () => {
    expect(written(dialectDocument.parse({}), [['a', 'b c', '', '1,2', 'x"y', 'l\nm']]).toString()).toBe('a,b c,,"1,2","x""y","l\nm"\r\n')
  })

  const dialects = fc
    .record({
      delimiter: fc.constantFrom(',', ';', '\t', '|', '||', '$', '^', '-', ']'),
      lineTerminator: fc.constantFrom(undefined, '\n', '\r\n', '\r', '~~'),
      quoteChar: fc.constantFrom('"', "'", '$'),
      escapeChar: fc.constantFrom(null, null, '\\', '$'),
      commentChar: fc.constantFrom(null, '#', '//'),
      skipInitialSpace: fc.boolean(),
      encoding: fc.constantFrom('utf-8', 'utf-16le', 'utf-16be'),
    })
    .map(({ lineTerminator, ...rest }) =>
      dialectDocument.parse({ ...rest, header: false, ...(lineTerminator === undefined ? {} : { lineTerminator }) }),
    )
    .filter((dialect) => dialectProblems(dialect).length === 0 && dialect.escapeChar !== dialect.quoteChar)
  const characters = [
    'a',
    '1',
    ',',
    ';',
    '\t',
    '|',
    '"',
    "'",
    '\\',
    '$',
    '^',
    '-',
    ']',
    '#',
    '/',
    '~',
    ' ',
    '\u00a0',
    '\n',
    '\r',
    'é',
    '😀',
    '\uFEFF',
  ]
  const cells = fc.string({ unit: fc.constantFrom(...characters), maxLength: 8 })

  it('read back as the same cells in every dialect', async () => {
    await fc.assert(
      fc.asyncProperty(
        dialects,
        fc.array(fc.array(cells, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
        async (dialect, rows) => {
          expect(await cellsOf(await open(written(dialect, rows), dialect))).toEqual(rows)
        },
      ),
      { numRuns: 1500 },
    )
  })

  it.each(['windows-1252', 'iso-8859-15', 'koi8-r', 'macintosh', 'windows-1250', 'ibm866'])('read back in %s', async (encoding) => {
    const table = textEncoding(encoding)
    const points = table?.kind === 'single-byte' ? [...table.codePoints].filter((point) => point > 0) : []
    expect(points.length).toBeGreaterThan(200)
    const rows = points.map((point, i) => [String.fromCodePoint(point), String(i)])
    const dialect = dialectDocument.parse({ encoding, header: false })
    expect(await cellsOf(await open(written(dialect, rows), dialect))).toEqual(rows)
  })

  it('say "?" for a character that the encoding lacks', () => {
    expect(written(dialectDocument.parse({ encoding: 'windows-1252' }), [['€≤']])).toEqual(Buffer.from([0x80, 0x3f, 0x0d, 0x0a]))
  })

  it('never break where nothing can quote: what would end a cell becomes a space', async () => {
    const dialect = dialectDocument.parse({ quoteChar: null, header: false, commentChar: '#' })
    expect(await cellsOf(await open(written(dialect, [['#a,b\nc', '"x"']]), dialect))).toEqual([[' #a b c', '"x"']])
    const noEscape = dialectDocument.parse({ doubleQuote: false, header: false })
    expect(await cellsOf(await open(written(noEscape, [['say "x"', 'b']]), noEscape))).toEqual([["say 'x'", 'b']])
  })

  it('cannot be written in a dialect that contradicts itself', () => {
    expect(() => new CsvWriter(dialectDocument.parse({ encoding: 'gb18030' }))).toThrow(/encoding/)
  })
})

describe('encodings', () => {
  it('can be written: UTF-8, UTF-16 and the single-byte ones under all their labels', () => {
    for (const label of ['utf-8', 'UTF8', 'utf-16', 'utf-16be', 'latin1', 'iso-8859-1', 'cp1252', 'windows-1258', 'koi8-u']) {
      expect(isWritableEncoding(label), label).toBe(true)
    }
  })

  it('cannot be written: unknown ones and legacy ones of several bytes', () => {
    for (const label of ['', 'klingon', 'shift_jis', 'gbk', 'big5', 'euc-kr', 'iso-2022-jp'])
      expect(isWritableEncoding(label), label).toBe(false)
  })
})

describe('a mended file', () => {
  /** Reads a file, writes it again with two columns more, and reads that. */
  async function mended(
    text: string,
    document: Partial<DialectDocument>,
    kept: number[],
  ): Promise<{ reader: CsvReader; rows: string[][]; text: string }> {
    const dialect = dialectDocument.parse(document)
    const reader = await open(Buffer.from(text), dialect)
    const writer = new CsvWriter(dialect)
    const parts = writer.head(reader.preamble, [...kept.map((column) => reader.labels![column]!), '_line', '_errors'], kept)
    for (const row of await cellsOf(reader)) parts.push(writer.row([...kept.map((column) => row[column] ?? ''), '7', 'wrong, "so"']))
    const bytes = Buffer.concat(parts)
    const again = await open(bytes, dialect)
    return { reader: again, rows: await cellsOf(again), text: bytes.toString() }
  }

  it('has the same labels and the two new ones', async () => {
    const { reader, rows } = await mended('a,b\n1,2\n', {}, [0, 1])
    expect(reader.labels).toEqual(['a', 'b', '_line', '_errors'])
    expect(rows).toEqual([['1', '2', '7', 'wrong, "so"']])
  })

  it('keeps comments, titles and unit rows where the dialect expects them', async () => {
    const { reader, rows, text } = await mended(
      '# lab export\nTitle\na,b\nm,kg\n1,2\nx,y\n3,4\n',
      { commentChar: '#', headerRows: [2], commentRows: [3, 5], lineTerminator: '\n' },
      [0, 1],
    )
    expect(reader.labels).toEqual(['a', 'b', '_line', '_errors'])
    expect(rows.map((row) => row.slice(0, 2))).toEqual([
      ['1', '2'],
      ['3', '4'],
    ])
    expect(text.split('\n').slice(0, 4)).toEqual(['# lab export', 'Title', 'a,b,_line,_errors', 'm,kg'])
  })

  it('joins to the same labels where the header has several rows', async () => {
    const { reader } = await mended('fruit\nid,name,old\n1,apple,x\n', { headerRows: [1, 2], headerJoin: '-' }, [0, 1])
    expect(reader.labels).toEqual(['fruit-id', 'fruit-name', '_line', '_errors'])
  })

  it('has no header where the dialect has none', async () => {
    const dialect = dialectDocument.parse({ header: false })
    const reader = await open(Buffer.from('1,2\n'), dialect)
    expect(new CsvWriter(dialect).head(reader.preamble, null, [0, 1])).toEqual([])
  })

  it('starts with one byte order mark in UTF-16', async () => {
    const dialect = dialectDocument.parse({ encoding: 'utf-16le' })
    const writer = new CsvWriter(dialect)
    const bytes = Buffer.concat([...writer.head([{ kind: 'header', cells: ['a'], line: 1, rowNumber: 1 }], ['a'], [0]), writer.row(['1'])])
    expect(bytes.toString('utf16le')).toBe('\uFEFFa\r\n1\r\n')
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CsvReader, type CsvRow, openCsv } from '../../../src/csv/read-csv.js'
import { CsvWriter } from '../../../src/csv/write-csv.js'
import { type DialectDocument, dialectDocument } from '../../../src/documents/config.js'
import { IntakeError } from '../../../src/errors.js'

const LIMITS = { rowBytes: 1_000_000, columns: 1000 }

async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

const open = (text: string | Uint8Array, dialect: Partial<DialectDocument> = {}, sizes = [65_536], limits = LIMITS): Promise<CsvReader> =>
  openCsv({
    chunks: inChunks(typeof text === 'string' ? Buffer.from(text, 'utf8') : text, sizes),
    dialect: dialectDocument.parse(dialect),
    limits,
  })

async function rowsOf(reader: CsvReader): Promise<CsvRow[]> {
  const rows: CsvRow[] = []
  for await (const batch of reader.batches()) rows.push(...batch)
  return rows
}

/** Rows handed out, and what was thrown after them. */
async function untilFault(reader: CsvReader): Promise<{ rows: CsvRow[]; fault: IntakeError }> {
  const rows: CsvRow[] = []
  try {
    for await (const batch of reader.batches()) rows.push(...batch)
  } catch (error) {
    return { rows, fault: error as IntakeError }
  }
  throw new Error('nothing was thrown')
}

async function faultOf(promise: Promise<unknown>): Promise<IntakeError> {
  try {
    await promise
  } catch (error) {
    expect(error).toBeInstanceOf(IntakeError)
    return error as IntakeError
  }
  throw new Error('nothing was thrown')
}

const cellsOf = (rows: readonly CsvRow[]): string[][] => rows.map((row) => row.cells)
const linesOf = (rows: readonly CsvRow[]): number[] => rows.map((row) => row.line)

describe('rows and cells', () => {
  it('reads RFC 4180: quotes, doubled quotes, delimiters and line ends in cells', async () => {
    const reader = await open('a,b\r\n"x, ""y""","1\r\n2"\r\n,\r\n')
    expect(reader.labels).toEqual(['a', 'b'])
    expect(cellsOf(await rowsOf(reader))).toEqual([
      ['x, "y"', '1\r\n2'],
      ['', ''],
    ])
  })

  it('takes any line end, mixed ones too, and a last row without one', async () => {
    const reader = await open('a,b\r\n1,2\n3,4\r5,6')
    expect(cellsOf(await rowsOf(reader))).toEqual([
      ['1', '2'],
      ['3', '4'],
      ['5', '6'],
    ])
  })

  it('gives a blank line as one empty cell and a ragged row as it is', async () => {
    const reader = await open('a,b\n\n1\n1,2,3\n')
    expect(cellsOf(await rowsOf(reader))).toEqual([[''], ['1'], ['1', '2', '3']])
  })

  it('takes off a byte order mark of UTF-8, but no such character anywhere else', async () => {
    const reader = await open('\uFEFFa,\uFEFFb\n\uFEFF1,2\n', {}, [1])
    expect(reader.labels).toEqual(['a', '\uFEFFb'])
    expect(cellsOf(await rowsOf(reader))).toEqual([['\uFEFF1', '2']])
  })

  it('gives no value a meaning of its own: names such as __proto__ are labels like others', async () => {
    const reader = await open('__proto__,constructor\n1,2\n')
    expect(reader.labels).toEqual(['__proto__', 'constructor'])
    expect(cellsOf(await rowsOf(reader))).toEqual([['1', '2']])
  })

  it('hands out batches of at most a thousand rows and takes no chunk before it is needed', async () => {
    let taken = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a\n')
      for (;;) {
        taken++
        yield Buffer.from('1\n'.repeat(500))
      }
    }
    const reader = await openCsv({ chunks: endless(), dialect: dialectDocument.parse({}), limits: LIMITS })
    for await (const batch of reader.batches()) {
      expect(batch.length).toBe(1000)
      break
    }
    expect(taken).toBeLessThanOrEqual(4)
  })

  it('does not depend on how the bytes are cut', async () => {
    const text = 'é,b\r\n"a ""😀""\r\nx",2\r\n\r\n"",ü\n'
    const whole = await rowsOf(await open(text))
    for (const size of [1, 2, 3, 5, 7]) expect(await rowsOf(await open(text, {}, [size]))).toEqual(whole)
  })

  it('survives chunks whose memory is used again', async () => {
    async function* reused(): AsyncGenerator<Uint8Array> {
      const buffer = new Uint8Array(4)
      const text = Buffer.from('a,b\n"éé",2\n3,4\n')
      for (let at = 0; at < text.length; at += 4) {
        buffer.fill(0xff)
        const size = text.copy(buffer, 0, at, at + 4)
        yield buffer.subarray(0, size)
      }
    }
    const reader = await openCsv({ chunks: reused(), dialect: dialectDocument.parse({}), limits: LIMITS })
    expect(cellsOf(await rowsOf(reader))).toEqual([
      ['éé', '2'],
      ['3', '4'],
    ])
  })
})

describe('dialects', () => {
  it('reads other delimiters, of several characters too', async () => {
    expect(cellsOf(await rowsOf(await open('a\tb\n1,5\t2\n', { delimiter: '\t' })))).toEqual([['1,5', '2']])
    expect(cellsOf(await rowsOf(await open('a||b\n1|5||2\n', { delimiter: '||' })))).toEqual([['1|5', '2']])
  })

  it('reads another quote, and none at all', async () => {
    expect(cellsOf(await rowsOf(await open("a,b\n'x,y','it''s'\n", { quoteChar: "'" })))).toEqual([['x,y', "it's"]])
    expect(cellsOf(await rowsOf(await open('a,b\n"x,5" pipe\n', { quoteChar: null })))).toEqual([['"x', '5" pipe']])
  })

  it('reads escapes inside quoted cells', async () => {
    const rows = await rowsOf(await open('a,b\n"x\\"y\\\\","\\,"\n', { escapeChar: '\\', doubleQuote: false }))
    expect(cellsOf(rows)).toEqual([['x"y\\', ',']])
  })

  it('reads a terminator that is no line end', async () => {
    expect(cellsOf(await rowsOf(await open('a,b;1,2;3,4', { lineTerminator: ';' })))).toEqual([
      ['1', '2'],
      ['3', '4'],
    ])
  })

  it('turns the null sequence into an empty cell, and nothing that only holds it', async () => {
    expect(cellsOf(await rowsOf(await open('a,b\n\\N,x\\N\n', { nullSequence: '\\N' })))).toEqual([['', 'x\\N']])
  })

  it('skips white space after a delimiter only where asked', async () => {
    expect(cellsOf(await rowsOf(await open('a,b\n1, 2\n')))).toEqual([['1', ' 2']])
    expect(cellsOf(await rowsOf(await open('a\t b\n1\t  2 \n\t\n', { skipInitialSpace: true, delimiter: '\t' })))).toEqual([
      ['1', '2 '],
      ['', ''],
    ])
    expect(cellsOf(await rowsOf(await open('a, b\n1, "2 "\n', { skipInitialSpace: true })))).toEqual([['1', '2 ']])
  })

  it('joins several header rows; an upper one that ends early goes on', async () => {
    const reader = await open('fruit\nid,name\n1,apple\n', { headerRows: [1, 2], headerJoin: '-' })
    expect(reader.labels).toEqual(['fruit-id', 'fruit-name'])
    const blanks = await open('size,,x\nlength,width,\n1,2,3\n', { headerRows: [1, 2] })
    expect(blanks.labels).toEqual(['size length', 'width', 'x'])
  })

  it('leaves rows above the header and comment rows out, wherever they are, and shows what it left out', async () => {
    const reader = await open('Title\na,b\nm,kg\n1,2\nx\n3,4\n', { headerRows: [2], commentRows: [3, 5] })
    expect(reader.labels).toEqual(['a', 'b'])
    expect(reader.preamble).toEqual([
      { kind: 'skipped', cells: ['Title'], line: 1, rowNumber: 1 },
      { kind: 'header', cells: ['a', 'b'], line: 2, rowNumber: 2 },
      { kind: 'comment-row', cells: ['m', 'kg'], line: 3, rowNumber: 3 },
    ])
    expect(await rowsOf(reader)).toEqual([
      { cells: ['1', '2'], line: 4, rowNumber: 4 },
      { cells: ['3', '4'], line: 6, rowNumber: 6 },
    ])
  })

  it('leaves comment lines out without counting them as rows; quotes in them mean nothing', async () => {
    const reader = await open('# it\'s "so\n#\na,b\n# "\n1,2\n"#3",4\n5,#6\n', { commentChar: '#' }, [3])
    expect(reader.labels).toEqual(['a', 'b'])
    expect(reader.preamble).toEqual([
      { kind: 'comment', text: '# it\'s "so', line: 1 },
      { kind: 'comment', text: '#', line: 2 },
      { kind: 'header', cells: ['a', 'b'], line: 3, rowNumber: 1 },
      { kind: 'comment', text: '# "', line: 4 },
    ])
    expect(await rowsOf(reader)).toEqual([
      { cells: ['1', '2'], line: 5, rowNumber: 2 },
      { cells: ['#3', '4'], line: 6, rowNumber: 3 },
      { cells: ['5', '#6'], line: 7, rowNumber: 4 },
    ])
  })

  it('has no labels where the dialect has no header', async () => {
    const reader = await open('1,2\n3,4\n', { header: false })
    expect(reader.labels).toBeNull()
    expect(linesOf(await rowsOf(reader))).toEqual([1, 2])
  })

  it.each([
    ['utf-16le', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('é,b\n😀,2\n', 'utf16le')])],
    ['utf-16le', Buffer.from('é,b\n😀,2\n', 'utf16le')],
    ['utf-16', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from('é,b\n😀,2\n', 'utf16le').swap16()])],
    ['utf-16be', Buffer.from('é,b\n😀,2\n', 'utf16le').swap16()],
  ])('reads %s, with and without its mark', async (encoding, bytes) => {
    for (const size of [1, 3, 100]) {
      const reader = await open(bytes, { encoding }, [size])
      expect(reader.labels).toEqual(['é', 'b'])
      expect(cellsOf(await rowsOf(reader))).toEqual([['😀', '2']])
    }
  })

  it('reads windows-1252 by its table, typographic quotes included', async () => {
    const reader = await open(Uint8Array.from([0x61, 0x0a, 0x93, 0x80, 0xe9, 0x94, 0x0a]), { encoding: 'windows-1252' })
    expect(cellsOf(await rowsOf(reader))).toEqual([['“€é”']])
  })

  it.each([
    [{ encoding: 'shift_jis' }, 'encoding'],
    [{ encoding: 'no-such' }, 'encoding'],
    [{ delimiter: '"' }, 'delimiter'],
    [{ delimiter: '\n' }, 'delimiter'],
    [{ commentChar: ',' }, 'commentChar'],
    [{ commentChar: '"' }, 'commentChar'],
    [{ quoteChar: null, escapeChar: '\\' }, 'escapeChar'],
    [{ delimiter: '\t|', skipInitialSpace: true }, 'skipInitialSpace'],
    [{ headerRows: [1], commentRows: [1] }, 'headerRows'],
  ])('refuses a dialect that contradicts itself: %j', async (dialect, word) => {
    const error = await faultOf(open('a\n', dialect))
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message).toContain(word)
  })
})

describe('what is wrong with a file as a whole', () => {
  it.each([
    ['', {}],
    ['\uFEFF', {}],
  ])('EMPTY_FILE: %j', async (text, dialect) => {
    expect((await faultOf(open(text, dialect))).code).toBe('EMPTY_FILE')
  })

  it.each(['\n', '\r\n', ',,\n1,2,3\n', ' , \n', '"",""\n'])('BLANK_HEADER: %j', async (text) => {
    const error = await faultOf(open(text))
    expect(error.code).toBe('BLANK_HEADER')
    expect(error.data.line).toBe(1)
  })

  it('BLANK_HEADER where the file ends before its header', async () => {
    expect((await faultOf(open('# only\n# comments\n', { commentChar: '#' }))).code).toBe('BLANK_HEADER')
    expect((await faultOf(open('a\n', { headerRows: [1, 2] }))).code).toBe('BLANK_HEADER')
  })

  it.each([1, 4, 1000])('NOT_UTF8 with its line, after the rows before it (chunks of %i)', async (size) => {
    const bytes = Buffer.concat([Buffer.from('a,b\r\n1,2\r\n"x\r\ny",3\r\n4,'), Buffer.from([0xe9]), Buffer.from('\r\n5,6\r\n')])
    const { rows, fault } = await untilFault(await open(bytes, {}, [size]))
    expect(cellsOf(rows)).toEqual([
      ['1', '2'],
      ['x\r\ny', '3'],
    ])
    expect(fault.code).toBe('NOT_UTF8')
    expect(fault.data.line).toBe(5)
  })

  it.each([
    ['overlong form', [0xc0, 0x80]],
    ['surrogate', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['stray continuation', [0x80]],
    ['cut at the end of the file', [0xe2, 0x82]],
  ])('NOT_UTF8: %s', async (_, bad) => {
    const { fault } = await untilFault(await open(Buffer.concat([Buffer.from('a\n1\n'), Buffer.from(bad)])))
    expect(fault.code).toBe('NOT_UTF8')
    expect(fault.data.line).toBe(3)
  })

  it('names another encoding where the bytes are not of it', async () => {
    const { fault } = await untilFault(await open(Uint8Array.from([0x61, 0x0a, 0x31, 0x0a, 0xd2, 0x0a]), { encoding: 'windows-1253' }))
    expect(fault.code).toBe('NOT_UTF8')
    expect(fault.message).toContain('windows-1253')
    const half = await untilFault(
      await open(Buffer.concat([Buffer.from('a\n1\n', 'utf16le'), Buffer.from([0x00, 0xd8, 0x31, 0x00])]), { encoding: 'utf-16le' }),
    )
    expect(half.fault.data.line).toBe(3)
  })

  it('NUL_BYTE with its line, after the rows before it', async () => {
    for (const size of [1, 1000]) {
      const { rows, fault } = await untilFault(await open('a,b\n1,2\n3,\0\n', {}, [size]))
      expect(cellsOf(rows)).toEqual([['1', '2']])
      expect(fault.code).toBe('NUL_BYTE')
      expect(fault.data.line).toBe(3)
    }
  })

  it('takes UTF-16 for UTF-16 and not for UTF-8 with NUL bytes', async () => {
    const fault = await faultOf(open(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('a,b\n', 'utf16le')])))
    expect(fault.code).toBe('NOT_UTF8')
    expect(fault.message).toContain('UTF-16')
  })

  it.each([1, 1000])('QUOTE_NOT_CLOSED names the line of the quote, not that of the row (chunks of %i)', async (size) => {
    const { rows, fault } = await untilFault(await open('a,b\n1,2\n"x\ny","open\n3,4\n', {}, [size]))
    expect(cellsOf(rows)).toEqual([['1', '2']])
    expect(fault.code).toBe('QUOTE_NOT_CLOSED')
    expect(fault.data.line).toBe(4)
  })

  it.each([
    ['a quote inside an unquoted cell', 'a,b\n1,2\n"x\ny",z"z\n', 4, 4],
    ['text after a closing quote', 'a,b\n1,2\n"x\ny"z,3\n', 4, 3],
    ['white space after a closing quote', 'a,b\n1,2\n"x" ,3\n', 3, 3],
  ])('QUOTE_MISPLACED: %s', async (_, text, line, opened) => {
    for (const size of [1, 1000]) {
      const { rows, fault } = await untilFault(await open(text, {}, [size]))
      expect(cellsOf(rows)).toEqual([['1', '2']])
      expect(fault.code).toBe('QUOTE_MISPLACED')
      expect(fault.data).toMatchObject({ line, opened_line: opened })
    }
  })

  it.each(['a,b\n1,2\n"x"#y,3\n', 'a,b\n1,2\n""#y,3\n', 'a,b\n1,2\n3,"x"#\n'])(
    'QUOTE_MISPLACED: a comment character after a closing quote is text like any other: %j',
    async (text) => {
      const { rows, fault } = await untilFault(await open(text, { commentChar: '#' }))
      expect(cellsOf(rows)).toEqual([['1', '2']])
      expect(fault.code).toBe('QUOTE_MISPLACED')
    },
  )

  it('but a quote and a comment character inside a cell are its text', async () => {
    expect(cellsOf(await rowsOf(await open('a\n"say ""x""#1"\n', { commentChar: '#' })))).toEqual([['say "x"#1']])
  })

  it('LIMIT_EXCEEDED by bytes of a row, before the row ends and after', async () => {
    const limits = { rowBytes: 20, columns: 10 }
    const long = await untilFault(await open(`a\n1\n${'x'.repeat(30)}\n2\n`, {}, [7], limits))
    expect(cellsOf(long.rows)).toEqual([['1']])
    expect(long.fault).toMatchObject({ code: 'LIMIT_EXCEEDED', data: { line: 3, limit: 'rowBytes', allowed: 20 } })
    const quoted = await untilFault(await open(`a\n1\n"${'x\n'.repeat(30)}`, {}, [64], limits))
    expect(quoted.fault.message).toContain('opened in line 3')
    expect(await rowsOf(await open(`a\n${'x'.repeat(19)}\n`, {}, [1], limits))).toHaveLength(1)
  })

  it('LIMIT_EXCEEDED by cells of a row', async () => {
    const { fault } = await untilFault(await open('a\n1,2,3\n', {}, [100], { rowBytes: 100, columns: 2 }))
    expect(fault).toMatchObject({ code: 'LIMIT_EXCEEDED', data: { line: 2, limit: 'columns', allowed: 2 } })
  })

  it('passes on an error of whoever gives the bytes', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a\n1\n')
      throw new Error('disk gone')
    }
    const read = async (): Promise<CsvRow[]> =>
      rowsOf(await openCsv({ chunks: broken(), dialect: dialectDocument.parse({}), limits: LIMITS }))
    await expect(read()).rejects.toThrow('disk gone')
  })
})

describe('physical lines', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', 'é', '😀', ',', '"', '\n', '\r', '\r\n', '#', ' ', ';'), maxLength: 6 })
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('row' as const), cells: fc.array(cell, { minLength: 1, maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('blank' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('comment' as const), text: fc.constantFrom('', ' x', '"', ' a,"b') }) },
  )

  it('are those of a plain count over the bytes, whatever stands in cells and comments', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 12 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
        async (pieces, end, sizes) => {
          const dialect = dialectDocument.parse({ commentChar: '#', lineTerminator: end })
          const writer = new CsvWriter(dialect)
          let text = `h${end}`
          const expected: { cells: string[]; line: number }[] = []
          for (const p of pieces) {
            // Every line end in the text so far, counted in the dullest way.
            const line = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n').length
            if (p.kind === 'row') {
              expected.push({ cells: p.cells, line })
              text += Buffer.from(writer.row(p.cells)).toString('utf8')
            } else if (p.kind === 'blank') {
              expected.push({ cells: [''], line })
              text += end
            } else text += `#${p.text}${end}`
          }
          const rows = await rowsOf(await open(text, { commentChar: '#', lineTerminator: end }, sizes))
          expect(rows.map(({ cells, line }) => ({ cells, line }))).toEqual(expected)
        },
      ),
      { numRuns: 300 },
    )
  })
})

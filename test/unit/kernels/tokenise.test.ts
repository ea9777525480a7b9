import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { openCsv } from '../../../src/csv/read-csv.js'
import { DEFAULT_DIALECT } from '../../../src/documents/config.js'
import type { Kernels, TokeniseResult } from '../../../src/kernels/kernels.js'
import { loadBothForms, scratch, soil } from './both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

interface Outcome extends TokeniseResult {
  /** Cells as they stand, quotes included; offsets in `result` count from the document. */
  readonly rows: string[][]
}

interface Options {
  readonly width: number
  readonly final?: boolean
  readonly delimiter?: string
  readonly quote?: string
  readonly maxRows?: number
  readonly seed?: number
}

function tokeniseWith(kernels: Kernels, text: string | Uint8Array, options: Options): Outcome {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text
  const { width, final = true, delimiter = ',', quote = '"', maxRows = bytes.length + 1, seed = 1 } = options
  return scratch(kernels, () => {
    const start = soil(kernels, bytes.length, seed)
    // What a look before the start would mistake for a part of the first record.
    kernels.u8[start - 1] = seed === 1 ? 0x0d : 0x22
    kernels.u8.set(bytes, start)
    const end = start + bytes.length
    const out = kernels.allocate(maxRows * (width + 1) * 4 + 4)
    const fence = (out >>> 2) + maxRows * (width + 1)
    kernels.u32[fence] = 0xfeedface
    const quoteByte = quote === '' ? 0 : quote.charCodeAt(0)
    const count = kernels.tokenise(start, end, final, width, delimiter.charCodeAt(0), quoteByte, out, maxRows)
    expect(kernels.u32[fence]).toBe(0xfeedface)
    const rows: string[][] = []
    for (let row = 0; row < count; row++) {
      const words = (out >>> 2) + row * (width + 1)
      const cells: string[] = []
      for (let c = 0; c < width; c++) {
        const [from, to] = [kernels.u32[words + c]!, kernels.u32[words + c + 1]! - 1]
        if (from < start || to < from || to > end) throw new Error(`field ${c} of row ${row} is [${from - start}, ${to - start})`)
        cells.push(Buffer.from(kernels.u8.subarray(from, to)).toString('latin1'))
      }
      rows.push(cells)
    }
    const { next, status, recordEnd, fields } = kernels.result
    return { rows, next: next - start, status, recordEnd: recordEnd - start, fields }
  })
}

/** The rules once more, in another way: one regular expression a field, over a text of one character a byte. */
function model(bytes: Uint8Array, options: Options): Outcome {
  const { width, final = true, delimiter = ',', quote = '"', maxRows = Number.POSITIVE_INFINITY } = options
  const text = Buffer.from(bytes).toString('latin1')
  const d = delimiter.replace(/[\\|^\].*+?(){}$]/g, '\\$&')
  const plain = new RegExp(`[^${d}${quote}\\r\\n\\0]*`, 'y')
  const quoted = quote === '' ? null : new RegExp(`${quote}(?:[^${quote}\\0]|${quote}${quote})*`, 'y')
  const rows: string[][] = []
  let at = 0
  while (at < text.length && rows.length < maxRows) {
    const record = at
    const cells: string[] = []
    for (;;) {
      const pattern = quoted !== null && text[at] === quote ? quoted : plain
      pattern.lastIndex = at
      const start = at
      at += pattern.exec(text)![0].length
      if (pattern === quoted) {
        if (at < text.length && text[at] === '\0') return { rows, next: record, status: 'odd', recordEnd: at, fields: 0 }
        if (at === text.length) {
          return final
            ? { rows, next: record, status: 'odd', recordEnd: at, fields: 0 }
            : { rows, next: record, status: 'more', recordEnd: record, fields: 0 }
        }
        at++
      }
      if (at === text.length) {
        if (!final) return { rows, next: record, status: 'more', recordEnd: record, fields: 0 }
        cells.push(text.slice(start, at))
        break
      }
      if (text[at] === delimiter) {
        cells.push(text.slice(start, at))
        at++
        continue
      }
      if (text[at] === '\n' || text.startsWith('\r\n', at)) {
        cells.push(text.slice(start, at))
        at += text[at] === '\n' ? 1 : 2
        break
      }
      if (text[at] === '\r' && at + 1 === text.length && !final) return { rows, next: record, status: 'more', recordEnd: record, fields: 0 }
      return { rows, next: record, status: 'odd', recordEnd: at, fields: 0 }
    }
    if (cells.length !== width) {
      const blank = cells.length === 1 && cells[0] === ''
      return { rows, next: record, status: blank ? 'blank' : 'ragged', recordEnd: at, fields: cells.length }
    }
    rows.push(cells)
  }
  return { rows, next: at, status: 'more', recordEnd: at, fields: 0 }
}

/** A quote that is still open, or closed by the very last byte, can be told from a doubled one only by what follows. */
function expectAsModel(bytes: Uint8Array, options: Options): Outcome {
  const expected = model(bytes, options)
  for (const kernels of forms) {
    for (const seed of [1, 77]) expect(tokeniseWith(kernels, bytes, { ...options, seed }), kernels.name).toEqual(expected)
  }
  return expected
}

const piece = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'bc', '1.5', 'längere Zelle', 'x'.repeat(20), ' ') },
  { weight: 6, arbitrary: fc.constant(',') },
  { weight: 4, arbitrary: fc.constantFrom('\n', '\r\n') },
  { weight: 4, arbitrary: fc.constantFrom('"', '""', '"q"', '"a,b"', '"a\nb"', '"say ""x"""', '"\r"') },
  { weight: 1, arbitrary: fc.constantFrom('\r', '\0', '\xff', ';', "'", '\n\n') },
)
const wild = fc.array(piece, { maxLength: 60 }).map((pieces) => Buffer.from(pieces.join(''), 'utf8'))

const cell = fc.oneof(
  fc.constantFrom('', 'a', 'BH-1001', '3.25', '""', '"x"', '"a,b"', '"1\r\n2"', '"dit ""dat"""', 'ÄÖ'),
  fc.string({ minLength: 0, maxLength: 70 }).map((text) => text.replace(/[",\r\n\0]/g, 'q')),
)
/** Documents that are mostly right, and long enough for many blocks. */
const tame = fc
  .record({
    width: fc.integer({ min: 1, max: 6 }),
    rows: fc.array(fc.array(cell, { minLength: 6, maxLength: 6 }), { maxLength: 40 }),
    crlf: fc.boolean(),
    ended: fc.boolean(),
    damage: fc.option(
      fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), with: fc.constantFrom('"', '\r', ',', '\n', '\0', 'a') }),
      {
        freq: 2,
      },
    ),
  })
  .map(({ width, rows, crlf, ended, damage }) => {
    const end = crlf ? '\r\n' : '\n'
    let text = rows.map((cells) => cells.slice(0, width).join(',')).join(end) + (ended ? end : '')
    if (damage !== null) {
      const at = Math.floor(damage.at * text.length)
      text = text.slice(0, at) + damage.with + text.slice(at)
    }
    return { width, bytes: Buffer.from(text, 'utf8') }
  })

describe('tokenise', () => {
  it('does what the model does, on anything', () => {
    fc.assert(
      fc.property(wild, fc.integer({ min: 1, max: 4 }), fc.boolean(), (bytes, width, final) => {
        expectAsModel(bytes, { width, final })
      }),
      { numRuns: 1500 },
    )
  })

  it('does what the model does, on long documents that are right or nearly so', () => {
    fc.assert(
      fc.property(tame, fc.boolean(), ({ width, bytes }, final) => {
        expectAsModel(bytes, { width, final })
      }),
      { numRuns: 600 },
    )
  })

  it('does so with other delimiters and quotes, and without quotes', () => {
    fc.assert(
      fc.property(
        wild,
        fc.constantFrom(';', '\t', '|'),
        fc.constantFrom("'", '"', ''),
        fc.integer({ min: 1, max: 3 }),
        (bytes, delimiter, quote, width) => {
          expectAsModel(bytes, { width, delimiter, quote })
        },
      ),
      { numRuns: 500 },
    )
  })

  it('looks at nothing behind the end and nothing before the start, wherever they lie in a block', () => {
    for (let length = 0; length <= 200; length++) {
      const text = 'ab,"c d",e\r\nf,"g""h",i\n'.repeat(10).slice(0, length)
      for (const final of [false, true]) expectAsModel(Buffer.from(text), { width: 3, final })
      expectAsModel(Buffer.from(`${'x'.repeat(length)}\n`), { width: 1 })
    }
  })

  it.each(['"q"', '""', '"a""b"', '"a\nb"', '\r\n', '\n', ',', 'a"b', '"a"b', '\r', '\0', '"\0"', '"open'])(
    'takes %j for what it is at every place of a block',
    (what) => {
      for (let before = 0; before < 132; before++) {
        for (const tail of ['', '\n', 'y\n', ',z\n', 'y,z\nlast']) {
          expectAsModel(Buffer.from(`${'p'.repeat(before)}${what}${tail}`), { width: 1 })
          expectAsModel(Buffer.from(`${'p'.repeat(before)},${what}${tail}`), { width: 2 })
          expectAsModel(Buffer.from(`a,b\n${'p'.repeat(before)},${what}${tail}`), { width: 2, final: false })
        }
      }
    },
  )

  it('leaves nothing that is plain and ends in a line end to the slow form', () => {
    const [, kernels] = forms
    const { code } = kernels as unknown as { code: { tokenise: (...parameters: number[]) => number } }
    const expectAll = (bytes: Uint8Array, width: number): void => {
      const { rows, next, status } = model(bytes, { width, final: false })
      if (status !== 'more') return
      scratch(kernels, () => {
        const start = soil(kernels, bytes.length)
        kernels.u8.set(bytes, start)
        const out = kernels.allocate((bytes.length + 1) * (width + 1) * 4)
        expect(code.tokenise(start, start + bytes.length, width, 44, 34, out, bytes.length + 1)).toBe(rows.length)
        expect(kernels.u32[0]! - start).toBe(next)
      })
    }
    for (let before = 0; before < 132; before++) {
      const plain = 'p'.repeat(before)
      for (const text of [`${plain},"q"\n`, `${plain},\r\n"q",""\r\n`, `"${plain}","a""b"\n`, `"${plain}""",\n`])
        expectAll(Buffer.from(text), 2)
    }
    fc.assert(
      fc.property(tame, ({ width, bytes }) => {
        expectAll(bytes, width)
      }),
      { numRuns: 500 },
    )
  })

  it('goes on where it stopped', () => {
    fc.assert(
      fc.property(tame, fc.integer({ min: 1, max: 5 }), ({ width, bytes }, maxRows) => {
        const whole = model(bytes, { width })
        for (const kernels of forms) {
          const rows: string[][] = []
          let at = 0
          for (;;) {
            const part = tokeniseWith(kernels, bytes.subarray(at), { width, maxRows })
            expect(part.rows.length).toBeLessThanOrEqual(maxRows)
            rows.push(...part.rows)
            at += part.next
            if (part.rows.length < maxRows) {
              expect([part.status, at]).toEqual([whole.status, whole.next])
              break
            }
            expect(part.status).toBe('more')
          }
          expect(rows).toEqual(whole.rows)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('never takes a record that could go on, wherever the data is cut', () => {
    const text = 'a,"b ""c""\r\nd"\r\ne,\n"",""\n,"x"'
    const whole = model(Buffer.from(text), { width: 2 })
    for (let cut = 0; cut <= text.length; cut++) {
      const part = expectAsModel(Buffer.from(text.slice(0, cut)), { width: 2, final: false })
      expect(part.status).toBe('more')
      expect(part.rows).toEqual(whole.rows.slice(0, part.rows.length))
      expect(text.slice(0, cut).slice(part.next)).not.toMatch(/^[^"]*\n/)
    }
  })

  it.each([
    ['a,b\nc\n', { rows: [['a', 'b']], next: 4, status: 'ragged', recordEnd: 6, fields: 1 }],
    ['a,b\nc,d,e\r\nf,g\n', { rows: [['a', 'b']], next: 4, status: 'ragged', recordEnd: 11, fields: 3 }],
    ['a,b\n\nc,d\n', { rows: [['a', 'b']], next: 4, status: 'blank', recordEnd: 5, fields: 1 }],
    ['a,b\n\r\n', { rows: [['a', 'b']], next: 4, status: 'blank', recordEnd: 6, fields: 1 }],
    ['a,b\n""\n', { rows: [['a', 'b']], next: 4, status: 'ragged', recordEnd: 7, fields: 1 }],
    ['a,b\nc,d"\n', { rows: [['a', 'b']], next: 4, status: 'odd', recordEnd: 7, fields: 0 }],
    ['a,b\nc,"d" \n', { rows: [['a', 'b']], next: 4, status: 'odd', recordEnd: 9, fields: 0 }],
    ['a,b\nc,"d', { rows: [['a', 'b']], next: 4, status: 'odd', recordEnd: 8, fields: 0 }],
    ['a,b\nc\rd\n', { rows: [['a', 'b']], next: 4, status: 'odd', recordEnd: 5, fields: 0 }],
    ['a,b\nc,d\r', { rows: [['a', 'b']], next: 4, status: 'odd', recordEnd: 7, fields: 0 }],
    ['a,b\nc,\0\n', { rows: [['a', 'b']], next: 4, status: 'odd', recordEnd: 6, fields: 0 }],
    ['', { rows: [], next: 0, status: 'more', recordEnd: 0, fields: 0 }],
    ['a,b\n', { rows: [['a', 'b']], next: 4, status: 'more', recordEnd: 4, fields: 0 }],
    ['a,', { rows: [['a', '']], next: 2, status: 'more', recordEnd: 2, fields: 0 }],
  ] as const)('says of %j what it is', (text, expected) => {
    for (const kernels of forms) expect(tokeniseWith(kernels, text, { width: 2 })).toEqual(expected)
  })

  it('takes an empty line for an empty cell where there is one column', () => {
    for (const kernels of forms) expect(tokeniseWith(kernels, 'a\n\n\r\nb', { width: 1 }).rows).toEqual([['a'], [''], [''], ['b']])
  })

  it('takes records longer than any block', () => {
    const long = `"${'line\n'.repeat(30_000)}"`
    for (const kernels of forms) {
      const { rows, status } = tokeniseWith(kernels, `1,${long}\n2,b\n`, { width: 2, maxRows: 4 })
      expect(status).toBe('more')
      expect(rows).toEqual([
        ['1', long],
        ['2', 'b'],
      ])
    }
  })

  it('takes a thousand columns, and stops at one too many and one too few', () => {
    const columns = Array.from({ length: 1000 }, (_, i) => (i % 7 === 0 ? '' : `c${i}`))
    for (const kernels of forms) {
      expect(tokeniseWith(kernels, `${columns.join(',')}\r\n`, { width: 1000, maxRows: 2 }).rows).toEqual([columns])
      expect(tokeniseWith(kernels, `${columns.join(',')},\n`, { width: 1000, maxRows: 2 })).toMatchObject({
        status: 'ragged',
        fields: 1001,
      })
      expect(tokeniseWith(kernels, `${columns.slice(1).join(',')}\n`, { width: 1000, maxRows: 2 })).toMatchObject({
        status: 'ragged',
        fields: 999,
      })
    }
  })

  it('gives the cells that csv-parse gives', async () => {
    const value = fc.oneof(
      fc.constantFrom('', 'a', ' b ', 'c,d', 'e"f', 'g\r\nh', 'ö\ni', '"', '""'),
      fc.string({ unit: 'binary', maxLength: 20 }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 4 }),
        fc.array(fc.array(value, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        fc.boolean(),
        async (width, table, crlf, always) => {
          const clean = table.map((cells) => cells.slice(0, width).map((text) => text.replaceAll('\0', '').toWellFormed()))
          const line = crlf ? '\r\n' : '\n'
          const written = (text: string): string => (always || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
          const body = clean.map((cells) => cells.map(written).join(',') + line).join('')
          const head = Array.from({ length: width }, (_, i) => `h${i}`).join(',') + line
          const reader = await openCsv({
            chunks: (async function* () {
              yield Buffer.from(head + body)
            })(),
            dialect: DEFAULT_DIALECT,
            limits: { rowBytes: 1e6, columns: 100 },
          })
          const expected: (readonly string[])[] = []
          for await (const batch of reader.batches()) for (const row of batch) expected.push(row.cells)
          for (const kernels of forms) {
            const { rows, status } = tokeniseWith(kernels, body, { width })
            expect(status).toBe('more')
            const cells = rows.map((row) =>
              row.map((raw) => {
                const text = Buffer.from(raw, 'latin1').toString('utf8')
                return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
              }),
            )
            expect(cells).toEqual(expected)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('quote parity and record starts', () => {
  it('counts bytes between the two addresses and no others', () => {
    fc.assert(
      fc.property(wild, fc.nat(200), (bytes, cut) => {
        const part = bytes.subarray(Math.min(cut, bytes.length))
        const quotes = part.filter((byte) => byte === 0x22).length
        const feeds = part.filter((byte) => byte === 0x0a).length
        for (const kernels of forms) {
          scratch(kernels, () => {
            const start = soil(kernels, part.length)
            kernels.u8.set(part, start)
            expect(kernels.countByte(start, start + part.length, 0x0a)).toBe(feeds)
            expect(kernels.quoteParity(start, start + part.length, 0x22)).toBe(quotes & 1)
            expect(kernels.quoteParity(start, start + part.length, 0)).toBe(0)
          })
        }
      }),
    )
  })

  it('finds the record after a cut: every record is found from every place within the one before', () => {
    const text = 'a,"b\nc"\n"d""\n",e\nf,g\n'
    const bytes = Buffer.from(text)
    const starts = [8, 17, 21]
    for (const kernels of forms) {
      scratch(kernels, () => {
        const start = soil(kernels, bytes.length)
        kernels.u8.set(bytes, start)
        for (let cut = 0; cut < bytes.length; cut++) {
          const inside = kernels.quoteParity(start, start + cut, 0x22)
          const expected = starts.find((s) => s > cut)!
          // Between the two quotes of a doubled one the parity says "outside", and it is.
          expect(kernels.recordAfter(start + cut, start + bytes.length, 0x22, inside) - start).toBe(expected)
        }
        expect(kernels.recordAfter(start, start + 5, 0x22, 0)).toBe(-1)
      })
    }
  })
})

describe('skipRecords', () => {
  /** Byte by byte: line ends outside quotes, at most so many. */
  function model(text: Uint8Array, inside: 0 | 1, most: number): { count: number; next: number; inside: 0 | 1 } {
    let quoted = inside === 1
    let count = 0
    let next = -1
    for (const [i, byte] of text.entries()) {
      if (byte === 0x22) quoted = !quoted
      if (byte !== 0x0a || quoted) continue
      count++
      next = i + 1
      if (count === most) return { count, next, inside: 0 }
    }
    return { count, next, inside: quoted ? 1 : 0 }
  }

  it('counts line ends outside quotes up to a number, in both forms and over soiled memory', () => {
    const piece = fc.constantFrom('a', '"', '""', '\n', '\r\n', ',', 'é', 'long text without anything in it, '.repeat(3))
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 80 }),
        fc.constantFrom<0 | 1>(0, 1),
        fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 100 })),
        (pieces, inside, most) => {
          const text = Buffer.from(pieces.join(''))
          const expected = model(text, inside, most)
          for (const kernels of forms) {
            scratch(kernels, () => {
              const at = soil(kernels, text.length, pieces.length + 1)
              kernels.u8.set(text, at)
              expect(kernels.skipRecords(at, at + text.length, 0x22, inside, most), kernels.name).toBe(expected.count)
              const { next, inside: left } = kernels.skipped
              expect({ next: next === 0 ? -1 : next - at, inside: left }, kernels.name).toEqual({
                next: expected.next,
                inside: expected.inside,
              })
            })
          }
        },
      ),
    )
  })

  it('knows no quotes where there are none', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const at = kernels.allocate(8)
        kernels.u8.set(Buffer.from('"a\n"b\nc'), at)
        expect(kernels.skipRecords(at, at + 7, 0, 0, 9)).toBe(2)
        expect([kernels.skipped.next - at, kernels.skipped.inside]).toEqual([6, 0])
      })
    }
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { plainLabels } from '../../../src/csv/plain-header.js'
import { openCsv } from '../../../src/csv/read-csv.js'
import { DEFAULT_DIALECT } from '../../../src/documents/defaults.js'

const limits = { rowBytes: 1000, columns: 8 }

async function parsed(line: Uint8Array, delimiter: string): Promise<readonly string[] | null> {
  try {
    const chunks = (async function* () {
      yield line
    })()
    return (await openCsv({ chunks, dialect: { ...DEFAULT_DIALECT, delimiter }, limits })).labels
  } catch {
    return null
  }
}

describe('labels of a plain header', () => {
  test.each([
    ['a,b\n', ['a', 'b']],
    ['a,b\r\n', ['a', 'b']],
    ['\uFEFFa,b\n', ['a', 'b']],
    ['Tiefe, m,Größe,\n', ['Tiefe', ' m', 'Größe', '']],
    ['one\n', ['one']],
  ])('%j', (text, labels) => {
    expect(plainLabels(Buffer.from(text), ',', limits)).toEqual(labels)
  })

  test.each([
    ['a quote', 'a,"b"\n'],
    ['no line end', 'a,b'],
    ['a line end of old', 'a\rb\n'],
    ['two lines', 'a\nb\n'],
    ['nothing', '\n'],
    ['blanks', ' , \n'],
    ['a NUL', 'a,\0\n'],
    ['a second byte order mark', '\uFEFF\uFEFFa\n'],
    ['too many cells', 'a,b,c,d,e,f,g,h,i\n'],
    ['too many bytes', `${'x'.repeat(1000)}\n`],
  ])('%s is left to csv-parse', (_, text) => {
    expect(plainLabels(Buffer.from(text), ',', limits)).toBeNull()
  })

  test('bytes that are no UTF-8 are left to csv-parse', () => {
    expect(plainLabels(Buffer.from([0x61, 0xe9, 0x2c, 0x62, 0x0a]), ',', limits)).toBeNull()
  })

  test('where it gives labels, csv-parse gives the same', async () => {
    const character = fc.constantFrom('a', 'Z', 'ß', '漢', '😀', ' ', ',', ';', '\t', '"', '\r', '\uFEFF', '\0', '#', '\u2028', '\u0085')
    const text = fc.string({ unit: character, maxLength: 20 })
    const end = fc.constantFrom('\n', '\r\n')
    await fc.assert(
      fc.asyncProperty(text, end, fc.constantFrom(',', ';', '\t'), async (body, lineEnd, delimiter) => {
        const line = Buffer.from(body + lineEnd)
        const labels = plainLabels(line, delimiter, limits)
        if (labels !== null) expect(await parsed(line, delimiter)).toEqual(labels)
      }),
      { numRuns: 500 },
    )
  })
})

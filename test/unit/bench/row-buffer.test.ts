import { expect, test } from 'vitest'
import { Random } from '../../bench/random.js'
import { RowBuffer } from '../../bench/row-buffer.js'
import { shapeNamed } from '../../bench/shapes/all.js'

function written(write: (out: RowBuffer) => void): string {
  const out = new RowBuffer()
  write(out)
  return out.take().toString('utf8')
}

test('days and instants are those of the calendar', () => {
  const random = new Random(7)
  for (let i = 0; i < 20_000; i++) {
    const ms = random.belowLarge(4e12)
    const iso = new Date(ms).toISOString()
    expect(written((out) => out.instant(ms))).toBe(iso)
    expect(written((out) => out.date(Math.floor(ms / 86_400_000)))).toBe(iso.slice(0, 10))
  }
})

test('numbers keep all their digits', () => {
  expect(written((out) => out.digits(0).comma().digits(7, 3).comma().digits(1234, 3))).toBe('0,007,1234')
  expect(written((out) => out.digits(Number.MAX_SAFE_INTEGER))).toBe(String(Number.MAX_SAFE_INTEGER))
  expect(written((out) => out.fixed(5, 2).comma().fixed(123_456, 4))).toBe('0.05,12.3456')
})

test('an empty last cell stays a cell', () => {
  expect(written((out) => out.digits(1).comma().endRow())).toBe('1,\n')
})

test.each(['mixed', 'unique', 'unique-texts', 'wide', 'quoted-texts', 'non-ascii', 'nulls'])(
  'every row of %s fits the buffer and has all its cells',
  async (name) => {
    const shape = shapeNamed(name)
    const random = new Random(1)
    const out = new RowBuffer()
    const { parse } = await import('csv-parse/sync')
    let text = ''
    for (let i = 0; i < 2000; i++) {
      shape.row(out, random, i, 2000)
      if (out.isFull) text += out.take().toString('utf8')
    }
    text += out.take().toString('utf8')
    // csv-parse throws where a row has another number of cells than the one before.
    const rows = parse(text) as string[][]
    expect(rows.length).toBe(2000)
    expect(rows[0]!.length).toBe(shape.columns.length)
  },
)

test('the same seed makes the same numbers and another seed others', () => {
  const first = (seed: number): number[] => {
    const random = new Random(seed)
    return [random.bits(), random.bits(), random.below(1000)]
  }
  expect(first(1)).toEqual(first(1))
  expect(first(1)).not.toEqual(first(2))
})

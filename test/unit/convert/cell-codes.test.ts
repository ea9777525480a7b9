import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ColumnBuilder, PROBLEM } from '../../../src/columns/builder.js'
import type { Column } from '../../../src/columns/column.js'
import { takeVector } from '../../../src/columns/kernel-column.js'
import { valueAt } from '../../../src/columns/value-format.js'
import type { ColumnVector } from '../../../src/columns/vector.js'
import { CellCodes } from '../../../src/convert/cell-codes.js'
import { textOf } from '../../../src/convert/field-text.js'
import { JudgeScratch } from '../../../src/convert/judged-texts.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { compileTable } from '../../../src/tables/schema.js'
import { layFields, loadBothForms, scratch, soil } from '../kernels/both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const columnOf = (field: Record<string, unknown>): Column =>
  compileTable({ fields: [{ name: 'x', ...field }], missingValues: ['', 'NA'] }).columns[0]!

function cellsOf(kernels: Kernels, column: Column | null, { names = false, direct = false, mayRepeat = false } = {}): CellCodes {
  scratch(kernels, () => soil(kernels, 200_000, 7))
  return new CellCodes(kernels, {
    position: 1,
    column,
    names,
    expectedRows: 100,
    trialRows: 4096,
    direct,
    mayRepeat,
    scratch: new JudgeScratch(kernels),
  })
}

/** The raw cells of one chunk, in batches. */
type Chunk = readonly (readonly string[])[]

function takeChunk(kernels: Kernels, cells: CellCodes, chunk: Chunk): ColumnVector | 'wrong' | 'full' {
  cells.begin(true)
  let rows = 0
  for (const batch of chunk) {
    const laid = layFields(kernels, batch)
    const taken = cells.add(laid.fields, laid.stride, laid.rows, rows)
    if (taken !== 'right') return taken
    rows += laid.rows
  }
  const mark = kernels.mark()
  const column = cells.take(rows)
  if (typeof column === 'string') return column
  const vector = takeVector(kernels, column)
  if (cells.takesMemory) kernels.release(mark)
  return vector
}

function inBoth<T>(act: (kernels: Kernels) => T): T {
  const [first, second] = forms.map((kernels) => scratch(kernels, () => act(kernels)))
  expect(second).toEqual(first)
  return first!
}

/** The value of each row, null where it has none. */
function valuesOf(vector: ColumnVector): unknown[] {
  return Array.from({ length: vector.rows }, (_, row) => {
    if (vector.validity[row] === 0) return null
    return vector.form === 'plain' ? valueAt(vector.values, row) : valueAt(vector.dictionary, vector.codes[row]!)
  })
}

/** What the column's own parser makes of the rows; null: one of them is wrong. */
function modelOf(column: Column, raws: readonly string[]): unknown[] | null {
  const builder = new ColumnBuilder(column)
  for (const raw of raws) {
    const code = builder.check(textOf(Buffer.from(raw)))
    if (code === PROBLEM) return null
    builder.push(code)
  }
  return valuesOf(builder.take())
}

/** Whether each code that no earlier row has is one more than all before it. */
function firstsAscend(codes: Uint32Array, validity: Uint8Array): boolean {
  let next = 0
  return codes.every((code, row) => validity[row] === 0 || code < next || code === next++)
}

const COLUMNS: readonly (readonly [string, Column, readonly string[], (i: number) => string])[] = [
  ['number', columnOf({ type: 'number' }), ['1.5', '1.50', '"1.5"', '-0', '0', 'NaN', '', 'NA', '"NA"'], (i) => `${i / 8}`],
  ['integer', columnOf({ type: 'integer', constraints: { minimum: 0 } }), ['1', '01', '+1', '', '""', '2'], (i) => `${i}`],
  ['text', columnOf({ type: 'string' }), ['a', '"a"', '"a""b"', '', 'NA', '"NA"', 'ä'], (i) => (i % 3 === 0 ? `"${i},"` : `t${i}`)],
  ['text with a rule', columnOf({ type: 'string', constraints: { minLength: 1 } }), ['a', '"a"', '', 'NA', 'b'], (i) => `t${i}`],
  ['boolean', columnOf({ type: 'boolean' }), ['true', 'false', '"true"', '', 'NA', '1'], (i) => (i % 2 === 0 ? 'true' : '')],
  [
    'date',
    columnOf({ type: 'date' }),
    ['2024-01-01', '"2024-01-01"', '', 'NA'],
    (i) => new Date(i * 86_400_000).toISOString().slice(0, 10),
  ],
]

describe('the cells of a column', () => {
  it.each(COLUMNS)('have the values of the column, however they come in batches and chunks: %s', (_, column, texts) => {
    const chunk = fc.array(fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 3 }), (chunks) => {
        const found = inBoth((kernels) => {
          const cells = cellsOf(kernels, column)
          return chunks.map((batches) => takeChunk(kernels, cells, batches))
        })
        chunks.forEach((batches, i) => {
          const vector = found[i]!
          if (typeof vector === 'string') throw new Error(vector)
          expect(valuesOf(vector)).toEqual(modelOf(column, batches.flat()))
          // Batches and earlier chunks leave no trace.
          expect(inBoth((kernels) => takeChunk(kernels, cellsOf(kernels, column), [batches.flat()]))).toEqual(vector)
        })
      }),
      { numRuns: 30 },
    )
  })

  it.each(COLUMNS)('have them too where nearly all differ, in the middle of a chunk: %s', (_, column, texts, textFor) => {
    const raws = Array.from({ length: 9000 }, (__, i) => (i % 50 === 0 ? texts[(i / 50) % texts.length]! : textFor(i)))
    const batches = [raws.slice(0, 100), raws.slice(100, 5000), raws.slice(5000, 5001), raws.slice(5001)]
    const [found, again] = inBoth((kernels) => {
      const cells = cellsOf(kernels, column)
      return [takeChunk(kernels, cells, batches), takeChunk(kernels, cells, batches)]
    })
    if (typeof found === 'string') throw new Error(found)
    expect(valuesOf(found!)).toEqual(modelOf(column, raws))
    expect(again).toEqual(found)
  })

  it.each(COLUMNS.filter(([name]) => name !== 'text'))('are wrong where one of them is, early or late: %s', (_, column, texts, textFor) => {
    const wrong = column.constraints.length > 0 && column.physical === 'BYTE_ARRAY' ? '""""""""' : '?'
    const bad = column.logical.kind === 'string' ? columnOf({ type: 'string', constraints: { pattern: '[a-z0-9]*' } }) : column
    for (const length of [3, 9000]) {
      for (const at of [0, Math.floor(length / 2), length - 1]) {
        const raws = Array.from({ length }, (__, i) => (i === at ? wrong : length === 3 ? texts[0]! : textFor(i)))
        expect(modelOf(bad, raws)).toBeNull()
        const found = inBoth((kernels) =>
          takeChunk(kernels, cellsOf(kernels, bad), [raws.slice(0, 2), raws.slice(2, 5000), raws.slice(5000)]),
        )
        expect(found).toBe('wrong')
      }
    }
  })

  it.each(COLUMNS)('have them where no dictionary is tried, if kernels know the column: %s', (_, column, texts) => {
    const chunks = [[texts, texts.slice(1)], [texts.slice(2, 4)], [texts]]
    const found = inBoth((kernels) => {
      const cells = cellsOf(kernels, column, { direct: true })
      return chunks.map((batches) => takeChunk(kernels, cells, batches))
    })
    found.forEach((vector, i) => {
      if (typeof vector === 'string') throw new Error(vector)
      expect(valuesOf(vector)).toEqual(modelOf(column, chunks[i]!.flat()))
    })
  })

  it.each(COLUMNS)('have none in the rows before the first that is not empty, however many those are: %s', (_, column, texts) => {
    for (const direct of [false, true]) {
      for (const length of [1, 5000, 9000]) {
        const raws = [...new Array<string>(length).fill(''), ...texts]
        const batches = [raws.slice(0, 3000), raws.slice(3000, 8000), raws.slice(8000)].filter((batch) => batch.length > 0)
        const [found, whole] = inBoth((kernels) => {
          const cells = cellsOf(kernels, column, { direct })
          return [takeChunk(kernels, cells, batches), takeChunk(kernels, cells, [raws])]
        })
        if (typeof found === 'string') throw new Error(found)
        expect(valuesOf(found!)).toEqual(modelOf(column, raws))
        expect(found).toEqual(whole)
      }
    }
  })

  it('are known to be empty where they all are and may be, in this chunk and as they are written', () => {
    const emptyAfter = (column: Column | null, batches: Chunk, names = false): boolean[] =>
      inBoth((kernels) => {
        const cells = cellsOf(kernels, column, { names })
        return [1, 2].map(() => {
          cells.begin(true)
          let rows = 0
          for (const batch of batches) {
            const laid = layFields(kernels, batch)
            expect(cells.add(laid.fields, laid.stride, laid.rows, rows)).toBe('right')
            rows += laid.rows
          }
          return cells.isEmpty(rows)
        })
      })
    const text = columnOf({ type: 'string' })
    expect(emptyAfter(text, [['', ''], ['']])).toEqual([true, true])
    expect(emptyAfter(text, [['', ''], ['NA']])).toEqual([false, false])
    expect(emptyAfter(text, [['""'], ['', '']])).toEqual([false, false])
    expect(emptyAfter(text, [['a'], ['', '']])).toEqual([false, false])
    expect(emptyAfter(columnOf({ type: 'string', constraints: { required: true } }), [['']])).toEqual([false, false])
    expect(emptyAfter(compileTable({ fields: [{ name: 'x', type: 'string' }], missingValues: ['NA'] }).columns[0]!, [['']])).toEqual([
      false,
      false,
    ])
    expect(emptyAfter(text, [['']], true)).toEqual([false, false])
  })

  it('say that their values may come again only where they have no dictionary', () => {
    const column = columnOf({ type: 'integer' })
    const saysSo = (direct: boolean): boolean =>
      inBoth((kernels) => {
        const cells = cellsOf(kernels, column, { direct, mayRepeat: true })
        cells.begin(true)
        const laid = layFields(kernels, ['1', '2', '1'])
        expect(cells.add(laid.fields, laid.stride, laid.rows, 0)).toBe('right')
        const taken = cells.take(3)
        if (typeof taken === 'string') throw new Error(taken)
        return taken.form === 'plain' && taken.mayRepeat === true
      })
    expect([saysSo(true), saysSo(false)]).toEqual([true, false])
  })

  it.each([
    ['numbers', columnOf({ type: 'number' }), (i: number) => (i / 100).toFixed(2)],
    ['numbers of any length', columnOf({ type: 'number' }), (i: number) => `${i / 8}`],
    ['integers', columnOf({ type: 'integer' }), (i: number) => `${i}`],
    ['integers beyond what has a place', columnOf({ type: 'integer' }), (i: number) => `${i * 999}`],
    ['names with a number', columnOf({ type: 'string' }), (i: number) => `BH-${i}`],
    ['dates', columnOf({ type: 'date' }), (i: number) => new Date((10_000 + (i % 900)) * 86_400_000).toISOString().slice(0, 10)],
    ['texts that change', columnOf({ type: 'string' }), (i: number) => (i < 1500 ? `BH-${i}` : `X${i % 700}`)],
  ] as const)('have their codes by first appearance where texts of one shape are many: %s', (_, column, textFor) => {
    // Any order, and every 37th row one of another form.
    const others = ['', 'NA', ...(column.physical === 'INT32' ? [] : ['"7"', '007', '-1', '12'])]
    const raws = Array.from({ length: 12_000 }, (__, i) => (i % 37 === 0 ? others[(i / 37) % others.length]! : textFor((i * 7919) % 2503)))
    const batches = Array.from({ length: 12 }, (__, i) => raws.slice(i * 1000, (i + 1) * 1000))
    const turned = [...batches].reverse()
    const [first, second, third] = inBoth((kernels) => {
      const cells = cellsOf(kernels, column)
      return [batches, turned, batches].map((chunk) => takeChunk(kernels, cells, chunk))
    })
    const [alone] = inBoth((kernels) => [takeChunk(kernels, cellsOf(kernels, column), turned)])
    if (typeof first === 'string' || typeof second === 'string') throw new Error('not taken')
    expect(valuesOf(first!)).toEqual(modelOf(column, raws))
    expect(first!.form).toBe('dictionary')
    expect(first!.form === 'dictionary' && firstsAscend(first!.codes, first!.validity)).toBe(true)
    expect(third).toEqual(first)
    expect(second).toEqual(alone)
  })

  it('are wrong where a text of their shape is no value', () => {
    const day = (i: number): string => new Date((10_950 + i) * 86_400_000).toISOString().slice(0, 10)
    const raws = Array.from({ length: 6000 }, (_, i) => (i % 7 === 0 ? '' : day(i % 800)))
    for (const bad of ['1999-12-00', '1999-00-00', '1991-00-00', '2001-02-29', '2000-13-01']) {
      const found = inBoth((kernels) => {
        const cells = cellsOf(kernels, columnOf({ type: 'date' }))
        return [takeChunk(kernels, cells, [raws.slice(0, 3000), raws.slice(3000)]), takeChunk(kernels, cells, [raws, [bad]])].map(
          (c) => typeof c,
        )
      })
      expect(found, bad).toEqual(['object', 'string'])
    }
  })

  it('keep bounds and required values by their own rows, not by those of an earlier chunk', () => {
    const bounded = columnOf({ type: 'integer', constraints: { minimum: 0 } })
    const required = columnOf({ type: 'string', constraints: { required: true } })
    const found = inBoth((kernels) => {
      const [numbers, texts] = [cellsOf(kernels, bounded), cellsOf(kernels, required)]
      return [
        [['1', '-1'], ['1'], ['-1'], ['2', '1']].map((batch) => typeof takeChunk(kernels, numbers, [batch])),
        [['a', ''], ['a'], ['NA'], ['b', 'a']].map((batch) => typeof takeChunk(kernels, texts, [batch])),
      ]
    })
    for (const types of found) expect(types).toEqual(['string', 'object', 'string', 'object'])
  })
})

describe('the cell that names the record', () => {
  it('gives the texts of the chunk by first appearance, unquoted, and which each row has', () => {
    const found = inBoth((kernels) => {
      const cells = cellsOf(kernels, null, { names: true })
      return [
        ['b', '"b"', 'a', 'b'],
        ['a', 'c', '"x ""y"""', 'a'],
      ].map((batch) => {
        cells.begin(true)
        const laid = layFields(kernels, batch)
        expect(cells.add(laid.fields, laid.stride, 2, 0)).toBe('right')
        expect(cells.add(laid.fields + 2 * laid.stride * 4, laid.stride, 2, 2)).toBe('right')
        return { texts: cells.chunkTexts(), rows: [...cells.textOfRow(4)] }
      })
    })
    expect(found).toEqual([
      // The key is the raw bytes: a text with quotes and without is one record all the same, by its text.
      { texts: ['b', 'b', 'a'], rows: [0, 1, 2, 0] },
      { texts: ['a', 'c', 'x "y"'], rows: [0, 1, 2, 0] },
    ])
  })
})

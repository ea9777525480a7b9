import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ColumnBuilder, MISSING, PROBLEM } from '../../../src/columns/builder.js'
import type { Column } from '../../../src/columns/column.js'
import { takeVector } from '../../../src/columns/kernel-column.js'
import { valueAt } from '../../../src/columns/value-format.js'
import { textOf } from '../../../src/convert/field-text.js'
import { type JudgedTexts, type Judgement, JudgeScratch, judgedTexts } from '../../../src/convert/judged-texts.js'
import { NONE } from '../../../src/kernels/columns.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { TextDictionary } from '../../../src/kernels/text-dictionary.js'
import { compileTable } from '../../../src/tables/schema.js'
import { bytesAt, layFields, loadBothForms, scratch, soil } from '../kernels/both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

const columnOf = (field: Record<string, unknown>, missingValues: readonly string[] = ['', 'NA']): Column =>
  compileTable({ fields: [{ name: 'x', ...field }], missingValues: [...missingValues] }).columns[0]!

/** Raw texts as they are met, judged now and then. */
class Subject {
  readonly judged: JudgedTexts
  private readonly dictionary: TextDictionary

  constructor(
    private readonly kernels: Kernels,
    column: Column,
  ) {
    scratch(kernels, () => soil(kernels, 100_000, 3))
    this.dictionary = new TextDictionary(kernels, { maxEntries: 1 << 20, maxArenaBytes: 1 << 28 })
    this.judged = judgedTexts(kernels, column, new JudgeScratch(kernels))
  }

  judge(raw: readonly string[]): Judgement {
    const { kernels } = this
    const laid = layFields(kernels, raw)
    const codes = kernels.allocate(raw.length * 4)
    expect(this.dictionary.lookup(laid.fields, laid.stride, 1, laid.rows, codes)).toBe(laid.rows)
    return this.judged.judge(this.dictionary)
  }

  forget(): void {
    this.dictionary.clear()
    this.judged.forget()
  }

  /** Distinct raw texts in order, and the number of the value of each; null: none. */
  numbers(): { raw: string; number: number | null }[] {
    const { kernels, dictionary, judged } = this
    return Array.from({ length: dictionary.size }, (_, key) => {
      const number = kernels.u32[(judged.valueOfKey >>> 2) + key]!
      return { raw: Buffer.from(dictionary.keyBytes(key)).toString(), number: number === NONE ? null : number }
    })
  }

  /** The values with some numbers. */
  values(numbers: readonly number[]): unknown[] {
    const { kernels, judged } = this
    const ids = kernels.allocate(numbers.length * 4 + 4)
    kernels.u32.set(numbers, ids >>> 2)
    const values = judged.take(ids, numbers.length)
    const taken = takeVector(kernels, { form: 'plain', rows: numbers.length, nulls: 0, validity: 0, values })
    if (taken.form !== 'plain') throw new Error('expected plain values')
    return numbers.map((_, i) => valueAt(taken.values, i))
  }
}

const inBoth = <T>(act: (kernels: Kernels) => T): T => {
  const [first, second] = forms.map((kernels) => scratch(kernels, () => act(kernels)))
  expect(second).toEqual(first)
  return first!
}

/** Each raw text with its value as the column's own parser has it, undefined where it has none. Equal values have one number, and others not. */
function expectAsBuilder(column: Column, batches: readonly (readonly string[])[]): void {
  const builder = new ColumnBuilder(column)
  const raws = [...new Set(batches.flat())]
  const codes = raws.map((raw) => builder.check(textOf(Buffer.from(raw))))
  const values = builder.valuesOf(Uint32Array.from(codes.filter((code) => code >= 0)))
  let n = 0
  const expected = raws.map((raw, i) => {
    if (codes[i] === MISSING) return { raw, value: undefined }
    return { raw, value: codes[i] === PROBLEM ? null : valueAt(values, n++) }
  })
  const wrong = codes.includes(PROBLEM)
  const found = inBoth((kernels) => {
    const subject = new Subject(kernels, column)
    const judgements = batches.map((raw) => subject.judge(raw))
    if (judgements.includes('wrong')) return null
    expect(judgements.every((judgement) => judgement === 'right')).toBe(true)
    const numbers = subject.numbers()
    const present = numbers.flatMap(({ number }) => (number === null ? [] : [number]))
    for (const number of present) expect(number).toBeLessThan(subject.judged.values)
    const texts = subject.values(present)
    let at = 0
    return numbers.map(({ raw, number }) => ({ raw, number, value: number === null ? undefined : texts[at++] }))
  })
  if (wrong) {
    expect(found).toBeNull()
    return
  }
  expect(found?.map(({ raw, value }) => ({ raw, value }))).toEqual(expected)
  const numberOf = new Map(codes.map((code, i) => [code, found![i]!.number]))
  expect(found!.map(({ number }) => number)).toEqual(codes.map((code) => numberOf.get(code)))
  expect(new Set(numberOf.values()).size).toBe(numberOf.size)
}

describe('distinct texts', () => {
  const COLUMNS: readonly (readonly [string, Column, readonly string[]])[] = [
    [
      'numbers',
      columnOf({ type: 'number' }),
      ['1.5', '1.50', '15e-1', '"1.5"', '0', '-0', '0.0', 'NaN', 'nan', 'INF', '-INF', '1e400', 'x'],
    ],
    ['integers', columnOf({ type: 'integer' }), ['1', '01', '+1', '"1"', '-1', '9223372036854775807', '9223372036854775808', '1.0', '-0']],
    [
      'integers of 32 bits',
      columnOf({ type: 'integer', parquet: { type: 'INT32' } }),
      ['7', '007', '2147483647', '2147483648', '-2147483648'],
    ],
    [
      'decimals',
      columnOf({ type: 'number', parquet: { type: 'DECIMAL', precision: 9, scale: 2 } }),
      ['1.5', '1.50', '1.500', '"1.5"', '-0', '0', '9999999.99', '10000000', '0.001'],
    ],
    [
      'decimals of 18 digits',
      columnOf({ type: 'number', parquet: { type: 'DECIMAL', precision: 18, scale: 0 } }),
      ['1', '1.0', '999999999999999999', '-999999999999999999', '1000000000000000000'],
    ],
    [
      'decimals of 38 digits',
      columnOf({ type: 'number', parquet: { type: 'DECIMAL', precision: 38, scale: 1 } }),
      ['1', '1.0', '"1.0"', '-1', '12345678901234567890123456789012345.6', '0.01'],
    ],
    ['dates', columnOf({ type: 'date' }), ['2024-02-29', '"2024-02-29"', '1969-12-31', '2023-02-29', '9999-12-31']],
    ['times', columnOf({ type: 'time' }), ['10:00:00', '10:00:00.000', '23:59:59.999', '24:00:00']],
    [
      'timestamps',
      columnOf({ type: 'datetime' }),
      ['2024-01-01T00:00:00Z', '2024-01-01T01:00:00+01:00', '2024-01-01T00:00:00.000Z', '"2024-01-01T00:00:00Z"', '2024-01-01'],
    ],
    ['texts', columnOf({ type: 'string' }), ['a', '"a"', '"a""b"', '"a,b"', 'ä', '"\n"', '""""', ' a', 'na']],
    ['texts with a rule', columnOf({ type: 'string', constraints: { pattern: '[a-z"]*' } }), ['a', '"a"', '"a""b"', 'ab', 'A']],
    ['booleans', columnOf({ type: 'boolean' }), ['true', 'false', 'True', '1', '0', '"1"', 'yes']],
    ['objects', columnOf({ type: 'object' }), ['{}', '"{}"', '"{""a"":1}"', '"{""a"": 1}"', '[]']],
    ['numbers in another style', columnOf({ type: 'number', decimalChar: ',' }), ['"1,5"', '"1,50"', '2', '1.5']],
  ]

  it.each(COLUMNS)('have the values of the column: %s', (_, column, texts) => {
    const raw = fc.constantFrom(...texts.slice(0, -1), '', '""', 'NA', '"NA"')
    // Wrong texts alone, and among others.
    for (const text of texts) expectAsBuilder(column, [[text]])
    expectAsBuilder(column, [[...texts, '']])
    fc.assert(
      fc.property(fc.array(fc.array(raw, { maxLength: 12 }), { maxLength: 4 }), (batches) => {
        expectAsBuilder(column, batches)
      }),
      { numRuns: 40 },
    )
  })

  it('1.5 and 1.50 are one value, and so are "a" and a', () => {
    const numbers = inBoth((kernels) => {
      const subject = new Subject(kernels, columnOf({ type: 'number' }))
      expect(subject.judge(['2', '1.5', '1.50', '"1.5"', '', '-0', '0'])).toBe('right')
      return subject.numbers().map(({ number }) => number)
    })
    expect(numbers[2]).toBe(numbers[1])
    expect(numbers[3]).toBe(numbers[1])
    expect(numbers[4]).toBeNull()
    expect(new Set([numbers[0], numbers[1], numbers[5], numbers[6]]).size).toBe(4)
    const texts = inBoth((kernels) => {
      const subject = new Subject(kernels, columnOf({ type: 'string' }))
      expect(subject.judge(['a', '"a"', 'b', '""', '"a""b"'])).toBe('right')
      return subject.numbers().map(({ number }) => number)
    })
    expect(texts[1]).toBe(texts[0])
    expect(texts[3]).toBeNull()
    expect(new Set([texts[0], texts[2], texts[4]]).size).toBe(3)
  })

  it('mean no value where the table says so, in quotes or not', () => {
    for (const missing of [['', '-', 'n/a', 'ä'], ['', 'a"b', '"'], ['', ','], ['']]) {
      const quoted = missing.map((text) => `"${text.replaceAll('"', '""')}"`)
      const plain = missing.filter((text) => !/[",]/.test(text))
      expectAsBuilder(columnOf({ type: 'string' }, missing), [[...plain, ...quoted, 'x', '"a""b "', '-x', 'n/', 'NA']])
      expectAsBuilder(columnOf({ type: 'number' }, missing), [[...plain, ...quoted, '1', '-1']])
      expectAsBuilder(columnOf({ type: 'string', constraints: { minLength: 1 } }, missing), [[...plain, ...quoted, 'x', '-x']])
    }
    // Where the empty text is a value, and where a number stands for none.
    expectAsBuilder(columnOf({ type: 'string' }, ['NA']), [['', '""', 'NA', 'x']])
    expectAsBuilder(columnOf({ type: 'number' }, ['', '-999']), [['', '-999', '"-999"', '-999.0', '5']])
    expectAsBuilder(columnOf({ type: 'integer' }, ['NA']), [['NA', '']])
  })

  it('are wrong where a value is required and there is none, if the column says so while texts are parsed', () => {
    const column = columnOf({ type: 'boolean', constraints: { required: true } })
    expectAsBuilder(column, [['true', '']])
    expectAsBuilder(column, [['true', 'false']])
  })

  it('keep their numbers when more come, a few or many', () => {
    for (const [field, textFor] of [
      [{ type: 'integer' }, (i: number) => `${i}`],
      [{ type: 'number' }, (i: number) => `${i / 8}`],
      [{ type: 'string' }, (i: number) => `text ${i}`],
      [{ type: 'string', constraints: { minLength: 2 } }, (i: number) => `text ${i}`],
    ] as const) {
      inBoth((kernels) => {
        const subject = new Subject(kernels, columnOf(field))
        let before: { raw: string; number: number | null }[] = []
        let next = 0
        for (const more of [0, 1, 2, 4096, 4097, 20_000]) {
          const texts = Array.from({ length: more }, () => textFor(next++))
          expect(subject.judge([...texts, '', ...texts.slice(0, 5)])).toBe('right')
          const now = subject.numbers()
          expect(now.slice(0, before.length)).toEqual(before)
          before = now
        }
        const present = before.flatMap(({ number }) => (number === null ? [] : [number]))
        expect(present.length).toBe(next)
        expect(new Set(present).size).toBe(next)
        // Any of them, in any order.
        const picked = [next - 1, 0, 5000, 0].map((i) => before.filter(({ number }) => number !== null)[i]!)
        return subject.values(picked.map(({ number }) => number!)).map(String)
      })
    }
  })

  it('may be longer than what is judged at a time', () => {
    const long = ['x'.repeat(70_000), 'y'.repeat(200_000), 'short', 'z'.repeat(65_536), 'z'.repeat(65_535)]
    expectAsBuilder(columnOf({ type: 'string' }), [long, ['short', ...long.map((text) => `"${text}"`)]])
    expectAsBuilder(columnOf({ type: 'string' }), [Array.from({ length: 300 }, (_, i) => `${i}`.padEnd(1000, '.'))])
  })

  it('begin anew after forget, also when one was wrong', () => {
    for (const [field, right, wrong] of [
      [{ type: 'integer' }, ['1', '2'], 'x'],
      [{ type: 'boolean' }, ['true', 'false'], 'x'],
      [{ type: 'string', constraints: { pattern: '[a-z]' } }, ['a', 'b'], '9'],
    ] as const) {
      inBoth((kernels) => {
        const subject = new Subject(kernels, columnOf(field))
        expect(subject.judge([right[0], wrong])).toBe('wrong')
        // What is wrong stays wrong until it is forgotten.
        expect(subject.judge([right[1]])).toBe('wrong')
        subject.forget()
        expect(subject.judged.values).toBe(0)
        expect(subject.judge([right[1], right[0], right[1]])).toBe('right')
        const numbers = subject.numbers()
        expect(numbers.map(({ raw, number }) => [raw, number])).toEqual([
          [right[1], 0],
          [right[0], 1],
        ])
        return subject.values([0, 1]).map(String)
      })
    }
  })

  it('of values do not follow the memory that they were judged in', () => {
    inBoth((kernels) => {
      const scratchRoom = new JudgeScratch(kernels)
      const [first, second] = [{ type: 'integer' }, { type: 'number' }].map((field) => {
        const dictionary = new TextDictionary(kernels)
        const judged = judgedTexts(kernels, columnOf(field), scratchRoom)
        const laid = layFields(kernels, ['3', '4'])
        dictionary.lookup(laid.fields, laid.stride, 1, 2, kernels.allocate(8))
        return { judged, dictionary }
      })
      // Two columns of one chunk use the same room by turns.
      expect(first!.judged.judge(first!.dictionary)).toBe('right')
      expect(second!.judged.judge(second!.dictionary)).toBe('right')
      const ids = kernels.allocate(8)
      kernels.u32.set([0, 1], ids >>> 2)
      const integers = first!.judged.take(ids, 2)
      const doubles = second!.judged.take(ids, 2)
      expect(new BigInt64Array(bytesAt(kernels, integers.data, 16).buffer)).toEqual(BigInt64Array.of(3n, 4n))
      expect(new Float64Array(bytesAt(kernels, doubles.data, 16).buffer)).toEqual(Float64Array.of(3, 4))
      return 0
    })
  })
})

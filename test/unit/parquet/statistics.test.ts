import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { placeVector } from '../../../src/columns/kernel-column.js'
import { toText } from '../../../src/columns/value-format.js'
import type { ColumnVector, LogicalType } from '../../../src/columns/vector.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { bytesSource, openParquet } from '../../../src/parquet/read-file.js'
import {
  type ColumnStatistics,
  type Extremes,
  extremesOf,
  mergeExtremes,
  STATISTICS_MAX_BYTES,
  statisticsOf,
} from '../../../src/parquet/statistics.js'
import { loadBothForms, scratch, soil } from '../kernels/both-forms.js'
import { Engine } from './duckdb.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, labelOf, plainVector, writeParquet } from './sample-vectors.js'

const text = columnType('t', { kind: 'string' })
const double = columnType('d', { kind: 'double' })

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

/** Of some rows, or of the entries of a dictionary, by both forms of the kernels. */
function extremesIn(vector: ColumnVector, from = 0, to = vector.rows): Extremes {
  const [first, second] = forms.map((kernels) =>
    scratch(kernels, () => {
      soil(kernels, 500, vector.rows)
      const column = placeVector(kernels, vector, (vector.form === 'plain' ? vector.values : vector.dictionary).physical)
      const mark = kernels.mark()
      const found =
        column.form === 'plain'
          ? extremesOf(kernels, column.values, column.validity, from, to - from)
          : extremesOf(kernels, column.dictionary, 0, 0, column.dictionary.count)
      expect(kernels.mark()).toBe(mark)
      return found
    }),
  )
  expect(second).toEqual(first)
  return first!
}

function statisticsIn(vector: ColumnVector): ColumnStatistics {
  return statisticsOf((vector.form === 'plain' ? vector.values : vector.dictionary).physical, vector.nulls, extremesIn(vector))
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('utf8')
}

function boundsOfTexts(cells: Cell[]): { min: string | null; max: string | null; minExact: boolean; maxExact: boolean } {
  const { min, max, minExact, maxExact } = statisticsIn(plainVector(text, cells))
  return { min: textOf(min), max: textOf(max), minExact, maxExact }
}

function boundsOfDoubles(cells: Cell[]): [number, number] | null {
  const { min, max } = statisticsIn(plainVector(double, cells))
  return min === null || max === null ? null : [Buffer.from(min).readDoubleLE(), Buffer.from(max).readDoubleLE()]
}

describe('doubles', () => {
  test('a NaN leaves no minimum and no maximum', () => {
    expect(boundsOfDoubles([1, Number.NaN, 2])).toBeNull()
    expect(boundsOfDoubles([Number.NaN])).toBeNull()
  })

  test('a NaN that only an unused dictionary entry holds does not count', () => {
    expect(statisticsIn(dictionaryVector(double, [1, 2], [Number.NaN, 9])).max).not.toBeNull()
    expect(statisticsIn(dictionaryVector(double, [1, Number.NaN], [9])).max).toBeNull()
  })

  test('zero is -0 as minimum and +0 as maximum', () => {
    for (const cells of [[0], [-0], [0, -0]]) expect(boundsOfDoubles(cells)).toEqual([-0, 0])
    expect(boundsOfDoubles([0, 5])).toEqual([-0, 5])
    expect(boundsOfDoubles([-5, -0])).toEqual([-5, 0])
  })

  test('infinities are values like others', () => {
    expect(boundsOfDoubles([Infinity, 1, -Infinity])).toEqual([-Infinity, Infinity])
  })
})

describe('texts', () => {
  test('compare as UTF-8 bytes, not as UTF-16: U+FFFF sorts before an emoji', () => {
    expect(boundsOfTexts(['\uffff', '😀', 'a'])).toMatchObject({ min: 'a', max: '😀' })
    expect('\uffff' > '😀').toBe(true)
  })

  test('the empty text is a minimum, and missing is not', () => {
    expect(boundsOfTexts([null, 'b', ''])).toMatchObject({ min: '', max: 'b', minExact: true, maxExact: true })
    expect(boundsOfTexts([null, 'b'])).toMatchObject({ min: 'b', max: 'b' })
    expect(boundsOfTexts([null, null])).toMatchObject({ min: null, max: null })
  })

  test('64 bytes are kept whole; longer ones are cut at a character and the maximum rounded up', () => {
    expect(boundsOfTexts(['x'.repeat(64)])).toEqual({ min: 'x'.repeat(64), max: 'x'.repeat(64), minExact: true, maxExact: true })
    expect(boundsOfTexts(['x'.repeat(65)])).toEqual({ min: 'x'.repeat(64), max: `${'x'.repeat(63)}y`, minExact: false, maxExact: false })
    expect(boundsOfTexts([`${'x'.repeat(63)}ä`])).toEqual({
      min: 'x'.repeat(63),
      max: `${'x'.repeat(62)}y`,
      minExact: false,
      maxExact: false,
    })
  })

  test('rounding up skips surrogates, carries over the last character, and gives up where nothing is above', () => {
    expect(boundsOfTexts(['\ud7ff'.repeat(30)]).max).toBe(`${'\ud7ff'.repeat(20)}\ue000`)
    expect(boundsOfTexts([`ab${'\u{10ffff}'.repeat(30)}`]).max).toBe('ac')
    expect(boundsOfTexts(['\u{10ffff}'.repeat(30)])).toMatchObject({ max: null, maxExact: false })
    expect(boundsOfTexts(['\u007f'.repeat(70)]).max).toBe(`${'\u007f'.repeat(63)}\u0080`)
  })

  test('bounds are valid UTF-8, short, and around every text', () => {
    const arbitrary = fc.array(fc.string({ unit: 'binary', minLength: 0, maxLength: 100 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(arbitrary, (texts) => {
        const wellFormed = texts.map((t) => t.toWellFormed())
        const { min, max } = statisticsIn(plainVector(text, wellFormed))
        for (const t of wellFormed) {
          expect(Buffer.compare(min!, Buffer.from(t))).toBeLessThanOrEqual(0)
          if (max !== null) expect(Buffer.compare(max, Buffer.from(t))).toBeGreaterThanOrEqual(0)
        }
        for (const bound of [min!, max ?? new Uint8Array()]) {
          expect(bound.length).toBeLessThanOrEqual(STATISTICS_MAX_BYTES + 1)
          expect(Buffer.compare(Buffer.from(textOf(bound)!), bound)).toBe(0)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('of some rows', () => {
  const cellsOf: readonly [LogicalType, readonly Cell[]][] = [
    [{ kind: 'boolean' }, [true, true, null, false, false]],
    [{ kind: 'integer', bits: 32 }, [5, -(2 ** 31), null, 2 ** 31 - 1, 0]],
    [{ kind: 'integer', bits: 64 }, [5n, -(2n ** 63n), null, 2n ** 63n - 1n, -1n]],
    [{ kind: 'double' }, [1.5, -Infinity, null, 2, -0]],
    [{ kind: 'decimal', precision: 38, scale: 0 }, [1n, -(10n ** 37n), null, 10n ** 37n, -1n]],
    [{ kind: 'string' }, ['b', '', null, 'ba', 'ä']],
  ]

  test('only those between them count, and extremes of parts come together to those of the whole', () => {
    for (const [logical, cells] of cellsOf) {
      const type = columnType('c', logical)
      const vector = plainVector(type, cells)
      for (let from = 0; from <= cells.length; from++) {
        for (let to = from; to <= cells.length; to++) {
          const alone = extremesIn(plainVector(type, cells.slice(from, to)))
          expect(extremesIn(vector, from, to)).toEqual(alone)
          const rest = mergeExtremes(vector.values.physical, extremesIn(vector, 0, from), extremesIn(vector, to, cells.length))
          expect(mergeExtremes(vector.values.physical, rest, alone)).toEqual(extremesIn(vector))
        }
      }
      expect(extremesIn(vector, 2, 3)).toBe('none')
    }
  })

  test('a NaN makes them unordered, with whatever they are brought together', () => {
    const vector = plainVector(double, [1, Number.NaN, null])
    expect(extremesIn(vector)).toBe('unordered')
    expect(extremesIn(vector, 2, 3)).toBe('none')
    for (const other of [extremesIn(vector, 0, 1), 'none', 'unordered'] as const) {
      expect(mergeExtremes('DOUBLE', 'unordered', other)).toBe('unordered')
      expect(mergeExtremes('DOUBLE', other, 'unordered')).toBe('unordered')
    }
    expect(mergeExtremes('DOUBLE', 'none', 'none')).toBe('none')
  })
})

test('decimals of 16 bytes compare with their sign', async () => {
  const decimal = columnType('d', { kind: 'decimal', precision: 38, scale: 0 })
  const edge = 10n ** 38n - 1n
  for (const [cells, min, max] of [
    [[1n, -1n, 0n], -1n, 1n],
    [[-edge, edge], -edge, edge],
    [[255n, 256n, -256n, -255n], -256n, 256n],
    [[-1n, -2n], -2n, -1n],
  ] as const) {
    const { file } = await writeParquet({ columns: [decimal], rowGroups: [[plainVector(decimal, cells)]] })
    const chunk = (await openParquet(bytesSource(file))).rowGroups[0]!.columns[0]!
    const signed = (bytes: unknown): bigint => BigInt.asIntN(128, BigInt(`0x${Buffer.from(bytes as Uint8Array).toString('hex')}`))
    expect([signed(chunk.min), signed(chunk.max)]).toEqual([min, max])
  }
})

describe('engines that prune by them find the rows of a full scan', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await Engine.start()
  })
  afterAll(async () => {
    await engine.stop()
  })

  const literal = (logical: LogicalType, valueText: string): string => {
    const quoted = `'${valueText.replaceAll("'", "''")}'`
    switch (logical.kind) {
      case 'string':
      case 'json':
        return `${quoted}::VARCHAR`
      case 'boolean':
        return valueText
      case 'integer':
        return `${quoted}::${logical.bits === 32 ? 'INTEGER' : 'BIGINT'}`
      case 'double':
        return `${quoted.replace('INF', 'Infinity')}::DOUBLE`
      case 'decimal':
        return `${quoted}::DECIMAL(${logical.precision},${logical.scale})`
      case 'date':
        return `${quoted}::DATE`
      case 'time':
        return `${quoted}::TIME`
      case 'timestamp':
        return `${quoted}::${logical.utc ? 'TIMESTAMPTZ' : 'TIMESTAMP'}`
    }
  }

  /** Row groups with ranges that touch, overlap, lie apart, and hold nothing. */
  const groupsOf = (logical: LogicalType): Cell[][] => {
    const texts = [
      ['', 'a', 'Ab'],
      ['😀', '\uffff', 'ÿ'],
      [null, null],
      ['x'.repeat(80), `${'x'.repeat(63)}ä`, 'x'.repeat(64)],
      [`${'x'.repeat(64)}y`],
      ['\u{10ffff}'.repeat(20), '\u{10ffff}'],
      ['😀'.repeat(30), null],
    ]
    const numbers = [[0, 1, 2], [-5, -1], [null], [100, 50, null], [-100], [7, 7, 7], [0]]
    switch (logical.kind) {
      case 'string':
        return texts
      case 'json':
        return texts.map((group) => group.map((t) => (t === null ? null : JSON.stringify(t))))
      case 'boolean':
        return [[true], [false], [null], [true, false], [null, true]]
      case 'integer':
        if (logical.bits === 32) return [...numbers, [2 ** 31 - 1], [-(2 ** 31)]]
        return [...numbers.map((g) => g.map((n) => (n === null ? null : BigInt(n)))), [2n ** 63n - 1n, 2n ** 53n + 1n], [-(2n ** 63n)]]
      case 'double':
        return [...numbers, [Number.NaN, 3], [Infinity], [-Infinity, 0.1], [-0], [Number.NaN], [5e-324]]
      case 'decimal': {
        const limit = 10n ** BigInt(logical.precision) - 1n
        const groups = [...numbers.map((g) => g.map((n) => (n === null ? null : BigInt(n)))), [limit, 255n, 256n], [-limit, -256n]]
        return logical.precision <= 9 ? groups.map((g) => g.map((n) => (n === null ? null : Number(n)))) : groups
      }
      case 'date':
        return [...numbers, [-719162], [2932896]]
      case 'time': {
        const groups = numbers.map((g) => g.map((n) => (n === null ? null : Math.abs(n))))
        return logical.unit === 'MILLIS' ? groups : groups.map((g) => g.map((n) => (n === null ? null : BigInt(n))))
      }
      case 'timestamp':
        return numbers.map((g) => g.map((n) => (n === null ? null : BigInt(n) * 86_399_999n)))
    }
  }

  for (const logical of ALL_LOGICAL_TYPES) {
    test(`${labelOf(logical)}: =, <>, <, <=, >, >=, IN, NULL with every value`, async () => {
      const type = columnType('v', logical)
      const row = columnType('row', { kind: 'integer', bits: 32 })
      let n = 0
      for (const form of [plainVector, dictionaryVector]) {
        const groups = groupsOf(logical)
        const written = await writeParquet({
          columns: [row, type],
          rowGroups: groups.map((cells) => [
            plainVector(
              row,
              cells.map(() => n++),
            ),
            form(type, cells),
          ]),
        })
        const table = await engine.table(written.file)
        // A table in memory has its own statistics, made by DuckDB from the cells themselves.
        await engine.rows(`CREATE OR REPLACE TABLE scan AS SELECT * FROM ${table}`)
        const distinct = new Map(
          groups.flatMap((cells) => {
            const { values } = plainVector(type, cells)
            return cells.flatMap((cell, i) => (cell === null ? [] : [[literal(logical, toText(type, values, i)), true] as const]))
          }),
        )
        const conditions = [
          'v IS NULL',
          'v IS NOT NULL',
          ...[...distinct.keys()].flatMap((l) => ['=', '<>', '<', '<=', '>', '>='].map((op) => `v ${op} ${l}`)),
        ]
        conditions.push(`v IN (${[...distinct.keys()].slice(0, 3).join(', ')})`)
        for (const condition of conditions) {
          const select = (from: string): Promise<unknown[][]> => engine.rows(`SELECT row FROM ${from} WHERE ${condition} ORDER BY row`)
          expect(await select(table), condition).toEqual(await select('scan'))
        }
        for (const f of ['min', 'max', 'count']) {
          expect(await engine.rows(`SELECT ${f}(v)::VARCHAR FROM ${table}`), f).toEqual(
            await engine.rows(`SELECT ${f}(v)::VARCHAR FROM scan`),
          )
        }
      }
    })
  }
})

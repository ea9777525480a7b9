import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toJs } from '../../../src/columns/value-format.js'
import type { ColumnType } from '../../../src/columns/vector.js'
import type { ComparisonOperator, RowFilter } from '../../../src/parquet/filters.js'
import { type ByteSource, bytesSource } from '../../../src/parquet/read-file.js'
import { VersionReader } from '../../../src/parquet/version-reader.js'
import { ALL_LOGICAL_TYPES, type Cell, columnType, dictionaryVector, plainVector, writeParquet } from './sample-vectors.js'

async function reader(
  columns: readonly ColumnType[],
  groups: readonly (readonly (readonly Cell[])[])[],
): Promise<{ reader: VersionReader; reads: [number, number][] }> {
  const { file } = await writeParquet({
    columns,
    rowGroups: groups.map((cells, g) => columns.map((t, c) => (g % 2 === 0 ? plainVector(t, cells[c]!) : dictionaryVector(t, cells[c]!)))),
  })
  const reads: [number, number][] = []
  const inner = bytesSource(file)
  const source: ByteSource = {
    sizeBytes: inner.sizeBytes,
    read(start, end) {
      reads.push([start, end])
      return inner.read(start, end)
    },
  }
  return { reader: await VersionReader.open({ source, url: 'file:///v1.parquet' }), reads }
}

async function all(rows: AsyncIterable<Record<string, unknown>>): Promise<Record<string, unknown>[]> {
  const out: Record<string, unknown>[] = []
  for await (const row of rows) out.push(row)
  return out
}

const numbers = [
  columnType('id', { kind: 'integer', bits: 32 }),
  columnType('v', { kind: 'integer', bits: 64 }),
  columnType('t', { kind: 'string' }),
]

describe('rows', () => {
  test('hold JavaScript values, null where missing, one object per row, whatever the names', async () => {
    const names = ['__proto__', 'constructor', '1', '0', 'a,b']
    const columns = names.map((name) => columnType(name, { kind: 'string' }))
    const { reader: r } = await reader(columns, [[['p'], ['c'], ['one'], ['zero'], [null]]])
    const [row] = await all(r.rows())
    expect(Object.getPrototypeOf(row)).toBeNull()
    expect(Object.keys(row!).sort()).toEqual([...names].sort())
    expect(names.map((name) => row![name])).toEqual(['p', 'c', 'one', 'zero', null])
    expect(r.schema.map((c) => c.name)).toEqual(names)
    expect(r.rowCount).toBe(1)
    expect(r.url).toBe('file:///v1.parquet')
  })

  test('of every type', async () => {
    const columns = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const cells: Cell[][] = [
      ['text'],
      ['{"a":[1,null]}'],
      [true],
      [-5],
      [2n ** 63n - 1n],
      [0.1],
      [-123],
      [1_500_000n],
      [-(10n ** 37n)],
      [19_737],
      [36_000_000],
      [36_000_000_001n],
      [1_705_312_800_000n],
      [-1n],
      [1_705_312_800_000_001n],
      [0n],
    ]
    const { reader: r } = await reader(columns, [cells])
    const [row] = await all(r.rows())
    expect(Object.values(row!)).toEqual([
      'text',
      { a: [1, null] },
      true,
      -5,
      2n ** 63n - 1n,
      0.1,
      '-1.23',
      '1.500000',
      `-1${'0'.repeat(27)}.${'0'.repeat(10)}`,
      '2024-01-15',
      '10:00:00',
      '10:00:00.000001',
      '2024-01-15T10:00:00.000Z',
      '1969-12-31T23:59:59.999',
      '2024-01-15T10:00:00.000001Z',
      '1970-01-01T00:00:00.000000',
    ])
  })

  test('only the columns asked for are read, in that order', async () => {
    const { reader: r, reads } = await reader(numbers, [[[1], [2n], ['x']]])
    const before = reads.length
    const rows = await all(r.rows({ columns: ['t', 'id'] }))
    expect(rows.map((row) => Object.entries(row))).toEqual([
      [
        ['t', 'x'],
        ['id', 1],
      ],
    ])
    expect(reads.length - before).toBe(2)
  })

  test('an unknown column, in columns or filters, is UNKNOWN_COLUMN', async () => {
    const { reader: r } = await reader(numbers, [[[1], [2n], ['x']]])
    await expect(all(r.rows({ columns: ['nope'] }))).rejects.toMatchObject({ code: 'UNKNOWN_COLUMN' })
    await expect(all(r.rows({ filters: [{ column: 'nope', op: '==', value: 1 }] }))).rejects.toMatchObject({ code: 'UNKNOWN_COLUMN' })
    await expect(r.columns(['nope'])).rejects.toMatchObject({ code: 'UNKNOWN_COLUMN' })
  })

  test('none of an empty file', async () => {
    const { reader: r } = await reader(numbers, [])
    expect(await all(r.rows())).toEqual([])
    expect((await r.columns()).get('v')!.values).toEqual(new BigInt64Array(0))
  })
})

describe('columns', () => {
  test('are typed arrays with validity, over all row groups', async () => {
    const { reader: r } = await reader(numbers, [
      [
        [1, null],
        [2n, 3n],
        ['x', null],
      ],
      [[4], [null], ['ä😀']],
    ])
    const columns = await r.columns()
    expect([...columns.keys()]).toEqual(['id', 'v', 't'])
    expect(columns.get('id')).toEqual({ type: numbers[0], values: Int32Array.of(1, 0, 4), validity: Uint8Array.of(1, 0, 1) })
    expect(columns.get('v')).toEqual({ type: numbers[1], values: BigInt64Array.of(2n, 3n, 0n), validity: Uint8Array.of(1, 1, 0) })
    expect(columns.get('t')).toEqual({ type: numbers[2], values: ['x', '', 'ä😀'], validity: Uint8Array.of(1, 0, 1) })
    expect([...(await r.columns(['t', 'id'])).keys()]).toEqual(['t', 'id'])
  })

  test('of every type', async () => {
    const columns = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const { reader: r } = await reader(columns, [columns.map(() => [null])])
    const kinds = [...(await r.columns()).values()].map(({ values }) => values.constructor.name)
    expect(kinds).toEqual([
      'Array',
      'Array',
      'Uint8Array',
      'Int32Array',
      'BigInt64Array',
      'Float64Array',
      'Int32Array',
      'BigInt64Array',
      'Array',
      'Int32Array',
      'Int32Array',
      'BigInt64Array',
      'BigInt64Array',
      'BigInt64Array',
      'BigInt64Array',
      'BigInt64Array',
    ])
    const wide = columnType('w', { kind: 'decimal', precision: 38, scale: 2 })
    const { reader: w } = await reader([wide], [[[-5n, null]]])
    expect((await w.columns()).get('w')!.values).toEqual([-5n, 0n])
  })
})

const OPERATORS: ComparisonOperator[] = ['==', '!=', '<', '<=', '>', '>=']

function holds(op: ComparisonOperator, a: number | bigint, b: number | bigint): boolean {
  switch (op) {
    case '==':
      // biome-ignore lint/suspicious/noDoubleEquals: numbers and bigints side by side.
      return a == b
    case '!=':
      // biome-ignore lint/suspicious/noDoubleEquals: numbers and bigints side by side.
      return a != b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
  }
}

describe('filters', () => {
  test('give the rows of a full scan, for random row groups and filters', async () => {
    const cell = fc.oneof(fc.constant(null), fc.integer({ min: -6, max: 6 }))
    const columns = [
      columnType('n', { kind: 'integer', bits: 32 }),
      columnType('d', { kind: 'double' }),
      columnType('b', { kind: 'integer', bits: 64 }),
    ]
    const group = fc.array(fc.tuple(cell, fc.oneof(cell, fc.constantFrom(Number.NaN, -0, Infinity, 0.5)), cell), {
      minLength: 1,
      maxLength: 6,
    })
    const value = fc.oneof(
      fc.integer({ min: -7, max: 7 }),
      fc.constantFrom(0.5, -0, Infinity, Number.NaN),
      fc.bigInt({ min: -7n, max: 7n }),
    )
    const filter: fc.Arbitrary<RowFilter> = fc.oneof(
      fc.record({ column: fc.constantFrom('n', 'd', 'b'), op: fc.constantFrom(...OPERATORS), value }),
      fc.record({ column: fc.constantFrom('n', 'd', 'b'), op: fc.constant('in' as const), value: fc.array(value, { maxLength: 3 }) }),
      fc.record({ column: fc.constantFrom('n', 'd', 'b'), op: fc.constantFrom('is-null' as const, 'not-null' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(group, { minLength: 1, maxLength: 5 }),
        fc.array(filter, { minLength: 1, maxLength: 3 }),
        async (groups, filters) => {
          const { reader: r } = await reader(
            columns,
            groups.map((rows) => [
              rows.map((row) => row[0]),
              rows.map((row) => row[1]),
              rows.map((row) => (row[2] === null ? null : BigInt(row[2]))),
            ]),
          )
          const scan = (await all(r.rows())).filter((row) =>
            filters.every((f) => {
              const stored = row[f.column] as number | bigint | null
              if (f.op === 'is-null') return stored === null
              if (f.op === 'not-null') return stored !== null
              if (stored === null) return false
              if (f.op === 'in') return f.value.some((v) => holds('==', stored, v as number))
              return holds(f.op, stored, f.value as number)
            }),
          )
          expect(await all(r.rows({ filters }))).toEqual(scan)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('compare each type by its value: every pair of values, every operator', async () => {
    const samples: Record<string, Cell[]> = {
      string: ['', 'Z', 'a', 'x'.repeat(70), `${'x'.repeat(70)}y`, '\uffff', '😀'],
      boolean: [false, true],
      date: [-719162, -1, 0, 19_737, 2932896],
      'time MILLIS': [0, 1, 86_399_999],
      'time MICROS': [0n, 1n, 86_399_999_999n],
      'decimal 9 2': [-100, -1, 0, 1, 99, 100],
      'decimal 18 6': [-1_000_000n, -1n, 0n, 999_999n, 10n ** 18n - 1n],
      'decimal 38 10': [-(10n ** 38n) + 1n, -1n, 0n, 255n, 256n, 10n ** 38n - 1n],
      'timestamp MILLIS true': [-1n, 0n, 1_705_312_800_001n],
      'timestamp MICROS false': [-1n, 0n, 1_705_312_800_000_001n],
    }
    for (const logical of ALL_LOGICAL_TYPES) {
      const values = samples[Object.values(logical).join(' ')]
      if (values === undefined) continue
      const type = columnType('v', logical)
      const { reader: r } = await reader(
        [type],
        values.map((v) => [[v, null]]),
      )
      const vector = plainVector(type, values)
      for (const [i] of values.entries()) {
        const value = toJs(type, vector.values, i)
        for (const op of OPERATORS) {
          const got = (await all(r.rows({ filters: [{ column: 'v', op, value }] }))).map((row) => row.v)
          // The samples are listed in their order.
          const want = values.flatMap((_, k) => (holds(op, k, i) ? [toJs(type, vector.values, k)] : []))
          expect(got, `${Object.values(logical).join(' ')} ${op} ${String(value)}`).toEqual(want)
        }
      }
    }
  })

  test('decimals compare exactly with finer, coarser and exponential numbers', async () => {
    const type = columnType('v', { kind: 'decimal', precision: 9, scale: 2 })
    const { reader: r } = await reader([type], [[[29, 30, -110]]])
    const match = async (op: ComparisonOperator, value: unknown): Promise<unknown[]> =>
      (await all(r.rows({ filters: [{ column: 'v', op, value }] }))).map((row) => row.v)
    expect(await match('==', '0.29')).toEqual(['0.29'])
    expect(await match('==', 0.29)).toEqual(['0.29'])
    expect(await match('==', '29e-2')).toEqual(['0.29'])
    expect(await match('==', '0.2900000000000000000000001')).toEqual([])
    expect(await match('<', '0.2900000000000000000000001')).toEqual(['0.29', '-1.10'])
    expect(await match('<', -1n)).toEqual(['-1.10'])
    expect(await match('>', -1.1)).toEqual(['0.29', '0.30'])
  })

  test('times finer than the unit, zones, and Dates', async () => {
    const type = columnType('v', { kind: 'timestamp', unit: 'MILLIS', utc: true })
    const { reader: r } = await reader([type], [[[0n, 1n]]])
    const count = async (op: ComparisonOperator, value: unknown): Promise<number> =>
      (await all(r.rows({ filters: [{ column: 'v', op, value }] }))).length
    expect(await count('<', '1970-01-01T00:00:00.0005Z')).toBe(1)
    expect(await count('==', '1970-01-01T00:00:00.0005Z')).toBe(0)
    expect(await count('==', '1970-01-01T01:00:00+01:00')).toBe(1)
    expect(await count('==', new Date(1))).toBe(1)
  })

  test('row groups that the statistics rule out are not read', async () => {
    const { reader: r, reads } = await reader(numbers, [
      [
        [1, 2],
        [10n, 20n],
        ['a', 'b'],
      ],
      [
        [3, 4],
        [30n, 40n],
        ['c', 'd'],
      ],
      [
        [5, 6],
        [null, null],
        [null, null],
      ],
    ])
    const readsOf = async (filters: RowFilter[]): Promise<number> => {
      const before = reads.length
      await all(r.rows({ filters }))
      return reads.length - before
    }
    expect(await readsOf([{ column: 'v', op: '==', value: 99 }])).toBe(0)
    expect(await readsOf([{ column: 'v', op: '>', value: 25 }])).toBe(3)
    expect(await readsOf([{ column: 't', op: '<', value: 'a' }])).toBe(0)
    expect(await readsOf([{ column: 't', op: 'in', value: ['b', 'zz'] }])).toBe(3)
    expect(await readsOf([{ column: 't', op: 'is-null' }])).toBe(3)
    expect(
      await readsOf([
        { column: 't', op: 'not-null' },
        { column: 'id', op: '>=', value: 5 },
      ]),
    ).toBe(0)
    // In range, but no row matches: the other columns are not read.
    expect(await readsOf([{ column: 'v', op: '==', value: 15 }])).toBe(1)
  })

  test('a value of another type is FILTER_INVALID, never a quiet miss', async () => {
    const columns = ALL_LOGICAL_TYPES.map((logical, i) => columnType(`c${i}`, logical))
    const { reader: r } = await reader(columns, [columns.map(() => [null])])
    for (const [i, column] of columns.entries()) {
      const wrong: unknown[] = [null, undefined, {}, [], Symbol('x')]
      wrong.push(...(column.physical === 'BYTE_ARRAY' ? [5, true] : ['not a value', '2024-13-01']))
      if (column.logical.kind === 'timestamp')
        wrong.push(column.logical.utc ? '2024-01-01T00:00:00' : '2024-01-01T00:00:00Z', new Date(Number.NaN))
      for (const value of wrong) {
        await expect(
          all(r.rows({ filters: [{ column: `c${i}`, op: '==', value }] })),
          `${column.logical.kind} ${String(value)}`,
        ).rejects.toMatchObject({ code: 'FILTER_INVALID' })
      }
    }
    await expect(all(r.rows({ filters: [{ column: 'c0', op: 'like' as '==', value: 'x' }] }))).rejects.toMatchObject({
      code: 'FILTER_INVALID',
    })
    await expect(all(r.rows({ filters: [{ column: 'c0', op: 'toString' as '==', value: 'x' }] }))).rejects.toMatchObject({
      code: 'FILTER_INVALID',
    })
    await expect(all(r.rows({ filters: [{ column: 'c0', op: 'in', value: 'x' as unknown as unknown[] }] }))).rejects.toMatchObject({
      code: 'FILTER_INVALID',
    })
  })
})

describe('closing', () => {
  test('closes the source, also when opening fails', async () => {
    let closed = 0
    const close = async (): Promise<void> => void closed++
    await expect(VersionReader.open({ source: { ...bytesSource(new Uint8Array(50)), close }, url: '' })).rejects.toMatchObject({
      code: 'PARQUET_INVALID',
    })
    expect(closed).toBe(1)
    const { file } = await writeParquet({ columns: numbers, rowGroups: [] })
    const r = await VersionReader.open({ source: { ...bytesSource(file), close }, url: '' })
    await r.close()
    expect(closed).toBe(2)
  })
})

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isIntakeError } from '../../../src/errors.js'
import { buildTable, type Table } from '../../../src/tables/build-table.js'
import { loadTable } from '../../../src/tables/load-table.js'
import { compileTable } from '../../../src/tables/schema.js'
import { hasTableShape } from '../../../src/tables/table-shape.js'

const root = join(import.meta.dirname, '../../..')
const shipped = ['config/tables', 'test/samples/tables'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name, JSON.parse(readFileSync(join(root, folder, name), 'utf8')) as Record<string, unknown>] as const),
)

/** Without the functions, which are never the same ones. */
function facts(table: Table): unknown {
  return JSON.parse(JSON.stringify({ ...table, columns: table.columns.map((c) => ({ ...c, missingValues: [...c.missingValues] })) }))
}

function problemsOf(make: () => Table): unknown {
  try {
    return facts(make())
  } catch (error) {
    if (!isIntakeError(error, 'TABLE_INVALID')) throw error
    return error.message
  }
}

/** Each member is nearly always right, so that many documents are right as a whole, and the others have one thing wrong in them. */
const odd = fc.constantFrom<unknown>(null, undefined, '', 1.5, -1, 2 ** 60, [], {}, true, ',,', 'x'.repeat(300), '\ud800', [null], ['a', 1])
const orOdd = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<unknown> => fc.oneof({ weight: 80, arbitrary }, { weight: 1, arbitrary: odd })
const partly = (members: Record<string, fc.Arbitrary<unknown>>, required: string[] = []): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .tuple(
      fc.record(Object.fromEntries(Object.entries(members).map(([k, a]) => [k, orOdd(a)])), {
        requiredKeys: required,
        noNullPrototype: true,
      }),
      fc.oneof({ weight: 40, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.constant({ misspelt: 1 }) }),
    )
    .map(([record, more]) => ({ ...record, ...more }))
const name = fc.constantFrom('a', 'b', 'c')
const missing = fc.oneof(
  fc.array(fc.constantFrom('', 'NA')),
  fc.array(partly({ value: fc.constantFrom('', '-'), label: fc.string() }, ['value'])),
  fc.constant(['', { value: '-' }]),
)
const constraints = partly({
  required: fc.boolean(),
  unique: fc.boolean(),
  minLength: fc.integer({ min: 0, max: 3 }),
  maxLength: fc.integer({ min: 2, max: 4 }),
  minimum: fc.oneof(fc.integer(), fc.constant('1')),
  exclusiveMaximum: fc.constant(9),
  pattern: fc.constantFrom('a+', '('),
  enum: fc.array(fc.constantFrom('a', 1, null), { minLength: 1, maxLength: 2 }),
})
const field = partly(
  {
    name,
    type: fc.constantFrom('string', 'integer', 'number', 'date', 'colour'),
    format: fc.constantFrom('default', '%d/%m/%Y'),
    title: fc.string(),
    constraints,
    missingValues: missing,
    decimalChar: fc.constantFrom('.', ','),
    bareNumber: fc.boolean(),
    trueValues: fc.array(fc.constant('yes'), { minLength: 1, maxLength: 2 }),
    delimiter: fc.constant(';'),
    categories: fc.oneof(fc.array(fc.constantFrom('a', 1), { minLength: 1 }), fc.array(fc.constant({ value: 'a' }), { minLength: 1 })),
    parquet: partly({
      type: fc.constantFrom('INT32', 'DECIMAL'),
      unit: fc.constant('m'),
      utc: fc.boolean(),
      precision: fc.constant(5),
      scale: fc.constant(2),
    }),
    own: fc.anything(),
  },
  ['name'],
)
const document = partly(
  {
    name: fc.constantFrom('t', 'bad name'),
    title: fc.string(),
    fields: fc.array(orOdd(field), { minLength: 1, maxLength: 4 }),
    fieldsMatch: fc.constantFrom('exact', 'subset', ['partial'], ['exact']),
    missingValues: missing,
    primaryKey: fc.constantFrom('a', ['a', 'b'], 'z'),
    uniqueKeys: fc.constantFrom([['a']], ['b'], [['a', 'b']]),
    own: fc.anything(),
  },
  ['fields'],
)

describe('the shape of a table document', () => {
  test.each(shipped)('%s has it, and gives the same table without zod', async (_, json) => {
    expect(hasTableShape(json)).toBe(true)
    const compiled = compileTable(json)
    expect(facts(await loadTable(json))).toEqual(facts(compiled))
    expect(facts(buildTable(structuredClone(compiled.document), compiled.name))).toEqual(facts(compiled))
  })

  test('what has it zod takes, and both ways give the same table or the same problems', async () => {
    let shaped = 0
    await fc.assert(
      fc.asyncProperty(document, fc.constantFrom(undefined, 't'), async (json, given) => {
        const expected = problemsOf(() => compileTable(json, given))
        let loaded: unknown
        try {
          loaded = facts(await loadTable(json, given))
        } catch (error) {
          loaded = (error as Error).message
        }
        expect(loaded).toEqual(expected)
        if (hasTableShape(json)) shaped++
      }),
      { numRuns: 2000 },
    )
    expect(shaped).toBeGreaterThan(100)
  })

  test.each([
    null,
    undefined,
    'a',
    [],
    {},
    { fields: [] },
    { fields: {} },
    { fields: [null] },
    { fields: [{}] },
    { fields: [{ name: 1 }] },
  ])('%j has it not', (json) => {
    expect(hasTableShape(json)).toBe(false)
  })

  test('objects that are not plain, and holes, are left to zod', () => {
    expect(hasTableShape(Object.assign(new Map(), { fields: [{ name: 'a' }] }))).toBe(false)
    const fields = [{ name: 'a' }]
    fields.length = 2
    expect(hasTableShape({ fields })).toBe(false)
  })

  test('a table does not change with the document it was made of', async () => {
    const json = { fields: [{ name: 'a' }] }
    const table = await loadTable(json, 't')
    json.fields[0]!.name = 'b'
    expect(table.document).toEqual({ fields: [{ name: 'a' }] })
    expect(table.columns[0]!.field).toEqual({ name: 'a', type: 'any' })
  })
})

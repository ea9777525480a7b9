import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { convertSource } from '../../../src/convert/convert-source.js'
import type { ConvertDone, ConvertRequest, Grouping } from '../../../src/convert/protocol.js'
import { RowValidator } from '../../../src/convert/row-validator.js'
import type { SplitSizes } from '../../../src/convert/split-sizes.js'
import { DEFAULT_DIALECT, intakeConfig, type OnInvalid } from '../../../src/documents/config.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

/**
 * There are two ways through a conversion: bytes to columns for clean, plain text, and csv-parse for everything else. Whatever the file,
 * both must give the same cells, the same account and the same errors.
 */
const TABLE = {
  name: 'both',
  fields: [
    { name: 'id', type: 'integer', constraints: { minimum: -5 } },
    { name: 'n32', type: 'integer', parquet: { type: 'INT32' } },
    { name: 'x', type: 'number', constraints: { maximum: 1e6 } },
    { name: 'price', type: 'number', parquet: { type: 'DECIMAL', precision: 9, scale: 2 } },
    { name: 'big', type: 'number', parquet: { type: 'DECIMAL', precision: 30, scale: 3 } },
    { name: 'day', type: 'date' },
    { name: 'at', type: 'datetime', parquet: { type: 'TIMESTAMP_MICROS', utc: true } },
    { name: 'time', type: 'time' },
    { name: 'flag', type: 'boolean' },
    { name: 'kind', type: 'string', constraints: { enum: ['a', 'b', 'é'] } },
    { name: 'note', type: 'string' },
    { name: 'tags', type: 'list', delimiter: ';' },
  ],
  missingValues: ['', 'NA', 'N/A'],
}
const NAMES = TABLE.fields.map((f) => f.name)

const digits = fc.stringMatching(/^[0-9]{1,4}$/)
const CELLS: readonly fc.Arbitrary<string>[] = [
  fc.oneof(fc.integer({ min: -5, max: 99_999 }).map(String), fc.constantFrom('+7', '007', '-5', '9223372036854775807')),
  fc.oneof(fc.integer().map(String), fc.constantFrom('2147483647', '-2147483648', '-0')),
  fc.oneof(
    fc.double({ noNaN: true, max: 1e6, min: -1e6 }).map(String),
    fc.constantFrom('1.50', '1.5', '-0', '.5', '5.', '1e-7', '0.1', '4.35'),
  ),
  fc.tuple(digits, digits).map(([a, b]) => `${a}.${b.slice(0, 2)}`),
  fc.tuple(fc.stringMatching(/^-?[1-9][0-9]{0,25}$/), digits).map(([a, b]) => `${a}.${b.slice(0, 3)}`),
  fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }).map((d) => d.toISOString().slice(0, 10)),
  fc
    .date({ min: new Date('1700-01-01'), max: new Date('2300-01-01'), noInvalidDate: true })
    .chain((d) =>
      fc.constantFrom(
        d.toISOString(),
        d.toISOString().replace('Z', '+05:30'),
        d.toISOString().replace(/\.\d+Z/, 'Z'),
        d.toISOString().replace('Z', '123Z'),
      ),
    ),
  fc.constantFrom('00:00:00', '23:59:59.999', '07:08:09.5'),
  fc.constantFrom('true', 'false', '1', '0', 'True'),
  fc.constantFrom('a', 'b', 'é'),
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('"', 'a"b', 'x,y', 'line\nbreak', 'cr\rlf\r\n', ' padded ', '日本', '🙂', 'na'),
  ),
  fc.constantFrom('a;b', 'é', '1;2;3'),
]

/** How a cell may stand in the file: bare where it can, quoted where it must or by whim, missing now and then. */
const cellText = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(value, fc.integer({ min: 0, max: 11 })).map(([text, whim]) => {
    if (whim === 0) return ''
    if (whim === 1) return 'NA'
    if (whim === 2) return '""'
    return whim < 5 || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  })

const cleanRow = fc.tuple(...CELLS.map(cellText)).map((cells) => cells.join(','))
/** Rows that are wrong in every way there is, and some that only look so. */
const oddRow = fc.constantFrom(
  '',
  ',,,,,,,,,,,',
  '"","",,,,,,,,,,',
  '1,2',
  `${'1,'.repeat(12)}1`,
  'x,,,,,,,,,,,',
  '-6,,,,,,,,,,,',
  ',2147483648,,,,,,,,,,',
  ',,1000001,,,,,,,,,',
  ',,,1.005,,,,,,,,',
  ',,,,,2023-02-29,,,,,,',
  ',,,,,,2024-01-01T00:00:00,,,,,',
  ',,,,,,,24:00:00,,,,',
  ',,,,,,,,yes,,,',
  ',,,,,,,,,c,,',
  ',,,,,,,,,,a"b,',
  ',,,,,,,,,,"a"b,',
  ',,,,,,,,,,"open,',
  ',,,,,,,,,,cr\rhere,',
  ',,,,,,,,,,nul\0,',
  ',,,,,,,,,,\uFEFF,',
  ' 1,,,,,,,,,,,',
  '1 ,,,,,,,,,,,',
  ',,NaN,,,,,,,,,',
  ',,INF,,,,,,,,,',
)

/** Bulk files in parts, partitions and row groups of a few rows. */
const spilling: fc.Arbitrary<Partial<SplitSizes>> = fc.record({
  chunkBytes: fc.constant(0),
  partBytes: fc.integer({ min: 1, max: 300 }),
  partitionBytes: fc.integer({ min: 1, max: 300 }),
  groupRows: fc.integer({ min: 1, max: 5 }),
  groupBytes: fc.integer({ min: 1, max: 300 }),
})

async function both(
  bytes: Uint8Array,
  options: {
    grouping?: Grouping
    onInvalid?: OnInvalid
    output?: 'staging' | 'none'
    table?: object
    splitSizes?: Partial<SplitSizes>
    partLines?: number
    mends?: boolean
  } = {},
): Promise<[ConvertDone, ConvertDone]> {
  const folder = await temporaryFolder()
  writeFileSync(join(folder, 'in.csv'), bytes)
  const results: ConvertDone[] = []
  for (const plainText of [true, false]) {
    const request: ConvertRequest = {
      sourcePath: join(folder, 'in.csv'),
      place: 'in.csv',
      tableName: 'both',
      tableDocument: options.table ?? TABLE,
      dialect: DEFAULT_DIALECT,
      grouping: options.grouping ?? { kind: 'single', recordId: 'R' },
      onInvalid: options.onInvalid ?? 'quarantine-drop',
      output:
        options.output === 'none'
          ? { kind: 'none' }
          : { kind: 'staging', stagingRoot: folder, dropId: '20240127T100000123Z-000001-9f86d081884c7d65' },
      reportFolder: options.mends === false ? null : folder,
      limits: intakeConfig.parse({}).limits,
      compression: 'NONE',
      verify: 'full',
      expectedRows: null,
      progress: null,
    }
    const result = await convertSource(request, {
      files: nodeFiles,
      plainText,
      ...(options.splitSizes === undefined ? {} : { splitSizes: options.splitSizes }),
      ...(options.partLines === undefined ? {} : { partLines: options.partLines }),
    })
    if (result.status === 'failed') throw new Error(`${plainText}: ${result.code}: ${result.message}`)
    results.push(result)
    for (const staged of result.staged) rmSync(staged.path, { force: true })
  }
  return results as [ConvertDone, ConvertDone]
}

/** Everything but what may differ: times, encodings of the same cells, and hashes that only a faulty file's report has. */
function essence(done: ConvertDone): unknown {
  const [task] = done.report.tasks
  return {
    ...done,
    seconds: 0,
    staged: done.staged.map((s) => ({ recordId: s.recordId, rows: s.rows, invalid: s.invalid, content: s.contentSha256 })),
    report: {
      valid: done.report.valid,
      task: { ...task, stats: { ...task!.stats, seconds: 0, ...(done.valid ? { md5: null, sha256: null } : {}) } },
    },
  }
}

describe('both ways through a conversion', () => {
  it('give the same cells, account and errors for any document', async () => {
    const document = fc.record({
      rows: fc.array(fc.oneof({ weight: 12, arbitrary: cleanRow }, { weight: 1, arbitrary: oddRow }), { maxLength: 14 }),
      end: fc.constantFrom('\n', '\r\n'),
      last: fc.boolean(),
      bom: fc.boolean(),
      onInvalid: fc.constantFrom<OnInvalid>('quarantine-drop', 'quarantine-record', 'skip-rows'),
      split: fc.boolean(),
      spills: fc.option(spilling, { nil: undefined }),
      typeless: fc.boolean(),
    })
    // A document may leave a type out: it is `any` then.
    const unsaid = { ...TABLE, fields: TABLE.fields.map((f) => (f.name === 'note' ? { name: f.name } : f)) }
    await fc.assert(
      fc.asyncProperty(document, async ({ rows, end, last, bom, onInvalid, split, spills, typeless }) => {
        const text = `${bom ? '\uFEFF' : ''}${NAMES.join(',')}${end}${rows.join(end)}${last && rows.length > 0 ? end : ''}`
        const grouping: Grouping = split ? { kind: 'column', prefix: 'r/', column: 'kind', suffix: '' } : { kind: 'single', recordId: 'R' }
        const [fast, slow] = await both(Buffer.from(text), {
          onInvalid,
          grouping,
          table: typeless ? unsaid : TABLE,
          ...(spills === undefined ? {} : { splitSizes: spills }),
        })
        expect(essence(fast)).toEqual(essence(slow))
      }),
      { numRuns: 150 },
    )
  })

  it('give the same for a file in parts, any of which may be faulty', async () => {
    const document = fc.record({
      rows: fc.array(fc.oneof({ weight: 12, arbitrary: cleanRow }, { weight: 2, arbitrary: oddRow }), { minLength: 3, maxLength: 30 }),
      end: fc.constantFrom('\n', '\r\n'),
      last: fc.boolean(),
      bom: fc.boolean(),
      onInvalid: fc.constantFrom<OnInvalid>('quarantine-drop', 'quarantine-record', 'skip-rows'),
      output: fc.constantFrom('staging' as const, 'none' as const),
      partLines: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 64, max: 400 })),
    })
    await fc.assert(
      fc.asyncProperty(document, async ({ rows, end, last, bom, ...options }) => {
        const text = `${bom ? '\uFEFF' : ''}${NAMES.join(',')}${end}${rows.join(end)}${last ? end : ''}`
        const [fast, slow] = await both(Buffer.from(text), options)
        expect(essence(fast)).toEqual(essence(slow))
      }),
      { numRuns: 150 },
    )
  })

  it('agree about bytes that are no UTF-8', async () => {
    const text = Buffer.from(`${NAMES.join(',')}\n1,,,,,,,,,,ok,\n2,,,,,,,,,,x,\n`)
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
        const bytes = Buffer.from(text)
        bytes[at] = byte
        const [fast, slow] = await both(bytes)
        expect(essence(fast)).toEqual(essence(slow))
      }),
      { numRuns: 150 },
    )
  })

  it('agree on columns with many distinct values, and on the one wrong cell among them', async () => {
    const random = (i: number): number => ((i * 2_654_435_761) >>> 0) / 4_294_967_296
    const row = (i: number): string =>
      [
        i,
        i * 3 - 20_000,
        random(i) * 1000,
        (random(i + 1) * 1000).toFixed(2),
        `${i}${i}${i}.5`,
        new Date(i * 86_400_000 * 3).toISOString().slice(0, 10),
        i % 9 === 0 ? `"${new Date(i * 1_234_567_891).toISOString()}"` : new Date(i * 1_234_567_891).toISOString(),
        '07:08:09.5',
        i % 2 === 0,
        'a',
        i % 7 === 0 ? 'NA' : i % 5 === 0 ? `"say ""${i}"""` : `text ${i}`,
        'a;b',
      ].join(',')
    const rows = Array.from({ length: 12_000 }, (_, i) => row(i))
    const text = (lines: readonly string[]): Buffer => Buffer.from(`${NAMES.join(',')}\n${lines.join('\n')}\n`)
    const [fast, slow] = await both(text(rows))
    expect(fast.valid).toBe(true)
    expect(essence(fast)).toEqual(essence(slow))
    const wrong = rows.with(9000, rows[9000]!.replace(',a,', ',z,'))
    const [fastWrong, slowWrong] = await both(text(wrong))
    expect(essence(fastWrong)).toEqual(essence(slowWrong))
    expect(fastWrong.report.tasks[0]!.errors[0]).toMatchObject({ line: 9002, code: 'CONSTRAINT_ERROR' })
  })

  it('agree on keys: within a record, across chunks of rows, for equal values in different texts', async () => {
    const table = {
      ...TABLE,
      primaryKey: ['id', 'kind'],
      fields: TABLE.fields.map((f) => (f.name === 'x' ? { ...f, constraints: { unique: true } } : f)),
    }
    const row = (id: string, kind: string, x: string): string => `${id},,${x},,,,,,,${kind},,`
    for (const rows of [
      [row('1', 'a', '1'), row('1', 'b', '2'), row('2', 'a', '3')],
      [row('1', 'a', '1.5'), row('2', 'a', '1.50')],
      [row('1', 'a', '0'), row('2', 'a', '-0')],
      [row('1', 'a', ''), row('2', 'a', '')],
      [row('1', 'a', '1'), row('1', 'a', '2')],
      [row('', 'a', '1')],
    ]) {
      for (const grouping of [
        { kind: 'single', recordId: 'R' },
        { kind: 'column', prefix: '', column: 'kind', suffix: '' },
      ] as const) {
        const splitSizes = { chunkBytes: 0, partBytes: 1, partitionBytes: 1, groupRows: 1 }
        for (const spills of [{}, { splitSizes }]) {
          const [fast, slow] = await both(Buffer.from(`${NAMES.join(',')}\n${rows.join('\n')}\n`), { table, grouping, ...spills })
          expect(essence(fast)).toEqual(essence(slow))
        }
      }
    }
  })

  it('agree on the shipped samples', async () => {
    const root = new URL('../../../config/', import.meta.url)
    for (const [file, table] of [
      ['borelogs/BH-101.csv', 'borelog_versions'],
      ['borelogs/BH-103.csv', 'borelog_versions'],
      ['lab-reports/LR-2024-017.csv', 'lab_report_versions'],
    ]) {
      const document = JSON.parse(readFileSync(new URL(`tables/${table}.json`, root), 'utf8')) as object
      const [fast, slow] = await both(readFileSync(new URL(`samples/inbox/${file}`, root)), { table: { ...document, name: 'both' } })
      expect(essence(fast)).toEqual(essence(slow))
    }
  })
})

describe('a file in parts of 640 lines, one of which has a wrong cell', () => {
  const wrong = 1500
  const rows = Array.from({ length: 3000 }, (_, i) => `${i === wrong ? 'x' : i},${i},,,,,,,true,a,"note\n${i}",`)
  const text = (lines: readonly string[]): Buffer => Buffer.from(`${NAMES.join(',')}\n${lines.join('\n')}\n`)

  /** The result of the fast way, held to the other one, and the rows that csv-parse read for it. */
  async function converted(bytes: Buffer, options: Parameters<typeof both>[1] = {}): Promise<{ done: ConvertDone; parsed: number }> {
    const checked = vi.spyOn(RowValidator.prototype, 'check')
    try {
      // mended.csv is made by another run of csv-parse over all rows, in both ways.
      const [done, slow] = await both(bytes, { partLines: 640, mends: false, ...options })
      expect(essence(done)).toEqual(essence(slow))
      return { done, parsed: checked.mock.calls.length - (slow.rows.in ?? 0) }
    } finally {
      checked.mockRestore()
    }
  }

  it('has csv-parse read the lines about it, and no others', async () => {
    const { done, parsed } = await converted(text(rows))
    expect(done.report.tasks[0]!.errors).toMatchObject([{ line: 2 + 2 * wrong, rowNumber: 2 + wrong, code: 'TYPE_ERROR' }])
    expect(parsed).toBeLessThanOrEqual(10)
  })

  it('has csv-parse read all of the part where its other rows are kept', async () => {
    const { done, parsed } = await converted(text(rows), { onInvalid: 'skip-rows' })
    expect(done.staged).toMatchObject([{ rows: 2999, invalid: 1 }])
    expect(parsed).toBe(640)
  })

  it('is read by csv-parse as a whole where the table has keys', async () => {
    for (const key of [
      { primaryKey: ['n32'] },
      { fields: TABLE.fields.map((f) => (f.name === 'n32' ? { ...f, constraints: { unique: true } } : f)) },
    ]) {
      const { done, parsed } = await converted(text(rows.with(2000, rows[1000]!)), { table: { ...TABLE, ...key } })
      expect(Object.keys(done.totals).length).toBe(2)
      expect(parsed).toBe(3000)
    }
  })

  it.each([
    ['a quote that never closes', '1,,,,,,,,,,"open,'],
    ['a quote inside a cell', '1,,,,,,,,,,a"b,'],
    ['a NUL', '1,,,,,,,,,,a\0b,'],
  ])('is read by csv-parse as a whole where %s comes later', async (_, line) => {
    const { done } = await converted(text(rows.with(-1, line)))
    expect(done.rows.in).toBeNull()
    expect(done.report.tasks[0]!.errors).toMatchObject([{ line: 2 + 2 * wrong }, { line: 2 + 2 * 2999 }])
  })

  it('is staged as a whole where what looks wrong is right after all', async () => {
    const right = rows.with(wrong, '7,7,,,,,,,true,a,n,')
    // A carriage return alone ends a row: the fast way knows nothing of it.
    const odd = right.with(2000, `${right[2000]!}\r1,1,,,,,,,true,a,n,`)
    const { done } = await converted(text(odd))
    expect(done).toMatchObject({ valid: true, rows: { good: 3001 }, staged: [{ rows: 3001 }] })
  })
})

import type { Random } from '../random.js'
import type { RowBuffer } from '../row-buffer.js'
import { column, type Shape } from './shape.js'

const CLASSES = ['CH', 'CL', 'MH', 'ML', 'SM', 'SC', 'SP', 'SW', 'GM', 'GP', 'GW', 'Pt'] as const
const WORDS = [
  'stiff',
  'brown',
  'silty',
  'clay',
  'with',
  'gravel',
  'wet',
  'dense',
  'sand',
  'traces',
  'of',
  'shell',
  'grey',
  'weathered',
  'basalt',
] as const

const FIRST_DAY = 16_436
const FIRST_INSTANT = 1.42e12
const INSTANTS = 3.2e11

/** 13 columns of every common type. */
export const mixed: Shape = {
  name: 'mixed',
  title: '13 mixed columns',
  columns: [
    column('sample_id', 'int64', { required: true, minimum: 1 }),
    column('borelog_id', 'string', { required: true }),
    column('layer_no', 'int32', { minimum: 1, maximum: 99 }),
    column('depth_from', 'double', { minimum: 0 }),
    column('depth_to', 'double', { minimum: 0 }),
    column('moisture', 'double', { minimum: 0, maximum: 100 }),
    column('bulk_density', 'double'),
    { name: 'price', field: { type: 'number', parquet: { type: 'DECIMAL', precision: 12, scale: 2 } }, duckdb: 'DECIMAL(12,2)' },
    column('tested', 'boolean'),
    column('test_date', 'date'),
    column('created_at', 'instant'),
    column('classification', 'string'),
    column('remarks', 'string'),
  ],
  row: (out, r, i) => mixedRow(out, r, i, 1000 + r.below(2000)),
}

/**
 * The mixed columns with `records` values in borelog_id, all about as frequent: for a load that is split by it.
 * Sorted: the rows of a record stand together; else they are dealt out at random.
 */
export function splitMixed(records: number, order: 'sorted' | 'shuffled'): Shape {
  return {
    ...mixed,
    title: `13 mixed columns, ${records.toLocaleString('en')} values in one of them, ${order}`,
    row: (out, r, i, rows) => {
      const record = order === 'sorted' ? Math.floor((i * records) / rows) : i < records ? i : r.below(records)
      mixedRow(out, r, i, 100_000 + record)
    },
  }
}

/** The mixed columns with a text in the integer column layer_no: in the row in the middle, or in every one. */
export function faultyMixed(where: 'middle' | 'everywhere'): Shape {
  return {
    ...mixed,
    title: where === 'middle' ? 'one wrong cell in the middle' : 'a wrong cell in every row',
    row: (out, r, i, rows) => mixedRow(out, r, i, 1000 + r.below(2000), where === 'everywhere' || i === rows >> 1),
  }
}

function mixedRow(out: RowBuffer, r: Random, i: number, borelog: number, faulty = false): void {
  const from = r.below(6000)
  out.digits(i + 1).comma()
  out.ascii('BH-').digits(borelog).comma()
  if (faulty) out.ascii('layer ')
  out.digits(1 + r.below(40)).comma()
  out.fixed(from, 2).comma()
  out.fixed(from + r.below(300), 2).comma()
  if (r.below(10) !== 0) out.fixed(r.below(60_000), 3)
  out.comma()
  out.fixed(12_000 + r.below(10_000), 4).comma()
  out.fixed(r.below(1_000_000), 2).comma()
  out.ascii(r.below(2) === 0 ? 'true' : 'false').comma()
  out.date(FIRST_DAY + r.below(3650)).comma()
  out.instant(FIRST_INSTANT + r.belowLarge(INSTANTS)).comma()
  out.ascii(r.pick(CLASSES)).comma()
  const quoted = r.below(20) === 0
  if (quoted) out.byte(34)
  if (r.below(4) !== 0) {
    const words = r.below(8)
    for (let w = 0; w < words; w++) {
      if (w > 0) out.byte(32)
      out.ascii(r.pick(WORDS))
    }
  }
  if (quoted) out.ascii(', see ""log"""')
  out.endRow()
}

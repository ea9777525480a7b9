import { once } from 'node:events'
import { createWriteStream } from 'node:fs'

/**
 * Seeded test data. The generator has a period of 2^128 - 1 (xoshiro128**), so that no column repeats by accident and dictionaries are
 * only as small as the shape says.
 */
export class Random {
  private readonly state = new Uint32Array(4)

  constructor(seed: number) {
    // splitmix32 spreads a small seed over the state.
    let s = seed >>> 0
    for (let i = 0; i < 4; i++) {
      s = (s + 0x9e3779b9) >>> 0
      let z = s
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      this.state[i] = (z ^ (z >>> 15)) >>> 0
    }
  }

  /** 32 random bits. */
  bits(): number {
    const s = this.state
    const r = Math.imul(rotl(Math.imul(s[1]!, 5), 7), 9) >>> 0
    const t = s[1]! << 9
    s[2] = s[2]! ^ s[0]!
    s[3] = s[3]! ^ s[1]!
    s[1] = s[1]! ^ s[2]!
    s[0] = s[0]! ^ s[3]!
    s[2] = s[2]! ^ t
    s[3] = rotl(s[3]!, 11)
    return r
  }

  below(n: number): number {
    return Math.floor((this.bits() / 4294967296) * n)
  }

  unit(): number {
    return this.bits() / 4294967296
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k))
}

/** The mixed shape: 13 columns of every common type. */
export const MIXED_TABLE = {
  $schema: 'https://datapackage.org/profiles/2.0/tableschema.json',
  name: 'mixed',
  fields: [
    { name: 'sample_id', type: 'integer', constraints: { required: true, minimum: 1 } },
    { name: 'borelog_id', type: 'string', constraints: { required: true } },
    { name: 'layer_no', type: 'integer', constraints: { minimum: 1, maximum: 99 }, parquet: { type: 'INT32' } },
    { name: 'depth_from', type: 'number', constraints: { minimum: 0 } },
    { name: 'depth_to', type: 'number', constraints: { minimum: 0 } },
    { name: 'moisture', type: 'number', constraints: { minimum: 0, maximum: 100 } },
    { name: 'bulk_density', type: 'number' },
    { name: 'price', type: 'number', parquet: { type: 'DECIMAL', precision: 12, scale: 2 } },
    { name: 'tested', type: 'boolean' },
    { name: 'test_date', type: 'date' },
    { name: 'created_at', type: 'datetime', parquet: { type: 'TIMESTAMP_MILLIS', utc: true } },
    { name: 'classification', type: 'string' },
    { name: 'remarks', type: 'string' },
  ],
  missingValues: [''],
}

/** DuckDB types of the same columns. */
export const MIXED_DUCKDB =
  "{'sample_id': 'BIGINT', 'borelog_id': 'VARCHAR', 'layer_no': 'INTEGER', 'depth_from': 'DOUBLE', 'depth_to': 'DOUBLE', 'moisture': 'DOUBLE', 'bulk_density': 'DOUBLE', 'price': 'DECIMAL(12,2)', 'tested': 'BOOLEAN', 'test_date': 'DATE', 'created_at': 'TIMESTAMPTZ', 'classification': 'VARCHAR', 'remarks': 'VARCHAR'}"

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

function mixedRow(r: Random, i: number): string {
  const from = r.below(6000) / 100
  const to = from + r.below(300) / 100
  const day = new Date(Date.UTC(2015, 0, 1 + r.below(3650))).toISOString().slice(0, 10)
  const time = new Date(1.42e12 + Math.floor(r.unit() * 3.2e11)).toISOString()
  const words = r.below(8)
  const remarks = r.below(4) === 0 ? '' : Array.from({ length: words }, () => r.pick(WORDS)).join(' ')
  return [
    i + 1,
    `BH-${1000 + r.below(2000)}`,
    1 + r.below(40),
    from.toFixed(2),
    to.toFixed(2),
    r.below(10) === 0 ? '' : (r.unit() * 60).toFixed(3),
    (1.2 + r.unit()).toFixed(4),
    (r.unit() * 10000).toFixed(2),
    r.below(2) === 0 ? 'true' : 'false',
    day,
    time,
    r.pick(CLASSES),
    r.below(20) === 0 ? `"${remarks}, see ""log"""` : remarks,
  ].join(',')
}

/** Writes `rows` rows of the mixed shape; the same seed gives the same bytes. */
export async function writeMixed(path: string, rows: number, seed = 1): Promise<void> {
  const random = new Random(seed)
  const out = createWriteStream(path)
  let text = `${MIXED_TABLE.fields.map((f) => f.name).join(',')}\n`
  for (let i = 0; i < rows; i++) {
    text += `${mixedRow(random, i)}\n`
    if (text.length > 1 << 20) {
      if (!out.write(text)) await once(out, 'drain')
      text = ''
    }
  }
  out.end(text)
  await once(out, 'finish')
}

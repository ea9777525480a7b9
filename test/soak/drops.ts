import { hash } from 'node:crypto'
import type { FuzzRandom } from '../fuzz/random.js'

/** What the soak's producers send, and what must become of it. The table has three columns: grp, n, x. */

export interface Part {
  readonly rows: number
  readonly invalid: number
}

/** A file to send. `parts`: its rows by record. */
export interface Delivery {
  /** Below inbox/. */
  readonly path: string
  readonly bytes: Buffer
  readonly sha256: string
  readonly onInvalid: 'quarantine-drop' | 'quarantine-record' | 'skip-rows'
  readonly parts: ReadonlyMap<string, Part>
}

export type DeliveryKind = 'plain' | 'signed' | 'skip' | 'bulk'

/** Rows of a file that is large enough to go to all threads at once. */
const LARGE_ROWS = 420_000
const GROUPS = 7

export const TABLE = {
  name: 'soak',
  fields: [
    { name: 'grp', type: 'string' },
    { name: 'n', type: 'integer' },
    { name: 'x', type: 'number' },
  ],
}

const source = (name: string, record: string, onInvalid: Delivery['onInvalid']): object => ({
  name,
  match: `${name}/*.csv`,
  table: TABLE.name,
  record,
  createdBy: 'producer',
  onInvalid,
})

/** `signed`: only these records are decided on, so that what becomes of a drop that comes twice does not hang on when a decision came. */
export const SOURCES = [
  source('plain', 'plain/{stem}', 'quarantine-drop'),
  source('signed', 'signed/{stem}', 'quarantine-drop'),
  source('skip', 'skip/{stem}', 'skip-rows'),
  source('bulk', 'bulk/{column:grp}', 'quarantine-record'),
]

/** Makes deliveries; every new one has a number that stands in each of its rows, so that no two have the same content. */
export class Producer {
  private serial = 0
  private readonly last = new Map<string, Delivery[]>()

  constructor(private readonly random: FuzzRandom) {}

  next(wanted?: DeliveryKind): Delivery {
    const { random } = this
    const kind = wanted ?? random.pick(['plain', 'plain', 'plain', 'signed', 'signed', 'skip', 'bulk', 'bulk'] as const)
    const path = kind === 'bulk' ? `bulk/load-${String(this.serial).padStart(6, '0')}.csv` : `${kind}/r${random.below(6)}.csv`
    const before = this.last.get(path) ?? []
    // The same bytes again: those of the last time, or older ones.
    if (kind === 'plain' && before.length > 0 && random.oneIn(4)) return this.keep(random.oneIn(2) ? before.at(-1)! : random.pick(before))
    return this.keep(this.make(kind, path))
  }

  private keep(delivery: Delivery): Delivery {
    const all = this.last.get(delivery.path) ?? []
    all.push(delivery)
    this.last.set(delivery.path, all)
    return delivery
  }

  private make(kind: DeliveryKind, path: string): Delivery {
    const { random } = this
    const serial = this.serial++
    const rows = random.oneIn(60) ? LARGE_ROWS : 1 + random.below(40)
    const faultyRow = random.oneIn(8) ? random.below(rows) : -1
    const parts = new Map<string, { rows: number; invalid: number }>()
    const stem = path.slice(path.indexOf('/') + 1, -'.csv'.length)
    const lines = ['grp,n,x']
    for (let i = 0; i < rows; i++) {
      const group = `g${i % GROUPS}`
      const record = kind === 'bulk' ? `bulk/${group}` : `${kind}/${stem}`
      const part = parts.get(record) ?? { rows: 0, invalid: 0 }
      parts.set(record, part)
      if (i === faultyRow) part.invalid++
      else part.rows++
      lines.push(`${group},${i === faultyRow ? 'oops' : serial},${i}.${random.below(100)}`)
    }
    const bytes = Buffer.from(`${lines.join('\n')}\n`)
    const onInvalid = kind === 'bulk' ? 'quarantine-record' : kind === 'skip' ? 'skip-rows' : 'quarantine-drop'
    return { path, bytes, sha256: hash('sha256', bytes, 'hex'), onInvalid, parts }
  }
}

import { createHash } from 'node:crypto'
import type { World } from './world.js'

/** What must be so in the end, whatever happened on the way. */
export interface Expected {
  /** Path below inbox/ or decisions/ → the outcome of its receipt; all of them, each once. */
  readonly receipts: Readonly<Record<string, string>>
  /** Record → the drops of its versions, and its status. (Their order is that of drop-ids: a claim that is undone gets a later one.) */
  readonly records: Readonly<Record<string, { readonly drops: readonly string[]; readonly status: string }>>
  /** Drops of one record may have gone past one another. */
  readonly inAnyOrder?: boolean
}

export interface Scenario {
  readonly name: string
  /** Lives before, without faults; then what the lives under test find in inbox/ and decisions/. */
  readonly prepare: (world: World) => Promise<void>
  readonly expected: Expected
}

const csv = (...rows: string[]): string => `id,hole,note\n${rows.map((row) => `${row}\n`).join('')}`
const DRAFT = 'draft'

async function withFirst(world: World): Promise<void> {
  world.put('inbox/one/a.csv', csv('1,h,first'))
  await world.liveWell()
}

const FIRST = { 'one/a.csv': 'committed' }
const three = csv('1,h1,x', '2,h2,y', '3,h3,z', '4,h1,w')

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'create',
    prepare: async (world) => world.put('inbox/one/a.csv', csv('1,h,first')),
    expected: { receipts: FIRST, records: { a: { drops: ['one/a.csv'], status: DRAFT } } },
  },
  {
    name: 'update',
    prepare: async (world) => {
      await withFirst(world)
      world.put('inbox/one/later/a.csv', csv('1,h,second', '2,h,row'))
    },
    expected: {
      receipts: { ...FIRST, 'one/later/a.csv': 'committed' },
      records: { a: { drops: ['one/a.csv', 'one/later/a.csv'], status: DRAFT } },
    },
  },
  {
    name: 'two drops of one record, in order',
    prepare: async (world) => {
      world.put('inbox/one/z/a.csv', csv('1,h,first'))
      world.put('inbox/one/later/a.csv', csv('1,h,second'))
    },
    expected: {
      receipts: { 'one/z/a.csv': 'committed', 'one/later/a.csv': 'committed' },
      records: { a: { drops: ['one/z/a.csv', 'one/later/a.csv'], status: DRAFT } },
    },
  },
  {
    name: 'several records of one drop, one of them new, one unchanged',
    prepare: async (world) => {
      world.put('inbox/split/s.csv', csv('1,h1,x', '2,h2,y', '4,h1,w'))
      await world.liveWell()
      world.put('inbox/split/t.csv', csv('1,h1,changed', '2,h2,y', '3,h3,z'))
    },
    expected: {
      receipts: { 'split/s.csv': 'committed', 'split/t.csv': 'committed' },
      records: {
        'soil/h1': { drops: ['split/s.csv', 'split/t.csv'], status: DRAFT },
        'soil/h2': { drops: ['split/s.csv'], status: DRAFT },
        'soil/h3': { drops: ['split/t.csv'], status: DRAFT },
      },
    },
  },
  {
    name: 'one record of several held back',
    prepare: async (world) => world.put('inbox/split/s.csv', csv('1,h1,x', 'wrong,h2,y', '3,h2,z', '4,h3,w')),
    expected: {
      receipts: { 'split/s.csv': 'partial' },
      records: { 'soil/h1': { drops: ['split/s.csv'], status: DRAFT }, 'soil/h3': { drops: ['split/s.csv'], status: DRAFT } },
    },
  },
  {
    name: 'quarantine of a drop',
    prepare: async (world) => world.put('inbox/one/bad.csv', csv('1,h,x', 'wrong,h,y')),
    expected: { receipts: { 'one/bad.csv': 'quarantined' }, records: {} },
  },
  {
    name: 'skip-rows',
    prepare: async (world) => world.put('inbox/skip/a.csv', csv('1,h,x', 'wrong,h,y', '3,h,z')),
    expected: { receipts: { 'skip/a.csv': 'partial' }, records: { 'skip/a': { drops: ['skip/a.csv'], status: DRAFT } } },
  },
  {
    name: 'duplicate, unchanged and superseded',
    prepare: async (world) => {
      await withFirst(world)
      world.put('inbox/one/b.csv', csv('1,h,b'))
      world.put('inbox/one/c.csv', csv('1,h,c'))
      await world.liveWell()
      world.put('inbox/one/2/c.csv', csv('1,h,c2'))
      await world.liveWell()
      world.put('inbox/one/later/a.csv', csv('1,h,first'))
      world.put('inbox/one/later/b.csv', csv('1,"h",b'))
      world.put('inbox/one/later/c.csv', csv('1,h,c'))
    },
    expected: {
      receipts: {
        ...FIRST,
        'one/b.csv': 'committed',
        'one/c.csv': 'committed',
        'one/2/c.csv': 'committed',
        'one/later/a.csv': 'duplicate',
        'one/later/b.csv': 'unchanged',
        'one/later/c.csv': 'superseded',
      },
      records: {
        a: { drops: ['one/a.csv'], status: DRAFT },
        b: { drops: ['one/b.csv'], status: DRAFT },
        c: { drops: ['one/c.csv', 'one/2/c.csv'], status: DRAFT },
      },
    },
  },
  {
    name: 'a drop with sidecars',
    prepare: async (world) => {
      const content = csv('1,h,x')
      world.put('inbox/strict/a.csv.sha256', createHash('sha256').update(content).digest('hex'))
      world.put('inbox/strict/a.csv.done', '')
      world.put('inbox/strict/a.csv', content)
    },
    expected: { receipts: { 'strict/a.csv': 'committed' }, records: { 'strict/a': { drops: ['strict/a.csv'], status: DRAFT } } },
  },
  {
    name: 'a pipe with the name of a drop',
    prepare: async (world) => world.pipe('inbox/one/p.csv'),
    expected: { receipts: { 'one/p.csv': 'quarantined' }, records: {} },
  },
  {
    name: 'approval',
    prepare: async (world) => {
      await withFirst(world)
      world.decide('yes', 'a', 'approve')
    },
    expected: {
      receipts: { ...FIRST, 'yes.decision.json': 'applied' },
      records: { a: { drops: ['one/a.csv'], status: 'approved' } },
    },
  },
  {
    name: 'rejection',
    prepare: async (world) => {
      await withFirst(world)
      world.decide('no', 'a', 'reject')
    },
    expected: {
      receipts: { ...FIRST, 'no.decision.json': 'applied' },
      records: { a: { drops: ['one/a.csv'], status: 'rejected' } },
    },
  },
  {
    name: 'a decision with a wrong signature',
    prepare: async (world) => {
      await withFirst(world)
      world.decide('forged', 'a', 'approve', { spoil: true })
    },
    expected: {
      receipts: { ...FIRST, 'forged.decision.json': 'refused' },
      records: { a: { drops: ['one/a.csv'], status: DRAFT } },
    },
  },
  {
    name: 'three drops and a decision at once',
    prepare: async (world) => {
      await withFirst(world)
      world.decide('yes', 'a', 'approve')
      world.put('inbox/one/b.csv', csv('1,h,b'))
      world.put('inbox/split/s.csv', three)
      world.put('inbox/one/bad.csv', csv('wrong,h,b'))
    },
    expected: {
      receipts: {
        ...FIRST,
        'yes.decision.json': 'applied',
        'one/b.csv': 'committed',
        'split/s.csv': 'committed',
        'one/bad.csv': 'quarantined',
      },
      records: {
        a: { drops: ['one/a.csv'], status: 'approved' },
        b: { drops: ['one/b.csv'], status: DRAFT },
        'soil/h1': { drops: ['split/s.csv'], status: DRAFT },
        'soil/h2': { drops: ['split/s.csv'], status: DRAFT },
        'soil/h3': { drops: ['split/s.csv'], status: DRAFT },
      },
    },
  },
]

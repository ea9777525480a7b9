import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { repositoryRoot } from '../support/built-program.js'
import { IntakeWorkspace, type RunningDaemon } from '../support/intake-workspace.js'
import { expectRowsAddUp, expectTidy } from '../support/receipt-rules.js'

/** A drop that stops whoever converts it is found, given up after three attempts alone, and takes nobody with it (DESIGN §8, "Failure"). */

const HARM = { NODE_OPTIONS: `--import ${pathToFileURL(join(repositoryRoot, 'test/support/poison.mjs')).href}` }
const TABLE = {
  name: 'notes',
  fields: [
    { name: 'id', type: 'integer' },
    ...['note', 'poison_abort', 'poison_exit', 'poison_hang', 'poison_heap'].map((name) => ({ name, type: 'string' })),
  ],
  fieldsMatch: 'superset',
}

async function workspace(limits: object = {}): Promise<IntakeWorkspace> {
  return IntakeWorkspace.make({
    sources: [{ name: 'notes', match: '*.csv', table: 'notes', record: '{stem}', createdBy: 'lab' }],
    tables: { notes: TABLE },
    config: { limits, convert: { threads: 2, memoryMb: 64 } },
  })
}

async function dropInnocents(ws: IntakeWorkspace, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, i) => `innocent-${i}.csv`)
  for (const name of names) await ws.drop(name, `id,note\n1,${name}\n`)
  return names
}

async function expectOnlyPoisonGivenUp(
  ws: IntakeWorkspace,
  daemon: RunningDaemon,
  poison: string,
  innocents: readonly string[],
): Promise<void> {
  for (const name of innocents) expect((await daemon.receiptOf(name)).outcome, name).toBe('committed')
  const receipt = await daemon.receiptOf(poison)
  expect(receipt).toMatchObject({ outcome: 'quarantined', code: 'POISON', rows: { in: null } })
  expectRowsAddUp(receipt)
  expect(readFileSync(ws.path(receipt.stored_at!), 'latin1')).toContain('poison')
  expect((await daemon.stop()).status).toBe(0)
  await expectTidy(ws)
  expect(readFileSync(ws.path('state/converting'), 'latin1').trim()).toBe('')
  expect((await ws.run(['verify'])).status).toBe(0)
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        return Number(readFileSync(`/proc/${each}/stat`, 'latin1').split(') ')[1]!.split(' ')[1]) === pid
      } catch {
        return false
      }
    })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test.for([['poison_exit'], ['poison_heap']])(
  'a thread that %s stops is not the end of the others',
  { timeout: 120_000 },
  async ([kind]) => {
    const ws = await workspace()
    await ws.drop('bad.csv', `id,${kind}\n1,x\n`)
    const innocents = await dropInnocents(ws, 12)
    const daemon = await ws.start([], HARM)
    await expectOnlyPoisonGivenUp(ws, daemon, 'bad.csv', innocents)
    const attempts = daemon.lines.filter((line) => line.event === 'drop.suspected')
    expect(attempts.map((line) => [line.path, line.attempts])).toEqual([0, 1, 2, 3].map((n) => ['bad.csv', n]))
  },
)

test('a thread that hangs is stopped when its time is over', { timeout: 120_000 }, async () => {
  const ws = await workspace({ conversionSeconds: 1 })
  await ws.drop('bad.csv', 'id,poison_hang\n1,x\n')
  const innocents = await dropInnocents(ws, 12)
  const daemon = await ws.start([], HARM)
  await expectOnlyPoisonGivenUp(ws, daemon, 'bad.csv', innocents)
})

test('a process that hangs alone does not outlive the daemon', { timeout: 120_000 }, async () => {
  const ws = await workspace({ conversionSeconds: 3 })
  await ws.drop('bad.csv', 'id,poison_hang\n1,x\n')
  const daemon = await ws.start([], HARM)
  await daemon.logged((line) => line.event === 'drop.suspected')
  let alone: number[] = []
  await daemon.until(() => {
    alone = childrenOf(daemon.child.pid!).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('convert-alone'))
    return alone.length === 1 && readFileSync(`/proc/${alone[0]}/stat`, 'latin1').split(') ')[1]!.startsWith('R')
  })
  await daemon.kill()
  await expect.poll(() => isAlive(alone[0]!), { timeout: 10_000 }).toBe(false)
})

test('a drop that ends the process is found at the next start, and those beside it are committed', { timeout: 120_000 }, async () => {
  const ws = await workspace()
  await ws.drop('bad.csv', 'id,poison_abort\n1,x\n')
  const innocents = await dropInnocents(ws, 12)
  const first = await ws.start([], HARM)
  expect((await first.ended).signal).toBe('SIGABRT')
  expect(readFileSync(ws.path('state/converting'), 'latin1').trim()).not.toBe('')
  const second = await ws.start([], HARM)
  await expectOnlyPoisonGivenUp(ws, second, 'bad.csv', innocents)
  // Not once more beside others: it was a suspect from the start.
  expect(second.lines.filter((line) => line.event === 'drop.suspected').map((line) => [line.path, line.attempts])).toEqual(
    [1, 2, 3].map((n) => ['bad.csv', n]),
  )
})

test('a drop that is mended is taken, and so is poison that was none', { timeout: 120_000 }, async () => {
  const ws = await workspace()
  await ws.drop('bad.csv', 'id,poison_exit\n1,x\n')
  const harmed = await ws.start([], HARM)
  const refused = await harmed.receiptOf('bad.csv')
  expect(refused.code).toBe('POISON')
  expect((await harmed.stop()).status).toBe(0)
  // What stopped it lay in the program, which was mended: the very same bytes.
  const daemon = await ws.start()
  await ws.run(['requeue', refused.drop_id])
  expect((await daemon.receiptOf('bad.csv', 2)).outcome).toBe('committed')
  expect((await daemon.stop()).status).toBe(0)
})

test('stopping while a suspect is converted alone is no attempt', { timeout: 120_000 }, async () => {
  const ws = await workspace({ conversionSeconds: 2 })
  await ws.drop('bad.csv', 'id,poison_hang\n1,x\n')
  for (let round = 0; round < 4; round++) {
    const daemon = await ws.start([], HARM)
    await (round === 0 ? daemon.logged((line) => line.event === 'drop.suspected') : new Promise((resolve) => setTimeout(resolve, 300)))
    expect((await daemon.stop()).status).toBe(0)
    expect(ws.dropReceipts()).toEqual([])
  }
  const daemon = await ws.start()
  expect((await daemon.receiptOf('bad.csv')).outcome).toBe('committed')
  expect((await daemon.stop()).status).toBe(0)
})

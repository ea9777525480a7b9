import { createHash } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Claim } from '../../../src/inbox/claim.js'
import type { ClaimStore } from '../../../src/inbox/claims.js'
import type { Filing } from '../../../src/inbox/filing.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { Crash, FaultFiles, receiptOf, Workbench } from './workbench.js'

/**
 * The process dies before, or right after, the k-th call to the file system, for every k; sometimes once more during recovery. Then a
 * later run finishes. Whatever happened: the bytes are in the archive once for each receipt, and no drop is lost or doubled.
 */

let bench: Workbench
beforeAll(async () => {
  bench = await Workbench.open([{}, { name: 'strict', match: 'strict/*.csv', sidecars: ['sha256', 'done'] }])
})
afterAll(() => bench.close())

async function clear(): Promise<void> {
  for (const folder of ['inbox', 'state/claims', 'archive', 'quarantine', 'receipts']) {
    await rm(bench.path(folder), { recursive: true, force: true })
    await mkdir(bench.path(folder))
  }
}

async function finish(parts: { claims: ClaimStore; filing: Filing }, claim: Claim): Promise<void> {
  const archived = await parts.filing.archive(claim)
  await parts.filing.writeReceipt(receiptOf(claim, { stored_at: archived }))
  await parts.claims.release(claim)
}

const survive = async (work: () => Promise<unknown>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Crash)) throw error
  }
}

async function contentsBelow(folder: string): Promise<string[]> {
  const entries = await readdir(bench.path(folder), { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const e of entries) if (e.isFile()) found.push(await readFile(`${e.parentPath}/${e.name}`, 'utf8'))
  return found.sort()
}

interface Scenario {
  readonly name: string
  readonly path: string
  prepare(): Promise<void>
  /** What the producer does once the drop is claimed, whether the daemon lives or not. */
  late?(hidden: string): Promise<void>
  /** The bytes that must be archived in the end, each with one receipt. */
  readonly expected: readonly string[]
}

const sha = createHash('sha256').update('text').digest('hex')
const scenarios: Scenario[] = [
  { name: 'a plain drop', path: 'borelogs/a.csv', prepare: () => bench.drop('borelogs/a.csv', 'text'), expected: ['text'] },
  {
    name: 'a drop with sidecars',
    path: 'strict/a.csv',
    prepare: async () => {
      await bench.drop('strict/a.csv', 'text')
      await bench.drop('strict/a.csv.sha256', sha)
      await bench.drop('strict/a.csv.done', '')
    },
    expected: ['', sha, 'text'],
  },
]

async function hiddenNow(): Promise<string | null> {
  const names = await readdir(bench.path('inbox'), { recursive: true })
  const name = names.find((n) => n.endsWith('.claimed') && !/sha256|done/.test(n))
  return name === undefined ? null : bench.path('inbox', name)
}

async function runOnce(scenario: Scenario, first: FaultFiles, second: FaultFiles | null): Promise<void> {
  await clear()
  await scenario.prepare()
  const candidate = await bench.candidate(scenario.path)
  const dying = bench.parts(first.files)
  await survive(async () => {
    const outcome = await dying.claims.claim(candidate, bench.nextId())
    if (outcome.kind === 'claimed') await finish(dying, outcome.claim)
  })
  if (second !== null) {
    const recovering = bench.parts(second.files)
    await survive(async () => {
      for (const claim of await recovering.claims.recover()) await finish(recovering, claim)
    })
  }

  const last = bench.parts()
  const claims = await last.claims.recover()
  const own = await nodeFiles.stat(bench.path('inbox', scenario.path))
  const receipts = (await bench.tree('receipts')).filter((n) => n.endsWith('.json')).length
  // The promise: under its own name, or in a claim, or receipted; one of them, and only one.
  expect({
    own: own === null ? 0 : 1,
    claims: claims.length,
    receipts,
    sum: (own === null ? 0 : 1) + claims.length + receipts,
  }).toMatchObject({ sum: 1 })
  for (const claim of claims) await finish(last, claim)
  if (own !== null) await finish(last, await bench.claim(last.claims, scenario.path))
  expect(await contentsBelow('archive')).toEqual([...scenario.expected].sort())
  expect((await bench.tree('receipts')).filter((n) => !n.endsWith('/'))).toHaveLength(1)
  expect((await bench.tree('inbox')).filter((n) => !n.endsWith('/'))).toEqual([])
  expect(await bench.tree('state/claims')).toEqual([])
}

describe.each(scenarios)('crashes with $name', (scenario) => {
  it.each(['crash', 'crash-after'] as const)('%s at every call: no drop is lost or doubled', async (mode) => {
    let tried = 0
    for (let at = 1; ; at++) {
      const fault = new FaultFiles({ at, mode })
      await runOnce(scenario, fault, null)
      if (!fault.fired) break
      tried++
    }
    expect(tried).toBeGreaterThan(40)
  })

  it('two crashes, the second while recovering: no drop is lost or doubled', async () => {
    let tried = 0
    for (let at = 1; ; at += 2) {
      const fault = new FaultFiles({ at, mode: 'crash-after' })
      const second = new FaultFiles({ at: 1 + ((at * 5) % 29), mode: at % 4 === 1 ? 'crash' : 'crash-after' })
      await runOnce(scenario, fault, second)
      if (!fault.fired) break
      tried++
    }
    expect(tried).toBeGreaterThan(20)
  })
})

describe('crashes while somebody writes to the file after it was taken', () => {
  it.each(['crash', 'crash-after'] as const)('%s at every call: what was claimed and what was written are both kept', async (mode) => {
    for (let at = 1; ; at++) {
      await clear()
      await bench.drop('borelogs/a.csv', 'text')
      const candidate = await bench.candidate('borelogs/a.csv')
      const fault = new FaultFiles({ at, mode })
      const dying = bench.parts(fault.files)
      await survive(async () => {
        const outcome = await dying.claims.claim(candidate, bench.nextId())
        if (outcome.kind !== 'claimed') return
        const hidden = await hiddenNow()
        if (hidden !== null) await appendFile(hidden, ' late')
        await finish(dying, outcome.claim)
      })
      // The producer does not know that we died.
      const hidden = await hiddenNow()
      if (hidden !== null && (await readFile(hidden, 'utf8')) === 'text') await appendFile(hidden, ' late')
      const last = bench.parts()
      for (const claim of await last.claims.recover()) await finish(last, claim)
      for (const name of await bench.tree('inbox')) {
        if (name === 'borelogs/a.csv') await finish(last, await bench.claim(last.claims, name))
      }
      const archived = await contentsBelow('archive')
      const receipts = (await bench.tree('receipts')).filter((n) => n.endsWith('.json')).length
      expect(archived).toHaveLength(receipts)
      expect([['text'], ['text late'], ['text', 'text late']]).toContainEqual(archived)
      if (hidden !== null) expect(archived).toContain('text late')
      expect((await bench.tree('inbox')).filter((n) => !n.endsWith('/'))).toEqual([])
      expect(await bench.tree('state/claims')).toEqual([])
      if (!fault.fired) break
    }
  })
})

describe('crashes while a newer file arrives under the name', () => {
  it('crash at every call: both are archived, each once', async () => {
    for (let at = 1; ; at++) {
      await clear()
      await bench.drop('borelogs/a.csv', 'one')
      const candidate = await bench.candidate('borelogs/a.csv')
      const fault = new FaultFiles({ at, mode: 'crash-after' })
      const dying = bench.parts(fault.files)
      await survive(async () => {
        const outcome = await dying.claims.claim(candidate, bench.nextId())
        if (outcome.kind === 'claimed') await finish(dying, outcome.claim)
      })
      const replaced = await nodeFiles.stat(bench.path('inbox/borelogs/a.csv'))
      await writeFile(bench.path('inbox/borelogs/.new'), 'two')
      await rename(bench.path('inbox/borelogs/.new'), bench.path('inbox/borelogs/a.csv'))
      const last = bench.parts()
      for (const claim of await last.claims.recover()) await finish(last, claim)
      for (let round = 0; round < 2; round++) {
        if ((await nodeFiles.stat(bench.path('inbox/borelogs/a.csv'))) !== null)
          await finish(last, await bench.claim(last.claims, 'borelogs/a.csv'))
        await last.claims.retryReturns('drop')
      }
      // Where nothing had been taken yet, the producer replaced its own file: that one is gone by its own doing.
      expect(await contentsBelow('archive')).toEqual(replaced === null ? ['one', 'two'] : ['two'])
      expect((await bench.tree('receipts')).filter((n) => n.endsWith('.json'))).toHaveLength(replaced === null ? 2 : 1)
      expect((await bench.tree('inbox')).filter((n) => !n.endsWith('/'))).toEqual([])
      if (!fault.fired) break
    }
  })
})

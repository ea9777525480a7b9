import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Claim } from '../../../src/inbox/claim.js'
import { Inbox } from '../../../src/inbox/inbox.js'
import { systemTimers } from '../../../src/inbox/timers.js'
import { watchFolders } from '../../../src/inbox/watcher.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { originalName, receiptOf, Workbench } from '../../unit/inbox/workbench.js'

/** The real file system, real hints, real time. A rescan that never comes shows that it was the hints that found a file. */
const NEVER_MS = 600_000

let bench: Workbench
let inbox: Inbox
const claimed: Claim[] = []
let working: Promise<void>[] = []

beforeEach(async () => {
  bench = await Workbench.open()
  claimed.length = 0
  working = []
})
afterEach(async () => {
  await inbox.stop()
  await Promise.all(working)
  await bench.close()
})

function open(over: { rescanMs?: number; polling?: boolean; settleMs?: number; dropsInFlight?: number } = {}): Inbox {
  const { claims, filing } = bench.parts(nodeFiles)
  inbox = new Inbox({
    root: bench.path('inbox'),
    rule: { kind: 'drop', sources: bench.sources },
    files: nodeFiles,
    clock: systemClock,
    timers: systemTimers,
    claims,
    ids: bench.sequence(),
    settings: { settleMs: 20, rescanMs: NEVER_MS, polling: false, ignore: ['.*', '*.tmp'], dropsInFlight: 64, ...over },
    watch: watchFolders,
    onClaim: (claim) => {
      claimed.push(claim)
      const work = (async () => {
        const stored = await filing.archive(claim)
        await filing.writeReceipt(receiptOf(claim, { stored_at: stored }))
        await claims.release(claim)
      })()
      working.push(work)
      return work
    },
    onFatal: (error) => {
      throw error
    },
    emit: bench.emit,
  })
  return inbox
}

const claimOf = (path: string, from = 0): Promise<unknown> => bench.event((e) => e.event === 'drop.claimed' && e.path === path, from)

/** Keeps writing other files until the watch, which starts in its own time, has given its first hint. */
async function hintsFlow(): Promise<void> {
  const scans = (): number => bench.events.filter((e) => e.event === 'inbox.scanned').length
  await bench.event((e) => e.event === 'inbox.scanned')
  const before = scans()
  for (let i = 0; scans() === before; i++) {
    await writeFile(bench.path('inbox', `${i}.tmp`), '')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a watched inbox', () => {
  it('takes files written in place, renamed into place, and in new sub-folders, on hints alone', async () => {
    open().start()
    await hintsFlow()
    await bench.drop('borelogs/a.csv')
    await claimOf('borelogs/a.csv')
    await mkdir(bench.path('elsewhere'))
    await writeFile(bench.path('elsewhere/b'), 'x')
    await rename(bench.path('elsewhere/b'), bench.path('inbox/borelogs/b.csv'))
    await claimOf('borelogs/b.csv')
    await mkdir(bench.path('elsewhere/new/deep'), { recursive: true })
    await writeFile(bench.path('elsewhere/new/deep/c.csv'), 'x')
    await rename(bench.path('elsewhere/new'), bench.path('inbox/borelogs/new'))
    await claimOf('borelogs/new/deep/c.csv')
  })

  it('survives that its root is removed and made again', async () => {
    open({ rescanMs: 50 }).start()
    await bench.drop('borelogs/a.csv')
    await claimOf('borelogs/a.csv')
    await rename(bench.path('inbox'), bench.path('gone'))
    await bench.event((e) => e.event === 'inbox.missing')
    await mkdir(bench.path('inbox'))
    await bench.event((e) => e.event === 'inbox.found')
    await bench.drop('borelogs/b.csv')
    await claimOf('borelogs/b.csv')
  })

  it('takes every one of 300 files that come while it works, each once', async () => {
    open({ dropsInFlight: 16 }).start()
    await mkdir(bench.path('inbox/borelogs'))
    for (let i = 0; i < 300; i++) {
      const temporary = join(bench.path('inbox/borelogs'), `.${i}`)
      await writeFile(temporary, String(i))
      await rename(temporary, join(bench.path('inbox/borelogs'), `${i}.csv`))
    }
    while (claimed.length < 300) {
      const before = bench.events.length
      inbox.hint()
      await bench.event((e) => e.event === 'drop.claimed' || e.event === 'inbox.scanned', before)
    }
    expect(new Set(claimed.map(originalName)).size).toBe(300)
    expect(claimed).toHaveLength(300)
  })
})

describe('a polled inbox', () => {
  it('takes files without a hint from anybody', async () => {
    open({ polling: true, rescanMs: 30 }).start()
    await bench.event((e) => e.event === 'inbox.scanned')
    await bench.drop('borelogs/a.csv')
    await claimOf('borelogs/a.csv')
    await rm(bench.path('inbox/borelogs'), { recursive: true })
    const from = bench.events.length
    await bench.drop('borelogs/a.csv')
    await claimOf('borelogs/a.csv', from)
  })
})

import { appendFile, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IntakeError } from '../../../src/errors.js'
import type { Claim } from '../../../src/inbox/claim.js'
import type { ClaimStore } from '../../../src/inbox/claims.js'
import type { InboxEvent } from '../../../src/inbox/events.js'
import type { Filing } from '../../../src/inbox/filing.js'
import { Inbox, type InboxSettings } from '../../../src/inbox/inbox.js'
import type { Timers } from '../../../src/inbox/timers.js'
import type { WatchFolders } from '../../../src/inbox/watcher.js'
import type { Clock } from '../../../src/runtime/clock.js'
import type { Files, OpenFile } from '../../../src/runtime/files.js'
import { FaultFiles, originalName, quickFiles, receiptOf, systemError, Workbench } from './workbench.js'

/** Time that moves only when somebody waits for it: each timer fires at its own moment, in order, once nothing else is going on. */
class FakeTime implements Clock, Timers {
  now = 1000
  private timers: { dueMs: number; run: () => void }[] = []

  nowMs(): number {
    return Date.UTC(2024, 0, 27) + this.now
  }

  monotonicMs(): number {
    return this.now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { dueMs: this.now + ms, run }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((t) => t !== timer)
    }
  }

  /** Fires the next timer. False when there is none. */
  step(): boolean {
    const next = this.timers.sort((a, b) => a.dueMs - b.dueMs).shift()
    if (next === undefined) return false
    this.now = Math.max(this.now, next.dueMs)
    next.run()
    return true
  }

  get nextDueMs(): number | null {
    return this.timers.length === 0 ? null : Math.min(...this.timers.map((t) => t.dueMs))
  }
}

let bench: Workbench
let time: FakeTime
let inbox: Inbox
let claims: ClaimStore
let filing: Filing
let claimed: Claim[]
let fatal: unknown[]
let hold: ((claim: Claim) => Promise<void>) | null

beforeEach(async () => {
  bench = await Workbench.open([
    {},
    { name: 'nightly', match: 'nightly/*.csv', record: 'soil/{column:report_id}' },
    { name: 'strict', match: 'strict/*.csv', sidecars: ['done'] },
  ])
  time = new FakeTime()
  claimed = []
  fatal = []
  hold = null
})
afterEach(async () => {
  await inbox.stop()
  await bench.close()
})

function open(
  over: Partial<InboxSettings> = {},
  files: Files = quickFiles,
  watch: WatchFolders = () => ({ close: async () => {} }),
  kind: 'drop' | 'decision' = 'drop',
): Inbox {
  ;({ claims, filing } = bench.parts(files))
  inbox = new Inbox({
    root: bench.path(kind === 'drop' ? 'inbox' : 'decisions'),
    rule: kind === 'drop' ? { kind: 'drop', sources: bench.sources } : { kind: 'decision' },
    files,
    clock: time,
    timers: time,
    claims,
    ids: bench.sequence(),
    settings: { settleMs: 2000, rescanMs: 15_000, polling: false, ignore: ['.*', '*.tmp'], dropsInFlight: 64, ...over },
    watch,
    onClaim: async (claim) => {
      claimed.push(claim)
      await hold?.(claim)
    },
    onFatal: (error) => void fatal.push(error),
    emit: bench.emit,
  })
  return inbox
}

/** Lets time pass until one more scan has ended and what it set off is done. */
async function scan(): Promise<InboxEvent & { event: 'inbox.scanned' }> {
  const from = bench.events.length
  const scanned = (): InboxEvent | undefined => bench.events.slice(from).find((e) => e.event === 'inbox.scanned')
  while (scanned() === undefined) {
    time.step()
    await quiet()
  }
  return scanned() as InboxEvent & { event: 'inbox.scanned' }
}

/** Waits until nothing is queued or being claimed, by asking the inbox itself after each turn of the event loop. */
async function quiet(): Promise<void> {
  let calm = 0
  while (calm < 3) {
    await new Promise((resolve) => setImmediate(resolve))
    calm = inbox.isIdle ? calm + 1 : 0
  }
}

const names = (): string[] => claimed.map(originalName)

describe('taking drops', () => {
  it('takes a file once it is still, whether it was there at start or came later', async () => {
    await bench.drop('borelogs/a.csv')
    open().start()
    await scan()
    expect(claimed).toEqual([])
    expect(inbox.waiting()).toMatchObject([{ path: 'borelogs/a.csv', code: 'STILL_GROWING' }])
    const beforeMs = time.now
    await scan()
    expect(time.now - beforeMs).toBe(2000)
    expect(names()).toEqual(['borelogs/a.csv'])
    expect((await scan()).waiting).toBe(0)
    await bench.drop('borelogs/b.csv')
    await scan()
    await scan()
    expect(names()).toEqual(['borelogs/a.csv', 'borelogs/b.csv'])
  })

  it('never takes a file that still grows', async () => {
    await bench.drop('borelogs/a.csv', '0')
    open().start()
    for (let i = 0; i < 5; i++) {
      await scan()
      await appendFile(bench.path('inbox/borelogs/a.csv'), 'x')
    }
    expect(claimed).toEqual([])
    expect(inbox.waiting()).toMatchObject([{ code: 'STILL_GROWING' }])
    expect(bench.events.filter((e) => e.event === 'drop.waiting')).toHaveLength(1)
  })

  it('takes what settled in one scan by mtime, then by the bytes of the path, and numbers it so', async () => {
    const mtimes: [string, number][] = [
      ['borelogs/c.csv', 1000],
      ['borelogs/b.csv', 1000],
      ['borelogs/z.csv', 10],
      ['borelogs/B.csv', 1000],
      ['borelogs/a.csv', 2000],
    ]
    for (const [path, seconds] of mtimes) {
      await bench.drop(path)
      await bench.touch(`inbox/${path}`, seconds)
    }
    open({ dropsInFlight: 1 }).start()
    await scan()
    await scan()
    expect(names()).toEqual(['borelogs/z.csv', 'borelogs/B.csv', 'borelogs/b.csv', 'borelogs/c.csv', 'borelogs/a.csv'])
    expect(claimed.map((c) => c.dropId)).toEqual(claimed.map((c) => c.dropId).sort())
  })

  it('hands the drops of a source that splits by column on in order, though a large one takes longer to copy', async () => {
    for (let i = 0; i < 6; i++) {
      await bench.drop(`nightly/${i}.csv`, i === 0 ? Buffer.alloc(5_000_000, 'x') : 'x')
      await bench.touch(`inbox/nightly/${i}.csv`, 1000 + i)
    }
    open().start()
    await scan()
    await scan()
    expect(names()).toEqual([0, 1, 2, 3, 4, 5].map((i) => `nightly/${i}.csv`))
  })

  it('hands on no more than dropsInFlight, and the next as soon as one is done', async () => {
    for (let i = 0; i < 5; i++) await bench.drop(`borelogs/${i}.csv`)
    const doors: (() => void)[] = []
    hold = () => new Promise((resolve) => doors.push(resolve))
    open({ dropsInFlight: 2 }).start()
    await scan()
    const ended = bench.events.length
    time.step()
    await bench.event((e) => e.event === 'inbox.scanned', ended)
    for (let taken = 2; taken <= 5; taken++) {
      while (claimed.length < taken) await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
      expect(claimed).toHaveLength(taken)
      doors.shift()!()
    }
    for (const door of doors) door()
    await quiet()
    expect(new Set(names()).size).toBe(5)
  })

  it('takes the same name again when another file comes', async () => {
    open({ settleMs: 0 }).start()
    for (let i = 0; i < 3; i++) {
      await bench.drop('borelogs/a.csv', `${i}`)
      await scan()
    }
    expect(names()).toEqual(['borelogs/a.csv', 'borelogs/a.csv', 'borelogs/a.csv'])
    expect(new Set(claimed.map((c) => c.sha256)).size).toBe(3)
  })

  it('waits anew for a file that changed between settling and being taken', async () => {
    await bench.drop('borelogs/a.csv', 'one')
    let meddled = false
    const files: Files = {
      ...quickFiles,
      makeDirectory: async (path, options) => {
        if (!meddled && path.toString().includes('claims')) {
          meddled = true
          await writeFile(bench.path('inbox/borelogs/.new'), 'other')
          await rename(bench.path('inbox/borelogs/.new'), bench.path('inbox/borelogs/a.csv'))
        }
        return quickFiles.makeDirectory(path, options)
      },
    }
    open({}, files).start()
    await scan()
    await scan()
    expect(meddled).toBe(true)
    expect(claimed).toEqual([])
    await scan()
    expect(claimed).toEqual([])
    await scan()
    expect(claimed).toMatchObject([{ bytes: 5 }])
  })

  it('claims a queued file as it was when it settled: what changed since goes back to settle', async () => {
    await bench.drop('borelogs/a.csv', 'one')
    await bench.touch('inbox/borelogs/a.csv', 1000)
    await bench.drop('borelogs/b.csv', 'two')
    let open_ = (): void => {}
    hold = (claim) => (originalName(claim) === 'borelogs/a.csv' ? new Promise((resolve) => (open_ = resolve)) : Promise.resolve())
    open({ dropsInFlight: 1 }).start()
    await scan()
    const from = bench.events.length
    time.step()
    await bench.event((e) => e.event === 'inbox.scanned', from)
    while (claimed.length < 1) await new Promise((resolve) => setImmediate(resolve))
    expect(inbox.load).toEqual({ queued: 1, inFlight: 1 })
    await appendFile(bench.path('inbox/borelogs/b.csv'), ' more')
    const again = bench.events.length
    time.step()
    await bench.event((e) => e.event === 'inbox.scanned', again)
    open_()
    await quiet()
    expect(names()).toEqual(['borelogs/a.csv'])
    await scan()
    await scan()
    expect(claimed[1]).toMatchObject({ bytes: 8 })
  })

  it('a queued file that is removed, or replaced by a folder or a link, before its turn comes is let go', async () => {
    for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      await bench.drop(`borelogs/${name}.csv`)
      await bench.touch(`inbox/borelogs/${name}.csv`, 1000 + i)
    }
    let go = (): void => {}
    hold = (claim) => (originalName(claim) === 'borelogs/a.csv' ? new Promise((resolve) => (go = resolve)) : Promise.resolve())
    open({ dropsInFlight: 1, settleMs: 0 }).start()
    time.step()
    while (claimed.length < 1) await new Promise((resolve) => setImmediate(resolve))
    for (const name of ['b', 'c', 'd']) await rm(bench.path(`inbox/borelogs/${name}.csv`))
    await mkdir(bench.path('inbox/borelogs/c.csv'))
    await symlink('e.csv', bench.path('inbox/borelogs/d.csv'))
    go()
    await quiet()
    expect(names()).toEqual(['borelogs/a.csv', 'borelogs/e.csv'])
    await scan()
    // A link is a drop of its own, and goes to quarantine unopened.
    expect(claimed[2]).toMatchObject({ problem: { code: 'SYMLINK' } })
    expect(inbox.waiting()).toMatchObject([{ path: 'borelogs/c.csv', code: 'NOT_A_FILE' }])
    expect(fatal).toEqual([])
  })

  it('in decisions/ takes decisions', async () => {
    await writeFile(bench.path('decisions/a.decision.json'), '{}')
    open({ settleMs: 0 }, quickFiles, undefined, 'decision').start()
    await scan()
    expect(claimed).toMatchObject([{ document: { kind: 'decision' } }])
  })
})

describe('thousands that wait for their turn', () => {
  it('are not looked at again by the scans that come meanwhile', async () => {
    for (let i = 0; i < 300; i++) await bench.drop(`borelogs/${i}.csv`)
    let stats = 0
    const counting: Files = {
      ...quickFiles,
      stat: (path) => {
        stats++
        return quickFiles.stat(path)
      },
    }
    let go = (): void => {}
    const door = new Promise<void>((resolve) => (go = resolve))
    hold = () => door
    open({ dropsInFlight: 1, settleMs: 0 }, counting).start()
    const scanned = async (): Promise<number> => {
      const from = bench.events.length
      time.step()
      await bench.event((e) => e.event === 'inbox.scanned', from)
      while (claimed.length < 1) await new Promise((resolve) => setImmediate(resolve))
      return stats
    }
    const first = await scanned()
    expect(first).toBeGreaterThan(300)
    // The root and the folder in it.
    expect((await scanned()) - first).toBeLessThan(5)
    expect(time.nextDueMs! - time.now).toBe(1000)
    go()
    await quiet()
    expect(claimed).toHaveLength(300)
  })

  it('of one source do not hold up another one', async () => {
    for (let i = 0; i < 20; i++) await bench.drop(`borelogs/${String(i).padStart(2, '0')}.csv`)
    const doors: (() => void)[] = []
    hold = () => new Promise((resolve) => doors.push(resolve))
    open({ dropsInFlight: 1, settleMs: 0 }).start()
    const taken = async (count: number): Promise<void> => {
      while (claimed.length < count) await new Promise((resolve) => setImmediate(resolve))
    }
    time.step()
    await taken(1)
    await bench.drop('nightly/quick.csv')
    const from = bench.events.length
    time.step()
    await bench.event((e) => e.event === 'inbox.scanned', from)
    for (let i = 0; i < 2; i++) {
      doors.shift()!()
      await taken(i + 2)
    }
    expect(names()).toContain('nightly/quick.csv')
    hold = null
    doors.shift()!()
    await quiet()
    expect(names().filter((name) => name.startsWith('borelogs'))).toEqual(
      Array.from({ length: 20 }, (_, i) => `borelogs/${String(i).padStart(2, '0')}.csv`),
    )
  })
})

describe('what waits', () => {
  it('shows with code, message and hint, is told once, and is gone when it is gone', async () => {
    await bench.drop('nobody.csv')
    await mkdir(bench.path('inbox/borelogs/d.csv'), { recursive: true })
    await bench.drop('strict/s.csv')
    open().start()
    for (let i = 0; i < 3; i++) await scan()
    const waiting = inbox.waiting()
    expect(waiting.map((w) => [w.path, w.code]).sort()).toEqual([
      ['borelogs/d.csv', 'NOT_A_FILE'],
      ['nobody.csv', 'NO_SOURCE'],
      ['strict/s.csv', 'SIDECAR_MISSING'],
    ])
    expect(waiting.every((w) => w.hint !== '' && w.message !== '' && w.sinceMs < time.nowMs())).toBe(true)
    expect(bench.events.filter((e) => e.event === 'drop.waiting')).toHaveLength(3)
    await rm(bench.path('inbox/nobody.csv'))
    await bench.drop('strict/s.csv.done', '')
    await scan()
    await scan()
    expect(inbox.waiting().map((w) => w.code)).toEqual(['NOT_A_FILE'])
    expect(names()).toEqual(['strict/s.csv'])
  })

  it('is counted beyond what is listed', async () => {
    await mkdir(bench.path('inbox/x'))
    for (let i = 0; i < 1010; i++) await writeFile(bench.path(`inbox/x/${i}`), '')
    open().start()
    await scan()
    expect(inbox.waiting()).toHaveLength(1000)
    expect(inbox.waitingTotal).toBe(1010)
  })

  it('a file that may not be read is tried again after rescanMs, not before', async () => {
    await bench.drop('borelogs/a.csv')
    let denied = true
    let opened = 0
    const files: Files = {
      ...quickFiles,
      openRead: (path, options) => {
        opened++
        return denied ? Promise.reject(systemError('EACCES')) : quickFiles.openRead(path, options)
      },
    }
    open({}, files).start()
    await scan()
    await scan()
    await scan()
    expect(inbox.waiting()).toMatchObject([{ path: 'borelogs/a.csv', code: 'UNREADABLE' }])
    expect(opened).toBe(1)
    denied = false
    await scan()
    await scan()
    expect(names()).toEqual(['borelogs/a.csv'])
  })

  it('says that the inbox is gone, and goes on when it is back', async () => {
    open({ settleMs: 0 }).start()
    await scan()
    await rm(bench.path('inbox'), { recursive: true })
    await scan()
    expect(inbox.waiting()).toMatchObject([{ path: '', code: 'UNREADABLE' }])
    await bench.drop('borelogs/a.csv')
    await scan()
    expect(names()).toEqual(['borelogs/a.csv'])
    expect(bench.events.map((e) => e.event).filter((e) => e.startsWith('inbox.') && e !== 'inbox.scanned')).toEqual([
      'inbox.missing',
      'inbox.found',
    ])
  })
})

describe('hints', () => {
  it('bring a scan forward, many of them one', async () => {
    let hint = (): void => {}
    open({}, quickFiles, (_root, on) => {
      hint = on.hint
      return { close: async () => {} }
    }).start()
    await scan()
    expect(time.nextDueMs! - time.now).toBe(15_000)
    for (let i = 0; i < 100; i++) hint()
    expect(time.nextDueMs! - time.now).toBe(20)
    await scan()
    expect(time.nextDueMs! - time.now).toBe(15_000)
  })

  it('are not asked for when polling, which scans more often', async () => {
    open({ polling: true }, quickFiles, () => {
      throw new Error('polling watches nothing')
    }).start()
    await scan()
    expect(time.nextDueMs! - time.now).toBe(2000)
  })

  it('are not asked for while the inbox is crowded, which is looked at every second', async () => {
    const log: string[] = []
    await mkdir(bench.path('inbox/x'))
    for (let i = 0; i < 300; i++) await writeFile(bench.path(`inbox/x/${i}`), '')
    open({}, quickFiles, () => {
      log.push('watch')
      return { close: async () => void log.push('close') }
    }).start()
    await scan()
    expect(log).toEqual([])
    expect(time.nextDueMs! - time.now).toBe(1000)
    await rm(bench.path('inbox/x'), { recursive: true })
    await scan()
    expect(log).toEqual(['watch'])
    expect(time.nextDueMs! - time.now).toBe(15_000)
  })

  it('are looked for again while there is no inbox, every second', async () => {
    open().start()
    await rm(bench.path('inbox'), { recursive: true })
    await scan()
    expect(time.nextDueMs! - time.now).toBe(1000)
  })

  it('come from a new watch, a second later, where a folder was lost', async () => {
    let watches = 0
    let on!: Parameters<WatchFolders>[1]
    open({}, quickFiles, (_root, callbacks) => {
      watches++
      on = callbacks
      return { close: async () => {} }
    }).start()
    await scan()
    on.lost()
    on.hint()
    await scan()
    expect(watches).toBe(1)
    expect(time.nextDueMs! - time.now).toBe(980)
    await scan()
    expect(watches).toBe(2)
    await scan()
    expect(watches).toBe(2)
  })

  it('come from a new watch where a scan found a file that nobody had told of', async () => {
    let watches = 0
    let on!: Parameters<WatchFolders>[1]
    open({}, quickFiles, (_root, callbacks) => {
      watches++
      on = callbacks
      return { close: async () => {} }
    }).start()
    await scan()
    await bench.drop('borelogs/told.csv')
    on.hint()
    await scan()
    await scan()
    expect([names(), watches]).toEqual([['borelogs/told.csv'], 1])
    await bench.drop('borelogs/silent.csv')
    await scan()
    await scan()
    expect([names(), watches]).toEqual([['borelogs/told.csv', 'borelogs/silent.csv'], 2])
  })

  it('are asked for again after rescanMs where a watch failed, which is told of once until one has lasted', async () => {
    let watches = 0
    let on!: Parameters<WatchFolders>[1]
    let failing = true
    open({}, quickFiles, (_root, callbacks) => {
      watches++
      on = callbacks
      if (failing) on.failed('no more watches')
      return { close: async () => {} }
    }).start()
    await scan()
    for (let i = 0; i < 20; i++) {
      on.failed('no more watches')
      on.hint()
      await scan()
    }
    expect(watches).toBe(1)
    await scan()
    await scan()
    expect(watches).toBe(3)
    const told = (): number => bench.events.filter((e) => e.event === 'inbox.watch_failed').length
    expect(told()).toBe(1)
    failing = false
    for (let i = 0; i < 3; i++) await scan()
    expect([watches, told()]).toEqual([4, 1])
    on.failed('no more watches')
    expect(told()).toBe(2)
  })

  it('come from a new watch when the inbox was removed and made again, or the watch failed', async () => {
    const log: string[] = []
    let failed = (_message: string): void => {}
    open({}, quickFiles, (_root, on) => {
      log.push('watch')
      failed = on.failed
      return { close: async () => void log.push('close') }
    }).start()
    await scan()
    await scan()
    expect(log).toEqual(['watch'])
    // The old folder is kept, so that the new one cannot have its inode.
    await rename(bench.path('inbox'), bench.path('old-inbox'))
    await scan()
    expect(log).toEqual(['watch', 'close'])
    await mkdir(bench.path('inbox'))
    await scan()
    expect(log).toEqual(['watch', 'close', 'watch'])
    failed('no more watches')
    failed('no more watches')
    await scan()
    expect(log).toEqual(['watch', 'close', 'watch', 'close', 'watch'])
    expect(bench.events.filter((e) => e.event === 'inbox.watch_failed')).toHaveLength(1)
  })
})

describe('trouble', () => {
  it('a full disk pauses intake, which goes on by itself', async () => {
    await bench.drop('borelogs/a.csv')
    let full = true
    const files: Files = {
      ...quickFiles,
      makeDirectory: (path, options) =>
        full ? Promise.reject(new IntakeError('DISK_FULL', 'full')) : quickFiles.makeDirectory(path, options),
    }
    open({}, files).start()
    await scan()
    await scan()
    expect(bench.events.at(-1)).toMatchObject({ event: 'intake.paused', code: 'DISK_FULL' })
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv'])
    full = false
    while (claimed.length === 0) await scan()
    expect(bench.events.some((e) => e.event === 'intake.resumed')).toBe(true)
    expect(fatal).toEqual([])
  })

  it.each(['EMFILE', 'ENFILE', 'ENOMEM'])(
    'a scan that finds no descriptor or memory left (%s) is made again, and nothing counts as gone',
    async (code) => {
      await bench.drop('borelogs/a.csv')
      let short = false
      const refuse = (): boolean => short && bench.events.filter((e) => e.event === 'intake.paused').length === 0
      const failure = Object.assign(new Error(code), { code })
      open({}, { ...quickFiles, names: async (path) => (refuse() ? Promise.reject(failure) : quickFiles.names(path)) }).start()
      await scan()
      short = true
      await scan()
      expect(bench.events).toContainEqual(expect.objectContaining({ event: 'intake.paused', code: 'RESOURCES_EXHAUSTED' }))
      expect([fatal, inbox.waiting().filter((w) => w.code === 'UNREADABLE')]).toEqual([[], []])
      while (claimed.length === 0) await scan()
      expect(names()).toEqual(['borelogs/a.csv'])
    },
  )

  it('drops that take each other’s descriptors are taken fewer at a time, until all are taken', async () => {
    for (let i = 0; i < 60; i++) await bench.drop(`borelogs/${i}.csv`)
    let free = 12
    const counted = <T extends OpenFile | string | null>(opened: Promise<T>): Promise<T> =>
      opened.then((file) => {
        if (file === null || typeof file === 'string') return file
        if (free === 0) return file.close().then(() => Promise.reject(systemError('EMFILE')))
        free--
        const close = async (): Promise<void> => {
          free++
          await file.close()
        }
        return Object.assign(Object.create(file) as T & OpenFile, { close })
      })
    const scarce: Files = {
      ...quickFiles,
      openRead: (path, options) => counted(quickFiles.openRead(path, options)),
      create: (path, options) => counted(quickFiles.create(path, options)),
      overwrite: (path, options) => counted(quickFiles.overwrite(path, options)),
    }
    open({}, scarce).start()
    const pauses = (): InboxEvent[] => bench.events.filter((e) => e.event === 'intake.paused')
    for (let scans = 0; claimed.length < 60 && scans < 100; scans++) await scan()
    expect(new Set(names()).size).toBe(60)
    expect(pauses().length).toBeGreaterThan(0)
    expect([fatal, free]).toEqual([[], 12])
  })

  it('a failed fsync ends intake', async () => {
    await bench.drop('borelogs/a.csv')
    const faults = new FaultFiles({ at: 1, mode: 'error', error: () => new IntakeError('FSYNC_FAILED', 'no'), only: (o) => o === 'sync' })
    open({}, faults.files).start()
    await scan()
    await scan()
    expect(fatal).toMatchObject([{ code: 'FSYNC_FAILED' }])
    expect(time.nextDueMs).toBeNull()
  })

  it('an error of whoever takes the claims is told, not swallowed', async () => {
    await bench.drop('borelogs/a.csv')
    hold = () => Promise.reject(new Error('defect'))
    open({ settleMs: 0 }).start()
    await scan()
    expect(fatal).toMatchObject([{ message: 'defect' }])
  })

  it('stop leaves a claim that was half made to the next start', async () => {
    await bench.drop('borelogs/a.csv')
    let reached = (): void => {}
    const there = new Promise<void>((resolve) => (reached = resolve))
    let go = (): void => {}
    const gate = new Promise<void>((resolve) => (go = resolve))
    const files: Files = {
      ...quickFiles,
      makeDirectory: async (path, options) => {
        reached()
        await gate
        return quickFiles.makeDirectory(path, options)
      },
    }
    open({ settleMs: 0 }, files).start()
    time.step()
    await there
    const stopped = inbox.stop()
    go()
    await stopped
    expect(claimed).toEqual([])
    expect(await bench.parts().claims.recover()).toHaveLength(1)
  })
})

describe('once', () => {
  it('takes what is there at start and leaves what comes later', async () => {
    for (const name of ['a', 'b', 'c']) await bench.drop(`borelogs/${name}.csv`)
    await bench.drop('nobody.csv')
    open()
    const left = inbox.settledOnce()
    await scan()
    await bench.drop('borelogs/late.csv')
    await scan()
    expect(names().sort()).toEqual(['borelogs/a.csv', 'borelogs/b.csv', 'borelogs/c.csv'])
    expect((await left).map((w) => w.code).sort()).toEqual(['NO_SOURCE', 'STILL_GROWING'])
  })

  it('is done at once when there is nothing', async () => {
    open()
    const left = inbox.settledOnce()
    await scan()
    expect(await left).toEqual([])
  })

  it('does not wait for a missing sidecar', async () => {
    await bench.drop('strict/a.csv')
    open()
    const left = inbox.settledOnce()
    await scan()
    expect(await left).toMatchObject([{ code: 'SIDECAR_MISSING' }])
  })

  it('waits 60 s at most for a file that grows, and says that it is left', async () => {
    await bench.drop('borelogs/a.csv')
    await bench.drop('borelogs/b.csv')
    open()
    let left: unknown = null
    void inbox.settledOnce().then((l) => {
      left = l
    })
    const startMs = time.now
    while (left === null) {
      time.step()
      await appendFile(bench.path('inbox/borelogs/a.csv'), 'x')
      await utimes(bench.path('inbox/borelogs/a.csv'), time.now, time.now)
      await new Promise((resolve) => setTimeout(resolve, 1))
      await quiet()
    }
    expect(time.now - startMs).toBe(60_000)
    expect(left).toMatchObject([{ path: 'borelogs/a.csv', code: 'STILL_GROWING' }])
    expect(names()).toEqual(['borelogs/b.csv'])
  })

  it('does not wait for a file that goes away', async () => {
    await bench.drop('borelogs/a.csv')
    open()
    const left = inbox.settledOnce()
    await scan()
    await rm(bench.path('inbox/borelogs/a.csv'))
    await scan()
    expect(await left).toEqual([])
  })
})

describe('requeue', () => {
  it('hands the stored original on as a new drop under its old path', async () => {
    await bench.drop('borelogs/a.csv', 'text')
    open({ settleMs: 0 }).start()
    await scan()
    const [first] = claimed
    const stored = await filing.archive(first!)
    await filing.writeReceipt(receiptOf(first!, { stored_at: stored }))
    await claims.release(first!)
    const dropId = await inbox.requeue((await filing.findOriginal(first!.dropId))!, { force: true })
    expect(claimed[1]).toMatchObject({
      dropId,
      sha256: first!.sha256,
      document: { force: true, requeue_of: first!.dropId, file: { path: 'borelogs/a.csv' } },
    })
    expect(dropId > first!.dropId).toBe(true)
  })

  it('says when there is no receipt, no source, or no original any more', async () => {
    await bench.drop('borelogs/a.csv', 'text')
    open({ settleMs: 0 }).start()
    await scan()
    const [first] = claimed
    const stored = await filing.archive(first!)
    await filing.writeReceipt(receiptOf(first!, { stored_at: stored }))
    const original = (await filing.findOriginal(first!.dropId))!
    await expect(inbox.requeue({ ...original, receipt: null }, { force: false })).rejects.toMatchObject({ code: 'DROP_NOT_FOUND' })
    await expect(
      inbox.requeue({ ...original, receipt: { ...original.receipt!, path: 'elsewhere' } }, { force: false }),
    ).rejects.toMatchObject({ code: 'NO_SOURCE' })
    await rm(original.path)
    await expect(inbox.requeue(original, { force: false })).rejects.toMatchObject({ code: 'DROP_NOT_FOUND' })
    expect(claimed).toHaveLength(1)
  })
})

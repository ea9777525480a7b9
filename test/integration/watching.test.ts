import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { appendFile, link, mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { describe, expect, type TestContext, test } from 'vitest'
import { Inbox, type InboxSettings } from '../../src/inbox/inbox.js'
import { systemTimers } from '../../src/inbox/timers.js'
import { watchFolders } from '../../src/inbox/watcher.js'
import { systemClock } from '../../src/runtime/clock.js'
import { repositoryRoot } from '../support/built-program.js'
import { IntakeWorkspace } from '../support/intake-workspace.js'
import { expectTidy } from '../support/receipt-rules.js'
import { originalName, quickFiles, receiptOf, Workbench } from '../unit/inbox/workbench.js'

/**
 * Nothing is missed and nothing is taken half: the real file system, chokidar, inotify, and writers in processes of their own. Cases run side
 * by side and wait for what must happen, however long that takes.
 */

/** A rescan that never comes shows that hints alone, or the watch's own mending, found a file. */
const NEVER_MS = 600_000
const SETTLE_MS = 40

const SOURCES = [{}, { name: 'strict', match: 'strict/*.csv', sidecars: ['done'] }]

interface Taken {
  readonly path: string
  readonly text: string
}

/** Intake of one inbox, up to the receipt. */
class Intake {
  readonly taken: Taken[] = []
  /** Claims of these paths are not released before this resolves. */
  readonly holds = new Map<string, Promise<void>>()
  readonly watches: string[] = []
  private readonly working: Promise<void>[] = []
  private inbox!: Inbox

  private constructor(readonly bench: Workbench) {}

  static async start(context: TestContext, over: Partial<InboxSettings> = {}, root?: (bench: Workbench) => Promise<void>): Promise<Intake> {
    const bench = await Workbench.open(SOURCES)
    await root?.(bench)
    const intake = new Intake(bench)
    const { claims, filing } = bench.parts(quickFiles)
    intake.inbox = new Inbox({
      root: bench.path('inbox'),
      rule: { kind: 'drop', sources: bench.sources },
      files: quickFiles,
      clock: systemClock,
      timers: systemTimers,
      claims,
      ids: bench.sequence(),
      settings: { settleMs: SETTLE_MS, rescanMs: NEVER_MS, polling: false, ignore: ['.*', '*.tmp', '*.part'], dropsInFlight: 64, ...over },
      watch: (path, on) => {
        intake.watches.push(path)
        return watchFolders(path, on)
      },
      onClaim: (claim) => {
        const path = originalName(claim)
        intake.taken.push({ path, text: readFileSync(claim.sourcePath, 'latin1') })
        const work = (async () => {
          await intake.holds.get(path)
          const stored = await filing.archive(claim)
          await filing.writeReceipt(receiptOf(claim, { stored_at: stored }))
          await claims.release(claim)
        })()
        intake.working.push(work)
        return work
      },
      onFatal: (error) => {
        throw error
      },
      emit: bench.emit,
    })
    context.onTestFinished(async () => {
      await intake.inbox.stop()
      await Promise.all(intake.working)
      await bench.close()
    })
    intake.inbox.start()
    if (over.polling !== true) await intake.hintsFlow()
    return intake
  }

  path(...parts: string[]): string {
    return this.bench.path('inbox', ...parts)
  }

  /** Waits for the n-th drop of this path. */
  async take(path: string, nth = 1): Promise<string> {
    for (;;) {
      const of = this.taken.filter((each) => each.path === path)
      if (of.length >= nth) return of[nth - 1]!.text
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  /** Waits until so many more scans are over. */
  async scans(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const from = this.bench.events.length
      await this.bench.event((e) => e.event === 'inbox.scanned', from)
    }
  }

  async waits(path: string, code: string): Promise<void> {
    while (!this.inbox.waiting().some((each) => each.path === path && each.code === code))
      await new Promise((resolve) => setTimeout(resolve, 2))
  }

  holdBack(path: string): () => void {
    let release = (): void => {}
    this.holds.set(path, new Promise((resolve) => (release = resolve)))
    return () => {
      this.holds.delete(path)
      release()
    }
  }

  /** Keeps writing other files until the watch has given a hint. */
  private async hintsFlow(): Promise<void> {
    const scans = (): number => this.bench.events.filter((e) => e.event === 'inbox.scanned').length
    await this.bench.event((e) => e.event === 'inbox.scanned')
    const before = scans()
    for (let i = 0; scans() === before; i++) {
      await writeFile(this.path(`.${i}`), '')
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}

/** A producer with an event loop of its own. It does `script`, which may await `told()`, the next line from here, and tells lines back. */
class Producer {
  private readonly lines: string[] = []
  private wake = (): void => {}

  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.lines.push(line)
      this.wake()
    })
  }

  static start(context: TestContext, script: string, ...args: string[]): Producer {
    const source = `
      const fs = require('node:fs')
      const lines = require('node:readline').createInterface({ input: process.stdin })[Symbol.asyncIterator]()
      const told = async () => (await lines.next()).value
      const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
      const [path] = process.argv.slice(1)
      ;(async () => { ${script}; process.exit(0) })()`
    const child = spawn(process.execPath, ['-e', source, '--', ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    context.onTestFinished(() => void child.kill('SIGKILL'))
    return new Producer(child)
  }

  tell(line = ''): void {
    this.child.stdin!.write(`${line}\n`)
  }

  async line(): Promise<string> {
    while (this.lines.length === 0) await new Promise<void>((resolve) => (this.wake = resolve))
    return this.lines.shift()!
  }
}

const HALF = 'a,b\n1,2\n'
const REST = '3,4\n'

const STEADY_SETTLE_MS = 200

/**
 * Keeps at one file, with pauses of 5 ms, for longer than it takes to settle; then tells how many bytes it has. A writer that is put off its
 * processor for settleMs has paused for longer, and tells that.
 */
const STEADY = (begin: string, step: string): string => `
  let last = performance.now(), longest = 0
  const began = last
  try {
    ${begin}
    for (;;) {
      ${step}
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
      if (now - began > ${STEADY_SETTLE_MS * 2.5}) break
      await sleep(5)
    }
    const bytes = fs.statSync(path).size
    longest = Math.max(longest, performance.now() - last)
    console.log(longest < ${STEADY_SETTLE_MS} ? bytes : 'paused')
  } catch {
    console.log('paused')
  }`

describe.concurrent('a file is taken whole', { timeout: 120_000 }, () => {
  test.each([
    ['grows', `const file = fs.openSync(path, 'w'); fs.writeSync(file, 'a,b\\n')`, `fs.writeSync(file, '1,2\\n')`],
    [
      'is preallocated and filled',
      `const file = fs.openSync(path, 'w'); fs.ftruncateSync(file, 4096); let at = 0`,
      `at += fs.writeSync(file, 'a,b\\n', at)`,
    ],
    [
      'is replaced by rename',
      `let n = 0; fs.writeFileSync(path, 'a,b\\n')`,
      `fs.writeFileSync(path + '.tmp', 'a,b\\n'.repeat(++n)); fs.renameSync(path + '.tmp', path)`,
    ],
    ['is touched', `let n = 0; fs.writeFileSync(path, 'a,b\\n')`, `fs.utimesSync(path, ++n, n)`],
    ['shrinks', `let n = 4096; fs.writeFileSync(path, 'x'.repeat(n))`, `fs.truncateSync(path, --n)`],
  ])('that %s with pauses shorter than settleMs, once that is over', async (_, begin, step) => {
    await withContext(async (context) => {
      const intake = await Intake.start(context, { settleMs: STEADY_SETTLE_MS })
      await mkdir(intake.path('borelogs'))
      for (let attempt = 0; ; attempt++) {
        const name = `borelogs/${attempt}.csv`
        const told = await Producer.start(context, STEADY(begin, step), intake.path(name)).line()
        if (told === 'paused') continue
        expect(await intake.take(name)).toHaveLength(Number(told))
        expect(intake.taken.filter((each) => each.path === name)).toHaveLength(1)
        return
      }
    })
  })

  test.each([
    ['', 'w', HALF],
    ['preallocated and ', 'w', '\0'.repeat(HALF.length + REST.length)],
  ])('%spaused for longer is taken as it is, and what is written until its receipt comes back as a new drop', async (_, flags, first) => {
    await withContext(async (context) => {
      const intake = await Intake.start(context)
      await mkdir(intake.path('borelogs'))
      const release = intake.holdBack('borelogs/a.csv')
      const producer = Producer.start(
        context,
        `const file = fs.openSync(path, '${flags}'); fs.writeSync(file, ${JSON.stringify(first)}, 0)
         await told()
         fs.writeSync(file, ${JSON.stringify(HALF + REST)}, 0); fs.closeSync(file); console.log('done')`,
        intake.path('borelogs/a.csv'),
      )
      expect(await intake.take('borelogs/a.csv')).toBe(first)
      producer.tell()
      await producer.line()
      release()
      expect(await intake.take('borelogs/a.csv', 2)).toBe(HALF + REST)
      expect(intake.bench.events).toContainEqual(expect.objectContaining({ event: 'drop.returned', reason: 'written-after-claim' }))
    })
  })

  test('however long it pauses, where the source asks for .done or the name is that of something unfinished', async (context) => {
    const intake = await Intake.start(context)
    for (const folder of ['borelogs', 'strict']) await mkdir(intake.path(folder))
    await writeFile(intake.path('strict/a.csv'), HALF)
    await writeFile(intake.path('borelogs/b.csv.part'), HALF)
    await intake.waits('strict/a.csv', 'SIDECAR_MISSING')
    // Others are taken meanwhile: it is these two that wait.
    await writeFile(intake.path('borelogs/other.csv'), HALF)
    await intake.take('borelogs/other.csv')
    await appendFile(intake.path('strict/a.csv'), REST)
    await writeFile(intake.path('strict/a.csv.done'), '')
    await appendFile(intake.path('borelogs/b.csv.part'), REST)
    await rename(intake.path('borelogs/b.csv.part'), intake.path('borelogs/b.csv'))
    expect(await intake.take('strict/a.csv')).toBe(HALF + REST)
    expect(await intake.take('borelogs/b.csv')).toBe(HALF + REST)
    expect(intake.taken).toHaveLength(3)
  })

  test('replaced by rename after it was taken, both are drops', async (context) => {
    const intake = await Intake.start(context)
    await mkdir(intake.path('borelogs'))
    const release = intake.holdBack('borelogs/a.csv')
    await writeFile(intake.path('borelogs/a.csv'), HALF)
    await intake.take('borelogs/a.csv')
    await writeFile(intake.path('borelogs/a.tmp'), REST)
    await rename(intake.path('borelogs/a.tmp'), intake.path('borelogs/a.csv'))
    expect(await intake.take('borelogs/a.csv', 2)).toBe(REST)
    release()
    expect(intake.taken.map((each) => each.text)).toEqual([HALF, REST])
  })

  test('touched through its descriptor after it was taken, it comes again', async (context) => {
    const intake = await Intake.start(context)
    await mkdir(intake.path('borelogs'))
    const release = intake.holdBack('borelogs/a.csv')
    const file = await open(intake.path('borelogs/a.csv'), 'w')
    context.onTestFinished(() => file.close())
    await file.write(HALF)
    await intake.take('borelogs/a.csv')
    await file.utimes(1, 1)
    release()
    expect(await intake.take('borelogs/a.csv', 2)).toBe(HALF)
  })

  test('linked under a second name while it settles and after it was taken, each name is a drop', async (context) => {
    const intake = await Intake.start(context)
    await mkdir(intake.path('borelogs'))
    await writeFile(intake.bench.path('kept'), HALF)
    await link(intake.bench.path('kept'), intake.path('borelogs/a.csv'))
    await link(intake.bench.path('kept'), intake.path('borelogs/b.csv'))
    await intake.take('borelogs/a.csv')
    await intake.take('borelogs/b.csv')
    await link(intake.bench.path('kept'), intake.path('borelogs/c.csv'))
    expect(await intake.take('borelogs/c.csv')).toBe(HALF)
    expect(readFileSync(intake.bench.path('kept'), 'latin1')).toBe(HALF)
  })
})

/** Whatever becomes of its folders, what comes later is found although no rescan ever comes. */
describe.concurrent('folders may come and go', { timeout: 120_000 }, () => {
  // In one go, so that chokidar looks for the first time when all is in its place again.
  const CHANGES: readonly [string, (intake: Intake) => Promise<void>][] = [
    [
      'the inbox is removed and made again',
      async (intake) => {
        rmSync(intake.path(), { recursive: true })
        mkdirSync(intake.path())
      },
    ],
    [
      'the inbox is removed, missed, and made again',
      async (intake) => {
        await rm(intake.path(), { recursive: true })
        await intake.bench.event((e) => e.event === 'inbox.missing')
        await mkdir(intake.path())
      },
    ],
    [
      'the inbox is moved away and back',
      async (intake) => {
        renameSync(intake.path(), intake.bench.path('away'))
        renameSync(intake.bench.path('away'), intake.path())
      },
    ],
    [
      'the inbox is replaced by a link to another folder',
      async (intake) => {
        await mkdir(intake.bench.path('mount'))
        await rename(intake.path(), intake.bench.path('away'))
        await symlink('mount', intake.path())
      },
    ],
    [
      'the folder of a source is removed and made again',
      async (intake) => {
        rmSync(intake.path('borelogs'), { recursive: true })
        mkdirSync(intake.path('borelogs'))
      },
    ],
    [
      'the folder of a source is moved away and back',
      async (intake) => {
        renameSync(intake.path('borelogs'), intake.path('away'))
        renameSync(intake.path('away'), intake.path('borelogs'))
      },
    ],
    [
      'the folder of a source is replaced by another one',
      async (intake) => {
        await mkdir(intake.path('next/deep'), { recursive: true })
        renameSync(intake.path('borelogs'), intake.path('away'))
        renameSync(intake.path('next'), intake.path('borelogs'))
      },
    ],
  ]
  test.each(CHANGES)('%s', async (_, change) => {
    await withContext(async (context) => {
      const intake = await Intake.start(context)
      await mkdir(intake.path('borelogs'))
      await writeFile(intake.path('borelogs/before.csv'), HALF)
      // In flight while it happens.
      const release = intake.holdBack('borelogs/before.csv')
      await intake.take('borelogs/before.csv')
      await change(intake)
      await mkdir(intake.path('borelogs/deep'), { recursive: true })
      await writeFile(intake.path('borelogs/a.csv'), HALF)
      await intake.take('borelogs/a.csv')
      release()
      // The watch is whole again: nothing but a hint can bring these.
      for (const name of ['borelogs/b.csv', 'borelogs/deep/c.csv', 'borelogs/d.csv']) {
        await writeFile(intake.path(name), name)
        expect(await intake.take(name)).toBe(name)
      }
      expect(intake.taken).toHaveLength(5)
    })
  })

  test('an inbox that is a link is watched where it leads', async (context) => {
    const intake = await Intake.start(context, {}, async (bench) => {
      await mkdir(bench.path('share/drops'), { recursive: true })
      await rm(bench.path('inbox'), { recursive: true })
      await symlink('share/drops', bench.path('inbox'))
    })
    await mkdir(intake.path('borelogs'))
    await writeFile(intake.path('borelogs/a.csv'), HALF)
    expect(await intake.take('borelogs/a.csv')).toBe(HALF)
  })
})

describe.concurrent('events may come in masses, late or never', { timeout: 120_000 }, () => {
  test('more events than the kernel keeps while the loop is blocked', async (context) => {
    const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1'))
    if (limit > 200_000) return context.skip('this machine keeps more events than can be made here')
    const intake = await Intake.start(context)
    await mkdir(intake.path('borelogs'))
    await writeFile(intake.path('borelogs/a.csv'), HALF)
    await intake.take('borelogs/a.csv')
    // Two events each; this thread does nothing until they are all made.
    const script = `
      const fs = require('node:fs')
      const [folder, count] = process.argv.slice(1)
      const flood = () => { for (let i = 0; i < count; i++) { fs.closeSync(fs.openSync(folder + '/.' + i, 'w')); fs.unlinkSync(folder + '/.' + i) } }
      flood()
      fs.mkdirSync(folder + '/new')
      fs.writeFileSync(folder + '/new/b.csv', 'lost'); fs.writeFileSync(folder + '/c.csv', 'lost too')`
    expect(spawnSync(process.execPath, ['-e', script, '--', intake.path('borelogs'), String(limit / 2 + 1000)]).status).toBe(0)
    expect(await intake.take('borelogs/new/b.csv')).toBe('lost')
    expect(await intake.take('borelogs/c.csv')).toBe('lost too')
    await writeFile(intake.path('borelogs/new/d.csv'), HALF)
    await intake.take('borelogs/new/d.csv')
  })

  test('a file that is touched all the time keeps nobody else waiting, and is taken in the end', async (context) => {
    const intake = await Intake.start(context)
    await mkdir(intake.path('borelogs'))
    const producer = Producer.start(
      context,
      `let stop = false
       told().then(() => { stop = true })
       fs.writeFileSync(path, '')
       while (!stop) {
         for (let i = 0; i < 20; i++) fs.appendFileSync(path, 'x\\n')
         await sleep(1)
       }
       console.log('done')`,
      intake.path('borelogs/storm.csv'),
    )
    await intake.waits('borelogs/storm.csv', 'STILL_GROWING')
    for (const name of ['borelogs/a.csv', 'borelogs/b.csv', 'borelogs/c.csv']) {
      await writeFile(intake.path(name), HALF)
      await intake.take(name)
    }
    producer.tell()
    await producer.line()
    const bytes = readFileSync(intake.path('borelogs/storm.csv')).length
    expect(await intake.take('borelogs/storm.csv')).toHaveLength(bytes)
  })

  test('writers nobody tells of are found by polling', async (context) => {
    const intake = await Intake.start(context, { polling: true, rescanMs: 25 })
    const producer = Producer.start(
      context,
      `fs.mkdirSync(path + '/borelogs/deep', { recursive: true })
       for (let i = 0; i < 20; i++) fs.writeFileSync(path + '/borelogs/deep/' + i + '.csv', String(i))
       console.log('done')`,
      intake.path(),
    )
    await producer.line()
    for (let i = 0; i < 20; i++) expect(await intake.take(`borelogs/deep/${i}.csv`)).toBe(String(i))
    expect(intake.watches).toEqual([])
  })

  test('300 files dropped at once while the loop is blocked, in folders that are new', async (context) => {
    const intake = await Intake.start(context)
    const script = `
      const fs = require('node:fs')
      const [root] = process.argv.slice(1)
      for (let i = 0; i < 300; i++) {
        const folder = root + '/borelogs/' + (i % 7)
        fs.mkdirSync(folder, { recursive: true })
        fs.writeFileSync(folder + '/' + i + '.csv', String(i))
      }`
    expect(spawnSync(process.execPath, ['-e', script, '--', intake.path()]).status).toBe(0)
    for (let i = 0; i < 300; i++) expect(await intake.take(`borelogs/${i % 7}/${i}.csv`)).toBe(String(i))
    expect(intake.taken).toHaveLength(300)
  })
})

const TABLE = {
  name: 'notes',
  fields: [
    { name: 'id', type: 'integer' },
    { name: 'note', type: 'string' },
  ],
}
const workspace = (context: TestContext, inbox: object = {}): Promise<IntakeWorkspace> =>
  IntakeWorkspace.make({
    sources: [{ name: 'notes', match: 'notes/**/*.csv', table: 'notes', record: '{path}', createdBy: 'lab' }],
    tables: { notes: TABLE },
    inbox,
    onEnd: (cleanUp) => context.onTestFinished(cleanUp),
  })

describe.concurrent('the program', { timeout: 120_000 }, () => {
  test('finds what was dropped while it was stopped, into an inbox that was removed and made again', async (context) => {
    const ws = await workspace(context, { rescanMs: NEVER_MS })
    const daemon = await ws.start()
    await ws.drop('notes/before.csv', 'id,note\n0,x\n')
    await daemon.receiptOf('notes/before.csv')
    daemon.child.kill('SIGSTOP')
    await rm(ws.path('inbox'), { recursive: true })
    for (let i = 0; i < 60; i++) await ws.drop(`notes/${i % 3}/${i}.csv`, `id,note\n${i},x\n`)
    daemon.child.kill('SIGCONT')
    await daemon.receipted((receipts) => receipts.length >= 61)
    await ws.drop('notes/after.csv', 'id,note\n0,x\n')
    expect(await daemon.receiptOf('notes/after.csv')).toMatchObject({ outcome: 'committed' })
    expect((await daemon.stop()).status).toBe(0)
    expect(new Set(ws.dropReceipts().map((receipt) => `${receipt.path} ${receipt.outcome}`)).size).toBe(62)
    await expectTidy(ws)
  })

  test.each([
    ['ENOSPC', 'no more watches', 1],
    ['EMFILE', 'no more instances', 0],
  ])('goes on by scans and says so once for each folder when inotify gives %s (%s)', async (code, _, granted) => {
    await withContext(async (context) => {
      const ws = await workspace(context, { rescanMs: 100 })
      const preload = pathToFileURL(`${repositoryRoot}/test/support/no-watches.mjs`).href
      const daemon = await ws.start([], { NODE_OPTIONS: `--import ${preload}`, NO_WATCHES: `${code} ${granted}` })
      for (let i = 0; i < 6; i++) {
        await ws.drop(`notes/${i}/${i}.csv`, `id,note\n${i},x\n`)
        await daemon.receiptOf(`notes/${i}/${i}.csv`)
      }
      const { stderr, status } = await daemon.stop()
      expect(status).toBe(0)
      const told = stderr.split('\n').filter((line) => line.includes('"inbox.watch_failed"'))
      expect(told.map((line) => (JSON.parse(line) as { area: string }).area).sort()).toEqual(
        granted === 0 ? ['decision', 'drop'] : expect.arrayContaining(['drop']),
      )
      expect(told.length).toBeLessThanOrEqual(2)
      expect(told[0]).toContain(code)
    })
  })
})

/** `test.each` hands over no context; what a case opens is closed when it is over. */
async function withContext(run: (context: TestContext) => Promise<void>): Promise<void> {
  const cleanUps: (() => unknown)[] = []
  const context = { onTestFinished: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) } as unknown as TestContext
  try {
    await run(context)
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

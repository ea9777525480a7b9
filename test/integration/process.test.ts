import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readdir, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { ParquetStorageEngine, VersionedParquetStorage } from '../../src/index.js'
import { isEventName } from '../../src/runtime/events.js'
import { IntakeWorkspace, type RunningDaemon } from '../support/intake-workspace.js'
import { expectTidy, namesIn } from '../support/receipt-rules.js'

/** The daemon as a process: signals, kills, locks, order, fairness, its log (DESIGN §6, §8). */

// Several processes one after another in each test, beside those of other test files.
vi.setConfig({ testTimeout: 60_000 })

const TABLES = {
  samples: {
    name: 'samples',
    fields: [
      { name: 'id', type: 'integer', constraints: { required: true } },
      { name: 'rec', type: 'string' },
      { name: 'depth', type: 'number', constraints: { minimum: 0 } },
      { name: 'note', type: 'string', constraints: { unique: false } },
    ],
    primaryKey: ['id'],
  },
}
const source = (name: string, rest: object): object => ({
  name,
  match: `${name}/*.csv`,
  table: 'samples',
  record: '{stem}',
  createdBy: 'lab',
  ...rest,
})
const SOURCES = [
  source('one', {}),
  source('many', { record: 'many/{column:rec}', onInvalid: 'skip-rows' }),
  source('strict', { record: 'strict/{column:rec}' }),
  source('manifest', { record: 'manifest' }),
  source('hashed', { sidecars: ['sha256'] }),
]
const HEADER = 'id,rec,depth,note'

/** `rows` data rows over `records` records. */
function csv(rows: number, options: { records?: number; note?: string } = {}): string {
  const { records = 1, note = 'n' } = options
  const lines = [HEADER]
  for (let i = 0; i < rows; i++) lines.push(`${i},R${i % records},${(i % 977) / 8},${note} ${i % 311}`)
  return `${lines.join('\n')}\n`
}

/** Converted in a second or two: long enough to be met half way. */
const LARGE_ROWS = 200_000
const large = csv(LARGE_ROWS)
/** Half a second. */
const larger = csv(60_000)

function make(rest: { config?: object } = {}): Promise<IntakeWorkspace> {
  return IntakeWorkspace.make({ sources: SOURCES, tables: TABLES, ...rest })
}

const claimed =
  (path: string) =>
  (line: { event?: string; path?: unknown }): boolean =>
    line.event === 'drop.claimed' && line.path === path

/** Resolves when a Parquet file of some transaction is being written. */
async function converting(ws: IntakeWorkspace, daemon: RunningDaemon): Promise<void> {
  const begun = (): boolean => namesIn(ws.path('store/staging')).some((tx) => existsSync(ws.path('store/staging', tx, 'data.parquet')))
  await daemon.until(begun)
}

/** Files that appear in one instant, their folder moved in whole, so that one scan sees all of them; each is a second younger than the one before. */
async function arrive(
  ws: IntakeWorkspace,
  folder: string,
  files: ReadonlyArray<{ name: string; content: string; manifest?: object }>,
): Promise<void> {
  const hidden = ws.path('inbox', `.${folder}`)
  await mkdir(hidden, { recursive: true })
  for (const [i, { name, content, manifest }] of files.entries()) {
    if (manifest !== undefined) await writeFile(join(hidden, `${name}.manifest.json`), JSON.stringify(manifest))
    await writeFile(join(hidden, name), content)
    await utimes(join(hidden, name), 1_700_000_000 + i, 1_700_000_000 + i)
  }
  await rename(hidden, ws.path('inbox', folder))
}

/** Every drop of `paths` has one receipt and made the versions it says; nothing else did. */
async function expectEachOnce(ws: IntakeWorkspace, paths: readonly string[]): Promise<void> {
  const receipts = ws.dropReceipts()
  expect(receipts.map((r) => r.path).sort()).toEqual([...paths].sort())
  expect(receipts.map((r) => r.outcome)).toEqual(receipts.map(() => 'committed'))
  for (const { drop_id, records } of receipts) {
    for (const { record_id, version } of records) {
      const made = ws.metadata(record_id).history.filter((e) => (e.drop as { drop_id: string } | null)?.drop_id === drop_id)
      expect(made.map((e) => e.version)).toEqual([version])
      expect(namesIn(ws.path('store/records', record_id, 'versions'))).toContain(`v${version}.parquet`)
    }
  }
  for (const folder of await readdir(ws.path('inbox'))) expect(namesIn(ws.path('inbox', folder))).toEqual([])
  await expectTidy(ws)
}

describe('signals', () => {
  test('SIGTERM while a file is converted: exit 0, no receipt yet, and the next start finishes it', async () => {
    const ws = await make()
    const daemon = await ws.start()
    await ws.drop('one/small.csv', csv(3))
    await daemon.receiptOf('one/small.csv')
    await ws.drop('one/large.csv', large)
    await converting(ws, daemon)
    const ended = await daemon.stop()
    expect(ended.status).toBe(0)
    const aborted = daemon.lines.find((line) => line.event === 'drop.aborted')
    expect(aborted).toMatchObject({ path: 'one/large.csv' })
    expect(daemon.lines.at(-1)).toMatchObject({ event: 'daemon.stopped', unfinished: 1 })
    expect(ws.dropReceipts().map((r) => r.path)).toEqual(['one/small.csv'])

    await ws.run(['run', '--once'])
    await expectEachOnce(ws, ['one/small.csv', 'one/large.csv'])
    expect(ws.receiptOf('one/large.csv').rows).toMatchObject({ in: LARGE_ROWS, committed: LARGE_ROWS })
  })

  test('a second signal while a file is converted forces: 130 or 143, and the next start finishes it', async () => {
    let status: number | null = 0
    // A thread of its own takes each signal, and draining may be done before the second one is told: then it was no second signal.
    for (let attempt = 0; attempt < 5 && status === 0; attempt++) {
      const ws = await make()
      const daemon = await ws.start()
      await ws.drop('one/large.csv', larger)
      await converting(ws, daemon)
      // Stopped, so that both are pending when it goes on.
      daemon.child.kill('SIGSTOP')
      daemon.child.kill('SIGTERM')
      daemon.child.kill('SIGINT')
      ;({ status } = await daemon.stop('SIGCONT'))
      await ws.run(['run', '--once'])
      await expectEachOnce(ws, ['one/large.csv'])
    }
    expect([130, 143]).toContain(status)
  })
})

describe('SIGKILL', () => {
  const DROPS: ReadonlyArray<readonly [string, string]> = [
    ['one/A.csv', csv(50)],
    ['many/load.csv', csv(400, { records: 40 })],
    ['one/larger.csv', csv(20_000)],
    ['one/B.csv', csv(60)],
  ]
  const paths = DROPS.map(([path]) => path)

  const INSTANTS: ReadonlyArray<readonly [string, (ws: IntakeWorkspace, daemon: RunningDaemon) => Promise<unknown>]> = [
    ['when the first drop was claimed', (_, daemon) => daemon.logged((line) => line.event === 'drop.claimed')],
    [
      'when some records of a file have their version',
      (ws, daemon) => daemon.until(() => namesIn(ws.path('store/records/many')).length > 0),
    ],
    ['when an original is in the archive', (ws, daemon) => daemon.until(() => namesIn(ws.path('archive')).length > 0)],
    ['after the first receipt', (_, daemon) => daemon.receipted((receipts) => receipts.length > 0)],
  ]

  test.each(INSTANTS)('%s: the next start makes every drop one version and one receipt', async (_, instant) => {
    const ws = await make()
    for (const [path, content] of DROPS) await ws.drop(path, content)
    const daemon = await ws.start()
    await instant(ws, daemon)
    await daemon.kill()
    await ws.run(['run', '--once'])
    await expectEachOnce(ws, paths)
  })

  test('while a large file is converted, three times over: what is taken up again may be killed again', async () => {
    const ws = await make()
    await ws.drop('one/large.csv', large)
    for (const [path, content] of DROPS) await ws.drop(path, content)
    for (let round = 0; round < 3; round++) {
      const daemon = await ws.start()
      await converting(ws, daemon)
      await daemon.kill()
    }
    await ws.run(['run', '--once'])
    await expectEachOnce(ws, ['one/large.csv', ...paths])
  })
})

describe('exit statuses of run --once', () => {
  test('0 nothing to mend, 3 something was quarantined, 75 something waits for more', async () => {
    const ws = await make()
    await ws.drop('one/A.csv', csv(2))
    await ws.run(['run', '--once'], 0)
    await ws.drop('one/B.csv', `${HEADER}\nx,R,1,n\n`)
    await ws.run(['run', '--once'], 3)
    await ws.drop('one/A.csv', csv(3))
    await ws.drop('hashed/C.csv', csv(2))
    const waiting = await ws.run(['run', '--once'], 75)
    expect(waiting.stderr).toContain('left in the inbox: hashed/C.csv: SIDECAR_MISSING')
    expect(ws.metadata('A')).toMatchObject({ current_version: 2 })
    expect(namesIn(ws.path('inbox/hashed'))).toEqual(['C.csv'])
  })

  test('75 when a signal stops it before all is done', async () => {
    const ws = await make()
    await ws.drop('one/large.csv', larger)
    const daemon = await ws.start(['--once'])
    await converting(ws, daemon)
    expect((await daemon.stop()).status).toBe(75)
    await ws.run(['run', '--once'], 0)
    await expectEachOnce(ws, ['one/large.csv'])
  })
})

describe('one writer', () => {
  test('a library write beside a running daemon gets STORE_LOCKED and harms nothing; reading goes on; a second daemon ends with 11', async () => {
    const ws = await make()
    const daemon = await ws.start()
    await ws.drop('one/A.csv', csv(2))
    await daemon.receiptOf('one/A.csv')
    const storage = new VersionedParquetStorage(new ParquetStorageEngine({ mode: 'local', basePath: ws.path('store') }))
    const before = listing(ws.path('store'))
    const create = storage.createRecord({ recordId: 'L', tableName: 'samples', data: [{ id: 1 }], createdBy: 'me', comment: '' })
    await expect(create).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    const approve = storage.approveRecord({ recordId: 'A', approvedBy: 'me', comment: '' })
    await expect(approve).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    expect((await ws.run(['run'], 11)).stderr).toContain('STORE_LOCKED')
    expect(listing(ws.path('store'))).toEqual(before)

    const reader = await storage.getLatestVersion('A')
    expect(reader.rowCount).toBe(2)
    await reader.close()
    await ws.drop('one/A.csv', csv(3))
    expect(await daemon.receiptOf('one/A.csv', 2)).toMatchObject({ outcome: 'committed' })
    expect((await daemon.stop()).status).toBe(0)
    await expectTidy(ws)
  })
})

describe('order', () => {
  test('twenty updates of one record commit by mtime, whatever their names, and although the first is the slowest', async () => {
    const ws = await make()
    const daemon = await ws.start()
    const rows = (i: number): number => (i === 0 ? 20_000 : i)
    await arrive(
      ws,
      'manifest',
      Array.from({ length: 20 }, (_, i) => ({
        name: `${99 - i}.csv`,
        content: csv(rows(i)),
        manifest: { record_id: 'R', comment: `update ${i}` },
      })),
    )
    await daemon.receipted((receipts) => receipts.length === 20)
    expect((await daemon.stop()).status).toBe(0)
    expect(ws.metadata('R').history.map((e) => [e.version, e.comment, e.rows])).toEqual(
      Array.from({ length: 20 }, (_, i) => [i + 1, `update ${i}`, rows(i)]),
    )
    await expectTidy(ws)
  })

  test('drops of one source whose records are in a column commit in the order they came', async () => {
    const ws = await make()
    const daemon = await ws.start()
    const names = Array.from({ length: 8 }, (_, i) => `${9 - i}.csv`)
    await arrive(
      ws,
      'strict',
      names.map((name, i) => ({ name, content: csv(i === 0 ? 20_000 : i) })),
    )
    await daemon.receipted((receipts) => receipts.length === 8)
    expect((await daemon.stop()).status).toBe(0)
    const made = ws.metadata('strict/R0').history.map((e) => (e.drop as { name: string }).name)
    expect(made).toEqual(names.map((name) => `strict/${name}`))
  })

  test.each([
    ['one large drop on one thread', 1, 1],
    ['as many large drops as threads', 2, 2],
  ])('a small drop is not starved: %s', async (_, threads, count) => {
    const ws = await make({ config: { convert: { threads } } })
    const daemon = await ws.start()
    const largeNames = Array.from({ length: count }, (_unused, i) => `one/large-${i}.csv`)
    // Seconds of work, also on a fast machine: far longer than all that is left to do for the small ones.
    const huge = csv(1_200_000)
    for (const name of largeNames) await ws.drop(name, huge)
    for (const name of largeNames) await daemon.logged(claimed(name))
    const smallNames = ['one/small-1.csv', 'one/small-2.csv']
    for (const name of smallNames) await ws.drop(name, csv(2))
    const receipts = await daemon.receipted((all) => all.length === count + 2)
    const finished = receipts.sort((a, b) => (a.finished_at < b.finished_at ? -1 : 1)).map((r) => r.path)
    expect(finished.slice(0, 2).sort()).toEqual(smallNames)
    expect((await daemon.stop()).status).toBe(0)
    await expectEachOnce(ws, [...largeNames, ...smallNames])
  })
})

describe('the log', () => {
  test('is JSON lines with level, time and a known event, and never holds the text of a cell', async () => {
    const marker = 'Zw1tterfisch'
    const ws = await make({ config: { log: { level: 'trace' } } })
    const drops: ReadonlyArray<readonly [string, string]> = [
      ['one/good.csv', `${HEADER}\n1,${marker},1,${marker}\n`],
      ['one/type.csv', `${HEADER}\n${marker},R,${marker},n\n`],
      ['one/range.csv', `${HEADER}\n1,${marker},-1,${marker}\n`],
      ['one/key.csv', `${HEADER}\n1,${marker},1,n\n1,${marker},1,n\n`],
      ['one/ragged.csv', `${HEADER}\n1,R,1,n,${marker}\n`],
      ['one/unclosed.csv', `${HEADER}\n1,R,1,"${marker}\n`],
      ['one/misplaced.csv', `${HEADER}\n1,R,1,${marker}"x\n`],
      ['one/bytes.csv', `${HEADER}\n1,R,1,${marker}\0\n`],
      ['many/illegal.csv', `${HEADER}\n1,../${marker},1,n\n2,R,x${marker},n\n3,R,1,${marker}\n`],
      ['strict/illegal.csv', `${HEADER}\n1,../${marker},1,n\n`],
    ]
    const daemon = await ws.start()
    for (const [path, content] of drops) await ws.drop(path, content)
    await writeFile(ws.path('decisions/x.decision.json'), `{"comment":"${marker}"}`)
    await daemon.receipted((receipts) => receipts.length === drops.length + 1)
    const { status, stderr } = await daemon.stop()
    expect(status).toBe(0)
    const lines = stderr.split('\n')
    expect(lines.pop()).toBe('')
    for (const line of lines) {
      const { level, time, event, msg } = JSON.parse(line) as Record<string, unknown>
      expect(level).toMatch(/^(trace|debug|info|warn|error|fatal)$/)
      expect(time).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
      expect(isEventName(String(event)), line).toBe(true)
      expect(typeof msg).toBe('string')
      expect(line).not.toContain(marker)
    }
    for (const event of [
      'daemon.started',
      'drop.claimed',
      'drop.committed',
      'drop.quarantined',
      'drop.partial',
      'decision.refused',
      'daemon.stopped',
    ])
      expect(daemon.lines.map((l) => l.event)).toContain(event)
    // It is on the receipts, where those look who may see it.
    expect(JSON.stringify(ws.receipts())).toContain(marker)
  })
})

/** Every name below a folder, anchors and all. */
function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
}

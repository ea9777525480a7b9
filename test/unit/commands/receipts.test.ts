import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { init } from '../../../src/commands/init.js'
import { parseSince, receipts } from '../../../src/commands/receipts.js'
import { status } from '../../../src/commands/status.js'
import { formatDropId } from '../../../src/core/drop-id.js'
import type { DropReceipt, Receipt } from '../../../src/documents/receipt.js'
import { type TestContext, testContext } from '../../support/command-context.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const NOW = Date.UTC(2024, 0, 27, 12)
const hour = 3_600_000

function dropReceipt(timeMs: number, outcome: DropReceipt['outcome']): Receipt {
  const at = new Date(timeMs).toISOString()
  return {
    format: 1,
    drop_id: formatDropId(timeMs, 0, '0123456789abcdef'),
    path: 'borelogs/BH-101.csv',
    sha256: 'a'.repeat(64),
    bytes: 2210,
    received_at: at,
    finished_at: at,
    code: outcome === 'quarantined' ? 'TYPE_ERROR' : null,
    message: outcome === 'quarantined' ? '1 cell is wrong' : null,
    hint: null,
    stored_at: 'archive/x',
    requeue_of: null,
    kind: 'drop',
    outcome,
    source: 'borelogs',
    table: 'borelog_versions',
    rows: {
      in: 24,
      committed: outcome === 'committed' ? 24 : 0,
      unchanged: 0,
      withheld: outcome === 'quarantined' ? 23 : 0,
      invalid: outcome === 'quarantined' ? 1 : 0,
      blank: 0,
    },
    records: [
      {
        record_id: 'BH-101',
        outcome: outcome === 'committed' ? 'created' : 'quarantined',
        version: outcome === 'committed' ? 1 : null,
        rows: 24,
        invalid: 0,
        key: null,
        parquet_sha256: null,
        code: null,
        message: null,
      },
    ],
    errors: {},
    absent_columns: [],
    report_at: null,
    force: false,
  } as Receipt
}

async function workspaceWith(...documents: Receipt[]): Promise<(options?: { json?: boolean; columns?: number }) => TestContext> {
  const cwd = await temporaryFolder()
  await init(testContext({ cwd }), { dir: '.', principal: 'approver', samples: false })
  for (const document of documents) {
    const day = join(cwd, 'receipts', document.received_at.slice(0, 10))
    await mkdir(day, { recursive: true })
    await writeFile(join(day, `${document.drop_id}.json`), JSON.stringify(document))
  }
  const clock = { nowMs: () => NOW, monotonicMs: () => 0 }
  return (options = {}) => testContext({ cwd, clock, ...options })
}

describe('receipts', () => {
  test('newest first, at most so many, and says that there are more', async () => {
    const all = [3, 2, 1].map((h) => dropReceipt(NOW - h * hour, 'committed'))
    const context = (await workspaceWith(...all))({ json: true })
    expect(await receipts(context, { dropId: undefined, since: undefined, limit: 2 })).toBe(0)
    const printed = JSON.parse(context.stdout.text) as { receipts: Receipt[]; more: boolean }
    expect(printed.receipts.map((r) => r.drop_id)).toEqual([all[2]!.drop_id, all[1]!.drop_id])
    expect(printed.more).toBe(true)
  })

  test('--since leaves out what came before', async () => {
    const make = await workspaceWith(dropReceipt(NOW - 30 * hour, 'committed'), dropReceipt(NOW - hour, 'committed'))
    const context = make({ json: true })
    await receipts(context, { dropId: undefined, since: '24h', limit: 50 })
    expect((JSON.parse(context.stdout.text) as { receipts: Receipt[] }).receipts).toHaveLength(1)
  })

  test('one in full: the document with --json, facts and records without', async () => {
    const document = dropReceipt(NOW - hour, 'quarantined')
    const make = await workspaceWith(document)
    const json = make({ json: true })
    await receipts(json, { dropId: document.drop_id, since: undefined, limit: 50 })
    expect(JSON.parse(json.stdout.text)).toEqual(document)
    const text = make()
    await receipts(text, { dropId: document.drop_id, since: undefined, limit: 50 })
    expect(text.stdout.text).toContain('24 = 0 committed + 0 unchanged + 23 withheld + 1 invalid + 0 blank')
    expect(text.stdout.text).toContain('quarantined (TYPE_ERROR)')
  })

  test.each([formatDropId(NOW, 1, '0123456789abcdef'), 'nonsense', '../../etc/passwd'])('%s has no receipt', async (dropId) => {
    const make = await workspaceWith()
    await expect(receipts(make(), { dropId, since: undefined, limit: 50 })).rejects.toMatchObject({ code: 'DROP_NOT_FOUND' })
  })

  test('none is an empty table and no error', async () => {
    const context = (await workspaceWith())()
    expect(await receipts(context, { dropId: undefined, since: undefined, limit: 50 })).toBe(0)
    expect(context.stdout.text.split('\n')).toHaveLength(2)
    expect(context.stderr.text).toBe('0 receipts\n')
  })
})

describe('--since', () => {
  test.each([
    ['90m', NOW - 90 * 60_000],
    ['24h', NOW - 24 * hour],
    ['7d', NOW - 7 * 24 * hour],
    ['2024-01-27', Date.UTC(2024, 0, 27)],
    ['2024-01-27T10:00', Date.UTC(2024, 0, 27, 10)],
    ['2024-01-27T10:00:00Z', Date.UTC(2024, 0, 27, 10)],
    ['2024-01-27T10:00:00+02:00', Date.UTC(2024, 0, 27, 8)],
  ])('%s', (text, expected) => expect(parseSince(text, NOW)).toBe(expected))

  test.each(['', 'yesterday', '5', '2024-13-01', '2024-01-27 10:00', '-5h', '1.5h'])('%j is a usage error', (text) => {
    expect(() => parseSince(text, NOW)).toThrow('--since')
  })
})

describe('status', () => {
  test('without a daemon and a record it says so', async () => {
    const context = (await workspaceWith())()
    expect(await status(context, {})).toBe(0)
    expect(context.stdout.text).toContain('not running')
  })

  test('names what needs a person, and not what does not', async () => {
    const bad = dropReceipt(NOW - hour, 'quarantined')
    const make = await workspaceWith(bad, dropReceipt(NOW - 2 * hour, 'committed'), dropReceipt(NOW - 30 * 24 * hour, 'quarantined'))
    const context = make({ json: true })
    await status(context, {})
    const printed = JSON.parse(context.stdout.text) as { running: boolean; attention: Receipt[] }
    expect(printed.running).toBe(false)
    expect(printed.attention.map((r) => r.drop_id)).toEqual([bad.drop_id])
    const text = make()
    await status(text, {})
    expect(text.stdout.text).toContain('Needs a person')
  })

  test('shows what waits, with code and hint; a status file that cannot be read is none', async () => {
    const make = await workspaceWith()
    const { paths } = await make().workspace()
    await writeFile(
      paths.statusFile,
      JSON.stringify({
        format: 1,
        written_at: '2024-01-27T11:59:59.000Z',
        in_flight: [],
        waiting: [{ path: 'x.csv', code: 'NO_SOURCE', message: 'No source', hint: 'Move it' }],
      }),
    )
    const context = make()
    await status(context, {})
    expect(context.stdout.text).toContain('NO_SOURCE  x.csv')
    expect(context.stdout.text).toContain('Move it')
    await writeFile(paths.statusFile, '{"format":')
    const torn = make({ json: true })
    await status(torn, {})
    expect(JSON.parse(torn.stdout.text)).toMatchObject({ daemon: null })
  })
})

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import type { DropReceipt } from '../../src/documents/receipt.js'
import { encodePath } from '../../src/documents/text.js'
import { ERRORS, type ErrorCode } from '../../src/errors.js'
import type { Finished } from '../support/built-program.js'
import { IntakeWorkspace } from '../support/intake-workspace.js'
import { expectRowsAddUp, expectTidy, namesIn } from '../support/receipt-rules.js'
import { endOfFile } from '../support/temporary-folder.js'

/** One daemon meets every kind of bad input beside good drops (DESIGN §2, §5). */

const field = (name: string, type: string, constraints: object = {}): object => ({ name, type, constraints })
const TABLES = {
  layers: {
    name: 'layers',
    fields: [
      field('id', 'integer', { required: true }),
      field('rec', 'string'),
      field('depth', 'number', { minimum: 0 }),
      field('kind', 'string', { enum: ['clay', 'sand'], unique: false }),
      field('tag', 'string', { unique: true, maxLength: 20 }),
    ],
    fieldsMatch: 'equal',
    primaryKey: ['id'],
  },
  ordered: { name: 'ordered', fields: [field('a', 'string'), field('b', 'string')] },
}

const source = (name: string, rest: object): object => ({
  name,
  match: `${name}/*.csv`,
  table: 'layers',
  record: `${name}/{stem}`,
  createdBy: 'lab',
  ...rest,
})
const SOURCES = [
  source('plain', {}),
  source('ordered', { table: 'ordered' }),
  source('lost', { table: 'nowhere' }),
  source('many', { record: 'many/{column:rec}' }),
  source('hashed', { sidecars: ['sha256'] }),
  source('manifest', { record: 'manifest', allowedCreatedBy: ['crew-7'] }),
]

const HEADER = 'id,rec,depth,kind,tag'
const csv = (...rows: string[]): string => `${[HEADER, ...rows].join('\n')}\n`
const GOOD = csv('1,R1,0.5,clay,a', '2,R2,1.5,sand,b')
const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const sidecarsOf = (manifest: object | string): Record<string, string> => ({
  '.manifest.json': typeof manifest === 'string' ? manifest : JSON.stringify(manifest),
})

interface BadDrop {
  readonly rule: string
  readonly path: string | Buffer
  readonly bytes: string | Uint8Array
  readonly code: ErrorCode
  readonly message: RegExp
  readonly sidecars?: Readonly<Record<string, string>>
  /** Data rows, invalid rows; left out where the file is not read to its end. */
  readonly rows?: readonly [number, number]
}

const BAD: readonly BadDrop[] = [
  { rule: 'an unknown table', path: 'lost/L1.csv', bytes: GOOD, code: 'TABLE_UNKNOWN', message: /"nowhere"/ },
  {
    rule: 'a missing column',
    path: 'plain/missing.csv',
    bytes: 'id,rec,kind,tag\n1,R,clay,a\n',
    code: 'MISSING_COLUMN',
    message: /"depth"/,
    rows: [1, 0],
  },
  {
    rule: 'an unknown column',
    path: 'plain/unknown.csv',
    bytes: `${HEADER},colour\n1,R,1,clay,a,red\n`,
    code: 'UNKNOWN_COLUMN',
    message: /"colour"/,
    rows: [1, 0],
  },
  {
    rule: 'a duplicate column',
    path: 'plain/twice.csv',
    bytes: `${HEADER},id\n1,R,1,clay,a,1\n`,
    code: 'DUPLICATE_COLUMN',
    message: /"id"/,
    rows: [1, 0],
  },
  {
    rule: 'a column without a name',
    path: 'plain/nameless.csv',
    bytes: `${HEADER},\n1,R,1,clay,a,x\n`,
    code: 'BLANK_LABEL',
    message: /Column 6/,
    rows: [1, 0],
  },
  { rule: 'a blank header', path: 'plain/blank-header.csv', bytes: ',,,,\n1,R,1,clay,a\n', code: 'BLANK_HEADER', message: /header/ },
  {
    rule: 'columns in another order than the table asks for',
    path: 'ordered/turned.csv',
    bytes: 'b,a\n1,2\n',
    code: 'INCORRECT_COLUMN',
    message: /order/,
    rows: [1, 0],
  },
  {
    rule: 'a wrong type',
    path: 'plain/type.csv',
    bytes: csv('1,R,1,clay,a', '2,R,deep,clay,b'),
    code: 'TYPE_ERROR',
    message: /Line 3, column "depth".*"deep"/,
    rows: [2, 1],
  },
  {
    rule: 'a number out of its range',
    path: 'plain/range.csv',
    bytes: csv('1,R,-1,clay,a'),
    code: 'CONSTRAINT_ERROR',
    message: /Line 2, column "depth".*-1/,
    rows: [1, 1],
  },
  {
    rule: 'a value outside its list',
    path: 'plain/enum.csv',
    bytes: csv('1,R,1,rock,a'),
    code: 'CONSTRAINT_ERROR',
    message: /column "kind"/,
    rows: [1, 1],
  },
  {
    rule: 'a required cell that is empty',
    path: 'plain/required.csv',
    bytes: csv(',R,1,clay,a'),
    code: 'CONSTRAINT_ERROR',
    message: /column "id"/,
    rows: [1, 1],
  },
  {
    rule: 'a key that stands twice',
    path: 'plain/key.csv',
    bytes: csv('1,R,1,clay,a', '1,R,2,clay,b'),
    code: 'PRIMARY_KEY_ERROR',
    message: /Line 3/,
    rows: [2, 1],
  },
  {
    rule: 'a unique value that stands twice',
    path: 'plain/unique.csv',
    bytes: csv('1,R,1,clay,a', '2,R,2,clay,a'),
    code: 'UNIQUE_ERROR',
    message: /Line 3, column "tag"/,
    rows: [2, 1],
  },
  {
    rule: 'a row too short',
    path: 'plain/short.csv',
    bytes: csv('1,R,1,clay'),
    code: 'RAGGED_ROW',
    message: /Line 2 has 4 cells, the header has 5/,
    rows: [1, 1],
  },
  {
    rule: 'a row too long',
    path: 'plain/long.csv',
    bytes: csv('1,R,1,clay,a,b,c'),
    code: 'RAGGED_ROW',
    message: /Line 2 has 7 cells/,
    rows: [1, 1],
  },
  {
    rule: 'a quote that is never closed',
    path: 'plain/unclosed.csv',
    bytes: csv('1,R,1,clay,a', '2,R,1,clay,"b', '3,R,1,clay,c'),
    code: 'QUOTE_NOT_CLOSED',
    message: /line 3/i,
  },
  {
    rule: 'a quote inside a plain cell',
    path: 'plain/misplaced.csv',
    bytes: csv('1,R,1,clay,a"b'),
    code: 'QUOTE_MISPLACED',
    message: /line 2/i,
  },
  {
    rule: 'text after a closing quote',
    path: 'plain/after-quote.csv',
    bytes: csv('1,R,1,clay,"a"b'),
    code: 'QUOTE_MISPLACED',
    message: /line 2/i,
  },
  { rule: 'an empty file', path: 'plain/empty.csv', bytes: '', code: 'EMPTY_FILE', message: /./ },
  { rule: 'a byte order mark and nothing else', path: 'plain/mark-only.csv', bytes: '\ufeff', code: 'EMPTY_FILE', message: /./ },
  { rule: 'a header without rows', path: 'plain/header-only.csv', bytes: csv(), code: 'HEADER_ONLY', message: /header/, rows: [0, 0] },
  {
    rule: 'a header and blank rows',
    path: 'plain/blank-rows.csv',
    bytes: csv(',,,,', ''),
    code: 'HEADER_ONLY',
    message: /header/,
    rows: [2, 0],
  },
  {
    rule: 'bytes that are not UTF-8',
    path: 'plain/latin1.csv',
    bytes: Buffer.from(csv('1,R,1,clay,caf\u00e9'), 'latin1'),
    code: 'NOT_UTF8',
    message: /line 2/i,
  },
  {
    rule: 'UTF-16 where UTF-8 is expected',
    path: 'plain/utf16.csv',
    bytes: Buffer.from(`\ufeff${GOOD}`, 'utf16le'),
    code: 'NOT_UTF8',
    message: /./,
  },
  { rule: 'a NUL byte', path: 'plain/nul.csv', bytes: csv('1,R,1,clay,a\0b'), code: 'NUL_BYTE', message: /line 2/i },
  {
    rule: 'a file of zeros, as a preallocating copy leaves it',
    path: 'plain/zeros.csv',
    bytes: Buffer.alloc(4096),
    code: 'NUL_BYTE',
    message: /./,
  },
  {
    rule: 'a row over the limit',
    path: 'plain/wide.csv',
    bytes: csv(`1,R,1,clay,${'x'.repeat(5000)}`),
    code: 'LIMIT_EXCEEDED',
    message: /4096|limit/,
  },
  {
    rule: 'a file over the limit',
    path: 'plain/huge.csv',
    bytes: csv(...Array.from({ length: 3000 }, (_, i) => `${i},R,1,clay,${i}`)),
    code: 'LIMIT_EXCEEDED',
    message: /20000/,
  },
  { rule: 'a name with a space', path: 'plain/has space.csv', bytes: GOOD, code: 'RECORD_ID_ILLEGAL', message: /"plain\/has space"/ },
  { rule: 'a name with a line feed', path: 'plain/two\nlines.csv', bytes: GOOD, code: 'RECORD_ID_ILLEGAL', message: /two\\nlines/ },
  { rule: 'a reserved name', path: 'plain/versions.csv', bytes: GOOD, code: 'RECORD_ID_ILLEGAL', message: /versions/ },
  {
    rule: 'a name that is not UTF-8',
    path: Buffer.from('plain/caf\u00e9.csv', 'latin1'),
    bytes: GOOD,
    code: 'RECORD_ID_ILLEGAL',
    message: /./,
  },
  { rule: 'a name of 200 letters', path: `plain/${'n'.repeat(200)}.csv`, bytes: GOOD, code: 'RECORD_ID_ILLEGAL', message: /nnn/ },
  {
    rule: 'a record cell that is illegal',
    path: 'many/illegal.csv',
    bytes: csv('1,R1,1,clay,a', '2,../R2,1,clay,b'),
    code: 'RECORD_ID_ILLEGAL',
    message: /Line 3, column "rec"/,
    rows: [2, 1],
  },
  {
    rule: 'a record cell that is empty',
    path: 'many/nobody.csv',
    bytes: csv('1,R1,1,clay,a', '2,,1,clay,b'),
    code: 'RECORD_ID_ILLEGAL',
    message: /Line 3, column "rec".*empty/,
    rows: [2, 1],
  },
  {
    rule: 'a header without the record column',
    path: 'many/no-column.csv',
    bytes: 'id,depth,kind,tag\n1,1,clay,a\n',
    code: 'MISSING_COLUMN',
    message: /"rec"/,
    rows: [1, 0],
  },
  {
    rule: 'bytes other than the .sha256 file names',
    path: 'hashed/other.csv',
    bytes: GOOD,
    sidecars: { '.sha256': `${'0'.repeat(64)}  other.csv\n` },
    code: 'SIDECAR_MISMATCH',
    message: /0000/,
  },
  {
    rule: 'a .sha256 file of another form',
    path: 'hashed/formless.csv',
    bytes: GOOD,
    sidecars: { '.sha256': 'md5 abc\n' },
    code: 'SIDECAR_INVALID',
    message: /hex/,
  },
  {
    rule: 'a manifest that is not JSON',
    path: 'manifest/not-json.csv',
    bytes: GOOD,
    sidecars: sidecarsOf('{"record_id": '),
    code: 'MANIFEST_INVALID',
    message: /JSON/,
  },
  {
    rule: 'a manifest with a member too many',
    path: 'manifest/extra.csv',
    bytes: GOOD,
    sidecars: sidecarsOf({ record_id: 'M-1', owner: 'x' }),
    code: 'MANIFEST_INVALID',
    message: /owner/,
  },
  {
    rule: 'a manifest of an illegal record',
    path: 'manifest/illegal.csv',
    bytes: GOOD,
    sidecars: sidecarsOf({ record_id: '../M' }),
    code: 'RECORD_ID_ILLEGAL',
    message: /manifest.*"\.\.\/M"/i,
  },
  {
    rule: 'a manifest of other bytes',
    path: 'manifest/bytes.csv',
    bytes: GOOD,
    sidecars: sidecarsOf({ record_id: 'M-2', sha256: 'f'.repeat(64) }),
    code: 'SIDECAR_MISMATCH',
    message: /manifest/,
  },
  {
    rule: 'a manifest of another number of rows',
    path: 'manifest/rows.csv',
    bytes: GOOD,
    sidecars: sidecarsOf({ record_id: 'M-3', rows: 3 }),
    code: 'ROW_COUNT_MISMATCH',
    message: /3 rows.*has 2/,
    rows: [2, 0],
  },
  {
    rule: 'a created_by that the source does not allow',
    path: 'manifest/by.csv',
    bytes: GOOD,
    sidecars: sidecarsOf({ record_id: 'M-4', created_by: 'mallory' }),
    code: 'CREATED_BY_NOT_ALLOWED',
    message: /mallory/,
  },
]

interface Special {
  readonly rule: string
  readonly path: string
  readonly code: ErrorCode
  readonly is: (stat: ReturnType<typeof lstatSync>) => boolean
  readonly make: (path: string) => void | Promise<void>
}

const isRoot = process.getuid?.() === 0
const made = (program: string, ...args: string[]): void => expect(spawnSync(program, args).status, program).toBe(0)
const SPECIAL: readonly Special[] = [
  {
    rule: 'a link to a file',
    path: 'plain/link.csv',
    code: 'SYMLINK',
    is: (s) => s!.isSymbolicLink(),
    make: (path) => symlink('/etc/hostname', path),
  },
  {
    rule: 'a link to a folder',
    path: 'plain/link-folder.csv',
    code: 'SYMLINK',
    is: (s) => s!.isSymbolicLink(),
    make: (path) => symlink('/etc', path),
  },
  {
    rule: 'a link to nothing',
    path: 'plain/dangling.csv',
    code: 'SYMLINK',
    is: (s) => s!.isSymbolicLink(),
    make: (path) => symlink('gone.csv', path),
  },
  {
    rule: 'a link to itself',
    path: 'plain/loop.csv',
    code: 'SYMLINK',
    is: (s) => s!.isSymbolicLink(),
    make: (path) => symlink('loop.csv', path),
  },
  { rule: 'a named pipe', path: 'plain/pipe.csv', code: 'FIFO', is: (s) => s!.isFIFO(), make: (path) => made('mkfifo', path) },
  { rule: 'a socket', path: 'plain/socket.csv', code: 'SOCKET', is: (s) => s!.isSocket(), make: leaveSocket },
  ...(isRoot
    ? [
        {
          rule: 'a device',
          path: 'plain/device.csv',
          code: 'DEVICE',
          is: (s: ReturnType<typeof lstatSync>) => s!.isCharacterDevice(),
          make: (path: string) => made('mknod', path, 'c', '1', '5'),
        } as const,
      ]
    : []),
]

/** A bound socket keeps its name when its folder name is not asked to go: the process that made it simply ends. */
function leaveSocket(path: string): void {
  const script = `const s = require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script, path])
  expect(lstatSync(path).isSocket()).toBe(true)
}

const GOOD_DROPS = [
  { path: 'plain/G-1.csv', records: ['plain/G-1'], sidecars: {} },
  { path: 'many/good.csv', records: ['many/R1', 'many/R2'], sidecars: {} },
  { path: 'hashed/G-2.csv', records: ['hashed/G-2'], sidecars: { '.sha256': `${sha256(GOOD)}  G-2.csv\n` } },
  {
    path: 'manifest/G-3.csv',
    records: ['sites/G-3'],
    sidecars: sidecarsOf({ record_id: 'sites/G-3', sha256: sha256(GOOD), rows: 2, created_by: 'crew-7', comment: 'By hand' }),
  },
] as const

const WAITING = [
  ['a folder named like a drop', 'plain/folder.csv', 'NOT_A_FILE'],
  ['a file that no source matches', 'nobody.csv', 'NO_SOURCE'],
  ['a file in a folder named like a drop, deeper than its source looks', 'plain/folder.csv/inside.csv', 'NO_SOURCE'],
  ['a drop whose sidecar is missing', 'hashed/alone.csv', 'SIDECAR_MISSING'],
  ['a sidecar whose drop is missing', 'hashed/orphan.csv.sha256', 'SIDECAR_MISSING'],
  ['a file that is still growing', 'plain/growing.csv', 'STILL_GROWING'],
] as const

interface Status {
  daemon: { waiting: Array<{ path: string; code: string; message: string; hint: string }>; waiting_total: number }
}

const onEnd = endOfFile()
let ws: IntakeWorkspace
let status: Status
let ended: Finished

const inboxPath = (path: string | Buffer): Buffer => Buffer.concat([Buffer.from(`${ws.path('inbox')}/`), Buffer.from(path)])

async function put(path: string | Buffer, bytes: string | Uint8Array, sidecars: Readonly<Record<string, string>> = {}): Promise<void> {
  for (const [suffix, text] of Object.entries(sidecars)) await writeFile(Buffer.concat([inboxPath(path), Buffer.from(suffix)]), text)
  await writeFile(inboxPath(path), bytes)
}

beforeAll(async () => {
  ws = await IntakeWorkspace.make({
    sources: SOURCES,
    tables: TABLES,
    // A growing file must be caught growing however busy the machine is.
    inbox: { settleMs: 1000 },
    config: { limits: { rowBytes: 4096, dropBytes: 20_000 } },
    onEnd,
  })
  for (const folder of ['plain', 'ordered', 'lost', 'many', 'hashed', 'manifest'])
    await mkdir(ws.path('inbox', folder), { recursive: true })
  const half = Math.floor(BAD.length / 2)
  for (const drop of BAD.slice(0, half)) await put(drop.path, drop.bytes, drop.sidecars)
  for (const drop of GOOD_DROPS) await put(drop.path, GOOD, drop.sidecars)
  for (const drop of BAD.slice(half)) await put(drop.path, drop.bytes, drop.sidecars)
  for (const special of SPECIAL) await special.make(ws.path('inbox', special.path))
  await mkdir(ws.path('inbox/plain/folder.csv'))
  await put('plain/folder.csv/inside.csv', GOOD)
  await put('nobody.csv', GOOD)
  await put('hashed/alone.csv', GOOD)
  await put('hashed/orphan.csv.sha256', `${sha256(GOOD)}\n`)
  const growing = ws.path('inbox/plain/growing.csv')
  appendFileSync(growing, csv())
  const producer = setInterval(() => appendFileSync(growing, '1,R,1,clay,a\n'), 20)
  onEnd(async () => clearInterval(producer))

  const daemon = await ws.start()
  const expected = BAD.length + SPECIAL.length + GOOD_DROPS.length
  await daemon.receipted((receipts) => receipts.length >= expected)
  // status.json follows within a second; the tests below say what is amiss should it not.
  const expectedWaiting = WAITING.map(([, path]) => path).sort()
  for (let look = 0; look < 40; look++) {
    status = await ws.json<Status>(['status'])
    const paths = status.daemon.waiting.map((w) => w.path).sort()
    if (isDeepStrictEqual(paths, expectedWaiting)) break
  }
  ended = await daemon.stop()
  clearInterval(producer)
}, 60_000)

/** The only receipt of a drop. */
const receiptOf = (path: string | Buffer): DropReceipt => ws.receiptOf(encodePath(path))

function expectRefused(receipt: DropReceipt, code: ErrorCode, message: RegExp): string {
  expect(receipt).toMatchObject({ outcome: 'quarantined', code, hint: ERRORS[code].hint })
  expect(receipt.message).toMatch(message)
  expectRowsAddUp(receipt)
  expect(receipt.records.every((r) => r.outcome === 'quarantined' && r.version === null)).toBe(true)
  expect(receipt.report_at).toMatch(/^quarantine\//)
  const folder = ws.path(receipt.report_at!)
  const reason = readFileSync(join(folder, 'reason.txt'), 'utf8')
  expect(reason).toContain(`${code}: `)
  expect(reason).toContain(ERRORS[code].hint)
  return folder
}

describe('goes to quarantine with its own code, a hint, a receipt and its original bytes', () => {
  test.each(BAD)('$rule: $code', ({ path, bytes, code, message, sidecars, rows }) => {
    const receipt = receiptOf(path)
    const folder = expectRefused(receipt, code, message)
    const original = readFileSync(ws.path(receipt.stored_at!))
    expect(original.equals(Buffer.from(bytes))).toBe(true)
    for (const [suffix, text] of Object.entries(sidecars ?? {}))
      expect(readFileSync(`${ws.path(receipt.stored_at!)}${suffix}`, 'utf8')).toBe(text)
    expect(receipt.bytes).toBe(Buffer.byteLength(bytes))
    expect(receipt.rows).toMatchObject(
      rows === undefined ? { in: null, withheld: null, invalid: null } : { in: rows[0], committed: 0, unchanged: 0, invalid: rows[1] },
    )
    expect(() => lstatSync(inboxPath(path))).toThrow('ENOENT')
    if (receipt.errors !== null) {
      const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as { valid: boolean; tasks: Array<{ totals: object }> }
      expect(report).toMatchObject({ valid: false, tasks: [{ totals: receipt.errors }] })
      expect(receipt.errors[code]).toBeGreaterThan(0)
    }
  })

  test.each(SPECIAL)('$rule: $code, the thing itself, never opened', ({ path, code, is }) => {
    const receipt = receiptOf(path)
    expectRefused(receipt, code, /not a file/)
    expect(receipt).toMatchObject({ sha256: null, bytes: null, errors: null, rows: { in: null } })
    expect(is(lstatSync(ws.path(receipt.stored_at!)))).toBe(true)
    expect(() => lstatSync(inboxPath(path))).toThrow('ENOENT')
  })

  test('a link still points where it pointed', () => {
    expect(readlinkSync(ws.path(receiptOf('plain/link-folder.csv').stored_at!))).toBe('/etc')
  })
})

describe('what is not taken stays where it is, and status says why', () => {
  test.each(WAITING)('%s', (_, path, code) => {
    const entry = status.daemon.waiting.find((w) => w.path === path)
    expect(entry).toMatchObject({ code, hint: ERRORS[code].hint })
    expect(entry!.message).not.toBe('')
    expect(() => lstatSync(inboxPath(path))).not.toThrow()
    expect(ws.dropReceipts().filter((r) => r.path === path)).toEqual([])
  })

  test('and nothing else waits', () => {
    expect(status.daemon.waiting).toHaveLength(WAITING.length)
    expect(status.daemon.waiting_total).toBe(WAITING.length)
  })
})

describe('bad drops leave everything else going', () => {
  test.each(GOOD_DROPS)('$path is committed', ({ path, records }) => {
    const receipt = ws.receiptOf(path)
    expect(receipt).toMatchObject({ outcome: 'committed', code: null, report_at: null, rows: { in: 2, committed: 2 } })
    expect(receipt.records.map((r) => [r.record_id, r.outcome, r.version])).toEqual(records.map((id) => [id, 'created', 1]))
    expect(readFileSync(ws.path(receipt.stored_at!), 'utf8')).toBe(GOOD)
  })

  test('created_by and comment are those of the manifest where the source allows it', () => {
    expect(ws.metadata('sites/G-3')).toMatchObject({ created_by: 'crew-7', history: [{ comment: 'By hand' }] })
    expect(ws.metadata('plain/G-1')).toMatchObject({ created_by: 'lab' })
  })

  test('no record exists but those of the good drops', async () => {
    const { records } = await ws.json<{ records: Array<{ record_id: string }> }>(['records'])
    expect(records.map((r) => r.record_id).sort()).toEqual(GOOD_DROPS.flatMap((d) => [...d.records]).sort())
  })

  test('every drop has one receipt, and the daemon stops with 0 and leaves nothing half done', async () => {
    expect(ended.status).toBe(0)
    expect(ws.receipts()).toHaveLength(BAD.length + SPECIAL.length + GOOD_DROPS.length)
    await expectTidy(ws)
    expect(await ws.json<object>(['verify'])).toMatchObject({ findings: [], records: 5 })
    const stored = namesIn(ws.path('quarantine'))
    expect(stored).toHaveLength(BAD.length + SPECIAL.length)
  })
})

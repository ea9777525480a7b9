import { spawnSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { link, mkdir, symlink, truncate, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import type { DropReceipt } from '../../src/documents/receipt.js'
import { encodePath } from '../../src/documents/text.js'
import { ERRORS, type ErrorCode } from '../../src/errors.js'
import type { Finished } from '../support/built-program.js'
import { IntakeWorkspace } from '../support/intake-workspace.js'
import { expectRowsAddUp, expectTidy } from '../support/receipt-rules.js'
import { endOfFile } from '../support/temporary-folder.js'

/** One daemon meets drops that were made to break it. What is merely wrong is in bad-input.test.ts. */

const text = (name: string, constraints: object = {}): object => ({ name, type: 'string', constraints })
/** Names that programs trip over: members of every object, indices, a delimiter. */
const ODD_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', 'a,b', '0', '1', ' ', "'; --", 'é\u202e', 'x"y']
const TABLES = {
  plain: { name: 'plain', fields: [text('rec'), text('value')] },
  odd: { name: 'odd', fields: ODD_NAMES.map((name) => text(name)) },
  patterns: { name: 'patterns', fields: [text('nested', { pattern: '(a+)+' }), text('twice', { pattern: '(a|aa)+b?(x{0,20}){0,20}' })] },
}
const SOURCES = [
  { name: 'named', match: 'named/**/*.csv', table: 'plain', record: 'named/{column:rec}', createdBy: 'lab' },
  { name: 'path', match: 'path/**/*.csv', table: 'plain', record: '{path}', createdBy: 'lab' },
  { name: 'odd', match: 'odd/*.csv', table: 'odd', record: '{stem}', createdBy: 'lab' },
  { name: 'patterns', match: 'patterns/*.csv', table: 'patterns', record: '{stem}', createdBy: 'lab' },
]
const LIMITS = { rowBytes: 1024 ** 2, columns: 1000, dropBytes: 24 * 1024 ** 2 }

const csvOf = (record: string, value = 'v'): string => `rec,value\n${record},${value}\n`
const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`

interface Hostile {
  readonly rule: string
  readonly path: string | Buffer
  readonly bytes: string | Uint8Array
  readonly code: ErrorCode
  readonly message: RegExp
}

const named = (rule: string, bytes: string | Uint8Array, code: ErrorCode, message: RegExp): Hostile => ({
  rule,
  path: `named/${rule.replaceAll(/[^a-z0-9]+/gi, '-')}.csv`,
  bytes,
  code,
  message,
})
const recordCell = (id: string): Hostile => ({
  ...named(`the record id ${JSON.stringify(id).slice(0, 40)}`, `rec,value\n${quoted(id)},v\n`, 'RECORD_ID_ILLEGAL', /record/),
  path: `named/id-${Buffer.from(id).toString('hex').slice(0, 60)}.csv`,
})

const HOSTILE: readonly Hostile[] = [
  ...['../x', '..', '.', 'a//b', '/a', 'a/', 'a/../b', 'a\\b', 'versions', 'a/versions', 'metadata.json', 'a/metadata.json/b'].map(
    recordCell,
  ),
  ...['a/b/c/d/e', 'x'.repeat(200), 'a b', '-rf', '.hidden', 'caf\u00e9', 'a\nb', 'a\u001b[2J', '%2e%2e', '$(id)', '__proto__'].map(
    recordCell,
  ),
  {
    rule: 'a path that begins with an underscore',
    path: 'path/_x/_y..csv',
    bytes: csvOf('A'),
    code: 'RECORD_ID_ILLEGAL',
    message: /record/,
  },
  { rule: 'a name of an escape sequence', path: 'path/\u001b[31mred.csv', bytes: csvOf('A'), code: 'RECORD_ID_ILLEGAL', message: /record/ },
  { rule: 'a name that begins with a dash', path: 'path/-rf.csv', bytes: csvOf('A'), code: 'RECORD_ID_ILLEGAL', message: /record/ },
  { rule: 'a name that ends in a blank', path: 'path/a .csv', bytes: csvOf('A'), code: 'RECORD_ID_ILLEGAL', message: /record/ },
  { rule: 'a name of 255 bytes', path: `path/${'n'.repeat(251)}.csv`, bytes: csvOf('A'), code: 'RECORD_ID_ILLEGAL', message: /record/ },
  {
    rule: 'a name that is not UTF-8',
    path: Buffer.concat([Buffer.from('path/'), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from('.csv')]),
    bytes: csvOf('A'),
    code: 'RECORD_ID_ILLEGAL',
    message: /record/,
  },
  {
    rule: 'another name that is not UTF-8, the same once both are made readable',
    path: Buffer.concat([Buffer.from('path/'), Buffer.from([0xfe, 0xff, 0xc0]), Buffer.from('.csv')]),
    bytes: csvOf('A'),
    code: 'RECORD_ID_ILLEGAL',
    message: /record/,
  },
  { rule: 'a path five deep', path: 'path/a/b/c/d/e.csv', bytes: csvOf('A'), code: 'RECORD_ID_ILLEGAL', message: /record/ },
  named('a header of __proto__', 'rec,value,__proto__\nA,v,x\n', 'UNKNOWN_COLUMN', /__proto__/),
  named('a header of constructor twice', 'rec,value,constructor,constructor\nA,v,x,y\n', 'UNKNOWN_COLUMN', /constructor/),
  named('a header of 100000 characters', `rec,value,${'h'.repeat(100_000)}\nA,v,x\n`, 'UNKNOWN_COLUMN', /h{100}…/),
  named('a header with control characters', 'rec,value,\u001b[2J\u0007\nA,v,x\n', 'UNKNOWN_COLUMN', /\\u001b/),
  named(
    'more columns than the limit',
    `${Array.from({ length: 1001 }, (_, i) => `c${i}`).join(',')}\n`,
    'LIMIT_EXCEEDED',
    /1001 cells.*1000/,
  ),
  named('a million columns', `rec,value${',c'.repeat(400_000)}\nA,v${',x'.repeat(400_000)}\n`, 'LIMIT_EXCEEDED', /limit|more than/),
  named('a million columns and more than a row', `rec,value${',cc'.repeat(1_000_000)}\n`, 'LIMIT_EXCEEDED', /limit|more than/),
  named('a million cells in a row', `rec,value\nA${','.repeat(1_000_000)}\n`, 'LIMIT_EXCEEDED', /limit|more than/),
  named('a cell of 20 MB', `rec,value\nA,${'x'.repeat(20_000_000)}\n`, 'LIMIT_EXCEEDED', /line 2.*1048576 bytes/i),
  named('a quoted cell of 20 MB', `rec,value\nA,"${'x\n'.repeat(10_000_000)}"\n`, 'LIMIT_EXCEEDED', /line 2.*1048576 bytes/i),
  named('an unclosed quote at byte 0 of 20 MB', `"${csvOf('A').repeat(1_300_000)}`, 'LIMIT_EXCEEDED', /line 1.*quote/i),
  named('an unclosed quote at byte 0', `"${csvOf('A').repeat(100)}`, 'QUOTE_NOT_CLOSED', /line 1/i),
  named('a million quotes', `rec,value\nA,${'"'.repeat(1_000_001)}\n`, 'QUOTE_NOT_CLOSED', /line 2/i),
  named('a million quotes after a letter', `rec,value\nA,x${'"'.repeat(1_000_000)}\n`, 'QUOTE_MISPLACED', /line 2/i),
  named('a million rows of a quote', '"\n'.repeat(1_000_000), 'BLANK_HEADER', /./),
  named('a file over its limit', csvOf('A').repeat(2_000_000), 'LIMIT_EXCEEDED', /25165824/),
  named('NUL bytes between letters', 'rec,value\nA,v\u0000\u0000\n', 'NUL_BYTE', /line 2/i),
  named('a file of zeros, as preallocation leaves it', Buffer.alloc(100_000), 'NUL_BYTE', /line 1/i),
  named('good rows and then zeros, as a crash leaves it', csvOf('A') + '\0'.repeat(5000), 'NUL_BYTE', /line 3/i),
  named('a NUL in the header', 'rec,va\u0000lue\nA,v\n', 'NUL_BYTE', /line 1/i),
  named('gzip', gzipSync(csvOf('A').repeat(1000)), 'NOT_UTF8', /gzip/),
  named('zip', Buffer.concat([Buffer.from('PK\u0003\u0004\u0014\u0000\b\u0000', 'latin1'), Buffer.alloc(100, 0x8f)]), 'NUL_BYTE', /zip/),
  named('zstandard', Buffer.from('28b52ffd0458', 'hex'), 'NOT_UTF8', /zstd/i),
  named(
    'parquet',
    Buffer.concat([Buffer.from('PAR1\u0015\u0004\u0015\u0000'), Buffer.alloc(100), Buffer.from('PAR1')]),
    'NUL_BYTE',
    /parquet/i,
  ),
  named('utf-16 without a mark', Buffer.from(csvOf('A'), 'utf16le'), 'NUL_BYTE', /line 1/i),
  named('utf-16 in the other order', Buffer.from(`\ufeff${csvOf('A')}`, 'utf16le').swap16(), 'NOT_UTF8', /./),
  named('lone surrogates in UTF-8', Buffer.from([...Buffer.from('rec,value\nA,'), 0xed, 0xa0, 0x80, 0x0a]), 'NOT_UTF8', /line 2/i),
  named('overlong UTF-8', Buffer.from([...Buffer.from('rec,value\nA,'), 0xc0, 0xaf, 0x0a]), 'NOT_UTF8', /line 2/i),
  {
    rule: 'a value against nested quantifiers',
    path: 'patterns/nested.csv',
    bytes: `nested,twice\n${'a'.repeat(5000)}!,b\n`,
    code: 'CONSTRAINT_ERROR',
    message: /pattern/,
  },
  {
    rule: 'a value against alternatives of one text',
    path: 'patterns/twice.csv',
    bytes: `nested,twice\na,${'a'.repeat(5000)}${'x'.repeat(400)}!\n`,
    code: 'CONSTRAINT_ERROR',
    message: /pattern/,
  },
]

/** Names and contents that look bad and are good. */
const HARMLESS: readonly { rule: string; path: string | Buffer; bytes: string; record: string }[] = [
  ...(
    [
      ['a line feed', 'two\nlines'],
      ['an escape sequence', '\u001b]0;x\u0007'],
      ['255 bytes', 'n'.repeat(251)],
      ['255 bytes of é', `${'é'.repeat(125)}n`],
      ['a dash before it', '-rf'],
      ['a blank at its end', 'a '],
      ['shell', '$(id);`id`&|<>'],
      ['a backslash', 'a\\b'],
      ['quotes', `'"`],
      ['percent signs', '%2e%2e%2f%00%'],
      ['letters written from the right', 'a\u202egpj'],
      ['a glob', '*[a]{b,c}?'],
      ['a device', 'CON'],
      ['a member of every object', '__proto__'],
      ['only blanks', '   '],
      ['a name of our reports', 'rejects'],
    ] as const
  ).map(([rule, stem], i) => ({ rule: `a name of ${rule}`, path: `named/${stem}.csv`, bytes: csvOf(`N${i}`), record: `named/N${i}` })),
  {
    rule: 'a name that is not UTF-8',
    path: Buffer.concat([Buffer.from('named/'), Buffer.from([0xff, 0xfe, 0xc0, 0x80]), Buffer.from('.csv')]),
    bytes: csvOf('N-bytes'),
    record: 'named/N-bytes',
  },
  ...[Buffer.from([0xff]), Buffer.from([0xfe]), Buffer.from('\ufffd'), Buffer.from('%FF')].map((stem, i) => ({
    rule: `names that look alike once they are made readable, ${i + 1}`,
    path: Buffer.concat([Buffer.from('named/like-'), stem, Buffer.from('.csv')]),
    bytes: csvOf(`like-${i}`),
    record: `named/like-${i}`,
  })),
  { rule: 'the record id CON', path: 'named/device.csv', bytes: csvOf('CON'), record: 'named/CON' },
  { rule: 'the record id constructor', path: 'named/constructor.csv', bytes: csvOf('constructor'), record: 'named/constructor' },
  { rule: 'a record in capitals', path: 'named/upper.csv', bytes: csvOf('TWIN', 'upper'), record: 'named/TWIN' },
  { rule: 'its twin', path: 'named/lower.csv', bytes: csvOf('twin', 'lower'), record: 'named/twin' },
  { rule: 'a record below another', path: 'named/below.csv', bytes: csvOf('twin/below'), record: 'named/twin/below' },
  { rule: 'a segment of 128 letters', path: 'named/long-id.csv', bytes: csvOf('x'.repeat(128)), record: `named/${'x'.repeat(128)}` },
  {
    rule: 'a cell just below the limit',
    path: 'named/large.csv',
    bytes: csvOf('large', 'x'.repeat(1024 ** 2 - 100)),
    record: 'named/large',
  },
  {
    rule: 'a cell of half a million escaped quotes',
    path: 'named/quotes.csv',
    bytes: `rec,value\nquotes,"${'""'.repeat(250_000)}"\n`,
    record: 'named/quotes',
  },
  { rule: 'line ends of lone CR', path: 'named/cr.csv', bytes: csvOf('cr').replaceAll('\n', '\r'), record: 'named/cr' },
  { rule: 'a cell of code', path: 'named/formula.csv', bytes: csvOf('formula', '=cmd|/c calc!A0'), record: 'named/formula' },
  {
    rule: 'columns of odd names',
    path: 'odd/odd.csv',
    bytes: `${ODD_NAMES.map(quoted).join(',')}\n${ODD_NAMES.map((_, i) => `v${i}`).join(',')}\n`,
    record: 'odd',
  },
  {
    rule: 'values that the patterns match',
    path: 'patterns/good.csv',
    bytes: `nested,twice\n${'a'.repeat(5000)},${'a'.repeat(5001)}${'x'.repeat(400)}\n`,
    record: 'good',
  },
]

const SPECIAL: readonly { rule: string; path: string; code: ErrorCode; make: (path: string) => Promise<void> }[] = [
  { rule: 'a link to a drop of the inbox', path: 'named/link-inside.csv', code: 'SYMLINK', make: (path) => symlink('upper.csv', path) },
  { rule: 'the first of two links to each other', path: 'named/loop-1.csv', code: 'SYMLINK', make: (path) => symlink('loop-2.csv', path) },
  { rule: 'the second', path: 'named/loop-2.csv', code: 'SYMLINK', make: (path) => symlink('loop-1.csv', path) },
  { rule: 'a link to the store', path: 'named/store.csv', code: 'SYMLINK', make: (path) => symlink('../../store', path) },
  { rule: 'a link to /dev/zero', path: 'named/zero.csv', code: 'SYMLINK', make: (path) => symlink('/dev/zero', path) },
  { rule: 'a pipe with a line feed in its name', path: 'named/p\nq.csv', code: 'FIFO', make: async (path) => made('mkfifo', path) },
]
const SPARSE_BYTES = 1024 ** 4

function made(program: string, ...args: string[]): void {
  expect(spawnSync(program, args).status, program).toBe(0)
}

const onEnd = endOfFile()
let ws: IntakeWorkspace
let ended: Finished
let peakKiB: number
let outside: string

const inboxPath = (path: string | Buffer): Buffer => Buffer.concat([Buffer.from(`${ws.path('inbox')}/`), Buffer.from(path)])
const put = async (path: string | Buffer, bytes: string | Uint8Array): Promise<void> => {
  const full = inboxPath(path)
  await mkdir(full.subarray(0, full.lastIndexOf('/')), { recursive: true })
  await writeFile(full, bytes)
}
const receiptOf = (path: string | Buffer): DropReceipt => ws.receiptOf(encodePath(path))

beforeAll(async () => {
  ws = await IntakeWorkspace.make({ sources: SOURCES, tables: TABLES, config: { limits: LIMITS }, onEnd })
  const half = Math.floor(HARMLESS.length / 2)
  for (const drop of HARMLESS.slice(0, half)) await put(drop.path, drop.bytes)
  for (const drop of HOSTILE) await put(drop.path, drop.bytes)
  for (const drop of HARMLESS.slice(half)) await put(drop.path, drop.bytes)
  for (const special of SPECIAL) await special.make(ws.path('inbox', special.path))
  // One file under two names in the inbox, and one whose other name is outside.
  await put('named/one.csv', csvOf('hard'))
  await link(ws.path('inbox/named/one.csv'), ws.path('inbox/named/other.csv'))
  outside = ws.path('outside.csv')
  await writeFile(outside, csvOf('outside'))
  await link(outside, ws.path('inbox/named/outside.csv'))
  // A terabyte of nothing: reading it would take longer than this test may.
  await writeFile(ws.path('inbox/named/sparse.csv'), csvOf('sparse'))
  await truncate(ws.path('inbox/named/sparse.csv'), SPARSE_BYTES)
  // A folder that lies elsewhere.
  await mkdir(ws.path('elsewhere'))
  await writeFile(ws.path('elsewhere/secret.csv'), csvOf('secret'))
  await symlink('../../elsewhere', ws.path('inbox/named/folder'))

  const daemon = await ws.start()
  const expected = HOSTILE.length + HARMLESS.length + SPECIAL.length + 4
  await daemon.receipted((receipts) => receipts.length >= expected)
  peakKiB = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))![1])
  ended = await daemon.stop()
}, 120_000)

describe(`${HOSTILE.length + SPECIAL.length} hostile drops go to quarantine with their code, a hint, a receipt and their bytes`, () => {
  test.each(HOSTILE)('$rule: $code', ({ path, bytes, code, message }) => {
    const receipt = receiptOf(path)
    expect(receipt).toMatchObject({ outcome: 'quarantined', code, hint: ERRORS[code].hint, bytes: Buffer.byteLength(bytes) })
    expect(receipt.message).toMatch(message)
    expect(receipt.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
    expect(receipt.message!.length).toBeLessThan(2000)
    expectRowsAddUp(receipt)
    expect(receipt.records.every((record) => record.version === null)).toBe(true)
    expect(readFileSync(ws.path(receipt.stored_at!)).equals(Buffer.from(bytes))).toBe(true)
    expect(() => lstatSync(inboxPath(path))).toThrow('ENOENT')
    // What people and programs read does not swell with the drop.
    for (const name of ['reason.txt', 'report.json']) {
      const size = sizeOf(ws.path(receipt.report_at!, name))
      expect(size, name).toBeLessThan(2_000_000)
    }
  })

  test.each(SPECIAL)('$rule: $code', ({ path, code }) => {
    const receipt = receiptOf(path)
    expect(receipt).toMatchObject({ outcome: 'quarantined', code, hint: ERRORS[code].hint, sha256: null, bytes: null })
    expect(lstatSync(ws.path(receipt.stored_at!)).isFile()).toBe(false)
  })
})

test('a sparse file of a terabyte goes to quarantine with LIMIT_EXCEEDED, unread and as sparse as it came', () => {
  const receipt = receiptOf('named/sparse.csv')
  expect(receipt).toMatchObject({ outcome: 'quarantined', code: 'LIMIT_EXCEEDED', sha256: null, bytes: SPARSE_BYTES, rows: { in: null } })
  const stored = lstatSync(ws.path(receipt.stored_at!))
  expect(stored.size).toBe(SPARSE_BYTES)
  expect(stored.blocks).toBeLessThan(1000)
})

describe('what only looks hostile is committed, and nothing of the rest is', () => {
  test.each(HARMLESS)('$rule', async ({ path, bytes, record }) => {
    const receipt = receiptOf(path)
    expect(receipt).toMatchObject({ outcome: 'committed', code: null, path: encodePath(path), rows: { in: 1, committed: 1 } })
    expect(receipt.records).toMatchObject([{ record_id: record, outcome: 'created', version: 1 }])
    expect(readFileSync(ws.path(receipt.stored_at!), 'utf8')).toBe(bytes)
  })

  test('a file under two names is two drops, and a file that lies outside as well keeps its other name', () => {
    const outcomes = ['named/one.csv', 'named/other.csv'].map((path) => receiptOf(path).outcome).sort()
    expect(outcomes).toEqual(['committed', 'duplicate'])
    expect(receiptOf('named/outside.csv')).toMatchObject({ outcome: 'committed' })
    expect(readFileSync(outside, 'utf8')).toBe(csvOf('outside'))
  })

  test('a folder that is a link is not entered', () => {
    expect(ws.dropReceipts().filter((receipt) => receipt.path.includes('secret'))).toEqual([])
    expect(readFileSync(ws.path('elsewhere/secret.csv'), 'utf8')).toBe(csvOf('secret'))
    expect(lstatSync(ws.path('inbox/named/folder')).isSymbolicLink()).toBe(true)
    const { waiting } = JSON.parse(readFileSync(ws.path('state/status.json'), 'utf8')) as { waiting: object[] }
    expect(waiting).toEqual([
      expect.objectContaining({ path: 'named/folder', code: 'SYMLINK', message: expect.stringMatching(/not followed.*mount/) }),
    ])
  })

  test('columns keep their odd names and their values in every form of reading', async () => {
    const lines = (await ws.run(['cat', 'odd', '--format', 'ndjson'])).stdout.trim().split('\n')
    expect(lines).toHaveLength(1)
    const row = JSON.parse(lines[0]!) as object
    expect(Object.entries(row).sort()).toEqual(ODD_NAMES.map((name, i) => [name, `v${i}`]).sort())
    const csv = (await ws.run(['cat', 'odd', '--format', 'csv'])).stdout
    expect(csv).toContain('__proto__')
    for (const [i] of ODD_NAMES.entries()) expect(csv).toContain(`v${i}`)
  })

  test('there are no other records, and the audit finds nothing', async () => {
    const { records } = await ws.json<{ records: Array<{ record_id: string }> }>(['records'])
    expect(records.map((r) => r.record_id).sort()).toEqual([...HARMLESS.map((drop) => drop.record), 'named/hard', 'named/outside'].sort())
    expect(ended.status).toBe(0)
    expect(ws.receipts()).toHaveLength(HOSTILE.length + HARMLESS.length + SPECIAL.length + 4)
    await expectTidy(ws)
  })

  test('what is printed on a terminal holds no escape sequence of a drop', async () => {
    const { stdout } = await ws.run(['receipts'])
    expect(stdout).not.toContain('\u001b]0;')
    expect(ended.stderr).not.toContain('\u001b[2J')
  })

  test('memory stays bounded', () => {
    expect(peakKiB).toBeLessThan(1024 ** 2)
  })
})

function sizeOf(path: string): number {
  try {
    return lstatSync(path).size
  } catch {
    return 0
  }
}

import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, expect, test } from 'vitest'
import { ChildConverter } from '../../../src/convert/child-converter.js'
import { InProcessConverter } from '../../../src/convert/in-process.js'
import type { ConvertDone, ConvertRequest } from '../../../src/convert/protocol.js'
import { DEFAULT_DIALECT, DEFAULT_LIMITS } from '../../../src/documents/defaults.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { builtMain } from '../../support/built-program.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

let folder: string
beforeEach(async () => {
  folder = await temporaryFolder()
  await writeFile(join(folder, 'a.csv'), 'a,b\n1,x\n2,y\n')
})

const request = (out: string): ConvertRequest => ({
  sourcePath: join(folder, 'a.csv'),
  place: 'a.csv',
  tableName: 't',
  tableDocument: { fields: [{ name: 'a', type: 'integer' }, { name: 'b' }] },
  dialect: DEFAULT_DIALECT,
  grouping: { kind: 'single', recordId: null },
  onInvalid: 'quarantine-drop',
  output: { kind: 'file', path: join(folder, out) },
  reportFolder: null,
  limits: DEFAULT_LIMITS,
  compression: 'SNAPPY',
  verify: 'full',
  expectedRows: null,
  progress: null,
})

/** A child of a few lines in place of the real one. */
async function childOf(code: string, limitMs = 30_000): Promise<ChildConverter> {
  const entry = pathToFileURL(join(folder, 'child.mjs'))
  await writeFile(entry, code)
  return new ChildConverter({ heapMb: 64, timeLimitMs: () => limitMs, sourceBytes: async () => 0, entry })
}
const READY = `process.send({ kind: 'ready' });`

test('a process of its own makes the same file as a thread', async () => {
  const child = new ChildConverter({
    heapMb: 256,
    timeLimitMs: () => 60_000,
    sourceBytes: async () => 12,
    entry: pathToFileURL(join(dirname(builtMain()), '../workers/convert-alone.js')),
  })
  const [alone, here] = [
    await child.convert(request('alone.parquet')),
    await new InProcessConverter(nodeFiles).convert(request('here.parquet')),
  ]
  expect(alone).toMatchObject({ status: 'done', valid: true, rows: { in: 2, good: 2 } })
  expect((alone as ConvertDone).staged[0]!.parquetSha256).toBe((here as ConvertDone).staged[0]!.parquetSha256)
})

test.for([
  ['ends by itself', 'process.exit(0)', 'ended with status 0'],
  ['ends with a status', 'process.exit(7)', 'ended with status 7'],
  ['is aborted', 'process.abort()', 'was ended by SIGABRT'],
  ['throws', `throw new Error('unknown')`, 'ended with status 1'],
  ['runs out of heap', 'for (const kept = []; ; ) kept.push(new Array(100_000).fill().map((_, i) => ({ i })))', 'was ended by SIGABRT'],
] as const)('a child that %s while it converts is a failed attempt', { timeout: 60_000 }, async ([, act, how]) => {
  const child = await childOf(`${READY} process.on('message', () => { ${act} })`)
  expect(await child.convert(request('o'))).toMatchObject({
    status: 'failed',
    code: 'WORKER_FAILED',
    message: `The process that converted this drop alone ${how}`,
  })
})

test('a child that hangs is ended when its time is over', async () => {
  const child = await childOf(`${READY} process.on('message', () => { for (;;); })`, 100)
  expect(await child.convert(request('o'))).toMatchObject({
    code: 'WORKER_FAILED',
    message: expect.stringContaining('did not end within 0.1 s'),
  })
})

test('a child that cannot begin is no fault of the drop', async () => {
  const child = await childOf(`process.exit(1)`)
  await expect(child.convert(request('o'))).rejects.toMatchObject({
    code: 'WORKER_FAILED',
    message: expect.stringContaining('could not be started'),
  })
  const none = new ChildConverter({
    heapMb: 64,
    timeLimitMs: () => 1000,
    sourceBytes: async () => 0,
    entry: pathToFileURL(join(folder, 'no.mjs')),
  })
  await expect(none.convert(request('o'))).rejects.toMatchObject({ code: 'WORKER_FAILED' })
})

test('who stops it gets ABORTED, once the child is gone', async () => {
  const stop = new AbortController()
  const child = await childOf(
    `import { writeFileSync } from 'node:fs'; ${READY} process.on('message', ({ request }) => { writeFileSync(request.output.path, String(process.pid)); for (;;); })`,
  )
  const converting = child.convert(request('pid'), { signal: stop.signal })
  let pid = 0
  await expect
    .poll(async () => {
      pid = Number((await nodeFiles.read(join(folder, 'pid')))?.toString() ?? 0)
      return pid
    })
    .toBeGreaterThan(0)
  stop.abort()
  expect(await converting).toMatchObject({ code: 'ABORTED' })
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  expect(await child.convert(request('o'), { signal: stop.signal })).toMatchObject({ code: 'ABORTED' })
})

test('results come back whatever they are', async () => {
  const child = await childOf(
    `${READY} process.on('message', () => process.send({ kind: 'result', result: { status: 'failed', code: 'DISK_FULL', message: 'm', hint: 'h' } }))`,
  )
  expect(await child.convert(request('o'))).toEqual({ status: 'failed', code: 'DISK_FULL', message: 'm', hint: 'h' })
})

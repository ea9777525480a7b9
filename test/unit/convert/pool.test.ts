import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConvertPool } from '../../../src/convert/pool.js'
import type { ConvertRequest } from '../../../src/convert/protocol.js'
import { DEFAULT_DIALECT, DEFAULT_LIMITS } from '../../../src/documents/defaults.js'

let folder: string
let pool: ConvertPool
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convert-pool-'))
  // Counts in the cells of `progress` how many run now and how many ran at once at most; with 'meet' in its place, waits until three do.
  await writeFile(
    join(folder, 'worker.mjs'),
    `export default async ({ request: { progress, place } }) => {
      const now = Atomics.add(progress, 0, 1n) + 1n
      for (let most = Atomics.load(progress, 1); most < now; most = Atomics.load(progress, 1)) Atomics.compareExchange(progress, 1, most, now)
      Atomics.notify(progress, 0)
      for (let n = Atomics.load(progress, 0); place === 'meet' && n < 3n; n = Atomics.load(progress, 0)) Atomics.wait(progress, 0, n)
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
      if (place !== 'meet') Atomics.sub(progress, 0, 1n)
      return { status: 'failed', code: 'IO_FAILED', message: place, hint: '' }
    }`,
  )
  pool = new ConvertPool({ threads: 5, lanes: 4, workerUrl: pathToFileURL(join(folder, 'worker.mjs')) })
})
afterEach(async () => {
  await pool.close()
  await rm(folder, { recursive: true })
})

async function mostAtOnce(files: number, bytes: number, place: string): Promise<number> {
  const progress = new BigInt64Array(new SharedArrayBuffer(16))
  const sourcePath = join(folder, `${bytes}.csv`)
  await writeFile(sourcePath, Buffer.alloc(bytes, 'a'))
  const tableDocument = { fields: [{ name: 'a' }] }
  const request: ConvertRequest = {
    sourcePath,
    place,
    tableName: 't',
    tableDocument,
    tableChecked: true,
    dialect: DEFAULT_DIALECT,
    grouping: { kind: 'single', recordId: null },
    onInvalid: 'quarantine-drop',
    output: { kind: 'none' },
    reportFolder: null,
    limits: DEFAULT_LIMITS,
    compression: 'NONE',
    verify: 'none',
    expectedRows: null,
    progress,
  }
  const results = await Promise.all(Array.from({ length: files }, () => pool.convert(request)))
  expect(results.map((result) => result.status === 'failed' && result.message)).toEqual(new Array(files).fill(place))
  return Number(progress[1])
}

test('tiny files are converted on half of the threads at most, however many there are', async () => {
  expect(await mostAtOnce(40, 100, 'pass')).toBeLessThanOrEqual(2)
})

test('files that are not tiny go to all threads', async () => {
  expect(await mostAtOnce(3, 100_000, 'meet')).toBe(3)
})

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
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

function requestFor(sourcePath: string, place: string, progress: BigInt64Array | null): ConvertRequest {
  return {
    sourcePath,
    place,
    tableName: 't',
    tableDocument: { fields: [{ name: 'a' }] },
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
}

async function mostAtOnce(files: number, bytes: number, place: string): Promise<number> {
  const progress = new BigInt64Array(new SharedArrayBuffer(16))
  const sourcePath = join(folder, `${bytes}.csv`)
  await writeFile(sourcePath, Buffer.alloc(bytes, 'a'))
  const request = requestFor(sourcePath, place, progress)
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

test.for([
  ['a small file', 100],
  ['a large file', 9 * 1024 ** 2],
] as const)('threads that hang on %s are stopped when its time is over, and others go on', async ([, bytes]) => {
  await writeFile(
    join(folder, 'hangs.mjs'),
    `export default async ({ request }) => { for (; request?.place !== 'quick'; ); return request.place }`,
  )
  const hanging = new ConvertPool({
    threads: 3,
    lanes: 2,
    workerUrl: pathToFileURL(join(folder, 'hangs.mjs')),
    timeLimitMs: (sourceBytes) => (sourceBytes === bytes ? 50 : 60_000),
  })
  try {
    await writeFile(join(folder, 'hangs.csv'), `a\n${'1\n'.repeat(bytes / 2 - 1)}`)
    await writeFile(join(folder, 'quick.csv'), 'a\n1\n')
    const hung = hanging.convert({
      ...requestFor(join(folder, 'hangs.csv'), 'slow', null),
      output: { kind: 'file', path: join(folder, 'out.parquet') },
    })
    const quick = hanging.convert(requestFor(join(folder, 'quick.csv'), 'quick', null))
    expect(await quick).toBe('quick')
    expect(await hung).toMatchObject({ status: 'failed', code: 'WORKER_FAILED', message: 'The conversion did not end within 0.05 s' })
    expect(await hanging.convert(requestFor(join(folder, 'quick.csv'), 'quick', null))).toBe('quick')
    expect(await readdir(folder)).not.toContain('out.parquet')
  } finally {
    await hanging.close()
  }
})

describe('a thread that cannot begin', () => {
  async function failing(message: string): Promise<{ pool: ConvertPool; sourcePath: string; mend: () => Promise<void> }> {
    const [flag, worker, sourcePath] = [join(folder, 'short'), join(folder, 'short.mjs'), join(folder, 'a.csv')]
    await writeFile(flag, '')
    await writeFile(sourcePath, 'a\n1\n')
    await writeFile(
      worker,
      `import { existsSync } from 'node:fs'
      if (existsSync(${JSON.stringify(flag)})) throw new Error(${JSON.stringify(message)})
      export default async () => ({ status: 'failed', code: 'IO_FAILED', message: 'it began', hint: '' })`,
    )
    const own = new ConvertPool({ threads: 2, workerUrl: pathToFileURL(worker) })
    onTestFinished(() => own.close())
    return { pool: own, sourcePath, mend: () => rm(flag) }
  }

  test('for want of descriptors is no fault of the drop, and the next one may', async () => {
    const { pool: own, sourcePath, mend } = await failing('EMFILE: too many open files, open x.js')
    const convert = () => own.convert(requestFor(sourcePath, 'p', null))
    const results = await Promise.all([convert(), convert(), convert()])
    expect(results.map((result) => result.status === 'failed' && result.code)).toEqual(new Array(3).fill('RESOURCES_EXHAUSTED'))
    await mend()
    expect(await convert()).toMatchObject({ code: 'IO_FAILED', message: 'it began' })
  })

  test('for another reason keeps nobody waiting', async () => {
    const { pool: own, sourcePath } = await failing('no such module; EMFILE is not meant')
    expect(await own.convert(requestFor(sourcePath, 'p', null))).toMatchObject({ code: 'WORKER_FAILED' })
  })
})

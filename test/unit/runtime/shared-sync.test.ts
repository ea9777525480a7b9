import { describe, expect, it } from 'vitest'
import { IntakeError } from '../../../src/errors.js'
import { type FilePath, type Files, nodeFiles } from '../../../src/runtime/files.js'
import { SharedSync } from '../../../src/runtime/shared-sync.js'

interface Running {
  readonly folder: string
  readonly end: (error?: Error) => void
}

/** Fsyncs that run until the test ends them. */
function world(): { sync: SharedSync; running: Running[]; begun: () => string[] } {
  const running: Running[] = []
  const files: Files = {
    ...nodeFiles,
    syncDirectory: (path: FilePath) =>
      new Promise((resolve, reject) => {
        running.push({ folder: String(path), end: (error) => (error === undefined ? resolve() : reject(error)) })
      }),
  }
  return { sync: new SharedSync(files), running, begun: () => running.map((r) => r.folder) }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('an fsync that many wait for', () => {
  it('is one for all who ask before it begins', async () => {
    const { sync, running, begun } = world()
    const all = Promise.all([sync.sync('/a'), sync.sync('/a'), Promise.resolve().then(() => sync.sync('/a'))])
    await turns()
    expect(begun()).toEqual(['/a'])
    running[0]!.end()
    await all
    await turns()
    expect(begun()).toEqual(['/a'])
  })

  it('does not answer who came after it began: those share the next one', async () => {
    const { sync, running, begun } = world()
    const first = sync.sync('/a')
    await turns()
    let answered = 0
    const late = [sync.sync('/a'), sync.sync('/a')].map((p) => p.then(() => answered++))
    running[0]!.end()
    await first
    await turns()
    expect(answered).toBe(0)
    expect(begun()).toEqual(['/a', '/a'])
    running[1]!.end()
    await Promise.all(late)
    expect(answered).toBe(2)
  })

  it('of one folder waits for none of another, and names are bytes', async () => {
    const { sync, running, begun } = world()
    const all = Promise.all([sync.sync('/a'), sync.sync('/b'), sync.sync(Buffer.from('/a'))])
    await turns()
    expect(begun()).toEqual(['/a', '/b'])
    for (const one of running) one.end()
    await all
  })

  it('that fails is final for everybody, also for who was waiting for a turn, and nothing is synced again', async () => {
    const { sync, running, begun } = world()
    const failed = sync.sync('/a')
    await turns()
    const late = sync.sync('/a')
    const other = sync.sync('/b')
    const results = Promise.allSettled([failed, late, other])
    running[0]!.end(new IntakeError('FSYNC_FAILED', 'injected'))
    await turns()
    running[1]?.end()
    const [a, b] = await results
    expect(a.status).toBe('rejected')
    expect(b.status).toBe('rejected')
    const before = begun().length
    await expect(sync.sync('/c')).rejects.toMatchObject({ code: 'FSYNC_FAILED' })
    await turns()
    expect(begun()).toHaveLength(before)
  })

  it('that could not begin (the folder is gone) is tried again by the next caller', async () => {
    const { sync, running } = world()
    const first = sync.sync('/a')
    await turns()
    running[0]!.end(Object.assign(new Error('gone'), { code: 'ENOENT' }))
    await expect(first).rejects.toMatchObject({ code: 'ENOENT' })
    const again = sync.sync('/a')
    await turns()
    running[1]!.end()
    await expect(again).resolves.toBeUndefined()
  })
})

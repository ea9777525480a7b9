import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nodeFiles } from '../../../src/runtime/files.js'
import { isLocked, lockStore } from '../../../src/store/lock.js'
import { RecordStore } from '../../../src/store/record-store.js'
import { openForWriting, send, temporaryFolder } from './store-kit.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let path: string
beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder.path, 'lock')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await folder.remove()
})

/** Another process that holds the lock the way this product does: a descriptor of its own, locked by a helper that is gone. */
async function holder(): Promise<ChildProcess> {
  const script = `
    const { openSync } = require('node:fs')
    const { spawnSync } = require('node:child_process')
    const fd = openSync(${JSON.stringify(path)}, 'a')
    const { status } = spawnSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
    console.log(status)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  expect(line.toString().trim()).toBe('0')
  return child
}

describe('the lock of a store', () => {
  it('is held by one process only, and the kernel drops it when that one is killed', async () => {
    const other = await holder()
    expect(isLocked(path)).toBe(true)
    expect(() => lockStore(path)).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }))
    other.kill('SIGKILL')
    await once(other, 'exit')
    expect(isLocked(path)).toBe(false)
    const lock = lockStore(path)
    expect(isLocked(path)).toBe(true)
    lock.release()
    lock.release()
    expect(isLocked(path)).toBe(false)
  })

  it('is not shared by two writers of one process either', () => {
    const lock = lockStore(path)
    expect(() => lockStore(path)).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }))
    lock.release()
    lockStore(path).release()
  })

  it('is not disturbed by asking, and asking makes no file', () => {
    expect(isLocked(path)).toBe(false)
    expect(isLocked(join(folder.path, 'nowhere', 'lock'))).toBe(false)
    const lock = lockStore(path)
    for (let i = 0; i < 3; i++) expect(isLocked(path)).toBe(true)
    lock.release()
  })

  it('stops a second writer before it has changed anything, and lets readers through', async () => {
    const root = join(folder.path, 'store')
    const { lock: _, ...own } = { lock: 'held' }
    const first = await openForWriting(root, { ...own, lock: lockStore })
    await send(first, 'r')
    await expect(openForWriting(root, { lock: lockStore })).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    expect((await first.metadata('r'))?.current_version).toBe(1)
    await first.close()
    const second = await openForWriting(root, { lock: lockStore })
    await second.close()
  })

  it('is never done without: where there is no flock, nothing is opened for writing, and reading goes on', async () => {
    const root = join(folder.path, 'store')
    const store = await openForWriting(root, { lock: lockStore })
    await send(store, 'r')
    await store.close()
    vi.stubEnv('PATH', folder.path)
    await expect(openForWriting(root, { lock: lockStore })).rejects.toMatchObject({ code: 'LOCK_UNAVAILABLE' })
    const reader = await RecordStore.open({ files: nodeFiles, root, mode: 'read' })
    expect((await reader.metadata('r'))?.current_version).toBe(1)
  })

  it('is let go of when opening fails', async () => {
    const root = join(folder.path, 'store')
    const first = await openForWriting(root, { lock: lockStore })
    await first.close()
    await expect(
      openForWriting(root, {
        lock: lockStore,
        files: new Proxy({} as never, { get: () => () => Promise.reject(new Error('no files')) }),
      }),
    ).rejects.toThrow('no files')
    expect(isLocked(join(root, 'lock'))).toBe(false)
  })
})

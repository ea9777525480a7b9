import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StatusFile } from '../../../src/coordinator/status-file.js'
import { type Files, nodeFiles } from '../../../src/runtime/files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Real files, and a hand on every rename, which is when a status becomes visible. */
async function statusOf() {
  const folder = await temporaryFolder()
  const path = join(folder, 'status.json')
  const state = { value: { state: 'running', n: 0 } as object, nowMs: Date.UTC(2024, 0, 27) }
  const rename = { calls: 0, fail: false, hold: null as Promise<void> | null }
  const files: Files = {
    ...nodeFiles,
    async rename(from, to) {
      rename.calls++
      await rename.hold
      if (rename.fail) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      await nodeFiles.rename(from, to)
    },
  }
  const status = new StatusFile({
    files,
    path,
    clock: { nowMs: () => state.nowMs, monotonicMs: () => 0 },
    snapshot: () => state.value,
  })
  const written = async (calls: number): Promise<void> => vi.waitUntil(() => rename.calls >= calls, { timeout: 5000 }).then(() => {})
  const read = (): unknown => JSON.parse(readFileSync(path, 'utf8'))
  return { status, state, rename, written, read, folder }
}

describe('status.json', () => {
  it('says what the daemon is doing, with its format and time first', async () => {
    const { status, read, folder } = await statusOf()
    status.start()
    await status.stop()
    expect(read()).toEqual({ format: 1, written_at: '2024-01-27T00:00:00.000Z', state: 'running', n: 0 })
    expect(Object.keys(read() as object).slice(0, 2)).toEqual(['format', 'written_at'])
    expect(readdirSync(folder)).toEqual(['status.json'])
  })

  it('is a document even when there is nothing to say', async () => {
    const { status, state, read } = await statusOf()
    state.value = {}
    await status.stop()
    expect(read()).toEqual({ format: 1, written_at: '2024-01-27T00:00:00.000Z' })
  })

  it('is written again only when something changed', async () => {
    const { status, state, rename, written } = await statusOf()
    status.start()
    await written(1)
    state.nowMs += 60_000
    vi.advanceTimersByTime(60_000)
    await status.stop()
    expect(rename.calls).toBe(1)
  })

  it('is written once for many changes within a second, with the last of them', async () => {
    const { status, state, rename, written, read } = await statusOf()
    status.start()
    await written(1)
    for (let n = 1; n <= 50; n++) state.value = { n }
    await vi.waitUntil(async () => {
      vi.advanceTimersByTime(1000)
      return rename.calls === 2
    })
    await status.stop()
    expect([rename.calls, read()]).toEqual([2, expect.objectContaining({ n: 50 })])
  })

  it('does not pile up on a disk that hangs, and shows the latest state once it moves again', async () => {
    const { status, state, rename, written, read } = await statusOf()
    let release!: () => void
    rename.hold = new Promise((resolve) => {
      release = resolve
    })
    status.start()
    await written(1)
    for (let n = 1; n <= 20; n++) {
      state.value = { n }
      vi.advanceTimersByTime(1000)
    }
    expect(rename.calls).toBe(1)
    release()
    await status.stop()
    expect([rename.calls, read()]).toEqual([2, expect.objectContaining({ n: 20 })])
  })

  it('that could not be written is tried again, and is never worth stopping for', async () => {
    const { status, rename, written, read } = await statusOf()
    rename.fail = true
    status.start()
    await written(1)
    rename.fail = false
    await vi.waitUntil(() => {
      vi.advanceTimersByTime(1000)
      return rename.calls >= 2
    })
    await status.stop()
    expect(read()).toMatchObject({ n: 0 })
  })

  it('stopped, holds the last state and changes no more', async () => {
    const { status, state, rename, read } = await statusOf()
    status.start()
    state.value = { state: 'stopped' }
    await status.stop()
    const { calls } = rename
    state.value = { state: 'ghost' }
    vi.advanceTimersByTime(10_000)
    expect([rename.calls, read()]).toEqual([calls, expect.objectContaining({ state: 'stopped' })])
  })
})

import { describe, expect, it } from 'vitest'
import { SpaceGate } from '../../../src/coordinator/space-gate.js'
import { IntakeError } from '../../../src/errors.js'

const full = () => new IntakeError('DISK_FULL', 'No space left')

/** A gate whose sleeps the test ends. */
function gateOf() {
  const drain = new AbortController()
  const events: string[] = []
  const sleepers: (() => void)[] = []
  const gate = new SpaceGate({
    clock: { nowMs: () => Date.UTC(2024, 0, 27), monotonicMs: () => 0 },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        events.push(`sleep ${ms}`)
        sleepers.push(resolve)
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      }),
    draining: drain.signal,
    retryMs: 7,
    onPaused: (reason) => events.push(`paused ${reason.code}`),
    onResumed: () => events.push('resumed'),
  })
  const tick = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }
  const wake = async (): Promise<void> => {
    sleepers.shift()!()
    await tick()
  }
  return { gate, drain, events, tick, wake }
}

describe('descriptors and memory that are used up', () => {
  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS'])('are waited out like a full disk: %s', async (code) => {
    const { gate, events, wake, tick } = gateOf()
    let short = true
    const result = gate.whenRoom(async () => {
      if (short) throw Object.assign(new Error(code), { code })
      return 'done'
    })
    await tick()
    short = false
    await wake()
    expect(await result).toBe('done')
    expect(events).toEqual(['paused RESOURCES_EXHAUSTED', 'sleep 7', 'resumed'])
  })

  it('and other errors of the system are not', async () => {
    const { gate, events } = gateOf()
    const error = Object.assign(new Error('EIO'), { code: 'EIO' })
    await expect(gate.whenRoom(() => Promise.reject(error))).rejects.toBe(error)
    expect(events).toEqual([])
  })

  it('are told with why the daemon stopped waiting', async () => {
    const { gate, drain, tick } = gateOf()
    const result = gate.whenRoom(() => Promise.reject(new IntakeError('RESOURCES_EXHAUSTED', 'EMFILE: too many open files')))
    result.catch(() => {})
    await tick()
    drain.abort()
    await expect(result).rejects.toMatchObject({ code: 'ABORTED', message: expect.stringContaining('too many open files') })
  })
})

describe('a full disk', () => {
  it('is waited out: the work is done again and its result comes back', async () => {
    const { gate, events, wake, tick } = gateOf()
    let room = false
    const result = gate.whenRoom(async () => {
      if (!room) throw full()
      return 'done'
    })
    await tick()
    expect([gate.paused, events]).toEqual(['2024-01-27T00:00:00.000Z', ['paused DISK_FULL', 'sleep 7']])
    await wake()
    expect(events).toEqual(['paused DISK_FULL', 'sleep 7', 'sleep 7'])
    room = true
    await wake()
    expect(await result).toBe('done')
    expect([gate.paused, events.at(-1)]).toEqual([null, 'resumed'])
  })

  it('pauses intake once for all who wait, and resumes with the last of them', async () => {
    const { gate, events, wake, tick } = gateOf()
    const room = [false, false]
    const work = room.map((_, i) =>
      gate.whenRoom(async () => {
        if (!room[i]) throw full()
      }),
    )
    await tick()
    room[0] = true
    await wake()
    await work[0]
    expect([gate.paused === null, events.filter((e) => !e.startsWith('sleep'))]).toEqual([false, ['paused DISK_FULL']])
    room[1] = true
    await wake()
    await work[1]
    expect(events.filter((e) => !e.startsWith('sleep'))).toEqual(['paused DISK_FULL', 'resumed'])
  })

  it('can come again after there was room', async () => {
    const { gate, events, wake, tick } = gateOf()
    for (let round = 0; round < 2; round++) {
      let tries = 0
      const work = gate.whenRoom(async () => {
        if (tries++ === 0) throw full()
      })
      await tick()
      await wake()
      await work
    }
    expect(events.filter((e) => !e.startsWith('sleep'))).toEqual(['paused DISK_FULL', 'resumed', 'paused DISK_FULL', 'resumed'])
  })

  it('does not hold up a daemon that drains: the sleeper wakes, tries once more, and gives up as ABORTED', async () => {
    const { gate, drain, tick } = gateOf()
    let tries = 0
    const work = gate.whenRoom(async () => {
      tries++
      throw full()
    })
    const refused = expect(work).rejects.toMatchObject({ code: 'ABORTED', cause: { code: 'DISK_FULL' } })
    await tick()
    drain.abort()
    await refused
    expect([tries, gate.paused]).toEqual([2, null])
  })

  it('met while draining is not waited for', async () => {
    const { gate, drain, events } = gateOf()
    drain.abort()
    await expect(gate.whenRoom(() => Promise.reject(full()))).rejects.toMatchObject({ code: 'ABORTED' })
    expect(events.some((e) => e.startsWith('sleep'))).toBe(false)
  })
})

describe('any other error', () => {
  it.each([new IntakeError('FSYNC_FAILED', 'x'), new Error('defect')])('comes through at once and pauses nothing: %s', async (error) => {
    const { gate, events } = gateOf()
    await expect(gate.whenRoom(() => Promise.reject(error))).rejects.toBe(error)
    expect([events, gate.paused]).toEqual([[], null])
  })

  it('after a wait comes through and lets intake go on', async () => {
    const { gate, events, wake, tick } = gateOf()
    let tries = 0
    const work = gate.whenRoom(() => Promise.reject(tries++ === 0 ? full() : new Error('other')))
    const failed = expect(work).rejects.toThrow('other')
    await tick()
    await wake()
    await failed
    expect([events.at(-1), gate.paused]).toEqual(['resumed', null])
  })
})

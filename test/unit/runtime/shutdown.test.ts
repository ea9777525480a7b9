import { describe, expect, test } from 'vitest'
import { ReleaseStack, SAME_SIGNAL_MS, SignalState } from '../../../src/runtime/shutdown.js'

describe('SignalState', () => {
  test('the first signal drains and forces nothing', () => {
    const state = new SignalState()
    expect(state.receive('SIGTERM', 0)).toBe('draining')
    expect(state.draining.aborted).toBe(true)
    expect(state.forced.aborted).toBe(false)
    expect(state.forcedExitStatus).toBeNull()
  })

  test.each([
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGTERM', 'SIGINT', 130],
    ['SIGINT', 'SIGTERM', 143],
  ] as const)('%s then %s forces, with the status of the second: %i', (first, second, status) => {
    const state = new SignalState()
    state.receive(first, 0)
    expect(state.receive(second, 1000)).toBe('forced')
    expect(state.forced.aborted).toBe(true)
    expect(state.forcedExitStatus).toBe(status)
  })

  test('a third signal changes nothing, not even the status', () => {
    const state = new SignalState()
    state.receive('SIGINT', 0)
    state.receive('SIGINT', 1000)
    expect(state.receive('SIGTERM', 2000)).toBe('ignored')
    expect(state.forcedExitStatus).toBe(130)
  })

  test('the same signal passed on by a parent right after is no second one; another one is', () => {
    const state = new SignalState()
    state.receive('SIGINT', 0)
    expect(state.receive('SIGINT', SAME_SIGNAL_MS - 1)).toBe('ignored')
    expect(state.forced.aborted).toBe(false)
    expect(state.receive('SIGTERM', SAME_SIGNAL_MS - 1)).toBe('forced')
    const patient = new SignalState()
    patient.receive('SIGINT', 0)
    expect(patient.receive('SIGINT', SAME_SIGNAL_MS)).toBe('forced')
  })

  test('without a signal nothing is aborted', () => {
    const state = new SignalState()
    expect([state.draining.aborted, state.forced.aborted, state.received]).toEqual([false, false, null])
  })
})

describe('ReleaseStack', () => {
  test('releases last in, first out, one after the other', async () => {
    const order: string[] = []
    const stack = new ReleaseStack()
    stack.push('lock', () => void order.push('lock'))
    stack.push('store', async () => {
      await Promise.resolve()
      order.push('store')
    })
    stack.push('watcher', () => void order.push('watcher'))
    await stack.close()
    expect(order).toEqual(['watcher', 'store', 'lock'])
  })

  test('a release that fails does not keep the others from running, and the first error is the one told', async () => {
    const order: string[] = []
    const stack = new ReleaseStack()
    stack.push('a', () => void order.push('a'))
    stack.push('b', () => {
      throw new Error('second')
    })
    stack.push('c', () => Promise.reject(new Error('first')))
    await expect(stack.close()).rejects.toThrow('first')
    expect(order).toEqual(['a'])
  })

  test('closing twice releases once and tells the same', async () => {
    let releases = 0
    const stack = new ReleaseStack()
    stack.push('x', () => {
      releases++
      throw new Error('no')
    })
    const [one, two] = await Promise.allSettled([stack.close(), stack.close()])
    expect([releases, one.status, two.status]).toEqual([1, 'rejected', 'rejected'])
  })

  test('what is acquired after tear-down began is a defect, not a leak', async () => {
    const stack = new ReleaseStack()
    await stack.close()
    expect(() => stack.push('late', () => undefined)).toThrow('"late"')
  })
})

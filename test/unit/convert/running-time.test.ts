import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { afterRunning } from '../../../src/convert/running-time.js'

let nowMs = 0

beforeEach(() => {
  nowMs = 1_000_000
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

/** The clock and the loop go on together, as in a process that runs. */
function run(ms: number, stepMs = 10): void {
  for (let done = 0; done < ms; done += stepMs) {
    nowMs += stepMs
    vi.advanceTimersByTime(stepMs)
  }
}

/** The clock goes on and the loop does not, as in a process that is stopped. */
function stop(ms: number): void {
  nowMs += ms
}

function watched(limitMs: number): { over: ReturnType<typeof vi.fn>; cancel: () => void } {
  const over = vi.fn()
  return { over, cancel: afterRunning(limitMs, over, () => nowMs) }
}

describe('a conversion that runs', () => {
  test.each([40, 1000, 31_000])('is over after %d ms, and not before', (limitMs) => {
    const { over } = watched(limitMs)
    run(limitMs - 20)
    expect(over).not.toHaveBeenCalled()
    run(1020)
    expect(over).toHaveBeenCalledTimes(1)
    run(5 * limitMs)
    expect(over).toHaveBeenCalledTimes(1)
  })

  test('is not over once it was cancelled', () => {
    const { over, cancel } = watched(1000)
    run(500)
    cancel()
    run(5000)
    expect(over).not.toHaveBeenCalled()
  })
})

describe('a process that is stopped', () => {
  test('for an hour has not run for an hour', () => {
    const { over } = watched(30_000)
    run(1000)
    stop(3_600_000)
    run(20_000)
    expect(over).not.toHaveBeenCalled()
    run(12_000)
    expect(over).toHaveBeenCalledTimes(1)
  })

  test('again and again is not over before it ran long enough in between', () => {
    const { over } = watched(30_000)
    for (let i = 0; i < 10; i++) {
      stop(60_000)
      run(1000)
    }
    expect(over).not.toHaveBeenCalled()
  })

  test('does not escape its limit by a loop that turns late', () => {
    const { over } = watched(10_000)
    for (let i = 0; i < 10; i++) {
      stop(1000)
      vi.advanceTimersByTime(1000)
    }
    run(1000)
    expect(over).toHaveBeenCalledTimes(1)
  })
})

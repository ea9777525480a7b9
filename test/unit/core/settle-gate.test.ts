import { describe, expect, it } from 'vitest'
import { type Observation, SettleGate } from '../../../src/core/settle-gate.js'

const file = (over: Partial<Observation> = {}): Observation => ({ sizeBytes: 10, mtimeNs: 5n, ctimeNs: 6n, inode: 7n, ...over })

function look(
  gate: SettleGate,
  fromMs: number,
  toMs: number,
  files: Record<string, Observation>,
): { states: string[]; nextDueMs: number | null; forgotten: number } {
  gate.beginScan(fromMs)
  const states = Object.entries(files).map(([key, seen]) => gate.observe(key, seen))
  return { states, ...gate.endScan(toMs) }
}

describe('settle gate', () => {
  it('lets a file through once it stood still for settleMs between the end of one scan and the beginning of another', () => {
    const gate = new SettleGate({ settleMs: 100 })
    expect(look(gate, 0, 10, { a: file() })).toEqual({ states: ['new'], nextDueMs: 110, forgotten: 0 })
    expect(look(gate, 109, 111, { a: file() }).states).toEqual(['still'])
    expect(look(gate, 110, 120, { a: file() })).toEqual({ states: ['settled'], nextDueMs: null, forgotten: 0 })
  })

  it('does not count the time that a scan itself took', () => {
    const gate = new SettleGate({ settleMs: 100 })
    look(gate, 0, 5000, { a: file() })
    expect(look(gate, 5050, 5060, { a: file() }).states).toEqual(['still'])
  })

  it.each([
    ['size', { sizeBytes: 11 }],
    ['mtime', { mtimeNs: 500n }],
    ['ctime', { ctimeNs: 500n }],
    ['inode', { inode: 500n }],
  ])('begins anew when %s changes', (_what, change) => {
    const gate = new SettleGate({ settleMs: 100 })
    look(gate, 0, 0, { a: file() })
    expect(look(gate, 100, 101, { a: file(change) })).toEqual({ states: ['changed'], nextDueMs: 201, forgotten: 0 })
    expect(look(gate, 200, 200, { a: file(change) }).states).toEqual(['still'])
    expect(look(gate, 201, 201, { a: file(change) }).states).toEqual(['settled'])
  })

  it('stays settled until something changes', () => {
    const gate = new SettleGate({ settleMs: 100 })
    look(gate, 0, 0, { a: file() })
    expect(look(gate, 100, 100, { a: file() }).states).toEqual(['settled'])
    expect(look(gate, 101, 101, { a: file() }).states).toEqual(['settled'])
    expect(look(gate, 102, 102, { a: file({ sizeBytes: 0 }) }).states).toEqual(['changed'])
  })

  it('forgets what vanished: the same file back must settle anew', () => {
    const gate = new SettleGate({ settleMs: 100 })
    look(gate, 0, 0, { a: file(), b: file() })
    expect(look(gate, 50, 50, { b: file() }).forgotten).toBe(1)
    expect(gate.size).toBe(1)
    expect(gate.observation('a')).toBeNull()
    expect(look(gate, 100, 100, { a: file(), b: file() }).states).toEqual(['new', 'settled'])
  })

  it('settles in one scan what one scan saw first', () => {
    const gate = new SettleGate({ settleMs: 100 })
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, file({ inode: BigInt(i) })]))
    const first = look(gate, 0, 30, many)
    expect(look(gate, first.nextDueMs!, first.nextDueMs! + 1, many).states.every((s) => s === 'settled')).toBe(true)
  })

  it('takes files at once with settleMs 0', () => {
    const gate = new SettleGate({ settleMs: 0 })
    expect(look(gate, 0, 0, { a: file() })).toEqual({ states: ['settled'], nextDueMs: null, forgotten: 0 })
    expect(look(gate, 0, 0, { a: file({ sizeBytes: 1 }) }).states).toEqual(['settled'])
  })

  it('gives back exact observations, whatever slot they are in', () => {
    const gate = new SettleGate({ settleMs: 1 })
    const seen = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [
        `f${i}`,
        file({ sizeBytes: i * 2 ** 33, mtimeNs: -BigInt(i), ctimeNs: 2n ** 62n + BigInt(i), inode: 2n ** 63n + BigInt(i) }),
      ]),
    )
    look(gate, 0, 0, seen)
    gate.forget('f7')
    look(gate, 1, 1, { ...seen, extra: file() })
    for (const [key, observation] of Object.entries(seen)) expect(gate.observation(key)).toEqual(observation)
  })

  it('keeps a file as it was while somebody works on it', () => {
    const gate = new SettleGate({ settleMs: 10 })
    look(gate, 0, 0, { a: file() })
    gate.beginScan(20)
    gate.keep('a')
    gate.endScan(20)
    expect(gate.observation('a')).toEqual(file())
  })

  it('a scan that broke off settles nothing early', () => {
    const gate = new SettleGate({ settleMs: 100 })
    gate.beginScan(0)
    gate.observe('a', file())
    expect(look(gate, 150, 150, { a: file() }).states).toEqual(['still'])
    expect(look(gate, 250, 250, { a: file() }).states).toEqual(['settled'])
  })
})

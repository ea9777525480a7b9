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
    expect(look(gate, 150, 200, { a: file() }).states).toEqual(['still'])
    expect(look(gate, 249, 249, { a: file() }).states).toEqual(['still'])
    expect(look(gate, 250, 250, { a: file() }).states).toEqual(['settled'])
  })

  it('does not take what it sees twice in the scan that saw it first', () => {
    const gate = new SettleGate({ settleMs: 100 })
    gate.beginScan(1000)
    expect(gate.observe('a', file())).toBe('new')
    expect(gate.observe('a', file())).toBe('still')
    expect(gate.endScan(1001)).toEqual({ forgotten: 0, nextDueMs: 1101 })
  })

  it('says when the first of the waiting files can be settled, whichever was seen first', () => {
    for (const [early, late] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const gate = new SettleGate({ settleMs: 100 })
      look(gate, 0, 10, { a: file(), b: file() })
      const changed = look(gate, 50, 60, { [early]: file(), [late]: file({ sizeBytes: 11 }) })
      expect(changed.nextDueMs).toBe(110)
      const settled = look(gate, 110, 120, { [early]: file(), [late]: file({ sizeBytes: 11 }) })
      expect(settled.nextDueMs).toBe(160)
    }
  })

  it('makes a file that somebody saw change settle anew, and only that one', () => {
    const gate = new SettleGate({ settleMs: 100 })
    look(gate, 1000, 1000, { a: file(), b: file({ inode: 8n }), c: file({ inode: 9n }) })
    gate.forget('a')
    gate.forget('never seen')
    expect(gate.size).toBe(2)
    expect(gate.observation('a')).toBeNull()
    const after = look(gate, 1100, 1110, { d: file({ inode: 10n }), a: file(), b: file({ inode: 8n }), c: file({ inode: 9n }) })
    expect(after.states).toEqual(['new', 'new', 'settled', 'settled'])
    expect(after.nextDueMs).toBe(1210)
    expect(gate.observation('c')).toEqual(file({ inode: 9n }))
    expect(gate.observation('d')).toEqual(file({ inode: 10n }))
  })

  it('does not take early what came into the place of a file forgotten in the same scan', () => {
    const gate = new SettleGate({ settleMs: 100 })
    gate.beginScan(1000)
    gate.observe('a', file())
    gate.forget('a')
    expect(gate.observe('b', file())).toBe('new')
    expect(gate.endScan(1010)).toEqual({ forgotten: 0, nextDueMs: 1110 })
    expect(look(gate, 1109, 1109, { b: file() }).states).toEqual(['still'])
    expect(look(gate, 1110, 1110, { b: file() }).states).toEqual(['settled'])
  })

  it('takes nothing early, and forgets no due time, when it must make room for more files', () => {
    const gate = new SettleGate({ settleMs: 100 })
    const first = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`f${i}`, file()]))
    look(gate, 1000, 1000, first)
    const more = look(gate, 1050, 1060, { extra: file(), ...first })
    expect(more.states).toEqual(['new', ...Object.keys(first).map(() => 'still')])
    expect(more.nextDueMs).toBe(1100)
    const third = look(gate, 1100, 1100, { extra: file(), ...first })
    expect(third.states).toEqual(['still', ...Object.keys(first).map(() => 'settled')])
    expect(third.nextDueMs).toBe(1160)
    expect(look(gate, 1159, 1159, { extra: file() }).states).toEqual(['still'])
    expect(look(gate, 1160, 1160, { extra: file() }).states).toEqual(['settled'])
  })

  it('is asked in scans, and has no negative time to wait', () => {
    expect(() => new SettleGate({ settleMs: -1 })).toThrow(/settleMs is not negative/)
    const gate = new SettleGate({ settleMs: 100 })
    expect(() => gate.observe('a', file())).toThrow(/between beginScan/)
    expect(() => gate.endScan(0)).toThrow(/follows beginScan/)
    look(gate, 0, 0, { a: file() })
    expect(() => gate.observe('a', file())).toThrow(/between beginScan/)
    expect(() => gate.endScan(0)).toThrow(/follows beginScan/)
  })
})

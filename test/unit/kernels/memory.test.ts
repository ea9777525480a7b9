import { describe, expect, it } from 'vitest'
import { compileKernels, loadKernels } from '../../../src/kernels/load-kernels.js'
import { loadBothForms, soil } from './both-forms.js'

describe('the memory of the kernels', () => {
  it('gives the same aligned addresses in both forms, one behind the other', async () => {
    const given = (await loadBothForms()).map((kernels) => [
      kernels.allocate(1),
      kernels.allocate(17),
      kernels.allocate(0),
      kernels.allocate(100_000, 4096),
      kernels.allocate(5),
    ])
    expect(given[0]).toEqual(given[1])
    expect(given[0]!.slice(0, 3).every((address) => address % 16 === 0 && address >= 65_536)).toBe(true)
    expect(given[0]![3]! % 4096).toBe(0)
    expect(given[0]![4]!).toBeGreaterThanOrEqual(given[0]![3]! + 100_000)
  })

  it('keeps what it holds when it grows, and shows it in new views', async () => {
    for (const kernels of await loadBothForms()) {
      const first = kernels.allocate(1000)
      kernels.u8.fill(7, first, first + 1000)
      const before = kernels.u8
      // However much there was at first.
      const bytes = Math.max(5_000_000, kernels.u8.length)
      const second = kernels.allocate(bytes)
      expect(kernels.u8 === before).toBe(false)
      expect(kernels.u8.subarray(first, first + 1000).every((byte) => byte === 7)).toBe(true)
      kernels.u32[(second + bytes - 4) >>> 2] = 9
      expect([kernels.i32, kernels.f64, kernels.i64, kernels.u8].every((view) => view.buffer === kernels.buffer)).toBe(true)
      expect(kernels.u8[second + bytes - 4]).toBe(9)
      // Kernels may look this far beyond the last byte.
      expect(kernels.u8.length - (second + bytes)).toBeGreaterThanOrEqual(64)
    }
  })

  it('gives released room out again, as it was left', async () => {
    for (const kernels of await loadBothForms()) {
      const mark = kernels.mark()
      const soiled = soil(kernels, 100)
      const content = kernels.u8.slice(soiled, soiled + 100)
      kernels.release(mark)
      const again = kernels.allocate(292)
      expect(kernels.u8.subarray(again + 96, again + 196)).toEqual(content)
      expect(() => kernels.release(again + 1_000_000)).toThrow('release')
    }
  })

  it('throws a RangeError beyond its maximum, and is as it was', async () => {
    for (const kernels of await loadBothForms(1 << 20)) {
      const address = kernels.allocate(500_000)
      kernels.u8[address] = 42
      expect(() => kernels.allocate(600_000)).toThrow(RangeError)
      expect(kernels.u8[address]).toBe(42)
      expect(kernels.allocate(100_000)).toBe(address + 500_000)
    }
  })
})

describe('loadKernels', () => {
  it('gives the TypeScript form where there is no compiled code, where it is asked for, and where the code is of no use', async () => {
    expect((await loadKernels()).name).toBe('typescript')
    expect((await loadKernels({ webassembly: false })).name).toBe('typescript')
    expect((await loadKernels({ module: null })).name).toBe('typescript')
    expect(await compileKernels(null)).toBeNull()
    expect(await compileKernels(Buffer.from('no code').toString('base64'))).toBeNull()
  })

  it('gives a memory of its own to each caller, also from one module', async () => {
    const [a, b] = [await loadBothForms(), await loadBothForms()]
    for (const form of [0, 1] as const) {
      const address = a[form].allocate(16)
      expect(b[form].allocate(16)).toBe(address)
      a[form].u8[address] = 1
      b[form].u8[address] = 2
      expect(a[form].u8[address]).toBe(1)
    }
    expect(a.map((kernels) => kernels.name)).toEqual(['typescript', 'webassembly'])
  })
})

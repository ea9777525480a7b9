import { beforeAll, describe, expect, it } from 'vitest'
import { KernelRegion } from '../../../src/convert/kernel-region.js'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { bytesAt, loadBothForms, scratch, soil } from '../kernels/both-forms.js'

let forms: readonly [Kernels, Kernels]
beforeAll(async () => {
  forms = await loadBothForms()
})

describe('a region', () => {
  it('takes nothing before it is needed, and then what will probably be', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const mark = kernels.mark()
        const region = new KernelRegion(kernels, 1000)
        expect([region.bytes, kernels.mark()]).toEqual([0, mark])
        const address = region.reserve(1)
        expect(address).toBe(region.address)
        expect(address).toBeGreaterThanOrEqual(mark)
        expect(region.bytes).toBe(1000)
        expect(region.reserve(1000)).toBe(address)
        expect(kernels.mark()).toBeLessThanOrEqual(address + 1000)
      })
    }
  })

  it('has an address also where no bytes are asked for', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const region = new KernelRegion(kernels)
        expect(region.reserve(0)).toBeGreaterThan(0)
        expect(region.bytes).toBeGreaterThan(0)
      })
    }
  })

  it('moves along what it held, also when the memory itself grows', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const region = new KernelRegion(kernels, 100)
        const other = new KernelRegion(kernels)
        const held: number[] = []
        for (let bytes = 100; bytes < 5_000_000; bytes = bytes * 3 + 1) {
          const address = region.reserve(bytes)
          expect([...bytesAt(kernels, address, held.length)]).toEqual(held)
          for (; held.length < Math.min(bytes, 1000); ) {
            const byte = (held.length * 7 + bytes) & 0xff
            kernels.u8[address + held.length] = byte
            held.push(byte)
          }
          // What comes between does not reach into it.
          soil(kernels, 300, bytes)
          const beside = other.reserve(bytes)
          kernels.u8.fill(0xee, beside, beside + bytes)
          expect([...bytesAt(kernels, region.address, held.length)]).toEqual(held)
        }
      })
    }
  })

  it('stays where it is as long as there is room, and at least doubles when there is not', () => {
    for (const kernels of forms) {
      scratch(kernels, () => {
        const region = new KernelRegion(kernels, 64)
        const addresses = new Set<number>()
        for (let bytes = 1; bytes <= 100_000; bytes += 9) {
          addresses.add(region.reserve(bytes))
          expect(region.bytes).toBeGreaterThanOrEqual(bytes)
        }
        expect(addresses.size).toBe(1 + Math.ceil(Math.log2(100_000 / 64)))
        expect(region.reserve(1)).toBe(region.address)
      })
    }
  })
})

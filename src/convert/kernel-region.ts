import type { Kernels } from '../kernels/kernels.js'

/**
 * Memory of kernels that grows. What it holds moves along, so its address is to be fetched anew after `reserve`; the room it had before is
 * lost until the mark below it is released.
 */
export class KernelRegion {
  address = 0
  private capacity = 0

  /** `firstBytes`: what will probably be needed, taken at once when anything is. */
  constructor(
    private readonly kernels: Kernels,
    private readonly firstBytes = 0,
  ) {}

  get bytes(): number {
    return this.capacity
  }

  /** Room for at least `bytes`; returns the address. What was not written before holds anything. */
  reserve(bytes: number): number {
    if (bytes <= this.capacity && this.capacity > 0) return this.address
    const capacity = Math.max(bytes, this.capacity * 2, this.firstBytes, 64)
    const address = this.kernels.allocate(capacity)
    this.kernels.u8.copyWithin(address, this.address, this.address + this.capacity)
    this.address = address
    this.capacity = capacity
    return address
  }
}

/** Seeded random numbers with a period of 2^128 - 1 (xoshiro128**), so that no column repeats by accident. */
export class Random {
  private a: number
  private b: number
  private c: number
  private d: number

  constructor(seed: number) {
    // splitmix32 spreads a small seed over the state.
    let s = seed >>> 0
    const next = (): number => {
      s = (s + 0x9e3779b9) >>> 0
      let z = s
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return (z ^ (z >>> 15)) | 0
    }
    this.a = next()
    this.b = next()
    this.c = next()
    this.d = next()
  }

  /** 32 random bits. */
  bits(): number {
    const r = Math.imul(rotl(Math.imul(this.b, 5), 7), 9) >>> 0
    const t = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= t
    this.d = rotl(this.d, 11)
    return r
  }

  /** From 0 to n - 1; n is at most 2^32. */
  below(n: number): number {
    return Math.floor((this.bits() / 4294967296) * n)
  }

  /** From 0 to n - 1; n is at most 2^52. */
  belowLarge(n: number): number {
    return Math.floor(((this.bits() >>> 6) / 67108864 + (this.bits() >>> 6) / 4503599627370496) * n)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k))
}

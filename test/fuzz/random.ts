/**
 * Seeded randomness for fuzzing: sfc32 (C. Doty-Humphrey, PractRand), whose cycles are 2^32 at the least and about 2^127 on average. A stream
 * belongs to a seed, a number and a purpose, so that any document can be made again without those before it.
 */
export class FuzzRandom {
  private a: number
  private b: number
  private c: number
  private counter = 1

  constructor(seed: number, number: number, purpose: number) {
    this.a = mixed(seed ^ 0x9e3779b9)
    this.b = mixed((number | 0) ^ this.a)
    this.c = mixed(Math.floor(number / 2 ** 32) ^ Math.imul(purpose + 1, 0x85ebca6b) ^ this.b)
    for (let i = 0; i < 15; i++) this.bits()
  }

  /** 32 random bits. */
  bits(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) | 0
    return t >>> 0
  }

  /** A whole number from 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.bits() / 4294967296) * n)
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True once in n. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  /** A whole number of so many decimal digits at most, every length as likely as the other. */
  digits(most: number): string {
    const length = this.between(1, most)
    let text = ''
    for (let i = 0; i < length; i++) text += String(this.below(10))
    return text
  }

  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[out[i], out[j]] = [out[j]!, out[i]!]
    }
    return out
  }
}

/** The finaliser of MurmurHash3. */
function mixed(word: number): number {
  let z = word | 0
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return z ^ (z >>> 16)
}

import { assert } from '../errors.js'

/** Shares of something there is only so much of, first come, first served: who asks for many is not overtaken for ever by who asks for few. */
export class Shares {
  private free: number
  private readonly waiting: Array<{ readonly shares: number; readonly go: () => void }> = []

  constructor(total: number) {
    assert(total >= 1, 'there is something to share')
    this.free = total
  }

  /** Runs `work` while holding so many shares. */
  async holding<T>(shares: number, work: () => Promise<T>): Promise<T> {
    const turn = new Promise<void>((go) => this.waiting.push({ shares, go }))
    this.admit()
    await turn
    try {
      return await work()
    } finally {
      this.free += shares
      this.admit()
    }
  }

  private admit(): void {
    for (let next = this.waiting[0]; next !== undefined && next.shares <= this.free; next = this.waiting[0]) {
      this.waiting.shift()
      this.free -= next.shares
      next.go()
    }
  }
}

import type { Kernels } from '../kernels/kernels.js'
import { CAPACITY, MISS_WORDS, PLACES_MAX, SHAPE_WORDS, shapeOf, TABLE, UNPLACED, WANTED, writeShape } from '../kernels/text-shape.js'
import { KernelRegion } from './kernel-region.js'

/** Fewer texts stay in the nearest cache whichever way they are looked up. */
const TEXTS_MIN = 512
const SAMPLED_TEXTS = 16
const FIRST_PLACES = 4096
/** Places of all columns of a reader. */
const PLACES_OF_READER = 1 << 20

/** What the columns of a reader use in turn, and what they share. */
export class PlacedScratch {
  readonly misses: KernelRegion
  readonly missCodes: KernelRegion
  placesLeft = PLACES_OF_READER

  constructor(kernels: Kernels) {
    this.misses = new KernelRegion(kernels)
    this.missCodes = new KernelRegion(kernels)
  }
}

/**
 * The codes of the texts of a chunk by their place, where most texts of a column have one shape: a way to the codes of texts that were met before,
 * shorter than the dictionary's, and nothing else. Which way a text goes is never to be seen in its code.
 */
export class PlacedTexts {
  isOn = false
  private readonly shape: KernelRegion
  private readonly table: KernelRegion
  private capacity = 0
  /** Texts at which it is to be tried next. */
  private nextTry: number

  /** `textsMost`: so many are worth the first try, or fewer: small documents come to it in tests. */
  constructor(
    private readonly kernels: Kernels,
    private readonly scratch: PlacedScratch,
    textsMost: number,
  ) {
    this.nextTry = Math.min(TEXTS_MIN, textsMost)
    this.shape = new KernelRegion(kernels, SHAPE_WORDS * 4)
    this.table = new KernelRegion(kernels)
  }

  /** Right until the next `lookup`. */
  get misses(): number {
    return this.scratch.misses.address
  }

  get missCodes(): number {
    return this.scratch.missCodes.address
  }

  /** Forgets all texts. */
  clear(): void {
    if (this.isOn) this.kernels.u32.fill(0, this.table.address >>> 2, (this.table.address >>> 2) + this.capacity)
  }

  /** `texts`: how many there are. */
  isWorthATry(texts: number): boolean {
    return texts >= this.nextTry
  }

  /** `textAt`: the texts in order, by the share of them that comes before. */
  tryShape(textAt: (share: number) => string): void {
    this.nextTry *= 2
    const shape = shapeOf(Array.from({ length: SAMPLED_TEXTS }, (_, i) => textAt(i / SAMPLED_TEXTS)))
    if (shape === null || !this.grow(Math.max(this.capacity, FIRST_PLACES))) return
    writeShape(this.kernels.u32, this.shape.reserve(SHAPE_WORDS * 4), shape)
    this.isOn = true
    this.clear()
    this.writeTable()
  }

  /** Writes the codes of the rows whose texts have a place and were met, and returns how many were not: they are at `misses`. */
  lookup(fields: number, stride: number, position: number, rows: number, codes: number): number {
    const misses = this.scratch.misses.reserve(rows * MISS_WORDS * 4)
    this.scratch.missCodes.reserve(rows * 4)
    return this.kernels.shapedCodes(fields, stride, position, rows, this.shape.address, codes, misses)
  }

  /** Gives rows that were missed the codes at `missCodes`. `rows`: of the batch; `texts`: how many there are now. */
  place(missed: number, rows: number, codes: number, texts: number): void {
    const { kernels, shape } = this
    const header = shape.address >>> 2
    const wanted = kernels.u32[header + WANTED]!
    let unplaced = kernels.u32[header + UNPLACED]!
    if (wanted > 0) {
      let capacity = this.capacity
      while (capacity <= wanted) capacity *= 2
      if (this.grow(capacity)) this.writeTable()
      else unplaced = missed
    }
    kernels.placeCodes(this.misses, missed, this.missCodes, shape.address, codes)
    if (unplaced * 2 <= rows) return
    this.isOn = false
    this.nextTry = texts * 2
  }

  private writeTable(): void {
    const header = this.shape.address >>> 2
    this.kernels.u32[header + TABLE] = this.table.address
    this.kernels.u32[header + CAPACITY] = this.capacity
  }

  private grow(capacity: number): boolean {
    const { scratch } = this
    if (capacity > PLACES_MAX || capacity - this.capacity > scratch.placesLeft) return false
    scratch.placesLeft -= capacity - this.capacity
    const table = this.table.reserve(capacity * 4) >>> 2
    this.kernels.u32.fill(0, table + this.capacity, table + capacity)
    this.capacity = capacity
    return true
  }
}

import type { Inputs } from './inputs.js'
import type { SectionResult } from './report.js'

export interface BenchContext {
  readonly runs: number
  /** Every number of rows, drops and records is multiplied by it. */
  readonly scale: number
  readonly cores: number
  /** A folder of this run, removed at its end. */
  readonly folder: string
  readonly inputs: Inputs
  readonly say: (text: string) => void
}

export interface Section {
  readonly name: string
  readonly about: string
  readonly run: (context: BenchContext) => Promise<SectionResult>
}

export function scaled(context: BenchContext, full: number, least = 1): number {
  return Math.max(least, Math.round(full * context.scale))
}

/** All threads of the machine, and one. */
export function threadCounts(context: BenchContext): number[] {
  return context.cores === 1 ? [1] : [context.cores, 1]
}

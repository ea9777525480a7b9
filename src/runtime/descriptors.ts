import { systemCodeOf } from '../errors.js'
import type { Files } from './files.js'

/** What the daemon has open beside its drops: the store, logs, threads, watches, and modules while they are loaded. */
export const DESCRIPTORS_AT_REST = 48
/** Of one drop in flight: its source twice, its Parquet, its claim and a folder being synced. */
export const DESCRIPTORS_OF_DROP = 5
/** Fewer would wait for one another. */
const DROPS_AT_LEAST = 2

/** How many files this process may have open (RLIMIT_NOFILE); Infinity where nobody says. */
export async function openFilesLimit(files: Files): Promise<number> {
  try {
    const text = (await files.read('/proc/self/limits'))?.toString('latin1') ?? ''
    return Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY)
  } catch (error) {
    if (systemCodeOf(error) === null) throw error
    return Number.POSITIVE_INFINITY
  }
}

/** Of `wanted` drops, or commits, so many as may be under way at once with `openFiles` descriptors: more would only take each other's. */
export function withinDescriptors(openFiles: number, wanted: number): number {
  return Math.min(wanted, Math.max(DROPS_AT_LEAST, Math.floor((openFiles - DESCRIPTORS_AT_REST) / DESCRIPTORS_OF_DROP)))
}

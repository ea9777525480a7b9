import { isIntakeError } from '../errors.js'

/**
 * Waits until all have ended, then throws the first error, a failed fsync before any other. Unlike Promise.all it leaves nothing
 * running behind: a file is not closed under a write, and nobody goes on while a sync of the same commit is still out.
 */
export async function waitAll(work: readonly Promise<unknown>[]): Promise<void> {
  const failures: unknown[] = []
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') failures.push(result.reason)
  if (failures.length > 0) throw failures.find((failure) => isIntakeError(failure, 'FSYNC_FAILED')) ?? failures[0]
}

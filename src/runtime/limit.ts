import { assert } from '../errors.js'

/** Runs `work` over `items`, at most `limit` at once. After a failure nothing new is begun; the first error is thrown once all begun work has ended. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  assert(limit >= 1, 'something must be allowed to run')
  let next = 0
  let failed = false
  let first: unknown
  const lane = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++
      try {
        await work(items[index]!, index)
      } catch (error) {
        if (!failed) first = error
        failed = true
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (failed) throw first
}

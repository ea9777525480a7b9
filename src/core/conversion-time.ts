/** What a thread that reads by csv-parse does at the very least, on a slow disk beside other work. */
const BYTES_PER_SECOND = 1024 ** 2

/**
 * How long one conversion may take, in milliseconds, before its thread counts as hung: `seconds` for any drop, and one more for each MiB of
 * its source. A drop that needs longer than that is one that never ends.
 */
export function conversionLimitMs(seconds: number, sourceBytes: number): number {
  return Math.ceil((seconds + sourceBytes / BYTES_PER_SECOND) * 1000)
}

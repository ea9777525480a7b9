import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Waits until the disk has what was written so far. What a generator leaves in memory would be written out by the first fsync of whoever is
 * measured next. Where there is no `sync` program, that is so.
 */
export async function flushDisk(): Promise<void> {
  const sync = spawn('sync', { stdio: 'ignore' })
  await Promise.race([once(sync, 'close'), once(sync, 'error')])
}

import { spawnSync } from 'node:child_process'
// The lock needs a descriptor number that a child can inherit, which the files port does not show; nothing else is opened here.
import { closeSync, constants, openSync } from 'node:fs'
import { IntakeError, isExhausted, systemCodeOf } from '../errors.js'

/** The one writer of a store. The kernel drops the lock when the process dies, however it dies. */
export interface StoreLock {
  release(): void
}

export type LockStore = (path: string) => StoreLock

/** A probe (`isLocked`) holds the lock for a moment: a writer that meets one asks again this often before it believes it. */
const ATTEMPTS = 3

/**
 * Takes the lock or throws STORE_LOCKED at once; LOCK_UNAVAILABLE where there is no `flock` or the file system has no locks,
 * RESOURCES_EXHAUSTED where no descriptor is left for it.
 *
 * `flock(1)` locks the open file description that it inherits as descriptor 3. This process keeps the same description open, so the lock
 * outlives the helper and ends with us. Node opens with O_CLOEXEC: no other child inherits it.
 */
export const lockStore: LockStore = (path) => {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o640)
  try {
    for (let attempt = 1; ; attempt++) {
      const taken = flock(descriptor, 'exclusive', path)
      if (taken) break
      if (attempt === ATTEMPTS) throw new IntakeError('STORE_LOCKED', `Another process holds ${path}`, { data: { path } })
    }
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  let held = true
  return {
    release() {
      if (!held) return
      held = false
      closeSync(descriptor)
    },
  }
}

/** Does somebody write to this store now? Takes a shared lock and lets go of it: two probes do not meet, and a writer asks again. */
export function isLocked(path: string): boolean {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false
    throw error
  }
  try {
    return !flock(descriptor, 'shared', path)
  } finally {
    closeSync(descriptor)
  }
}

function flock(descriptor: number, kind: 'exclusive' | 'shared', path: string): boolean {
  const result = spawnSync('flock', kind === 'shared' ? ['-s', '-n', '3'] : ['-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', descriptor],
  })
  if (result.error !== undefined) {
    if (isExhausted(result.error))
      throw new IntakeError('RESOURCES_EXHAUSTED', `flock could not be run: ${result.error.message}`, {
        cause: result.error,
        data: { path },
      })
    const message =
      systemCodeOf(result.error) === 'ENOENT' ? 'The program `flock` is not installed' : `flock could not be run: ${result.error.message}`
    throw new IntakeError('LOCK_UNAVAILABLE', message, { cause: result.error, data: { path } })
  }
  if (result.status === 0) return true
  if (result.status === 1) return false
  throw new IntakeError(
    'LOCK_UNAVAILABLE',
    `flock could not lock ${path} (exit ${result.status ?? result.signal}): the file system may not support locks`,
    {
      data: { path },
    },
  )
}

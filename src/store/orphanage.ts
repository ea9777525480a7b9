import { basename, join } from 'node:path'
import { IntakeError, systemCodeOf } from '../errors.js'
import { type Files, makeDirectories } from '../runtime/files.js'

/** A file of versions/ that no history names and no plan owns. It was moved, never removed. */
export interface Orphan {
  readonly recordId: string
  readonly version: number
  readonly key: string
  readonly movedTo: string
}

/**
 * Moves a file out of the way of a version: link, then remove, so that nothing in the orphans' folder is ever overwritten. Where that
 * folder lies on another file system, `fallback` (a folder of the store itself) is used.
 */
export async function moveOrphan(options: { files: Files; path: string; name: string; folder: string; fallback: string }): Promise<string> {
  const { files, path } = options
  const name = options.name.replace(/[^A-Za-z0-9._-]/g, '_')
  let folder = options.folder
  await makeDirectories(files, folder)
  for (let n = 0; ; n++) {
    if (n > 9999) throw new IntakeError('IO_FAILED', `${folder} holds ten thousand orphans named ${name}`)
    const to = join(folder, n === 0 ? name : `${n}-${name}`)
    try {
      if ((await files.link(path, to)) === 'exists') continue
    } catch (error) {
      if (systemCodeOf(error) !== 'EXDEV' || folder === options.fallback) throw error
      folder = options.fallback
      await makeDirectories(files, folder)
      n = -1
      continue
    }
    // The new name is durable before the old one goes: a crash leaves both, and the next attempt makes one more name.
    await files.syncDirectory(folder)
    await files.remove(path)
    return to
  }
}

export function orphanName(recordId: string, path: string): string {
  return `${recordId.replaceAll('/', '__')}-${basename(path)}`.slice(-240)
}

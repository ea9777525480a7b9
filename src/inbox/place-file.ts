import { IntakeError, systemCodeOf } from '../errors.js'
import { type FilePath, type Files, type OpenFile, printablePath } from '../runtime/files.js'
import { folderOf } from './inbox-path.js'

const COPY_BYTES = 1024 * 1024

/** File systems without hard links, or a target on another one. */
const CANNOT_LINK = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'])

export function cannotLink(error: unknown): boolean {
  return CANNOT_LINK.has(systemCodeOf(error) ?? '')
}

/** The producer's file could not be read: its fault, or its folder's, and no reason to stop. */
export class SourceUnreadable extends Error {
  constructor(readonly systemCode: string) {
    super(`The file cannot be read: ${systemCode}`)
  }
}

/** Runs a call that only touches the producer's file or folder. Throws SourceUnreadable for what the operating system says about it. */
export async function touchingSource<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const code = systemCodeOf(error)
    // Running out of descriptors or memory is our trouble, not the file's.
    if (code === null || ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS'].includes(code)) throw error
    throw new SourceUnreadable(code)
  }
}

/**
 * Copies an open file into a new one and syncs it. `onBytes` sees every piece on the way. Returns the number of bytes copied.
 * Throws SourceUnreadable when it is the reading that failed.
 */
export async function copyOpenFile(
  from: OpenFile,
  to: OpenFile,
  onBytes: (bytes: Uint8Array) => void,
  sizeHintBytes: number,
): Promise<number> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(COPY_BYTES, sizeHintBytes + 1)))
  let at = 0
  for (;;) {
    const count = await touchingSource(() => from.read(buffer, at))
    if (count === 0) break
    const bytes = buffer.subarray(0, count)
    onBytes(bytes)
    await to.write(bytes)
    at += count
    if (count < buffer.length) break
  }
  await to.sync()
  return at
}

/**
 * Gives a synced file a second name, never over another file. Where a hard link cannot be made, a synced copy takes its place. What is
 * already there under this name must be of the same size: names made from a drop-id are written by nobody else, so it is what an earlier
 * attempt put there. The folder is not synced.
 */
export async function placeFile(files: Files, from: FilePath, to: string): Promise<'placed' | 'exists'> {
  try {
    if ((await files.link(from, to)) === 'linked') return 'placed'
    await checkSame(files, from, to)
    return 'exists'
  } catch (error) {
    if (!cannotLink(error)) throw error
  }
  if ((await files.stat(to)) !== null) {
    await checkSame(files, from, to)
    return 'exists'
  }
  const source = await files.openRead(from)
  if (source === null) throw new IntakeError('IO_FAILED', `${printablePath(from)} is gone`)
  const temporary = `${to}.tmp`
  try {
    const target = await files.overwrite(temporary)
    try {
      await copyOpenFile(source, target, () => {}, COPY_BYTES)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
  // Nobody else makes names with this drop-id, so nothing can have come between the look above and this rename.
  await files.rename(temporary, to)
  return 'placed'
}

async function checkSame(files: Files, from: FilePath, to: string): Promise<void> {
  const [a, b] = [await files.stat(from), await files.stat(to)]
  if (a !== null && b !== null && a.sizeBytes !== b.sizeBytes) {
    throw new IntakeError('FILE_EXISTS', `${to} is there already and is another file than ${printablePath(from)}`)
  }
}

/**
 * Gives a file its own name back without overwriting a newer one that stands there. 'taken': the name is not free. Safe to repeat: after
 * a crash between the two steps both names are one file, and the second step is what remains.
 *
 * `sync` makes the names of a folder durable. Between the steps, for a power cut may keep the later of two changes of a folder and lose the
 * earlier: the file would be gone under both names.
 */
export async function restoreName(
  files: Files,
  hidden: Buffer,
  own: Buffer,
  sync: (folder: Buffer) => Promise<void>,
): Promise<'restored' | 'taken' | 'absent'> {
  const from = await files.stat(hidden)
  if (from === null) return 'absent'
  const there = await files.stat(own)
  const isSame = there !== null && there.inode === from.inode && there.device === from.device && from.links > 1
  if (there !== null && !isSame) return 'taken'
  if (isSame || from.kind !== 'directory') {
    try {
      if (!isSame && (await files.link(hidden, own)) === 'exists') return 'taken'
    } catch (error) {
      if (!cannotLink(error)) throw error
      // No hard links here: the look above is all the protection there is.
      await files.rename(hidden, own)
      return 'restored'
    }
    await sync(folderOf(own))
    await files.remove(hidden)
    return 'restored'
  }
  await files.rename(hidden, own)
  return 'restored'
}

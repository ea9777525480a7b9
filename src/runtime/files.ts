import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { IntakeError, systemCodeOf } from '../errors.js'

/** A path as text, or as bytes where a producer's file name need not be UTF-8. */
export type FilePath = string | Buffer

export type FileKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'device'

export interface FileStat {
  readonly kind: FileKind
  readonly sizeBytes: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
  readonly device: bigint
  /** Permission bits only. */
  readonly mode: number
  readonly links: number
}

export interface DirectoryEntry {
  /** The exact bytes of the name. */
  readonly name: Buffer
  readonly kind: FileKind
}

export interface OpenFile {
  stat(): Promise<FileStat>
  /** Reads at `positionBytes` until `target` is full or the file ends; returns the number of bytes read. */
  read(target: Uint8Array, positionBytes: number): Promise<number>
  /** Writes all of `bytes` after what was written before. */
  write(bytes: Uint8Array): Promise<void>
  /** Writes all of `bytes` at a position. */
  writeAt(bytes: Uint8Array, positionBytes: number): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  /** fsync. Throws FSYNC_FAILED; never call it again on the same file after that (the kernel may have dropped the pages). */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * The only door to the file system: whatever opens, syncs, links and renames goes through it, so that tests can fail and crash it.
 *
 * Outcomes that callers must expect are returned ('exists', 'absent', null); everything else throws the operating system's error,
 * except that ENOSPC and EDQUOT become DISK_FULL and a failed fsync becomes FSYNC_FAILED.
 */
export interface Files {
  /** Read only, O_NONBLOCK so that a FIFO cannot hang the process, O_NOFOLLOW unless `follow`. null: there is no such file. */
  openRead(path: FilePath, options?: { follow?: boolean }): Promise<OpenFile | null>
  /** Write only, O_CREAT|O_EXCL. 'exists': somebody was first. */
  create(path: FilePath, options?: { mode?: number }): Promise<OpenFile | 'exists'>
  /** Write only, created or emptied: for temporary files that a crash may have left behind. */
  overwrite(path: FilePath, options?: { mode?: number }): Promise<OpenFile>
  /** For appending; created when missing. */
  openAppend(path: FilePath, options?: { mode?: number }): Promise<OpenFile>
  /** The whole file; null when there is none. */
  read(path: FilePath): Promise<Buffer | null>
  /** Unsorted; null when there is no such directory. */
  list(path: FilePath): Promise<DirectoryEntry[] | null>
  /** Does not follow links; null when there is nothing. */
  stat(path: FilePath): Promise<FileStat | null>
  /** One level; the parent must exist. */
  makeDirectory(path: FilePath, options?: { mode?: number }): Promise<'created' | 'exists'>
  link(from: FilePath, to: FilePath): Promise<'linked' | 'exists'>
  /** Replaces `to` when it exists. */
  rename(from: FilePath, to: FilePath): Promise<void>
  remove(path: FilePath): Promise<'removed' | 'absent'>
  removeDirectory(path: FilePath): Promise<'removed' | 'absent' | 'not-empty'>
  /** fsync of a directory: makes the names in it durable. Throws FSYNC_FAILED. */
  syncDirectory(path: FilePath): Promise<void>
  setMode(path: FilePath, mode: number): Promise<void>
  /** Bytes an unprivileged process may still write on the file system of `path`. */
  freeBytes(path: FilePath): Promise<number>
}

function kindOf(entry: {
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
  isFIFO(): boolean
  isSocket(): boolean
}): FileKind {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  if (entry.isSymbolicLink()) return 'symlink'
  if (entry.isFIFO()) return 'fifo'
  if (entry.isSocket()) return 'socket'
  return 'device'
}

function toStat(s: import('node:fs').BigIntStats): FileStat {
  return {
    kind: kindOf(s),
    sizeBytes: Number(s.size),
    mtimeNs: s.mtimeNs,
    ctimeNs: s.ctimeNs,
    inode: s.ino,
    device: s.dev,
    mode: Number(s.mode) & 0o7777,
    links: Number(s.nlink),
  }
}

function mapped(error: unknown, path: FilePath, operation: string): unknown {
  const code = systemCodeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new IntakeError('DISK_FULL', `No space left while trying to ${operation} ${printablePath(path)}`, {
      cause: error,
      data: { path: printablePath(path), operation },
    })
  }
  return error
}

function syncFailure(error: unknown, path: FilePath): IntakeError {
  return new IntakeError('FSYNC_FAILED', `Could not make ${printablePath(path)} durable: ${(error as Error).message}`, {
    cause: error,
    data: { path: printablePath(path) },
  })
}

/** A path for messages: bytes that are not printable ASCII are percent-encoded, so that a hostile name cannot drive a terminal. */
export function printablePath(path: FilePath): string {
  const bytes = typeof path === 'string' ? Buffer.from(path, 'utf8') : path
  let out = ''
  for (const byte of bytes) {
    out +=
      byte > 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : byte === 0x20
          ? ' '
          : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}

class NodeFile implements OpenFile {
  constructor(
    private readonly handle: FileHandle,
    private readonly path: FilePath,
  ) {}

  async stat(): Promise<FileStat> {
    return toStat(await this.handle.stat({ bigint: true }))
  }

  async read(target: Uint8Array, positionBytes: number): Promise<number> {
    let done = 0
    while (done < target.length) {
      const { bytesRead } = await this.handle.read(target, done, target.length - done, positionBytes + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      let done = 0
      while (done < bytes.length) done += (await this.handle.write(bytes, done, bytes.length - done, null)).bytesWritten
    } catch (error) {
      throw mapped(error, this.path, 'write')
    }
  }

  async writeAt(bytes: Uint8Array, positionBytes: number): Promise<void> {
    try {
      let done = 0
      while (done < bytes.length) done += (await this.handle.write(bytes, done, bytes.length - done, positionBytes + done)).bytesWritten
    } catch (error) {
      throw mapped(error, this.path, 'write')
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.handle.truncate(sizeBytes)
  }

  async sync(): Promise<void> {
    try {
      await this.handle.sync()
    } catch (error) {
      throw syncFailure(error, this.path)
    }
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants

/** The real file system. */
export const nodeFiles: Files = {
  async openRead(path, options = {}) {
    try {
      const flags = O_RDONLY | O_NONBLOCK | (options.follow ? 0 : O_NOFOLLOW)
      return new NodeFile(await fs.open(path, flags), path)
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return null
      throw error
    }
  },
  async create(path, options = {}) {
    try {
      return new NodeFile(await fs.open(path, O_WRONLY | O_CREAT | O_EXCL, options.mode ?? 0o640), path)
    } catch (error) {
      if (systemCodeOf(error) === 'EEXIST') return 'exists'
      throw mapped(error, path, 'create')
    }
  },
  async overwrite(path, options = {}) {
    try {
      return new NodeFile(await fs.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, options.mode ?? 0o640), path)
    } catch (error) {
      throw mapped(error, path, 'create')
    }
  },
  async openAppend(path, options = {}) {
    try {
      return new NodeFile(await fs.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, options.mode ?? 0o640), path)
    } catch (error) {
      throw mapped(error, path, 'open')
    }
  },
  async read(path) {
    try {
      return await fs.readFile(path)
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return null
      throw error
    }
  },
  async list(path) {
    try {
      const entries = await fs.readdir(path, { withFileTypes: true, encoding: 'buffer' })
      return entries.map((e) => ({ name: e.name as unknown as Buffer, kind: kindOf(e) }))
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return null
      throw error
    }
  },
  async stat(path) {
    try {
      return toStat(await fs.lstat(path, { bigint: true }))
    } catch (error) {
      const code = systemCodeOf(error)
      if (code === 'ENOENT' || code === 'ENOTDIR') return null
      throw error
    }
  },
  async makeDirectory(path, options = {}) {
    try {
      await fs.mkdir(path, { mode: options.mode ?? 0o750 })
      return 'created'
    } catch (error) {
      if (systemCodeOf(error) === 'EEXIST') return 'exists'
      throw mapped(error, path, 'create folder')
    }
  },
  async link(from, to) {
    try {
      await fs.link(from, to)
      return 'linked'
    } catch (error) {
      if (systemCodeOf(error) === 'EEXIST') return 'exists'
      throw mapped(error, to, 'link')
    }
  },
  async rename(from, to) {
    try {
      await fs.rename(from, to)
    } catch (error) {
      throw mapped(error, to, 'rename')
    }
  },
  async remove(path) {
    try {
      await fs.unlink(path)
      return 'removed'
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return 'absent'
      throw error
    }
  },
  async removeDirectory(path) {
    try {
      await fs.rmdir(path)
      return 'removed'
    } catch (error) {
      const code = systemCodeOf(error)
      if (code === 'ENOENT') return 'absent'
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return 'not-empty'
      throw error
    }
  },
  async syncDirectory(path) {
    const handle = await fs.open(path, O_RDONLY | O_DIRECTORY)
    try {
      await handle.sync()
    } catch (error) {
      throw syncFailure(error, path)
    } finally {
      await handle.close()
    }
  },
  async setMode(path, mode) {
    await fs.chmod(path, mode)
  },
  async freeBytes(path) {
    const s = await fs.statfs(path)
    return s.bavail * s.bsize
  },
}

/** Creates every missing folder of `path` and syncs the parent of each new one, so that the names survive a crash. Returns what it made. */
export async function makeDirectories(files: Files, path: string, options: { mode?: number; sync?: boolean } = {}): Promise<string[]> {
  const missing: string[] = []
  let at = path
  for (;;) {
    const stat = await files.stat(at)
    if (stat !== null) break
    missing.unshift(at)
    const parent = dirname(at)
    if (parent === at) break
    at = parent
  }
  const made: string[] = []
  for (const folder of missing) {
    if ((await files.makeDirectory(folder, options)) === 'created') {
      made.push(folder)
      if (options.sync !== false) await files.syncDirectory(dirname(folder))
    }
  }
  return made
}

/** Writes and syncs a new file. 'exists' when there is one. The folder is not synced: the caller decides when and with whom. */
export async function createFile(
  files: Files,
  path: string,
  bytes: Uint8Array,
  options: { mode?: number } = {},
): Promise<'created' | 'exists'> {
  const file = await files.create(path, options)
  if (file === 'exists') return 'exists'
  try {
    await file.write(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  return 'created'
}

/** Temp, write, sync, rename: afterwards `path` holds the old bytes or the new ones, never a mixture. The folder is not synced. */
export async function replaceFile(
  files: Files,
  path: string,
  bytes: Uint8Array,
  options: { mode?: number; temporary?: string; sync?: boolean } = {},
): Promise<void> {
  const temporary = options.temporary ?? `${path}.tmp`
  const file = await files.overwrite(temporary, options)
  try {
    await file.write(bytes)
    if (options.sync !== false) await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
}

/** Removes a folder and all in it, depth first, without following links. */
export async function removeTree(files: Files, path: FilePath): Promise<void> {
  const base = typeof path === 'string' ? Buffer.from(path, 'utf8') : path
  const entries = await files.list(base)
  if (entries === null) return
  for (const entry of entries) {
    const child = Buffer.concat([base, Buffer.from('/'), entry.name])
    if (entry.kind === 'directory') await removeTree(files, child)
    else await files.remove(child)
  }
  await files.removeDirectory(base)
}

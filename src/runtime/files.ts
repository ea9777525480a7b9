import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { assert, IntakeError, systemCodeOf } from '../errors.js'

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
  /** The names alone, each byte one character (latin1), unsorted; null when there is no such directory. A third of the time of `list`. */
  names(path: FilePath): Promise<string[] | null>
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

function toStat(s: fs.BigIntStats): FileStat {
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

/** Says where a call to the operating system is made: here, while everything else in this thread waits, or on a thread of libuv's pool. */
interface Pace {
  /**
   * `short`: a call that returns at once on a healthy local disk; the others wait for the disk, or for many bytes.
   * 'next-turn': here, but only when the event loop has turned once more.
   */
  placeOf(short: boolean): 'here' | 'next-turn' | 'pool'
  /** What a call that was made here took, in milliseconds. */
  took(ms: number): void
  /** Resolves in the next turn of the event loop. */
  nextTurn(): Promise<void>
}

/** In place that much of a turn of the event loop; the rest waits for the next turn, so that timers and signals are never late by more. */
const TURN_MS = 4
/** Calls that take longer than this on average are not short: a share of some network, or a disk that is choking. */
const SLOW_MS = 1
/** Weight of one call in the average. A thread that is put off the processor in the middle of a call makes no slow disk. */
const CALL_WEIGHT = 1 / 16
/** While calls are slow the pool takes them, and one after so long in place shows whether they still are. */
const PROBE_MS = 250

/**
 * For threads that have more to do than one file. Handing a call to the pool and waking up for its result costs ten times what a short call
 * takes (most of the time of small drops went there), so short calls are made in place for as long as they are short.
 */
class SharedThreadPace implements Pace {
  private spentMs = 0
  private averageMs = 0
  private probeAtMs = 0
  private turn: Promise<void> | null = null

  placeOf(short: boolean): 'here' | 'next-turn' | 'pool' {
    if (!short) return 'pool'
    if (this.averageMs > SLOW_MS) {
      const nowMs = performance.now()
      if (nowMs < this.probeAtMs) return 'pool'
      this.probeAtMs = nowMs + PROBE_MS
    }
    return this.spentMs < TURN_MS ? 'here' : 'next-turn'
  }

  took(ms: number): void {
    if (this.spentMs === 0) void this.nextTurn()
    this.spentMs += ms
    // A probe among slow calls counts in full: one that is quick ends the rest.
    this.averageMs = this.averageMs > SLOW_MS ? ms : this.averageMs + (ms - this.averageMs) * CALL_WEIGHT
  }

  nextTurn(): Promise<void> {
    this.turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.turn = null
        this.spentMs = 0
        resolve()
      })
    })
    return this.turn
  }
}

/** For a thread that works on one file and would only wait for each call. */
const OWN_THREAD: Pace = { placeOf: () => 'here', took: () => {}, nextTurn: () => Promise.resolve() }

/** Bytes that a short call reads or writes at most. */
const SHORT_BYTES = 64 * 1024

const pooled = {
  open: promisify(fs.open),
  close: promisify(fs.close),
  fsync: promisify(fs.fsync),
  ftruncate: promisify(fs.ftruncate),
  fstat: promisify(fs.fstat) as unknown as (fd: number, options: { bigint: true }) => Promise<fs.BigIntStats>,
  lstat: promisify(fs.lstat) as unknown as (path: FilePath, options: { bigint: true }) => Promise<fs.BigIntStats>,
  readdir: promisify(fs.readdir) as unknown as (
    path: FilePath,
    options: { withFileTypes: true; encoding: 'latin1' },
  ) => Promise<fs.Dirent[]>,
  names: promisify(fs.readdir) as unknown as (path: FilePath, encoding: 'latin1') => Promise<string[]>,
  mkdir: promisify(fs.mkdir) as unknown as (path: FilePath, options: { mode: number }) => Promise<void>,
  link: promisify(fs.link),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  rmdir: promisify(fs.rmdir) as unknown as (path: FilePath) => Promise<void>,
  chmod: promisify(fs.chmod),
  statfs: promisify(fs.statfs) as unknown as (path: FilePath) => Promise<fs.StatsFs>,
  read: (fd: number, target: Uint8Array, offset: number, length: number, position: number): Promise<number> =>
    new Promise((resolve, reject) => {
      fs.read(fd, target, offset, length, position, (error, count) => (error === null ? resolve(count) : reject(error)))
    }),
  write: (fd: number, bytes: Uint8Array, offset: number, length: number, position: number | null): Promise<number> =>
    new Promise((resolve, reject) => {
      fs.write(fd, bytes, offset, length, position, (error, count) => (error === null ? resolve(count) : reject(error)))
    }),
}

/** One call in one of the two ways. What it throws is thrown either way, by the await of the caller. */
function call<T>(pace: Pace, short: boolean, here: () => T, elsewhere: () => Promise<T>): T | Promise<T> {
  const place = pace.placeOf(short)
  if (place === 'pool') return elsewhere()
  if (place === 'next-turn') return pace.nextTurn().then(() => call(pace, short, here, elsewhere))
  const beganMs = performance.now()
  try {
    return here()
  } finally {
    pace.took(performance.now() - beganMs)
  }
}

class NodeFile implements OpenFile {
  private isClosed = false

  constructor(
    private readonly pace: Pace,
    private readonly fd: number,
    private readonly path: FilePath,
  ) {}

  async stat(): Promise<FileStat> {
    const fd = this.descriptor()
    return toStat(
      await call(
        this.pace,
        true,
        () => fs.fstatSync(fd, { bigint: true }),
        () => pooled.fstat(fd, { bigint: true }),
      ),
    )
  }

  async read(target: Uint8Array, positionBytes: number): Promise<number> {
    let done = 0
    while (done < target.length) {
      const fd = this.descriptor()
      const [offset, length, position] = [done, target.length - done, positionBytes + done]
      const count = await call(
        this.pace,
        length <= SHORT_BYTES,
        () => fs.readSync(fd, target, offset, length, position),
        () => pooled.read(fd, target, offset, length, position),
      )
      if (count === 0) break
      done += count
    }
    return done
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.put(bytes, null)
  }

  async writeAt(bytes: Uint8Array, positionBytes: number): Promise<void> {
    await this.put(bytes, positionBytes)
  }

  async truncate(sizeBytes: number): Promise<void> {
    const fd = this.descriptor()
    await call(
      this.pace,
      false,
      () => fs.ftruncateSync(fd, sizeBytes),
      () => pooled.ftruncate(fd, sizeBytes),
    )
  }

  async sync(): Promise<void> {
    const fd = this.descriptor()
    try {
      await call(
        this.pace,
        false,
        () => fs.fsyncSync(fd),
        () => pooled.fsync(fd),
      )
    } catch (error) {
      throw syncFailure(error, this.path)
    }
  }

  async close(): Promise<void> {
    const fd = this.descriptor()
    // Even a close that fails gives the descriptor back (close(2), Linux), and its number may be another file's by now.
    this.isClosed = true
    await call(
      this.pace,
      true,
      () => fs.closeSync(fd),
      () => pooled.close(fd),
    )
  }

  private async put(bytes: Uint8Array, positionBytes: number | null): Promise<void> {
    try {
      let done = 0
      while (done < bytes.length) {
        const fd = this.descriptor()
        const [offset, length, position] = [done, bytes.length - done, positionBytes === null ? null : positionBytes + done]
        done += await call(
          this.pace,
          length <= SHORT_BYTES,
          () => fs.writeSync(fd, bytes, offset, length, position),
          () => pooled.write(fd, bytes, offset, length, position),
        )
      }
    } catch (error) {
      throw mapped(error, this.path, 'write')
    }
  }

  private descriptor(): number {
    assert(!this.isClosed, 'a file that was closed is not used any more')
    return this.fd
  }
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = fs.constants

function filesOf(pace: Pace): Files {
  const open = async (path: FilePath, flags: number, mode?: number): Promise<number> =>
    call(
      pace,
      true,
      () => fs.openSync(path, flags, mode),
      () => pooled.open(path, flags, mode),
    )
  return {
    async openRead(path, options = {}) {
      try {
        const flags = O_RDONLY | O_NONBLOCK | (options.follow ? 0 : O_NOFOLLOW)
        return new NodeFile(pace, await open(path, flags), path)
      } catch (error) {
        if (systemCodeOf(error) === 'ENOENT') return null
        throw error
      }
    },
    async create(path, options = {}) {
      try {
        return new NodeFile(pace, await open(path, O_WRONLY | O_CREAT | O_EXCL, options.mode ?? 0o640), path)
      } catch (error) {
        if (systemCodeOf(error) === 'EEXIST') return 'exists'
        throw mapped(error, path, 'create')
      }
    },
    async overwrite(path, options = {}) {
      try {
        return new NodeFile(pace, await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, options.mode ?? 0o640), path)
      } catch (error) {
        throw mapped(error, path, 'create')
      }
    },
    async openAppend(path, options = {}) {
      try {
        return new NodeFile(pace, await open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, options.mode ?? 0o640), path)
      } catch (error) {
        throw mapped(error, path, 'open')
      }
    },
    async read(path) {
      let file: NodeFile
      try {
        file = new NodeFile(pace, await open(path, O_RDONLY), path)
      } catch (error) {
        if (systemCodeOf(error) === 'ENOENT') return null
        throw error
      }
      try {
        return await readWhole(file)
      } finally {
        await file.close()
      }
    },
    async list(path) {
      try {
        // A folder may hold any number of names: never in place, save where there is nobody to be held up.
        const entries = await call(
          pace,
          false,
          () => fs.readdirSync(path, { withFileTypes: true, encoding: 'latin1' }),
          () => pooled.readdir(path, { withFileTypes: true, encoding: 'latin1' }),
        )
        // By way of texts, for 100,000 buffers made by the system call itself have as many allocations outside the heap.
        return entries.map((e) => ({ name: Buffer.from(e.name, 'latin1'), kind: kindOf(e) }))
      } catch (error) {
        if (systemCodeOf(error) === 'ENOENT') return null
        throw error
      }
    },
    async names(path) {
      try {
        return await call(
          pace,
          false,
          () => fs.readdirSync(path, 'latin1'),
          () => pooled.names(path, 'latin1'),
        )
      } catch (error) {
        if (systemCodeOf(error) === 'ENOENT') return null
        throw error
      }
    },
    async stat(path) {
      try {
        const stat = await call(
          pace,
          true,
          () => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false }),
          () => pooled.lstat(path, { bigint: true }),
        )
        return stat === undefined ? null : toStat(stat)
      } catch (error) {
        const code = systemCodeOf(error)
        if (code === 'ENOENT' || code === 'ENOTDIR') return null
        throw error
      }
    },
    async makeDirectory(path, options = {}) {
      const mode = { mode: options.mode ?? 0o750 }
      try {
        await call<unknown>(
          pace,
          true,
          () => fs.mkdirSync(path, mode),
          () => pooled.mkdir(path, mode),
        )
        return 'created'
      } catch (error) {
        if (systemCodeOf(error) === 'EEXIST') return 'exists'
        throw mapped(error, path, 'create folder')
      }
    },
    async link(from, to) {
      try {
        await call(
          pace,
          true,
          () => fs.linkSync(from, to),
          () => pooled.link(from, to),
        )
        return 'linked'
      } catch (error) {
        if (systemCodeOf(error) === 'EEXIST') return 'exists'
        throw mapped(error, to, 'link')
      }
    },
    async rename(from, to) {
      try {
        await call(
          pace,
          true,
          () => fs.renameSync(from, to),
          () => pooled.rename(from, to),
        )
      } catch (error) {
        throw mapped(error, to, 'rename')
      }
    },
    async remove(path) {
      try {
        // The last name of a large file takes its blocks along, which may take long; who keeps a second name pays nothing.
        await call(
          pace,
          true,
          () => fs.unlinkSync(path),
          () => pooled.unlink(path),
        )
        return 'removed'
      } catch (error) {
        if (systemCodeOf(error) === 'ENOENT') return 'absent'
        throw error
      }
    },
    async removeDirectory(path) {
      try {
        await call(
          pace,
          true,
          () => fs.rmdirSync(path),
          () => pooled.rmdir(path),
        )
        return 'removed'
      } catch (error) {
        const code = systemCodeOf(error)
        if (code === 'ENOENT') return 'absent'
        if (code === 'ENOTEMPTY' || code === 'EEXIST') return 'not-empty'
        throw error
      }
    },
    async syncDirectory(path) {
      const folder = new NodeFile(pace, await open(path, O_RDONLY | O_DIRECTORY), path)
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    },
    async setMode(path, mode) {
      await call(
        pace,
        true,
        () => fs.chmodSync(path, mode),
        () => pooled.chmod(path, mode),
      )
    },
    async freeBytes(path) {
      const s = await call(
        pace,
        true,
        () => fs.statfsSync(path),
        () => pooled.statfs(path),
      )
      return s.bavail * s.bsize
    },
  }
}

/** Everything from where the file stands, also of one that has no size before it is read (/proc), or that grows meanwhile. */
async function readWhole(file: NodeFile): Promise<Buffer> {
  const { sizeBytes } = await file.stat()
  // What the kernel makes up (/proc) says that it is empty, and gives its text to the first read only.
  let bytes = Buffer.allocUnsafeSlow(sizeBytes === 0 ? 4096 : sizeBytes + 1)
  let done = 0
  for (;;) {
    const count = await file.read(bytes.subarray(done), done)
    done += count
    if (done < bytes.length) return bytes.subarray(0, done)
    bytes = Buffer.concat([bytes, Buffer.allocUnsafeSlow(Math.max(bytes.length, 4096))])
  }
}

/** The real file system, for a thread that must not be held up. */
export const nodeFiles: Files = filesOf(new SharedThreadPace())

/** The same for a worker thread that does one thing at a time: every call is made in place, fsync and all. */
export const workerFiles: Files = filesOf(OWN_THREAD)

/** The folder that a path leads to, links followed; the path itself where it leads nowhere. Blocks. */
export function realFolder(path: string): string {
  try {
    return fs.realpathSync.native(path)
  } catch {
    return path
  }
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

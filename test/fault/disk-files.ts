import { IntakeError } from '../../src/errors.js'
import type { DirectoryEntry, FilePath, FileStat, Files, OpenFile } from '../../src/runtime/files.js'
import { type Disk, type Inode, systemError } from './disk.js'

/** The power went: this operation and every later one of the same instance fails, and changes nothing. */
export class PowerLost extends Error {
  override readonly name = 'PowerLost'
}

/**
 * What happens at one operation. `power`: the machine stops before it; `kill`: the process does, and the page cache stays. `torn`: a write of which half gets there before the disk is full
 * (what a short write comes to). `full`, `io`, `denied`, `descriptors`: ENOSPC, EIO, EACCES, EMFILE; of a file's fsync that fails the data are
 * lost. `abort`: an fsync fails and takes the journal with it, so that nothing can be changed until the next boot (ext4, XFS, btrfs).
 */
export type FaultKind = 'power' | 'kill' | 'full' | 'torn' | 'io' | 'denied' | 'descriptors' | 'abort'

export type OperationName =
  | 'openRead'
  | 'create'
  | 'overwrite'
  | 'openAppend'
  | 'readFile'
  | 'list'
  | 'names'
  | 'stat'
  | 'makeDirectory'
  | 'link'
  | 'rename'
  | 'remove'
  | 'removeDirectory'
  | 'syncDirectory'
  | 'setMode'
  | 'freeBytes'
  | 'fileStat'
  | 'fileRead'
  | 'fileWrite'
  | 'fileTruncate'
  | 'fileSync'
  | 'fileClose'

export interface Operation {
  readonly name: OperationName
  readonly path: string
  /** For link and rename: the other name. */
  readonly from: string | null
}

const CHANGES: ReadonlySet<OperationName> = new Set([
  'create',
  'overwrite',
  'openAppend',
  'makeDirectory',
  'link',
  'rename',
  'remove',
  'removeDirectory',
  'syncDirectory',
  'setMode',
  'fileWrite',
  'fileTruncate',
  'fileSync',
])
const ALLOCATES: ReadonlySet<OperationName> = new Set([
  'create',
  'overwrite',
  'openAppend',
  'makeDirectory',
  'link',
  'rename',
  'fileWrite',
  'fileSync',
])
const OPENS: ReadonlySet<OperationName> = new Set([
  'openRead',
  'create',
  'overwrite',
  'openAppend',
  'readFile',
  'list',
  'names',
  'syncDirectory',
])
const ASKS_FOR_RIGHTS: ReadonlySet<OperationName> = new Set([
  'openRead',
  'create',
  'overwrite',
  'openAppend',
  'readFile',
  'list',
  'names',
  'stat',
  'makeDirectory',
  'link',
  'rename',
  'remove',
  'removeDirectory',
  'setMode',
])

/** Where each kind of fault can strike. */
export function canStrike(kind: FaultKind, operation: OperationName): boolean {
  switch (kind) {
    case 'power':
    case 'kill':
      return CHANGES.has(operation)
    case 'full':
      return ALLOCATES.has(operation)
    case 'torn':
      return operation === 'fileWrite'
    case 'io':
      return true
    case 'abort':
      return operation === 'fileSync' || operation === 'syncDirectory'
    case 'denied':
      return ASKS_FOR_RIGHTS.has(operation)
    case 'descriptors':
      return OPENS.has(operation)
  }
}

/** At the `at`-th operation (from 1) of those where this kind can strike; with `on` of those whose name and path it matches ("fileSync /ws/…"). */
export interface Fault {
  readonly kind: FaultKind
  readonly at: number
  readonly on?: RegExp
}

export interface DiskFilesOptions {
  readonly faults?: readonly Fault[]
  /** True: this fsync says that it was done, and does nothing (for mutants of the protocol). */
  readonly skipsSync?: (operation: Operation) => boolean
  /** Called with every operation before it is carried out. */
  readonly onOperation?: (operation: Operation) => void
}

const keyOf = (path: FilePath): string =>
  (typeof path === 'string' ? Buffer.from(path, 'utf8') : path).toString('latin1').replace(/(?<=.)\/+$/, '')

/** The port of src/runtime/files.ts on a `Disk`, with faults at chosen operations. Every operation is one step: nothing comes in between. */
export class DiskFiles implements Files {
  /** The faults that struck, with the operation. */
  readonly struck: { readonly kind: FaultKind; readonly operation: Operation }[] = []
  /** Operations carried out or refused so far. */
  count = 0
  /** Descriptors that are open. */
  open = 0
  isDead = false
  isReadOnly = false
  private readonly counts = new Map<Fault, number>()

  constructor(
    readonly disk: Disk,
    private readonly options: DiskFilesOptions = {},
  ) {}

  /** The process is gone: whatever it still tries has no effect. */
  kill(): void {
    this.isDead = true
  }

  /** Throws what the operation comes to; returns 'torn' for a write that gets half way. */
  private step(name: OperationName, path: string, from: string | null = null): 'torn' | null {
    const operation = { name, path, from }
    if (this.isDead) throw new PowerLost(`${name} ${path}`)
    this.count++
    this.options.onOperation?.(operation)
    if (this.isReadOnly && CHANGES.has(name)) {
      if (name === 'fileSync' || name === 'syncDirectory') throw this.syncFailed(path, 'EIO')
      throw systemError('EROFS', `${name} ${path}`)
    }
    let torn = false
    for (const fault of this.options.faults ?? []) {
      const { kind } = fault
      if (!canStrike(kind, name) || fault.on?.test(`${name} ${path}`) === false) continue
      const count = (this.counts.get(fault) ?? 0) + 1
      this.counts.set(fault, count)
      if (fault.at !== count) continue
      this.struck.push({ kind, operation })
      if (kind === 'torn') torn = true
      else this.strike(kind, operation)
    }
    return torn ? 'torn' : null
  }

  private strike(kind: Exclude<FaultKind, 'torn'>, { name, path }: Operation): never {
    const what = `${name} ${path} (injected)`
    switch (kind) {
      case 'power':
      case 'kill':
        this.isDead = true
        throw new PowerLost(what)
      case 'full':
        if (name === 'fileSync') throw this.syncFailed(path, 'ENOSPC')
        throw new IntakeError('DISK_FULL', what, { cause: systemError('ENOSPC', what) })
      case 'io':
        if (name === 'fileSync' || name === 'syncDirectory') throw this.syncFailed(path, 'EIO')
        throw systemError('EIO', what)
      case 'abort':
        this.isReadOnly = true
        throw this.syncFailed(path, 'EIO')
      case 'denied':
        throw systemError('EACCES', what)
      case 'descriptors':
        throw systemError('EMFILE', what)
    }
  }

  private syncFailed(path: string, code: string): IntakeError {
    return new IntakeError('FSYNC_FAILED', `${path} (injected)`, { cause: systemError(code, path) })
  }

  private handle(inode: Inode, path: string, mode: 'read' | 'write' | 'append'): OpenFile {
    const { disk } = this
    let isOpen = true
    let position = 0
    this.open++
    const use = (): void => {
      if (!isOpen) throw new Error(`${path} is used after it was closed`)
    }
    const put = (bytes: Uint8Array, at: number): void => {
      use()
      if (mode === 'read') throw systemError('EBADF', path)
      const torn = this.step('fileWrite', path) === 'torn'
      disk.write(inode, torn ? bytes.subarray(0, bytes.length >> 1) : bytes, at)
      if (torn) throw new IntakeError('DISK_FULL', `${path} (injected, half written)`, { cause: systemError('ENOSPC', path) })
    }
    return {
      stat: async () => {
        use()
        this.step('fileStat', path)
        return disk.stat(inode)
      },
      read: async (target, from) => {
        use()
        this.step('fileRead', path)
        return inode.bytes.copy(target, 0, from, from + target.length)
      },
      write: async (bytes) => {
        const at = mode === 'append' ? inode.bytes.length : position
        put(bytes, at)
        position = at + bytes.length
      },
      writeAt: async (bytes, at) => put(bytes, at),
      truncate: async (size) => {
        use()
        this.step('fileTruncate', path)
        disk.truncate(inode, size)
      },
      sync: async () => {
        use()
        try {
          this.step('fileSync', path)
        } catch (error) {
          if (error instanceof IntakeError && !this.isReadOnly) disk.loseBytes(inode)
          throw error
        }
        if (this.options.skipsSync?.({ name: 'fileSync', path, from: null }) !== true) disk.syncBytes(inode)
      },
      close: async () => {
        use()
        isOpen = false
        this.open--
        this.step('fileClose', path)
      },
    }
  }

  async openRead(path: FilePath): Promise<OpenFile | null> {
    const key = keyOf(path)
    this.step('openRead', key)
    const inode = this.disk.lookUp(key)
    if (inode === null) return null
    if (inode.kind === 'symlink') throw systemError('ELOOP', key)
    return this.handle(inode, key, 'read')
  }

  async create(path: FilePath, options: { mode?: number } = {}): Promise<OpenFile | 'exists'> {
    const key = keyOf(path)
    this.step('create', key)
    if (this.disk.lookUp(key) !== null) return 'exists'
    return this.handle(this.disk.make(key, 'file', options.mode ?? 0o640), key, 'write')
  }

  async overwrite(path: FilePath, options: { mode?: number } = {}): Promise<OpenFile> {
    const key = keyOf(path)
    this.step('overwrite', key)
    const there = this.disk.lookUp(key)
    if (there !== null) this.disk.truncate(there, 0)
    return this.handle(there ?? this.disk.make(key, 'file', options.mode ?? 0o640), key, 'write')
  }

  async openAppend(path: FilePath, options: { mode?: number } = {}): Promise<OpenFile> {
    const key = keyOf(path)
    this.step('openAppend', key)
    return this.handle(this.disk.lookUp(key) ?? this.disk.make(key, 'file', options.mode ?? 0o640), key, 'append')
  }

  async read(path: FilePath): Promise<Buffer | null> {
    const key = keyOf(path)
    this.step('readFile', key)
    const inode = this.disk.lookUp(key)
    if (inode?.kind === 'directory') throw systemError('EISDIR', key)
    return inode === null ? null : Buffer.from(inode.bytes)
  }

  async list(path: FilePath): Promise<DirectoryEntry[] | null> {
    const folder = this.folder('list', keyOf(path))
    return folder === null ? null : this.disk.entries(folder)
  }

  async names(path: FilePath): Promise<string[] | null> {
    const folder = this.folder('names', keyOf(path))
    return folder === null ? null : [...folder.names.keys()]
  }

  private folder(name: 'list' | 'names', key: string): Inode | null {
    this.step(name, key)
    const inode = this.disk.lookUp(key)
    if (inode !== null && inode.kind !== 'directory') throw systemError('ENOTDIR', key)
    return inode
  }

  async stat(path: FilePath): Promise<FileStat | null> {
    const key = keyOf(path)
    this.step('stat', key)
    try {
      const inode = this.disk.lookUp(key)
      return inode === null ? null : this.disk.stat(inode)
    } catch {
      return null
    }
  }

  async makeDirectory(path: FilePath, options: { mode?: number } = {}): Promise<'created' | 'exists'> {
    const key = keyOf(path)
    this.step('makeDirectory', key)
    if (this.disk.lookUp(key) !== null) return 'exists'
    this.disk.make(key, 'directory', options.mode ?? 0o750)
    return 'created'
  }

  async link(from: FilePath, to: FilePath): Promise<'linked' | 'exists'> {
    this.step('link', keyOf(to), keyOf(from))
    if (this.disk.lookUp(keyOf(to)) !== null) return 'exists'
    this.disk.link(keyOf(from), keyOf(to))
    return 'linked'
  }

  async rename(from: FilePath, to: FilePath): Promise<void> {
    this.step('rename', keyOf(to), keyOf(from))
    this.disk.rename(keyOf(from), keyOf(to))
  }

  async remove(path: FilePath): Promise<'removed' | 'absent'> {
    const key = keyOf(path)
    this.step('remove', key)
    const inode = this.disk.lookUp(key)
    if (inode === null) return 'absent'
    if (inode.kind === 'directory') throw systemError('EISDIR', key)
    this.disk.remove(key)
    return 'removed'
  }

  async removeDirectory(path: FilePath): Promise<'removed' | 'absent' | 'not-empty'> {
    const key = keyOf(path)
    this.step('removeDirectory', key)
    const inode = this.disk.lookUp(key)
    if (inode === null) return 'absent'
    if (inode.names.size > 0) return 'not-empty'
    this.disk.remove(key)
    return 'removed'
  }

  async syncDirectory(path: FilePath): Promise<void> {
    const key = keyOf(path)
    // Where it fails the names wait for another fsync: file systems that lose them take no more changes (`abort`).
    this.step('syncDirectory', key)
    const folder = this.disk.lookUp(key)
    if (folder === null) throw systemError('ENOENT', key)
    if (this.options.skipsSync?.({ name: 'syncDirectory', path: key, from: null }) !== true) this.disk.syncNames(folder)
  }

  async setMode(path: FilePath, mode: number): Promise<void> {
    const key = keyOf(path)
    this.step('setMode', key)
    const inode = this.disk.lookUp(key)
    if (inode === null) throw systemError('ENOENT', key)
    inode.mode = mode
  }

  async freeBytes(path: FilePath): Promise<number> {
    this.step('freeBytes', keyOf(path))
    return Number.MAX_SAFE_INTEGER
  }
}

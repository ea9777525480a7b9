import type { DirectoryEntry, FileKind, FileStat } from '../../src/runtime/files.js'
import type { FactReader } from '../support/check-invariants.js'

/** Numbers in [0, 1) from a seed: the same on every machine. (Mulberry32.) */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * What a power cut leaves of changes that were not synced. `random` decides for every change by itself, with a leaning that the seed gives;
 * the others are the corners: nothing or all of it, names without the data of their files (which then are zeros), data without names.
 */
export type CutMode = 'nothing' | 'everything' | 'names' | 'data' | 'random'

export interface PowerCut {
  readonly mode: CutMode
  readonly seed: number
}

const PAGE_BYTES = 4096
const SECTOR_BYTES = 512

/** One change of names: a rename has two halves, and they reach the disk together or not at all (as in the journals of ext4, XFS and btrfs). */
interface Transaction {
  isDurable: boolean
}

interface NameChange {
  readonly name: string
  /** null: the name goes. */
  readonly target: Inode | null
  readonly transaction: Transaction
}

export interface Inode {
  readonly number: number
  readonly kind: FileKind
  mode: number
  mtimeNs: bigint
  ctimeNs: bigint
  links: number
  /** Files: what programs see. */
  bytes: Buffer
  /** Files: what the disk has. The same buffer as `bytes` as long as nobody wrote. */
  durable: Buffer
  /** Files: pages written to since the last fsync. */
  readonly dirty: Set<number>
  /** Files: every size since the last fsync, the first being the durable one; `cut` marks where the file was truncated. */
  sizes: { readonly bytes: number; readonly cut: boolean }[]
  /** Folders: what programs see, and what the disk has. Names are latin1 texts of their bytes. */
  readonly names: Map<string, Inode>
  durableNames: Map<string, Inode>
  changes: NameChange[]
}

export function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code })
}

/**
 * A disk with a page cache in front of it, in memory. What is written is seen at once and durable only by fsync: of a file for its bytes and
 * size, of a folder for the names in it. `afterPowerCut` gives the disk as the next boot finds it; a process that dies leaves it as it is.
 *
 * The model is as unkind as POSIX allows, save that a rename is one change: pages reach the disk in any order and torn at sectors, a size
 * without its data (zeros), names in any order. An fsync of a file that fails marks the pages clean although they are lost (Linux), so a second
 * one succeeds without having written them.
 */
export class Disk {
  private nextNumber = 2
  private timeNs: bigint
  readonly root: Inode

  constructor(startMs: number) {
    this.timeNs = BigInt(startMs) * 1_000_000n
    this.root = this.inode('directory', 0o750)
    this.root.links = 1
  }

  /** A copy of a disk of which everything is durable. Bytes are shared until somebody writes. */
  copy(): Disk {
    return this.image((inode) => ({ bytes: inode.durable, names: inode.durableNames }))
  }

  /** Makes everything durable, as if the machine had been idle for long. */
  settle(): void {
    for (const inode of this.inodes((i) => i.names.values())) {
      if (inode.kind === 'directory') this.syncNames(inode)
      else this.syncBytes(inode)
    }
  }

  afterPowerCut(cut: PowerCut): Disk {
    const random = randomOf(cut.seed)
    const leaning = [0.1, 0.5, 0.9][Math.floor(random() * 3)]!
    const survives = (kind: 'names' | 'data'): boolean =>
      cut.mode === 'random' ? random() < leaning : cut.mode === 'everything' || cut.mode === kind
    const decided = new Map<Transaction, boolean>()
    return this.image((inode) => {
      if (inode.kind !== 'directory') return { bytes: bytesAfter(inode, survives, random), names: inode.durableNames }
      const names = new Map(inode.durableNames)
      for (const { name, target, transaction } of inode.changes) {
        if (!transaction.isDurable && !decided.has(transaction)) decided.set(transaction, survives('names'))
        if (!transaction.isDurable && decided.get(transaction) === false) continue
        if (target === null) names.delete(name)
        else names.set(name, target)
      }
      return { bytes: inode.durable, names }
    })
  }

  // Names

  lookUp(path: string): Inode | null {
    let at: Inode = this.root
    for (const name of path.split('/')) {
      if (name === '' || name === '.') continue
      if (at.kind !== 'directory') throw systemError('ENOTDIR', path)
      const next = at.names.get(name)
      if (next === undefined) return null
      at = next
    }
    return at
  }

  /** Throws ENOENT where there is no such folder. */
  parentOf(path: string): { folder: Inode; name: string } {
    const slash = path.lastIndexOf('/')
    const folder = this.lookUp(path.slice(0, slash))
    if (folder === null) throw systemError('ENOENT', path)
    if (folder.kind !== 'directory') throw systemError('ENOTDIR', path)
    return { folder, name: path.slice(slash + 1) }
  }

  make(path: string, kind: FileKind, mode: number): Inode {
    const { folder, name } = this.parentOf(path)
    const made = this.inode(kind, mode)
    this.change([{ folder, name, target: made }])
    return made
  }

  link(from: string, to: string): void {
    const target = this.lookUp(from)
    if (target === null) throw systemError('ENOENT', from)
    if (target.kind === 'directory') throw systemError('EPERM', from)
    const { folder, name } = this.parentOf(to)
    if (folder.names.has(name)) throw systemError('EEXIST', to)
    this.change([{ folder, name, target }])
    target.ctimeNs = this.tick()
  }

  rename(from: string, to: string): void {
    const target = this.lookUp(from)
    if (target === null) throw systemError('ENOENT', from)
    const old = this.parentOf(from)
    const { folder, name } = this.parentOf(to)
    // Two names of one file: POSIX says that nothing happens.
    if (folder.names.get(name) === target) return
    this.change([
      { folder: old.folder, name: old.name, target: null },
      { folder, name, target },
    ])
    target.ctimeNs = this.tick()
  }

  remove(path: string): void {
    const { folder, name } = this.parentOf(path)
    const target = folder.names.get(name)
    if (target === undefined) throw systemError('ENOENT', path)
    if (target.kind === 'directory' && target.names.size > 0) throw systemError('ENOTEMPTY', path)
    this.change([{ folder, name, target: null }])
    target.ctimeNs = this.tick()
  }

  syncNames(folder: Inode): void {
    for (const { name, target, transaction } of folder.changes) {
      transaction.isDurable = true
      if (target === null) folder.durableNames.delete(name)
      else folder.durableNames.set(name, target)
    }
    folder.changes = []
  }

  // Bytes

  write(inode: Inode, bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return
    const end = at + bytes.length
    const grown = Buffer.alloc(Math.max(end, inode.bytes.length))
    inode.bytes.copy(grown)
    grown.set(bytes, at)
    if (grown.length !== inode.bytes.length) inode.sizes.push({ bytes: grown.length, cut: false })
    inode.bytes = grown
    for (let page = Math.floor(at / PAGE_BYTES); page * PAGE_BYTES < end; page++) inode.dirty.add(page)
    inode.mtimeNs = inode.ctimeNs = this.tick()
  }

  truncate(inode: Inode, size: number): void {
    if (size === inode.bytes.length) return
    const bytes = Buffer.alloc(size)
    inode.bytes.copy(bytes)
    inode.sizes.push({ bytes: size, cut: size < inode.bytes.length })
    inode.bytes = bytes
    inode.mtimeNs = inode.ctimeNs = this.tick()
  }

  syncBytes(inode: Inode): void {
    const durable = resized(cutBack(inode, inode.sizes.length - 1), inode.bytes.length)
    for (const page of inode.dirty) inode.bytes.copy(durable, page * PAGE_BYTES, page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
    this.setDurable(inode, durable)
  }

  /** An fsync that failed: the size may have got there, the pages did not, and nobody will write them any more. */
  loseBytes(inode: Inode): void {
    this.setDurable(inode, resized(cutBack(inode, inode.sizes.length - 1), inode.bytes.length))
  }

  stat(inode: Inode): FileStat {
    return {
      kind: inode.kind,
      sizeBytes: inode.kind === 'directory' ? 4096 : inode.bytes.length,
      mtimeNs: inode.mtimeNs,
      ctimeNs: inode.ctimeNs,
      inode: BigInt(inode.number),
      device: 1n,
      mode: inode.mode,
      links: inode.links,
    }
  }

  entries(folder: Inode): DirectoryEntry[] {
    return [...folder.names].map(([name, inode]) => ({ name: Buffer.from(name, 'latin1'), kind: inode.kind }))
  }

  /** Every path with its kind and bytes, for messages and for comparing two disks. */
  listing(): string[] {
    const lines: string[] = []
    const walk = (folder: Inode, path: string): void => {
      for (const [name, inode] of [...folder.names].sort(([a], [b]) => (a < b ? -1 : 1))) {
        lines.push(inode.kind === 'directory' ? `${path}/${name}/` : `${path}/${name} ${inode.bytes.length}`)
        if (inode.kind === 'directory') walk(inode, `${path}/${name}`)
      }
    }
    walk(this.root, '')
    return lines
  }

  /** For the check of the invariants: the folder `root` of this disk. */
  reader(root: string): FactReader {
    const find = (path: string): Inode | null => {
      try {
        return this.lookUp(`${root}/${path}`)
      } catch {
        return null
      }
    }
    return {
      read: (path) => {
        const inode = find(path)
        return inode === null || inode.kind !== 'file' ? null : inode.bytes
      },
      list: (path) => {
        const folder = find(path)
        if (folder === null || folder.kind !== 'directory') return []
        return [...folder.names].map(([name, { kind }]) => ({ name, kind: kind === 'file' || kind === 'directory' ? kind : 'other' }))
      },
    }
  }

  private change(parts: readonly { folder: Inode; name: string; target: Inode | null }[]): void {
    const transaction: Transaction = { isDurable: false }
    for (const { folder, name, target } of parts) {
      const before = folder.names.get(name)
      if (before !== undefined) before.links--
      if (target === null) folder.names.delete(name)
      else {
        folder.names.set(name, target)
        target.links++
      }
      folder.changes.push({ name, target, transaction })
      folder.mtimeNs = folder.ctimeNs = this.tick()
    }
  }

  private setDurable(inode: Inode, durable: Buffer): void {
    inode.durable = durable
    inode.dirty.clear()
    inode.sizes = [{ bytes: durable.length, cut: false }]
  }

  private tick(): bigint {
    this.timeNs += 1000n
    return this.timeNs
  }

  private inode(kind: FileKind, mode: number): Inode {
    const nothing = Buffer.alloc(0)
    const now = this.tick()
    return {
      number: this.nextNumber++,
      kind,
      mode,
      mtimeNs: now,
      ctimeNs: now,
      links: 0,
      bytes: nothing,
      durable: nothing,
      dirty: new Set(),
      sizes: [{ bytes: 0, cut: false }],
      names: new Map(),
      durableNames: new Map(),
      changes: [],
    }
  }

  private inodes(children: (inode: Inode) => Iterable<Inode>): Set<Inode> {
    const found = new Set<Inode>([this.root])
    for (const inode of found) for (const child of children(inode)) found.add(child)
    return found
  }

  /** A new disk, all of it durable, from what `of` says each inode holds. Numbers and times stay. */
  private image(of: (inode: Inode) => { bytes: Buffer; names: ReadonlyMap<string, Inode> }): Disk {
    const disk = new Disk(0)
    disk.timeNs = this.timeNs
    disk.nextNumber = this.nextNumber
    const made = new Map<Inode, Inode>()
    const take = (from: Inode): Inode => {
      let to = made.get(from)
      if (to === undefined) {
        const { bytes, names } = of(from)
        to = { ...from, links: 0, bytes, durable: bytes, dirty: new Set(), sizes: [{ bytes: bytes.length, cut: false }] } as Inode
        made.set(from, to)
        const own = new Map<string, Inode>()
        for (const [name, child] of names) {
          const inode = take(child)
          inode.links++
          own.set(name, inode)
        }
        Object.assign(to, { names: own, durableNames: new Map(own), changes: [] })
      }
      return to
    }
    Object.assign(disk, { root: take(this.root) })
    disk.root.links = 1
    return disk
  }
}

function resized(bytes: Buffer, size: number): Buffer {
  const out = Buffer.alloc(size)
  bytes.copy(out)
  return out
}

/** The durable bytes as truncations up to the size at `index` have left them. */
function cutBack(inode: Inode, index: number): Buffer {
  let bytes = inode.durable
  for (const size of inode.sizes.slice(1, index + 1)) if (size.cut) bytes = bytes.subarray(0, size.bytes)
  return bytes
}

function bytesAfter(inode: Inode, survives: (kind: 'names' | 'data') => boolean, random: () => number): Buffer {
  if (inode.sizes.length === 1 && inode.dirty.size === 0) return inode.durable
  // The size is kept with the names, in the journal.
  const last = inode.sizes.length - 1
  const index = survives('names') ? (random() < 0.8 ? last : Math.floor(random() * (last + 1))) : 0
  const cutLater = inode.sizes.slice(index + 1).some((size) => size.cut)
  const bytes = resized(cutBack(inode, index), inode.sizes[index]!.bytes)
  // Blocks that a truncation gave free are not written to before it is durable.
  if (cutLater) return bytes
  for (const page of inode.dirty) {
    if (!survives('data')) continue
    const torn = random() < 0.25
    for (let at = page * PAGE_BYTES; at < Math.min((page + 1) * PAGE_BYTES, bytes.length); at += SECTOR_BYTES) {
      if (!torn || random() < 0.5) inode.bytes.copy(bytes, at, at, Math.min(at + SECTOR_BYTES, bytes.length))
    }
  }
  return bytes
}

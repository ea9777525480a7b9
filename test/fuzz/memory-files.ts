import type { FilePath, FileStat, Files, OpenFile } from '../../src/runtime/files.js'

/** A file of bytes that grow as they are written. */
class MemoryFile implements OpenFile {
  private room: Buffer
  private used: number

  constructor(bytes: Buffer) {
    this.room = bytes
    this.used = bytes.length
  }

  get bytes(): Buffer {
    return this.room.subarray(0, this.used)
  }

  async stat(): Promise<FileStat> {
    return { kind: 'file', sizeBytes: this.used, mtimeNs: 0n, ctimeNs: 0n, inode: 1n, device: 1n, mode: 0o640, links: 1 }
  }

  async read(target: Uint8Array, positionBytes: number): Promise<number> {
    const length = Math.max(0, Math.min(target.length, this.used - positionBytes))
    if (length > 0) target.set(this.room.subarray(positionBytes, positionBytes + length))
    return length
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.put(bytes, this.used)
  }

  async writeAt(bytes: Uint8Array, positionBytes: number): Promise<void> {
    this.put(bytes, positionBytes)
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.used = Math.min(this.used, sizeBytes)
  }

  async sync(): Promise<void> {}

  async close(): Promise<void> {}

  private put(bytes: Uint8Array, at: number): void {
    const end = at + bytes.length
    if (end > this.room.length) {
      const larger = Buffer.alloc(Math.max(end, this.room.length * 2, 4096))
      larger.set(this.bytes)
      this.room = larger
    }
    this.room.set(bytes, at)
    this.used = Math.max(this.used, end)
  }
}

/**
 * A file system in memory, as far as a conversion needs one: folders are not looked at, nothing is durable, and `clear` forgets everything.
 * Fuzzing writes some files for each document, and a disk would be most of its time.
 */
export class MemoryFiles implements Files {
  private readonly files = new Map<string, MemoryFile>()

  /** Makes a file or replaces one. The bytes are not copied and must not change. */
  put(path: string, bytes: Buffer): void {
    this.files.set(path, new MemoryFile(bytes))
  }

  get(path: string): Buffer | null {
    return this.files.get(path)?.bytes ?? null
  }

  paths(): string[] {
    return [...this.files.keys()].sort()
  }

  clear(): void {
    this.files.clear()
  }

  async openRead(path: FilePath): Promise<OpenFile | null> {
    return this.files.get(String(path)) ?? null
  }

  async create(path: FilePath): Promise<OpenFile | 'exists'> {
    return this.files.has(String(path)) ? 'exists' : this.overwrite(path)
  }

  async overwrite(path: FilePath): Promise<OpenFile> {
    const file = new MemoryFile(Buffer.alloc(0))
    this.files.set(String(path), file)
    return file
  }

  async openAppend(path: FilePath): Promise<OpenFile> {
    return this.files.get(String(path)) ?? this.overwrite(path)
  }

  async read(path: FilePath): Promise<Buffer | null> {
    return this.get(String(path))
  }

  async list(): Promise<null> {
    return null
  }

  async names(): Promise<null> {
    return null
  }

  async stat(path: FilePath): Promise<FileStat | null> {
    return (await this.files.get(String(path))?.stat()) ?? null
  }

  async makeDirectory(): Promise<'created'> {
    return 'created'
  }

  async link(from: FilePath, to: FilePath): Promise<'linked' | 'exists'> {
    if (this.files.has(String(to))) return 'exists'
    this.files.set(String(to), this.existing(from))
    return 'linked'
  }

  async rename(from: FilePath, to: FilePath): Promise<void> {
    const file = this.existing(from)
    this.files.delete(String(from))
    this.files.set(String(to), file)
  }

  async remove(path: FilePath): Promise<'removed' | 'absent'> {
    return this.files.delete(String(path)) ? 'removed' : 'absent'
  }

  async removeDirectory(): Promise<'removed'> {
    return 'removed'
  }

  async syncDirectory(): Promise<void> {}

  async setMode(): Promise<void> {}

  async freeBytes(): Promise<number> {
    return Number.MAX_SAFE_INTEGER
  }

  private existing(path: FilePath): MemoryFile {
    const file = this.files.get(String(path))
    if (file === undefined) throw new Error(`there is no file ${String(path)}`)
    return file
  }
}

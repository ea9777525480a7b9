import { dirname, join } from 'node:path'
import { sha256Hex } from '../core/hashes.js'
import { isDerivedKey } from '../core/object-keys.js'
import { assert, IntakeError, systemCodeOf } from '../errors.js'
import type { Files, OpenFile } from '../runtime/files.js'
import { createFile } from '../runtime/files.js'
import { SharedSync } from '../runtime/shared-sync.js'
import type { ObjectBody, ObjectFacts, ObjectSource, ObjectStore, PutOptions, StoredObject } from './object-store.js'

const VERSION_MODE = 0o440
const DOCUMENT_MODE = 0o640
/** Folders remembered as durable; beyond that the memory is dropped and the next use of each syncs once more. */
const KNOWN_FOLDERS = 10_000

/**
 * The object-store port on a local file system. Only the holder of the store's lock writes, so `replace` may look and then rename.
 *
 * Temporary files lie in `scratch` (store/staging), never beside the objects: every name below records/ can be a record's.
 */
export class LocalObjectStore implements ObjectStore {
  readonly keepsAttributes = false
  readonly place: string
  private readonly files: Files
  private readonly sync: SharedSync
  private readonly root: string
  private readonly scratch: string
  /** What a key follows: the root in its plain form, and a slash. */
  private readonly prefix: string
  private readonly known = new Map<string, Promise<void>>()

  /** `scratch`: a folder on the same file system, `<root>/staging` by default; it must exist before the first write. */
  constructor(options: { files: Files; root: string; sync?: SharedSync; scratch?: string }) {
    this.files = options.files
    this.root = options.root
    this.place = options.root
    this.prefix = join(options.root, 'key').slice(0, -'key'.length)
    this.sync = options.sync ?? new SharedSync(options.files)
    this.scratch = options.scratch ?? join(options.root, 'staging')
  }

  pathOf(key: string): string {
    const segments = key.split('/')
    assert(
      segments.every((s) => s !== '' && s !== '.' && s !== '..'),
      'a key has plain segments',
    )
    return this.prefix + key
  }

  urlOf(key: string): string {
    return this.pathOf(key)
  }

  async read(key: string): Promise<StoredObject | null> {
    const path = this.pathOf(key)
    // A look first: to open what is not there makes an error, which costs more than all the rest of a new record's reading.
    const bytes = await absentIsNull(async () => ((await this.files.stat(path)) === null ? null : this.files.read(path)))
    return bytes === null ? null : { bytes, etag: sha256Hex(bytes) }
  }

  async open(key: string): Promise<ObjectBody | null> {
    const path = this.pathOf(key)
    const file = await absentIsNull(() => this.files.openRead(path))
    return file === null ? null : bodyOf(file, path)
  }

  async stat(key: string): Promise<ObjectFacts | null> {
    const stat = await absentIsNull(() => this.files.stat(this.pathOf(key)))
    return stat === null || stat.kind !== 'file' ? null : { sizeBytes: stat.sizeBytes, tx: null, attributes: {} }
  }

  async putIfAbsent(key: string, body: ObjectSource, options: PutOptions): Promise<'created' | 'exists'> {
    const path = this.pathOf(key)
    const staged = 'file' in body ? body.file : join(this.scratch, `${options.tx}.tmp`)
    if ('bytes' in body) {
      // A file of this name is what a crash left of the same transaction: it was never linked, or it is the very object (same inode).
      if ((await this.files.stat(staged)) !== null && !(await this.sameFile(staged, path))) await this.files.remove(staged)
      await createFile(this.files, staged, body.bytes, { mode: DOCUMENT_MODE })
    } else {
      const stat = await this.files.stat(staged)
      // Before the name exists: a version is never seen writable. (The stager makes the file with this mode; then there is nothing to do.)
      if (stat !== null && stat.mode !== VERSION_MODE) await this.files.setMode(staged, VERSION_MODE)
    }
    // The first version of a record has no folder yet; to look costs less than the error of a link that has nowhere to go.
    if ((await this.files.stat(dirname(path))) === null) await this.makeFolders(dirname(path))
    // link, never rename: rename would overwrite. A crash from here on leaves the name or does not; recovery finds the plan either way.
    let linked = await this.tryLink(staged, path)
    if (linked === 'no-folder') {
      await this.makeFolders(dirname(path))
      linked = await this.tryLink(staged, path)
      if (linked === 'no-folder') throw new IntakeError('IO_FAILED', `The folder of ${key} went away while it was written`)
    }
    if (linked === 'exists' && !(await this.sameFile(staged, path))) {
      if ('bytes' in body) await this.files.remove(staged)
      return 'exists'
    }
    // Also when our own earlier attempt had made the name: nobody knows whether its fsync was reached.
    await this.files.syncDirectory(dirname(path))
    if ('bytes' in body) await this.files.remove(staged)
    return 'created'
  }

  async replace(key: string, bytes: Uint8Array, expected: string | null, options: PutOptions): Promise<{ etag: string } | 'conflict'> {
    const path = this.pathOf(key)
    const etag = sha256Hex(bytes)
    const there = await this.read(key)
    // Bytes that are there already are written once more all the same: an earlier attempt may have died before its fsync.
    if ((there?.etag ?? null) !== expected && there?.etag !== etag) return 'conflict'
    if (there === null) await this.makeFolders(dirname(path))
    const temporary = join(this.scratch, `${options.tx}.tmp`)
    const file = await this.files.overwrite(temporary, { mode: DOCUMENT_MODE })
    try {
      await file.write(bytes)
      // Before the rename: otherwise the name could survive a power cut and the bytes not.
      await file.sync()
    } finally {
      await file.close()
    }
    await this.files.rename(temporary, path)
    // Not before this has returned is anybody told that it happened.
    await this.files.syncDirectory(dirname(path))
    return { etag }
  }

  async *list(prefix: string, options: { readonly skip?: string } = {}): AsyncIterable<string> {
    assert(prefix === '' || prefix.endsWith('/'), 'a prefix is empty or ends in "/"')
    yield* this.walk(prefix, options.skip)
  }

  async remove(key: string): Promise<void> {
    assert(isDerivedKey(key), 'only what is derived is ever removed')
    await absentIsNull(() => this.files.remove(this.pathOf(key)).then(() => null))
  }

  private async *walk(prefix: string, skip: string | undefined): AsyncIterable<string> {
    const folder = prefix === '' ? this.root : this.pathOf(prefix.slice(0, -1))
    const entries = await absentIsNull(() => this.files.list(folder))
    if (entries === null) return
    entries.sort((a, b) => Buffer.compare(a.name, b.name))
    for (const entry of entries) {
      const key = `${prefix}${entry.name.toString('utf8')}`
      if (entry.kind === 'directory') {
        if (key.slice(prefix.length) !== skip) yield* this.walk(`${key}/`, skip)
      } else if (entry.kind === 'file') yield key
    }
  }

  private async tryLink(from: string, to: string): Promise<'linked' | 'exists' | 'no-folder'> {
    try {
      return await this.files.link(from, to)
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT' && (await this.files.stat(from)) !== null) return 'no-folder'
      throw error
    }
  }

  private async sameFile(a: string, b: string): Promise<boolean> {
    const [left, right] = [await this.files.stat(a), await this.files.stat(b)]
    return left !== null && right !== null && left.inode === right.inode && left.device === right.device
  }

  /**
   * Makes the folders of an object and their names durable, from the root down: a folder is made only when the one above it is durable.
   * So where an object's own folder exists, all above it are safe, and the put of a further object there need not look.
   * A folder that exists when this process first meets it is synced once too: whoever made it may have been killed before the fsync.
   */
  private async makeFolders(folder: string): Promise<void> {
    if (folder === this.root || folder.length <= this.root.length) return
    if (this.known.size > KNOWN_FOLDERS) this.known.clear()
    let made = this.known.get(folder)
    if (made === undefined) {
      made = this.makeFolder(folder)
      this.known.set(folder, made)
      // A failure is not remembered: the next caller tries again (after FSYNC_FAILED the store takes no writes at all).
      made.catch(() => this.known.delete(folder))
    }
    await made
  }

  private async makeFolder(folder: string): Promise<void> {
    const parent = dirname(folder)
    await this.makeFolders(parent)
    await this.files.makeDirectory(folder)
    await this.sync.sync(parent)
  }
}

function bodyOf(file: OpenFile, path: string): Promise<ObjectBody> {
  return file.stat().then(
    (stat): ObjectBody => ({
      sizeBytes: stat.sizeBytes,
      async read(start, end) {
        const target = new Uint8Array(end - start)
        const got = await file.read(target, start)
        if (got !== target.length) throw new IntakeError('PARQUET_INVALID', `${path} ends at byte ${start + got}, before byte ${end}`)
        return target
      },
      close: () => file.close(),
    }),
    async (error: unknown) => {
      await file.close()
      throw error
    },
  )
}

/** A key below an object that is a file (ENOTDIR) is as absent as one below nothing. */
async function absentIsNull<T>(look: () => Promise<T | null>): Promise<T | null> {
  try {
    return await look()
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOTDIR' || code === 'ENOENT') return null
    throw error
  }
}

import type { FilePath, Files, OpenFile } from '../../src/runtime/files.js'

/** How a drop is cut: after so many changes of its own on the disk nothing of it is ever heard again. */
export interface Cut {
  readonly changes: number
  /** The last change, where it is a write, writes half of its bytes. */
  readonly torn: boolean
}

interface Life {
  readonly cut: Cut
  done: number
}

const DROP_ID = /\d{8}T\d{9}Z-\d{6}-[0-9a-f]{16}/
const NAME = /(?:log|new|signed)-\d+/

/**
 * The real files, in which each drop dies by itself: its calls stop being answered after the changes that `cutOf` gives it, while all others go
 * on. With the process killed in the end, the disk is as if each drop had met the end at an instant of its own. What is shared (the anchor
 * log, folders of all) belongs to nobody and is never cut.
 */
export class CutFiles {
  private readonly names = new Map<string, string>()
  private readonly lives = new Map<string, Life>()
  /** Drops that were cut. */
  readonly dead = new Set<string>()

  constructor(
    private readonly inner: Files,
    /** null: it lives. */
    private readonly cutOf: (name: string) => Cut | null,
  ) {}

  readonly files: Files = {
    openRead: (path, options) => this.asked(path, async () => this.opened(path, await this.inner.openRead(path, options))),
    create: (path, options) =>
      this.changed(path, async () => {
        const file = await this.inner.create(path, options)
        return file === 'exists' ? file : this.opened(path, file)!
      }),
    overwrite: (path, options) => this.changed(path, async () => this.opened(path, await this.inner.overwrite(path, options))!),
    openAppend: (path, options) => this.changed(path, async () => this.opened(path, await this.inner.openAppend(path, options))!),
    read: (path) => this.asked(path, () => this.inner.read(path)),
    list: (path) => this.asked(path, () => this.inner.list(path)),
    names: (path) => this.asked(path, () => this.inner.names(path)),
    stat: (path) => this.asked(path, () => this.inner.stat(path)),
    freeBytes: (path) => this.inner.freeBytes(path),
    makeDirectory: (path, options) => this.changed(path, () => this.inner.makeDirectory(path, options)),
    link: (from, to) => this.changed(to, () => this.inner.link(from, to)),
    rename: (from, to) => this.changed(to, () => this.inner.rename(from, to)),
    remove: (path) => this.changed(path, () => this.inner.remove(path)),
    removeDirectory: (path) => this.changed(path, () => this.inner.removeDirectory(path)),
    syncDirectory: (path) => this.changed(path, () => this.inner.syncDirectory(path)),
    setMode: (path, mode) => this.changed(path, () => this.inner.setMode(path, mode)),
  }

  private opened(path: FilePath, file: OpenFile | null): OpenFile | null {
    if (file === null) return null
    return {
      stat: () => this.asked(path, () => file.stat()),
      read: (target, at) => this.asked(path, () => file.read(target, at)),
      write: (bytes) => {
        this.learn(path, bytes)
        return this.changed(
          path,
          () => file.write(bytes),
          () => file.write(bytes.subarray(0, bytes.length >> 1)),
        )
      },
      writeAt: (bytes, at) => this.changed(path, () => file.writeAt(bytes, at)),
      truncate: (size) => this.changed(path, () => file.truncate(size)),
      sync: () => this.changed(path, () => file.sync()),
      close: () => file.close(),
    }
  }

  /** drop.json says which file its drop-id stands for. */
  private learn(path: FilePath, bytes: Uint8Array): void {
    const text = String(path)
    if (!text.endsWith('drop.json')) return
    const name = NAME.exec((JSON.parse(Buffer.from(bytes).toString('utf8')) as { file: { path: string } }).file.path)
    if (name !== null) this.names.set(DROP_ID.exec(text)![0], name[0])
  }

  private lifeOf(path: FilePath): { readonly name: string; readonly life: Life } | null {
    const text = typeof path === 'string' ? path : path.toString('latin1')
    const id = DROP_ID.exec(text)
    const name = id === null ? NAME.exec(text)?.[0] : this.names.get(id[0])
    const cut = name === undefined ? null : this.cutOf(name)
    if (name === undefined || cut === null) return null
    const life = this.lives.get(name) ?? { cut, done: 0 }
    this.lives.set(name, life)
    return { name, life }
  }

  private async asked<T>(path: FilePath, call: () => Promise<T>): Promise<T> {
    const found = this.lifeOf(path)
    return found !== null && this.dead.has(found.name) ? never() : call()
  }

  private async changed<T>(path: FilePath, call: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    const found = this.lifeOf(path)
    if (found === null) return call()
    const { name, life } = found
    if (this.dead.has(name)) return never()
    life.done++
    if (life.done < life.cut.changes) return call()
    this.dead.add(name)
    await (life.cut.torn && half !== undefined ? half() : call())
    return never()
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}

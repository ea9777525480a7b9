import { type FilePath, type Files, nodeFiles, type OpenFile } from '../../../src/runtime/files.js'

/**
 * The real file system, watched: it counts calls, fails the k-th one (from 1) with EIO, and knows what is open. A failing close gives the
 * descriptor back all the same, as close(2) does.
 */
export class WatchedFiles {
  readonly calls: string[] = []
  private readonly open = new Set<string>()
  private opened = 0
  readonly files: Files

  constructor(
    private readonly failAt: number | null = null,
    /** May change the bytes of a file before a call on it. */
    private readonly before: (call: string, path: string) => Promise<void> = async () => {},
  ) {
    this.files = Object.fromEntries(
      (Object.keys(nodeFiles) as (keyof Files)[]).map((name) => [name, (...args: unknown[]) => this.call(name, args)]),
    ) as unknown as Files
  }

  get stillOpen(): string[] {
    return [...this.open]
  }

  get failed(): string | undefined {
    return this.failAt === null ? undefined : this.calls[this.failAt - 1]
  }

  private async call(name: keyof Files, args: unknown[]): Promise<unknown> {
    const path = String(args[0] as FilePath)
    await this.step(name, path)
    const result = await (nodeFiles[name] as (...a: unknown[]) => Promise<unknown>)(...args)
    const opens = ['openRead', 'create', 'overwrite', 'openAppend'].includes(name) && typeof result === 'object' && result !== null
    return opens ? this.watch(result as OpenFile, path) : result
  }

  private async step(name: string, path: string): Promise<void> {
    const call = `${name} ${path.slice(path.lastIndexOf('/') + 1)}`
    this.calls.push(call)
    await this.before(name, path)
    if (this.calls.length === this.failAt) throw Object.assign(new Error(`EIO: injected: ${call}`), { code: 'EIO' })
  }

  private watch(file: OpenFile, path: string): OpenFile {
    const key = `${path} #${this.opened++}`
    this.open.add(key)
    const self = this
    const wrapped = {
      async close() {
        self.open.delete(key)
        await file.close()
        await self.step('close', path)
      },
    } as unknown as Record<string, unknown>
    for (const method of ['stat', 'read', 'write', 'writeAt', 'truncate', 'sync'] as const) {
      wrapped[method] = async (...args: unknown[]) => {
        await self.step(method, path)
        return (file[method] as (...a: unknown[]) => Promise<unknown>).apply(file, args)
      }
    }
    return wrapped as unknown as OpenFile
  }
}

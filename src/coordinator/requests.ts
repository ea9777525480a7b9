import { basename, join } from 'node:path'
import { isRequestName, parseRequest, type Request } from '../documents/request.js'
import { IntakeError, isIntakeError, systemCodeOf } from '../errors.js'
import type { Files } from '../runtime/files.js'
import type { Logger } from '../runtime/logger.js'

const INTERVAL_MS = 500
const REQUEST_MAX_BYTES = 65_536

/**
 * Carries out the files in state/requests/. A request is removed only after what it asked for is durable, so a crash in between repeats
 * it. One that cannot be understood or done is renamed to `.refused`, kept, and logged; where only the machine stands in the way (disk
 * full, rights), it stays and is tried again with each look, and said once.
 */
export class Requests {
  private timer: NodeJS.Timeout | null = null
  private running: Promise<void> | null = null
  /** What was logged about requests that are tried again, so that a look every half second does not fill the log. */
  private readonly said = new Map<string, Set<string>>()
  /** Carried out, and not removed yet: once is enough. */
  private readonly done = new Set<string>()

  constructor(
    private readonly options: {
      files: Files
      folder: string
      logger: Logger
      /** Throws what stands in the way; a request that asks for something impossible is refused by an IntakeError. */
      handle: (request: Request, name: string) => Promise<void>
      /** A failed fsync, or a defect: nothing may be acknowledged any more. */
      onFatal: (error: unknown) => void
      intervalMs?: number
    },
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.poll(), this.options.intervalMs ?? INTERVAL_MS)
    this.timer.unref()
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    await this.running
  }

  /** Carries out what is there now. Never rejects. */
  poll(): Promise<void> {
    this.running ??= this.scan().finally(() => {
      this.running = null
    })
    return this.running
  }

  private async scan(): Promise<void> {
    const { files, folder } = this.options
    try {
      const entries = (await files.list(folder)) ?? []
      const names = entries.filter((e) => e.kind === 'file').map((e) => e.name.toString('latin1'))
      const paths = names
        .filter(isRequestName)
        .sort()
        .map((name) => join(folder, name))
      for (const path of this.said.keys()) if (path !== folder && !paths.includes(path)) this.said.delete(path)
      for (const path of this.done) if (!paths.includes(path)) this.done.delete(path)
      for (const path of paths) await this.one(path)
    } catch (error) {
      this.notYet(folder, error)
    }
  }

  private async one(path: string): Promise<void> {
    const { files, handle } = this.options
    try {
      if (!this.done.has(path)) {
        const stat = await files.stat(path)
        const bytes = stat === null || stat.sizeBytes > REQUEST_MAX_BYTES ? null : await files.read(path)
        // Taken back before anything was done about it.
        if (bytes === null && (stat === null || stat.sizeBytes <= REQUEST_MAX_BYTES)) return
        const request = bytes === null ? null : parseRequest(bytes)
        if (request === null) throw new IntakeError('USAGE', 'it is not a request')
        await handle(request, basename(path))
        this.done.add(path)
      }
      await files.remove(path)
    } catch (error) {
      if (!(error instanceof IntakeError) || isIntakeError(error, 'FSYNC_FAILED', 'DISK_FULL', 'IO_FAILED', 'ABORTED'))
        this.notYet(path, error)
      else await this.refuse(path, error)
    }
  }

  private async refuse(path: string, error: IntakeError): Promise<void> {
    this.sayOnce(path, { code: error.code }, `A request was refused: ${error.message}`)
    await this.options.files.rename(path, `${path}.refused`).catch((failure: unknown) => this.notYet(path, failure))
  }

  private notYet(path: string, error: unknown): void {
    const stopsEverything = isIntakeError(error, 'FSYNC_FAILED') || (!(error instanceof IntakeError) && systemCodeOf(error) === null)
    if (stopsEverything) this.options.onFatal(error)
    const message = error instanceof Error ? error.message : String(error)
    this.sayOnce(path, { error: message }, `A request could not be carried out yet: ${message}`)
  }

  private sayOnce(path: string, fields: { code?: string; error?: string }, sentence: string): void {
    const said = this.said.get(path) ?? new Set()
    if (said.has(sentence)) return
    this.said.set(path, said.add(sentence))
    this.options.logger.warn({ event: 'request.refused', path, ...fields }, sentence)
  }
}

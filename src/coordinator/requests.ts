import { join } from 'node:path'
import { isRequestName, parseRequest, type Request } from '../documents/request.js'
import { IntakeError } from '../errors.js'
import type { Files } from '../runtime/files.js'
import type { Logger } from '../runtime/logger.js'

const INTERVAL_MS = 500
const REQUEST_MAX_BYTES = 65_536

/**
 * Carries out the files in state/requests/. A request is removed only after what it asked for is durable, so a crash in between repeats
 * it; one that cannot be understood or done is renamed to `.refused`, kept, and logged.
 */
export class Requests {
  private timer: NodeJS.Timeout | null = null
  private running: Promise<void> | null = null

  constructor(
    private readonly options: {
      files: Files
      folder: string
      logger: Logger
      handle: (request: Request) => Promise<void>
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

  /** Carries out what is there now. */
  poll(): Promise<void> {
    this.running ??= this.scan().finally(() => {
      this.running = null
    })
    return this.running
  }

  private async scan(): Promise<void> {
    const { files, folder } = this.options
    const entries = (await files.list(folder)) ?? []
    const names = entries.filter((e) => e.kind === 'file').map((e) => e.name.toString('latin1'))
    for (const name of names.filter(isRequestName).sort()) await this.one(join(folder, name))
  }

  private async one(path: string): Promise<void> {
    const { files, logger, handle } = this.options
    try {
      const stat = await files.stat(path)
      const bytes = stat === null || stat.sizeBytes > REQUEST_MAX_BYTES ? null : await files.read(path)
      const request = bytes === null ? null : parseRequest(bytes)
      if (request === null) throw new IntakeError('USAGE', 'it is not a request')
      await handle(request)
      await files.remove(path)
    } catch (error) {
      // DISK_FULL and the like pass: the request stays and is tried again with the next look.
      if (!(error instanceof IntakeError) || !['USAGE', 'DROP_NOT_FOUND'].includes(error.code)) {
        logger.warn(
          { event: 'request.refused', path, error: (error as Error).message },
          `A request could not be carried out yet: ${(error as Error).message}`,
        )
        return
      }
      logger.warn({ event: 'request.refused', path, code: error.code }, `A request was refused: ${error.message}`)
      await files.rename(path, `${path}.refused`).catch(() => {})
    }
  }
}

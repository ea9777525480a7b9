import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Command, type Finished, MAIN, type Running, run, start } from './measure.js'
import { mixed } from './shapes/mixed.js'
import { tableOf } from './shapes/shape.js'

export interface BenchWorkspace {
  readonly root: string
  readonly configFile: string
  readonly inbox: string
  readonly store: string
}

/** A line of the daemon's log. */
export interface LogLine {
  readonly time: string
  readonly event: string
  readonly path?: string
  readonly drop_id?: string
}

/**
 * A new workspace that takes mixed rows: each file below `lab/` is a record, a file in `bulk/` holds many, by `borelog_id`. Files are taken
 * as soon as they are seen to stand still.
 */
export async function makeWorkspace(root: string): Promise<BenchWorkspace> {
  await run({ command: [MAIN, 'init', root, '--no-samples'] })
  const workspace = workspaceAt(root)
  await writeFile(join(root, 'config', 'tables', `${mixed.name}.json`), JSON.stringify(tableOf(mixed)))
  const config = JSON.parse(await readFile(workspace.configFile, 'utf8')) as Record<string, unknown>
  config.inbox = { settleMs: 0 }
  config.log = { level: 'debug' }
  config.sources = [
    { name: 'lab', match: 'lab/**/*.csv', table: mixed.name, record: '{path}', createdBy: 'lab-export' },
    { name: 'bulk', match: 'bulk/*.csv', table: mixed.name, record: 'bulk/{column:borelog_id}', createdBy: 'nightly-load' },
  ]
  await writeFile(workspace.configFile, JSON.stringify(config, null, 2))
  return workspace
}

export function workspaceAt(root: string): BenchWorkspace {
  return { root, configFile: join(root, 'config', 'intake.json'), inbox: join(root, 'inbox'), store: join(root, 'store') }
}

/** `run --once`. */
export function once(workspace: BenchWorkspace): Command {
  return { command: [MAIN, 'run', '--once', '--config', workspace.configFile] }
}

export function logOf(stderr: string): LogLine[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine)
}

/** What became of the drops of a run, by its log. Throws unless all of `drops` were committed. */
export function committedIn(stderr: string, drops: number): { readonly claimedMs: number; readonly receiptMs: number } {
  const log = logOf(stderr)
  const committed = log.filter((line) => line.event === 'drop.committed')
  if (committed.length !== drops) throw new Error(`${committed.length} of ${drops} drops were committed: ${stderr.slice(-2000)}`)
  // A drop-id holds the time at which the claim began; the line is written when it is durable.
  const claimed = log.filter((line) => line.event === 'drop.claimed').map((line) => timeOfDropId(line.drop_id!))
  return {
    claimedMs: claimed.reduce((a, b) => Math.min(a, b)),
    receiptMs: committed.map((line) => Date.parse(line.time)).reduce((a, b) => Math.max(a, b)),
  }
}

function timeOfDropId(id: string): number {
  const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-/.exec(id)!
  const [year, month, day, hour, minute, second, ms] = m.slice(1).map(Number) as [number, number, number, number, number, number, number]
  return Date.UTC(year, month - 1, day, hour, minute, second, ms)
}

/** A daemon that goes on running. */
export class Daemon {
  private readonly log: LogLine[] = []
  private ended: unknown = null

  private constructor(private readonly running: Running) {
    let rest = ''
    running.process.stderr!.on('data', (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split('\n')
      rest = lines.pop()!
      this.log.push(...logOf(lines.join('\n')))
    })
    running.finished.then(
      () => {
        this.ended = new Error('the daemon ended')
      },
      (error: unknown) => {
        this.ended = error
      },
    )
  }

  static async start(workspace: BenchWorkspace): Promise<Daemon> {
    const daemon = new Daemon(start({ command: [MAIN, 'run', '--config', workspace.configFile], statuses: [0] }))
    await daemon.heard((line) => line.event === 'daemon.started')
    return daemon
  }

  /** The first line that fits, now or later. */
  async heard(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const line = this.log.find(fits)
      if (line !== undefined) return line
      const failed = this.log.find((l) => ['drop.quarantined', 'daemon.failed', 'intake.paused'].includes(l.event))
      if (failed !== undefined) throw new Error(`the daemon says ${JSON.stringify(failed)}`)
      if (this.ended !== null) throw this.ended
      await pause(5)
    }
  }

  /** Ends it without waiting, if it is still there. */
  kill(): void {
    this.running.process.kill('SIGKILL')
  }

  /** Lets it finish what it is at. */
  stop(): Promise<Finished> {
    this.running.process.kill('SIGTERM')
    return this.running.finished
  }
}

import type { ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, watch } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { DecisionReceipt, DropReceipt, Receipt } from '../../src/documents/receipt.js'
import { type Finished, finished, runProgramToEnd, startProgram } from './built-program.js'
import { type OnEnd, temporaryFolder } from './temporary-folder.js'

/** A workspace made by the built program, and the built program run on it: real files, threads, signals and locks. */
export class IntakeWorkspace {
  private constructor(
    readonly root: string,
    private readonly onEnd: OnEnd,
  ) {}

  /** `config` holds top-level sections that replace those of the template, `inbox` members of that section. `onEnd`: for what `beforeAll` makes. */
  static async make(
    options: {
      sources?: readonly object[]
      tables?: Readonly<Record<string, object>>
      config?: object
      inbox?: object
      onEnd?: OnEnd
    } = {},
  ): Promise<IntakeWorkspace> {
    const onEnd = options.onEnd ?? onTestFinished
    const root = join(await temporaryFolder(onEnd), 'ws')
    const workspace = new IntakeWorkspace(root, onEnd)
    await workspace.run(['init', root, '--no-samples', '--principal', 'approver-456'], 0)
    const file = join(root, 'config/intake.json')
    const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    const inbox = { ...(config.inbox as object), settleMs: 50, rescanMs: 200, ...options.inbox }
    await writeFile(
      file,
      JSON.stringify({ ...config, inbox, ...(options.sources === undefined ? {} : { sources: options.sources }), ...options.config }),
    )
    for (const [name, table] of Object.entries(options.tables ?? {}))
      await writeFile(join(root, `config/tables/${name}.json`), JSON.stringify(table))
    return workspace
  }

  get configFile(): string {
    return join(this.root, 'config/intake.json')
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  /** Runs a verb to its end and checks its exit status. */
  async run(args: readonly string[], status: number | null = 0): Promise<Finished> {
    const verb = args[0] === 'init' ? args : [...args, '--config', this.configFile]
    const result = await runProgramToEnd(verb)
    if (status !== null && result.status !== status) {
      throw new Error(`parquet-intake ${args.join(' ')} ended with ${result.status}, not ${status}\n${result.stdout}\n${result.stderr}`)
    }
    return result
  }

  async json<T>(args: readonly string[], status: number | null = 0): Promise<T> {
    return JSON.parse((await this.run([...args, '--json'], status)).stdout) as T
  }

  /** Puts a file into the inbox as a careful producer does: written elsewhere, then renamed. */
  async drop(name: string, content: string | Uint8Array): Promise<void> {
    const path = this.path('inbox', name)
    await mkdir(dirname(path), { recursive: true })
    const temporary = `${path}.tmp`
    await writeFile(temporary, content)
    await rename(temporary, path)
  }

  receipts(): Receipt[] {
    const root = this.path('receipts')
    if (!existsSync(root)) return []
    return readdirSync(root)
      .sort()
      .flatMap((day) =>
        readdirSync(join(root, day))
          .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
          .sort()
          .map((name) => JSON.parse(readFileSync(join(root, day, name), 'utf8')) as Receipt),
      )
  }

  dropReceipts(): DropReceipt[] {
    return this.receipts().filter((r): r is DropReceipt => r.kind === 'drop')
  }

  decisionReceipts(): DecisionReceipt[] {
    return this.receipts().filter((r): r is DecisionReceipt => r.kind === 'decision')
  }

  /** The only receipt of the drop with this name. */
  receiptOf(name: string): DropReceipt {
    const found = this.dropReceipts().filter((r) => r.path === name)
    expect(found, `receipts of ${name}`).toHaveLength(1)
    return found[0]!
  }

  metadata(recordId: string): Record<string, unknown> & { history: Array<Record<string, unknown>> } {
    return JSON.parse(readFileSync(this.path('store/records', recordId, 'metadata.json'), 'utf8')) as never
  }

  async start(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<RunningDaemon> {
    const child = startProgram(['run', ...args, '--config', this.configFile], { env })
    const daemon = new RunningDaemon(this, child)
    this.onEnd(async () => daemon.kill())
    await daemon.logged((line) => line.event === 'daemon.started')
    return daemon
  }
}

export type LogLine = Record<string, unknown> & { event?: string }

/** The daemon as a process. Its log is what tests wait on. */
export class RunningDaemon {
  readonly lines: LogLine[] = []
  private readonly end: Promise<Finished>
  private readonly waiting = new Set<() => void>()
  private over: Finished | null = null
  private rest = ''

  constructor(
    private readonly workspace: IntakeWorkspace,
    readonly child: ChildProcess,
  ) {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => this.take(text))
    this.end = finished(child).then((result) => {
      this.over = result
      for (const wake of this.waiting) wake()
      return result
    })
  }

  /** The first log line, old or new, that fits. Fails when the process ends without one. */
  async logged(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.lines.find(fits)
      if (found !== undefined) return found
      if (this.over !== null) throw new Error(`the daemon ended with ${this.over.status} (${this.over.signal}):\n${this.over.stderr}`)
      await this.something()
    }
  }

  /** Waits until `done` of the workspace's receipts holds. */
  async receipted(done: (receipts: Receipt[]) => boolean): Promise<Receipt[]> {
    for (;;) {
      const receipts = this.workspace.receipts()
      if (done(receipts)) return receipts
      if (this.over !== null) throw new Error(`the daemon ended with ${this.over.status} (${this.over.signal}):\n${this.over.stderr}`)
      await this.something()
    }
  }

  /** Waits until something can be seen on disk; for instants that neither a log line nor a receipt tells of. Looks every few milliseconds. */
  async until(seen: () => boolean): Promise<void> {
    while (!seen()) {
      if (this.over !== null) throw new Error(`the daemon ended with ${this.over.status} (${this.over.signal}):\n${this.over.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  /** Waits for the receipt of the n-th drop of this name. */
  async receiptOf(name: string, nth = 1): Promise<DropReceipt> {
    const of = (receipts: Receipt[]): DropReceipt[] => receipts.filter((r): r is DropReceipt => r.kind === 'drop' && r.path === name)
    return of(await this.receipted((receipts) => of(receipts).length >= nth))[nth - 1]!
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    this.child.kill(signal)
    return this.end
  }

  async kill(): Promise<void> {
    if (this.over === null) this.child.kill('SIGKILL')
    await this.end
  }

  get ended(): Promise<Finished> {
    return this.end
  }

  /** The next log line, change of the receipts folder, or end of the process; a look every 100 ms covers folders not there yet. */
  private async something(): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake)
        clearTimeout(timer)
        watcher?.close()
        resolve()
      }
      const timer = setTimeout(wake, 100)
      const folder = this.workspace.path('receipts')
      const watcher = existsSync(folder) ? watch(folder, wake) : null
      this.waiting.add(wake)
    })
  }

  private take(text: string): void {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop()!
    for (const line of lines) {
      if (!line.startsWith('{')) continue
      this.lines.push(JSON.parse(line) as LogLine)
    }
    for (const wake of [...this.waiting]) wake()
  }
}

import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DropIdSequence } from '../../../src/core/drop-id.js'
import { intakeConfig, type SourceConfig, sourceConfig } from '../../../src/documents/config.js'
import { decodePath } from '../../../src/documents/drop.js'
import type { DropReceipt } from '../../../src/documents/receipt.js'
import type { Claim } from '../../../src/inbox/claim.js'
import { type Candidate, ClaimStore } from '../../../src/inbox/claims.js'
import type { InboxEvent } from '../../../src/inbox/events.js'
import { Filing } from '../../../src/inbox/filing.js'
import { compileSources, SIDECAR_SUFFIX, type SourceSet } from '../../../src/inbox/sources.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { type FilePath, type Files, nodeFiles, type OpenFile } from '../../../src/runtime/files.js'
import { SharedSync } from '../../../src/runtime/shared-sync.js'

/** A workspace in a temporary folder, and the parts of intake on it. */
export class Workbench {
  readonly events: InboxEvent[] = []
  private readonly watchers = new Set<() => void>()
  private ids = 0

  private constructor(
    readonly root: string,
    readonly sources: SourceSet,
  ) {}

  static async open(sources: readonly Record<string, unknown>[] = [{}]): Promise<Workbench> {
    const root = await mkdtemp(join(tmpdir(), 'inbox-'))
    for (const folder of ['inbox', 'decisions', 'state', 'state/claims', 'archive', 'quarantine', 'receipts'])
      await mkdir(join(root, folder))
    return new Workbench(root, compileSources(sources.map(source)))
  }

  async close(): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  async drop(path: string | Buffer, content: string | Buffer = 'a,b\n1,2\n'): Promise<void> {
    const full = Buffer.concat([Buffer.from(`${this.root}/inbox/`), Buffer.from(path)])
    await mkdir(dirname(full.toString('latin1')).length > 0 ? full.subarray(0, full.lastIndexOf(0x2f)) : full, { recursive: true })
    await writeFile(full, content)
  }

  /** A second instance, as after a restart, possibly on other files. */
  parts(
    files: Files = nodeFiles,
    over: { dropBytes?: number; tables?: boolean } = {},
  ): { files: Files; filing: Filing; claims: ClaimStore } {
    const sync = new SharedSync(files)
    const filing = new Filing({
      files,
      sync,
      roots: { workspace: this.root, archive: this.path('archive'), quarantine: this.path('quarantine'), receipts: this.path('receipts') },
    })
    const limits = intakeConfig.parse({}).limits
    const claims = new ClaimStore({
      files,
      sync,
      clock: systemClock,
      filing,
      roots: {
        workspace: this.root,
        inbox: this.path('inbox'),
        decisions: this.path('decisions'),
        claims: this.path('state/claims'),
        quarantine: this.path('quarantine'),
      },
      tableOf: () => (over.tables === false ? null : { document: { fields: [{ name: 'a' }] }, schemaSha256: 'c'.repeat(64) }),
      settings: {
        compression: 'SNAPPY',
        verify: 'full',
        limits: { ...limits, ...(over.dropBytes === undefined ? {} : { dropBytes: over.dropBytes }) },
      },
      emit: this.emit,
    })
    return { files, filing, claims }
  }

  readonly emit = (event: InboxEvent): void => {
    this.events.push(event)
    for (const wake of [...this.watchers]) wake()
  }

  /** Waits for an event, past or future. */
  async event(match: (event: InboxEvent) => boolean, from = 0): Promise<InboxEvent> {
    for (;;) {
      const found = this.events.slice(from).find(match)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.watchers.delete(wake)
          resolve()
        }
        this.watchers.add(wake)
      })
    }
  }

  nextId(): string {
    this.ids++
    return new DropIdSequence({ nowMs: () => Date.UTC(2024, 0, 27) + this.ids, randomTail: () => '0123456789abcdef' }, null).next()
  }

  sequence(): DropIdSequence {
    return new DropIdSequence({ nowMs: () => Date.now(), randomTail: () => '0123456789abcdef' }, null)
  }

  /** What the scan would hand over. */
  async candidate(path: string | Buffer, kind: 'drop' | 'decision' = 'drop'): Promise<Candidate> {
    const bytes = Buffer.from(path)
    const area = kind === 'drop' ? 'inbox' : 'decisions'
    const observe = async (p: Buffer): Promise<Candidate['observed']> => {
      const s = await nodeFiles.stat(Buffer.concat([Buffer.from(`${this.root}/${area}/`), p]))
      if (s === null) throw new Error(`no ${p.toString()}`)
      return { sizeBytes: s.sizeBytes, mtimeNs: s.mtimeNs, ctimeNs: s.ctimeNs, inode: s.inode }
    }
    const found = kind === 'drop' ? this.sources.match(bytes) : null
    const source = found?.kind === 'source' ? found.source : null
    const observed = await observe(bytes)
    const regular = (await nodeFiles.stat(Buffer.concat([Buffer.from(`${this.root}/${area}/`), bytes])))?.kind === 'file'
    const sidecars: Candidate['sidecars'][number][] = []
    for (const wanted of regular ? (source?.sidecars ?? []) : []) {
      const beside = Buffer.concat([bytes, Buffer.from(SIDECAR_SUFFIX[wanted])])
      sidecars.push({ kind: wanted, path: beside, observed: await observe(beside) })
    }
    return { kind, path: bytes, source, observed, sidecars }
  }

  async claim(claims: ClaimStore, path: string | Buffer, kind: 'drop' | 'decision' = 'drop'): Promise<Claim> {
    const outcome = await claims.claim(await this.candidate(path, kind), this.nextId())
    if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${outcome.kind}`)
    return outcome.claim
  }

  /** Names below a folder, sorted, latin1, folders with a slash. */
  async tree(folder: string): Promise<string[]> {
    const entries = await readdir(this.path(folder), { recursive: true, withFileTypes: true, encoding: 'utf8' })
    return entries.map((e) => `${join(e.parentPath, e.name).slice(this.path(folder).length + 1)}${e.isDirectory() ? '/' : ''}`).sort()
  }

  async text(...parts: string[]): Promise<string> {
    return readFile(this.path(...parts), 'utf8')
  }

  async touch(path: string, seconds: number): Promise<void> {
    await utimes(this.path(path), seconds, seconds)
  }

  async inode(path: string): Promise<number> {
    return (await stat(this.path(path))).ino
  }
}

export function source(over: Record<string, unknown> = {}): SourceConfig {
  return sourceConfig.parse({ name: 'borelogs', match: 'borelogs/**/*.csv', table: 'borelog_versions', createdBy: 'lab', ...over })
}

export function receiptOf(claim: Claim, over: Partial<DropReceipt> = {}): DropReceipt {
  return {
    format: 1,
    kind: 'drop',
    drop_id: claim.dropId,
    path: claim.document.file.path,
    sha256: claim.sha256,
    bytes: claim.bytes,
    received_at: claim.document.received_at,
    finished_at: claim.document.received_at,
    code: null,
    message: null,
    hint: null,
    stored_at: null,
    outcome: 'committed',
    source: claim.document.order?.source ?? null,
    table: claim.document.order?.table ?? null,
    rows: { in: 1, committed: 1, unchanged: 0, withheld: 0, invalid: 0, blank: 0 },
    records: [],
    errors: null,
    absent_columns: [],
    report_at: null,
    requeue_of: claim.document.requeue_of,
    force: claim.document.force,
    ...over,
  }
}

export function originalName(claim: Claim): string {
  return decodePath(claim.document.file.path).toString('latin1')
}

/** The process is gone: nothing happens any more. */
export class Crash extends Error {}

/** Real files without fsync: processes die in these tests, machines do not, and a disk takes its time. */
export const quickFiles: Files = {
  ...nodeFiles,
  syncDirectory: async () => {},
  openRead: async (path, options) => quick(await nodeFiles.openRead(path, options)),
  create: async (path, options) => quick(await nodeFiles.create(path, options)),
  overwrite: async (path, options) => quick(await nodeFiles.overwrite(path, options)),
}

function quick<T extends OpenFile | 'exists' | null>(file: T): T {
  if (file !== null && file !== 'exists') file.sync = async () => {}
  return file
}

/**
 * Real files on which call number `at` fails. `crash`: it and every call after it throw, as if the process had died before it; `after`: the
 * call takes effect and then the process dies. Otherwise only that call fails, with `error`.
 */
export class FaultFiles {
  calls = 0
  fired = false
  lastOperation = ''

  constructor(
    private readonly fault:
      | { at: number; mode: 'crash' | 'crash-after' }
      | { at: number; mode: 'error'; error: () => Error; only?: (operation: string, path: FilePath) => boolean },
    private readonly beneath: Files = quickFiles,
  ) {}

  readonly files: Files = new Proxy({} as Files, {
    get: (_target, operation: string) => {
      if (!(operation in this.beneath)) return undefined
      return async (path: FilePath, ...rest: unknown[]) => {
        const call = (this.beneath as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[operation]!
        const result = await this.run(operation, path, () => call.call(this.beneath, path, ...rest))
        const isOpen = typeof result === 'object' && result !== null && 'sync' in result
        return isOpen ? this.wrap(result as OpenFile, path) : result
      }
    },
  })

  private wrap(file: OpenFile, path: FilePath): OpenFile {
    return new Proxy(file, {
      get: (target, operation: string) => {
        // Whoever awaits a file asks whether it is a promise.
        if (!(operation in target)) return undefined
        return (...args: unknown[]) => {
          const call = (target as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[operation]!
          // A dead process's descriptors are closed by the kernel.
          if (operation === 'close') return call.apply(target, args)
          return this.run(operation, path, () => call.apply(target, args))
        }
      },
    })
  }

  private async run<T>(operation: string, path: FilePath, call: () => Promise<T>): Promise<T> {
    const { fault } = this
    if (this.fired && fault.mode !== 'error') throw new Crash()
    if (fault.mode === 'error' && fault.only !== undefined && !fault.only(operation, path)) return call()
    this.calls++
    if (this.calls !== fault.at) return call()
    this.fired = true
    this.lastOperation = `${operation} ${path.toString()}`
    if (fault.mode === 'error') throw fault.error()
    if (fault.mode === 'crash-after') {
      const result = await call()
      if (typeof result === 'object' && result !== null && 'close' in result) await (result as unknown as OpenFile).close()
    }
    throw new Crash()
  }
}

export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

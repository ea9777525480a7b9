import { basename, dirname, join, relative } from 'node:path'
import { type DropId, dateOfDropId, isDropId, positionOfDropId } from '../core/drop-id.js'
import { decodePath, type SidecarKind } from '../documents/drop.js'
import { type Receipt, receipt as receiptDocument } from '../documents/receipt.js'
import type { ValidationReport } from '../documents/report.js'
import { storedName } from '../documents/text.js'
import { assert, ERRORS, type ErrorCode, IntakeError, systemCodeOf } from '../errors.js'
import { type Files, printablePath, removeTree, replaceFile } from '../runtime/files.js'
import type { SharedSync } from '../runtime/shared-sync.js'
import type { Claim } from './claim.js'
import { placeFile } from './place-file.js'
import { SIDECAR_SUFFIX } from './sources.js'

export interface FilingRoots {
  /** Paths in receipts are below this. */
  readonly workspace: string
  readonly archive: string
  readonly quarantine: string
  readonly receipts: string
}

/** Why a drop is in quarantine, in words and for machines. */
export interface QuarantineReports {
  readonly code: ErrorCode
  readonly message: string
  /** Defaults to the hint of the code. */
  readonly hint?: string
  /** null where nothing was validated. */
  readonly report: ValidationReport | null
}

/** Where things went, below the workspace. */
export interface Quarantined {
  readonly folder: string
  /** null where the original could not be moved (a special file on another file system). */
  readonly original: string | null
}

/** An archived or quarantined original. */
export interface StoredOriginal {
  readonly dropId: DropId
  /** Absolute. */
  readonly path: string
  /** Below the workspace. */
  readonly storedAt: string
  readonly sidecars: readonly { readonly kind: SidecarKind; readonly path: string; readonly storedAt: string }[]
  /** null when the receipts were moved away. */
  readonly receipt: Receipt | null
}

const REPORT_FILES = ['report.json', 'rejects.csv', 'mended.csv', 'reason.txt'] as const
const LASTING_LIMIT = 1000
const MOVED_REPORTS = ['rejects.csv', 'mended.csv'] as const

/**
 * Puts originals, reports and receipts in their places. Everything here may be repeated after a crash at any point: names come from the
 * drop-id, nothing is written over another drop's file, and the caller releases the claim only after the receipt is durable.
 */
export class Filing {
  private readonly files: Files
  private readonly sync: SharedSync
  private readonly roots: FilingRoots
  private readonly folders = new Map<string, Promise<void>>()
  /** Folders whose names this process has made durable. */
  private readonly lasting = new Set<string>()

  constructor(options: { files: Files; sync: SharedSync; roots: FilingRoots }) {
    this.files = options.files
    this.sync = options.sync
    this.roots = options.roots
  }

  /** Archives the original of a drop (committed, partial, duplicate, unchanged, superseded) or of an applied decision. Returns its place below the workspace. */
  async archive(claim: Claim): Promise<string> {
    assert(claim.sha256 !== null, 'what is archived was copied')
    const folder = join(this.roots.archive, dateOfDropId(claim.dropId))
    const path = join(folder, `${claim.dropId}-${storedNameOf(claim)}`)
    await this.ensureFolder(folder)
    // Sidecars first: where the original is, what belongs to it is too.
    for (const sidecar of claim.document.sidecars)
      await placeFile(this.files, sidecarCopy(claim, sidecar.kind), path + SIDECAR_SUFFIX[sidecar.kind])
    await placeFile(this.files, claim.sourcePath, path)
    // The copy was synced when it was made; its new name must last before a receipt speaks of it.
    await this.sync.sync(folder)
    return relative(this.roots.workspace, path)
  }

  /**
   * Takes away what an earlier attempt at the same drop had filed before it ended: this one may come to another outcome, and nobody would ever
   * look for the rest. Originals are links to the copy in the claim or copies of it; what was moved without being opened stays where it is.
   */
  async forgetAttempt(claim: Claim): Promise<void> {
    if (claim.sha256 === null) return
    const day = join(this.roots.archive, dateOfDropId(claim.dropId))
    const archived = join(day, `${claim.dropId}-${storedNameOf(claim)}`)
    const quarantined = join(this.roots.quarantine, `${claim.dropId}-${storedNameOf(claim)}`)
    for (const path of [archived, ...claim.document.sidecars.map(({ kind }) => archived + SIDECAR_SUFFIX[kind])]) {
      if ((await this.files.stat(path)) === null) continue
      await this.files.remove(path)
      await this.sync.sync(day)
    }
    if ((await this.files.stat(quarantined)) === null) return
    await removeTree(this.files, quarantined)
    await this.sync.sync(this.roots.quarantine)
  }

  /** Puts the original and its reports into quarantine/<drop-id>-<name>/. */
  async quarantine(claim: Claim, reports: QuarantineReports): Promise<Quarantined> {
    const folder = await this.quarantineFolder(claim)
    const path = join(folder, originalName(claim))
    for (const sidecar of claim.document.sidecars)
      await this.placeIfThere(sidecarCopy(claim, sidecar.kind), path + SIDECAR_SUFFIX[sidecar.kind])
    let moved = true
    if (claim.sha256 !== null) await placeFile(this.files, claim.sourcePath, path)
    else moved = await this.moveUnopened(claim, path)
    await this.putReports(claim, folder, reports, moved ? basename(path) : null)
    return { folder: relative(this.roots.workspace, folder), original: moved ? relative(this.roots.workspace, path) : null }
  }

  /** Reports of a drop whose other records were committed: its original is in the archive. Returns the folder below the workspace. */
  async fileReports(claim: Claim, reports: QuarantineReports): Promise<string> {
    const folder = await this.quarantineFolder(claim)
    await this.putReports(claim, folder, reports, null)
    return relative(this.roots.workspace, folder)
  }

  /** Where `quarantine` puts the original of a file that is never opened; recovery asks whether it is there. Absolute. */
  quarantinedPath(claim: Pick<Claim, 'dropId' | 'document'>): string {
    return join(this.roots.quarantine, `${claim.dropId}-${storedNameOf(claim)}`, originalName(claim))
  }

  /** Durable when it returns. 'exists': an earlier attempt wrote it; that one stands. The members are written in the order they have. */
  async writeReceipt(receipt: Receipt): Promise<'written' | 'exists'> {
    const path = this.receiptPath(receipt.drop_id)
    const folder = dirname(path)
    await this.ensureFolder(folder)
    const temporary = this.receiptDraft(receipt.drop_id)
    const bytes = Buffer.from(`${JSON.stringify(receipt, null, 2)}\n`, 'utf8')
    // Synced under another name first: what has the receipt's name is whole, so its being there is proof enough for recovery.
    const file = await this.files.overwrite(temporary)
    try {
      await file.write(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    const outcome = await this.putTemporary(temporary, path)
    await this.sync.sync(folder)
    return outcome
  }

  async hasReceipt(dropId: DropId): Promise<boolean> {
    return (await this.files.stat(this.receiptPath(dropId))) !== null
  }

  /**
   * Of a receipt that was found after an end: its writer may have died after the rename and before the fsync of the folder, so its name is made
   * durable now, before the claim goes. Removes what a crash between the receipt's two names left of the first.
   */
  async confirmReceipt(dropId: DropId): Promise<void> {
    await this.sync.sync(dirname(this.receiptPath(dropId)))
    await this.files.remove(this.receiptDraft(dropId))
  }

  /** null when there is none. Throws IO_FAILED for a receipt that is damaged. */
  async findReceipt(dropId: DropId): Promise<Receipt | null> {
    const path = this.receiptPath(dropId)
    const bytes = await this.files.read(path)
    return bytes === null ? null : parseReceipt(bytes, path)
  }

  /** Newest drop first, read one by one as they are asked for. `sinceMs`: of drops taken at that time or later. */
  async *listReceipts(options: { sinceMs?: number } = {}): AsyncGenerator<Receipt> {
    for await (const { dropId, path } of this.receiptNames()) {
      if (options.sinceMs !== undefined && positionOfDropId(dropId).timeMs < options.sinceMs) return
      const bytes = await this.files.read(path)
      if (bytes !== null) yield parseReceipt(bytes, path)
    }
  }

  /** Whether a drop whose id ends in `tail` has a receipt, among those taken at `sinceMs` or later; by days, and by names alone. */
  async hasReceiptEnding(tail: string, sinceMs: number): Promise<boolean> {
    const first = new Date(sinceMs).toISOString().slice(0, 10)
    for (const day of await this.receiptDays()) {
      if (day < first) continue
      if ((await this.namesIn(join(this.roots.receipts, day))).some((name) => name.endsWith(`-${tail}.json`))) return true
    }
    return false
  }

  /** The newest drop that has a receipt: ids go on after it. */
  async lastDropId(): Promise<DropId | null> {
    // One look through the names, for a day may have 100,000 receipts and every start waits for this.
    for (const day of (await this.receiptDays()).reverse()) {
      let last = ''
      for (const name of (await this.files.names(join(this.roots.receipts, day))) ?? []) {
        if (name > last && name.endsWith('.json') && isDropId(name.slice(0, -5))) last = name
      }
      if (last !== '') return last.slice(0, -5)
    }
    return null
  }

  /** The stored bytes of a drop; null when they are neither in the archive nor in quarantine. */
  async findOriginal(dropId: DropId): Promise<StoredOriginal | null> {
    assert(isDropId(dropId), `${dropId} is a drop-id`)
    const receipt = await this.findReceipt(dropId)
    const path = (await this.storedPath(receipt)) ?? (await this.searchOriginal(dropId))
    if (path === null) return null
    const sidecars: { kind: SidecarKind; path: string; storedAt: string }[] = []
    for (const kind of Object.keys(SIDECAR_SUFFIX) as SidecarKind[]) {
      const beside = path + SIDECAR_SUFFIX[kind]
      if ((await this.files.stat(beside))?.kind === 'file')
        sidecars.push({ kind, path: beside, storedAt: relative(this.roots.workspace, beside) })
    }
    return { dropId, path, storedAt: relative(this.roots.workspace, path), sidecars, receipt }
  }

  private async storedPath(receipt: Receipt | null): Promise<string | null> {
    const at = receipt?.stored_at ?? null
    if (at === null) return null
    const path = join(this.roots.workspace, at)
    return (await this.files.stat(path))?.kind === 'file' ? path : null
  }

  private async searchOriginal(dropId: DropId): Promise<string | null> {
    const day = join(this.roots.archive, dateOfDropId(dropId))
    const archived = withoutSidecars(await this.namesIn(day)).find((name) => name.startsWith(`${dropId}-`))
    if (archived !== undefined) return join(day, archived)
    const folder = (await this.namesIn(this.roots.quarantine)).find((name) => name.startsWith(`${dropId}-`))
    if (folder === undefined) return null
    const reports: readonly string[] = REPORT_FILES
    const original = withoutSidecars(await this.namesIn(join(this.roots.quarantine, folder))).find((name) => !reports.includes(name))
    return original === undefined ? null : join(this.roots.quarantine, folder, original)
  }

  private async *receiptNames(): AsyncGenerator<{ dropId: DropId; path: string }> {
    const days = await this.receiptDays()
    for (const day of days.reverse()) {
      const folder = join(this.roots.receipts, day)
      const ids = (await this.namesIn(folder)).filter((name) => name.endsWith('.json') && isDropId(name.slice(0, -5))).sort()
      for (const name of ids.reverse()) yield { dropId: name.slice(0, -5), path: join(folder, name) }
    }
  }

  /** Oldest first. */
  private async receiptDays(): Promise<string[]> {
    return (await this.namesIn(this.roots.receipts)).filter((name) => /^\d{4}-\d{2}-\d{2}$/.test(name)).sort()
  }

  private async namesIn(folder: string): Promise<string[]> {
    return (await this.files.names(folder)) ?? []
  }

  private receiptPath(dropId: DropId): string {
    return join(this.roots.receipts, dateOfDropId(dropId), `${dropId}.json`)
  }

  private receiptDraft(dropId: DropId): string {
    return join(this.roots.receipts, dateOfDropId(dropId), `.${dropId}.tmp`)
  }

  /** A look, then a rename: receipts are named by drop-id, and the one daemon of this workspace is the only one to write them. */
  private async putTemporary(temporary: string, path: string): Promise<'written' | 'exists'> {
    if ((await this.files.stat(path)) === null) {
      await this.files.rename(temporary, path)
      return 'written'
    }
    await this.files.remove(temporary)
    return 'exists'
  }

  private async quarantineFolder(claim: Claim): Promise<string> {
    const folder = join(this.roots.quarantine, `${claim.dropId}-${storedNameOf(claim)}`)
    await this.ensureFolder(folder)
    return folder
  }

  /** A link, pipe, socket, device, or a file too large to copy: the thing itself moves. True when it is in quarantine. */
  private async moveUnopened(claim: Claim, path: string): Promise<boolean> {
    // Already there: an earlier attempt moved it. The name holds the drop-id, so it cannot be anything else.
    if ((await this.files.stat(path)) !== null) return true
    try {
      await this.files.rename(claim.originalPath, path)
    } catch (error) {
      if (systemCodeOf(error) !== 'EXDEV') throw error
      if (claim.document.file_kind !== 'file') return false
      await placeFile(this.files, claim.originalPath, path)
    }
    return true
  }

  private async placeIfThere(from: string, to: string): Promise<void> {
    if ((await this.files.stat(from)) !== null) await placeFile(this.files, from, to)
  }

  private async putReports(claim: Claim, folder: string, reports: QuarantineReports, original: string | null): Promise<void> {
    const present: string[] = []
    for (const name of MOVED_REPORTS) {
      const from = join(claim.folder, name)
      const to = join(folder, name)
      // Without a report nothing was read to its end: what is there is of an earlier attempt, which may have ended because it could not be synced.
      if (reports.report !== null && (await this.files.stat(from)) !== null) {
        await this.syncFile(from)
        // Over the same report of an attempt that a crash cut short.
        await this.moveReport(from, to)
      }
      if ((await this.files.stat(to)) !== null) present.push(name)
    }
    if (reports.report !== null) {
      await replaceFile(this.files, join(folder, 'report.json'), Buffer.from(`${JSON.stringify(reports.report, null, 2)}\n`, 'utf8'))
      present.push('report.json')
    }
    await replaceFile(this.files, join(folder, 'reason.txt'), Buffer.from(reasonText(claim, reports, present, original), 'utf8'))
    await this.sync.sync(folder)
    await this.sync.sync(this.roots.quarantine)
  }

  private async moveReport(from: string, to: string): Promise<void> {
    try {
      await this.files.rename(from, to)
    } catch (error) {
      if (systemCodeOf(error) !== 'EXDEV') throw error
      await this.files.remove(to)
      await placeFile(this.files, from, to)
    }
  }

  private async syncFile(path: string): Promise<void> {
    const file = await this.files.openRead(path)
    if (file === null) return
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** Everybody who needs a new folder waits until its name is durable, not only the one who made it. */
  private ensureFolder(folder: string): Promise<void> {
    const running = this.folders.get(folder)
    if (running !== undefined) return running
    const made = this.makeFolder(folder).finally(() => this.folders.delete(folder))
    this.folders.set(folder, made)
    return made
  }

  private async makeFolder(folder: string): Promise<void> {
    const parent = dirname(folder)
    // Looked up each time: archive/, quarantine/ and receipts/ may be moved away while we run.
    if ((await this.files.stat(folder)) === null) {
      await this.ensureFolder(parent)
      await this.files.makeDirectory(folder)
    } else if (this.lasting.has(folder) || parent === folder) return
    // A folder that an earlier run made just before it died may not be durable either.
    await this.sync.sync(parent)
    if (this.lasting.size >= LASTING_LIMIT) this.lasting.clear()
    this.lasting.add(folder)
  }
}

/** Name of the original below archive/ and quarantine/, without the drop-id. */
function storedNameOf(claim: Pick<Claim, 'document'>): string {
  return storedName(decodePath(claim.document.file.path))
}

/** A mended.csv that is dropped and wrong again must not meet the new one in its folder. */
function originalName(claim: Pick<Claim, 'document'>): string {
  const name = storedNameOf(claim)
  return (REPORT_FILES as readonly string[]).includes(name) ? `original-${name}` : name
}

/** The copy of a sidecar in the claim. */
export function sidecarCopy(claim: Pick<Claim, 'folder'>, kind: SidecarKind): string {
  return join(claim.folder, `source.csv${SIDECAR_SUFFIX[kind]}`)
}

function withoutSidecars(names: readonly string[]): string[] {
  const all = new Set(names)
  return names.filter(
    (name) => !Object.values(SIDECAR_SUFFIX).some((suffix) => name.endsWith(suffix) && all.has(name.slice(0, -suffix.length))),
  )
}

function parseReceipt(bytes: Buffer, path: string): Receipt {
  let json: unknown = null
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch {
    // Reported below, with the same words as a document of another form.
  }
  const parsed = receiptDocument.safeParse(json)
  if (!parsed.success) throw new IntakeError('IO_FAILED', `The receipt ${path} is damaged`, { data: { path } })
  return parsed.data
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  'report.json': 'every error with its place, for programs',
  'rejects.csv': 'the rows that are wrong, for reading',
  'mended.csv':
    'every row of each record held back, as it came, with _line and _errors: mend it and drop it, it is the complete next version',
}

function reasonText(claim: Claim, reports: QuarantineReports, present: readonly string[], original: string | null): string {
  const { document } = claim
  const hint = reports.hint ?? ERRORS[reports.code].hint
  const errors = reports.report?.stats.errors ?? 0
  const lines = [
    `${document.file.path}`,
    original === null && claim.sha256 !== null
      ? 'Some records of this drop were not taken into the store.'
      : 'This drop was not taken into the store.',
    '',
    `What   ${reports.code}: ${oneLine(reports.message)}`,
  ]
  const first = reports.report?.tasks[0]?.errors[0]
  if (first !== undefined) {
    const place = [
      first.line === null ? null : `line ${first.line}`,
      first.fieldName === null ? null : `column ${JSON.stringify(first.fieldName)}`,
    ].filter((p) => p !== null)
    if (place.length > 0) lines.push(`Where  ${place.join(', ')}${errors > 1 ? `, and ${errors - 1} more` : ''}`)
  }
  lines.push(`To do  ${hint}`, '', `Drop   ${claim.dropId}, received ${document.received_at}`)
  if (document.order !== null) lines.push(`Source ${document.order.source}, table ${document.order.table}`)
  if (claim.sha256 !== null) lines.push(`SHA-256 ${claim.sha256}, ${claim.bytes} bytes`)
  lines.push('', 'In this folder:')
  if (original !== null) lines.push(`  ${original}: the original, as it came`)
  else if (claim.sha256 === null) lines.push(`  (the original could not be moved here; it is ${printablePath(claim.originalPath)})`)
  for (const name of present) lines.push(`  ${name}: ${DESCRIPTIONS[name]}`)
  return `${lines.join('\n')}\n`
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}

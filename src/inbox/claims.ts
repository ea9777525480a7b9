import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type DropId, isDropId } from '../core/drop-id.js'
import type { Observation } from '../core/settle-gate.js'
import type { IntakeConfig, Limits } from '../documents/config.js'
import {
  type ClaimedFile,
  type ConversionOrder,
  copyNote,
  type DropDocument,
  decodePath,
  dropDocumentBytes,
  parseDropDocument,
  type SidecarKind,
} from '../documents/drop.js'
import { encodePath } from '../documents/text.js'
import { assert, ERRORS, type ErrorCode, isIntakeError, systemCodeOf } from '../errors.js'
import { type Clock, isoTime } from '../runtime/clock.js'
import { createFile, type FileStat, type Files, removeTree, replaceFile } from '../runtime/files.js'
import { forEachLimited } from '../runtime/limit.js'
import type { SharedSync } from '../runtime/shared-sync.js'
import type { Claim } from './claim.js'
import type { EmitInboxEvent, WaitingEntry } from './events.js'
import { type Filing, type StoredOriginal, sidecarCopy } from './filing.js'
import { claimOfHiddenName, folderOf, hiddenName, joinBytes, keyOf } from './inbox-path.js'
import { judgeClaim, SIDECAR_MAX_BYTES } from './judge-claim.js'
import { copyOpenFile, restoreName, SourceUnreadable, touchingSource } from './place-file.js'
import { recordRuleFor, type Source } from './sources.js'

/** A settled file, as the scan saw it. */
export interface Candidate {
  readonly kind: 'drop' | 'decision'
  /** Below the area's folder, exact bytes. */
  readonly path: Buffer
  /** null for decisions. */
  readonly source: Source | null
  readonly observed: Observation
  readonly sidecars: readonly { readonly kind: SidecarKind; readonly path: Buffer; readonly observed: Observation }[]
}

export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Not what settled: it stays, or went back, and must settle anew. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'vanished' }
  /** It stays, and is tried again later. */
  | { readonly kind: 'waiting'; readonly code: ErrorCode; readonly message: string }

/** What a drop is converted with, besides its source; recorded in drop.json. */
export interface ConversionSettings {
  readonly compression: IntakeConfig['convert']['compression']
  readonly verify: IntakeConfig['convert']['verify']
  readonly limits: Limits
}

export interface ClaimRoots {
  readonly workspace: string
  readonly inbox: string
  readonly decisions: string
  /** state/claims */
  readonly claims: string
  readonly quarantine: string
}

type Taken =
  | { readonly kind: 'taken'; readonly sha256: string | null; readonly bytes: number | null }
  | { readonly kind: 'changed' }
  | { readonly kind: 'gone' }

/**
 * Takes drops and decisions for good, and gives back what turns out not to be one.
 *
 * The promise (DESIGN §8, "Intake"): after a crash at any point a file is under its own name, or a claim holds it, or its receipt is
 * there; never two of these for one drop, and never none. What carries it is the order of the writes:
 *   1. drop.json, durable with its folder, says which file this id stands for, before the file is touched;
 *   2. a rename within the folder takes the file: atomic, and no producer writes to a name that it does not know;
 *   3. the copy is made from the taken file and checked against what had settled, before and after;
 *   4. the taken file stays until the receipt is durable, then goes, durable, before drop.json does.
 */
export class ClaimStore {
  private readonly files: Files
  private readonly sync: SharedSync
  private readonly clock: Clock
  private readonly filing: Filing
  private readonly roots: ClaimRoots
  private readonly tableOf: (name: string) => { readonly document: Readonly<Record<string, unknown>>; readonly schemaSha256: string } | null
  private readonly settings: ConversionSettings
  private readonly emit: EmitInboxEvent
  /** Originals that must go back, but whose names a newer file holds for now. */
  private readonly returning = new Map<
    DropId,
    { readonly document: DropDocument; readonly mode: 'undo' | 'release'; readonly sinceMs: number }
  >()
  private readonly stranded = new Map<DropId, WaitingEntry>()
  /** Folders of the inbox that recovery has synced. */
  private readonly keptFolders = new Set<string>()

  constructor(options: {
    files: Files
    sync: SharedSync
    clock: Clock
    filing: Filing
    roots: ClaimRoots
    tableOf: (name: string) => { readonly document: Readonly<Record<string, unknown>>; readonly schemaSha256: string } | null
    settings: ConversionSettings
    emit: EmitInboxEvent
  }) {
    this.files = options.files
    this.sync = options.sync
    this.clock = options.clock
    this.filing = options.filing
    this.roots = options.roots
    this.tableOf = options.tableOf
    this.settings = options.settings
    this.emit = options.emit
  }

  /**
   * Throws DISK_FULL (after giving the file back), FSYNC_FAILED, and other trouble of the machine itself; what is the matter with the
   * file is returned.
   */
  async claim(candidate: Candidate, dropId: DropId): Promise<ClaimOutcome> {
    const root = this.areaRoot(candidate.kind)
    const looked = await this.lookBefore(candidate, root)
    if (looked.kind !== 'ready') return looked
    const document = this.newDocument(candidate, dropId, looked.stat, looked.sidecars)
    return this.guarded(document, async () => {
      await this.writeDocument(document)
      // From here on the files are ours. Sidecars first: a drop whose sidecars are gone would look incomplete, not new.
      for (const file of [...document.sidecars, document.file]) {
        await touchingSource(() => this.files.rename(this.ownPath(document, file), this.hiddenPath(document, file)))
      }
      await this.sync.sync(joinBytes(root, folderOf(candidate.path)))
      return this.take(document)
    })
  }

  /** A new claim of an archived or quarantined original, as if it had come again under its old name. Nothing is taken from where it is stored. */
  async claimStored(options: {
    original: StoredOriginal
    kind: 'drop' | 'decision'
    path: Buffer
    source: Source | null
    force: boolean
    dropId: DropId
  }): Promise<ClaimOutcome> {
    const { original, path, dropId } = options
    const stat = await this.files.stat(original.path)
    if (stat === null || stat.kind !== 'file') return { kind: 'vanished' }
    const wanted = new Set(options.source?.sidecars ?? [])
    const sidecars: DropDocument['sidecars'] = []
    for (const sidecar of original.sidecars) {
      if (!wanted.has(sidecar.kind)) continue
      const beside = await this.files.stat(sidecar.path)
      if (beside === null || beside.kind !== 'file') return { kind: 'vanished' }
      const sidecarPath = Buffer.concat([path, Buffer.from(sidecar.path.slice(original.path.length), 'latin1')])
      sidecars.push({ kind: sidecar.kind, ...claimedFileOf(sidecarPath, hiddenName(dropId, sidecar.kind), beside, sidecar.storedAt) })
    }
    const document: DropDocument = {
      ...this.baseDocument(options.kind, options.source, path, dropId),
      file: claimedFileOf(path, hiddenName(dropId, null), stat, original.storedAt),
      sidecars,
      requeue_of: original.dropId,
      force: options.force,
    }
    const outcome = await this.guarded(document, async () => {
      await this.writeDocument(document)
      return this.take(document)
    })
    if (outcome.kind === 'claimed') {
      this.emit({ event: 'drop.requeued', dropId, requeueOf: original.dropId, path: document.file.path, force: options.force })
    }
    return outcome
  }

  /**
   * Finishes or undoes what an earlier run left. Claims without a receipt come back as claims, in drop-id order, their copy made again
   * from the producer's file; claims with one are cleaned away; a claim whose file was never taken is dropped.
   *
   * Claims of one file go one after the other, for two of them may want its name back; those of others beside them, and share their fsyncs.
   */
  async recover(atOnce: number = RECOVERED_AT_ONCE): Promise<Claim[]> {
    const names = await this.claimNames()
    const documents = new Array<DropDocument | null>(names.length)
    await forEachLimited(names, atOnce, async (dropId, index) => {
      const bytes = await this.files.read(join(this.claimFolder(dropId), 'drop.json'))
      documents[index] = bytes === null ? null : parseDropDocument(bytes)
    })
    const lines = new Map<string, number[]>()
    documents.forEach((document, index) => {
      const key = document === null ? `claim ${names[index]}` : `${document.kind} ${document.file.path}`
      const line = lines.get(key)
      if (line === undefined) lines.set(key, [index])
      else line.push(index)
    })
    const claims = new Array<Claim | null>(names.length).fill(null)
    await forEachLimited([...lines.values()], atOnce, async (line) => {
      for (const index of line) claims[index] = await this.recoverOne(names[index]!, documents[index]!)
    })
    const recovered = claims.filter((claim) => claim !== null)
    for (const claim of recovered) this.announce(claim)
    return recovered
  }

  /** The newest drop-id that has a claim: ids go on after it. */
  async lastDropId(): Promise<DropId | null> {
    return (await this.claimNames()).at(-1) ?? null
  }

  /**
   * The receipt is durable: the producer's file goes, unless somebody wrote to it after it was taken, and then the claim.
   * 'returned': it went back as a new drop. 'pending': it goes back as soon as its name is free (`retryReturns`).
   */
  async release(claim: Claim): Promise<'released' | 'returned' | 'pending'> {
    return this.giveUp(claim.document, 'release')
  }

  /** Tries again to give files back whose names were taken. Called once for each scan of their area. */
  async retryReturns(kind: 'drop' | 'decision'): Promise<void> {
    for (const { document, mode } of [...this.returning.values()]) {
      if (document.kind === kind) await this.giveUp(document, mode)
    }
  }

  /** Leaves a recovered claim as it is until the next start: its drop can be neither finished nor given up by itself. */
  leave(claim: Claim, message: string): void {
    this.strand(claim.dropId, claim.document.file.path, message)
  }

  /** So many conversions of this drop, alone, have stopped their process. Durable when it returns. */
  async recordAttempts(claim: Claim, attempts: number): Promise<void> {
    const document: DropDocument = { ...claim.document, attempts }
    await replaceFile(this.files, join(claim.folder, 'drop.json'), dropDocumentBytes(document))
    await this.files.syncDirectory(claim.folder)
  }

  /** What status shows of claims: files that wait to go back, and claims that a person should look at. */
  waiting(): WaitingEntry[] {
    const entries: WaitingEntry[] = [...this.stranded.values()]
    for (const { document, sinceMs } of this.returning.values()) {
      entries.push({
        path: document.file.path,
        code: 'CHANGED_DURING_CLAIM',
        message: 'Somebody wrote to this file while it was taken; it goes back once its name is free and its folder may be written to',
        hint: ERRORS.CHANGED_DURING_CLAIM.hint,
        sinceMs,
      })
    }
    return entries
  }

  private async lookBefore(
    candidate: Candidate,
    root: string,
  ): Promise<{ kind: 'ready'; stat: FileStat; sidecars: FileStat[] } | Exclude<ClaimOutcome, { kind: 'claimed' }>> {
    try {
      return await touchingSource(async () => {
        const path = joinBytes(root, candidate.path)
        const stat = await this.files.stat(path)
        if (stat === null) return { kind: 'vanished' }
        if (!isStill(candidate.observed, stat) || stat.kind === 'directory') return { kind: 'changed' }
        const sidecars: FileStat[] = []
        for (const sidecar of candidate.sidecars) {
          const beside = await this.files.stat(joinBytes(root, sidecar.path))
          if (beside === null || beside.kind !== 'file' || !isStill(sidecar.observed, beside)) return { kind: 'changed' }
          sidecars.push(beside)
        }
        if (stat.kind === 'file') {
          // Tried now, so that a file we may not read costs one open a scan, and not a claim and its undoing.
          const file = await this.files.openRead(path)
          if (file === null) return { kind: 'vanished' }
          await file.close()
        } else {
          // It can only be moved, not copied.
          const quarantine = await this.files.stat(this.roots.quarantine)
          if (quarantine !== null && quarantine.device !== stat.device) {
            return {
              kind: 'waiting',
              code: SPECIAL_CODES[stat.kind],
              message: `This is a ${stat.kind}, and quarantine/ is on another file system: remove it by hand`,
            }
          }
        }
        return { kind: 'ready', stat, sidecars }
      })
    } catch (error) {
      if (error instanceof SourceUnreadable) return unreadable(error)
      throw error
    }
  }

  /** Runs the steps of a claim; whatever keeps it from being one, the files get their names back. */
  private async guarded(document: DropDocument, steps: () => Promise<Taken>): Promise<ClaimOutcome> {
    let taken: Taken
    let claim: Claim | null = null
    try {
      taken = await steps()
      if (taken.kind === 'taken') claim = await this.toClaim(document, taken, false)
    } catch (error) {
      // After a failed fsync nothing may be tried on the same files: recovery undoes this claim at the next start.
      if (isIntakeError(error, 'FSYNC_FAILED')) throw error
      if (error instanceof SourceUnreadable) {
        await this.giveUp(document, 'undo')
        return error.systemCode === 'ENOENT' ? { kind: 'vanished' } : unreadable(error)
      }
      // Disk full, out of descriptors: what was taken goes back now if that is possible, or at the next start.
      await this.giveUp(document, 'undo').catch((failure: unknown) => {
        if (isIntakeError(failure, 'FSYNC_FAILED')) throw failure
      })
      throw error
    }
    if (claim === null) {
      await this.giveUp(document, 'undo')
      return { kind: taken.kind === 'gone' ? 'vanished' : 'changed' }
    }
    this.announce(claim)
    return { kind: 'claimed', claim }
  }

  /** Step 1. The name of the claim's folder is durable before anything else happens, together with that of other claims made meanwhile. */
  private async writeDocument(document: DropDocument): Promise<void> {
    const folder = this.claimFolder(document.drop_id)
    const made = await this.files.makeDirectory(folder)
    assert(made === 'created', `${document.drop_id} is new`)
    const written = async (): Promise<void> => {
      await createFile(this.files, join(folder, 'drop.json'), dropDocumentBytes(document))
      await this.files.syncDirectory(folder)
    }
    const [document_, name] = await Promise.allSettled([written(), this.sync.sync(this.roots.claims)])
    if (document_.status === 'rejected') throw document_.reason
    if (name.status === 'rejected') throw name.reason
  }

  /** Step 3: opens and copies what was taken, if it is what settled. */
  private async take(document: DropDocument): Promise<Taken> {
    const { file } = document
    const path = this.takenPath(document, file)
    if (document.file_kind !== 'file') {
      const stat = await touchingSource(() => this.files.stat(path))
      if (stat === null) return { kind: 'gone' }
      return stat.kind === document.file_kind && isClaimed(file, stat) ? { kind: 'taken', sha256: null, bytes: null } : { kind: 'changed' }
    }
    const folder = this.claimFolder(document.drop_id)
    for (const sidecar of document.sidecars) {
      const copied = await this.copy(this.takenPath(document, sidecar), sidecar, sidecarCopy({ folder }, sidecar.kind))
      if (copied.kind !== 'copied') return copied
    }
    if (file.size > this.limitBytes(document.kind)) {
      const stat = await touchingSource(() => this.files.stat(path))
      if (stat === null) return { kind: 'gone' }
      return stat.kind === 'file' && isClaimed(file, stat) ? { kind: 'taken', sha256: null, bytes: file.size } : { kind: 'changed' }
    }
    const copied = await this.copy(path, file, join(folder, SOURCE_NAME))
    if (copied.kind !== 'copied') return copied
    return { kind: 'taken', sha256: copied.sha256, bytes: copied.bytes }
  }

  private async copy(
    from: Buffer,
    expected: ClaimedFile,
    to: string,
  ): Promise<{ kind: 'copied'; sha256: string; bytes: number } | { kind: 'changed' } | { kind: 'gone' }> {
    let source: Awaited<ReturnType<Files['openRead']>>
    try {
      source = await this.files.openRead(from)
    } catch (error) {
      // A link or a socket stands where a file had settled.
      if (['ELOOP', 'ENXIO'].includes(systemCodeOf(error) ?? '')) return { kind: 'changed' }
      return touchingSource(() => Promise.reject(error))
    }
    if (source === null) return { kind: 'gone' }
    try {
      const before = await touchingSource(() => source.stat())
      if (before.kind !== 'file' || !isClaimed(expected, before)) return { kind: 'changed' }
      let target = await this.files.create(to, { mode: 0o440 })
      if (target === 'exists') {
        // What an earlier attempt left is not trusted: the page cache may have held what the disk never got.
        await this.files.remove(to)
        target = await this.files.create(to, { mode: 0o440 })
      }
      assert(target !== 'exists', `${to} was removed`)
      const hash = createHash('sha256')
      let bytes: number
      try {
        bytes = await copyOpenFile(source, target, (piece) => void hash.update(piece), expected.size)
      } finally {
        await target.close()
      }
      // Somebody may have written while we read: then the copy is a mixture.
      const after = await touchingSource(() => source.stat())
      if (bytes !== expected.size || !isClaimed(expected, after)) return { kind: 'changed' }
      return { kind: 'copied', sha256: hash.digest('hex'), bytes }
    } finally {
      await source.close()
    }
  }

  /** Not synced: after a crash the note counts only if source.csv still has this hash, and then both are whole. */
  private async noteCopy(folder: string, sha256: string, bytes: number): Promise<void> {
    const file = await this.files.overwrite(join(folder, NOTE_NAME))
    try {
      await file.write(Buffer.from(`${JSON.stringify({ format: 1, sha256, bytes })}\n`, 'utf8'))
    } finally {
      await file.close()
    }
  }

  /** The copy of an earlier run, if copy.json proves it. */
  private async provenCopy(document: DropDocument): Promise<Taken | null> {
    const folder = this.claimFolder(document.drop_id)
    const bytes = await this.files.read(join(folder, NOTE_NAME))
    if (bytes === null) return null
    let json: unknown = null
    try {
      json = JSON.parse(bytes.toString('utf8'))
    } catch {
      return null
    }
    const note = copyNote.safeParse(json)
    if (!note.success) return null
    for (const sidecar of document.sidecars) {
      const copy = await this.files.stat(sidecarCopy({ folder }, sidecar.kind))
      if (copy === null || copy.sizeBytes !== sidecar.size) return null
    }
    const file = await this.files.openRead(join(folder, SOURCE_NAME))
    if (file === null) return null
    try {
      const hash = createHash('sha256')
      const buffer = Buffer.allocUnsafeSlow(Math.min(1024 * 1024, note.data.bytes + 1))
      let at = 0
      for (;;) {
        const count = await file.read(buffer, at)
        if (count === 0) break
        hash.update(buffer.subarray(0, count))
        at += count
      }
      if (at !== note.data.bytes || hash.digest('hex') !== note.data.sha256) return null
      // Archive and quarantine link to this file: it must be as durable as one that was copied just now.
      await file.sync()
      return { kind: 'taken', sha256: note.data.sha256, bytes: at }
    } finally {
      await file.close()
    }
  }

  private async recoverOne(dropId: DropId, document: DropDocument | null): Promise<Claim | null> {
    const folder = this.claimFolder(dropId)
    if (document === null || document.drop_id !== dropId) {
      // drop.json is durable before its file is taken, so without one nothing was taken, unless the document was damaged since.
      const hidden = await this.findHidden(dropId)
      if (hidden === null) await removeTree(this.files, folder)
      else this.strand(dropId, encodePath(hidden), 'drop.json of this claim is damaged, and its file still has its hidden name')
      return null
    }
    if (await this.filing.hasReceipt(dropId)) {
      await this.filing.confirmReceipt(dropId)
      await this.giveUp(document, 'release')
      return null
    }
    let taken: Taken
    try {
      if (await this.wasGivenBack(document)) {
        await this.giveUp(document, 'undo')
        return null
      }
      await this.keepTaken(document)
      taken = await this.take(document)
    } catch (error) {
      if (!(error instanceof SourceUnreadable)) throw error
      this.strand(dropId, document.file.path, `The file that was taken cannot be read: ${error.systemCode}`)
      return null
    }
    if (taken.kind === 'gone' && (await this.wasQuarantined(document))) {
      taken = { kind: 'taken', sha256: null, bytes: document.file_kind === 'file' ? document.file.size : null }
    } else if (taken.kind !== 'taken') {
      // A proven copy means that the file was taken whole, for it is the last thing a claim makes and no claim is undone after it. Whoever
      // wrote to the file or removed it since came too late: the copy counts, and what is left of the file goes back at release.
      taken = (await this.provenCopy(document)) ?? taken
    }
    if (taken.kind === 'gone' && !(await this.isPlaceThere(document))) {
      this.strand(
        dropId,
        document.file.path,
        'The file that was taken is not there, nor is the folder it was in: is its file system mounted?',
      )
      return null
    }
    if (taken.kind !== 'taken' && document.file.stored_at !== null) {
      this.strand(
        dropId,
        document.file.path,
        `The stored original ${document.file.stored_at} is not where it was; put it back and start again, or remove this claim`,
      )
      return null
    }
    if (taken.kind !== 'taken') {
      await this.giveUp(document, 'undo')
      return null
    }
    return this.toClaim(document, taken, true)
  }

  /**
   * An end in the midst of an undo: the file, or a sidecar of it, has its own name again, beside the hidden one or instead of it, and whoever
   * looks into the inbox will take it as a new drop. Were the claim finished as well, it would be taken twice, or lie there for ever.
   */
  private async wasGivenBack(document: DropDocument): Promise<boolean> {
    if (document.file.stored_at !== null) return false
    for (const file of [document.file, ...document.sidecars]) {
      const [hidden, own] = await touchingSource(async () => [
        await this.files.stat(this.hiddenPath(document, file)),
        await this.files.stat(this.ownPath(document, file)),
      ])
      if (own === null) continue
      if (hidden === null ? isClaimed(file, own) : hidden.inode === own.inode && hidden.device === own.device) return true
    }
    return false
  }

  /**
   * The hidden name may not be durable: whoever took the file may have died before its fsync. What is committed now must not meet the file under
   * its own name again after a power cut. One fsync of a folder is enough for all claims of it, since all of them were taken before the start.
   */
  private async keepTaken(document: DropDocument): Promise<void> {
    if (document.file.stored_at !== null) return
    const folder = joinBytes(this.areaRoot(document.kind), folderOf(decodePath(document.file.path)))
    const key = keyOf(folder)
    if (this.keptFolders.has(key)) return
    await this.syncIfThere(folder)
    this.keptFolders.add(key)
  }

  /** Files that are never opened move to quarantine before the receipt is written. */
  private async wasQuarantined(document: DropDocument): Promise<boolean> {
    const mayMove = document.file_kind !== 'file' || document.file.size > this.limitBytes(document.kind)
    return mayMove && (await this.files.stat(this.filing.quarantinedPath({ dropId: document.drop_id, document }))) !== null
  }

  /** True when the folder of the file is the one it was, so that a missing file is missing, and not merely out of sight. */
  private async isPlaceThere(document: DropDocument): Promise<boolean> {
    if (document.file.stored_at !== null) return true
    const folder = folderOf(this.ownPath(document, document.file))
    const stat = await this.files.stat(Buffer.concat([folder, Buffer.from('/.')]))
    return stat !== null && String(stat.device) === document.file.device
  }

  private async findHidden(dropId: DropId): Promise<Buffer | null> {
    for (const root of [this.roots.inbox, this.roots.decisions]) {
      const stack: Buffer[] = [Buffer.alloc(0)]
      while (stack.length > 0) {
        const folder = stack.pop()!
        for (const entry of (await this.files.list(folder.length === 0 ? root : joinBytes(root, folder))) ?? []) {
          if (entry.kind === 'directory') stack.push(joinBytes(folder, entry.name))
          else if (claimOfHiddenName(entry.name) === dropId) return joinBytes(folder, entry.name)
        }
      }
    }
    return null
  }

  /**
   * Ends a claim. `release`: files that are still what was claimed are removed; `undo`: they get their names back. In both, what somebody
   * wrote to meanwhile goes back. Order: names in the inbox first, durable, then the claim; so a crash in between repeats this.
   */
  private async giveUp(document: DropDocument, mode: 'undo' | 'release'): Promise<'released' | 'returned' | 'pending'> {
    let returned = false
    let pending = false
    if (document.file.stored_at === null) {
      for (const file of [...document.sidecars, document.file]) {
        try {
          const outcome = await touchingSource(() => this.giveUpFile(document, file, mode))
          if (outcome === 'taken') pending = true
          else if (outcome === 'restored') returned = returned || file === document.file
        } catch (error) {
          // We may not write to this folder, for now.
          if (!(error instanceof SourceUnreadable)) throw error
          pending = true
        }
      }
      await this.syncIfThere(joinBytes(this.areaRoot(document.kind), folderOf(decodePath(document.file.path))))
    }
    if (pending) {
      // The claim stays, so that recovery goes on with this as well.
      const sinceMs = this.returning.get(document.drop_id)?.sinceMs ?? this.clock.nowMs()
      this.returning.set(document.drop_id, { document, mode, sinceMs })
      return 'pending'
    }
    this.returning.delete(document.drop_id)
    await this.removeFolder(document)
    if (returned) {
      const reason = mode === 'undo' ? 'undone' : 'written-after-claim'
      this.emit({ event: 'drop.returned', dropId: document.drop_id, path: document.file.path, reason })
    }
    return returned ? 'returned' : 'released'
  }

  /** drop.json goes last: while it is there, recovery knows what the rest is. */
  private async removeFolder(document: DropDocument): Promise<void> {
    const folder = this.claimFolder(document.drop_id)
    // By name: reading the folder of every drop costs as much as removing what is in it.
    const names = [SOURCE_NAME, NOTE_NAME].map((name) => join(folder, name))
    for (const sidecar of document.sidecars) names.push(sidecarCopy({ folder }, sidecar.kind))
    for (const path of [...names, join(folder, 'drop.json')]) await this.files.remove(path)
    if ((await this.files.removeDirectory(folder)) === 'not-empty') await removeTree(this.files, folder)
  }

  private async giveUpFile(document: DropDocument, file: ClaimedFile, mode: 'undo' | 'release'): Promise<'restored' | 'taken' | 'done'> {
    const hidden = this.hiddenPath(document, file)
    const stat = await this.files.stat(hidden)
    if (stat === null) return 'done'
    if (mode === 'release') {
      // A special file that could not be moved to quarantine stays hidden, and the reason there says so.
      if (stat.kind !== 'file' && file === document.file) return 'done'
      if (isClaimed(file, stat)) {
        await this.files.remove(hidden)
        return 'done'
      }
    }
    const restored = await restoreName(this.files, hidden, this.ownPath(document, file), (folder) => this.syncIfThere(folder))
    return restored === 'absent' ? 'done' : restored
  }

  private async syncIfThere(folder: Buffer): Promise<void> {
    try {
      await this.sync.sync(folder)
    } catch (error) {
      // A producer removed the folder: then no name in it is left to be made durable.
      if (!['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) throw error
    }
  }

  private async toClaim(document: DropDocument, taken: Extract<Taken, { kind: 'taken' }>, recovered: boolean): Promise<Claim> {
    const folder = this.claimFolder(document.drop_id)
    const sidecars = new Map<SidecarKind, Uint8Array>()
    if (document.file_kind === 'file') {
      for (const sidecar of document.sidecars) {
        if (sidecar.kind !== 'done') sidecars.set(sidecar.kind, await this.head(sidecarCopy({ folder }, sidecar.kind)))
      }
    }
    const claim: Claim = {
      dropId: document.drop_id,
      folder,
      document,
      sourcePath: join(folder, SOURCE_NAME),
      sha256: taken.sha256,
      bytes: taken.bytes,
      ...judgeClaim({ document, sha256: taken.sha256, limitBytes: this.limitBytes(document.kind), sidecars }),
      originalPath: this.takenPath(document, document.file),
      recovered,
    }
    // The last thing a claim makes: from here on it is never undone.
    if (claim.sha256 !== null && claim.bytes !== null) await this.noteCopy(folder, claim.sha256, claim.bytes)
    return claim
  }

  private async head(path: string): Promise<Uint8Array> {
    const file = await this.files.openRead(path)
    assert(file !== null, 'the sidecar was copied')
    try {
      const bytes = Buffer.alloc(SIDECAR_MAX_BYTES + 1)
      return bytes.subarray(0, await file.read(bytes, 0))
    } finally {
      await file.close()
    }
  }

  private announce(claim: Claim): void {
    this.emit({
      event: claim.document.kind === 'drop' ? 'drop.claimed' : 'decision.claimed',
      dropId: claim.dropId,
      path: claim.document.file.path,
      source: claim.document.order?.source ?? null,
      sha256: claim.sha256,
      bytes: claim.bytes,
      problem: claim.problem?.code ?? null,
      recovered: claim.recovered,
    })
  }

  private strand(dropId: DropId, path: string, message: string): void {
    this.stranded.set(dropId, { path, code: 'CLAIM_STRANDED', message, hint: ERRORS.CLAIM_STRANDED.hint, sinceMs: this.clock.nowMs() })
    this.emit({ event: 'claim.stranded', dropId, path, message })
  }

  private newDocument(candidate: Candidate, dropId: DropId, stat: FileStat, sidecars: readonly FileStat[]): DropDocument {
    assert(stat.kind !== 'directory', 'folders are not claimed')
    return {
      ...this.baseDocument(candidate.kind, candidate.source, candidate.path, dropId),
      file: claimedFileOf(candidate.path, hiddenName(dropId, null), stat, null),
      file_kind: stat.kind,
      sidecars: candidate.sidecars.map((sidecar, i) => ({
        kind: sidecar.kind,
        ...claimedFileOf(sidecar.path, hiddenName(dropId, sidecar.kind), sidecars[i]!, null),
      })),
    }
  }

  private baseDocument(kind: 'drop' | 'decision', source: Source | null, path: Buffer, dropId: DropId): Omit<DropDocument, 'file'> {
    return {
      format: 1,
      drop_id: dropId,
      kind,
      file_kind: 'file',
      sidecars: [],
      received_at: isoTime(this.clock.nowMs()),
      order: source === null ? null : this.orderOf(source, path),
      requeue_of: null,
      force: false,
      attempts: 0,
    }
  }

  private orderOf(source: Source, path: Buffer): ConversionOrder {
    const { config } = source
    const { compression, verify, limits } = this.settings
    const table = this.tableOf(config.table)
    return {
      source: config.name,
      table: config.table,
      table_document: table === null ? null : table.document,
      schema_sha256: table?.schemaSha256 ?? null,
      record: config.record,
      record_rule: recordRuleFor(source, path),
      dialect: source.dialect,
      on_invalid: config.onInvalid,
      created_by: config.createdBy,
      allowed_created_by: [...config.allowedCreatedBy],
      rule_sha256: source.ruleSha256,
      compression,
      verify,
      limits: {
        rowBytes: limits.rowBytes,
        columns: limits.columns,
        recordsPerDrop: limits.recordsPerDrop,
        reportErrors: limits.reportErrors,
      },
    }
  }

  private async claimNames(): Promise<DropId[]> {
    const entries = (await this.files.list(this.roots.claims)) ?? []
    return entries
      .filter((e) => e.kind === 'directory')
      .map((e) => keyOf(e.name))
      .filter(isDropId)
      .sort()
  }

  private claimFolder(dropId: DropId): string {
    return join(this.roots.claims, dropId)
  }

  private areaRoot(kind: 'drop' | 'decision'): string {
    return kind === 'drop' ? this.roots.inbox : this.roots.decisions
  }

  private limitBytes(kind: 'drop' | 'decision'): number {
    return kind === 'drop' ? this.settings.limits.dropBytes : this.settings.limits.decisionBytes
  }

  private ownPath(document: DropDocument, file: ClaimedFile): Buffer {
    return joinBytes(this.areaRoot(document.kind), decodePath(file.path))
  }

  private hiddenPath(document: DropDocument, file: ClaimedFile): Buffer {
    return joinBytes(this.areaRoot(document.kind), decodePath(file.hidden))
  }

  /** Where the bytes are while the drop is in flight. */
  private takenPath(document: DropDocument, file: ClaimedFile): Buffer {
    return file.stored_at === null ? this.hiddenPath(document, file) : Buffer.from(join(this.roots.workspace, file.stored_at), 'utf8')
  }
}

/** Claims recovered side by side, unless the caller says: each has its source open twice and a folder being synced at most. */
const RECOVERED_AT_ONCE = 16

const SOURCE_NAME = 'source.csv'
const NOTE_NAME = 'copy.json'

const SPECIAL_CODES = { symlink: 'SYMLINK', fifo: 'FIFO', socket: 'SOCKET', device: 'DEVICE', directory: 'NOT_A_FILE' } as const

function unreadable(error: SourceUnreadable): ClaimOutcome & { kind: 'waiting' } {
  return { kind: 'waiting', code: 'UNREADABLE', message: `The file cannot be taken: ${error.systemCode}` }
}

/** Before the rename: ctime counts as well. */
function isStill(observed: Observation, stat: FileStat): boolean {
  return (
    observed.sizeBytes === stat.sizeBytes &&
    observed.mtimeNs === stat.mtimeNs &&
    observed.ctimeNs === stat.ctimeNs &&
    observed.inode === stat.inode
  )
}

/** After the rename, which changes ctime. The device is left out: its number may be another one after a reboot. */
function isClaimed(file: ClaimedFile, stat: FileStat): boolean {
  return file.size === stat.sizeBytes && file.mtime_ns === String(stat.mtimeNs) && file.inode === String(stat.inode)
}

function claimedFileOf(path: Buffer, hidden: Buffer, stat: FileStat, storedAt: string | null): ClaimedFile {
  return {
    path: encodePath(path),
    hidden: encodePath(joinBytes(folderOf(path), hidden)),
    stored_at: storedAt,
    inode: String(stat.inode),
    device: String(stat.device),
    size: stat.sizeBytes,
    mtime_ns: String(stat.mtimeNs),
  }
}

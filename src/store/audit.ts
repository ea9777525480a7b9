import { join } from 'node:path'
import { type AuditShare, isInShare } from '../core/audit-share.js'
import { sha256Hex } from '../core/hashes.js'
import { brokenLinks, metadataHashes } from '../core/history.js'
import { ANCHORS_PREFIX, anchorSegmentOfName, metadataKey, STORE_IDENTITY_KEY, versionKey, versionOfName } from '../core/object-keys.js'
import { isRecordId } from '../core/record-id.js'
import { isVersionEntry, type VersionEntry, versionEntryOf } from '../core/record-model.js'
import { decodeAnchor } from '../documents/anchor.js'
import type { DecisionEntry, RecordMetadata, StoreIdentity } from '../documents/metadata.js'
import { IntakeError, isIntakeError, systemCodeOf } from '../errors.js'
import { ContentHasher } from '../parquet/content-hash.js'
import { openParquet } from '../parquet/read-file.js'
import { type DirectoryEntry, type Files, printablePath } from '../runtime/files.js'
import { SharedSync } from '../runtime/shared-sync.js'
import { type Finding, type FindingCode, finding } from './findings.js'
import { hashBody } from './hash-file.js'
import { LocalObjectStore } from './local-object-store.js'
import { isLocked } from './lock.js'
import type { ObjectBody } from './object-store.js'
import { parseMetadata } from './record-head.js'
import { StagingArea } from './staging-area.js'
import { parseIdentity } from './store-identity.js'

/** Checks the proof that a decision entry carries (decisions/). null: it holds. `code` is that of the refusal; KEY_UNKNOWN passes through. */
export type CheckStoredDecision = (request: {
  readonly entry: DecisionEntry
  readonly storeId: string
  readonly recordId: string
  readonly tableName: string
  readonly parquetSha256: string
}) => Promise<{ readonly code: string; readonly message: string } | null>

export interface AuditOptions {
  readonly files: Files
  /** Folder of the store. */
  readonly root: string
  /** Only these records (ids that do not exist are RECORD_NOT_FOUND); all, with everything around them, by default. */
  readonly recordIds?: readonly string[]
  /** Only of these versions are the bytes read; of all others only whether they are there, and as long as they were committed. All by default. */
  readonly share?: AuditShare
  /** Also decode every cell and compare `content_sha256`; true by default. */
  readonly content?: boolean
  readonly checkDecision: CheckStoredDecision
  /** Told as each is found; all of them are in the report too. */
  readonly onFinding?: (finding: Finding) => void
  /** Told after each record. */
  readonly onRecord?: (recordId: string) => void
  readonly isLocked?: (path: string) => boolean
  readonly signal?: AbortSignal
}

export interface AuditReport {
  readonly store_id: string | null
  readonly records: number
  readonly versions: number
  /** Versions of which the bytes were read. */
  readonly versions_read: number
  /** Bytes of Parquet that were hashed. */
  readonly bytes: number
  /** Decision entries with a signature. */
  readonly decisions: number
  /** Lines of all anchor logs. */
  readonly anchors: number
  readonly findings: readonly Finding[]
}

/** Names that belong in the store's root. */
const ROOT_FILES = new Set([STORE_IDENTITY_KEY, 'lock'])
const ROOT_FOLDERS = new Set(['records', 'anchors', 'staging', 'orphans'])
/** States of one history that are hashed before others get a turn. */
const STATES_AT_A_TIME = 64

/**
 * Recomputes everything that the store promises (DESIGN §3): every hash, every chain, every signature, that what stands at the top of
 * metadata.json follows from the history, that the anchors agree with it, and that nothing is there that does not belong.
 *
 * Reads only, takes no lock (beyond a moment's look whether one is held), and works beside a live daemon: what looks wrong and can be a
 * commit under way is looked at again before it is a finding. Throws NO_STORE, RECORD_NOT_FOUND, ABORTED.
 */
export async function auditStore(options: AuditOptions): Promise<AuditReport> {
  return new Audit(options).run()
}

/** What is kept of each record until the anchors are read: as little as can be, for there may be millions. */
class AuditedRecord {
  /** An anchor speaks of each of the first so many entries; of which others is told by `beyond`. */
  private anchored = 0
  private beyond: Set<number> | null = null

  /** `states`: SHA-256 of metadata.json after each entry, 32 characters each; null: damaged in a way that makes comparing pointless. */
  constructor(private readonly states: string | null) {}

  get isUnreadable(): boolean {
    return this.states === null
  }

  get length(): number {
    return (this.states?.length ?? 0) / STATE_LENGTH
  }

  /** SHA-256 of metadata.json when its history had so many entries, in hex; null: it never had. */
  stateAfter(length: number): string | null {
    if (length < 1 || length > this.length) return null
    return Buffer.from(this.states!.slice((length - 1) * STATE_LENGTH, length * STATE_LENGTH), 'latin1').toString('hex')
  }

  anchor(length: number): void {
    if (length <= this.anchored) return
    // Anchors come in the order of the history, as good as always.
    if (length !== this.anchored + 1) {
      this.beyond ??= new Set()
      this.beyond.add(length)
      return
    }
    this.anchored++
    while (this.beyond?.delete(this.anchored + 1) === true) this.anchored++
  }

  *missing(): Generator<number, void, undefined> {
    for (let length = this.anchored + 1; length <= this.length; length++) if (this.beyond?.has(length) !== true) yield length
  }
}

const STATE_LENGTH = 32
const UNREADABLE = new AuditedRecord(null)

class Audit {
  private readonly files: Files
  private readonly root: string
  private readonly objects: LocalObjectStore
  private readonly staging: StagingArea
  private readonly findings: Finding[] = []
  private readonly records = new Map<string, AuditedRecord>()
  private readonly whole: boolean
  private identity: StoreIdentity | null = null
  private versions = 0
  private versionsRead = 0
  private bytes = 0
  private decisions = 0
  private anchors = 0

  constructor(private readonly options: AuditOptions) {
    this.files = options.files
    this.root = options.root
    this.objects = new LocalObjectStore({ files: options.files, root: options.root })
    this.staging = new StagingArea(options.files, new SharedSync(options.files), join(options.root, 'staging'))
    this.whole = options.recordIds === undefined
  }

  async run(): Promise<AuditReport> {
    const rootEntries = await this.files.list(this.root)
    if (rootEntries === null) throw new IntakeError('NO_STORE', `There is no store at ${this.root}`, { data: { path: this.root } })
    await this.checkIdentity()
    if (this.whole) {
      for (const entry of rootEntries) await this.checkRootEntry(entry)
      await this.walk([])
    } else {
      for (const recordId of this.options.recordIds ?? []) {
        if (!isRecordId(recordId) || (await this.files.list(join(this.root, 'records', ...recordId.split('/')))) === null) {
          throw new IntakeError('RECORD_NOT_FOUND', 'Record does not exist', { data: { record_id: recordId } })
        }
        await this.checkRecord(recordId)
      }
    }
    // After the records: an anchor is written after its commit, so a line that is missing now was not written since.
    await this.checkAnchors()
    if (this.whole) await this.checkStaging()
    return {
      store_id: this.identity?.store_id ?? null,
      records: this.records.size,
      versions: this.versions,
      versions_read: this.versionsRead,
      bytes: this.bytes,
      decisions: this.decisions,
      anchors: this.anchors,
      findings: this.findings,
    }
  }

  private found(code: FindingCode, message: string, place: Parameters<typeof finding>[2] = {}): void {
    const one = finding(code, message, place)
    this.findings.push(one)
    this.options.onFinding?.(one)
  }

  private async checkIdentity(): Promise<void> {
    const object = await this.objects.read(STORE_IDENTITY_KEY)
    const place = { key: STORE_IDENTITY_KEY }
    if (object === null) {
      const records = (await this.files.list(join(this.root, 'records'))) ?? []
      if (records.length === 0) throw new IntakeError('NO_STORE', `There is no store at ${this.root}`, { data: { path: this.root } })
      return this.found('IDENTITY_MISSING', 'store.json is missing though there are records', place)
    }
    const identity = parseIdentity(object.bytes)
    if (typeof identity === 'string') return this.found('IDENTITY_INVALID', `store.json ${identity}`, place)
    this.identity = identity
  }

  private async checkRootEntry(entry: DirectoryEntry): Promise<void> {
    const name = printablePath(entry.name)
    if (entry.kind === 'directory' ? ROOT_FOLDERS.has(name) : entry.kind === 'file' && ROOT_FILES.has(name)) {
      if (name !== 'lock' || (await this.files.stat(join(this.root, name)))?.sizeBytes === 0) return
      return this.found('UNEXPECTED_ENTRY', 'The lock file is not empty', { key: name })
    }
    this.found('UNEXPECTED_ENTRY', `A ${entry.kind} named ${name} lies in the store's folder`, { key: name })
  }

  /** Goes down records/, one folder in memory at a time per level. */
  private async walk(segments: readonly string[]): Promise<void> {
    const entries = (await this.files.list(join(this.root, 'records', ...segments))) ?? []
    entries.sort((a, b) => Buffer.compare(a.name, b.name))
    const id = segments.join('/')
    const has = (name: string): boolean => entries.some((entry) => entry.name.toString('latin1') === name)
    if (segments.length > 0 && (has('metadata.json') || has('versions'))) await this.checkRecord(id)
    for (const entry of entries) {
      const name = entry.name.toString('utf8')
      if (segments.length > 0 && (name === 'metadata.json' || name === 'versions')) continue
      if (entry.kind === 'directory' && isRecordId([...segments, name].join('/'))) {
        await this.walk([...segments, name])
        continue
      }
      const key = `records/${segments.map((s) => `${s}/`).join('')}${printablePath(entry.name)}`
      this.found('UNEXPECTED_ENTRY', `A ${entry.kind} lies among the records`, { key, recordId: segments.length === 0 ? null : id })
    }
  }

  private async checkRecord(recordId: string): Promise<void> {
    this.throwIfStopped()
    const key = metadataKey(recordId)
    const place = { recordId, key }
    const object = await this.objects.read(key)
    if (object === null) {
      // A create that is under way, or was cut off, has its versions folder before its metadata.
      if (await this.isPlanned(recordId, 1)) return
      if ((await this.objects.read(key)) !== null) return this.checkRecord(recordId)
      await this.checkVersionsFolder(recordId, null)
      const files = (await this.files.list(join(this.root, 'records', ...recordId.split('/'), 'versions'))) ?? []
      // An empty folder is what an undone create leaves.
      if (files.length > 0 || this.options.recordIds !== undefined)
        this.found('METADATA_MISSING', `Record ${recordId} has no metadata.json`, place)
      return
    }
    this.options.onRecord?.(recordId)
    const kind = (await this.files.stat(this.objects.pathOf(key)))?.kind
    if (kind !== undefined && kind !== 'file') this.found('METADATA_INVALID', `metadata.json is a ${kind}`, place)
    const metadata = parseMetadata(object.bytes)
    if (typeof metadata === 'string') {
      this.records.set(recordId, UNREADABLE)
      return this.found('METADATA_INVALID', `metadata.json ${metadata}`, place)
    }
    if (metadata.record_id !== recordId) {
      this.records.set(recordId, UNREADABLE)
      return this.found('METADATA_MISPLACED', `metadata.json is that of record ${metadata.record_id}`, place)
    }
    const states: string[] = []
    for (const state of metadataHashes(metadata)) {
      states.push(Buffer.from(state, 'hex').toString('latin1'))
      // A long history keeps the thread for seconds: let a signal through.
      if (states.length % STATES_AT_A_TIME === 0) await new Promise((resolve) => setImmediate(resolve))
      this.throwIfStopped()
    }
    this.records.set(recordId, new AuditedRecord(states.join('')))
    if (this.identity !== null) {
      for (const index of brokenLinks(this.identity.store_id, metadata, metadata.history)) {
        const { version } = metadata.history[index]!
        this.found('HISTORY_CHAIN_BROKEN', `Entry ${index + 1} of the history does not follow from what stands before it`, {
          ...place,
          version,
        })
      }
    }
    const versions = new Map(metadata.history.filter(isVersionEntry).map((entry) => [entry.version, entry]))
    for (const entry of metadata.history) {
      this.throwIfStopped()
      if (isVersionEntry(entry)) await this.checkVersion(recordId, entry)
      else await this.checkDecisionEntry(metadata, entry, versions.get(entry.version))
    }
    await this.checkVersionsFolder(recordId, versions)
  }

  private throwIfStopped(): void {
    if (this.options.signal?.aborted) throw new IntakeError('ABORTED', 'The audit was stopped')
  }

  private async checkVersion(recordId: string, entry: VersionEntry): Promise<void> {
    const key = versionKey(recordId, entry.version)
    const place = { recordId, version: entry.version, key }
    this.versions += 1
    const stat = await this.files.stat(this.objects.pathOf(key))
    if (stat === null) return this.found('VERSION_MISSING', `Version ${entry.version} is missing`, place)
    if (stat.kind !== 'file') return this.found('VERSION_NOT_A_FILE', `Version ${entry.version} is a ${stat.kind}`, place)
    if ((stat.mode & 0o222) !== 0)
      this.found('VERSION_WRITABLE', `Version ${entry.version} has mode ${stat.mode.toString(8).padStart(4, '0')}`, place)
    const { share } = this.options
    if (share !== undefined && !isInShare(share, recordId, entry.version)) {
      if (stat.sizeBytes !== entry.bytes) this.found(...sizeMismatch(entry, stat.sizeBytes), place)
      return
    }
    this.versionsRead += 1
    let body: ObjectBody | null = null
    try {
      body = await this.objects.open(key)
      if (body === null) return this.found('VERSION_MISSING', `Version ${entry.version} is missing`, place)
      if (body.sizeBytes !== entry.bytes) return this.found(...sizeMismatch(entry, body.sizeBytes), place)
      const sha256 = await hashBody(body)
      this.bytes += body.sizeBytes
      if (sha256 !== entry.parquet_sha256) {
        return this.found(
          'VERSION_HASH_MISMATCH',
          `Version ${entry.version} has the hash ${sha256}, ${entry.parquet_sha256} was committed`,
          place,
        )
      }
      if (this.options.content !== false) await this.checkContent(body, entry, place)
    } catch (error) {
      if (!isIntakeError(error, 'PARQUET_INVALID') && systemCodeOf(error) === null) throw error
      this.found('VERSION_UNREADABLE', `Version ${entry.version} cannot be read: ${(error as Error).message}`, place)
    } finally {
      await body?.close()
    }
  }

  /** Row group by row group, column by column, through the reader that shares nothing with the writer. */
  private async checkContent(body: ObjectBody, entry: VersionEntry, place: Parameters<typeof finding>[2]): Promise<void> {
    const file = await openParquet({ sizeBytes: body.sizeBytes, read: (start, end) => body.read(start, end) })
    const hasher = new ContentHasher(file.columns)
    for (const [group] of file.rowGroups.entries()) {
      for (const [column] of file.columns.entries()) hasher.appendColumn(column, await file.readColumn(group, column))
    }
    const { contentSha256 } = hasher.finish()
    if (file.rowCount !== entry.rows) {
      return this.found(
        'VERSION_CONTENT_MISMATCH',
        `Version ${entry.version} has ${file.rowCount} rows, the history says ${entry.rows}`,
        place,
      )
    }
    if (contentSha256 === entry.content_sha256) return
    this.found(
      'VERSION_CONTENT_MISMATCH',
      `The cells of version ${entry.version} have the hash ${contentSha256}, the history says ${entry.content_sha256}`,
      place,
    )
  }

  private async checkDecisionEntry(metadata: RecordMetadata, entry: DecisionEntry, decided: VersionEntry | undefined): Promise<void> {
    const recordId = metadata.record_id
    const place = { recordId, version: entry.version, key: metadataKey(recordId) }
    if (entry.decision === null) {
      if (this.identity?.approvals !== 'signed') return
      return this.found('DECISION_UNSIGNED', `Version ${entry.version} was ${entry.status} without a signature`, place)
    }
    this.decisions += 1
    if (this.identity === null) return
    const problem = await this.options.checkDecision({
      entry,
      storeId: this.identity.store_id,
      recordId,
      tableName: metadata.table_name,
      parquetSha256: decided?.parquet_sha256 ?? '',
    })
    if (problem === null) return
    if (problem.code === 'KEY_UNKNOWN') return this.found('KEY_UNKNOWN', problem.message, place)
    this.found('DECISION_INVALID', `${problem.code}: ${problem.message}`, place)
  }

  /** What lies in versions/ and is no version. `versions` null: the record has no metadata, so nothing is. */
  private async checkVersionsFolder(recordId: string, versions: ReadonlyMap<number, VersionEntry> | null): Promise<void> {
    const prefix = `records/${recordId}/versions`
    const path = join(this.root, ...prefix.split('/'))
    const stat = await this.files.stat(path)
    if (stat === null) return
    if (stat.kind !== 'directory') return this.found('UNEXPECTED_ENTRY', `versions is a ${stat.kind}`, { recordId, key: prefix })
    for (const entry of (await this.files.list(path)) ?? []) {
      const name = printablePath(entry.name)
      const version = versionOfName(entry.name.toString('latin1'))
      const place = { recordId, version, key: `${prefix}/${name}` }
      if (version === null) {
        this.found('UNEXPECTED_ENTRY', `${name} is not the name of a version`, place)
        continue
      }
      if (versions?.has(version) === true) continue
      if (await this.isPlanned(recordId, version)) continue
      // It may have been committed since the metadata was read.
      const now = await this.objects.read(metadataKey(recordId))
      const again = now === null ? null : parseMetadata(now.bytes)
      if (again !== null && typeof again !== 'string' && versionEntryOf(again, version) !== undefined) continue
      // Or a commit that was cut off was undone meanwhile, and its file went aside.
      if ((await this.files.stat(join(path, name))) === null) continue
      this.found('VERSION_ORPHAN', `No history names version ${version}`, place)
    }
  }

  /** Is a plan for this version of the record waiting in staging/? Then what looks odd is a commit under way, or one to be recovered. */
  private async isPlanned(recordId: string, version: number): Promise<boolean> {
    for await (const plan of this.plans())
      if (plan.record_id === recordId && isVersionEntry(plan.entry) && plan.entry.version === version) return true
    return false
  }

  private async *plans(): AsyncIterable<Exclude<Awaited<ReturnType<StagingArea['readPlan']>>, 'torn' | null>> {
    for (const tx of await this.staging.transactions()) {
      const plan = await this.staging.readPlan(tx)
      if (plan !== null && plan !== 'torn') yield plan
    }
  }

  private async checkAnchors(): Promise<void> {
    await this.readAnchors(true)
    const missing = (): [string, number][] => {
      const found: [string, number][] = []
      for (const [recordId, record] of this.records) for (const length of record.missing()) found.push([recordId, length])
      return found
    }
    if (missing().length === 0) return
    // A plan goes away only when its anchor is durable. So what has no plan now, and no anchor after that, has none.
    const planned = new Set<string>()
    for await (const plan of this.plans()) planned.add(`${plan.base.history_length + 1} ${plan.record_id}`)
    await this.readAnchors(false)
    for (const [recordId, length] of missing()) {
      if (planned.has(`${length} ${recordId}`)) continue
      this.found('ANCHOR_MISSING', `No anchor speaks of entry ${length} of the history`, { recordId, key: metadataKey(recordId) })
    }
  }

  private async readAnchors(report: boolean): Promise<void> {
    const folder = join(this.root, 'anchors')
    for (const writer of (await this.files.list(folder)) ?? []) {
      const prefix = `${ANCHORS_PREFIX}${printablePath(writer.name)}`
      if (writer.kind !== 'directory') {
        if (report && this.whole) this.found('UNEXPECTED_ENTRY', `A ${writer.kind} lies among the anchors`, { key: prefix })
        continue
      }
      await this.readWriter(join(folder, writer.name.toString('utf8')), prefix, report)
    }
  }

  private async readWriter(folder: string, prefix: string, report: boolean): Promise<void> {
    const segments: { number: number; name: string }[] = []
    for (const entry of (await this.files.list(folder)) ?? []) {
      const name = printablePath(entry.name)
      const number = entry.kind === 'file' ? anchorSegmentOfName(name) : null
      if (number !== null) segments.push({ number, name })
      else if (report && this.whole)
        this.found('UNEXPECTED_ENTRY', `${name} is not a segment of an anchor log`, { key: `${prefix}/${name}` })
    }
    segments.sort((a, b) => a.number - b.number)
    let link = await this.identityHash()
    for (const [index, segment] of segments.entries()) {
      const key = `${prefix}/${segment.name}`
      if (report && segment.number !== index + 1) {
        this.found('ANCHOR_CHAIN_BROKEN', `Segment ${index + 1} of the log is missing`, { key })
        return
      }
      const bytes = (await this.files.read(join(folder, segment.name))) ?? Buffer.alloc(0)
      link = await this.readSegment(bytes, key, link, index === segments.length - 1, report)
    }
  }

  private async readSegment(bytes: Buffer, key: string, start: string | null, isLast: boolean, report: boolean): Promise<string | null> {
    let link = start
    let at = 0
    for (let number = 1; at < bytes.length; number++) {
      const end = bytes.indexOf(0x0a, at)
      if (end < 0) {
        if (!report) break
        if (!isLast) this.found('ANCHOR_INVALID', 'A segment that is not the last ends in the middle of a line', { key })
        // Beside a writer it is a line being written.
        else if (!this.locked()) this.found('ANCHOR_TORN', `The log ends in the middle of line ${number}`, { key })
        break
      }
      const raw = bytes.subarray(at, end)
      at = end + 1
      const line = decodeAnchor(raw.toString('utf8'))
      if (report) this.anchors += 1
      if (line === null) {
        if (report) this.found('ANCHOR_INVALID', `Line ${number} is not an anchor`, { key })
      } else {
        if (report && link !== null && line.prev !== link) {
          this.found('ANCHOR_CHAIN_BROKEN', `Line ${number} does not follow from the line before`, { key, recordId: line.record_id })
        }
        await this.compare(line, key, number, report)
      }
      link = sha256Hex(raw)
    }
    return link
  }

  private async compare(
    line: { record_id: string; history_length: number; metadata_sha256: string },
    key: string,
    number: number,
    report: boolean,
  ): Promise<void> {
    const recordId = line.record_id
    const record = this.records.get(recordId)
    const place = { recordId, key }
    if (record === undefined) {
      if (!report || !this.whole) return
      // Made since the records were read, or gone.
      if ((await this.objects.read(metadataKey(recordId))) !== null) return
      return this.found('ANCHOR_WITHOUT_RECORD', `Line ${number} speaks of a record that is not there`, place)
    }
    if (record.isUnreadable) return
    const state = record.stateAfter(line.history_length)
    if (state !== null) {
      record.anchor(line.history_length)
      if (report && state !== line.metadata_sha256) {
        this.found('ANCHOR_MISMATCH', `Line ${number} says that entry ${line.history_length} of the history was another one`, place)
      }
      return
    }
    if (!report) return
    const now = await this.objects.read(metadataKey(recordId))
    const metadata = now === null ? null : parseMetadata(now.bytes)
    if (metadata !== null && typeof metadata !== 'string' && metadata.history.length >= line.history_length) return
    this.found('ANCHOR_AHEAD', `Line ${number} says that the history had ${line.history_length} entries; it has ${record.length}`, place)
  }

  private async identityHash(): Promise<string | null> {
    const object = await this.objects.read(STORE_IDENTITY_KEY)
    return object === null ? null : sha256Hex(object.bytes)
  }

  private async checkStaging(): Promise<void> {
    if (this.locked()) return
    const entries = (await this.files.list(join(this.root, 'staging'))) ?? []
    // What a writer made that has come since is its own.
    if (entries.length === 0 || this.locked()) return
    for (const entry of entries) {
      const name = printablePath(entry.name)
      this.found('RECOVERY_PENDING', `staging/ holds ${name}, and no process writes to the store`, { key: `staging/${name}` })
    }
  }

  private locked(): boolean {
    try {
      return (this.options.isLocked ?? isLocked)(join(this.root, 'lock'))
    } catch (error) {
      // Without flock nobody can hold the lock.
      if (isIntakeError(error, 'LOCK_UNAVAILABLE')) return false
      throw error
    }
  }
}

function sizeMismatch(entry: VersionEntry, bytes: number): [FindingCode, string] {
  return ['VERSION_SIZE_MISMATCH', `Version ${entry.version} has ${bytes} bytes, ${entry.bytes} were committed`]
}

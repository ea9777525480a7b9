import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { headProblem, keyCoversTable, keyProblemAt } from '../core/decision-rules.js'
import { dateOfDropId, isDropId } from '../core/drop-id.js'
import { isRecordId } from '../core/record-id.js'
import { stateOf, transition } from '../core/record-state.js'
import type { Keyring } from '../decisions/keyring.js'
import { decisionFileBytes, loadPrivateKey, type SigningKey, signDecision } from '../decisions/sign.js'
import { DECISION_FILE_SUFFIX, type DecisionVerb } from '../documents/decision.js'
import type { RecordMetadata } from '../documents/metadata.js'
import { type DecisionReceipt, receipt as receiptDocument } from '../documents/receipt.js'
import { ERRORS, type ErrorCode, IntakeError } from '../errors.js'
import { type Clock, isoTime } from '../runtime/clock.js'
import { createFile, type Files, printablePath } from '../runtime/files.js'
import type { Workspace } from '../runtime/workspace.js'
import { RecordStore } from '../store/record-store.js'

/**
 * What `approve` and `reject` do, step by step: which versions are meant, what speaks against them here already, signing, placing,
 * waiting. The daemon judges everything again; the checks of this side only spare people a refused file.
 */

/** A version that somebody is about to decide on. */
export interface DecisionTarget {
  readonly recordId: string
  readonly tableName: string
  readonly version: number
  readonly rows: number
  readonly parquetSha256: string
  readonly createdBy: string
  readonly createdAt: string
}

export interface TargetRefusal {
  readonly recordId: string
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
}

/** What these verbs read of a store; writes nothing and takes no lock. */
export interface RecordReader {
  readonly storeId: string
  metadata(recordId: string): Promise<RecordMetadata | null>
}

/** Throws NO_STORE, STORE_INVALID. */
export async function openRecordReader(files: Files, root: string): Promise<RecordReader> {
  const store = await RecordStore.open({ files, root, mode: 'read' })
  return { storeId: store.identity.store_id, metadata: (recordId) => store.metadata(recordId) }
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

/** The records a drop made a version of, each with that version. Throws DROP_NOT_FOUND. */
export async function versionsOfDrop(
  files: Files,
  receiptsFolder: string,
  dropId: string,
): Promise<{ recordId: string; version: number }[]> {
  const bytes = isDropId(dropId) ? await files.read(join(receiptsFolder, dateOfDropId(dropId), `${dropId}.json`)) : null
  if (bytes === null) throw new IntakeError('DROP_NOT_FOUND', `There is no receipt of drop ${JSON.stringify(dropId.slice(0, 100))}`)
  const parsed = receiptDocument.safeParse(jsonOf(bytes))
  if (!parsed.success || parsed.data.kind !== 'drop') {
    throw new IntakeError('DROP_NOT_FOUND', `${dropId} is not the receipt of a drop`, {
      hint: 'Name a drop whose outcome is committed or partial; `parquet-intake receipts` lists them.',
    })
  }
  const made = parsed.data.records.flatMap((r) =>
    (r.outcome === 'created' || r.outcome === 'updated') && r.version !== null ? [{ recordId: r.record_id, version: r.version }] : [],
  )
  if (made.length === 0) {
    throw new IntakeError('DROP_NOT_FOUND', `Drop ${dropId} made no version (${parsed.data.outcome})`, {
      hint: 'There is nothing to decide. `parquet-intake receipts` shows what became of it.',
    })
  }
  return made
}

/** The key to sign with: the one named, or the only one in keys/. Throws KEY_INVALID, USAGE. */
export async function chooseKey(files: Files, workspace: Workspace, path: string | null): Promise<SigningKey & { readonly path: string }> {
  const chosen = path ?? (await onlyKeyIn(files, workspace.paths.keys))
  return { ...(await loadPrivateKey(files, chosen)), path: chosen }
}

async function onlyKeyIn(files: Files, folder: string): Promise<string> {
  const names = ((await files.list(folder)) ?? [])
    .filter((entry) => entry.kind !== 'directory')
    .map((entry) => entry.name.toString('utf8'))
    .filter((name) => name.endsWith('.jwk.json') && !name.startsWith('.'))
    .sort()
  const [first, ...others] = names
  if (first === undefined) {
    throw new IntakeError('KEY_INVALID', `There is no key in ${printablePath(folder)}`, {
      hint: 'Make one with `parquet-intake keygen --principal NAME`, or name it with --key.',
    })
  }
  if (others.length > 0) {
    throw new IntakeError(
      'USAGE',
      `There are ${names.length} keys in ${printablePath(folder)}: ${names.slice(0, 10).map(printablePath).join(', ')}`,
      { hint: 'Say which one signs with --key FILE.' },
    )
  }
  return join(folder, first)
}

/** What of the wanted versions can be decided on, and what speaks against the others. Reads only. */
export async function examineTargets(options: {
  reader: RecordReader
  keyring: Keyring
  key: SigningKey
  decision: DecisionVerb
  /** `version` null: whatever is current. */
  wanted: readonly { recordId: string; version: number | null }[]
  forbidSelfApproval: boolean
  nowMs: number
}): Promise<{ targets: DecisionTarget[]; refusals: TargetRefusal[] }> {
  const { reader, keyring, key, decision, nowMs } = options
  const trusted = keyring.keys.get(key.kid)
  if (trusted === undefined || trusted.key.x !== key.x)
    throw new IntakeError(
      'KEY_UNKNOWN',
      `The keyring (version ${keyring.version}) does not hold the key of ${JSON.stringify(key.principal)}`,
    )
  if (trusted.key.principal !== key.principal) {
    throw new IntakeError(
      'DECISION_PRINCIPAL_MISMATCH',
      `The key file says ${JSON.stringify(key.principal)}, the keyring says ${JSON.stringify(trusted.key.principal)}`,
    )
  }
  const ended = keyProblemAt(trusted.key, nowMs)
  if (ended !== null) throw new IntakeError(ended, `The key of ${JSON.stringify(key.principal)} cannot sign now`)

  const targets: DecisionTarget[] = []
  const refusals: TargetRefusal[] = []
  for (const { recordId, version } of options.wanted) {
    const refuse = (code: ErrorCode, message: string): void => {
      refusals.push({ recordId, code, message, hint: ERRORS[code].hint })
    }
    const record = isRecordId(recordId) ? await reader.metadata(recordId) : null
    if (record === null) {
      refuse('DECISION_RECORD_UNKNOWN', 'Record does not exist')
      continue
    }
    const head = record.history.findLast((entry) => entry.status === 'draft' && entry.version === record.current_version)
    if (head?.status !== 'draft') {
      refuse('STORE_INVALID', 'The history has no entry for the current version')
      continue
    }
    if (version !== null && version !== head.version) {
      refuse('DECISION_VERSION_MISMATCH', `Version ${version} is not the current one, which is ${head.version}`)
      continue
    }
    const step = transition(stateOf(record), decision)
    const problem = headProblem(
      { version: head.version, parquet_sha256: head.parquet_sha256, decision, decided_by: key.principal },
      head,
      options,
    )
    if (!step.ok) refuse(step.refusal.code, step.refusal.message)
    else if (!keyCoversTable(trusted.key.tables, record.table_name))
      refuse('KEY_TABLE_FORBIDDEN', `${JSON.stringify(key.principal)} may not decide on records of ${record.table_name}`)
    else if (problem !== null) refuse(problem, `${JSON.stringify(key.principal)} made version ${head.version}`)
    else {
      targets.push({
        recordId,
        tableName: record.table_name,
        version: head.version,
        rows: head.rows,
        parquetSha256: head.parquet_sha256,
        createdBy: head.created_by,
        createdAt: head.created_at,
      })
    }
  }
  return { targets, refusals }
}

export interface SignedFile {
  readonly target: DecisionTarget
  readonly decisionId: string
  /** Absolute. */
  readonly path: string
}

/** Signs one file per target and puts each into `folder`, whole at once. */
export async function signInto(options: {
  files: Files
  folder: string
  targets: readonly DecisionTarget[]
  key: SigningKey
  storeId: string
  decision: DecisionVerb
  comment: string
  nowMs: number
  randomUuid: () => string
}): Promise<SignedFile[]> {
  const { files, folder } = options
  const signed: SignedFile[] = []
  for (const target of options.targets) {
    const decisionId = options.randomUuid().toLowerCase()
    const envelope = await signDecision(
      {
        decision_id: decisionId,
        store_id: options.storeId,
        record_id: target.recordId,
        version: target.version,
        parquet_sha256: target.parquetSha256,
        decision: options.decision,
        comment: options.comment,
        decided_by: options.key.principal,
        decided_at: isoTime(options.nowMs),
      },
      options.key,
    )
    const name = `${target.recordId.replaceAll('/', '_').slice(0, 120)}-${decisionId}${DECISION_FILE_SUFFIX}`
    const path = join(folder, name)
    // Hidden and not *.decision.json until it is whole: a crash leaves at most a file that nobody takes.
    const temporary = join(folder, `.${name}.tmp`)
    if ((await createFile(files, temporary, decisionFileBytes(envelope), { mode: 0o644 })) === 'exists') {
      throw new IntakeError('FILE_EXISTS', `${printablePath(temporary)} is there already`)
    }
    await files.rename(temporary, path)
    signed.push({ target, decisionId, path })
  }
  await files.syncDirectory(folder)
  return signed
}

/** Looks for receipts that were not there when it was made. */
export class ReceiptWatch {
  private readonly known = new Set<string>()

  private constructor(
    private readonly files: Files,
    private readonly folder: string,
    private readonly firstDay: string,
  ) {}

  /** Make it before the decisions are placed. `nowMs` bounds the days looked at; a daemon whose ids run behind the clock is allowed for. */
  static async begin(files: Files, folder: string, nowMs: number): Promise<ReceiptWatch> {
    const watch = new ReceiptWatch(files, folder, isoTime(nowMs - 86_400_000).slice(0, 10))
    for (const path of await watch.paths()) watch.known.add(path)
    return watch
  }

  private async paths(): Promise<string[]> {
    const days = ((await this.files.list(this.folder)) ?? [])
      .map((entry) => entry.name.toString('utf8'))
      .filter((name) => /^\d{4}-\d{2}-\d{2}$/.test(name) && name >= this.firstDay)
    const found: string[] = []
    for (const day of days) {
      for (const entry of (await this.files.list(join(this.folder, day))) ?? []) {
        const name = entry.name.toString('utf8')
        if (entry.kind === 'file' && name.endsWith('.json') && isDropId(name.slice(0, -5))) found.push(join(this.folder, day, name))
      }
    }
    return found
  }

  /** Decision receipts that have come since the last look. One that is not whole yet is looked at again. */
  async look(): Promise<DecisionReceipt[]> {
    const fresh: DecisionReceipt[] = []
    for (const path of await this.paths()) {
      if (this.known.has(path)) continue
      const bytes = await this.files.read(path)
      const parsed = receiptDocument.safeParse(bytes === null ? undefined : jsonOf(bytes))
      if (!parsed.success) continue
      this.known.add(path)
      if (parsed.data.kind === 'decision') fresh.push(parsed.data)
    }
    return fresh
  }
}

/** The receipts of these files, by decision_id, as far as they come within `timeoutMs`. */
export async function awaitReceipts(options: {
  watch: { look(): Promise<DecisionReceipt[]> }
  signed: readonly SignedFile[]
  timeoutMs: number
  clock: Clock
  signal: AbortSignal
  pause?: (ms: number) => Promise<void>
}): Promise<Map<string, DecisionReceipt>> {
  const { watch, clock, signal } = options
  const pause = options.pause ?? ((ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined))
  const byName = new Map(options.signed.map((file) => [basename(file.path), file.decisionId]))
  const byId = new Set(options.signed.map((file) => file.decisionId))
  const got = new Map<string, DecisionReceipt>()
  const endMs = clock.monotonicMs() + options.timeoutMs
  for (let pauseMs = 50; ; pauseMs = Math.min(250, pauseMs * 1.5)) {
    for (const receipt of await watch.look()) {
      // A refused file need not have shown its decision_id: then its name tells.
      const id = receipt.decision_id !== null && byId.has(receipt.decision_id) ? receipt.decision_id : byName.get(receipt.path)
      if (id !== undefined) got.set(id, receipt)
    }
    if (got.size === options.signed.length || signal.aborted || clock.monotonicMs() >= endMs) return got
    await pause(pauseMs)
  }
}

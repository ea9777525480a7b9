import { createPublicKey, hash, verify } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type InvariantFinding,
  invariantFindings,
  NOTHING_SEEN,
  type ReceiptDocumentFact,
  type ReceiptFact,
  type RecordFacts,
  type SeenFacts,
  type SignatureFact,
  type StoredFileFact,
  seenOf,
  type VersionFact,
  type WorkspaceFacts,
} from '../../src/core/invariants.js'
import type { RecordMetadata } from '../../src/core/record-model.js'

/** How facts are gathered: from a folder, or from a disk that a test made up. Paths are below the workspace, "" is its root. */
export interface FactReader {
  /** null: there is no such file. */
  read(path: string): Buffer | null
  /** Empty where there is no such folder. */
  list(path: string): readonly { readonly name: string; readonly kind: 'file' | 'directory' | 'other' }[]
}

export function folderReader(root: string): FactReader {
  const absentIs = <T>(nothing: T, look: () => T): T => {
    try {
      return look()
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return nothing
      throw error
    }
  }
  return {
    read: (path) => absentIs(null, () => (lstatSync(join(root, path)).isFile() ? readFileSync(join(root, path)) : null)),
    list: (path) =>
      absentIs([], () =>
        readdirSync(join(root, path), { withFileTypes: true, encoding: 'latin1' }).map((e) => ({
          name: e.name,
          kind: e.isFile() ? ('file' as const) : e.isDirectory() ? ('directory' as const) : ('other' as const),
        })),
      ),
  }
}

export interface Checked {
  readonly findings: readonly InvariantFinding[]
  /** For the next look at the same workspace. */
  readonly seen: SeenFacts
}

/**
 * I1 to I7 of a workspace folder, by bytes alone: nothing of the product reads for it, only its rules judge. Give `seen` of the look before,
 * and what was visible then must still be there. The workspace is quiet, or its daemon was stopped.
 */
export function checkInvariants(workspace: string | FactReader, seen: SeenFacts = NOTHING_SEEN): Checked {
  const facts = gatherFacts(typeof workspace === 'string' ? folderReader(workspace) : workspace)
  return { findings: invariantFindings(facts, seen), seen: seenOf(facts, seen) }
}

const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex')

export function gatherFacts(reader: FactReader): WorkspaceFacts {
  const records = [...recordsBelow(reader, [])]
  const keyring = json(reader.read('config/approvers.jwks.json')) as { keys?: { kid: string; x: string; principal: string }[] } | null
  return {
    store: storeOf(reader),
    records,
    signatures: records.flatMap((record) => signaturesOf(record, keyring?.keys ?? null)),
    plannedKeys: plannedKeys(reader),
    anchors: anchorsOf(reader),
    claims: reader
      .list('state/claims')
      .filter((e) => e.kind === 'directory' && json(reader.read(`state/claims/${e.name}/drop.json`)) !== null)
      .map((e) => e.name),
    hidden: [...hiddenBelow(reader, 'inbox'), ...hiddenBelow(reader, 'decisions')],
    receipts: receiptsOf(reader),
    stored: [...storedBelow(reader, 'archive', null), ...storedBelow(reader, 'quarantine', null)],
  }
}

function json(bytes: Buffer | null): unknown {
  if (bytes === null) return null
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
}

function storeOf(reader: FactReader): WorkspaceFacts['store'] {
  const bytes = reader.read('store/store.json')
  if (bytes === null) return reader.list('store/records').length > 0 ? 'is missing, though there are records' : null
  const identity = json(bytes) as { store_id?: unknown; approvals?: unknown } | null
  if (typeof identity?.store_id !== 'string' || (identity.approvals !== 'signed' && identity.approvals !== 'any')) return 'is not whole'
  return { storeId: identity.store_id, approvals: identity.approvals }
}

function* recordsBelow(reader: FactReader, segments: readonly string[]): Generator<RecordFacts> {
  const folder = ['store/records', ...segments].join('/')
  const entries = reader.list(folder)
  if (entries.some((e) => e.name === 'metadata.json' || e.name === 'versions')) {
    const bytes = reader.read(`${folder}/metadata.json`)
    const document = json(bytes) as RecordMetadata | null
    const whole = Array.isArray(document?.history) && document.history.length > 0
    const metadata = bytes === null ? null : whole ? document : 'is not whole'
    const files: VersionFact[] = []
    for (const { name } of reader.list(`${folder}/versions`)) {
      const version = /^v([1-9]\d*)\.parquet$/.exec(name)
      const file = version === null ? null : reader.read(`${folder}/versions/${name}`)
      if (file !== null) files.push({ version: Number(version![1]), sha256: sha256(file), bytes: file.length })
    }
    yield { recordId: segments.join('/'), metadata, metadataSha256: bytes === null ? null : sha256(bytes), files }
  }
  for (const { name, kind } of entries) if (kind === 'directory' && name !== 'versions') yield* recordsBelow(reader, [...segments, name])
}

function signaturesOf(
  { recordId, metadata }: RecordFacts,
  keys: readonly { readonly kid: string; readonly x: string; readonly principal: string }[] | null,
): SignatureFact[] {
  if (metadata === null || typeof metadata === 'string') return []
  return metadata.history.flatMap((entry, index) => {
    if (entry.status === 'draft' || entry.decision === null) return []
    const { jws, key } = entry.decision
    const [{ protected: head, signature }] = jws.signatures
    const known = keys === null || keys.some((k) => k.kid === key.kid && k.x === key.x && k.principal === key.principal)
    const header = json(Buffer.from(head, 'base64url')) as { kid?: unknown } | null
    const payload = json(Buffer.from(jws.payload, 'base64url')) as (SignatureFact['payload'] & { decided_by?: unknown }) | null
    let holds = known && header?.kid === key.kid && payload?.decided_by === key.principal && entry.created_by === key.principal
    try {
      const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: key.x }, format: 'jwk' })
      holds &&= verify(null, Buffer.from(`${head}.${jws.payload}`, 'latin1'), publicKey, Buffer.from(signature, 'base64url'))
    } catch {
      holds = false
    }
    return [{ recordId, index, holds, payload }]
  })
}

function plannedKeys(reader: FactReader): string[] {
  return reader.list('store/staging').flatMap(({ name }) => {
    const stored = json(reader.read(`store/staging/${name}/plan.json`)) as {
      plan?: { record_id: string; entry: { version: number } }
    } | null
    return stored?.plan === undefined ? [] : [`records/${stored.plan.record_id}/versions/v${stored.plan.entry.version}.parquet`]
  })
}

function anchorsOf(reader: FactReader): WorkspaceFacts['anchors'] {
  const anchors: WorkspaceFacts['anchors'][number][] = []
  for (const writer of reader.list('store/anchors')) {
    for (const { name } of reader.list(`store/anchors/${writer.name}`)) {
      for (const text of reader.read(`store/anchors/${writer.name}/${name}`)!.toString('latin1').split('\n').slice(0, -1)) {
        const line = json(Buffer.from(text, 'latin1')) as { record_id: string; history_length: number; metadata_sha256: string } | null
        // What a crash left of lines that nobody was told of is cut when the log is opened.
        if (line === null) break
        anchors.push({ recordId: line.record_id, historyLength: line.history_length, metadataSha256: line.metadata_sha256 })
      }
    }
  }
  return anchors
}

const DROP_ID = /^\d{8}T\d{9}Z-\d{6}-[0-9a-f]{16}/

function* hiddenBelow(reader: FactReader, folder: string): Generator<string> {
  for (const { name, kind } of reader.list(folder)) {
    if (kind === 'directory') yield* hiddenBelow(reader, `${folder}/${name}`)
    else if (name.startsWith('.') && name.endsWith('.claimed')) {
      const dropId = DROP_ID.exec(name.slice(1))
      if (dropId !== null) yield dropId[0]
    }
  }
}

function receiptsOf(reader: FactReader): ReceiptFact[] {
  return reader.list('receipts').flatMap((day) =>
    reader.list(`receipts/${day.name}`).flatMap(({ name }) => {
      if (name.startsWith('.')) return []
      const bytes = reader.read(`receipts/${day.name}/${name}`)!
      const dropId = name.slice(0, -'.json'.length)
      return [{ dropId, document: receiptDocument(bytes, dropId), sha256: sha256(bytes) }]
    }),
  )
}

function receiptDocument(bytes: Buffer, dropId: string): ReceiptDocumentFact | string {
  const document = json(bytes) as (Partial<ReceiptDocumentFact> & { drop_id?: unknown }) | null
  if (document === null) return 'is not whole'
  if (document.drop_id !== dropId) return 'is that of another drop'
  if (typeof document.outcome !== 'string' || (document.kind !== 'drop' && document.kind !== 'decision')) return 'is no receipt'
  const { kind, outcome, sha256 = null, stored_at = null, rows = null, records = [] } = document
  return { kind, outcome, sha256, stored_at, rows, records }
}

const REPORTS: ReadonlySet<string> = new Set(['report.json', 'rejects.csv', 'mended.csv', 'reason.txt'])

/** `dropId`: that of the folder in quarantine we are in. */
function* storedBelow(reader: FactReader, folder: string, dropId: string | null): Generator<StoredFileFact> {
  for (const { name, kind } of reader.list(folder)) {
    const path = `${folder}/${name}`
    const own = dropId ?? DROP_ID.exec(name)?.[0] ?? null
    if (kind === 'directory') {
      if (path !== 'quarantine/orphans') yield* storedBelow(reader, path, folder === 'quarantine' ? own : null)
    } else if (own !== null && !(dropId !== null && REPORTS.has(name)) && !name.endsWith('.tmp')) {
      const bytes = reader.read(path)
      yield { path, dropId: own, sha256: bytes === null ? null : sha256(bytes) }
    }
  }
}

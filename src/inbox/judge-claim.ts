import { orderingKeyOf } from '../core/ordering.js'
import { isRecordId } from '../core/record-id.js'
import { type ManifestDocument, manifestDocument } from '../documents/config.js'
import type { DropDocument, SidecarKind } from '../documents/drop.js'
import { isComment } from '../documents/text.js'
import type { ErrorCode } from '../errors.js'
import type { Claim } from './claim.js'

/** Bytes of a sidecar that are looked at. */
export const SIDECAR_MAX_BYTES = 64 * 1024

export interface ClaimFacts {
  readonly document: DropDocument
  /** null: not opened. */
  readonly sha256: string | null
  readonly limitBytes: number
  /** At most SIDECAR_MAX_BYTES + 1 of each. */
  readonly sidecars: ReadonlyMap<SidecarKind, Uint8Array>
}

type Judgement = Pick<Claim, 'problem' | 'manifest' | 'recordRule' | 'createdBy' | 'orderingKey'>
type Problem = { readonly code: ErrorCode; readonly message: string }

const SPECIAL: Readonly<Record<Exclude<DropDocument['file_kind'], 'file'>, Problem>> = {
  symlink: { code: 'SYMLINK', message: 'This is a symbolic link, not a file' },
  fifo: { code: 'FIFO', message: 'This is a named pipe, not a file' },
  socket: { code: 'SOCKET', message: 'This is a socket, not a file' },
  device: { code: 'DEVICE', message: 'This is a device, not a file' },
}

/** What can be said about a drop from its name, its size and its sidecars. Pure. The first problem is the one that counts. */
export function judgeClaim(facts: ClaimFacts): Judgement {
  const { document } = facts
  const { order } = document
  if (order === null) {
    const problem =
      document.file_kind === 'file' ? (facts.sha256 === null ? tooLarge(document, facts.limitBytes) : null) : SPECIAL[document.file_kind]
    return {
      problem,
      manifest: null,
      recordRule: null,
      createdBy: null,
      orderingKey: orderingKeyOf({ kind: 'decision', dropId: document.drop_id }),
    }
  }
  const bySource = orderingKeyOf({ kind: 'source', source: order.source })
  const refused = (problem: Problem, manifest: ManifestDocument | null = null): Judgement => ({
    problem,
    manifest,
    recordRule: null,
    createdBy: order.created_by,
    orderingKey: bySource,
  })
  if (document.file_kind !== 'file') return refused(SPECIAL[document.file_kind])
  if (facts.sha256 === null) return refused(tooLarge(document, facts.limitBytes))

  const expected = facts.sidecars.get('sha256')
  if (expected !== undefined) {
    const hash = hashOfSidecar(expected)
    if (hash === null) return refused({ code: 'SIDECAR_INVALID', message: 'The .sha256 file does not start with 64 hex digits' })
    if (hash !== facts.sha256)
      return refused({ code: 'SIDECAR_MISMATCH', message: `The file's SHA-256 is ${facts.sha256}, its .sha256 file says ${hash}` })
  }

  let manifest: ManifestDocument | null = null
  let rule = order.record_rule
  let createdBy = order.created_by
  if (rule.kind === 'manifest') {
    const bytes = facts.sidecars.get('manifest')
    const read = bytes === undefined ? 'There is no manifest' : readManifest(bytes)
    if (typeof read === 'string') return refused({ code: 'MANIFEST_INVALID', message: read })
    manifest = read
    if (manifest.sha256 !== undefined && manifest.sha256 !== facts.sha256) {
      return refused(
        { code: 'SIDECAR_MISMATCH', message: `The file's SHA-256 is ${facts.sha256}, its manifest says ${manifest.sha256}` },
        manifest,
      )
    }
    if (manifest.created_by !== undefined) {
      if (manifest.created_by !== order.created_by && !order.allowed_created_by.includes(manifest.created_by)) {
        return refused(
          {
            code: 'CREATED_BY_NOT_ALLOWED',
            message: `The manifest names ${JSON.stringify(manifest.created_by)} as created_by, which the source does not allow`,
          },
          manifest,
        )
      }
      createdBy = manifest.created_by
    }
    rule = { kind: 'fixed', recordId: manifest.record_id }
  }

  const sample = rule.kind === 'fixed' ? rule.recordId : `${rule.prefix}A${rule.suffix}`
  if (!isRecordId(sample)) {
    const where = manifest === null ? 'The name of the file gives' : 'The manifest names'
    return refused(
      { code: 'RECORD_ID_ILLEGAL', message: `${where} ${JSON.stringify(sample.slice(0, 200))}, which is not a legal record id` },
      manifest,
    )
  }
  const orderingKey = rule.kind === 'fixed' ? orderingKeyOf({ kind: 'record', recordId: rule.recordId }) : bySource
  const problem: Problem | null =
    order.table_document === null
      ? { code: 'TABLE_UNKNOWN', message: `The source names the table ${JSON.stringify(order.table)}, which does not exist` }
      : null
  return { problem, manifest, recordRule: rule, createdBy, orderingKey }
}

function tooLarge(document: DropDocument, limitBytes: number): Problem {
  return { code: 'LIMIT_EXCEEDED', message: `The file has ${document.file.size} bytes, the limit is ${limitBytes}` }
}

/** The form of `sha256sum`: hex digits, then anything after white space; a leading backslash says that the name is escaped. */
function hashOfSidecar(bytes: Uint8Array): string | null {
  const text = Buffer.from(bytes.subarray(0, 80)).toString('latin1')
  const m = /^\\?([0-9a-fA-F]{64})(?![^\s])/.exec(text)
  return m === null ? null : m[1]!.toLowerCase()
}

/** The manifest, or what is wrong with it. */
function readManifest(bytes: Uint8Array): ManifestDocument | string {
  if (bytes.length > SIDECAR_MAX_BYTES) return `The manifest is larger than ${SIDECAR_MAX_BYTES} bytes`
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    return 'The manifest is not JSON in UTF-8'
  }
  const parsed = manifestDocument.safeParse(json)
  if (!parsed.success) {
    const issues = parsed.error.issues.map((i) => (i.path.length === 0 ? i.message : `${i.path.join('.')}: ${i.message}`))
    return `The manifest does not have its form: ${issues.join('; ')}`
  }
  if (parsed.data.comment !== undefined && !isComment(parsed.data.comment)) {
    return 'The manifest does not have its form: comment: must be at most 512 bytes of UTF-8 without control characters'
  }
  return parsed.data
}

import type { DropId } from '../core/drop-id.js'
import type { ManifestDocument } from '../documents/config.js'
import type { DropDocument, RecordRule } from '../documents/drop.js'
import type { ErrorCode } from '../errors.js'

/** A drop or decision taken from its folder for good: ours to finish, whatever happens. */
export interface Claim {
  readonly dropId: DropId
  /** state/claims/<drop-id>, absolute. Whatever is put here goes when the claim is released. */
  readonly folder: string
  readonly document: DropDocument
  /** The copy, synced. There is none when `sha256` is null. */
  readonly sourcePath: string
  /** Of the copy; null where the file was not opened: special files, and files over the limit. */
  readonly sha256: string | null
  readonly bytes: number | null
  /** What is wrong with the drop before a byte of it is looked at: it goes to quarantine with this. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null
  readonly orderingKey: string
  /** Where the record comes from, a manifest taken into account; null for decisions, and where a problem hides it. */
  readonly recordRule: Exclude<RecordRule, { kind: 'manifest' }> | null
  readonly manifest: ManifestDocument | null
  /** Who made the version: of the source, or of the manifest where the source allows it; null for decisions. */
  readonly createdBy: string | null
  /** Absolute, exact bytes: where the producer's file is while the drop is in flight. For a requeued drop, the stored original. */
  readonly originalPath: Buffer
  /** True when an earlier run of the daemon took it. */
  readonly recovered: boolean
}

import { isVersionEntry, type RecordMetadata, type RecordStatus, type VersionEntry } from '../core/record-model.js'

/** One version with what was decided on it. */
export interface VersionLine {
  readonly entry: VersionEntry
  readonly status: RecordStatus
  readonly decidedBy: string | null
  readonly decidedAt: string | null
}

/** Versions in order. A decision changes the status of the version it names, and of no other. */
export function versionLines(metadata: Pick<RecordMetadata, 'history'>): VersionLine[] {
  const lines = new Map<number, VersionLine>()
  for (const entry of metadata.history) {
    if (isVersionEntry(entry)) lines.set(entry.version, { entry, status: 'draft', decidedBy: null, decidedAt: null })
    else {
      const before = lines.get(entry.version)
      if (before !== undefined)
        lines.set(entry.version, { entry: before.entry, status: entry.status, decidedBy: entry.created_by, decidedAt: entry.created_at })
    }
  }
  return [...lines.values()]
}

import { appendFileSync, copyFileSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatDropId } from '../../src/core/drop-id.js'
import { sha256Hex } from '../../src/core/hashes.js'
import { appendEntry, nextPrev } from '../../src/core/history.js'
import { anchorPrefix, anchorSegmentName, metadataKey, versionKey, versionsPrefix } from '../../src/core/object-keys.js'
import { encodeAnchor } from '../../src/documents/anchor.js'
import { fixedForm, recordMetadata, type StoreIdentity, storeIdentity, type VersionEntry } from '../../src/documents/metadata.js'

/** Records that share one file: file systems bound the names of a file, ext4 at 65,000. */
const NAMES_PER_FILE = 10_000
/** Lines of a full segment of the anchor log. */
const SEGMENT_LINES = 4096
const WRITER = 'daemon'

/**
 * Fills a store with records like one that it holds: same content, histories, hashes and anchors of their own, as the daemon would have
 * written them, but thousands a second. `store` must hold that one record and nothing else. The store is whole afterwards: `verify` finds nothing.
 */
export function fillStore(store: string, like: string, idOf: (n: number) => string, records: number): void {
  const identity: StoreIdentity = storeIdentity.parse(JSON.parse(readFileSync(join(store, 'store.json'), 'utf8')))
  const model = recordMetadata.parse(JSON.parse(readFileSync(join(store, metadataKey(like)), 'utf8')))
  const modelEntry = model.history[0] as VersionEntry
  const anchors = join(store, anchorPrefix(WRITER))
  const firstSegment = readFileSync(join(anchors, anchorSegmentName(1)), 'utf8')
    .trimEnd()
    .split('\n')
  let link = sha256Hex(firstSegment.at(-1)!)
  let lines = firstSegment.length
  let segment = 1
  let text = ''
  let file = join(store, versionKey(like, 1))
  const began = Date.parse(modelEntry.created_at)
  for (let n = 0; n < records; n++) {
    const recordId = idOf(n)
    const record = { record_id: recordId, table_name: model.table_name, source: model.source }
    const dropId = formatDropId(began, n % 1_000_000, sha256Hex(recordId).slice(0, 16))
    const drop = modelEntry.drop === null ? null : { ...modelEntry.drop, drop_id: dropId, name: `${recordId}.csv` }
    const entry: VersionEntry = { ...modelEntry, drop, prev: nextPrev(identity.store_id, record, []) }
    const bytes = fixedForm(appendEntry(record, [], entry) as typeof model)
    mkdirSync(join(store, versionsPrefix(recordId)), { recursive: true, mode: 0o750 })
    const version = join(store, versionKey(recordId, 1))
    if (n % NAMES_PER_FILE === 0) {
      copyFileSync(file, version)
      file = version
    } else linkSync(file, version)
    writeFileSync(join(store, metadataKey(recordId)), bytes, { mode: 0o640 })
    if (lines === SEGMENT_LINES) {
      appendFileSync(join(anchors, anchorSegmentName(segment)), text)
      text = ''
      lines = 0
      segment++
    }
    const line = encodeAnchor({ record_id: recordId, history_length: 1, metadata_sha256: sha256Hex(bytes), prev: link })
    link = sha256Hex(line)
    text += `${line}\n`
    lines++
  }
  appendFileSync(join(anchors, anchorSegmentName(segment)), text)
}

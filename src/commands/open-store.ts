import { checkRecordId } from '../core/record-id.js'
import type { RecordMetadata } from '../documents/metadata.js'
import { IntakeError } from '../errors.js'
import { RecordStore } from '../store/record-store.js'
import type { CommandContext } from './context.js'

/** The store of the workspace for reading: takes no lock, changes nothing, works beside a running daemon. Throws NO_STORE. */
export async function openStoreToRead(context: CommandContext): Promise<RecordStore> {
  const { paths } = await context.workspace()
  return RecordStore.open({ files: context.files, root: paths.store, mode: 'read' })
}

/** Throws RECORD_ID_ILLEGAL, RECORD_NOT_FOUND. */
export async function metadataOf(store: RecordStore, recordId: string): Promise<RecordMetadata> {
  const metadata = await store.metadata(checkRecordId(recordId))
  if (metadata === null) throw new IntakeError('RECORD_NOT_FOUND', `There is no record ${recordId}`, { data: { record_id: recordId } })
  return metadata
}

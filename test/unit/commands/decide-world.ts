import { createHash, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addToKeyring } from '../../../src/decisions/keyring.js'
import { generateApproverKey, writePrivateKey } from '../../../src/decisions/sign.js'
import type { ApproverKey, RecordMetadata } from '../../../src/documents/metadata.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { RecordStore } from '../../../src/store/record-store.js'
import { type TestContext, testContext } from '../../support/command-context.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

/** A workspace as the verbs of approvers see it: a signed store with records, a keyring, keys. */
export interface DecideWorld {
  readonly root: string
  context(options?: Partial<Parameters<typeof testContext>[0]>): TestContext
  open(mode: 'write'): Promise<RecordStore>
  /** Commits one version; returns the record. */
  addVersion(recordId: string, options?: { createdBy?: string; table?: string; text?: string }): Promise<RecordMetadata>
  metadata(recordId: string): Promise<RecordMetadata | null>
  addKey(principal: string, options?: { tables?: string[]; exp?: number | null }): Promise<ApproverKey>
}

let counter = 0

export async function decideWorld(): Promise<DecideWorld> {
  const root = await temporaryFolder()
  for (const folder of ['config/tables', 'decisions', 'state', 'receipts', 'store']) await mkdir(join(root, folder), { recursive: true })
  await mkdir(join(root, 'keys'), { mode: 0o700 })
  await writeFile(join(root, 'config', 'intake.json'), JSON.stringify({ workspace: '..', approvers: 'approvers.jwks.json' }))
  const options = {
    files: nodeFiles,
    clock: systemClock,
    root: join(root, 'store'),
    randomUuid: () => randomUUID(),
    writer: 'test',
    createAs: 'signed' as const,
  }
  const open = (): Promise<RecordStore> => RecordStore.open({ ...options, mode: 'write' })
  await (await open()).close()
  return {
    root,
    context: (changes = {}) => testContext({ cwd: root, ...changes }),
    open,
    async addVersion(recordId, changes = {}) {
      const store = await open()
      try {
        counter += 1
        const tx = `20240601T120000000Z-${String(counter).padStart(6, '0')}-0000000000000000-0000000000000000`
        const path = join(await store.stagingFolder(tx), 'data.parquet')
        const bytes = Buffer.from(changes.text ?? `version ${counter} of ${recordId}`)
        const sha256 = createHash('sha256').update(bytes).digest('hex')
        await writeFile(path, bytes, { mode: 0o440, flush: true })
        const outcome = await store.commitVersion({
          tx,
          intent: 'upsert',
          recordId,
          tableName: changes.table ?? 'borelog_versions',
          source: null,
          createdBy: changes.createdBy ?? 'lab-export',
          comment: '',
          staged: { path, rows: 24, bytes: bytes.length, parquetSha256: sha256, contentSha256: sha256, schemaSha256: '0'.repeat(64) },
          drop: null,
          force: false,
        })
        return outcome.metadata
      } finally {
        await store.close()
      }
    },
    async metadata(recordId) {
      return (await RecordStore.open({ files: nodeFiles, root: join(root, 'store'), mode: 'read' })).metadata(recordId)
    },
    async addKey(principal, changes = {}) {
      const { privateKey, publicKey } = await generateApproverKey({ principal, tables: changes.tables ?? ['*'], exp: changes.exp ?? null })
      await writePrivateKey(nodeFiles, join(root, 'keys', `${principal}.jwk.json`), privateKey)
      await addToKeyring(nodeFiles, join(root, 'config', 'approvers.jwks.json'), publicKey, { unique: randomUUID() })
      return publicKey
    },
  }
}

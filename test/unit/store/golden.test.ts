import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { brokenLinks } from '../../../src/core/history.js'
import { decodeAnchor, encodeAnchor } from '../../../src/documents/anchor.js'
import { decodePlan, encodePlan } from '../../../src/documents/plan.js'
import { parseMetadata } from '../../../src/store/record-head.js'
import { parseIdentity } from '../../../src/store/store-identity.js'
import { FaultFiles } from './fault-files.js'
import { dropOf, openForWriting, STORE_ID, send, temporaryFolder } from './store-kit.js'

/** What format 1 looks like on disk. These files are never edited: the next format gets files of its own, and these must still be read. */
const golden = (name: string) => readFile(fileURLToPath(new URL(`../../fixtures/store/${name}`, import.meta.url)))

const reference = {
  decision_id: '00000000-0000-4000-8000-0000000000dd',
  jws: { payload: 'eyJhIjoxfQ', signatures: [{ protected: 'e30', signature: 'AA' }] as [{ protected: string; signature: string }] },
  key: {
    kty: 'OKP' as const,
    crv: 'Ed25519' as const,
    x: 'AA',
    kid: 'k',
    principal: 'approver-456',
    tables: ['*'],
    nbf: 1,
    exp: null,
    revoked_at: null,
  },
}

it('a store made today by these steps has the bytes of the golden files', async () => {
  const folder = await temporaryFolder()
  try {
    const root = join(folder.path, 'store')
    const files = new FaultFiles()
    const store = await openForWriting(root, { createAs: 'signed', files })
    await send(store, 'borelog-001', { drop: dropOf(1, 'a'), content: 'one', comment: 'Initial creation' })
    await send(store, 'borelog-001', { drop: dropOf(2, 'b'), content: 'two', createdBy: 'Jürgen "J"' })
    const decision = {
      tx: 't',
      recordId: 'borelog-001',
      decision: 'approve',
      decidedBy: 'approver-456',
      comment: 'All checks passed',
      reference,
    } as const
    await store.commitDecision({ ...decision, version: 2 })
    await send(store, 'borelog-001', { drop: null, source: null, content: 'three' })
    await store.close()
    for (const [name, path] of [
      ['store-format-1.json.golden', 'store.json'],
      ['metadata-format-1.json.golden', 'records/borelog-001/metadata.json'],
      ['anchors-format-1.ndjson.golden', 'anchors/test/0000000001.ndjson'],
    ] as const) {
      expect(await readFile(join(root, path), 'utf8'), name).toBe((await golden(name)).toString('utf8'))
    }
  } finally {
    await folder.remove()
  }
})

it('the golden files are read as what they are', async () => {
  expect(parseIdentity(await golden('store-format-1.json.golden'))).toMatchObject({ format: 1, store_id: STORE_ID, approvals: 'signed' })
  const metadata = parseMetadata(await golden('metadata-format-1.json.golden'))
  if (typeof metadata === 'string') throw new Error(metadata)
  expect(metadata).toMatchObject({ current_version: 3, status: 'draft', approved_version: 2 })
  expect(brokenLinks(STORE_ID, metadata, metadata.history)).toEqual([])
  const lines = (await golden('anchors-format-1.ndjson.golden')).toString('utf8').trimEnd().split('\n')
  for (const line of lines) expect(encodeAnchor(decodeAnchor(line)!)).toBe(line)
  const plan = decodePlan(await golden('plan-format-1.json.golden'))
  expect(plan).toMatchObject({ record_id: 'borelog-001', base: { history_length: 1 }, entry: { version: 2 } })
  expect(encodePlan(plan!).equals(await golden('plan-format-1.json.golden'))).toBe(true)
})

it('a plan that is cut off anywhere, or changed, is torn', async () => {
  const bytes = await golden('plan-format-1.json.golden')
  for (let length = 0; length < bytes.length - 1; length++) expect(decodePlan(bytes.subarray(0, length)), `${length} bytes`).toBeNull()
  for (let i = 0; i < bytes.length - 1; i++) {
    const changed = Buffer.from(bytes)
    changed[i] = changed[i]! ^ 1
    expect(decodePlan(changed), `byte ${i}`).toBeNull()
  }
  expect(decodePlan(Buffer.alloc(bytes.length))).toBeNull()
})

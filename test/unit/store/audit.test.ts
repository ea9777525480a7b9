import { appendFile, chmod, cp, mkdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fixedFormOf } from '../../../src/core/fixed-form.js'
import { sha256Hex } from '../../../src/core/hashes.js'
import { chainLink, foldHistory } from '../../../src/core/history.js'
import type { RecordMetadata } from '../../../src/documents/metadata.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { type AuditOptions, auditStore } from '../../../src/store/audit.js'
import { FINDINGS } from '../../../src/store/findings.js'
import { FaultFiles } from './fault-files.js'
import { dropOf, openForWriting, send, temporaryFolder, treeOf } from './store-kit.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let root: string
const at = (key: string): string => join(root, key)
const META = 'records/borelog-001/metadata.json'

beforeEach(async () => {
  folder = await temporaryFolder()
  root = join(folder.path, 'store')
  const store = await openForWriting(root)
  await send(store, 'borelog-001', { drop: dropOf(1, 'a'), content: 'one' })
  await send(store, 'soil/r-1', { drop: dropOf(2, 'b'), content: 'two' })
  await send(store, 'borelog-001', { drop: dropOf(3, 'c'), content: 'three' })
  await store.commitDecision({
    tx: 't',
    recordId: 'borelog-001',
    version: 2,
    decision: 'approve',
    decidedBy: 'p',
    comment: '',
    reference: null,
  })
  await store.close()
})
afterEach(() => folder.remove())

const audit = (options: Partial<AuditOptions> = {}) =>
  auditStore({ files: nodeFiles, root, content: false, checkDecision: async () => null, isLocked: () => false, ...options })

async function codes(options: Partial<AuditOptions> = {}): Promise<string[]> {
  const { findings } = await audit(options)
  for (const one of findings) expect(one).toMatchObject({ severity: FINDINGS[one.code].severity, hint: FINDINGS[one.code].hint })
  return [...new Set(findings.map((one) => one.code))].sort()
}

async function edit(key: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(at(key), 'utf8')
  const changed = change(text)
  expect(changed).not.toBe(text)
  await chmod(at(key), 0o640)
  await writeFile(at(key), changed)
}

async function forge(change: (metadata: RecordMetadata) => void): Promise<void> {
  const metadata = JSON.parse(await readFile(at(META), 'utf8')) as RecordMetadata
  change(metadata)
  const folded = foldHistory(metadata, metadata.history)
  if (!folded.ok) throw new Error(folded.problem)
  await writeFile(at(META), fixedFormOf(folded.metadata))
}

describe('a store that nobody touched', () => {
  it('has no findings, and the report counts what was looked at', async () => {
    expect(await audit()).toMatchObject({ records: 2, versions: 3, bytes: 11, decisions: 0, anchors: 4, findings: [] })
  })

  it('is not changed by the audit', async () => {
    const files = new FaultFiles()
    await audit({ files })
    expect(files.operations).toEqual([])
  })

  it('has no findings for one record alone', async () => {
    expect(await audit({ recordIds: ['soil/r-1'] })).toMatchObject({ records: 1, versions: 1, findings: [] })
  })

  it('says so of a record that is not there', async () => {
    await expect(audit({ recordIds: ['nobody'] })).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' })
    await expect(audit({ recordIds: ['../store'] })).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' })
  })

  it('is not a folder without one', async () => {
    await expect(audit({ root: join(folder.path, 'nothing') })).rejects.toMatchObject({ code: 'NO_STORE' })
  })
})

describe('a share of the versions', () => {
  const turnOf = async (): Promise<number> => {
    for (let turn = 0; turn < 7; turn++) if ((await audit({ share: { turns: 7, turn } })).versions_read > 0) return turn
    throw new Error('no turn reads anything')
  }

  it('is read on its day, and every version on one day of the turns', async () => {
    const reports = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((turn) => audit({ share: { turns: 7, turn } })))
    expect(reports.reduce((sum, report) => sum + report.versions_read, 0)).toBe(3)
    expect(reports.reduce((sum, report) => sum + report.bytes, 0)).toBe(11)
    for (const report of reports) expect(report).toMatchObject({ records: 2, versions: 3, anchors: 4, findings: [] })
    expect((await audit()).versions_read).toBe(3)
  })

  it('hides nothing but the bytes of the others', async () => {
    const turn = await turnOf()
    const other = (turn + 1) % 7
    for (const key of [
      'records/borelog-001/versions/v1.parquet',
      'records/borelog-001/versions/v2.parquet',
      'records/soil/r-1/versions/v1.parquet',
    ])
      await edit(key, (text) => text.replace(/^./, '#'))
    const found = async (share: NonNullable<AuditOptions['share']>): Promise<number> =>
      (await audit({ share })).findings.filter((one) => one.code === 'VERSION_HASH_MISMATCH').length
    const each = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((t) => found({ turns: 7, turn: t })))
    expect(each[turn]).toBeGreaterThan(0)
    expect(each.reduce((a, b) => a + b, 0)).toBe(3)
    await edit('records/soil/r-1/versions/v1.parquet', (text) => `${text}#`)
    await edit('records/borelog-001/metadata.json', (text) => text.replace('"rows": ', '"rows": 1'))
    const seen = await codes({ share: { turns: 7, turn: other } })
    expect(seen).toContain('VERSION_SIZE_MISMATCH')
    expect(seen).toContain('HISTORY_CHAIN_BROKEN')
  })
})

describe('any single byte', () => {
  it('that was changed anywhere in the store is found', async () => {
    for (const key of await treeOf(nodeFiles, root)) {
      if (key === 'lock') continue
      const original = await readFile(at(key))
      await chmod(at(key), 0o640)
      const step = key.endsWith('.parquet') ? 1 : 17
      for (let i = 0; i < original.length; i += step) {
        const changed = Buffer.from(original)
        changed[i] = changed[i]! ^ 1
        await writeFile(at(key), changed)
        const { findings } = await audit()
        expect(
          findings.filter((f) => f.code !== 'VERSION_WRITABLE'),
          `${key}, byte ${i}`,
        ).not.toEqual([])
      }
      await writeFile(at(key), original)
      await chmod(at(key), key.endsWith('.parquet') ? 0o440 : 0o640)
    }
    expect(await codes()).toEqual([])
  })

  it('that was added to or taken from the end of a file is found', async () => {
    for (const key of await treeOf(nodeFiles, root)) {
      const original = await readFile(at(key))
      await chmod(at(key), 0o640)
      for (const changed of [Buffer.concat([original, Buffer.from(' ')]), ...(original.length > 0 ? [original.subarray(0, -1)] : [])]) {
        await writeFile(at(key), changed)
        const { findings } = await audit()
        expect(
          findings.filter((f) => f.code !== 'VERSION_WRITABLE'),
          key,
        ).not.toEqual([])
      }
      await writeFile(at(key), original)
      await chmod(at(key), key.endsWith('.parquet') ? 0o440 : 0o640)
    }
  })
})

describe('a file', () => {
  it('that is missing is found, whichever it is', async () => {
    const expected: Record<string, string[]> = {
      'store.json': ['IDENTITY_MISSING'],
      'records/borelog-001/metadata.json': ['ANCHOR_WITHOUT_RECORD', 'METADATA_MISSING', 'VERSION_ORPHAN'],
      'records/borelog-001/versions/v1.parquet': ['VERSION_MISSING'],
      'anchors/test/0000000001.ndjson': ['ANCHOR_MISSING'],
    }
    for (const [key, found] of Object.entries(expected)) {
      await rename(at(key), join(folder.path, 'aside'))
      expect(await codes(), key).toEqual(found)
      await rename(join(folder.path, 'aside'), at(key))
    }
  })

  it('that does not belong there is found, wherever it is', async () => {
    for (const key of [
      'note.txt',
      'records/note.txt',
      'records/soil/note.txt',
      'records/borelog-001/note.txt',
      'records/borelog-001/metadata.json.tmp',
      'records/borelog-001/versions/note.txt',
      'records/borelog-001/versions/v02.parquet',
      'records/.hidden/x',
      'records/a/b/c/d/e',
      'anchors/note.txt',
      'anchors/test/note.txt',
      'anchors/test/1.ndjson',
      'lockfile',
    ]) {
      await mkdir(dirname(at(key)), { recursive: true })
      await writeFile(at(key), 'x')
      expect(await codes(), key).toEqual(['UNEXPECTED_ENTRY'])
      await rm(at(key))
    }
  })

  it('named like the next version is an orphan', async () => {
    await writeFile(at('records/borelog-001/versions/v3.parquet'), 'x')
    expect(await codes()).toEqual(['VERSION_ORPHAN'])
  })

  it('that took the place of a version as a link is found', async () => {
    await rename(at('records/borelog-001/versions/v1.parquet'), join(folder.path, 'v1'))
    await symlink(join(folder.path, 'v1'), at('records/borelog-001/versions/v1.parquet'))
    expect(await codes()).toEqual(['VERSION_NOT_A_FILE'])
    await unlink(at(META))
    await symlink('/nowhere', at(META))
    expect(await codes()).toContain('METADATA_MISSING')
  })

  it('that may be written is a warning', async () => {
    await chmod(at('records/borelog-001/versions/v1.parquet'), 0o640)
    expect(await codes()).toEqual(['VERSION_WRITABLE'])
  })
})

describe('a history', () => {
  it('that was edited breaks its chain and its anchors', async () => {
    await forge((m) => {
      m.history[0]!.comment = 'another comment'
    })
    expect(await codes()).toEqual(['ANCHOR_MISMATCH', 'HISTORY_CHAIN_BROKEN'])
  })

  it('that was rewritten with a good chain is found by the anchors', async () => {
    await forge((m) => {
      m.history[0]!.comment = 'another comment'
      for (let i = 1; i < m.history.length; i++) m.history[i]!.prev = chainLink(m.history[i - 1]!)
    })
    expect(await codes()).toEqual(['ANCHOR_MISMATCH'])
  })

  it('that was cut at its end is found by the anchors', async () => {
    await forge((m) => void m.history.pop())
    expect(await codes()).toEqual(['ANCHOR_AHEAD'])
  })

  it('whose record was removed altogether is found by the anchors', async () => {
    await rm(at('records/soil'), { recursive: true })
    expect(await codes()).toEqual(['ANCHOR_WITHOUT_RECORD'])
  })

  it('that got an entry beside the store has no anchor for it', async () => {
    await forge((m) => {
      m.history.push({
        version: 3,
        status: 'draft',
        created_by: 'x',
        created_at: '2024-01-27T10:00:00.000Z',
        comment: '',
        parquet_sha256: sha256Hex('x'),
        content_sha256: sha256Hex('x'),
        schema_sha256: sha256Hex('x'),
        rows: 1,
        bytes: 1,
        drop: null,
        prev: chainLink(m.history.at(-1)!),
      })
    })
    await writeFile(at('records/borelog-001/versions/v3.parquet'), 'x', { mode: 0o440 })
    expect(await codes()).toEqual(['ANCHOR_MISSING'])
  })

  it('of another record is misplaced', async () => {
    await writeFile(at(META), await readFile(at('records/soil/r-1/metadata.json')))
    expect(await codes()).toContain('METADATA_MISPLACED')
  })

  it('whose top does not follow from it is found', async () => {
    await edit(META, (text) => text.replace('"approved_by": "p"', '"approved_by": "q"'))
    expect(await codes()).toEqual(['METADATA_INVALID'])
  })
})

describe('anchors', () => {
  const LOG = 'anchors/test/0000000001.ndjson'
  it('with a line taken out or moved are a broken chain', async () => {
    await edit(LOG, (text) => text.split('\n').toSpliced(1, 1).join('\n'))
    expect(await codes()).toEqual(['ANCHOR_CHAIN_BROKEN', 'ANCHOR_MISSING'])
    await edit(LOG, (text) => {
      const [a, b, c] = text.split('\n')
      return [b, a, c, ''].join('\n')
    })
    expect(await codes()).toContain('ANCHOR_CHAIN_BROKEN')
  })

  it('that end in the middle of a line are torn, but not beside a writer', async () => {
    await appendFile(at(LOG), '{"record_id"')
    expect(await codes()).toEqual(['ANCHOR_TORN'])
    expect(await codes({ isLocked: () => true })).toEqual([])
    const store = await openForWriting(root)
    expect(store.recovery.tornAnchors).toMatchObject({ lengthBytes: 12, keptAt: null })
    await store.close()
    expect(await codes()).toEqual([])
  })

  it('go on in the next segment as one chain', async () => {
    await rename(at(LOG), at('anchors/test/0000000002.ndjson'))
    expect(await codes()).toContain('ANCHOR_CHAIN_BROKEN')
  })
})

describe('decisions', () => {
  it('without a signature are found in a store that takes signed ones only', async () => {
    await edit('store.json', (text) => text.replace('"any"', '"signed"'))
    expect(await codes()).toContain('DECISION_UNSIGNED')
  })

  it('with one are each put to the verifier, with the hash of their version', async () => {
    const store = await openForWriting(root)
    const reference = {
      decision_id: '00000000-0000-4000-8000-0000000000dd',
      jws: { payload: 'AA', signatures: [{ protected: 'AA', signature: 'AA' }] as [{ protected: string; signature: string }] },
      key: {
        kty: 'OKP' as const,
        crv: 'Ed25519' as const,
        x: 'AA',
        kid: 'k',
        principal: 'p',
        tables: ['*'],
        nbf: null,
        exp: null,
        revoked_at: null,
      },
    }
    await store.commitDecision({ tx: 't2', recordId: 'soil/r-1', version: 1, decision: 'reject', decidedBy: 'p', comment: '', reference })
    await store.close()
    const asked: unknown[] = []
    const { findings, decisions } = await audit({
      checkDecision: async (request) => {
        asked.push(request.recordId, request.parquetSha256, request.tableName)
        return { code: 'DECISION_SIGNATURE_INVALID', message: 'no' }
      },
    })
    expect(asked).toEqual(['soil/r-1', sha256Hex('two'), 'borelog_versions'])
    expect(decisions).toBe(1)
    expect(findings).toMatchObject([
      { code: 'DECISION_INVALID', record_id: 'soil/r-1', version: 1, message: 'DECISION_SIGNATURE_INVALID: no' },
    ])
    expect(await codes({ checkDecision: async () => ({ code: 'KEY_UNKNOWN', message: 'no' }) })).toEqual(['KEY_UNKNOWN'])
  })
})

describe('beside a live store', () => {
  it('nothing that a commit does on its way is a finding', async () => {
    const store = await openForWriting(root)
    let going = true
    const writing = (async () => {
      for (let n = 10; going; n++) {
        await Promise.all([
          send(store, 'borelog-001', { drop: dropOf(n, `${n}`), content: `${n}` }),
          send(store, `new-${n}`, { drop: dropOf(n, `${n}`), content: `${n}` }),
        ])
      }
    })()
    for (let round = 0; round < 15; round++) expect((await audit({ isLocked: () => true })).findings).toEqual([])
    going = false
    await writing
    await store.close()
    expect(await codes()).toEqual([])
  })

  it('a commit that was cut off is pending, and gone after the next opening', async () => {
    const other = join(folder.path, 'other')
    await cp(root, other, { recursive: true })
    const sendLast = async (place: string, files: FaultFiles): Promise<void> => {
      const store = await openForWriting(place, { files })
      await send(store, 'z', { drop: dropOf(9, 'z'), content: 'z' }).catch(() => null)
      await store.close()
    }
    const count = new FaultFiles()
    await sendLast(other, count)
    const link = count.operations.findLastIndex((o) => o.name === 'link')
    await sendLast(root, new FaultFiles({ at: link + 2, kind: 'crash' }))
    expect(await treeOf(nodeFiles, root)).toContain('records/z/versions/v1.parquet')
    expect(await codes()).toEqual(['RECOVERY_PENDING'])
    const store = await openForWriting(root)
    await store.close()
    expect(await codes()).toEqual([])
  })
})

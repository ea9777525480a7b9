import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatDropId } from '../../../src/core/drop-id.js'
import { sha256Hex } from '../../../src/core/hashes.js'
import { DecisionIntake, type DecisionResult } from '../../../src/decisions/decision-intake.js'
import { KeyringState } from '../../../src/decisions/keyring.js'
import { type DecisionReceipt, decisionReceipt } from '../../../src/documents/receipt.js'
import { Filing } from '../../../src/inbox/filing.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { SharedSync } from '../../../src/runtime/shared-sync.js'
import type { RecordStore } from '../../../src/store/record-store.js'
import { openForWriting, send, steppingClock, temporaryFolder } from '../store/store-kit.js'
import type { Scene, Target } from './attacks.js'
import { bytesOf, type Jws, keyringBytes, makePeople, NOW_MS, type People, payloadOf, STORE, signed } from './world.js'

export interface Handled {
  readonly result: DecisionResult
  readonly receipt: DecisionReceipt
}

/** A real signed store, keyring and folder of receipts, and decisions as the coordinator hands them on. Only the clock is made. */
export class DecisionBench {
  private drops = 0

  private constructor(
    readonly people: People,
    readonly root: string,
    private store: RecordStore,
    readonly remove: () => Promise<void>,
  ) {}

  static async open(): Promise<DecisionBench> {
    const folder = await temporaryFolder()
    const people = await makePeople()
    const bench = new DecisionBench(people, folder.path, await openStore(folder.path), folder.remove)
    await mkdir(bench.path('state'))
    await bench.putKeyring(keyringBytes(people))
    return bench
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  /** A record of so many versions, the last a draft. */
  async record(recordId: string, versions: number, createdBy = 'user-123'): Promise<Target> {
    const hashes: string[] = []
    for (let version = 1; version <= versions; version++) hashes.push((await this.addVersion(recordId, version, createdBy)).parquetSha256)
    return { recordId, version: versions, hashes }
  }

  async addVersion(recordId: string, version: number, createdBy = 'user-123'): Promise<{ parquetSha256: string }> {
    const content = `PAR1 ${recordId} ${version} PAR1`
    await send(this.store, recordId, { content, createdBy })
    return { parquetSha256: sha256Hex(content) }
  }

  decisionOn(target: Target, changes: Record<string, unknown> = {}): Jws {
    return signed(this.people.ann, this.payloadFor(target, changes))
  }

  payloadFor(target: Target, changes: Record<string, unknown> = {}): ReturnType<typeof payloadOf> {
    const { recordId: record_id, version, hashes } = target
    return payloadOf({ record_id, version, parquet_sha256: hashes.at(-1), ...changes })
  }

  /** The store is read from disk again, as after a restart. */
  async restart(): Promise<void> {
    this.store = await openStore(this.root)
  }

  /** The keyring that was in use when the bench was opened has version 7. */
  async putKeyring(bytes: Uint8Array | null): Promise<void> {
    if (bytes === null) await rm(this.path('approvers.jwks.json'), { force: true })
    else await writeFile(this.path('approvers.jwks.json'), bytes)
    await writeFile(this.path('state/keyring.json'), '{"format":1,"version":7}\n')
  }

  /** Offsets in milliseconds from the bench's own instant. */
  async handle(bytes: Uint8Array, when: { receivedAfterMs?: number; nowAfterMs?: number; resumed?: boolean } = {}): Promise<Handled> {
    const receivedAtMs = NOW_MS + (when.receivedAfterMs ?? 0)
    const nowMs = NOW_MS + (when.nowAfterMs ?? when.receivedAfterMs ?? 0)
    const intake = new DecisionIntake({
      clock: { nowMs: () => nowMs, monotonicMs: () => 0 },
      keyring: new KeyringState({ files: nodeFiles, path: this.path('approvers.jwks.json'), seenPath: this.path('state/keyring.json') }),
      storeId: STORE,
      forbidSelfApproval: true,
      lookupRecord: (recordId) => this.store.metadata(recordId),
      commit: (request) => this.store.commitDecision(request),
    })
    const dropId = formatDropId(NOW_MS, ++this.drops, '00000000000000aa')
    const result = await intake.handle(bytes, { dropId, receivedAtMs, resumed: when.resumed ?? false })
    const { alarm: _, ...told } = result
    const filing = new Filing({
      files: nodeFiles,
      sync: new SharedSync(nodeFiles),
      roots: { workspace: this.root, archive: this.path('archive'), quarantine: this.path('quarantine'), receipts: this.path('receipts') },
    })
    const at = new Date(nowMs).toISOString()
    await filing.writeReceipt(
      decisionReceipt.parse({
        format: 1,
        drop_id: dropId,
        path: 'x.decision.json',
        sha256: sha256Hex(bytes),
        bytes: bytes.length,
        received_at: new Date(receivedAtMs).toISOString(),
        finished_at: at,
        stored_at: null,
        requeue_of: null,
        kind: 'decision',
        ...told,
      }),
    )
    return { result, receipt: (await filing.findReceipt(dropId)) as DecisionReceipt }
  }

  /** Every file of the store and its bytes. */
  async storeBytes(): Promise<string> {
    const names = (await readdir(this.path('store'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    const lines = await Promise.all(
      names.map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        return `${path} ${sha256Hex(await readFile(path))}`
      }),
    )
    return lines.sort().join('\n')
  }

  async scene(): Promise<Scene> {
    const draft = await this.record('borelog-001', 3, 'lab-export')
    const approved = await this.record('approved', 1)
    const rejected = await this.record('rejected', 1)
    const first = await this.record('replayed', 1)
    const id = (last: string): string => `0f0e0d0c-0b0a-4908-8706-0504030201${last}`
    const earlier = this.payloadFor(first, { decision_id: id('10') })
    const jws = signed(this.people.ann, earlier)
    for (const decision of [
      this.decisionOn(approved, { decision_id: id('11') }),
      this.decisionOn(rejected, { decision_id: id('12'), decision: 'reject' }),
      jws,
    ]) {
      const { result } = await this.handle(bytesOf(decision))
      if (result.outcome !== 'applied') throw new Error(`the scene cannot be set: ${result.code} ${result.message}`)
    }
    const second = await this.addVersion('replayed', 2)
    const replayed = { ...first, version: 2, hashes: [...first.hashes, second.parquetSha256] }
    return { people: this.people, storeId: STORE, nowMs: NOW_MS, draft, approved, rejected, replayed, earlier: { payload: earlier, jws } }
  }
}

function openStore(root: string): Promise<RecordStore> {
  return openForWriting(join(root, 'store'), { createAs: 'signed', randomUuid: () => STORE, clock: steppingClock() })
}

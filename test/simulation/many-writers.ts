import { formatDropId, transactionId } from '../../src/core/drop-id.js'
import { sha256Hex } from '../../src/core/hashes.js'
import { invariantFindings } from '../../src/core/invariants.js'
import { metadataKey, versionKey } from '../../src/core/object-keys.js'
import { isVersionEntry } from '../../src/core/record-model.js'
import type { DecisionReference, RecordMetadata } from '../../src/documents/metadata.js'
import { IntakeError, isIntakeError } from '../../src/errors.js'
import { type DecisionOutcome, RecordStore, type VersionOutcome } from '../../src/store/record-store.js'
import { randomOf } from '../fault/disk.js'
import { MemoryFiles } from '../fuzz/memory-files.js'
import { gatherFacts } from '../support/check-invariants.js'
import { MemoryBucket, ProcessEnded, type RequestFate } from '../support/memory-bucket.js'

/**
 * Several writers on one bucket, and a small model to judge what came of it. Every request waits for its turn, which a seed gives; a request may
 * be lost, carried out unanswered, carried out late or twice, or be the last that its process makes. A process that ended comes back (some
 * do not) and takes its work up again, as a daemon does with its claims: with the same transaction, as often as it takes.
 */

type Work =
  | { readonly kind: 'drop'; readonly record: string; readonly dropId: string | null; readonly content: string; readonly by: string }
  | {
      readonly kind: 'decide'
      readonly record: string
      readonly decision: 'approve' | 'reject'
      readonly reference: DecisionReference | null
    }

interface Writer {
  readonly name: string
  readonly work: readonly Work[]
  /** Times that its process may end; the last end is for good where it is mortal. */
  readonly ends: number
  readonly isMortal: boolean
}

export interface ManyWritersTotals {
  writers: number
  requests: number
  faults: number
  ends: number
  versions: number
  finishedForOthers: number
}

interface Parked {
  readonly resolve: (fate: RequestFate) => void
  readonly writer: number
  readonly isWrite: boolean
}

const FAULTS: readonly RequestFate[] = ['lost', 'unanswered', 'late', 'twice', 'dies-before', 'dies-after']

/** Empty problems: every promise was kept. */
export async function runManyWriters(seed: number): Promise<{ problems: string[]; totals: ManyWritersTotals }> {
  const random = randomOf(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const bucket = new MemoryBucket()
  const records = ['r', 'r/s', 'soil/1'].slice(0, 1 + below(3))
  const writers = planWriters(below, records)
  const totals: ManyWritersTotals = { writers: writers.length, requests: 0, faults: 0, ends: 0, versions: 0, finishedForOthers: 0 }
  const chance = [0, 0.03, 0.1, 0.25][below(4)]!
  const parked: Parked[] = []
  const answers: { writer: Writer; work: Work; answer: VersionOutcome | DecisionOutcome | IntakeError }[] = []
  const problems: string[] = []
  let ms = Date.UTC(2024, 0, 1)
  let uuid = 0
  const endsLeft = writers.map((writer) => writer.ends)

  const openStore = async (index: number, life: number, files: MemoryFiles): Promise<RecordStore> => {
    const { name } = writers[index]!
    const objects = bucket.client({
      files,
      fate: (kind) => new Promise((resolve) => parked.push({ resolve, writer: index, isWrite: kind === 'put' || kind === 'replace' })),
    })
    return untilAnswered(() =>
      RecordStore.open({
        files,
        objects,
        mode: 'write',
        createAs: 'any',
        clock: { nowMs: () => (ms += 7), monotonicMs: () => ms },
        randomUuid: () => `00000000-0000-4000-8000-${String(++uuid).padStart(12, '0')}`,
        writer: name,
        scratch: `/${name}-${life}`,
        onFinishedForOther: () => {
          totals.finishedForOthers += 1
        },
      }),
    )
  }

  const live = async (index: number): Promise<void> => {
    const writer = writers[index]!
    const left = [...writer.work]
    for (let life = 1; left.length > 0; life++) {
      const files = new MemoryFiles()
      try {
        const store = await openStore(index, life, files)
        // Two at once, as a daemon has: different records, or different requests of one.
        const lane = async (): Promise<void> => {
          for (;;) {
            const work = left.find((w) => !taken.has(w))
            if (work === undefined) return
            taken.add(work)
            const answer = await untilAnswered(() => carryOut(store, files, writer, work))
            answers.push({ writer, work, answer })
            left.splice(left.indexOf(work), 1)
          }
        }
        const taken = new Set<Work>()
        const ended = (await Promise.allSettled([lane(), lane()])).find((outcome) => outcome.status === 'rejected')
        if (ended !== undefined) throw ended.reason
        await store.close()
      } catch (error) {
        if (!(error instanceof ProcessEnded)) throw error
        totals.ends += 1
        if (writer.isMortal && endsLeft[index] === 0) return
      }
    }
  }

  const lives = Promise.all(writers.map((_, index) => live(index)))
  let running = true
  const done = lives.then(
    () => {
      running = false
    },
    (error: unknown) => {
      running = false
      problems.push(`a writer gave up: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    },
  )
  for (let step = 0; running; step++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (step > 200_000) {
      problems.push('the writers do not come to an end')
      break
    }
    if (random() < 0.05) bucket.arrive(below)
    if (parked.length === 0) continue
    const next = parked.splice(below(parked.length), 1)[0]!
    next.resolve(fateOf(next))
  }
  await Promise.race([done, Promise.resolve()])

  function fateOf(request: Parked): RequestFate {
    if (random() >= chance) return 'well'
    const fate = FAULTS[below(FAULTS.length)]!
    if (fate.startsWith('dies')) {
      if (endsLeft[request.writer]! === 0) return 'well'
      endsLeft[request.writer]! -= 1
    } else if (!request.isWrite && fate !== 'lost') return 'well'
    totals.faults += 1
    return fate
  }

  // What was under way when its process ended for good is finished by whoever writes to the record next.
  while (bucket.arrive(below)) {}
  const last = new MemoryFiles()
  const store = await RecordStore.open({
    files: last,
    objects: bucket.client({ files: last }),
    mode: 'write',
    createAs: 'any',
    clock: { nowMs: () => (ms += 7), monotonicMs: () => ms },
    randomUuid: () => `00000000-0000-4000-8000-${String(++uuid).padStart(12, '0')}`,
    writer: 'last',
    scratch: '/last',
  })
  const closing: Writer = { name: 'last', work: [], ends: 0, isMortal: false }
  for (const [n, record] of records.entries()) {
    const work: Work = { kind: 'drop', record, dropId: null, content: `last of ${record}`, by: `last-${n}` }
    await carryOut(store, last, closing, work)
  }
  await store.close()
  while (bucket.arrive(below)) {}

  totals.requests = bucket.requests
  judge(bucket, records, writers, answers, problems, totals)
  return { problems, totals }
}

function planWriters(below: (n: number) => number, records: readonly string[]): Writer[] {
  const count = 2 + below(3)
  let drops = 0
  let decisions = 0
  const contents = 3 + below(6)
  const workOf = (writer: number): Work => {
    const record = records[below(records.length)]!
    if (below(4) === 0) {
      const id = `00000000-0000-4000-9000-${String(++decisions).padStart(12, '0')}`
      const reference: DecisionReference | null =
        below(3) === 0
          ? null
          : {
              decision_id: id,
              jws: {
                payload: Buffer.from(JSON.stringify({ id })).toString('base64url'),
                signatures: [{ protected: 'e30', signature: 'AA' }],
              },
              key: { kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'k', principal: 'p', tables: [], nbf: null, exp: null, revoked_at: null },
            }
      return { kind: 'decide', record, decision: below(3) === 0 ? 'reject' : 'approve', reference }
    }
    const n = ++drops
    // One in six is of the library, which has no drop.
    const dropId = below(6) === 0 ? null : formatDropId(Date.UTC(2024, 0, 1), n, '00000000000000aa')
    return {
      kind: 'drop',
      record,
      dropId,
      content: `content ${below(contents)}${below(2) === 0 ? ` of ${n}` : ''}`,
      by: `user-${writer}-${n}`,
    }
  }
  const writers: Writer[] = Array.from({ length: count }, (_, index) => ({
    name: `w${index}`,
    work: Array.from({ length: 1 + below(6) }, () => workOf(index)),
    ends: below(4),
    isMortal: below(4) === 0,
  }))
  // Some work is given to two: a drop whose first taker seemed dead, and was only slow.
  for (const work of writers[0]!.work) {
    if (below(3) !== 0) continue
    if (work.kind === 'drop' && work.dropId !== null) (writers[1]!.work as Work[]).push(work)
    if (work.kind === 'decide' && work.reference !== null) (writers[1]!.work as Work[]).push(work)
  }
  return writers
}

async function untilAnswered<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isIntakeError(error, 'STORE_UNAVAILABLE')) throw error
    }
  }
}

async function carryOut(
  store: RecordStore,
  files: MemoryFiles,
  writer: Writer,
  work: Work,
): Promise<VersionOutcome | DecisionOutcome | IntakeError> {
  const key =
    work.kind === 'drop' ? (work.dropId ?? `${work.by}`) : (work.reference?.decision_id ?? `${writer.name}-${writer.work.indexOf(work)}`)
  try {
    if (work.kind === 'decide') {
      return await store.commitDecision({
        tx: `decision-${key}`,
        recordId: work.record,
        version: null,
        decision: work.decision,
        decidedBy: 'p',
        comment: '',
        reference: work.reference,
      })
    }
    const tx = work.dropId === null ? `library-${key}` : transactionId(work.dropId, sha256Hex(work.record))
    const path = `${await store.stagingFolder(tx)}/data.parquet`
    files.put(path, Buffer.from(work.content))
    return await store.commitVersion({
      tx,
      intent: 'upsert',
      recordId: work.record,
      tableName: 'borelog_versions',
      source: work.dropId === null ? null : 'borelogs',
      createdBy: work.by,
      comment: `of ${work.by} – ${work.dropId ?? 'nobody'} `,
      staged: {
        path,
        rows: 3,
        bytes: Buffer.byteLength(work.content),
        parquetSha256: sha256Hex(work.content),
        contentSha256: sha256Hex(`cells ${work.content}`),
        schemaSha256: sha256Hex('schema'),
      },
      drop:
        work.dropId === null
          ? null
          : {
              drop_id: work.dropId,
              name: `in/${work.by} ü.csv`.replace('ü', '%C3%BC'),
              sha256: sha256Hex(`bytes ${work.content}`),
              bytes: 99,
              rule_sha256: sha256Hex('rule'),
            },
      force: false,
    })
  } catch (error) {
    // Who calls the library has no drop to be known by, and is told that it may have happened; a daemon asks again.
    const isOfLibrary = work.kind === 'drop' && work.dropId === null
    if (error instanceof IntakeError && (isOfLibrary || error.code !== 'STORE_UNAVAILABLE')) return error
    throw error
  }
}

function judge(
  bucket: MemoryBucket,
  records: readonly string[],
  writers: readonly Writer[],
  answers: readonly { writer: Writer; work: Work; answer: VersionOutcome | DecisionOutcome | IntakeError }[],
  problems: string[],
  totals: ManyWritersTotals,
): void {
  // There is no inbox here, and so nothing that I6 speaks of.
  for (const finding of invariantFindings(gatherFacts(bucket.reader()))) {
    if (finding.invariant !== 'I6') problems.push(JSON.stringify(finding))
  }
  const metadata = new Map<string, RecordMetadata>()
  for (const record of records) {
    const held = bucket.get(metadataKey(record))
    if (held === undefined) {
      problems.push(`there is no record ${record}`)
      continue
    }
    const document = JSON.parse(held.bytes.toString('utf8')) as RecordMetadata
    metadata.set(record, document)
    totals.versions += document.current_version
    const known = new Map<string, Work & { kind: 'drop' }>()
    for (const work of writers.flatMap((writer) => writer.work)) if (work.kind === 'drop') known.set(work.by, work)
    for (const entry of document.history) {
      if (!isVersionEntry(entry)) continue
      const work = known.get(entry.created_by)
      if (entry.created_by.startsWith('last-')) continue
      if (work === undefined || work.record !== record) problems.push(`${record} v${entry.version} is of nobody: ${entry.created_by}`)
      else if (
        entry.parquet_sha256 !== sha256Hex(work.content) ||
        entry.comment !== `of ${work.by} – ${work.dropId ?? 'nobody'} ` ||
        (entry.drop?.drop_id ?? null) !== work.dropId
      )
        problems.push(`${record} v${entry.version} says something else than its drop: ${JSON.stringify(entry)}`)
      if (bucket.get(versionKey(record, entry.version))?.bytes.toString() !== work?.content)
        problems.push(`${record} v${entry.version} holds other bytes than its drop`)
    }
    const byLibrary = document.history.filter((entry) => isVersionEntry(entry) && entry.drop === null).map((entry) => entry.created_by)
    if (new Set(byLibrary).size !== byLibrary.length && totals.ends === 0)
      problems.push(`${record}: a request of the library made two versions`)
  }
  for (const { writer, work, answer } of answers) {
    const document = metadata.get(work.record)
    if (document === undefined) continue
    if (answer instanceof IntakeError) {
      const may = work.kind === 'decide' ? DECISION_REFUSALS : work.dropId === null ? ['STORE_UNAVAILABLE'] : ['SOURCE_MISMATCH']
      if (!may.includes(answer.code)) problems.push(`${writer.name} was told ${answer.code}: ${answer.message}`)
      continue
    }
    if (work.kind === 'decide') {
      const found = document.history.filter((e) => !isVersionEntry(e) && e.decision?.decision_id === work.reference?.decision_id)
      if (found.length === 0) problems.push(`a decision that was answered ${answer.outcome} is not in the history of ${work.record}`)
      if (work.reference !== null && found.length > 1)
        problems.push(`decision ${work.reference.decision_id} stands twice in ${work.record}`)
      continue
    }
    const outcome = answer as VersionOutcome
    const entry = document.history.find((e) => isVersionEntry(e) && e.version === outcome.version)
    if (entry === undefined || !isVersionEntry(entry))
      problems.push(`${work.record} has no version ${outcome.version}, which ${writer.name} was told of`)
    else if (['created', 'updated', 'already'].includes(outcome.outcome)) {
      if (entry.created_by !== work.by)
        problems.push(`${work.record} v${entry.version} was promised to ${work.by} and is of ${entry.created_by}`)
    } else if (
      // Of two takers at once one may see what the other does not; that there is one at a time is for the lease to see to.
      writers.filter((w) => w.work.includes(work)).length === 1 &&
      document.history.some((e) => isVersionEntry(e) && work.dropId !== null && e.drop?.drop_id === work.dropId)
    ) {
      problems.push(`${work.record}: ${work.dropId} was answered ${outcome.outcome}, and made a version`)
    }
  }
  for (const writer of writers) {
    if (writer.isMortal) continue
    const answered = answers.filter((a) => a.writer === writer).length
    if (answered !== writer.work.length) problems.push(`${writer.name} got ${answered} answers to ${writer.work.length} requests`)
  }
}

const DECISION_REFUSALS = ['RECORD_NOT_FOUND', 'ALREADY_APPROVED', 'ALREADY_REJECTED', 'CANNOT_APPROVE_REJECTED', 'CANNOT_REJECT_APPROVED']

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordMetadata } from '../../src/core/record-model.js'
import type { DecisionReceipt, DropReceipt, Receipt } from '../../src/documents/receipt.js'
import type { Delivery } from './drops.js'

interface Made {
  readonly dropId: string
  readonly sha256: string
  readonly rows: number
}

/**
 * What the store must hold after all that was sent, by a model that knows nothing of the product but its promises: drops count in the order of
 * their ids, each once. Returns what is not so.
 */
export function compareWithModel(root: string, sent: readonly Delivery[], decisions: readonly string[]): string[] {
  const problems: string[] = []
  const receipts = receiptsOf(root)
  const drops = receipts.filter((r): r is DropReceipt => r.kind === 'drop').sort((a, b) => (a.drop_id < b.drop_id ? -1 : 1))
  problems.push(
    ...differences('deliveries', counted(sent.map((d) => `${d.path} ${d.sha256}`)), counted(drops.map((r) => `${r.path} ${r.sha256}`))),
  )
  const decided = receipts.filter((r): r is DecisionReceipt => r.kind === 'decision')
  problems.push(...differences('decisions', counted(decisions), counted(decided.map((r) => r.path))))

  const byHash = new Map(sent.map((delivery) => [delivery.sha256, delivery]))
  const records = new Map<string, Made[]>()
  for (const receipt of drops) {
    const delivery = byHash.get(receipt.sha256 ?? '')
    if (delivery === undefined) continue
    const whole = [...delivery.parts.values()].every((part) => part.invalid === 0)
    const expected = [...delivery.parts].map(([recordId, part]) => {
      const made = records.get(recordId) ?? []
      records.set(recordId, made)
      const held =
        part.invalid > 0 ? delivery.onInvalid !== 'skip-rows' || part.rows === 0 : !whole && delivery.onInvalid === 'quarantine-drop'
      if (held) return { recordId, outcome: 'quarantined', version: null, ...part }
      const outcome = outcomeOver(made, delivery.sha256)
      if (outcome === 'created' || outcome === 'updated') made.push({ dropId: receipt.drop_id, sha256: delivery.sha256, rows: part.rows })
      return { recordId, outcome, version: made.length, ...part }
    })
    const told = receipt.records.map((r) => ({
      recordId: r.record_id,
      outcome: r.outcome,
      version: r.version,
      rows: r.rows,
      invalid: r.invalid,
    }))
    const text = (list: readonly { recordId: string }[]): string =>
      JSON.stringify(
        [...list].sort((a, b) => (a.recordId < b.recordId ? -1 : 1)),
        ['recordId', 'outcome', 'version', 'rows', 'invalid'],
      )
    // A drop of which every row is wrong may name its record or not.
    if (text(told) !== text(expected) && !(told.length === 0 && expected.every((e) => e.rows === 0)))
      problems.push(`${receipt.drop_id} (${receipt.path}): the receipt says ${text(told)}, the model ${text(expected)}`)
  }
  for (const [recordId, made] of records) {
    const metadata = metadataOf(root, recordId)
    const history = (metadata?.history ?? []).filter((e) => e.status === 'draft')
    const found = history.map((e) =>
      'drop' in e && e.drop !== null ? `v${e.version} ${e.drop.drop_id} ${e.drop.sha256} ${e.rows}` : `v${e.version}`,
    )
    const wanted = made.map((m, i) => `v${i + 1} ${m.dropId} ${m.sha256} ${m.rows}`)
    if (found.join('\n') !== wanted.join('\n'))
      problems.push(`${recordId} has\n  ${found.join('\n  ')}\nand must have\n  ${wanted.join('\n  ')}`)
  }
  for (const folder of ['state/claims', 'store/staging']) {
    const left = readdirSync(join(root, folder))
    if (left.length > 0) problems.push(`${folder} still holds ${left.join(', ')}`)
  }
  return problems
}

function outcomeOver(made: readonly Made[], sha256: string): 'created' | 'updated' | 'duplicate' | 'superseded' {
  if (made.length === 0) return 'created'
  if (made.at(-1)!.sha256 === sha256) return 'duplicate'
  return made.some((m) => m.sha256 === sha256) ? 'superseded' : 'updated'
}

export function receiptsOf(root: string): Receipt[] {
  const folder = join(root, 'receipts')
  return readdirSync(folder).flatMap((day) =>
    readdirSync(join(folder, day))
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .map((name) => JSON.parse(readFileSync(join(folder, day, name), 'utf8')) as Receipt),
  )
}

export function metadataOf(root: string, recordId: string): RecordMetadata | null {
  try {
    return JSON.parse(readFileSync(join(root, 'store/records', recordId, 'metadata.json'), 'utf8')) as RecordMetadata
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function counted(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

function differences(what: string, wanted: Map<string, number>, found: Map<string, number>): string[] {
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((name) => wanted.get(name) !== found.get(name))
    .map((name) => `${what}: ${name} was sent ${wanted.get(name) ?? 0} times and has ${found.get(name) ?? 0} receipts`)
}

import type { DropReceipt, Receipt } from '../documents/receipt.js'
import { countText, plural } from './text-table.js'

/** Decisions and drops in which a person should look at something. */
export function needsPerson(receipt: Receipt): boolean {
  return receipt.kind === 'decision' ? receipt.outcome === 'refused' : ['quarantined', 'partial', 'superseded'].includes(receipt.outcome)
}

/** One sentence: what became of it. */
export function summaryOf(receipt: Receipt): string {
  if (receipt.kind === 'decision') {
    if (receipt.outcome === 'refused') return receipt.message ?? receipt.code ?? 'refused'
    return `${receipt.decision} of ${receipt.record_id} version ${receipt.version} by ${receipt.decided_by}`
  }
  if (receipt.records.length === 0) return receipt.message ?? ''
  const text = receipt.records.length <= 2 ? receipt.records.map((r) => recordText(r)).join(', ') : countsOf(receipt)
  return receipt.message === null ? text : `${text}; ${receipt.message}`
}

function recordText(record: DropReceipt['records'][number]): string {
  const version = record.version === null ? '' : ` v${record.version}`
  return `${record.record_id}${version} ${record.outcome}`
}

function countsOf(receipt: DropReceipt): string {
  const counts = new Map<string, number>()
  for (const record of receipt.records) counts.set(record.outcome, (counts.get(record.outcome) ?? 0) + 1)
  return `${plural(receipt.records.length, 'record')}: ${[...counts].map(([outcome, n]) => `${countText(n)} ${outcome}`).join(', ')}`
}

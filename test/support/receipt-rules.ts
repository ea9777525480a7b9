import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'vitest'
import { loadKeyring } from '../../src/decisions/keyring.js'
import { verifyStoredDecision } from '../../src/decisions/verify-decision.js'
import { type DropReceipt, receipt as receiptDocument } from '../../src/documents/receipt.js'
import { nodeFiles } from '../../src/runtime/files.js'
import { auditStore } from '../../src/store/audit.js'
import type { Finding } from '../../src/store/findings.js'
import type { IntakeWorkspace } from './intake-workspace.js'

/** DESIGN §5: rows in = committed + unchanged + withheld + invalid + blank; all of them null where the file was not read to its end. */
export function expectRowsAddUp(receipt: DropReceipt): void {
  const { in: rowsIn, ...parts } = receipt.rows
  const counts = Object.values(parts)
  if (rowsIn === null) expect(counts, receipt.path).toEqual(counts.map(() => null))
  else
    expect(
      counts.reduce<number>((sum, n) => sum + n!, 0),
      receipt.path,
    ).toBe(rowsIn)
  for (const n of counts) expect(n === null || n >= 0, receipt.path).toBe(true)
}

/** What `verify` finds, without a process of its own. */
async function findingsOf(workspace: IntakeWorkspace): Promise<readonly Finding[]> {
  const keyring = await loadKeyring(nodeFiles, workspace.path('config/approvers.jwks.json'))
  const report = await auditStore({
    files: nodeFiles,
    root: workspace.path('store'),
    checkDecision: (request) => verifyStoredDecision({ ...request, keyring }),
  })
  return report.findings
}

/** What a stopped daemon leaves: nothing half done, a store in which every promise holds, receipts that add up and name what is there. */
export async function expectTidy(workspace: IntakeWorkspace): Promise<void> {
  expect(namesIn(workspace.path('state/claims')), 'claims').toEqual([])
  expect(namesIn(workspace.path('store/staging')), 'staged transactions').toEqual([])
  expect(await findingsOf(workspace)).toEqual([])
  // Nothing checks a receipt when it is written: it must have its form, and its members their order, as it was made.
  for (const receipt of workspace.receipts()) expect(JSON.stringify(receiptDocument.parse(receipt))).toBe(JSON.stringify(receipt))
  for (const receipt of workspace.dropReceipts()) {
    expectRowsAddUp(receipt)
    if (receipt.stored_at !== null)
      expect(existsSync(workspace.path(receipt.stored_at)) || receipt.sha256 === null, receipt.stored_at).toBe(true)
  }
}

export function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

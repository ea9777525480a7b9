import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'vitest'
import type { DropReceipt } from '../../src/documents/receipt.js'
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

/** Everything that a stopped daemon should not leave behind. */
export async function expectTidy(workspace: IntakeWorkspace): Promise<void> {
  expect(namesIn(workspace.path('state/claims')), 'claims').toEqual([])
  expect(namesIn(workspace.path('store/staging')), 'staged transactions').toEqual([])
  expect(await workspace.json<{ findings: unknown[] }>(['verify'])).toMatchObject({ findings: [] })
  for (const receipt of workspace.dropReceipts()) {
    expectRowsAddUp(receipt)
    if (receipt.stored_at !== null)
      expect(existsSync(workspace.path(receipt.stored_at)) || receipt.sha256 === null, receipt.stored_at).toBe(true)
  }
}

export function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

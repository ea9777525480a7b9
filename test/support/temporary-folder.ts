import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A fresh folder that is removed when the test ends, whatever its outcome. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parquet-intake-'))
  onTestFinished(async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  })
  return folder
}

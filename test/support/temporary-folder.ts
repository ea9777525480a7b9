import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'

/** Told what to do when the test, or the file, is over. */
export type OnEnd = (cleanUp: () => Promise<void>) => void

/** A fresh folder that is removed when the test ends, whatever its outcome. */
export async function temporaryFolder(onEnd: OnEnd = onTestFinished): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parquet-intake-'))
  onEnd(async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  })
  return folder
}

/** For what `beforeAll` makes and the tests of one file share: cleaned up after the last of them, newest first. Called at the top of a file. */
export function endOfFile(): OnEnd {
  const cleanUps: Array<() => Promise<void>> = []
  afterAll(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  })
  return (cleanUp) => void cleanUps.push(cleanUp)
}

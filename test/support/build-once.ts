import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Empty when dist/ is what the sources say; the compiler's words when it could not be made so. */
    buildFailure: string
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Newest change below `path`, in milliseconds; 0 when there is nothing. */
function newestMs(path: string): number {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))))
}

/**
 * Builds dist/ when a source is newer. Unit tests run on the sources and do not need it, so a failure is not the end here: it is handed to
 * `builtMain()`, which fails the tests that run the built program, and says why.
 */
export default function setup(project: TestProject): void {
  const sources = ['src', 'workers', 'test/bench', 'test/fuzz', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'build.mjs']
  const newest = Math.max(...sources.map((s) => newestMs(join(root, s))))
  let failure = ''
  if (newest >= newestMs(join(root, 'dist/src/main.js'))) {
    const result = spawnSync(process.execPath, ['build.mjs'], { cwd: root, encoding: 'utf8' })
    if (result.status !== 0) failure = `${result.stdout}${result.stderr}` || 'build.mjs failed without a word'
  }
  project.provide('buildFailure', failure)
}

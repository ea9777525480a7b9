// Compiles src/, workers/ and test/bench into dist/. Says nothing when all is well.
//
// dist/ is replaced by renaming: a build that fails leaves the old one, and a program that starts meanwhile finds one or the other.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)
const packageFile = require.resolve('typescript/package.json')
const tsc = join(dirname(packageFile), require(packageFile).bin.tsc)

const target = join(root, 'dist')
const fresh = join(root, `dist.building-${process.pid}`)
const old = join(root, `dist.old-${process.pid}`)

try {
  const result = spawnSync(
    process.execPath,
    [tsc, '--project', 'tsconfig.build.json', '--outDir', fresh, '--pretty', String(process.stderr.isTTY === true)],
    {
      cwd: root,
      stdio: ['ignore', process.stderr.fd, process.stderr.fd],
    },
  )
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) process.exitCode = 1
  else {
    // npm sets the bit on install; `npm start` and the unit file run the file of the repository.
    chmodSync(join(fresh, 'src', 'main.js'), 0o755)
    if (existsSync(target)) renameSync(target, old)
    renameSync(fresh, target)
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
  rmSync(old, { recursive: true, force: true })
}

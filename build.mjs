// Compiles src/, workers/ and test/bench into dist/, and src/kernels/assembly into dist/src/kernels/compiled.js. Says nothing when all is well.
//
// dist/ is replaced by renaming: a build that fails leaves the old one, and a program that starts meanwhile finds one or the other.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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

/** Addresses below 64 KiB are the kernels' own; constants lie from `memoryBase` on (src/kernels/assembly/README.md). */
const kernelOptions = [
  '--runtime',
  'stub',
  '--importMemory',
  '--memoryBase',
  '40960',
  '--noExportMemory',
  '--enable',
  'simd',
  '-O3',
  '--noAssert',
]

/**
 * The module that holds the compiled kernels in base64. What the last build made is taken again while the sources, the options and the
 * compiler are the same, for compiling takes longer than all the rest.
 */
async function compiledKernels() {
  const folder = join(root, 'src', 'kernels', 'assembly')
  const sources = new Map()
  const hash = createHash('sha256')
  hash.update(JSON.stringify([kernelOptions, require('assemblyscript/package.json').version]))
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith('.as')) continue
    const text = readFileSync(join(folder, name), 'utf8')
    sources.set(name.replace(/\.as$/, '.ts'), text)
    hash.update(JSON.stringify([name, text]))
  }
  const mark = `// ${hash.digest('hex')}\n`
  const last = join(target, 'src', 'kernels', 'compiled.js')
  if (existsSync(last)) {
    const text = readFileSync(last, 'utf8')
    if (text.startsWith(mark)) return text
  }
  const { default: asc } = await import('assemblyscript/asc')
  let code = null
  const { error } = await asc.main(['kernels.ts', '--outFile', 'kernels.wasm', ...kernelOptions], {
    stderr: process.stderr,
    // The compiler knows only files that end in .ts, which those are not, lest others take them for TypeScript.
    readFile: (name) => sources.get(name) ?? null,
    writeFile: (name, contents) => {
      if (name === 'kernels.wasm') code = contents
    },
    listFiles: () => [],
  })
  if (error !== null || code === null) throw error ?? new Error('the kernels were compiled to nothing')
  return `${mark}export const COMPILED_KERNELS =\n  '${Buffer.from(code).toString('base64')}'\n`
}

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
    const compiled = join(fresh, 'src', 'kernels', 'compiled.js')
    writeFileSync(compiled, await compiledKernels())
    rmSync(`${compiled}.map`)
    // npm sets the bit on install; `npm start` and the unit file run the file of the repository.
    chmodSync(join(fresh, 'src', 'main.js'), 0o755)
    if (existsSync(target)) renameSync(target, old)
    renameSync(fresh, target)
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
  rmSync(old, { recursive: true, force: true })
}

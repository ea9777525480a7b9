// Compiles src/, workers/ and test/bench into dist/, and what is written in AssemblyScript into modules there. Says nothing when all is well.
//
// dist/ is replaced by renaming: a build that fails leaves the old one, and a program that starts meanwhile finds one or the other.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)
const packageFile = require.resolve('typescript/package.json')
const tsc = join(dirname(packageFile), require(packageFile).bin.tsc)

const target = join(root, 'dist')
const fresh = join(root, `dist.building-${process.pid}`)
const old = join(root, `dist.old-${process.pid}`)

const compilerOptions = ['--runtime', 'stub', '--importMemory', '--noExportMemory', '--enable', 'simd', '-O3', '--noAssert']

/**
 * What is compiled to WebAssembly, and the module of dist/ that it is put into. Addresses below 64 KiB are a module's own; its constants lie
 * from `memoryBase` on (README.md of each folder).
 */
const assemblies = [
  { folder: 'src/kernels/assembly', entry: 'kernels', memoryBase: 40_960, into: 'src/kernels/compiled.js', name: 'COMPILED_KERNELS' },
  { folder: 'src/parquet/assembly', entry: 'decoder', memoryBase: 1024, into: 'src/parquet/decode-compiled.js', name: 'COMPILED_DECODER' },
]

/**
 * A module that holds compiled code in base64. What the last build made is taken again while the sources, the options and the compiler are
 * the same, for compiling takes longer than all the rest.
 */
async function compiledModule({ folder, entry, memoryBase, into, name }) {
  const options = [...compilerOptions, '--memoryBase', String(memoryBase)]
  const sources = new Map()
  const hash = createHash('sha256')
  hash.update(JSON.stringify([entry, name, options, require('assemblyscript/package.json').version]))
  for (const file of readdirSync(join(root, folder)).sort()) {
    if (!file.endsWith('.as')) continue
    const text = readFileSync(join(root, folder, file), 'utf8')
    sources.set(file.replace(/\.as$/, '.ts'), text)
    hash.update(JSON.stringify([file, text]))
  }
  const mark = `// ${hash.digest('hex')}\n`
  const last = join(target, into)
  if (existsSync(last)) {
    const text = readFileSync(last, 'utf8')
    if (text.startsWith(mark)) return text
  }
  const { default: asc } = await import('assemblyscript/asc')
  let code = null
  const { error } = await asc.main([`${entry}.ts`, '--outFile', 'out.wasm', ...options], {
    stderr: process.stderr,
    // The compiler knows only files that end in .ts, which those are not, lest others take them for TypeScript.
    readFile: (file) => sources.get(file) ?? null,
    writeFile: (file, contents) => {
      if (file === 'out.wasm') code = contents
    },
    listFiles: () => [],
  })
  if (error !== null || code === null) throw error ?? new Error(`${folder} was compiled to nothing`)
  return `${mark}export const ${name} =\n  '${Buffer.from(code).toString('base64')}'\n`
}

/**
 * Programs that are joined to one module, and one for each part that is loaded later: a thread that starts spends most of its time on finding
 * and reading a hundred modules. Libraries stay where they are. The folders keep the depth of those that they stand for, so that what is found
 * relative to a module is found there too.
 */
const programs = [
  { folder: 'src', entry: 'main.js' },
  { folder: 'workers', entry: 'convert.js' },
]

async function joinModules({ folder, entry }) {
  const { rolldown } = await import('rolldown')
  const input = join(fresh, folder, entry)
  const joined = await rolldown({ input, platform: 'node', external: (id) => !id.startsWith('.') && !isAbsolute(id) })
  try {
    await joined.write({ dir: join(fresh, folder), format: 'esm', entryFileNames: entry, chunkFileNames: 'joined/[name]-[hash].js' })
  } finally {
    await joined.close()
  }
  rmSync(`${input}.map`)
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
    for (const assembly of assemblies) {
      const compiled = join(fresh, assembly.into)
      writeFileSync(compiled, await compiledModule(assembly))
      rmSync(`${compiled}.map`)
    }
    for (const program of programs) await joinModules(program)
    // npm sets the bit on install; `npm start` and the unit file run the file of the repository.
    chmodSync(join(fresh, 'src', 'main.js'), 0o755)
    if (existsSync(target)) renameSync(target, old)
    renameSync(fresh, target)
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
  rmSync(old, { recursive: true, force: true })
}

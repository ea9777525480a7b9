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
 * and reading a hundred modules. The folders keep the depth of those that they stand for, so that what is found relative to a module is found
 * there too.
 */
const programs = [
  { folder: 'src', entries: ['main'] },
  { folder: 'workers', entries: ['convert', 'convert-alone'] },
]

/**
 * Libraries that are joined with them: Node opens all modules of a graph at once, and with these the program would ask for more descriptors
 * than `ulimit -n 64` gives before its first line runs. The others are few files, or load files of their own by name. Who imports the library
 * (dist/src/index.js is not joined) has all of them from node_modules, so they stay dependencies.
 */
const joinedLibraries = new Set(['commander', 'csv-parse', 'hyparquet', 'jose', 'picomatch', 'zod'])

function isLeftOut(id) {
  if (id.startsWith('.') || isAbsolute(id)) return false
  const parts = id.split('/')
  return !joinedLibraries.has(parts.slice(0, id.startsWith('@') ? 2 : 1).join('/'))
}

/** Resolves with the files that were joined. */
async function joinModules({ folder, entries }) {
  const { rolldown } = await import('rolldown')
  const joined = await rolldown({
    input: Object.fromEntries(entries.map((entry) => [entry, join(fresh, folder, `${entry}.js`)])),
    platform: 'node',
    external: isLeftOut,
  })
  let output
  try {
    ;({ output } = await joined.write({
      dir: join(fresh, folder),
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'joined/[name]-[hash].js',
    }))
  } finally {
    await joined.close()
  }
  for (const entry of entries) rmSync(join(fresh, folder, `${entry}.js.map`))
  return output.flatMap((chunk) => chunk.moduleIds ?? [])
}

/** The folder of the package that a file belongs to, or null for one of the product. */
function packageFolderOf(file) {
  const inside = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(file)
  return inside === null ? null : inside[1]
}

/** What the licences of joined libraries ask for: their texts beside the copies. Throws where a library has none. */
function licencesOf(moduleFiles) {
  const folders = [...new Set(moduleFiles.map(packageFolderOf))].filter((folder) => folder !== null)
  const parts = folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((entry) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(entry))
    if (file === undefined || license === undefined)
      throw new Error(`${name} is joined with the program, and has no licence in its package`)
    return { title: `${name} ${version} (${license})`, text: readFileSync(join(folder, file), 'utf8').trim() }
  })
  const rule = '-'.repeat(80)
  return [
    'These libraries are part of the programs in this package, each under its own licence.\n',
    ...parts.sort((a, b) => (a.title < b.title ? -1 : 1)).map(({ title, text }) => `${rule}\n${title}\n${rule}\n\n${text}\n`),
  ].join('\n')
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
    const joined = []
    for (const program of programs) joined.push(...(await joinModules(program)))
    writeFileSync(join(fresh, 'src', 'THIRD-PARTY-LICENSES.txt'), licencesOf(joined))
    // npm sets the bit on install; `npm start` and the unit file run the file of the repository.
    chmodSync(join(fresh, 'src', 'main.js'), 0o755)
    if (existsSync(target)) renameSync(target, old)
    renameSync(fresh, target)
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
  rmSync(old, { recursive: true, force: true })
}

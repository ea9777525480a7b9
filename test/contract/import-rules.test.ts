import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../support/built-program.js'

/**
 * The walls of the house. Data flows one way (inbox → convert → coordinator → store, decisions → coordinator), rules stay pure, and every
 * npm library has one home, so that it can be replaced in one place. When a rule is in your way, the code is probably in the wrong room.
 */

/** Which rooms a room may import from, besides itself and errors.ts. */
const ROOMS: Readonly<Record<string, { may: readonly string[]; why: string }>> = {
  'errors.ts': { may: [], why: 'everything imports it' },
  core: { may: [], why: 'rules are pure: they can be tested without a file, a clock or a library' },
  kernels: { may: [], why: 'kernels know bytes and nothing else, so that both forms of each can be held together' },
  documents: { may: ['core'], why: 'documents are shapes; what is done with them lives elsewhere' },
  runtime: { may: ['core', 'documents'], why: 'it carries the other rooms and must not know them' },
  columns: { may: ['core', 'tables', 'kernels'], why: 'a logical type knows its schema and its values, not where cells come from' },
  tables: { may: ['core', 'documents', 'columns', 'runtime'], why: 'a table is a document that was understood' },
  csv: { may: ['core', 'documents', 'runtime', 'kernels'], why: 'tokens know nothing of tables' },
  parquet: { may: ['core', 'documents', 'columns', 'runtime', 'kernels'], why: 'the format knows columns, not records' },
  convert: {
    may: ['core', 'documents', 'runtime', 'tables', 'columns', 'csv', 'parquet', 'kernels'],
    why: 'a conversion turns one file into staged files; committing is the coordinator’s',
  },
  store: { may: ['core', 'documents', 'runtime', 'parquet', 'tables', 'columns'], why: 'the store needs nothing outside itself' },
  inbox: { may: ['core', 'documents', 'runtime'], why: 'intake takes files and gives claims; what becomes of them is not its affair' },
  decisions: { may: ['core', 'documents', 'runtime'], why: 'whether a signature holds must not depend on who asks' },
  review: { may: ['core', 'documents', 'runtime', 'tables', 'columns', 'parquet', 'store'], why: 'it reads' },
  coordinator: {
    may: ['core', 'documents', 'runtime', 'tables', 'inbox', 'convert', 'decisions', 'store'],
    why: 'the single writer stands above the rooms it brings together',
  },
  'daemon.ts': {
    may: ['core', 'documents', 'runtime', 'tables', 'csv', 'inbox', 'convert', 'decisions', 'store', 'coordinator', 'parquet', 'review'],
    why: 'the composition root wires the parts and is imported by one verb',
  },
  commands: {
    may: [
      'core',
      'documents',
      'runtime',
      'tables',
      'columns',
      'csv',
      'parquet',
      'inbox',
      'convert',
      'decisions',
      'store',
      'coordinator',
      'review',
      'daemon.ts',
      'index.ts',
    ],
    why: 'verbs are shells over the rooms; nothing imports a verb',
  },
  'index.ts': {
    may: ['core', 'documents', 'runtime', 'tables', 'columns', 'parquet', 'convert', 'decisions', 'store'],
    why: 'the library has no daemon in it',
  },
  'main.ts': { may: ['commands', 'runtime'], why: 'the process only starts verbs' },
  workers: { may: ['convert', 'runtime'], why: 'a worker is a few lines around convert/' },
}

/** The one home of each npm library. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  'csv-parse': ['csv/'],
  '@dsnp/parquetjs': ['parquet/'],
  hyparquet: ['parquet/'],
  chokidar: ['inbox/'],
  picomatch: ['inbox/'],
  jose: ['decisions/'],
  piscina: ['convert/'],
  pino: ['runtime/logger.ts'],
  'pino-pretty': ['runtime/logger.ts'],
  commander: ['main.ts', 'commands/'],
  zod: ['documents/', 'tables/'],
}

/** Parts of Node that only some may touch, each with its reason. */
const NODE_HOMES: Readonly<Record<string, { homes: readonly string[]; why: string }>> = {
  // The lock needs a bare descriptor that a child inherits, which the Files port has no reason to give.
  'node:fs': {
    homes: ['runtime/files.ts', 'store/lock.ts'],
    why: 'tests fail and crash every file operation through the Files port; what goes past it is not tested',
  },
  'node:fs/promises': {
    homes: ['runtime/files.ts'],
    why: 'tests fail and crash every file operation through the Files port; what goes past it is not tested',
  },
  'node:process': { homes: ['main.ts'], why: 'the process belongs to main.ts' },
  'node:child_process': {
    homes: ['store/lock.ts', 'convert/child-converter.ts'],
    why: 'the lock starts flock, and a suspected drop is converted by a process of its own; anything else would be a way around the rules',
  },
  'node:worker_threads': { homes: ['convert/', 'workers/'], why: 'threads are for conversion' },
}

interface Import {
  readonly file: string
  readonly line: number
  readonly target: string
}

function sources(folder: string): string[] {
  const out: string[] = []
  for (const entry of readdirSync(join(repositoryRoot, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) out.push(...sources(path))
    else if (entry.name.endsWith('.ts')) out.push(path)
  }
  return out.sort()
}

/** Comments become blanks of the same length, so that lines stay right. Strings are left alone. */
function withoutComments(text: string): string {
  return text.replace(
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|(?<=^|[\s;{}(),])\/\/[^\n]*/g,
    (whole: string, quoted?: string) => (quoted === undefined ? whole.replace(/[^\n]/g, ' ') : whole),
  )
}

function importsOf(file: string, text: string): Import[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*)(['"])([^'"\n]+)\1/g
  return [...text.matchAll(pattern)].map((m) => ({ file, line: text.slice(0, m.index).split('\n').length, target: m[2]! }))
}

/** `src/core/x.ts` → `core`, `src/main.ts` → `main.ts`, `workers/convert.ts` → `workers`. */
function roomOf(path: string): string {
  const parts = path.split('/')
  return parts[0] === 'src' ? parts[1]! : parts[0]!
}

/** A bare module's package: `@dsnp/parquetjs/dist/lib/x.js` → `@dsnp/parquetjs`. */
function packageOf(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')
}

function livesIn(file: string, homes: readonly string[]): boolean {
  const below = file.replace(/^src\//, '')
  return homes.some((home) => (home.endsWith('/') ? below.startsWith(home) : below === home))
}

const files = [...sources('src'), ...sources('workers')]
const texts = new Map(files.map((file) => [file, withoutComments(readFileSync(join(repositoryRoot, file), 'utf8'))]))
const imports = files.flatMap((file) => importsOf(file, texts.get(file)!))
const at = (i: { file: string; line: number }): string => `${i.file}:${i.line}`

function linesWith(pattern: RegExp, allowed: readonly string[]): string[] {
  const found: string[] = []
  for (const file of files) {
    if (livesIn(file, allowed)) continue
    texts
      .get(file)!
      .split('\n')
      .forEach((line, index) => {
        if (pattern.test(line)) found.push(`${file}:${index + 1}: ${line.trim()}`)
      })
  }
  return found
}

describe('the house keeps its walls', () => {
  test('every room imports only from the rooms below it', () => {
    const broken: string[] = []
    for (const i of imports.filter((x) => x.target.startsWith('.'))) {
      const target = normalize(join(dirname(i.file), i.target))
        .split(sep)
        .join('/')
      const from = roomOf(i.file)
      const to = roomOf(target).replace(/\.js$/, '.ts')
      const rule = ROOMS[from]
      if (rule === undefined)
        broken.push(`${at(i)}: "${from}" is a room that DESIGN §10 does not know. Put the file into one that it does.`)
      else if (to !== from && to !== 'errors.ts' && !rule.may.includes(to)) {
        broken.push(
          `${at(i)}: ${from} imports ${to}. It may import ${[...rule.may, 'errors.ts'].join(', ')}, for ${rule.why}. Move the code down, or pass what is needed as a parameter.`,
        )
      }
    }
    expect(broken).toEqual([])
  })

  test('relative imports stay inside the package and name the compiled file', () => {
    const broken = imports
      .filter((i) => i.target.startsWith('.'))
      .filter(
        (i) => relative(repositoryRoot, join(repositoryRoot, dirname(i.file), i.target)).startsWith('..') || !i.target.endsWith('.js'),
      )
      .map((i) => `${at(i)}: ${i.target} must end in .js and lie in the package`)
    expect(broken).toEqual([])
  })

  test('every npm library is a pinned dependency with one home', () => {
    const manifest = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
    const broken: string[] = []
    for (const i of imports.filter((x) => !x.target.startsWith('.') && !x.target.startsWith('node:'))) {
      const name = packageOf(i.target)
      const homes = HOMES[name]
      if (homes === undefined) broken.push(`${at(i)}: ${name} has no home. Name one in this test, or do without it.`)
      else if (!livesIn(i.file, homes))
        broken.push(`${at(i)}: ${name} lives in ${homes.join(', ')}. Call that room instead: one place to replace it in.`)
      else if (!/^\d+\.\d+\.\d+$/.test(manifest.dependencies[name] ?? ''))
        broken.push(`${at(i)}: ${name} is not a production dependency with an exact version.`)
    }
    expect(broken).toEqual([])
  })

  test('no production dependency is without use', () => {
    const manifest = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
    const used = new Set(imports.map((i) => packageOf(i.target)))
    expect(Object.keys(manifest.dependencies).filter((name) => !used.has(name))).toEqual([])
  })

  test('file system, processes and threads have one door each', () => {
    const broken: string[] = []
    for (const i of imports) {
      const rule = NODE_HOMES[i.target]
      if (rule !== undefined && !livesIn(i.file, rule.homes))
        broken.push(`${at(i)}: ${i.target} is for ${rule.homes.join(', ')}: ${rule.why}.`)
      if (
        !i.target.startsWith('.') &&
        !i.target.startsWith('node:') &&
        /^(fs|path|crypto|os|url|stream|child_process|process)$/.test(i.target)
      ) {
        broken.push(`${at(i)}: write node:${i.target}`)
      }
    }
    expect(broken).toEqual([])
  })

  test('core imports no part of Node that has an effect', () => {
    const pure = new Set(['node:crypto'])
    const broken = imports
      .filter((i) => roomOf(i.file) === 'core' && i.target.startsWith('node:') && !pure.has(i.target))
      .map((i) => `${at(i)}: ${i.target}`)
    expect(broken).toEqual([])
  })

  test('only the entries of processes touch the process', () => {
    expect(linesWith(/(?<![\w.$'"-])(?:globalThis\.)?process\.(?!\w*['"])/, ['main.ts', 'workers/convert-alone.ts'])).toEqual([])
  })

  test('only clock.ts and main.ts read a clock or make randomness that nothing can replace', () => {
    expect(linesWith(/\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(/, ['runtime/clock.ts', 'main.ts'])).toEqual([])
  })

  test('nothing prints past the context', () => {
    expect(linesWith(/(?<![\w.])console\./, [])).toEqual([])
  })

  test('file names are kebab-case', () => {
    expect(files.filter((file) => !file.split('/').every((part) => /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*$/.test(part)))).toEqual([])
  })
})

describe('the test itself sees what it must', () => {
  test('all forms of import are found, and comments are not', () => {
    const text = withoutComments(
      [
        "import a from 'one'",
        "import type { B } from './two.js'",
        "export { c } from './three.js'",
        "const d = await import('four')",
        "import 'five'",
        "// import x from 'not-this'",
        "/* import y from 'nor-this' */",
        "const url = 'https://example.org/path' // from 'nor-that'",
      ].join('\n'),
    )
    expect(importsOf('x.ts', text).map((i) => `${i.line} ${i.target}`)).toEqual(['1 one', '2 ./two.js', '3 ./three.js', '4 four', '5 five'])
  })

  test('there is something to look at', () => {
    expect(files.length).toBeGreaterThan(10)
    expect(imports.length).toBeGreaterThan(20)
  })
})

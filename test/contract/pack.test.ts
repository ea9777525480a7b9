import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtMain, cleanEnvironment, repositoryRoot } from '../support/built-program.js'

/** What `npm pack` makes works by itself, with the production dependencies and nothing else beside it. */

const run = promisify(execFile)

interface Manifest {
  version: string
  bin: Record<string, string>
  dependencies: Record<string, string>
}

let folder: string
let unpacked: string
let manifest: Manifest
let files: string[]

beforeAll(async () => {
  builtMain()
  folder = await mkdtemp(join(tmpdir(), 'parquet-intake-pack-'))
  // Without scripts: dist/ is fresh (builtMain), and building again would pull it from under tests that run beside this one.
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: repositoryRoot,
    env: cleanEnvironment({ npm_config_loglevel: 'error' }),
  })
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string; mode: number }[] }]
  files = packed.files.map((f) => f.path)
  await run('tar', ['-xzf', join(folder, packed.filename), '-C', folder])
  unpacked = join(folder, 'package')
  manifest = JSON.parse(await readFile(join(unpacked, 'package.json'), 'utf8')) as Manifest
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(unpacked, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(repositoryRoot, 'node_modules', name), link)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function packagedProgram(args: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const main = join(unpacked, manifest.bin['parquet-intake']!)
  return new Promise((resolve) => {
    execFile(main, [...args], { cwd: folder, env: cleanEnvironment() }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

describe('the package', () => {
  test('holds what it needs and what people expect', () => {
    for (const name of [
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'config/intake.template.json',
      'config/tables/borelog_versions.json',
      'systemd/parquet-intake.service',
    ]) {
      expect(files).toContain(name)
    }
    expect(files.filter((f) => f.startsWith('config/samples/inbox/') && f.endsWith('.csv')).length).toBeGreaterThan(3)
  })

  test('holds the licence of each library that is joined with the programs, and of no other', async () => {
    const text = await readFile(join(unpacked, 'dist/src/THIRD-PARTY-LICENSES.txt'), 'utf8')
    const [, ...parts] = text.split(/^-{80}\n(?=\S+ \S+ \()/m)
    expect(parts.map((part) => part.split(' ')[0])).toEqual(['commander', 'csv-parse', 'hyparquet', 'jose', 'picomatch', 'zod'])
    for (const part of parts) {
      const [name, version] = part.split(' ')
      expect(manifest.dependencies[name!]).toBe(version)
      expect(part).toMatch(/Permission is hereby granted|Apache License|Redistribution and use/)
    }
  })

  test('holds no keys, no sources, no workspace and no test', () => {
    expect(
      files.filter((f) => /(^|\/)(keys|var|node_modules|src\/.*\.ts)\//.test(f) || /\.jwk\.json$|\.test\.js$|^\.|^test\//.test(f)),
    ).toEqual([])
  })

  test('--version runs as an executable of its own', async () => {
    expect(await packagedProgram(['--version'])).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' })
    expect((await stat(join(unpacked, manifest.bin['parquet-intake']!))).mode & 0o111).not.toBe(0)
  })

  test('init makes a workspace with all tables, which another verb finds', async () => {
    const made = await packagedProgram(['init', 'ws', '--json'])
    expect(made).toMatchObject({ status: 0, stderr: '' })
    expect((JSON.parse(made.stdout) as { tables: string[] }).tables).toHaveLength(
      (await readdir(join(repositoryRoot, 'config/tables'))).length,
    )
    const listed = await packagedProgram(['records', '--json', '--config', 'ws/config/intake.json'])
    expect(listed).toMatchObject({ status: 0, stdout: '{"records":[],"damaged":[]}\n' })
  })

  test('validate says of the samples what the newcomer is told: one is whole, one has mistakes', async () => {
    const inbox = join(unpacked, 'config/samples/inbox/borelogs')
    expect((await packagedProgram(['validate', join(inbox, 'BH-101.csv'), '--table', 'borelog_versions'])).status).toBe(0)
    const wrong = await packagedProgram(['validate', join(inbox, 'BH-103.csv'), '--table', 'borelog_versions', '--json'])
    expect(wrong.status).toBe(3)
    expect(JSON.parse(wrong.stdout)).toMatchObject({ valid: false, stats: { errors: 3 } })
  })

  test('convert runs its worker from the package', async () => {
    const sample = join(unpacked, 'config/samples/inbox/borelogs/BH-102.csv')
    const done = await packagedProgram(['convert', sample, '--table', 'borelog_versions', '--out', 'BH-102.parquet', '--json'])
    expect(done.status, done.stderr).toBe(0)
    expect(JSON.parse(done.stdout)).toMatchObject({ rows: 8, invalid: 0 })
    const again = await packagedProgram(['convert', sample, '--table', 'borelog_versions', '--out', 'BH-102.parquet', '--json'])
    expect(again.status).toBe(1)
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: 'FILE_EXISTS' } })
  })

  test('the library loads by its name', async () => {
    const script = `import(${JSON.stringify(join(unpacked, 'dist/src/index.js'))}).then((m) => console.log(m.listTables().length, typeof m.VersionedParquetStorage))`
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: folder, env: cleanEnvironment() })
    expect(stdout.trim()).toBe(`${(await readdir(join(repositoryRoot, 'config/tables'))).length} function`)
  })
})

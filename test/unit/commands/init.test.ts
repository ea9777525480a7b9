import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { init } from '../../../src/commands/init.js'
import { loadKeyring } from '../../../src/decisions/keyring.js'
import { loadPrivateKey } from '../../../src/decisions/sign.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { repositoryRoot } from '../../support/built-program.js'
import { testContext } from '../../support/command-context.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const plain = { principal: 'approver', samples: true }

async function tree(folder: string): Promise<Map<string, string>> {
  const out = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    out.set(path.slice(folder.length + 1), entry.isFile() ? (await readFile(path)).toString('base64') : '')
  }
  return out
}

describe('init', () => {
  test('makes a workspace that loads, with the folders and modes of DESIGN §2', async () => {
    const cwd = await temporaryFolder()
    const context = testContext({ cwd })
    expect(await init(context, { ...plain, dir: 'ws' })).toBe(0)
    const { paths, config } = await testContext({ cwd, configPath: 'ws/config/intake.json' }).workspace()
    expect(paths.root).toBe(join(cwd, 'ws'))
    for (const folder of [
      paths.inbox,
      paths.decisions,
      paths.claims,
      paths.requests,
      paths.archive,
      paths.quarantine,
      paths.receipts,
      paths.store,
      paths.tables,
    ]) {
      expect((await stat(folder)).isDirectory()).toBe(true)
    }
    expect((await stat(paths.keys)).mode & 0o777).toBe(0o700)
    expect((await stat(join(paths.keys, 'approver.jwk.json'))).mode & 0o777).toBe(0o600)
    expect(config.sources.map((s) => s.name)).toEqual(['borelogs', 'nightly', 'lab-reports'])
    expect(JSON.parse(await readFile(join(paths.store, 'store.json'), 'utf8'))).toMatchObject({ format: 1, approvals: 'signed' })
    expect(context.stdout.text).toContain('parquet-intake run --config ws/config/intake.json')
  })

  test('copies every table and every sample that is shipped', async () => {
    const cwd = await temporaryFolder()
    await init(testContext({ cwd }), { ...plain, dir: '.' })
    const sorted = async (folder: string) => (await readdir(folder, { recursive: true })).sort()
    expect(await sorted(join(cwd, 'config/tables'))).toEqual(await sorted(join(repositoryRoot, 'config/tables')))
    expect(await sorted(join(cwd, 'inbox'))).toEqual(await sorted(join(repositoryRoot, 'config/samples/inbox')))
  })

  test('--no-samples leaves the folders of the sources and no file', async () => {
    const cwd = await temporaryFolder()
    await init(testContext({ cwd }), { ...plain, samples: false, dir: '.' })
    expect((await readdir(join(cwd, 'inbox'), { recursive: true })).sort()).toEqual(['borelogs', 'lab-reports', 'nightly'])
  })

  test('the fresh key signs for the principal, and the keyring knows it', async () => {
    const cwd = await temporaryFolder()
    await init(testContext({ cwd }), { ...plain, principal: 'a.nair', dir: '.' })
    const key = await loadPrivateKey(nodeFiles, join(cwd, 'keys/a.nair.jwk.json'))
    const keyring = await loadKeyring(nodeFiles, join(cwd, 'config/approvers.jwks.json'))
    expect(keyring.version).toBe(1)
    expect(keyring.keys.get(key.kid)?.key).toMatchObject({ principal: 'a.nair', tables: ['*'], x: key.x })
    expect(JSON.stringify([...keyring.keys.values()].map((k) => k.key))).not.toContain('"d"')
  })

  test('a second time changes nothing and is no error', async () => {
    const cwd = await temporaryFolder()
    await init(testContext({ cwd }), { ...plain, dir: 'ws' })
    const before = await tree(join(cwd, 'ws'))
    const context = testContext({ cwd })
    expect(await init(context, { ...plain, dir: 'ws' })).toBe(0)
    expect(await tree(join(cwd, 'ws'))).toEqual(before)
    expect(context.stderr.text).toContain('nothing was changed')
  })

  test('what an interrupted init left is finished, with the same key and the same store', async () => {
    const cwd = await temporaryFolder()
    await init(testContext({ cwd }), { ...plain, dir: '.' })
    const before = await tree(cwd)
    // As if it had stopped before the keyring, one table and the configuration.
    await rm(join(cwd, 'config/intake.json'))
    await rm(join(cwd, 'config/approvers.jwks.json'))
    await rm(join(cwd, 'receipts'), { recursive: true })
    await init(testContext({ cwd }), { ...plain, dir: '.' })
    expect(await tree(cwd)).toEqual(before)
  })

  test.each([
    ['a file of somebody else', (folder: string) => writeFile(join(folder, 'thesis.txt'), 'x')],
    ['a folder of somebody else', (folder: string) => mkdir(join(folder, 'src'))],
    ['a file where a folder of ours would be', (folder: string) => writeFile(join(folder, 'store'), 'x')],
    ['a link where a folder of ours would be', (folder: string) => symlink('/tmp', join(folder, 'store'))],
  ])('refuses a folder with %s, and leaves it alone', async (_, put) => {
    const cwd = await temporaryFolder()
    await put(cwd)
    const before = await tree(cwd)
    await expect(init(testContext({ cwd }), { ...plain, dir: '.' })).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    expect(await tree(cwd)).toEqual(before)
  })

  test('refuses a path that is a file', async () => {
    const cwd = await temporaryFolder()
    await writeFile(join(cwd, 'x'), '')
    await expect(init(testContext({ cwd }), { ...plain, dir: 'x' })).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  })

  test.each(['', '../evil', 'a/b', '.hidden', 'a\nb', 'x'.repeat(129)])(
    'refuses the principal %j before it makes anything',
    async (principal) => {
      const cwd = await temporaryFolder()
      await expect(init(testContext({ cwd }), { ...plain, principal, dir: '.' })).rejects.toMatchObject({ code: 'USAGE' })
      expect(await readdir(cwd)).toEqual([])
    },
  )

  test('a folder that cannot be written to is an operating error', async () => {
    const cwd = await temporaryFolder()
    await mkdir(join(cwd, 'ro'))
    await chmod(join(cwd, 'ro'), 0o500)
    const work = init(testContext({ cwd }), { ...plain, dir: 'ro/ws' })
    // Root may write anywhere; everybody else is told.
    if (process.getuid?.() === 0) await work
    else await expect(work).rejects.toMatchObject({ code: 'EACCES' })
  })

  test('--json prints one document', async () => {
    const cwd = await temporaryFolder()
    const context = testContext({ cwd, json: true })
    await init(context, { ...plain, dir: 'ws' })
    expect(JSON.parse(context.stdout.text)).toMatchObject({ root: join(cwd, 'ws'), created: true, principal: 'approver' })
  })
})

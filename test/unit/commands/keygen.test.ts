import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type KeygenOptions, keygen } from '../../../src/commands/keygen.js'
import { loadKeyring } from '../../../src/decisions/keyring.js'
import { loadPrivateKey } from '../../../src/decisions/sign.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { decideWorld } from './decide-world.js'

const options = (changes: Partial<KeygenOptions> = {}): KeygenOptions => ({
  principal: 'ann',
  tables: undefined,
  expires: undefined,
  ...changes,
})

describe('keygen', () => {
  test('puts the private half into keys/ and the public half into the keyring', async () => {
    const world = await decideWorld()
    const context = world.context({ json: true })
    expect(await keygen(context, options({ tables: ['borelog_versions'], expires: '2099-01-31' }))).toBe(0)
    const printed = JSON.parse(context.stdout.text)
    expect(printed).toMatchObject({
      principal: 'ann',
      keyring_version: 1,
      tables: ['borelog_versions'],
      exp: Date.parse('2099-01-31T00:00:00Z') / 1000,
    })
    expect((await stat(printed.key_file)).mode & 0o777).toBe(0o600)
    const key = await loadPrivateKey(nodeFiles, printed.key_file)
    const trusted = (await loadKeyring(nodeFiles, printed.keyring)).keys.get(key.kid)
    expect(trusted?.key).toMatchObject({ principal: 'ann', x: key.x, tables: ['borelog_versions'], revoked_at: null })
  })

  test('never prints the secret', async () => {
    const world = await decideWorld()
    const context = world.context()
    await keygen(context, options())
    const secret = JSON.parse(await readFile(join(world.root, 'keys/ann.jwk.json'), 'utf8')).d
    expect(context.stdout.text + context.stderr.text).not.toContain(secret)
    expect(await readFile(join(world.root, 'config/approvers.jwks.json'), 'utf8')).not.toContain(secret)
    expect(context.stdout.text).toContain('keys/ann.jwk.json')
    expect(context.stdout.text).toContain('approvers.jwks.json')
  })

  test('raises the version with each key and keeps the keys before', async () => {
    const world = await decideWorld()
    await keygen(world.context(), options())
    await keygen(world.context(), options({ principal: 'ben' }))
    const keyring = await loadKeyring(nodeFiles, join(world.root, 'config/approvers.jwks.json'))
    expect(keyring.version).toBe(2)
    expect([...keyring.keys.values()].map((k) => k.key.principal)).toEqual(['ann', 'ben'])
  })

  test('never overwrites a key', async () => {
    const world = await decideWorld()
    await keygen(world.context(), options())
    const before = await readFile(join(world.root, 'keys/ann.jwk.json'))
    await expect(keygen(world.context(), options())).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    expect(await readFile(join(world.root, 'keys/ann.jwk.json'))).toEqual(before)
    expect((await loadKeyring(nodeFiles, join(world.root, 'config/approvers.jwks.json'))).version).toBe(1)
  })

  test('finishes what a crash left between the two halves', async () => {
    const world = await decideWorld()
    await keygen(world.context(), options())
    await rm(join(world.root, 'config/approvers.jwks.json'))
    const context = world.context()
    expect(await keygen(context, options())).toBe(0)
    const key = await loadPrivateKey(nodeFiles, join(world.root, 'keys/ann.jwk.json'))
    expect((await loadKeyring(nodeFiles, join(world.root, 'config/approvers.jwks.json'))).keys.has(key.kid)).toBe(true)
  })

  test('does not touch a keyring that is damaged', async () => {
    const world = await decideWorld()
    await writeFile(join(world.root, 'config/approvers.jwks.json'), '{')
    await expect(keygen(world.context(), options())).rejects.toMatchObject({ code: 'KEYRING_INVALID' })
    expect(await readFile(join(world.root, 'config/approvers.jwks.json'), 'utf8')).toBe('{')
    expect(await nodeFiles.list(join(world.root, 'keys'))).toEqual([])
  })

  test('a time with a zone is the instant it names', async () => {
    const world = await decideWorld()
    const context = world.context({ json: true })
    await keygen(context, options({ expires: '2099-01-31T12:00:00+02:00' }))
    expect(JSON.parse(context.stdout.text).exp).toBe(Date.parse('2099-01-31T10:00:00Z') / 1000)
  })

  test.each([
    { principal: '' },
    { principal: '../root' },
    { principal: '.hidden' },
    { principal: 'a\\b' },
    { principal: 'a\nb' },
    { principal: 'x'.repeat(129) },
    { tables: [] },
    { expires: 'tomorrow' },
    { expires: '2099-02-30' },
    { expires: '2099-13-01' },
    { expires: '2099-01-31T12:00:00' },
    { expires: '2001-01-01' },
    { expires: '4102444800' },
  ])('refuses %j as usage, and writes nothing', async (changes) => {
    const world = await decideWorld()
    await expect(keygen(world.context(), options(changes))).rejects.toMatchObject({ code: 'USAGE' })
    expect(await nodeFiles.list(join(world.root, 'keys'))).toEqual([])
  })

  test('a table that does not exist is pointed out', async () => {
    const world = await decideWorld()
    const context = world.context()
    await keygen(context, options({ tables: ['borelog_version'] }))
    expect(context.stderr.text).toContain('there is no table "borelog_version"')
  })
})

import { generateKeyPairSync, verify } from 'node:crypto'
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { ed25519PointProblem } from '../../../src/decisions/ed25519-point.js'
import { addToKeyring, KeyringState, loadKeyring, parseKeyring, verifierOf } from '../../../src/decisions/keyring.js'
import { generateApproverKey, loadPrivateKey, signDecision, signerOf, writePrivateKey } from '../../../src/decisions/sign.js'
import type { ApproverKey } from '../../../src/documents/metadata.js'
import { type Files, nodeFiles } from '../../../src/runtime/files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { keyringBytes, makePeople, type People, payloadOf } from './world.js'

let people: People
let ann: ApproverKey
beforeAll(async () => {
  people = await makePeople()
  ann = people.ann.publicKey
})

const parse = (document: unknown) => parseKeyring(Buffer.from(JSON.stringify(document)), 'test')
const one = (changes: Record<string, unknown>) => ({ version: 1, keys: [{ ...ann, ...changes }] })

describe('a keyring is read', () => {
  test('with the lifetime of each key, absent meaning none', () => {
    const { nbf: _n, exp: _e, revoked_at: _r, ...bare } = ann
    const keyring = parse({ version: 3, keys: [{ ...bare, use: 'sig', alg: 'EdDSA', exp: 1_900_000_000 }] })
    expect(keyring.version).toBe(3)
    expect(keyring.keys.get(ann.kid)?.key).toEqual({ ...bare, nbf: null, exp: 1_900_000_000, revoked_at: null })
  })

  test('with no key at all', () => {
    expect(parse({ version: 0, keys: [] }).keys.size).toBe(0)
  })
})

describe('a keyring that cannot be trusted is refused whole', () => {
  const y = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')
  const cases: [string, () => unknown, RegExp?][] = [
    ['a private key in it', () => ({ version: 1, keys: [people.ann.privateKey] }), /PRIVATE/],
    ['a private member beside a good public key', () => one({ d: people.ann.privateKey.d }), /PRIVATE/],
    ['a symmetric key', () => ({ version: 1, keys: [{ kty: 'oct', k: 'AAAA', kid: 'x' }] }), /PRIVATE/],
    ['an RSA key', () => one({ kty: 'RSA' })],
    ['an X25519 key', () => one({ crv: 'X25519' })],
    ['an Ed448 key', () => one({ crv: 'Ed448' })],
    ['no kid', () => one({ kid: undefined })],
    ['an empty kid', () => one({ kid: '' })],
    ['a kid with a control character', () => one({ kid: 'a\u0007' })],
    ['one kid twice', () => ({ version: 1, keys: [ann, { ...people.lab.publicKey, kid: ann.kid }] }), /kid stands twice/],
    ['one key twice under two kids', () => ({ version: 1, keys: [ann, { ...ann, kid: 'other', principal: 'second person' }] }), /same key/],
    ['no principal', () => one({ principal: undefined })],
    ['an empty principal', () => one({ principal: '' })],
    ['no tables', () => one({ tables: undefined })],
    ['tables as a text', () => one({ tables: '*' })],
    ['a table that is a pattern', () => one({ tables: ['soil_*'] })],
    ['exp in milliseconds', () => one({ exp: Date.parse('2030-01-01') }), /milliseconds/],
    ['exp as a text', () => one({ exp: '2030-01-01' })],
    ['a broken number of seconds', () => one({ exp: 1.5 })],
    ['a negative nbf', () => one({ nbf: -1 })],
    ['an unknown member', () => one({ revoked: true })],
    ['use enc', () => one({ use: 'enc' })],
    ['alg HS256', () => one({ alg: 'HS256' })],
    ['no version', () => ({ keys: [ann] })],
    ['version as a text', () => ({ version: '1', keys: [ann] })],
    ['version 1.5', () => ({ version: 1.5, keys: [ann] })],
    ['a member beside version and keys', () => ({ version: 1, keys: [ann], trust: 'all' })],
    ['a list instead of an object', () => [ann]],
    ['x of 31 bytes', () => one({ x: Buffer.alloc(31, 1).toString('base64url') })],
    ['x of 33 bytes', () => one({ x: Buffer.alloc(33, 1).toString('base64url') })],
    ['x padded', () => one({ x: `${ann.x}=` })],
    [
      'x with unused bits set',
      () =>
        one({
          x:
            ann.x.slice(0, 42) +
            'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[
              'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(ann.x[42]!) + 1
            ],
        }),
    ],
    ['the point of order 1', () => one({ x: y(`01${'00'.repeat(31)}`) }), /small order/],
    ['the point of order 1 with the sign bit', () => one({ x: y(`01${'00'.repeat(30)}80`) }), /small order/],
    ['the point of order 2', () => one({ x: y(`ec${'ff'.repeat(30)}7f`) }), /small order/],
    ['a point of order 4', () => one({ x: y('00'.repeat(32)) }), /small order/],
    ['the other point of order 4', () => one({ x: y(`${'00'.repeat(31)}80`) }), /small order/],
    ['a point of order 8', () => one({ x: y('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05') }), /small order/],
    [
      'a point of order 8 with the sign bit',
      () => one({ x: y('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85') }),
      /small order/,
    ],
    ['another point of order 8', () => one({ x: y('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a') }), /small order/],
    ['y = p, another text of 0', () => one({ x: y(`ed${'ff'.repeat(30)}7f`) }), /canonical/],
    ['y = p + 1, another text of 1', () => one({ x: y(`ee${'ff'.repeat(30)}7f`) }), /canonical/],
    ['y = 2^255 - 1', () => one({ x: y(`${'ff'.repeat(31)}7f`) }), /canonical/],
    ['a y that no point has', () => one({ x: y(`02${'00'.repeat(31)}`) }), /not a point/],
  ]
  test.each(cases)('%s', (_name, make, message) => {
    let error: unknown
    try {
      parse(make())
    } catch (e) {
      error = e
    }
    expect(error).toMatchObject({ code: 'KEYRING_INVALID' })
    if (message !== undefined) expect((error as Error).message).toMatch(message)
    // A secret that slipped into the keyring must not slip into a log.
    expect((error as Error).message).not.toContain(people.ann.privateKey.d)
  })

  test.each([
    ['a member twice', '{"version":1,"version":2,"keys":[]}'],
    ['text after it', '{"version":1,"keys":[]}x'],
    ['half of it', '{"version":1,"ke'],
    ['nothing', ''],
    ['a byte order mark', '\ufeff{"version":1,"keys":[]}'],
  ])('%s', (_name, text) => {
    expect(() => parseKeyring(Buffer.from(text), 'test')).toThrow(expect.objectContaining({ code: 'KEYRING_INVALID' }))
  })

  test('all problems are named at once', () => {
    const broken = {
      version: 1,
      keys: [
        { ...ann, x: Buffer.alloc(32).toString('base64url') },
        { ...people.lab.publicKey, kid: ann.kid },
      ],
    }
    expect(() => parse(broken)).toThrow(/key 1 .*small order.*key 2 .*twice/)
  })
})

test('Node itself would take a small-order key, and one signature for every message', () => {
  const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)])
  const key = verifierOf({ x: identity.toString('base64url') })
  // R is the neutral point and S is 0: S·B = R + h·A holds whatever was signed.
  const signature = Buffer.concat([identity, Buffer.alloc(32)])
  expect(verify(null, Buffer.from('approve everything'), key, signature)).toBe(true)
  expect(ed25519PointProblem(identity)).toMatch(/small order/)
})

test('keys that Node makes are points of the curve', () => {
  fc.assert(
    fc.property(fc.constant(null), () => {
      const x = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x!
      expect(ed25519PointProblem(Buffer.from(x, 'base64url'))).toBeNull()
    }),
    { numRuns: 25 },
  )
})

describe('the keyring in use never goes back', () => {
  async function place(): Promise<{
    path: string
    seenPath: string
    put: (version: number) => Promise<void>
    open: (files?: Files) => KeyringState
  }> {
    const folder = await temporaryFolder()
    const path = join(folder, 'approvers.jwks.json')
    const seenPath = join(folder, 'keyring.json')
    return {
      path,
      seenPath,
      put: (version) => writeFile(path, keyringBytes(people, version)),
      open: (files = nodeFiles) => new KeyringState({ files, path, seenPath }),
    }
  }

  test('a change is seen at the next read, whatever the time stamp', async () => {
    const at = await place()
    await at.put(1)
    const state = at.open()
    expect((await state.read()).version).toBe(1)
    const revoked = { version: 2, keys: [{ ...ann, revoked_at: 1 }] }
    await writeFile(at.path, JSON.stringify(revoked))
    expect((await state.read()).keys.get(ann.kid)?.key.revoked_at).toBe(1)
  })

  test('an older version is refused while running', async () => {
    const at = await place()
    await at.put(5)
    const state = at.open()
    await state.read()
    await at.put(4)
    await expect(state.read()).rejects.toMatchObject({ code: 'KEYRING_ROLLED_BACK' })
    await at.put(5)
    expect((await state.read()).version).toBe(5)
  })

  test('an older version is refused after a restart', async () => {
    const at = await place()
    await at.put(5)
    await at.open().read()
    await at.put(4)
    await expect(at.open().read()).rejects.toMatchObject({ code: 'KEYRING_ROLLED_BACK' })
    expect(JSON.parse(await readFile(at.seenPath, 'utf8'))).toMatchObject({ format: 1, version: 5 })
  })

  const withdrawn = (version: number): string => JSON.stringify({ version, keys: [{ ...ann, revoked_at: 1 }] })
  const whole = (version: number): string => JSON.stringify({ version, keys: [ann] })

  test.each([
    ['a key withdrawn', whole, withdrawn],
    ['a withdrawn key brought back', withdrawn, whole],
    ['a key taken out', whole, (version: number) => JSON.stringify({ version, keys: [] })],
  ])('%s without a new version is refused, while running and after a restart, until the version is raised', async (_, first, changed) => {
    const at = await place()
    await writeFile(at.path, first(5))
    const state = at.open()
    await state.read()
    const seen = await readFile(at.seenPath, 'utf8')
    await writeFile(at.path, changed(5))
    for (const one of [state, at.open()])
      await expect(one.read()).rejects.toMatchObject({
        code: 'KEYRING_INVALID',
        message: expect.stringContaining('its version is still 5'),
      })
    expect(await readFile(at.seenPath, 'utf8')).toBe(seen)
    await writeFile(at.path, first(5))
    expect((await state.read()).version).toBe(5)
    await writeFile(at.path, changed(6))
    expect((await at.open().read()).version).toBe(6)
    expect((await state.read()).version).toBe(6)
  })

  test('another order, other white space and members that say nothing are no change', async () => {
    const at = await place()
    const { lab } = people
    await writeFile(at.path, JSON.stringify({ version: 5, keys: [ann, lab.publicKey] }))
    await at.open().read()
    const { nbf: _, ...bare } = { ...ann, use: 'sig', alg: 'EdDSA' }
    await writeFile(at.path, JSON.stringify({ keys: [lab.publicKey, bare], version: 5 }, null, 4))
    expect((await at.open().read()).keys.size).toBe(2)
  })

  test('of a version whose content was not kept, what is read first is kept', async () => {
    const at = await place()
    await writeFile(at.seenPath, '{"format":1,"version":5}\n')
    const told: number[] = []
    await writeFile(at.path, whole(5))
    const state = new KeyringState({ files: nodeFiles, path: at.path, seenPath: at.seenPath, onVersion: (v) => told.push(v) })
    await state.read()
    expect(told).toEqual([])
    await writeFile(at.path, withdrawn(5))
    await expect(at.open().read()).rejects.toMatchObject({ code: 'KEYRING_INVALID' })
  })

  test('a refused keyring does not change what was seen, nor does a broken one', async () => {
    const at = await place()
    await at.put(5)
    await at.open().read()
    await writeFile(at.path, '{"version":9}')
    await expect(at.open().read()).rejects.toMatchObject({ code: 'KEYRING_INVALID' })
    await at.put(6)
    expect((await at.open().read()).version).toBe(6)
  })

  test('a damaged memory stops decisions instead of starting anew', async () => {
    const at = await place()
    await at.put(5)
    for (const text of ['', '{', '{"format":1,"version":"5"}', '{"format":2,"version":5}', '{"format":1,"version":1,"version":5}']) {
      await writeFile(at.seenPath, text)
      await expect(at.open().read()).rejects.toMatchObject({ code: 'KEYRING_INVALID' })
    }
  })

  test('a missing keyring is refused', async () => {
    const at = await place()
    await expect(at.open().read()).rejects.toMatchObject({ code: 'KEYRING_INVALID' })
    await at.put(1)
    const state = at.open()
    await state.read()
    await rm(at.path)
    await expect(state.read()).rejects.toMatchObject({ code: 'KEYRING_INVALID' })
  })

  test('many readers at once agree', async () => {
    const at = await place()
    await at.put(3)
    const state = at.open()
    const read = await Promise.all(Array.from({ length: 20 }, () => state.read()))
    expect(read.map((k) => k.version)).toEqual(Array.from({ length: 20 }, () => 3))
  })

  test('a newer version is told of once, and written once', async () => {
    const at = await place()
    const told: number[] = []
    const state = new KeyringState({ files: nodeFiles, path: at.path, seenPath: at.seenPath, onVersion: (v) => told.push(v) })
    await at.put(3)
    await state.read()
    await state.read()
    await at.put(4)
    await state.read()
    expect(told).toEqual([3, 4])
  })

  test('a version is durable before the keyring is used: a crash at any step leaves no decision under a forgotten version', async () => {
    for (let k = 1; k < 20; k += 1) {
      const at = await place()
      await at.put(5)
      let calls = 0
      const crash = (): void => {
        calls += 1
        if (calls >= k) throw new Error('crash')
      }
      const files: Files = {
        ...nodeFiles,
        overwrite: async (...args) => {
          crash()
          const file = await nodeFiles.overwrite(...args)
          return {
            ...file,
            stat: () => file.stat(),
            read: (...a) => file.read(...a),
            writeAt: (...a) => file.writeAt(...a),
            truncate: (n) => file.truncate(n),
            close: () => file.close(),
            write: async (bytes) => {
              crash()
              await file.write(bytes)
            },
            sync: async () => {
              crash()
              await file.sync()
            },
          }
        },
        rename: async (...args) => {
          crash()
          await nodeFiles.rename(...args)
        },
        syncDirectory: async (path) => {
          crash()
          await nodeFiles.syncDirectory(path)
        },
      }
      const outcome = await at
        .open(files)
        .read()
        .then(
          () => 'used',
          () => 'crashed',
        )
      if (outcome === 'used') {
        expect(k).toBe(6)
        expect(JSON.parse(await readFile(at.seenPath, 'utf8'))).toMatchObject({ version: 5 })
        return
      }
      // Whatever was left behind, the next start works.
      expect((await at.open().read()).version).toBe(5)
    }
    expect.unreachable('the read never succeeded')
  })
})

describe('adding a key', () => {
  test('starts a keyring at version 1 and raises it by one with each key', async () => {
    const path = join(await temporaryFolder(), 'approvers.jwks.json')
    expect(await addToKeyring(nodeFiles, path, ann, { unique: 'a' })).toBe(1)
    expect(await addToKeyring(nodeFiles, path, people.lab.publicKey, { unique: 'b' })).toBe(2)
    expect(await addToKeyring(nodeFiles, path, ann, { unique: 'c' })).toBe('present')
    const keyring = await loadKeyring(nodeFiles, path)
    expect(keyring.version).toBe(2)
    expect([...keyring.keys.keys()]).toEqual([ann.kid, people.lab.publicKey.kid])
  })

  test('keeps the mode of the file and what stood in it', async () => {
    const path = join(await temporaryFolder(), 'approvers.jwks.json')
    await writeFile(path, JSON.stringify({ version: 41, keys: [{ ...ann, use: 'sig', revoked_at: 7 }] }), { mode: 0o600 })
    await addToKeyring(nodeFiles, path, people.lab.publicKey, { unique: 'a' })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const document = JSON.parse(await readFile(path, 'utf8'))
    expect(document.version).toBe(42)
    expect(document.keys[0]).toMatchObject({ use: 'sig', revoked_at: 7 })
  })

  test('never touches a keyring that it cannot read', async () => {
    const path = join(await temporaryFolder(), 'approvers.jwks.json')
    await writeFile(path, '{"version":1,')
    await expect(addToKeyring(nodeFiles, path, ann, { unique: 'a' })).rejects.toMatchObject({ code: 'KEYRING_INVALID' })
    expect(await readFile(path, 'utf8')).toBe('{"version":1,')
  })

  test('keeps away from a temporary file that somebody else writes', async () => {
    const path = join(await temporaryFolder(), 'approvers.jwks.json')
    await writeFile(`${path}.a.tmp`, 'theirs')
    await expect(addToKeyring(nodeFiles, path, ann, { unique: 'a' })).rejects.toMatchObject({ code: 'STORE_CONFLICT' })
    expect(await readFile(`${path}.a.tmp`, 'utf8')).toBe('theirs')
  })

  test('does not take another one’s kid', async () => {
    const path = join(await temporaryFolder(), 'approvers.jwks.json')
    await addToKeyring(nodeFiles, path, ann, { unique: 'a' })
    await expect(addToKeyring(nodeFiles, path, { ...people.lab.publicKey, kid: ann.kid }, { unique: 'b' })).rejects.toMatchObject({
      code: 'KEYRING_INVALID',
    })
  })

  test('does not lose what somebody else adds at the same time', async () => {
    const path = join(await temporaryFolder(), 'approvers.jwks.json')
    await addToKeyring(nodeFiles, path, ann, { unique: 'a' })
    const files: Files = {
      ...nodeFiles,
      create: async (...args) => {
        await addToKeyring(nodeFiles, path, people.narrow.publicKey, { unique: 'other' })
        return nodeFiles.create(...args)
      },
    }
    await expect(addToKeyring(files, path, people.lab.publicKey, { unique: 'b' })).rejects.toMatchObject({ code: 'STORE_CONFLICT' })
    expect((await loadKeyring(nodeFiles, path)).keys.has(people.narrow.publicKey.kid)).toBe(true)
    expect((await nodeFiles.list(join(path, '..')))!.map((e) => e.name.toString())).toEqual(['approvers.jwks.json'])
  })
})

describe('a private key', () => {
  test('is written with mode 0600, found again, and signs', async () => {
    const path = join(await temporaryFolder(), 'ann.jwk.json')
    const { privateKey, publicKey } = await generateApproverKey({ principal: 'ann', tables: ['borelog_versions'], exp: 2_000_000_000 })
    expect(publicKey).toMatchObject({ principal: 'ann', tables: ['borelog_versions'], nbf: null, exp: 2_000_000_000, revoked_at: null })
    expect(publicKey).not.toHaveProperty('d')
    await writePrivateKey(nodeFiles, path, privateKey)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const key = await loadPrivateKey(nodeFiles, path)
    expect(key).toMatchObject({ principal: 'ann', kid: publicKey.kid, x: publicKey.x })
    expect(JSON.stringify(key)).not.toContain(privateKey.d)
    const jws = await signDecision(payloadOf({ decided_by: 'ann' }), key)
    expect(Object.keys(jws)).toEqual(['payload', 'signatures'])
    expect(JSON.parse(Buffer.from(jws.signatures[0].protected, 'base64url').toString())).toEqual({
      alg: 'Ed25519',
      kid: publicKey.kid,
      typ: 'parquet-intake-decision+json',
    })
  })

  test('kid is the thumbprint of RFC 7638', async () => {
    const { publicKey } = await generateApproverKey({ principal: 'ann', tables: ['*'] })
    const { createHash } = await import('node:crypto')
    expect(publicKey.kid).toBe(createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${publicKey.x}"}`).digest('base64url'))
  })

  test('is never overwritten', async () => {
    const path = join(await temporaryFolder(), 'ann.jwk.json')
    await writePrivateKey(nodeFiles, path, people.ann.privateKey)
    const before = await readFile(path)
    await expect(writePrivateKey(nodeFiles, path, people.lab.privateKey)).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    expect(await readFile(path)).toEqual(before)
  })

  test.each([0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o666])('is not used with mode %o', async (mode) => {
    const path = join(await temporaryFolder(), 'ann.jwk.json')
    await writePrivateKey(nodeFiles, path, people.ann.privateKey)
    await chmod(path, mode)
    await expect(loadPrivateKey(nodeFiles, path)).rejects.toMatchObject({ code: 'KEY_INVALID', hint: expect.stringContaining('chmod 600') })
  })

  test.each([0o600, 0o400])('is used with mode %o', async (mode) => {
    const path = join(await temporaryFolder(), 'ann.jwk.json')
    await writePrivateKey(nodeFiles, path, people.ann.privateKey)
    await chmod(path, mode)
    expect((await loadPrivateKey(nodeFiles, path)).kid).toBe(ann.kid)
  })

  test('may be a symbolic link, whose target is judged', async () => {
    const folder = await temporaryFolder()
    const target = join(folder, 'secret')
    const path = join(folder, 'ann.jwk.json')
    await writePrivateKey(nodeFiles, target, people.ann.privateKey)
    await symlink(target, path)
    expect((await loadPrivateKey(nodeFiles, path)).kid).toBe(ann.kid)
    await chmod(target, 0o644)
    await expect(loadPrivateKey(nodeFiles, path)).rejects.toMatchObject({ code: 'KEY_INVALID' })
  })

  test.each([
    ['that is missing', null],
    ['that is empty', ''],
    ['that is no JSON', 'BEGIN PRIVATE KEY'],
    ['without its secret', () => JSON.stringify(ann)],
    ['with another one’s public half', () => JSON.stringify({ ...people.ann.privateKey, x: people.lab.publicKey.x })],
    ['without a principal', () => JSON.stringify({ ...people.ann.privateKey, principal: undefined })],
    ['of another curve', () => JSON.stringify({ ...people.ann.privateKey, crv: 'X25519' })],
    ['with a member twice', () => JSON.stringify(people.ann.privateKey).replace('{', '{"principal":"root",')],
    ['that is huge', () => ' '.repeat(100_000)],
  ])('%s is refused', async (_name, content) => {
    const path = join(await temporaryFolder(), 'ann.jwk.json')
    const text = typeof content === 'function' ? content() : content
    if (text !== null) await writeFile(path, text, { mode: 0o600 })
    const error = await loadPrivateKey(nodeFiles, path).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'KEY_INVALID' })
    expect((error as Error).message).not.toContain(people.ann.privateKey.d)
  })

  test('that is a folder is refused', async () => {
    const path = join(await temporaryFolder(), 'ann.jwk.json')
    await mkdir(path)
    await expect(loadPrivateKey(nodeFiles, path)).rejects.toMatchObject({ code: 'KEY_INVALID' })
  })

  test.each([
    { principal: '' },
    { principal: 'a\nb' },
    { principal: 'a', tables: ['x y'] },
    { principal: 'a', exp: Date.parse('2030-01-01') },
  ])('is not made with %j', async (options) => {
    await expect(generateApproverKey({ tables: ['*'], ...options })).rejects.toMatchObject({ code: 'KEY_INVALID' })
  })

  test.each([{ version: 0 }, { comment: 'a\u0000' }, { record_id: '../x' }, { decision: 'delete' }, { extra: 1 }])(
    'does not sign %j',
    async (changes) => {
      const key = { kid: ann.kid, principal: ann.principal, x: ann.x, signer: signerOf(people.ann.privateKey) }
      await expect(signDecision(payloadOf(changes as never), key)).rejects.toMatchObject({ code: 'DECISION_MALFORMED' })
    },
  )
})

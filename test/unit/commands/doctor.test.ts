import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CommandContext } from '../../../src/commands/context.js'
import { doctor } from '../../../src/commands/doctor.js'
import { init } from '../../../src/commands/init.js'
import type { Check } from '../../../src/commands/preflight.js'
import { type Files, nodeFiles } from '../../../src/runtime/files.js'
import { testContext } from '../../support/command-context.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

let root: string
beforeEach(async () => {
  root = join(await temporaryFolder(), 'ws')
  await init(testContext({ cwd: '/' }), { dir: root, principal: 'approver-456', samples: false })
})

interface Seen {
  readonly status: number
  readonly checks: readonly Check[]
  /** `status check message` of what is not ok. */
  readonly problems: readonly string[]
}

async function look(options: { files?: Files; nowMs?: number } = {}): Promise<Seen> {
  const clock: Partial<CommandContext> = options.nowMs === undefined ? {} : { clock: { nowMs: () => options.nowMs!, monotonicMs: () => 0 } }
  const context = testContext({ cwd: root, json: true, files: options.files ?? machine(), ...clock })
  const status = await doctor(context, {})
  const { checks } = JSON.parse(context.stdout.text) as { checks: Check[] }
  for (const { status: s, hint } of checks) expect(hint === null).toBe(s === 'ok')
  return { status, checks, problems: checks.filter((c) => c.status !== 'ok').map((c) => `${c.status} ${c.check}: ${c.message}`) }
}

/** The files of this machine, on one that has enough of everything. */
function machine(texts: Readonly<Record<string, string>> = {}, over: Partial<Files> = {}): Files {
  const known: Readonly<Record<string, string>> = {
    '/proc/self/mountinfo': '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n',
    '/proc/self/limits': 'Max open files            1024                 1048576              files\n',
    '/proc/sys/fs/inotify/max_user_watches': '65536\n',
    '/proc/meminfo': 'MemTotal: 8000000 kB\nMemAvailable:    4000000 kB\n',
    '/sys/fs/cgroup/memory.max': 'max\n',
    ...texts,
  }
  return {
    ...nodeFiles,
    read: async (path) => (typeof path === 'string' && known[path] !== undefined ? Buffer.from(known[path]) : nodeFiles.read(path)),
    freeBytes: async () => 5e9,
    ...over,
  }
}

function config(change: (config: Record<string, never>) => void): void {
  const path = join(root, 'config/intake.json')
  const document = JSON.parse(readFileSync(path, 'utf8')) as Record<string, never>
  change(document)
  writeFileSync(path, JSON.stringify(document))
}

const failing = (code: string): Error => Object.assign(new Error(`${code}: refused`), { code })
const tree = (): string[] => readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()

describe('a workspace as init makes it', () => {
  test('has nothing in the way, and nothing is left behind', async () => {
    const before = tree()
    const seen = await look()
    expect(seen.problems).toEqual([])
    expect(seen.status).toBe(0)
    expect(tree()).toEqual(before)
  })

  test('is told in lines of one form', async () => {
    const context = testContext({ cwd: root, files: machine({ '/proc/sys/fs/inotify/max_user_watches': '10\n' }) })
    expect(await doctor(context, {})).toBe(0)
    const lines = context.stdout.text.trimEnd().split('\n')
    for (const line of lines) expect(line).toMatch(/^(?:(?:ok {5}|warning|error {2}) {2}[a-z-]+ +\S.*| +hint: .+)$/)
    expect(lines.filter((line) => line.startsWith('warning'))).toEqual([expect.stringContaining('watches')])
    expect(context.stderr.text).toBe('0 errors, 1 warning\n')
  })
})

describe('what would go wrong is said', () => {
  test('of tables and sources', async () => {
    writeFileSync(join(root, 'config/tables/bad.json'), '{"fields":[{"name":"a","type":"nothing"}]}')
    expect((await look()).problems).toEqual([expect.stringContaining('error tables: ')])
    rmSync(join(root, 'config/tables/bad.json'))
    config((c) => {
      const [first] = c.sources as unknown as [{ table: string; dialect: object }]
      first.table = 'not_there'
      first.dialect = { delimiter: '"' }
    })
    const { problems, status } = await look()
    expect(status).toBe(3)
    expect(problems).toContainEqual(expect.stringMatching(/error sources: source "\w+" names the table not_there, which is not there/))
    expect(problems).toContainEqual(expect.stringMatching(/error sources: .*dialect/))
  })

  test('of a record column that the table does not have', async () => {
    config((c) => {
      const [first] = c.sources as unknown as [{ record: string }]
      first.record = 'x/{column:nowhere}'
    })
    const { problems, status } = await look()
    expect(status).toBe(3)
    expect(problems).toEqual([
      expect.stringMatching(/^error sources: source "\w+" takes its records from the column "nowhere", which the table \w+ does/),
    ])
  })

  test('of a configuration without sources', async () => {
    config((c) => Object.assign(c, { sources: [] }))
    expect((await look()).problems).toContainEqual(expect.stringContaining('error sources: There is no source'))
  })

  test('of folders that cannot be worked in', async () => {
    mkdirSync(join(root, 'inbox/borelogs'), { recursive: true })
    for (const folder of ['inbox', 'inbox/borelogs', 'archive', 'state', 'receipts', 'store']) {
      mkdirSync(join(root, folder), { recursive: true })
      const create: Files['create'] = async (path, options) => {
        if (String(path).startsWith(`${join(root, folder)}/.doctor`)) throw failing('EACCES')
        return nodeFiles.create(path, options)
      }
      const { problems, status } = await look({ files: machine({}, { create }) })
      expect(problems[0], folder).toMatch(new RegExp(`^error folders: ${folder}: .*EACCES`))
      // The store is tried in more ways.
      expect(problems.length).toBe(folder === 'store' ? 2 : 1)
      expect(status).toBe(3)
    }
  })

  test('of folders that could not even be made', async () => {
    rmSync(join(root, 'archive'), { recursive: true, force: true })
    const create: Files['create'] = async (path, options) => {
      if (String(path).startsWith(`${root}/.doctor`)) throw failing('EROFS')
      return nodeFiles.create(path, options)
    }
    expect((await look({ files: machine({}, { create }) })).problems).toContainEqual(
      expect.stringMatching(/^error folders: archive: .* cannot be made: EROFS/),
    )
  })

  test.for([
    [
      'nfs4',
      [
        'warning file-system: The inbox lies on nfs4',
        'warning file-system: The store lies on nfs4',
        'warning file-system: The workspace lies on nfs4',
      ],
    ],
    [
      'fuse.sshfs',
      [
        'warning file-system: The inbox lies on fuse.sshfs',
        'warning file-system: The store lies on fuse.sshfs',
        'warning file-system: The workspace lies on fuse.sshfs',
      ],
    ],
    ['tmpfs', ['warning file-system: The store lies on tmpfs', 'warning file-system: The workspace lies on tmpfs']],
  ] as const)('of a workspace on %s', async ([type, begin]) => {
    const { problems, status } = await look({
      files: machine({ '/proc/self/mountinfo': `1 0 8:1 / / rw - ext4 x rw\n2 1 0:9 / ${root} rw - ${type} y rw\n` }),
    })
    expect(problems).toEqual(begin.map((text) => expect.stringContaining(text)))
    expect(status).toBe(0)
  })

  test('of a mount that is read-only', async () => {
    const { problems } = await look({ files: machine({ '/proc/self/mountinfo': '1 0 8:1 / / ro,relatime - ext4 x rw\n' }) })
    expect(problems).toEqual([1, 2].map(() => expect.stringContaining('mounted read-only')))
  })

  test.for([
    [10e6, 3, 'error disk'],
    [500e6, 0, 'warning disk'],
  ] as const)('of a disk with %d bytes left', async ([bytes, status, begin]) => {
    const seen = await look({ files: machine({}, { freeBytes: async () => bytes }) })
    expect(seen.status).toBe(status)
    expect(seen.problems).toEqual([expect.stringContaining(begin)])
  })

  test('of a store without hard links, or that takes A for a', async () => {
    const none = machine({}, { link: async () => Promise.reject(failing('EPERM')) })
    expect((await look({ files: none })).problems).toEqual([expect.stringMatching(/^error hard-links: .*EPERM/)])
    const overwrites = machine({}, { link: async () => 'linked' as const })
    expect((await look({ files: overwrites })).problems).toEqual([expect.stringMatching(/^error hard-links/)])
    const folds = machine({}, { stat: async (path) => nodeFiles.stat(typeof path === 'string' ? path.replace(/CASE$/, 'case') : path) })
    expect((await look({ files: folds })).problems).toEqual([expect.stringMatching(/^error letter-case/)])
  })

  test('of a store that lost its identity', async () => {
    mkdirSync(join(root, 'store/records/a'), { recursive: true })
    rmSync(join(root, 'store/store.json'), { force: true })
    expect((await look()).problems).toEqual([expect.stringContaining('error store: ')])
  })

  test('of keys', async () => {
    const path = join(root, 'config/approvers.jwks.json')
    const keyring = JSON.parse(readFileSync(path, 'utf8')) as { version: number; keys: { exp: number | null; tables: string[] }[] }
    const kept = JSON.stringify(keyring)
    keyring.keys[0]!.exp = 1_600_000_000
    writeFileSync(path, JSON.stringify(keyring))
    expect((await look()).problems[0]).toContain('warning approvers: Nobody has a key that is valid now')
    writeFileSync(path, kept)
    mkdirSync(join(root, 'state'), { recursive: true })
    writeFileSync(join(root, 'state/keyring.json'), '{"format":1,"version":99}\n')
    expect((await look()).problems).toEqual([
      expect.stringMatching(/^error keyring: The keyring .* has version 1, but version 99 was seen before: all decisions are refused$/),
    ])
    writeFileSync(join(root, 'state/keyring.json'), `{"format":1,"version":1,"content_sha256":"${'0'.repeat(64)}"}\n`)
    expect((await look()).problems).toEqual([
      expect.stringMatching(/^error keyring: The keyring .* was changed, and its version is still 1: all decisions are refused$/),
    ])
    writeFileSync(join(root, 'state/keyring.json'), 'torn')
    expect((await look()).problems).toEqual([expect.stringContaining('damaged')])
    rmSync(join(root, 'state/keyring.json'))
    rmSync(path)
    expect((await look()).problems).toEqual([expect.stringContaining('error keyring: There is no keyring')])
  })

  test('of private keys that others can read', async () => {
    const [name] = readdirSync(join(root, 'keys'))
    chmodSync(join(root, 'keys', name!), 0o644)
    expect((await look()).problems).toEqual([expect.stringMatching(/error private-keys: Others may look into .*jwk\.json/)])
    chmodSync(join(root, 'keys', name!), 0o600)
    chmodSync(join(root, 'keys'), 0o755)
    expect((await look()).problems).toEqual([expect.stringMatching(/error private-keys: Others may look into .*keys$/)])
  })

  test('of clocks', async () => {
    expect((await look({ nowMs: 1000 })).problems).toContainEqual(expect.stringContaining('error clock'))
    const day = join(root, 'receipts/2030-01-01')
    mkdirSync(day, { recursive: true })
    writeFileSync(join(day, '20300101T000000000Z-000000-0123456789abcdef.json'), '{}')
    expect((await look({ nowMs: Date.UTC(2025, 0, 1) })).problems).toEqual([
      expect.stringContaining('warning clock: The newest receipt is from 20300101'),
    ])
  })

  test('of limits of the process and the machine', async () => {
    const { problems, status } = await look({
      files: machine({
        '/proc/self/limits': 'Max open files            64                 64              files\n',
        '/proc/sys/fs/inotify/max_user_watches': '8\n',
        '/sys/fs/cgroup/memory.max': '268435456\n',
      }),
    })
    expect(problems.map((p) => p.split(':')[0])).toEqual(['warning open-files', 'warning watches', 'warning memory'])
    expect(status).toBe(0)
  })

  test('and nothing where the machine does not say', async () => {
    const silent: Files = {
      ...machine(),
      read: async (path) => (/^\/(?:proc|sys)\//.test(String(path)) ? Promise.reject(failing('EACCES')) : nodeFiles.read(path)),
    }
    expect((await look({ files: silent })).problems).toEqual([])
  })
})

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { IntakeError } from '../../../src/errors.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { checkConfig, findConfig, loadWorkspace, VARIABLES } from '../../../src/runtime/workspace.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

async function put(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  return path
}

async function failure(work: Promise<unknown>): Promise<IntakeError> {
  const error = await work.then(
    () => null,
    (e: unknown) => e,
  )
  if (!(error instanceof IntakeError)) throw new Error(`expected an IntakeError, got ${String(error)}`)
  return error
}

const load = (cwd: string, env: Record<string, string> = {}, configPath?: string) =>
  loadWorkspace({ files: nodeFiles, cwd, env, configPath })
const source = { name: 'a', match: '*.csv', table: 't', createdBy: 'x' }
const nowhere = () => ({ line: 1, column: 1 })

describe('where the configuration is looked for', () => {
  test('--config before PARQUET_INTAKE_CONFIG before ./config before ./var/config', async () => {
    const cwd = await temporaryFolder()
    const find = (env: Record<string, string>, configPath?: string) => findConfig({ files: nodeFiles, cwd, env, configPath })
    const third = await put(join(cwd, 'var/config/intake.json'), '{}')
    expect(await find({})).toBe(third)
    const second = await put(join(cwd, 'config/intake.json'), '{}')
    expect(await find({})).toBe(second)
    const first = await put(join(cwd, 'elsewhere/a.json'), '{}')
    expect(await find({ PARQUET_INTAKE_CONFIG: 'elsewhere/a.json' })).toBe(first)
    const named = await put(join(cwd, 'b.json'), '{}')
    expect(await find({ PARQUET_INTAKE_CONFIG: 'elsewhere/a.json' }, 'b.json')).toBe(named)
  })

  test('a named file that is missing is an error, not a reason to look elsewhere', async () => {
    const cwd = await temporaryFolder()
    await put(join(cwd, 'config/intake.json'), '{}')
    const error = await failure(load(cwd, {}, 'nope.json'))
    expect([error.code, error.exitStatus]).toEqual(['CONFIG_NOT_FOUND', 78])
    expect(error.message).toContain('--config')
    expect((await failure(load(cwd, { PARQUET_INTAKE_CONFIG: 'nope.json' }))).message).toContain('PARQUET_INTAKE_CONFIG')
  })

  test('without any, both places are named', async () => {
    const cwd = await temporaryFolder()
    const error = await failure(load(cwd))
    expect(error.code).toBe('CONFIG_NOT_FOUND')
    expect(error.message).toContain(join(cwd, 'config/intake.json'))
    expect(error.message).toContain(join(cwd, 'var/config/intake.json'))
  })

  test('a folder is not a configuration', async () => {
    const cwd = await temporaryFolder()
    await put(join(cwd, 'var/config/intake.json'), '{}')
    expect((await failure(load(cwd, {}, 'var'))).message).toContain('var/config/intake.json')
  })
})

describe('paths', () => {
  test('relative ones are relative to the file, wherever one stands', async () => {
    const cwd = await temporaryFolder()
    await put(join(cwd, 'ws/config/intake.json'), '{"store": {"mode": "local", "path": "../../data"}, "approvers": "ring.json"}')
    const { paths } = await load('/', {}, join(cwd, 'ws/config/intake.json'))
    expect(paths.root).toBe(join(cwd, 'ws'))
    expect(paths.inbox).toBe(join(cwd, 'ws/inbox'))
    expect(paths.claims).toBe(join(cwd, 'ws/state/claims'))
    expect(paths.store).toBe(join(cwd, 'data'))
    expect(paths.keyring).toBe(join(cwd, 'ws/config/ring.json'))
    expect(paths.tables).toBe(join(cwd, 'ws/config/tables'))
  })

  test('an absolute workspace stays', async () => {
    const cwd = await temporaryFolder()
    await put(join(cwd, 'config/intake.json'), JSON.stringify({ workspace: join(cwd, 'data') }))
    expect((await load(cwd)).paths.root).toBe(join(cwd, 'data'))
  })
})

describe('one error lists every problem', () => {
  test('with line, column and setting, in the order of the file', async () => {
    const cwd = await temporaryFolder()
    await put(
      join(cwd, 'config/intake.json'),
      '{\n  "inbox": { "settleMs": -1, "polling": "yes" },\n  "inbocks": {},\n  "sources": [\n    { "name": "a b", "match": "*.csv", "table": "t", "createdBy": "x" }\n  ]\n}',
    )
    const error = await failure(load(cwd))
    expect([error.code, error.exitStatus]).toEqual(['CONFIG_INVALID', 78])
    const lines = error.message.split('\n').slice(1)
    expect(lines.map((l) => l.trim().split(': ')[0])).toEqual([
      'line 2, column 26',
      'line 2, column 41',
      'line 3, column 14',
      'line 5, column 15',
    ])
    expect(error.message).toContain('inbox.settleMs')
    expect(error.message).toContain('inbocks: is not a setting')
    expect(error.message).toContain('sources[0].name')
    expect((error.data.problems as unknown[]).length).toBe(4)
  })

  test('a file that is not JSON names line and column', async () => {
    const cwd = await temporaryFolder()
    await put(join(cwd, 'config/intake.json'), '{\n  "inbox": {},\n}')
    expect((await failure(load(cwd))).message).toContain('line 3, column 1: not JSON: a comma before "}" is one too many')
  })

  test('a file that is not UTF-8 is refused', async () => {
    const cwd = await temporaryFolder()
    await mkdir(join(cwd, 'config'))
    await writeFile(join(cwd, 'config/intake.json'), Buffer.from([0x7b, 0xff, 0x7d]))
    expect((await failure(load(cwd))).message).toContain('not UTF-8')
  })

  test('two sources of one name', () => {
    const { config, problems } = checkConfig({ sources: [source, { ...source, match: 'b/*.csv' }] }, {}, nowhere)
    expect(config).toBeNull()
    expect(problems.map((p) => p.message)).toEqual(['the name "a" is taken by sources[0]'])
  })

  test.each([[[]], ['text'], [null], [7]])('a document that is %j is a problem, not a crash', (document) => {
    expect(checkConfig(document, { PARQUET_INTAKE_INBOX_SETTLE_MS: '5', PARQUET_INTAKE_STORE_PATH: 'x' }, nowhere).config).toBeNull()
  })
})

describe('the environment overrides', () => {
  test('numbers, booleans, texts, lists', () => {
    const { config } = checkConfig(
      { inbox: { settleMs: 7, rescanMs: 9 } },
      {
        PARQUET_INTAKE_INBOX_SETTLE_MS: '100',
        PARQUET_INTAKE_INBOX_POLLING: 'true',
        PARQUET_INTAKE_INBOX_IGNORE: '*.tmp,~*',
        PARQUET_INTAKE_CONVERT_THREADS: '3',
        PARQUET_INTAKE_LOG_LEVEL: 'debug',
        PARQUET_INTAKE_STORE_PATH: '/data',
        PARQUET_INTAKE_DECISIONS_FORBID_SELF_APPROVAL: '0',
      },
      nowhere,
    )
    expect(config?.inbox).toEqual({ settleMs: 100, rescanMs: 9, polling: true, ignore: ['*.tmp', '~*'] })
    expect(config?.convert.threads).toBe(3)
    expect(config?.log.level).toBe('debug')
    expect(config?.store).toEqual({ mode: 'local', path: '/data' })
    expect(config?.decisions.forbidSelfApproval).toBe(false)
  })

  test('threads may be auto again', () => {
    expect(checkConfig({ convert: { threads: 2 } }, { PARQUET_INTAKE_CONVERT_THREADS: 'auto' }, nowhere).config?.convert.threads).toBe(
      'auto',
    )
  })

  test('a name that is not known is an error that lists the known ones', () => {
    const { config, problems } = checkConfig({}, { PARQUET_INTAKE_INBOX_SETTLEMS: '100' }, nowhere)
    expect(config).toBeNull()
    expect(problems[0]!.message).toContain('PARQUET_INTAKE_INBOX_SETTLEMS')
    expect(problems[0]!.message).toContain('PARQUET_INTAKE_INBOX_SETTLE_MS')
  })

  test.each([
    ['PARQUET_INTAKE_INBOX_SETTLE_MS', 'soon'],
    ['PARQUET_INTAKE_INBOX_SETTLE_MS', '-1'],
    ['PARQUET_INTAKE_INBOX_SETTLE_MS', '1e3'],
    ['PARQUET_INTAKE_INBOX_SETTLE_MS', ''],
    ['PARQUET_INTAKE_INBOX_POLLING', 'perhaps'],
    ['PARQUET_INTAKE_CONVERT_VERIFY', 'half'],
    ['PARQUET_INTAKE_CONVERT_THREADS', 'many'],
  ])('%s=%s is refused, and the problem names the variable', (name, value) => {
    const { config, problems } = checkConfig({}, { [name]: value }, nowhere)
    expect(config).toBeNull()
    expect(problems[0]!.message).toContain(name)
    expect(problems[0]!.place).toBeNull()
  })

  test('other variables are none of our business', () => {
    expect(checkConfig({}, { PATH: '/bin', PARQUET: 'x', XPARQUET_INTAKE_A: 'y' }, nowhere).config).not.toBeNull()
  })

  test('there is a variable for every setting but the sources', () => {
    expect([...VARIABLES.keys()].sort()).toMatchSnapshot()
  })
})

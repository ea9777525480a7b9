import { describe, expect, test } from 'vitest'
import { errorText, type GlobalOptions, reportError, runProgram, toIntakeError, type VerbTraits } from '../../../src/commands/program.js'
import { IntakeError } from '../../../src/errors.js'
import { type TestContext, testContext } from '../../support/command-context.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

interface Run {
  status: number
  stdout: string
  stderr: string
  globals: GlobalOptions | null
  traits: VerbTraits | null
}

async function run(argv: readonly string[], cwd: string): Promise<Run> {
  let stdout = ''
  let stderr = ''
  const seen: { context: TestContext | null; globals: GlobalOptions | null; traits: VerbTraits | null } = {
    context: null,
    globals: null,
    traits: null,
  }
  const status = await runProgram(argv, {
    version: '1.2.3',
    stdout: (text) => {
      stdout += text
    },
    stderr: (text) => {
      stderr += text
    },
    makeContext: (globals, traits) => {
      seen.context = testContext({ cwd, json: globals.json, quiet: globals.quiet, configPath: globals.config })
      seen.globals = globals
      seen.traits = traits
      return seen.context
    },
  })
  return {
    status,
    stdout: stdout + (seen.context?.stdout.text ?? ''),
    stderr: stderr + (seen.context?.stderr.text ?? ''),
    globals: seen.globals,
    traits: seen.traits,
  }
}

describe('the command line', () => {
  test('--version is the version and nothing else', async () => {
    expect(await run(['--version'], '/')).toMatchObject({ status: 0, stdout: '1.2.3\n', stderr: '' })
  })

  test('--help goes to standard output and is no error', async () => {
    const result = await run(['--help'], '/')
    expect(result).toMatchObject({ status: 0, stderr: '' })
    for (const verb of [
      'init',
      'run',
      'validate',
      'convert',
      'records',
      'show',
      'history',
      'cat',
      'keygen',
      'approve',
      'reject',
      'status',
      'receipts',
      'requeue',
      'verify',
      'doctor',
    ]) {
      expect(result.stdout).toMatch(new RegExp(`^ {2}${verb} `, 'm'))
    }
  })

  test('help of a verb shows what goes for all verbs as well', async () => {
    const { stdout, status } = await run(['cat', '--help'], '/')
    expect(status).toBe(0)
    expect(stdout).toContain('--format')
    expect(stdout).toContain('--config')
  })

  test.each([
    [['nope'], "unknown command 'nope'"],
    [['record'], 'Did you mean records?'],
    [['cat'], 'missing required argument'],
    [['cat', 'a', 'b'], 'too many arguments'],
    [['cat', 'a', '--frmat', 'csv'], 'Did you mean --format?'],
    [['cat', 'a', '--format', 'xml'], 'Allowed choices are table, csv, ndjson'],
    [['cat', 'a', '--version', 'latest'], 'a version number or "approved"'],
    [['cat', 'a', '--version', '0'], 'a version number or "approved"'],
    [['cat', 'a', '--limit', '-1'], 'whole number'],
    [['cat', 'a', '--limit', '1e9'], 'whole number'],
    [['convert', 'a.csv', '--table', 't'], "'-o, --out <file>' not specified"],
    [['convert', 'a.csv', '--out', 'b', '--threads', '0'], 'at least 1'],
    [['records', '--status', 'old'], 'Allowed choices'],
    [['keygen'], '--principal'],
    [['--frobnicate'], "unknown option '--frobnicate'"],
  ])('%j is a usage error with status 2, on standard error', async (argv, message) => {
    const result = await run(argv, '/')
    expect(result.status).toBe(2)
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/^error USAGE: /)
    expect(result.stderr).toContain(message)
    expect(result.stderr).toContain('\nhint: ')
  })

  test('no verb at all is a usage error that shows the help', async () => {
    const result = await run([], '/')
    expect([result.status, result.stdout]).toEqual([2, ''])
    expect(result.stderr).toContain('Usage: parquet-intake')
  })

  test('with --json a usage error is a document as well', async () => {
    const result = await run(['cat', '--json'], '/')
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'USAGE' } })
    expect(result.stderr).toContain('error USAGE')
  })

  test('global options may stand before or after the verb', async () => {
    const cwd = await temporaryFolder()
    for (const argv of [
      ['--json', '--config', 'x.json', 'records'],
      ['records', '--json', '--config', 'x.json'],
    ]) {
      const result = await run(argv, cwd)
      expect(result.globals).toEqual({ config: 'x.json', json: true, quiet: false })
      expect(result.status).toBe(78)
      expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'CONFIG_NOT_FOUND' } })
    }
  })

  test('only run takes a signal as its normal end; convert cleans up', async () => {
    const cwd = await temporaryFolder()
    expect((await run(['records'], cwd)).traits?.onSignal).toBe('immediate')
    expect((await run(['convert', 'a.csv', '--out', 'b.parquet', '--table', 't'], cwd)).traits?.onSignal).toBe('aborts')
  })
})

describe('errors', () => {
  test('code, message and hint on standard error, the status of the code', async () => {
    const context = testContext({ cwd: '/' })
    expect(reportError(new IntakeError('STORE_LOCKED', 'Another process holds /x/lock'), context)).toBe(11)
    expect(context.stderr.text).toBe(
      'error STORE_LOCKED: Another process holds /x/lock\nhint: Another process writes to this store. Stop it first, or drop the file into its inbox instead.\n',
    )
    expect(context.stdout.text).toBe('')
  })

  test('with --json one document with the data on standard output', () => {
    const context = testContext({ cwd: '/', json: true })
    reportError(new IntakeError('RECORD_NOT_FOUND', 'no', { data: { record_id: 'x' } }), context)
    expect(JSON.parse(context.stdout.text)).toEqual({
      error: { code: 'RECORD_NOT_FOUND', message: 'no', hint: expect.any(String) as string, data: { record_id: 'x' } },
    })
  })

  test.each(['EMFILE', 'ENFILE', 'ENOMEM'])('that something is used up (%s) is RESOURCES_EXHAUSTED: try again', (code) => {
    const error = toIntakeError(Object.assign(new Error(`${code}: none left, open '/x'`), { code }))
    expect([error.code, error.exitStatus, error.data.system_code]).toEqual(['RESOURCES_EXHAUSTED', 75, code])
    expect(error.hint).toContain('ulimit -n')
  })

  test('what the operating system says is IO_FAILED', () => {
    const error = toIntakeError(Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: 'EACCES' }))
    expect([error.code, error.exitStatus, error.data.system_code]).toEqual(['IO_FAILED', 1, 'EACCES'])
  })

  test('what nobody expected is INTERNAL, with its stack', () => {
    const context = testContext({ cwd: '/' })
    expect(reportError(new TypeError('x is not a function'), context)).toBe(1)
    expect(context.stderr.text).toContain('error INTERNAL: x is not a function')
    expect(context.stderr.text).toContain('program.test.ts')
    expect(toIntakeError('a string').code).toBe('INTERNAL')
  })

  test('a message cannot drive the terminal; its lines stay lines', () => {
    expect(errorText(new IntakeError('IO_FAILED', 'a\u001b[2Jb\nc\u202e'))).toContain('a\\u{1b}[2Jb\nc\\u{202e}')
  })
})

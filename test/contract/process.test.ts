import { execFile } from 'node:child_process'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { builtMain, cleanEnvironment, finished, repositoryRoot, runProgramToEnd, startProgram } from '../support/built-program.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** The process as its surroundings see it: streams, exit statuses, signals (DESIGN §6). */

const quick = { PARQUET_INTAKE_INBOX_SETTLE_MS: '50', PARQUET_INTAKE_CONVERT_THREADS: '1' }

async function workspace(options: { samples?: boolean } = {}): Promise<string> {
  const cwd = await temporaryFolder()
  const made = await runProgramToEnd(['init', 'var', ...(options.samples === true ? [] : ['--no-samples'])], { cwd })
  expect(made.status, made.stderr).toBe(0)
  return cwd
}

/** A daemon that has said `daemon.started`; killed when the test ends, should it still run. */
async function daemon(cwd: string): Promise<{ child: ReturnType<typeof startProgram>; end: ReturnType<typeof finished> }> {
  const child = startProgram(['run'], { cwd, env: quick })
  onTestFinished(() => void child.kill('SIGKILL'))
  const end = finished(child)
  await new Promise<void>((resolve, reject) => {
    let text = ''
    child.stderr?.on('data', (more: string) => {
      text += more
      if (text.includes('"daemon.started"')) resolve()
    })
    child.on('close', () => reject(new Error(`the daemon ended: ${text}`)))
  })
  return { child, end }
}

describe('exit statuses', () => {
  test('0, 2, 78 and 10', async () => {
    const cwd = await workspace()
    const status = async (args: string[], env: Record<string, string> = {}) => (await runProgramToEnd(args, { cwd, env })).status
    expect(await status(['records'])).toBe(0)
    expect(await status(['frobnicate'])).toBe(2)
    expect(await status(['records', '--config', 'nowhere.json'])).toBe(78)
    expect(await status(['records'], { PARQUET_INTAKE_NO_SUCH: '1' })).toBe(78)
    expect(await status(['run', '--once'], { PARQUET_INTAKE_INBOX_SETTLE_MS: 'soon' })).toBe(78)
    await rm(join(cwd, 'var/store'), { recursive: true })
    expect(await status(['records'])).toBe(10)
    expect(await status(['verify'])).toBe(10)
  })

  test('3 when run --once quarantined something, 0 when there is nothing to do', async () => {
    const cwd = await workspace({ samples: true })
    const first = await runProgramToEnd(['run', '--once'], { cwd, env: quick })
    expect(first.status, first.stderr).toBe(3)
    expect(first.stdout).toContain('quarantined borelogs/BH-103.csv')
    expect(first.stdout).toContain('committed   borelogs/BH-101.csv')
    const second = await runProgramToEnd(['run', '--once'], { cwd, env: quick })
    expect(second.status, second.stderr).toBe(0)
    expect((await runProgramToEnd(['verify'], { cwd })).status).toBe(0)
  })

  test('results on standard output, errors on standard error, one JSON document with --json', async () => {
    const cwd = await workspace()
    const result = await runProgramToEnd(['show', 'nope', '--json'], { cwd })
    expect(result.status).toBe(1)
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'RECORD_NOT_FOUND' } })
    expect(result.stderr).toMatch(/^error RECORD_NOT_FOUND: .*\nhint: .*\n$/)
  })
})

describe('a running daemon', () => {
  test('holds the lock: a second one ends with 11 and harms nothing', async () => {
    const cwd = await workspace()
    const { child, end } = await daemon(cwd)
    const second = await runProgramToEnd(['run', '--once'], { cwd, env: quick })
    expect(second.status).toBe(11)
    expect(second.stderr).toContain('error STORE_LOCKED')
    expect((await runProgramToEnd(['status', '--json'], { cwd })).stdout).toContain('"running":true')
    child.kill('SIGTERM')
    expect((await end).status).toBe(0)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('the first %s drains and ends with 0', async (signal) => {
    const { child, end } = await daemon(await workspace())
    child.kill(signal)
    const { status, stderr } = await end
    expect(status).toBe(0)
    expect(stderr).toContain('"daemon.stopped"')
  })

  test('a second signal forces, and the status tells of it', async () => {
    const { child, end } = await daemon(await workspace())
    // Stopped, so that both are pending when it goes on. Which one comes last is the kernel's affair.
    child.kill('SIGSTOP')
    child.kill('SIGTERM')
    child.kill('SIGINT')
    child.kill('SIGCONT')
    const { status, stderr } = await end
    expect([130, 143]).toContain(status)
    expect(stderr).not.toContain('"daemon.stopped"')
  })

  test('what was forced is taken up again', async () => {
    const cwd = await workspace()
    const { child, end } = await daemon(cwd)
    const rows = Array.from({ length: 2000 }, (_, i) => `S${i},R1,${i % 50}`).join('\n')
    await mkdir(join(cwd, 'var/inbox/nightly'), { recursive: true })
    await writeFile(join(cwd, 'var/inbox/nightly/load.csv'), `sample_id,report_id,depth_from\n${rows}\n`)
    await new Promise<void>((resolve) => child.stderr?.on('data', (text: string) => text.includes('"drop.claimed"') && resolve()))
    child.kill('SIGKILL')
    await end
    const next = await runProgramToEnd(['run', '--once'], { cwd, env: quick })
    expect(next.status, next.stderr).toBe(0)
    expect((await runProgramToEnd(['records', '--json'], { cwd })).stdout).toContain('"record_id":"soil/R1"')
    expect(await readdir(join(cwd, 'var/inbox/nightly'))).toEqual([])
    expect((await runProgramToEnd(['verify'], { cwd })).status).toBe(0)
  })
})

test('a reader that has seen enough ends a verb quietly', async () => {
  const script = `"${process.execPath}" "${builtMain()}" --help | true; echo "\${PIPESTATUS[0]}"`
  const result = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
    execFile('bash', ['-c', script], { cwd: repositoryRoot, env: cleanEnvironment() }, (_, stdout, stderr) => resolve({ stdout, stderr }))
  })
  expect(result).toEqual({ stdout: '0\n', stderr: '' })
})

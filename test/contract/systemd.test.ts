import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ERRORS } from '../../src/errors.js'
import { repositoryRoot } from '../support/built-program.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = join(repositoryRoot, 'systemd')
const present = spawnSync('systemd-analyze', ['--version']).status === 0

/** Directives of the unit: name → values, in order. */
async function directives(): Promise<Map<string, string[]>> {
  const out = new Map<string, string[]>()
  for (const line of (await readFile(join(folder, 'parquet-intake.service'), 'utf8')).split('\n')) {
    const m = /^([A-Za-z]+)=(.*)$/.exec(line)
    if (m !== null) out.set(m[1]!, [...(out.get(m[1]!) ?? []), m[2]!])
  }
  return out
}

/** The unit with the node of this machine: `verify` wants the program to exist. */
async function unitHere(): Promise<string> {
  const text = await readFile(join(folder, 'parquet-intake.service'), 'utf8')
  const path = join(await temporaryFolder(), 'parquet-intake.service')
  await writeFile(path, text.replace('/usr/bin/node', process.execPath).replace(/^Documentation=.*$/m, ''))
  return path
}

describe('the unit', () => {
  test.skipIf(!present)('systemd-analyze verify has nothing to say', async () => {
    const result = spawnSync('systemd-analyze', ['verify', await unitHere()], { encoding: 'utf8' })
    expect({ status: result.status, said: result.stdout + result.stderr }).toEqual({ status: 0, said: '' })
  })

  test.skipIf(!present)('systemd-analyze security rates it below 1.0 of 10', async () => {
    const result = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', '--threshold=10', await unitHere()], {
      encoding: 'utf8',
    })
    expect(result.status, result.stdout + result.stderr).toBe(0)
  })

  test('does not forbid what V8 lives on', async () => {
    expect((await directives()).has('MemoryDenyWriteExecute')).toBe(false)
  })

  test('does not start again where starting again cannot help, and does where it can', async () => {
    const prevented = new Set((await directives()).get('RestartPreventExitStatus')!.join(' ').split(' ').map(Number))
    expect([...prevented].sort((a, b) => a - b)).toEqual([2, 10, 78])
    const tryAgain = [ERRORS.STORE_LOCKED.exit, ERRORS.DISK_FULL.exit, ERRORS.FSYNC_FAILED.exit, ERRORS.INTERNAL.exit]
    expect(tryAgain.filter((status) => prevented.has(status))).toEqual([])
    expect([ERRORS.CONFIG_INVALID.exit, ERRORS.NO_STORE.exit, ERRORS.USAGE.exit].every((status) => prevented.has(status))).toBe(true)
  })

  test('every sandbox line stands below a reason', async () => {
    const lines = (await readFile(join(folder, 'parquet-intake.service'), 'utf8')).split('\n')
    const bare: string[] = []
    let reason = false
    for (const line of lines) {
      if (line.startsWith('#')) reason = true
      else if (line === '') reason = false
      else if (
        /^(Protect|Private|Restrict|NoNew|Capability|SystemCall|Memory|Lock|Limit|IPAddress|UMask|NoExec|Inaccessible)/.test(line) &&
        !reason
      )
        bare.push(line)
    }
    expect(bare).toEqual([])
  })

  test.skipIf(spawnSync('systemd-sysusers', ['--version']).status !== 0)('systemd-sysusers understands the accounts', () => {
    const result = spawnSync('systemd-sysusers', ['--dry-run', join(folder, 'parquet-intake.sysusers.conf')], { encoding: 'utf8' })
    expect(result.status, result.stderr).toBe(0)
  })
})

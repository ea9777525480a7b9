import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { builtMain, repositoryRoot, runProgramToEnd } from '../support/built-program.js'
import { type Checked, checkInvariants } from '../support/check-invariants.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const RECORDS = 60
const LEFTOVERS = 60

/** Records that fill the store were never dropped. */
const findingsOf = (checked: Checked): object[] =>
  checked.findings.filter(({ code, subject }) => code !== 'VERSION_UNRECEIPTED' || !/^(?:log|signed)-\d+\/v1$/.test(subject))

test('a daemon that was killed with sixty drops and decisions at sixty steps is taken up again, each of them once', async () => {
  builtMain()
  const root = join(await temporaryFolder(), 'ws')
  const child = join(repositoryRoot, 'dist/test/bench/children/leave-leftovers.js')
  const left = spawnSync(process.execPath, [child, root, String(RECORDS), String(LEFTOVERS)], { encoding: 'utf8' })
  expect(left.signal, left.stderr).toBe('SIGKILL')
  expect(JSON.parse(left.stdout)).toMatchObject({ left: expect.toSatisfy((n: number) => n > LEFTOVERS / 2) })
  expect(readdirSync(join(root, 'state/claims')).length).toBeGreaterThan(LEFTOVERS / 2)
  expect(readdirSync(join(root, 'store/staging')).length).toBeGreaterThan(10)
  const before = checkInvariants(root)
  expect(findingsOf(before)).toEqual([])

  const config = join(root, 'config/intake.json')
  const run = await runProgramToEnd(['run', '--once', '--config', config])
  expect(run.status, run.stderr).toBe(0)
  expect(findingsOf(checkInvariants(root, before.seen))).toEqual([])
  const verify = await runProgramToEnd(['verify', '--json', '--config', config])
  expect((JSON.parse(verify.stdout) as { findings: object[] }).findings).toEqual([])

  const list = readdirSync(join(root, 'receipts')).flatMap((day) =>
    readdirSync(join(root, 'receipts', day)).map(
      (name) => JSON.parse(readFileSync(join(root, 'receipts', day, name), 'utf8')) as { path: string; outcome: string },
    ),
  )
  expect(new Set(list.map((r) => r.path)).size).toBe(list.length)
  // The drop that made the model, and the leftovers.
  expect(list).toHaveLength(LEFTOVERS + 1)
  expect([...new Set(list.map((r) => r.outcome))].sort()).toEqual(['applied', 'committed'])
  for (const folder of ['state/claims', 'store/staging']) expect(readdirSync(join(root, folder)), folder).toEqual([])
  const waiting = [...readdirSync(join(root, 'inbox/lab')), ...readdirSync(join(root, 'decisions'))]
  expect(waiting).toEqual([])
  expect(existsSync(join(root, 'quarantine/orphans'))).toBe(false)
}, 120_000)

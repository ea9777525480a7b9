import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cleanEnvironment, finished, repositoryRoot } from '../support/built-program.js'

test('a few rounds of kills at random instants leave every promise standing', { timeout: 120_000 }, async () => {
  const soak = spawn(process.execPath, [join(repositoryRoot, 'dist/test/soak/soak.js'), '--rounds', '4', '--seed', '3'], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { status, stdout, stderr } = await finished(soak)
  expect(stdout + stderr).toMatch(/^4 rounds on 1 workspaces: .*: everything holds\n$/)
  expect(status).toBe(0)
})

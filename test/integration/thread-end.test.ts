import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { builtMain, cleanEnvironment, repositoryRoot } from '../support/built-program.js'

/** Threads that are ended after so many milliseconds, while they load what they convert with; some of these always meet them at it. */
const SCRIPT = `
  import piscina from 'piscina'
  for (let ms = 20; ms < 90; ms += 2) {
    const pool = new piscina.Piscina({ filename: process.argv[1], minThreads: 2, maxThreads: 2 })
    await new Promise((resolve) => setTimeout(resolve, ms))
    await pool.destroy()
  }`

it('ending a thread that is still loading its program does not end the process', async () => {
  const worker = pathToFileURL(join(dirname(builtMain()), '../workers/convert-thread.cjs')).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, worker], {
    cwd: repositoryRoot,
    env: cleanEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [status, signal] = await once(child, 'close')
  expect({ status, signal }, stderr).toEqual({ status: 0, signal: null })
})

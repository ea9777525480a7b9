import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url))

/** dist/src/main.js, known to be what the sources say. */
export function builtMain(): string {
  const failure = inject('buildFailure')
  if (failure !== '') throw new Error(`dist/ is out of date, for the build fails:\n${failure.slice(0, 4000)}`)
  return join(repositoryRoot, 'dist/src/main.js')
}

export interface Finished {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The environment of a test: none of the variables that would change what the program does. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (!name.startsWith('PARQUET_INTAKE_') && !name.startsWith('VITEST') && name !== 'NODE_OPTIONS' && name !== 'FORCE_COLOR')
      env[name] = value
  }
  return { ...env, NO_COLOR: '1', ...extra }
}

/** Starts the built program; the caller waits for it. */
export function startProgram(
  args: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): ChildProcess {
  return spawn(process.execPath, [builtMain(), ...args], {
    cwd: options.cwd ?? repositoryRoot,
    env: cleanEnvironment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Collects what a process writes until it ends. */
export function finished(child: ChildProcess): Promise<Finished> {
  return new Promise((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }))
  })
}

/** Runs the built program to its end. */
export function runProgramToEnd(
  args: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<Finished> {
  return finished(startProgram(args, options))
}

import { randomBytes, randomUUID } from 'node:crypto'
import type { CommandContext, Writer } from '../../src/commands/context.js'
import { systemClock } from '../../src/runtime/clock.js'
import { nodeFiles } from '../../src/runtime/files.js'
import { SignalState } from '../../src/runtime/shutdown.js'
import { loadWorkspace } from '../../src/runtime/workspace.js'
import { repositoryRoot } from './built-program.js'

export interface CapturedWriter extends Writer {
  readonly text: string
}

export function captureWriter(columns: number | null = null): CapturedWriter {
  let text = ''
  return {
    write: (more) => {
      text += more
    },
    drained: () => Promise.resolve(),
    forgo: () => undefined,
    pendingBytes: 0,
    failure: null,
    isTerminal: columns !== null,
    columns,
    get text() {
      return text
    },
  }
}

export interface TestContext extends CommandContext {
  readonly stdout: CapturedWriter
  readonly stderr: CapturedWriter
}

/** A context of a verb without a process: real files and clock, captured output. */
export function testContext(
  options: Partial<Omit<CommandContext, 'stdout' | 'stderr' | 'workspace' | 'signal'>> & { cwd: string; columns?: number },
): TestContext {
  const signals = options.signals ?? new SignalState()
  const env = options.env ?? {}
  const files = options.files ?? nodeFiles
  return {
    json: false,
    quiet: false,
    configPath: undefined,
    clock: systemClock,
    pid: 4242,
    randomUuid: () => randomUUID(),
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    version: '0.0.0-test',
    packageRoot: repositoryRoot,
    ...options,
    stdout: captureWriter(options.columns ?? null),
    stderr: captureWriter(options.columns ?? null),
    env,
    files,
    signals,
    signal: signals.draining,
    workspace: () => loadWorkspace({ files, cwd: options.cwd, env, configPath: options.configPath }),
  }
}

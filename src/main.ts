#!/usr/bin/env node
import { randomBytes, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { CommandContext, Writer } from './commands/context.js'
import type { GlobalOptions, VerbTraits } from './commands/program.js'
import { errorText, runProgram, toIntakeError } from './commands/program.js'
import { systemCodeOf } from './errors.js'
import { systemClock } from './runtime/clock.js'
import { nodeFiles } from './runtime/files.js'
import type { StopSignal } from './runtime/shutdown.js'
import { FORCED_EXIT, SignalState } from './runtime/shutdown.js'
import type { Workspace } from './runtime/workspace.js'

/**
 * The process: argv, environment, standard streams, signals, exit status. Nothing else touches `process`, so everything else can be
 * tested without one.
 */

/** dist/src/main.js lies two folders below the package. */
const packageRoot = fileURLToPath(new URL('../..', import.meta.url))
// By require: an import of JSON makes Node 20 print a warning.
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
const signals = new SignalState()
/** The verb at work, once the command line is understood. */
const verb: { traits: VerbTraits | null } = { traits: null }

function writerOf(stream: NodeJS.WriteStream): Writer {
  return {
    write: (text) => void stream.write(text),
    drained: () => new Promise((resolve) => stream.write('', () => resolve())),
    get isTerminal() {
      return stream.isTTY === true
    },
    get columns() {
      return stream.isTTY === true ? stream.columns : null
    },
  }
}

const stdout = writerOf(process.stdout)
const stderr = writerOf(process.stderr)

// A reader that has seen enough (`cat … | head`) ends the verb without a word. The daemon goes on: its work is not its output.
process.stdout.on('error', (error) => {
  if (systemCodeOf(error) !== 'EPIPE') throw error
  if (verb.traits?.onSignal !== 'drains') process.exit(0)
})
process.stderr.on('error', (error) => {
  if (systemCodeOf(error) !== 'EPIPE') throw error
})

function onSignal(signal: StopSignal): void {
  const effect = signals.receive(signal, systemClock.monotonicMs())
  if (effect === 'forced' || (effect === 'draining' && (verb.traits === null || verb.traits.onSignal === 'immediate')))
    process.exit(FORCED_EXIT[signal])
}
process.on('SIGINT', () => onSignal('SIGINT'))
process.on('SIGTERM', () => onSignal('SIGTERM'))

function makeContext(globals: GlobalOptions, traits: VerbTraits): CommandContext {
  verb.traits = traits
  const cwd = process.cwd()
  let workspace: Promise<Workspace> | null = null
  return {
    stdout,
    stderr,
    json: globals.json,
    quiet: globals.quiet,
    env: process.env,
    cwd,
    configPath: globals.config,
    clock: systemClock,
    files: nodeFiles,
    signal: signals.draining,
    signals,
    pid: process.pid,
    randomUuid: () => randomUUID(),
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    version,
    packageRoot,
    workspace: () => {
      workspace ??= import('./runtime/workspace.js').then(({ loadWorkspace }) =>
        loadWorkspace({ files: nodeFiles, cwd, env: process.env, configPath: globals.config }),
      )
      return workspace
    },
  }
}

/** A defect: say all there is to say and stop; a process in an unknown state must not go on writing. */
function onDefect(error: unknown): void {
  const known = toIntakeError(error)
  process.stderr.write(errorText(known))
  if (error instanceof Error && error.stack !== undefined) process.stderr.write(`${error.stack}\n`)
  process.exit(known.exitStatus)
}
process.on('uncaughtException', onDefect)
process.on('unhandledRejection', onDefect)

const status = await runProgram(process.argv.slice(2), {
  version,
  makeContext,
  stdout: stdout.write,
  stderr: stderr.write,
})
const stoppedBy = verb.traits?.onSignal === 'drains' ? null : signals.received
await stdout.drained()
await stderr.drained()
// Idle threads and watchers that nobody closed do not keep a finished verb alive.
process.exit(stoppedBy === null ? status : FORCED_EXIT[stoppedBy])

#!/usr/bin/env node
import { randomBytes, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { CommandContext, Writer } from './commands/context.js'
import type { GlobalOptions, VerbTraits } from './commands/program.js'
import { errorText, runProgram, toIntakeError } from './commands/program.js'
import { IntakeError, systemCodeOf } from './errors.js'
import { systemClock } from './runtime/clock.js'
import { nodeFiles } from './runtime/files.js'
import type { StopSignal } from './runtime/shutdown.js'
import { DRAINED_MS, FORCED_EXIT, SignalState } from './runtime/shutdown.js'
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

function writerOf(stream: NodeJS.WriteStream, failed: (error: Error) => void): Writer {
  let failure: Error | null = null
  let patient = true
  stream.on('error', (error) => {
    if (systemCodeOf(error) !== 'EPIPE') failure = error
    failed(error)
  })
  return {
    write: (text) => void stream.write(text),
    drained: () =>
      new Promise((resolve) => {
        stream.write('', () => resolve())
        if (!patient) setTimeout(resolve, DRAINED_MS)
      }),
    forgo: () => {
      patient = false
    },
    get pendingBytes() {
      return stream.writableLength
    },
    get failure() {
      return failure
    },
    get isTerminal() {
      return stream.isTTY === true
    },
    get columns() {
      return stream.isTTY === true ? stream.columns : null
    },
  }
}

// A reader that has seen enough (`cat … | head`) ends the verb without a word; a full device ends it with one. The daemon goes on: its work
// is not its output.
const stdout = writerOf(process.stdout, (error) => {
  if (verb.traits?.onSignal === 'drains') return
  if (systemCodeOf(error) === 'EPIPE') process.exit(0)
  const lost = new IntakeError('IO_FAILED', `Standard output could not be written: ${error.message}`, { cause: error })
  process.stderr.write(errorText(lost))
  process.exit(lost.exitStatus)
})
// Where notes and errors cannot be written there is nobody to tell; the exit status remains.
const stderr = writerOf(process.stderr, () => {})

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

/** Resolves a while after a signal came, for `run` with output that nobody takes. Another verb ends with its first signal. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    const wait = (): void => void setTimeout(resolve, DRAINED_MS)
    if (signals.draining.aborted) wait()
    else signals.draining.addEventListener('abort', wait, { once: true })
  })
}

const status = await runProgram(process.argv.slice(2), {
  version,
  makeContext,
  stdout: stdout.write,
  stderr: stderr.write,
})
const stoppedBy = verb.traits?.onSignal === 'drains' ? null : signals.received
await Promise.race([Promise.all([stdout.drained(), stderr.drained()]), stopped()])
// Idle threads and watchers that nobody closed do not keep a finished verb alive.
process.exit(stoppedBy === null ? status : FORCED_EXIT[stoppedBy])

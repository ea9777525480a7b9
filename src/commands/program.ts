import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { COMPRESSIONS, type Compression } from '../documents/compression.js'
import { IntakeError, isExhausted, systemCodeOf } from '../errors.js'
import { printable, printableLines } from '../runtime/printable.js'
import type { CommandContext, Verb } from './context.js'
import { EXIT, printJson } from './context.js'

/** What the command line says about the surroundings, whatever the verb. */
export interface GlobalOptions {
  readonly config: string | undefined
  readonly json: boolean
  readonly quiet: boolean
}

/** What main.ts gives: the context of one verb, made once the command line is understood. */
export interface ProgramOptions {
  readonly version: string
  readonly makeContext: (globals: GlobalOptions, verb: VerbTraits) => CommandContext
  /** For help and usage errors, which come before there is a context. */
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
}

export interface VerbTraits {
  readonly name: string
  /**
   * immediate: a signal ends the verb at once, for it leaves nothing half done. aborts: it cleans up when `context.signal` fires, and the
   * status tells of the signal. drains: the first signal is its normal end (0), the second forces.
   */
  readonly onSignal: 'immediate' | 'aborts' | 'drains'
}

const COUNT = /^[0-9]{1,15}$/

function wholeNumber(text: string): number {
  if (!COUNT.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

function positiveNumber(text: string): number {
  const n = wholeNumber(text)
  if (n < 1) throw new InvalidArgumentError('It must be at least 1.')
  return n
}

function percentage(text: string): number {
  const n = /^[0-9]{1,3}(?:\.[0-9]{1,6})?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (!(n > 0 && n <= 100)) throw new InvalidArgumentError('It must be a percentage over 0 and up to 100, for instance 5%.')
  return n
}

function versionOrApproved(text: string): number | 'approved' {
  if (text === 'approved') return 'approved'
  if (!COUNT.test(text) || Number(text) < 1) throw new InvalidArgumentError('It must be a version number or "approved".')
  return Number(text)
}

function commaSeparated(text: string): string[] {
  return text.split(',').filter((t) => t !== '')
}

/**
 * Understands `argv` (without interpreter and script) and runs one verb. Every verb is loaded when it is called for, so that `--version`
 * and `status` do not pay for Parquet. Returns the exit status and throws nothing but programmer errors of this file.
 */
export async function runProgram(argv: readonly string[], options: ProgramOptions): Promise<number> {
  let status: number = EXIT.done
  const program = new Command('parquet-intake')
  const globals = (command: Command): GlobalOptions => {
    const o: { config?: string; json?: boolean; quiet?: boolean } = { ...program.opts(), ...command.opts() }
    return { config: o.config, json: o.json === true, quiet: o.quiet === true }
  }
  const withGlobals = (command: Command): Command =>
    command
      .option(
        '-c, --config <file>',
        'intake.json of the workspace (or PARQUET_INTAKE_CONFIG, ./config/intake.json, ./var/config/intake.json)',
      )
      .option('--json', 'results as JSON on standard output')
      .option('-q, --quiet', 'no notes on standard error')

  /** Binds a verb: `pick` names the arguments, `load` fetches the code. */
  const bind =
    <O>(traits: VerbTraits, load: () => Promise<Verb<O>>, pick: (args: readonly unknown[], options: Record<string, unknown>) => O) =>
    async (...all: unknown[]): Promise<void> => {
      const command = all.at(-1) as Command
      const context = options.makeContext(globals(command), traits)
      try {
        const verb = await load()
        status = await verb(context, pick(all.slice(0, -2), command.opts()))
      } catch (error) {
        status = reportError(error, context)
      }
    }
  const immediate = (name: string): VerbTraits => ({ name, onSignal: 'immediate' })

  program
    .description('CSV files dropped into a folder become immutable, versioned, approved Parquet.')
    .version(options.version, '-V, --version', 'print the version')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    // Else `cat ID --version 2` would print the version of the product. The options for all verbs are given to each instead.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: options.stdout, writeErr: () => undefined, outputError: () => undefined })
    .addHelpText('after', EXIT_HELP)

  program
    .command('init')
    .description('make a ready workspace: configuration, tables, fresh approver keys, sample drops')
    .argument('<dir>', 'an empty or new folder')
    .option('--principal <name>', 'who the approver key speaks for', 'approver')
    .option('--no-samples', 'leave the inbox empty')
    .action(
      bind(
        immediate('init'),
        async () => (await import('./init.js')).init,
        ([dir], o) => ({ dir: dir as string, principal: o.principal as string, samples: o.samples !== false }),
      ),
    )

  program
    .command('run')
    .description('the daemon: takes drops and decisions until a signal comes')
    .option('--once', 'take what is there now (waits 60 s at most for it to settle), then exit')
    .action(
      bind(
        { name: 'run', onSignal: 'drains' },
        async () => (await import('./run.js')).run,
        (_, o) => ({ once: o.once === true }),
      ),
    )

  const tableOptions = (command: Command): Command =>
    command
      .option('-t, --table <name>', 'a table of the workspace, or one that comes with the product')
      .option('-s, --schema <file>', 'a Table Schema document')
      .option('-d, --dialect <file>', 'a Table Dialect document')

  tableOptions(program.command('validate'))
    .description('check one CSV file and report every error; writes nothing; exit 3 if it is not valid')
    .argument('<file>', 'the CSV file')
    .option('--limit <n>', 'list at most so many errors', positiveNumber, 100)
    .action(
      bind(
        immediate('validate'),
        async () => (await import('./validate.js')).validate,
        ([file], o) => ({ ...schemaChoice(o), file: file as string, limit: o.limit as number }),
      ),
    )

  tableOptions(program.command('convert'))
    .description('convert one CSV file to Parquet, without a store')
    .argument('<file>', 'the CSV file')
    .requiredOption('-o, --out <file>', 'the Parquet file to make; never overwritten')
    .option('--threads <n>', 'threads (default: all cores)', positiveNumber)
    .addOption(
      new Option('--verify <how>', 'read the finished file again and compare').choices(['full', 'paranoid', 'none']).default('full'),
    )
    .addOption(
      new Option('--on-invalid <what>', 'what invalid rows do')
        .choices(['quarantine-drop', 'skip-rows'])
        .default('quarantine-drop', 'all or nothing'),
    )
    .addOption(new Option('--compression <codec>', 'of the pages').choices(COMPRESSIONS).default('SNAPPY'))
    .action(
      bind(
        { name: 'convert', onSignal: 'aborts' },
        async () => (await import('./convert.js')).convert,
        ([file], o) => ({
          ...schemaChoice(o),
          file: file as string,
          out: o.out as string,
          threads: o.threads as number | undefined,
          verify: o.verify as 'full' | 'paranoid' | 'none',
          onInvalid: o.onInvalid as 'quarantine-drop' | 'skip-rows',
          compression: o.compression as Compression,
        }),
      ),
    )

  program
    .command('records')
    .description('list the records of the store')
    .option('-t, --table <name>', 'only those of one table')
    .addOption(new Option('--status <status>', 'only those of one status').choices(['draft', 'approved', 'rejected']))
    .action(
      bind(
        immediate('records'),
        async () => (await import('./records.js')).records,
        (_, o) => ({ table: o.table as string | undefined, status: o.status as 'draft' | 'approved' | 'rejected' | undefined }),
      ),
    )

  const recordVerb = (name: string, description: string): Command =>
    program.command(name).description(description).argument('<id>', 'record id')

  recordVerb('show', 'one record: status, versions, where its files are').action(
    bind(
      immediate('show'),
      async () => (await import('./show.js')).show,
      ([id]) => ({ recordId: id as string }),
    ),
  )

  recordVerb('history', 'everything that happened to one record').action(
    bind(
      immediate('history'),
      async () => (await import('./history.js')).history,
      ([id]) => ({ recordId: id as string }),
    ),
  )

  recordVerb('cat', 'the rows of one version')
    .option('-v, --version <n>', 'a version number, or "approved" (default: the newest)', versionOrApproved)
    .addOption(new Option('-f, --format <form>', 'how rows are printed').choices(['table', 'csv', 'ndjson']))
    .option('--limit <n>', 'print at most so many rows', wholeNumber)
    .action(
      bind(
        immediate('cat'),
        async () => (await import('./cat.js')).cat,
        ([id], o) => ({
          recordId: id as string,
          version: o.version as number | 'approved' | undefined,
          format: o.format as 'table' | 'csv' | 'ndjson' | undefined,
          limit: o.limit as number | undefined,
        }),
      ),
    )

  program
    .command('keygen')
    .description('make a key pair for an approver; the public half goes into the keyring')
    .requiredOption('-p, --principal <name>', 'who the key speaks for')
    .option('--tables <list>', 'tables it may decide on, joined by commas (default: all)', commaSeparated)
    .option('--expires <time>', 'when the key ends, for instance 2027-01-31')
    .action(
      bind(
        immediate('keygen'),
        async () => (await import('./keygen.js')).keygen,
        (_, o) => ({
          principal: o.principal as string,
          tables: o.tables as string[] | undefined,
          expires: o.expires as string | undefined,
        }),
      ),
    )

  const decisionVerb = (name: 'approve' | 'reject'): void => {
    program
      .command(name)
      .description(`sign and hand in a decision to ${name} the current version of records`)
      .argument('[ids...]', 'record ids')
      .option('--drop <drop-id>', 'all records that one drop made a version of')
      .option('-k, --key <file>', 'private key (default: the only one in keys/)')
      .option('-v, --version <n>', 'the version you looked at; refused if another is current', positiveNumber)
      .option('-m, --comment <text>', 'why', '')
      .option('-o, --out <dir>', 'only sign: put the files there and hand nothing in')
      .action(
        bind(
          immediate(name),
          async () => (await import('./approve.js'))[name],
          ([ids], o) => ({
            ids: ids as string[],
            drop: o.drop as string | undefined,
            key: o.key as string | undefined,
            version: o.version as number | undefined,
            comment: o.comment as string,
            out: o.out as string | undefined,
          }),
        ),
      )
  }
  decisionVerb('approve')
  decisionVerb('reject')

  program
    .command('status')
    .description('what the daemon does, what waits in the inbox and why, what needs a person')
    .action(
      bind(
        immediate('status'),
        async () => (await import('./status.js')).status,
        () => ({}),
      ),
    )

  program
    .command('receipts')
    .description('what became of drops and decisions, newest first')
    .argument('[drop-id]', 'one of them, in full')
    .option('--since <time>', 'only those received since a time (2024-01-27, 2024-01-27T10:00:00Z) or for a while (90m, 24h, 7d)')
    .option('--limit <n>', 'at most so many', positiveNumber, 50)
    .action(
      bind(
        immediate('receipts'),
        async () => (await import('./receipts.js')).receipts,
        ([id], o) => ({ dropId: id as string | undefined, since: o.since as string | undefined, limit: o.limit as number }),
      ),
    )

  program
    .command('requeue')
    .description('put the original of a drop back into the inbox')
    .argument('<drop-id>', 'as on its receipt')
    .option('--force', 'make a version even of content that an older version had')
    .action(
      bind(
        immediate('requeue'),
        async () => (await import('./requeue.js')).requeue,
        ([id], o) => ({ dropId: id as string, force: o.force === true }),
      ),
    )

  program
    .command('verify')
    .description('audit the store: hashes, history chains, signatures, anchors, orphans; exit 3 if there are findings')
    .argument('[ids...]', 'only these records')
    .option('--subset <percent>', 'read the bytes of this share of the versions only, another one each day: for daily use', percentage)
    .action(
      bind(
        immediate('verify'),
        async () => (await import('./verify.js')).verify,
        ([ids], o) => ({ recordIds: ids as string[], subsetPercent: o.subset as number | undefined }),
      ),
    )

  program
    .command('doctor')
    .description('say before the first drop what would go wrong; exit 3 if something would')
    .action(
      bind(
        { name: 'doctor', onSignal: 'aborts' },
        async () => (await import('./doctor.js')).doctor,
        () => ({}),
      ),
    )

  withGlobals(program)
  for (const command of program.commands) withGlobals(command)

  try {
    if (argv.length === 0) {
      options.stderr(program.helpInformation() + EXIT_HELP)
      return EXIT.usage
    }
    await program.parseAsync(argv, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end commander's way too, with status 0.
      if (error.exitCode === 0) return EXIT.done
      return usageError(error, argv, options)
    }
    throw error
  }
}

function schemaChoice(o: Record<string, unknown>): { table: string | undefined; schema: string | undefined; dialect: string | undefined } {
  return { table: o.table as string | undefined, schema: o.schema as string | undefined, dialect: o.dialect as string | undefined }
}

const EXIT_HELP = `
Exit status: 0 done; 1 failure; 2 usage; 3 done, some drops quarantined, superseded or findings; 4 decision refused; 10 no store;
11 lock held; 75 not finished, try again; 78 configuration; 130/143 stopped by a signal.
`

function usageError(error: CommanderError, argv: readonly string[], options: ProgramOptions): number {
  const message = error.message.replace(/^error: /, '')
  const intakeError = new IntakeError('USAGE', message, {
    hint:
      error.code === 'commander.unknownCommand'
        ? '`parquet-intake --help` lists the verbs.'
        : 'Run the verb with --help to see its arguments.',
  })
  options.stderr(errorText(intakeError))
  if (argv.includes('--json')) options.stdout(`${JSON.stringify(errorDocument(intakeError))}\n`)
  return EXIT.usage
}

/** The one place where an error becomes text and an exit status: text on stderr, and with --json a document on stdout as well. */
export function reportError(error: unknown, context: CommandContext): number {
  const known = toIntakeError(error)
  context.stderr.write(errorText(known))
  if (known.code === 'INTERNAL' && error instanceof Error && error.stack !== undefined)
    context.stderr.write(`${printableLines(error.stack)}\n`)
  if (context.json) printJson(context, errorDocument(known))
  return known.exitStatus
}

/** Operating system errors are IO_FAILED, or RESOURCES_EXHAUSTED where they say that; everything else that is not ours is a defect. */
export function toIntakeError(error: unknown): IntakeError {
  if (error instanceof IntakeError) return error
  const message = error instanceof Error ? error.message : String(error)
  const systemCode = systemCodeOf(error)
  if (systemCode !== null)
    return new IntakeError(isExhausted(error) ? 'RESOURCES_EXHAUSTED' : 'IO_FAILED', message, {
      cause: error,
      data: { system_code: systemCode },
    })
  return new IntakeError('INTERNAL', message, { cause: error })
}

export function errorText(error: IntakeError): string {
  return `error ${error.code}: ${printableLines(error.message)}\nhint: ${printable(error.hint)}\n`
}

export function errorDocument(error: IntakeError): {
  error: { code: string; message: string; hint: string; data: Readonly<Record<string, unknown>> }
} {
  return { error: { code: error.code, message: error.message, hint: error.hint, data: error.data } }
}

import { join, relative, resolve } from 'node:path'
import type { SigningKey } from '../decisions/sign.js'
import { fixedForm } from '../documents/metadata.js'
import { isActor } from '../documents/text.js'
import { IntakeError } from '../errors.js'
import { isoTime } from '../runtime/clock.js'
import type { Files } from '../runtime/files.js'
import { createFile, makeDirectories, printablePath } from '../runtime/files.js'
import type { CommandContext } from './context.js'
import { EXIT, note, printJson } from './context.js'
import { plural } from './text-table.js'

export interface InitOptions {
  readonly dir: string
  readonly principal: string
  readonly samples: boolean
}

/**
 * Folders of a workspace (DESIGN §2) and their modes, before the umask. Producers and approvers write to the first two, so their group
 * may; keys are their owner's alone.
 */
const FOLDERS: readonly (readonly [string, number])[] = [
  ['inbox', 0o770],
  ['decisions', 0o770],
  ['state', 0o750],
  ['state/claims', 0o750],
  ['state/requests', 0o750],
  ['archive', 0o750],
  ['quarantine', 0o750],
  ['receipts', 0o750],
  ['config', 0o750],
  ['config/tables', 0o750],
  ['keys', 0o700],
  ['store', 0o750],
]
const OWN_NAMES = new Set(FOLDERS.map(([name]) => name.split('/')[0]!))

const CONFIG_NAME = 'intake.json'
const TEMPLATE_NAME = 'intake.template.json'

/**
 * A ready workspace. Everything is put only where nothing is, and intake.json, which makes the folder a workspace, comes last: an `init`
 * that was interrupted is taken up where it stopped, and a second one changes nothing.
 */
export async function init(context: CommandContext, options: InitOptions): Promise<number> {
  const { files } = context
  if (!isActor(options.principal) || /[/\\]/.test(options.principal) || options.principal.startsWith('.')) {
    throw new IntakeError(
      'USAGE',
      `--principal must be 1 to 128 bytes without control characters, "/" or a leading dot: ${JSON.stringify(options.principal)}`,
    )
  }
  const root = resolve(context.cwd, options.dir)
  const configFile = join(root, 'config', CONFIG_NAME)
  if ((await files.stat(configFile)) !== null) {
    note(context, `${printablePath(root)} is a workspace already; nothing was changed.`)
    if (context.json) printJson(context, { root, config_file: configFile, created: false })
    return EXIT.done
  }
  await refuseForeignFolder(files, root)

  await makeDirectories(files, root, { mode: 0o750 })
  for (const [name, mode] of FOLDERS) await makeDirectories(files, join(root, name), { mode })

  const templates = join(context.packageRoot, 'config')
  const tables = await copyFolder(files, join(templates, 'tables'), join(root, 'config', 'tables'), (name) => name.endsWith('.json'))
  const key = await makeKey(context, root, options.principal)
  // Approvals of a store made here count only when they are signed (DESIGN §4).
  const identity = {
    format: 1 as const,
    store_id: context.randomUuid(),
    created_at: isoTime(context.clock.nowMs()),
    approvals: 'signed' as const,
  }
  await createFile(files, join(root, 'store', 'store.json'), fixedForm(identity), { mode: 0o640 })
  await files.syncDirectory(join(root, 'store'))
  const samples = await copyFolder(files, join(templates, 'samples', 'inbox'), join(root, 'inbox'), () => options.samples)

  const template = await files.read(join(templates, TEMPLATE_NAME))
  if (template === null)
    throw new IntakeError('IO_FAILED', `The package is not whole: ${printablePath(join(templates, TEMPLATE_NAME))} is missing`)
  // Written beside and linked: whoever sees intake.json sees all of it.
  const temporary = join(root, 'config', `.${CONFIG_NAME}.${context.randomHex(8)}.tmp`)
  await createFile(files, temporary, template, { mode: 0o640 })
  await files.link(temporary, configFile)
  await files.remove(temporary)
  await files.syncDirectory(join(root, 'config'))

  if (context.json) {
    printJson(context, {
      root,
      config_file: configFile,
      created: true,
      store_id: identity.store_id,
      principal: options.principal,
      kid: key.kid,
      key_file: key.file,
      tables: tables.map((t) => t.replace(/\.json$/, '')),
      samples,
    })
    return EXIT.done
  }
  const shown = relative(context.cwd, configFile).startsWith('..') ? configFile : relative(context.cwd, configFile)
  const place = relative(context.cwd, root) === '' ? '.' : relative(context.cwd, root).startsWith('..') ? root : relative(context.cwd, root)
  const at = (name: string): string => printablePath(join(place, name))
  context.stdout.write(
    [
      `A workspace is ready in ${printablePath(place)}`,
      '',
      `  ${at('config/intake.json')}  sources: which files belong to which table`,
      `  ${at('config/tables')}/  ${plural(tables.length, 'table')}`,
      `  ${at('keys')}/  the signing key of "${options.principal}", for \`approve\` and \`reject\``,
      samples.length > 0
        ? `  ${at('inbox')}/  ${plural(samples.length, 'sample drop')}, two with mistakes in them`
        : `  ${at('inbox')}/  empty: put CSV files here`,
      '',
      'Next:',
      `  parquet-intake run --config ${printablePath(shown)}`,
      `  parquet-intake records --config ${printablePath(shown)}`,
      `  parquet-intake approve ID --comment "All checks passed" --config ${printablePath(shown)}`,
      '',
    ].join('\n'),
  )
  return EXIT.done
}

/** A folder with anything in it that `init` would not have made is somebody's own. */
async function refuseForeignFolder(files: Files, root: string): Promise<void> {
  const stat = await files.stat(root)
  if (stat === null) return
  if (stat.kind !== 'directory') throw new IntakeError('FILE_EXISTS', `${printablePath(root)} is there and is no folder`)
  const entries = (await files.list(root)) ?? []
  const foreign = entries.find((entry) => !OWN_NAMES.has(entry.name.toString('utf8')) || entry.kind !== 'directory')
  if (foreign !== undefined) {
    throw new IntakeError(
      'FILE_EXISTS',
      `${printablePath(root)} is neither empty nor a workspace: it holds ${printablePath(foreign.name)}`,
      {
        hint: 'Name an empty or new folder.',
        data: { path: root },
      },
    )
  }
}

/** Copies files below `from` that `wanted` names, and every folder; leaves what is there. Returns the paths below `from`, sorted. */
async function copyFolder(files: Files, from: string, to: string, wanted: (name: string) => boolean): Promise<string[]> {
  const entries = await files.list(from)
  if (entries === null) throw new IntakeError('IO_FAILED', `The package is not whole: ${printablePath(from)} is missing`)
  const copied: string[] = []
  for (const entry of entries) {
    const name = entry.name.toString('utf8')
    if (entry.kind === 'directory') {
      await makeDirectories(files, join(to, name), { mode: 0o770 })
      for (const below of await copyFolder(files, join(from, name), join(to, name), wanted)) copied.push(`${name}/${below}`)
    } else if (entry.kind === 'file' && wanted(name)) {
      const bytes = await files.read(join(from, name))
      if (bytes === null) throw new IntakeError('IO_FAILED', `${printablePath(join(from, name))} vanished`)
      await createFile(files, join(to, name), bytes, { mode: 0o640 })
      copied.push(name)
    }
  }
  await files.syncDirectory(to)
  return copied.sort()
}

/** The private half first: a keyring entry without its key would be of no use, a key without an entry is taken up by the next attempt. */
async function makeKey(context: CommandContext, root: string, principal: string): Promise<{ kid: string; file: string }> {
  const { files } = context
  const { generateApproverKey, loadPrivateKey, writePrivateKey } = await import('../decisions/sign.js')
  const { addToKeyring } = await import('../decisions/keyring.js')
  const file = join(root, 'keys', `${principal}.jwk.json`)
  const keyring = join(root, 'config', 'approvers.jwks.json')
  if ((await files.stat(file)) !== null) {
    const key = await loadPrivateKey(files, file)
    await addToKeyring(files, keyring, publicHalf(key), { unique: context.randomHex(8) })
    return { kid: key.kid, file }
  }
  const { privateKey, publicKey } = await generateApproverKey({ principal, tables: ['*'] })
  await writePrivateKey(files, file, privateKey)
  await addToKeyring(files, keyring, publicKey, { unique: context.randomHex(8) })
  return { kid: privateKey.kid, file }
}

function publicHalf(key: SigningKey) {
  const { kid, principal, x } = key
  return { kty: 'OKP' as const, crv: 'Ed25519' as const, x, kid, principal, tables: ['*'], nbf: null, exp: null, revoked_at: null }
}

import { dirname, join } from 'node:path'
import { positionOfDropId } from '../core/drop-id.js'
import { dialectProblems } from '../csv/dialect.js'
import { keyringRefusal, loadKeyring, loadKeyringSeen } from '../decisions/keyring.js'
import { DEFAULT_DIALECT } from '../documents/config.js'
import { IntakeError, isIntakeError, systemCodeOf } from '../errors.js'
import { compileSources } from '../inbox/sources.js'
import { DESCRIPTORS_AT_REST, DESCRIPTORS_OF_DROP, openFilesLimit, withinDescriptors } from '../runtime/descriptors.js'
import { createFile, type Files, removeTree } from '../runtime/files.js'
import { isRemote, isVolatile, type Mount, mountOf } from '../runtime/mounts.js'
import type { Workspace } from '../runtime/workspace.js'
import { isLocked } from '../store/lock.js'
import { readIdentity } from '../store/store-identity.js'
import { TableRegistry } from '../tables/registry.js'
import type { CommandContext } from './context.js'
import { filingOf } from './receipts.js'
import { bytesText, countText, plural } from './text-table.js'

/** What was looked at. Names are API: people alert on them. */
export type CheckName =
  | 'tables'
  | 'sources'
  | 'folders'
  | 'file-system'
  | 'disk'
  | 'fsync'
  | 'hard-links'
  | 'letter-case'
  | 'store'
  | 'lock'
  | 'keyring'
  | 'approvers'
  | 'private-keys'
  | 'clock'
  | 'open-files'
  | 'watches'
  | 'memory'

export interface Check {
  readonly check: CheckName
  readonly status: 'ok' | 'warning' | 'error'
  readonly message: string
  /** What to do; null where nothing is. */
  readonly hint: string | null
}

const ok = (check: CheckName, message: string): Check => ({ check, status: 'ok', message, hint: null })
const warning = (check: CheckName, message: string, hint: string): Check => ({ check, status: 'warning', message, hint })
const wrong = (check: CheckName, message: string, hint: string): Check => ({ check, status: 'error', message, hint })

const LITTLE_SPACE_BYTES = 1024 ** 3
/** Less than this is full before the night is over. */
const NO_SPACE_BYTES = 64 * 1024 ** 2
const SLOW_FSYNC_MS = 50
const FSYNCS = 7
/** Of the process at rest, and what its threads hold beside `convert.memoryMb`. */
const MEMORY_AT_REST_BYTES = 256 * 1024 ** 2

/**
 * Everything that would go wrong with the first drop or the first decision, found before there is one. Leaves nothing behind, and may run
 * beside a daemon. Throws only where there is no usable configuration at all.
 */
export async function preflight(context: CommandContext): Promise<Check[]> {
  const workspace = await context.workspace()
  const { files } = context
  const mounts = (await textOf(files, '/proc/self/mountinfo')) ?? ''
  const one = async (check: CheckName, look: () => Promise<Check[]>): Promise<Check[]> => {
    try {
      return await look()
    } catch (error) {
      if (!(error instanceof IntakeError) && systemCodeOf(error) === null) throw error
      const hint = error instanceof IntakeError ? error.hint : 'Look at the rights of the user that the daemon runs as.'
      return [wrong(check, (error as Error).message, hint)]
    }
  }
  const found: Check[][] = []
  found.push(await one('tables', () => checkTables(context, workspace)))
  found.push(await one('folders', () => checkFolders(context, workspace)))
  found.push(await one('file-system', () => checkFileSystems(context, workspace, mounts)))
  found.push(await one('disk', () => checkSpace(context, workspace)))
  found.push(await one('store', () => checkStore(context, workspace)))
  found.push(await one('keyring', () => checkKeys(context, workspace)))
  found.push(await one('private-keys', () => checkPrivateKeys(context, workspace)))
  found.push(await one('clock', () => checkClock(context)))
  found.push(await one('open-files', () => checkLimits(context, workspace)))
  return found.flat()
}

async function checkTables({ files }: CommandContext, { config, paths }: Workspace): Promise<Check[]> {
  const found: Check[] = []
  let known: readonly string[] = []
  let tables: TableRegistry | null = null
  try {
    tables = await TableRegistry.load(files, paths.tables)
    known = tables.list()
    found.push(
      known.length === 0
        ? wrong('tables', `${paths.tables} holds no table`, 'Put a Table Schema document there for each table.')
        : ok('tables', `${plural(known.length, 'table')} in ${paths.tables}`),
    )
  } catch (error) {
    if (!isIntakeError(error)) throw error
    found.push(wrong('tables', error.message, error.hint))
  }
  if (config.sources.length === 0)
    return [...found, wrong('sources', 'There is no source: no drop would ever be taken', 'Add one to "sources".')]
  const problems: string[] = []
  try {
    for (const { config: source, template } of compileSources(config.sources).sources) {
      if (template === null || !known.includes(source.table)) continue
      const fields = tables?.get(source.table).columns.map(({ name }) => name) ?? []
      for (const piece of template.pieces)
        if (piece.kind === 'column' && !fields.includes(piece.column))
          problems.push(
            `source ${JSON.stringify(source.name)} takes its records from the column ${JSON.stringify(piece.column)}, which the table ${source.table} does not have`,
          )
    }
  } catch (error) {
    if (!isIntakeError(error, 'CONFIG_INVALID')) throw error
    problems.push(error.message)
  }
  for (const source of config.sources) {
    const name = JSON.stringify(source.name)
    if (known.length > 0 && !known.includes(source.table))
      problems.push(`source ${name} names the table ${source.table}, which is not there`)
    for (const problem of dialectProblems(source.dialect ?? DEFAULT_DIALECT)) problems.push(`source ${name}: dialect: ${problem}`)
  }
  for (const problem of problems)
    found.push(wrong('sources', problem, 'Its drops would be quarantined. Mend "sources" in the configuration.'))
  if (problems.length === 0) found.push(ok('sources', `${plural(config.sources.length, 'source')}, each with its table`))
  return found
}

/** Does in each folder what the daemon does there: makes, syncs, renames and removes. */
async function checkFolders(context: CommandContext, { config, paths }: Workspace): Promise<Check[]> {
  const { files } = context
  const found: Check[] = []
  const folders = new Map<string, string>([
    ['inbox', paths.inbox],
    ['decisions', paths.decisions],
    ['state', paths.state],
    ['archive', paths.archive],
    ['quarantine', paths.quarantine],
    ['receipts', paths.receipts],
    ['store', paths.store],
  ])
  try {
    // Producers' folders may have rights of their own: a file that cannot be renamed there is never taken.
    for (const { fixedPart } of compileSources(config.sources).sources)
      if (fixedPart !== '') folders.set(`inbox/${fixedPart}`, join(paths.inbox, fixedPart))
  } catch (error) {
    if (!isIntakeError(error, 'CONFIG_INVALID')) throw error
  }
  for (const [name, folder] of folders) {
    const there = await nearestFolder(files, folder)
    if (there === null || (there !== folder && name.startsWith('inbox/'))) continue
    try {
      await tryFolder(context, there)
    } catch (error) {
      if (!isIntakeError(error) && systemCodeOf(error) === null) throw error
      const purpose = there === folder ? `${name}: ${folder} cannot be worked in` : `${name}: ${folder} cannot be made`
      found.push(
        wrong(
          'folders',
          `${purpose}: ${(error as Error).message}`,
          'The daemon writes, renames and removes there. Give its user the rights to the folder.',
        ),
      )
    }
  }
  return found.length === 0 ? [ok('folders', `${folders.size} folders can be written, renamed and removed in`)] : found
}

async function tryFolder(context: CommandContext, folder: string): Promise<void> {
  const { files } = context
  const from = join(folder, `.doctor-${context.randomHex(8)}.tmp`)
  const to = `${from}.tmp`
  try {
    await createFile(files, from, Buffer.from('parquet-intake doctor\n'))
    await files.rename(from, to)
    await files.syncDirectory(folder)
  } finally {
    await files.remove(from).catch(() => {})
    await files.remove(to).catch(() => {})
  }
}

/** The folder itself, or the one above it in which it would be made. */
async function nearestFolder(files: Files, folder: string): Promise<string | null> {
  for (let at = folder; ; at = dirname(at)) {
    if ((await files.stat(at)) !== null) return at
    if (at === dirname(at)) return null
  }
}

async function checkFileSystems({ files }: CommandContext, { config, paths }: Workspace, mounts: string): Promise<Check[]> {
  const found: Check[] = []
  const mountAt = async (folder: string): Promise<Mount | null> => mountOf(mounts, (await nearestFolder(files, folder)) ?? folder)
  const [inbox, store] = [await mountAt(paths.inbox), await mountAt(paths.store)]
  if (inbox !== null && isRemote(inbox.type) && !config.inbox.polling) {
    found.push(
      warning(
        'file-system',
        `The inbox lies on ${inbox.type}, where nobody tells of new files`,
        'Set inbox.polling, so that folders are looked at all the time.',
      ),
    )
  }
  for (const [name, mount] of [
    ['store', store],
    ['workspace', await mountAt(paths.state)],
  ] as const) {
    if (mount === null) continue
    if (mount.readOnly)
      found.push(
        wrong('file-system', `The ${name} lies on ${mount.point}, which is mounted read-only`, 'Mount it so that it can be written.'),
      )
    if (isVolatile(mount.type))
      found.push(
        warning('file-system', `The ${name} lies on ${mount.type}: it is gone after the next start of the machine`, 'Put it on a disk.'),
      )
    if (isRemote(mount.type)) {
      found.push(
        warning(
          'file-system',
          `The ${name} lies on ${mount.type}: locks and syncs are only as good as that server`,
          'Keep the store on a local disk, or make sure that one machine alone writes to it.',
        ),
      )
    }
  }
  return found.length === 0
    ? [ok('file-system', `inbox on ${inbox?.type ?? 'an unknown file system'}, store on ${store?.type ?? 'an unknown one'}`)]
    : found
}

async function checkSpace({ files }: CommandContext, { paths }: Workspace): Promise<Check[]> {
  const found: Check[] = []
  const seen = new Set<bigint>()
  for (const [name, folder] of [
    ['workspace', paths.root],
    ['store', paths.store],
    ['archive', paths.archive],
    ['quarantine', paths.quarantine],
  ] as const) {
    const there = await nearestFolder(files, folder)
    const stat = there === null ? null : await files.stat(there)
    if (there === null || stat === null || seen.has(stat.device)) continue
    seen.add(stat.device)
    const free = await files.freeBytes(there)
    const message = `${bytesText(free)} free for the ${name} (${there})`
    const hint = 'A drop needs about three times its size until it is archived. Make room.'
    found.push(
      free < NO_SPACE_BYTES
        ? wrong('disk', message, hint)
        : free < LITTLE_SPACE_BYTES
          ? warning('disk', message, hint)
          : ok('disk', message),
    )
  }
  return found
}

/** What the commit protocol rests on, tried beside the store: a sync that returns, a link that does not overwrite, names that are told apart. */
async function checkStore(context: CommandContext, { paths }: Workspace): Promise<Check[]> {
  const { files } = context
  const found: Check[] = []
  const identity = await readIdentity(files, paths.store)
  found.push(
    ok(
      'store',
      identity === null
        ? `There is no store at ${paths.store} yet; the first start makes it`
        : `${paths.store}, approvals: ${identity.identity.approvals}`,
    ),
  )
  found.push(ok('lock', isLocked(join(paths.store, 'lock')) ? 'A daemon holds the lock of the store' : 'The lock of the store is free'))
  // In the state folder of a store that is elsewhere it would say nothing; in the store itself nothing may lie but what belongs there.
  const above = await nearestFolder(files, join(paths.store, 'staging'))
  if (above === null) return found
  const folder = join(above, `.doctor-${context.randomHex(8)}.tmp`)
  await files.makeDirectory(folder)
  try {
    const times: number[] = []
    for (let i = 0; i < FSYNCS; i++) {
      const begun = context.clock.monotonicMs()
      await createFile(files, join(folder, `f${i}`), Buffer.alloc(512, i))
      await files.syncDirectory(folder)
      times.push((context.clock.monotonicMs() - begun) / 2)
    }
    const median = times.sort((a, b) => a - b)[FSYNCS >> 1]!
    const took = `an fsync takes ${median.toFixed(median < 1 ? 2 : 0)} ms`
    found.push(
      median > SLOW_FSYNC_MS
        ? warning(
            'fsync',
            took,
            'Each small drop waits for some of them, several drops share one. A disk of its own, or an SSD, makes the night shorter.',
          )
        : ok('fsync', took),
    )
    const linked = await files.link(join(folder, 'f0'), join(folder, 'f1')).catch((error: unknown) => systemCodeOf(error) ?? 'failed')
    found.push(
      linked === 'exists'
        ? ok('hard-links', 'A link never overwrites: versions cannot be replaced')
        : wrong(
            'hard-links',
            `The file system of the store has no hard links as they should be (${linked})`,
            'Put the store on a file system that has them: ext4, xfs, btrfs, zfs.',
          ),
    )
    await createFile(files, join(folder, 'case'), new Uint8Array())
    found.push(
      (await files.stat(join(folder, 'CASE'))) === null
        ? ok('letter-case', 'Names that differ in case are two names')
        : wrong(
            'letter-case',
            'The file system of the store takes A and a for one name',
            'Two records would be one there. Put the store on a file system that tells them apart.',
          ),
    )
  } finally {
    await removeTree(files, folder)
  }
  return found
}

async function checkKeys({ files, clock }: CommandContext, { config, paths }: Workspace): Promise<Check[]> {
  const keyring = await loadKeyring(files, paths.keyring)
  const found: Check[] = []
  const refused = keyringRefusal(keyring, await loadKeyringSeen(files, paths.keyringState), paths.keyring)
  found.push(
    refused === null
      ? ok('keyring', `version ${keyring.version}, ${plural(keyring.keys.size, 'key')}`)
      : wrong('keyring', `${refused.message}: all decisions are refused`, refused.hint),
  )
  const now = Math.floor(clock.nowMs() / 1000)
  const valid = [...keyring.keys.values()]
    .map(({ key }) => key)
    .filter((key) => (key.nbf ?? 0) <= now && now < (key.exp ?? now + 1) && now < (key.revoked_at ?? now + 1))
  for (const table of new Set(config.sources.map((source) => source.table))) {
    const who = new Set(valid.filter((key) => key.tables.includes('*') || key.tables.includes(table)).map((key) => key.principal))
    found.push(
      who.size === 0
        ? warning(
            'approvers',
            `Nobody has a key that is valid now for the table ${table}`,
            'Make one with `parquet-intake keygen --principal NAME --table NAME`, or add the table to a key.',
          )
        : ok('approvers', `${table}: ${[...who].sort().join(', ')}`),
    )
  }
  return found
}

/** Whoever can read a private key can approve. */
async function checkPrivateKeys({ files }: CommandContext, { paths }: Workspace): Promise<Check[]> {
  const entries = await files.list(paths.keys)
  if (entries === null) return []
  const found: Check[] = []
  const open: string[] = []
  const folder = await files.stat(paths.keys)
  if (folder !== null && (folder.mode & 0o077) !== 0) open.push(paths.keys)
  for (const entry of entries) {
    const path = join(paths.keys, entry.name.toString('utf8'))
    const stat = entry.kind === 'file' ? await files.stat(path) : null
    if (stat !== null && (stat.mode & 0o077) !== 0) open.push(path)
  }
  for (const path of open)
    found.push(wrong('private-keys', `Others may look into ${path}`, `chmod go-rwx ${path}; if others could read a key, revoke it.`))
  return found.length === 0 ? [ok('private-keys', `${paths.keys} is closed to others`)] : found
}

async function checkClock(context: CommandContext): Promise<Check[]> {
  const nowMs = context.clock.nowMs()
  const last = await (await filingOf(context)).lastDropId()
  if (last !== null && positionOfDropId(last).timeMs > nowMs + 60_000) {
    return [
      warning(
        'clock',
        `The newest receipt is from ${last.slice(0, 8)}, later than the clock of this machine`,
        'Set the clock: times in histories and the ends of keys are read from it.',
      ),
    ]
  }
  if (nowMs < Date.UTC(2024, 0, 1))
    return [wrong('clock', 'The clock of this machine was never set', 'Set the clock: the ends of keys are read from it.')]
  return [ok('clock', new Date(nowMs).toISOString())]
}

async function checkLimits({ files }: CommandContext, { config }: Workspace): Promise<Check[]> {
  const found: Check[] = []
  const openFiles = await openFilesLimit(files)
  const needed = DESCRIPTORS_AT_REST + DESCRIPTORS_OF_DROP * config.limits.dropsInFlight
  if (openFiles < needed) {
    found.push(
      warning(
        'open-files',
        `The process may have ${countText(openFiles)} files open; ${plural(config.limits.dropsInFlight, 'drop')} in flight may need ${countText(needed)}, so ${withinDescriptors(openFiles, config.limits.dropsInFlight)} are taken at once`,
        'Raise LimitNOFILE (`ulimit -n`), or lower limits.dropsInFlight.',
      ),
    )
  } else if (Number.isFinite(openFiles)) found.push(ok('open-files', `${countText(openFiles)} at once, ${countText(needed)} may be needed`))
  const watches = Number((await textOf(files, '/proc/sys/fs/inotify/max_user_watches')) ?? Number.POSITIVE_INFINITY)
  if (!config.inbox.polling && watches < 1024) {
    found.push(
      warning(
        'watches',
        `Users of this machine may watch ${countText(watches)} folders`,
        'Raise fs.inotify.max_user_watches. Without hints drops are found by the scan every inbox.rescanMs.',
      ),
    )
  }
  const free = await freeMemory(files)
  const wanted = MEMORY_AT_REST_BYTES + config.convert.memoryMb * 1024 ** 2
  if (free !== null) {
    const message = `${bytesText(free)} of memory to have, ${bytesText(wanted)} may be needed`
    found.push(
      free < wanted
        ? warning('memory', message, 'Lower convert.memoryMb or convert.threads, or give the machine more memory.')
        : ok('memory', message),
    )
  }
  return found
}

/** What the machine has left, or what the control group may have if that is less; null where nobody says. */
async function freeMemory(files: Files): Promise<number | null> {
  const available = /^MemAvailable:\s+(\d+) kB/m.exec((await textOf(files, '/proc/meminfo')) ?? '')?.[1]
  const group = Number((await textOf(files, '/sys/fs/cgroup/memory.max')) ?? Number.NaN)
  const known = [available === undefined ? Number.NaN : Number(available) * 1024, group].filter((n) => Number.isFinite(n) && n > 0)
  return known.length === 0 ? null : Math.min(...known)
}

/** Null where there is no such file, or it may not be read: those asked for are the machine's, and not everybody has them. */
async function textOf(files: Files, path: string): Promise<string | null> {
  try {
    return (await files.read(path))?.toString('utf8').trim() ?? null
  } catch (error) {
    if (systemCodeOf(error) === null) throw error
    return null
  }
}

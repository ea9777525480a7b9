import { dirname, join, resolve } from 'node:path'
import type { IntakeConfig } from '../documents/config.js'
import { intakeConfig } from '../documents/config.js'
import { IntakeError, systemCodeOf } from '../errors.js'
import type { Files } from './files.js'
import type { JsonPath, TextPosition } from './json-text.js'
import { scanJson } from './json-text.js'

/** Absolute paths of everything the daemon owns (DESIGN §2). */
export interface WorkspacePaths {
  readonly root: string
  readonly inbox: string
  readonly decisions: string
  readonly state: string
  readonly claims: string
  readonly requests: string
  readonly statusFile: string
  /** The drops that are being converted, for the next start to know what may have ended this one. */
  readonly converting: string
  /** Newest keyring version seen, so that an older one is refused. */
  readonly keyringState: string
  readonly archive: string
  readonly quarantine: string
  readonly receipts: string
  /** Folder of intake.json. */
  readonly config: string
  readonly tables: string
  readonly keys: string
  /** Root of the store in local mode. */
  readonly store: string
  readonly keyring: string
}

export interface Workspace {
  /** intake.json itself, absolute. */
  readonly configFile: string
  /** Defaults filled in, environment applied. */
  readonly config: IntakeConfig
  readonly paths: WorkspacePaths
}

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'PARQUET_INTAKE_'
export const CONFIG_VARIABLE = `${PREFIX}CONFIG`

/** Where verbs look, in this order, after `--config` and PARQUET_INTAKE_CONFIG; below the current folder. */
export const CONFIG_PLACES = ['config/intake.json', 'var/config/intake.json'] as const

/** Throws CONFIG_NOT_FOUND. Returns an absolute path; whether it can be read is the reader's affair. */
export async function findConfig(options: {
  files: Files
  cwd: string
  env: Environment
  configPath: string | undefined
}): Promise<string> {
  const given = options.configPath ?? nonEmpty(options.env[CONFIG_VARIABLE])
  if (given !== undefined) {
    const path = resolve(options.cwd, given)
    const stat = await options.files.stat(path)
    const named = options.configPath === undefined ? CONFIG_VARIABLE : '--config'
    if (stat === null) throw new IntakeError('CONFIG_NOT_FOUND', `${named} names ${path}, which is not there`, { data: { path } })
    if (stat.kind === 'directory') {
      throw new IntakeError(
        'CONFIG_NOT_FOUND',
        `${named} names the folder ${path}; it takes the file in it, such as ${join(path, CONFIG_PLACES[0])}`,
        { data: { path } },
      )
    }
    return path
  }
  const looked = CONFIG_PLACES.map((place) => resolve(options.cwd, place))
  for (const path of looked) if ((await options.files.stat(path)) !== null) return path
  throw new IntakeError('CONFIG_NOT_FOUND', `There is no workspace here: neither ${looked.join(' nor ')} exists`, { data: { looked } })
}

/**
 * Environment → configuration → workspace. Reads and checks intake.json and resolves every path.
 * Throws CONFIG_NOT_FOUND, or CONFIG_INVALID whose message and `data.problems` list every problem there is, each with its place.
 */
export async function loadWorkspace(options: {
  files: Files
  cwd: string
  env: Environment
  configPath: string | undefined
}): Promise<Workspace> {
  const configFile = await findConfig(options)
  const bytes = await readConfig(options.files, configFile)
  const scan = scanJson(decode(bytes, configFile))
  if (!scan.ok) throw invalid(configFile, [{ path: [], place: scan.position, message: `not JSON: ${scan.message}` }])
  const { config, problems } = checkConfig(scan.value, options.env, (path) => scan.positionOf(path))
  if (config === null) throw invalid(configFile, problems)
  return { configFile, config, paths: resolvePaths(configFile, config) }
}

async function readConfig(files: Files, configFile: string): Promise<Buffer> {
  try {
    const bytes = await files.read(configFile)
    if (bytes === null) throw new IntakeError('CONFIG_NOT_FOUND', `${configFile} is not there`, { data: { path: configFile } })
    return bytes
  } catch (error) {
    if (error instanceof IntakeError) throw error
    throw new IntakeError('CONFIG_INVALID', `${configFile} cannot be read: ${systemCodeOf(error) ?? String(error)}`, {
      cause: error,
      data: { path: configFile },
    })
  }
}

function decode(bytes: Buffer, configFile: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new IntakeError('CONFIG_INVALID', `${configFile} is not UTF-8`, { cause: error, data: { path: configFile } })
  }
}

/** Relative paths are relative to the folder of intake.json (DESIGN §5). */
export function resolvePaths(configFile: string, config: IntakeConfig): WorkspacePaths {
  const folder = dirname(configFile)
  const root = resolve(folder, config.workspace)
  const state = join(root, 'state')
  return {
    root,
    inbox: join(root, 'inbox'),
    decisions: join(root, 'decisions'),
    state,
    claims: join(state, 'claims'),
    requests: join(state, 'requests'),
    statusFile: join(state, 'status.json'),
    converting: join(state, 'converting'),
    keyringState: join(state, 'keyring.json'),
    archive: join(root, 'archive'),
    quarantine: join(root, 'quarantine'),
    receipts: join(root, 'receipts'),
    config: folder,
    tables: join(folder, 'tables'),
    keys: join(root, 'keys'),
    store: config.store.path === undefined ? join(root, 'store') : resolve(folder, config.store.path),
    keyring: resolve(folder, config.approvers),
  }
}

export interface ConfigProblem {
  readonly path: JsonPath
  /** Null where the problem is not in the file (an environment variable). */
  readonly place: TextPosition | null
  readonly message: string
}

/**
 * The configuration with defaults filled in and the environment applied, or every problem of both. Pure.
 * A problem with a value that came from the environment names the variable, not the file.
 */
export function checkConfig(
  document: unknown,
  env: Environment,
  placeOf: (path: JsonPath) => TextPosition,
): { config: IntakeConfig; problems: readonly ConfigProblem[] } | { config: null; problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  const overridden = new Map<string, string>()
  let merged = document
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || name === CONFIG_VARIABLE || text === undefined) continue
    const variable = VARIABLES.get(name)
    if (variable === undefined) {
      problems.push({
        path: [],
        place: null,
        message: `${name} is not a variable this program knows. Known are ${[CONFIG_VARIABLE, ...VARIABLES.keys()].join(', ')}`,
      })
      continue
    }
    const value = variable.read(text)
    if (value === undefined) {
      problems.push({ path: [], place: null, message: `${name} must be ${variable.form}` })
      continue
    }
    overridden.set(variable.path.join('.'), name)
    // The store section is told apart by its mode, so a section that only the environment speaks of needs the default one first.
    if (variable.path[0] === 'store') merged = withDefaultMember(merged, 'store', { mode: 'local' })
    merged = withMember(merged, variable.path, value)
  }
  const parsed = intakeConfig.safeParse(merged)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = issue.path.filter((p): p is string | number => typeof p !== 'symbol')
      const name = overridden.get(path.join('.'))
      if (name !== undefined) problems.push({ path, place: null, message: `${name}: ${issue.message}` })
      else if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys)
          problems.push({ path: [...path, key], place: placeOf([...path, key]), message: 'is not a setting this program knows' })
      } else problems.push({ path, place: placeOf(path), message: issue.message })
    }
    return { config: null, problems: sorted(problems) }
  }
  const names = new Map<string, number>()
  for (const [index, source] of parsed.data.sources.entries()) {
    const first = names.get(source.name)
    if (first === undefined) names.set(source.name, index)
    else {
      const path = ['sources', index, 'name']
      problems.push({ path, place: placeOf(path), message: `the name ${JSON.stringify(source.name)} is taken by sources[${first}]` })
    }
  }
  if (problems.length > 0) return { config: null, problems: sorted(problems) }
  return { config: parsed.data, problems }
}

function sorted(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const rank = (p: ConfigProblem): number => (p.place === null ? Number.MAX_SAFE_INTEGER : p.place.line * 1e6 + p.place.column)
  return [...problems].sort((a, b) => rank(a) - rank(b))
}

/** One error for all problems of one file, each on its line. */
export function invalid(configFile: string, problems: readonly ConfigProblem[]): IntakeError {
  const lines = problems.map((p) => {
    const where = p.place === null ? 'environment' : `line ${p.place.line}, column ${p.place.column}`
    const what = p.path.length === 0 || p.place === null ? '' : `${pathText(p.path)}: `
    return `${where}: ${what}${p.message}`
  })
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  return new IntakeError('CONFIG_INVALID', [`${configFile} has ${count}`, ...lines.map((l) => `  ${l}`)].join('\n'), {
    data: {
      path: configFile,
      problems: problems.map((p) => ({
        at: pathText(p.path),
        line: p.place?.line ?? null,
        column: p.place?.column ?? null,
        message: p.message,
      })),
    },
  })
}

/** `sources[0].match`. */
export function pathText(path: JsonPath): string {
  return path.map((p, i) => (typeof p === 'number' ? `[${p}]` : i === 0 ? p : `.${p}`)).join('')
}

interface Variable {
  readonly path: readonly string[]
  /** What the text must look like, for messages. */
  readonly form: string
  /** undefined: the text is not of that form. */
  readonly read: (text: string) => unknown
}

const readText = (text: string): unknown => (text === '' ? undefined : text)
const readNumber = (text: string): unknown => (/^\d{1,15}$/.test(text) ? Number(text) : undefined)
const readBoolean = (text: string): unknown => ({ true: true, '1': true, false: false, '0': false })[text.toLowerCase()]

/**
 * PARQUET_INTAKE_<SECTION>_<NAME> for every scalar setting and list of texts. Derived from the defaults of the schema, so that a new
 * setting has its variable from the start; settings that have no default follow by hand. `sources` can only be set in the file.
 */
export const VARIABLES: ReadonlyMap<string, Variable> = variables()

function variables(): Map<string, Variable> {
  const out = new Map<string, Variable>()
  const add = (path: readonly string[], form: string, read: Variable['read']): void => {
    const name = PREFIX + path.map((p) => p.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase()).join('_')
    out.set(name, { path, form, read })
  }
  const walk = (value: unknown, path: readonly string[]): void => {
    if (path[0] === 'sources') return
    if (typeof value === 'number') add(path, 'a whole number', readNumber)
    else if (typeof value === 'boolean') add(path, 'true or false', readBoolean)
    else if (path.join('.') === 'convert.threads') add(path, 'a whole number or auto', (text) => readNumber(text) ?? readText(text))
    else if (typeof value === 'string') add(path, 'a text that is not empty', readText)
    else if (Array.isArray(value)) add(path, 'texts joined by commas', (text) => text.split(',').filter((t) => t !== ''))
    else if (typeof value === 'object' && value !== null) for (const [key, member] of Object.entries(value)) walk(member, [...path, key])
  }
  walk(intakeConfig.parse({}), [])
  add(['store', 'path'], 'a path', readText)
  return out
}

/** A copy of `document` in which the member at `path` is `value`. What is not an object on the way is left for the schema to refuse. */
function withMember(document: unknown, path: readonly string[], value: unknown): unknown {
  const [head, ...rest] = path
  if (head === undefined) return value
  if (document !== undefined && (typeof document !== 'object' || document === null || Array.isArray(document))) return document
  const members = (document ?? {}) as Record<string, unknown>
  return { ...members, [head]: withMember(members[head], rest, value) }
}

function withDefaultMember(document: unknown, name: string, value: unknown): unknown {
  const present = typeof document === 'object' && document !== null && (document as Record<string, unknown>)[name] !== undefined
  return present ? document : withMember(document, [name], value)
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}

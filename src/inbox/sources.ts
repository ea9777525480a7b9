import picomatch from 'picomatch'
import { sha256OfJson } from '../core/hashes.js'
import { isRecordId } from '../core/record-id.js'
import { DEFAULT_DIALECT, type DialectDocument, type SourceConfig } from '../documents/config.js'
import type { RecordRule, SidecarKind } from '../documents/drop.js'
import { IntakeError } from '../errors.js'
import { exampleOfBoth, examplesOf } from './glob-overlap.js'

/** A rule that maps drops to a table and to record ids, ready for use. */
export interface Source {
  readonly config: SourceConfig
  readonly dialect: DialectDocument
  /** The folder below the inbox that every match is in; '' for the inbox itself. */
  readonly fixedPart: string
  /** null: the manifest says it. */
  readonly template: RecordTemplate | null
  /** Files that must lie beside a drop before it is taken. */
  readonly sidecars: readonly SidecarKind[]
  readonly ruleSha256: string
}

export type SourceMatch =
  | { readonly kind: 'source'; readonly source: Source }
  | { readonly kind: 'none' }
  /** Two sources claim one path: a fault of the configuration that could not be seen in it. */
  | { readonly kind: 'ambiguous'; readonly names: readonly string[] }

export interface RecordTemplate {
  readonly pieces: readonly TemplatePiece[]
}

type TemplatePiece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path' }
  | { readonly kind: 'stem' }
  | { readonly kind: 'column'; readonly column: string }

export const SIDECAR_SUFFIX: Readonly<Record<SidecarKind, string>> = { sha256: '.sha256', done: '.done', manifest: '.manifest.json' }

/**
 * Compiles and checks all sources. Throws CONFIG_INVALID with every problem (`data.problems`): globs that cannot be, templates that can
 * never give a legal record id, names used twice, and pairs of sources that match one path, with that path as the example.
 */
export function compileSources(configs: readonly SourceConfig[]): SourceSet {
  const problems: string[] = []
  const compiled: CompiledSource[] = []
  const names = new Set<string>()
  for (const config of configs) {
    const problem = (text: string): void => void problems.push(`source ${JSON.stringify(config.name)}: ${text}`)
    if (names.has(config.name)) problem('its name is used twice')
    names.add(config.name)
    const globProblem = problemOfGlob(config.match)
    if (globProblem !== null) problem(`match ${JSON.stringify(config.match)} ${globProblem}`)
    const template = config.record === 'manifest' ? null : parseTemplate(config.record)
    if (typeof template === 'string') problem(`record ${JSON.stringify(config.record)} ${template}`)
    if (globProblem !== null || typeof template === 'string') continue
    compiled.push(compile(config, template))
  }
  for (let i = 0; i < compiled.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [compiled[j]!, compiled[i]!]
      // The matcher has the last word: an example that it does not confirm is a misreading of the glob, not an overlap.
      const example = [exampleOfBoth(a.config.match, b.config.match), ...examplesOf(a.config.match), ...examplesOf(b.config.match)].find(
        (path) => path !== null && a.matches(path) && b.matches(path),
      )
      if (example)
        problems.push(`sources ${JSON.stringify(a.config.name)} and ${JSON.stringify(b.config.name)} both match ${JSON.stringify(example)}`)
    }
  }
  if (problems.length > 0) {
    throw new IntakeError('CONFIG_INVALID', `The sources are not usable: ${problems.join('; ')}`, { data: { problems } })
  }
  return new SourceSet(compiled)
}

interface CompiledSource extends Source {
  matches(path: string): boolean
  readonly takesFolders: boolean
}

export class SourceSet {
  private readonly byName: ReadonlyMap<string, Source>

  constructor(private readonly compiled: readonly CompiledSource[]) {
    this.byName = new Map(compiled.map((s) => [s.config.name, s]))
  }

  get sources(): readonly Source[] {
    return this.compiled
  }

  /** Some source waits for files beside its drops. */
  get anySidecars(): boolean {
    return this.compiled.some((s) => s.sidecars.length > 0)
  }

  named(name: string): Source | null {
    return this.byName.get(name) ?? null
  }

  /** `path` is below the inbox, exact bytes. What is not UTF-8 is matched as U+FFFD: it belongs to a source, whatever becomes of it. */
  match(path: Buffer): SourceMatch {
    const text = path.toString('utf8')
    const found = this.compiled.filter((s) => s.matches(text))
    if (found.length > 1) return { kind: 'ambiguous', names: found.map((s) => s.config.name) }
    return found[0] === undefined ? { kind: 'none' } : { kind: 'source', source: found[0] }
  }

  /** True for a folder that is named as drops of some source are, unless the source takes everything below a folder (`a/**`). */
  matchesFolder(path: Buffer): boolean {
    const text = path.toString('utf8')
    return this.compiled.some((s) => !s.takesFolders && s.matches(text))
  }

  /** Which drop a file is the sidecar of, where a source asks for such a sidecar; null: it is none. */
  sidecarBase(path: Buffer): { base: Buffer; kind: SidecarKind; source: Source } | null {
    for (const kind of SIDECAR_KINDS) {
      const suffix = SIDECAR_SUFFIX[kind]
      if (path.length <= suffix.length || path.subarray(path.length - suffix.length).toString('latin1') !== suffix) continue
      const base = path.subarray(0, path.length - suffix.length)
      const found = this.match(base)
      if (found.kind === 'source' && found.source.sidecars.includes(kind)) return { base, kind, source: found.source }
    }
    return null
  }
}

const SIDECAR_KINDS: readonly SidecarKind[] = ['sha256', 'done', 'manifest']

function compile(config: SourceConfig, template: RecordTemplate | null): CompiledSource {
  const isMatch = picomatch(config.match, MATCH_OPTIONS)
  const fixed = fixedPart(config.match)
  const dialect = config.dialect ?? DEFAULT_DIALECT
  const below = fixed === '' ? '' : `${fixed}/`
  return {
    config,
    dialect,
    fixedPart: fixed,
    template,
    sidecars: template === null ? [...config.sidecars, 'manifest'] : config.sidecars,
    ruleSha256: ruleSha256(config),
    // picomatch lets `a/**` match `a` itself.
    matches: (path) => path.length > below.length && path.startsWith(below) && isMatch(path),
    takesFolders: config.match.endsWith('**'),
  }
}

/** `s`: a name may hold a newline, and `.` in the expressions that picomatch makes must take it. No negation: it would match everything else. */
const MATCH_OPTIONS = { flags: 's', nonegate: true, strictBrackets: true } as const

function problemOfGlob(match: string): string | null {
  if (match.startsWith('/')) return 'is absolute; it is looked for below the inbox'
  if (match.startsWith('!')) return 'is a negation; name what is to be taken'
  const segments = match.split('/')
  if (segments.some((s) => s === '..' || s === '.' || s === '')) return 'holds an empty, "." or ".." segment'
  try {
    picomatch(match, MATCH_OPTIONS)
  } catch (error) {
    return `is not a glob: ${(error as Error).message}`
  }
  return null
}

/** The leading folders of a glob that hold no magic; the last segment names files and never counts. */
function fixedPart(match: string): string {
  const segments = match.split('/')
  const fixed: string[] = []
  for (const segment of segments.slice(0, -1)) {
    if (/[*?[\]{}()!+@|\\]/.test(segment)) break
    fixed.push(segment)
  }
  return fixed.join('/')
}

/** The template, or what is wrong with it. */
function parseTemplate(text: string): RecordTemplate | string {
  const pieces: TemplatePiece[] = []
  const form = /\{([^{}]*)\}|([^{}]+)|[{}]/gy
  for (const m of text.matchAll(form)) {
    if (m[2] !== undefined) {
      if (!/^[A-Za-z0-9._/-]+$/.test(m[2])) return 'holds characters that no record id may have'
      pieces.push({ kind: 'text', text: m[2] })
    } else if (m[1] === undefined) return 'has a brace without its partner'
    else if (m[1] === 'path' || m[1] === 'stem') pieces.push({ kind: m[1] })
    else if (m[1].startsWith('column:') && m[1].length > 7) pieces.push({ kind: 'column', column: m[1].slice(7) })
    else return `holds {${m[1]}}; there are {path}, {stem} and {column:NAME}`
  }
  if (pieces.filter((p) => p.kind === 'column').length > 1) return 'names more than one column'
  const sample = pieces.map((p) => (p.kind === 'text' ? p.text : 'A')).join('')
  if (!isRecordId(sample)) return `can never give a legal record id (for instance ${JSON.stringify(sample)})`
  return { pieces }
}

/** What the name of a drop says about its record. `path` is below the inbox. A name that is not UTF-8 gives an id that is not legal. */
export function recordRuleFor(source: Source, path: Buffer): RecordRule {
  if (source.template === null) return { kind: 'manifest' }
  const text = path.toString('utf8')
  const below = withoutExtension(source.fixedPart === '' ? text : text.slice(source.fixedPart.length + 1))
  const stem = withoutExtension(text.slice(text.lastIndexOf('/') + 1))
  let before = ''
  let after = ''
  let column: string | null = null
  for (const piece of source.template.pieces) {
    if (piece.kind === 'column') {
      column = piece.column
      continue
    }
    const value = piece.kind === 'text' ? piece.text : piece.kind === 'path' ? below : stem
    if (column === null) before += value
    else after += value
  }
  return column === null ? { kind: 'fixed', recordId: before } : { kind: 'column', prefix: before, column, suffix: after }
}

function withoutExtension(path: string): string {
  const slash = path.lastIndexOf('/')
  const dot = path.lastIndexOf('.')
  return dot > slash + 1 ? path.slice(0, dot) : path
}

/**
 * DESIGN §3: SHA-256 of the RFC 8785 form of `{dialect, encoding, record, onInvalid}`, where
 * - `dialect` is the Table Dialect with every default filled in, without `encoding` and without what only describes it ($schema, name,
 *   title, description), so that a new title is not a new rule;
 * - `encoding` is its label in lower case;
 * - `record` is the template as configured, with its default; `onInvalid` likewise.
 */
export function ruleSha256(config: Pick<SourceConfig, 'dialect' | 'record' | 'onInvalid'>): string {
  const {
    encoding,
    $schema: _schema,
    name: _name,
    title: _title,
    description: _description,
    ...dialect
  } = config.dialect ?? DEFAULT_DIALECT
  return sha256OfJson({ dialect, encoding: encoding.trim().toLowerCase(), record: config.record, onInvalid: config.onInvalid })
}

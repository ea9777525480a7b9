import picomatch from 'picomatch'
import type { DropId } from '../core/drop-id.js'
import type { SidecarKind } from '../documents/drop.js'
import type { ErrorCode } from '../errors.js'
import { isExhausted, systemCodeOf } from '../errors.js'
import type { FilePath, FileStat, Files } from '../runtime/files.js'
import { claimOfHiddenName, joinBytes, keyOf, nameOf } from './inbox-path.js'
import { SIDECAR_SUFFIX, type SourceSet } from './sources.js'

/** What may become drops in an area: files of a source, or decisions. */
export type AreaRule =
  | { readonly kind: 'drop'; readonly sources: SourceSet }
  /** Only `*.decision.json`. */
  | { readonly kind: 'decision' }

export interface FoundSidecar {
  readonly kind: SidecarKind
  readonly path: Buffer
  readonly stat: FileStat
}

/** Called once for each thing worth a word, folder by folder; nothing is kept between calls. All paths are below the root, exact bytes. */
export interface ScanVisitor {
  /** A file that belongs to a source; `source` is null for decisions. `missing`: sidecars the source asks for that are not there as regular files. */
  candidate(found: {
    readonly path: Buffer
    readonly stat: FileStat
    readonly source: string | null
    readonly sidecars: readonly FoundSidecar[]
    readonly missing: readonly SidecarKind[]
  }): void
  /** True for a file that is being taken already: it is not looked at then, for whoever takes it does that. `key`: that of its path. */
  isBusy?(key: string): boolean
  /** Something that stays where it is. */
  waiting(found: { readonly path: Buffer; readonly code: ErrorCode; readonly message: string }): void
  /** The hidden file of a claim. */
  claimed(found: { readonly path: Buffer; readonly dropId: DropId }): void
}

export interface ScanSummary {
  /** Identity of the root folder; null when there is none. */
  readonly root: { readonly inode: bigint; readonly device: bigint } | null
  readonly files: number
  /** Files of claims, under their hidden names; not among `files`. */
  readonly claimed: number
  readonly folders: number
}

const STATS_AT_ONCE = 32
/** Names that are only asked about before others have their turn: some milliseconds. */
const PASSED_AT_ONCE = 8192
const DECISION_SUFFIX = '.decision.json'

/**
 * A full look at the inbox: the truth, where events are hints. Names are bytes. Links are not followed, neither to files nor into
 * folders; nothing is opened. Folders come from a stack and stats go to the visitor at once, so memory is that of the largest folder's names.
 */
export class Scanner {
  private readonly files: Files
  private readonly root: FilePath
  private readonly rule: AreaRule
  private readonly isIgnored: (name: string) => boolean

  constructor(options: { files: Files; root: FilePath; rule: AreaRule; ignore: readonly string[] }) {
    this.files = options.files
    this.root = options.root
    this.rule = options.rule
    this.isIgnored = options.ignore.length === 0 ? () => false : picomatch([...options.ignore], { dot: true, flags: 's', nonegate: true })
  }

  async scan(visitor: ScanVisitor, options: { signal?: AbortSignal } = {}): Promise<ScanSummary> {
    let files = 0
    let claimed = 0
    let folders = 0
    const root = await this.identity()
    if (root === null) return { root: null, files, claimed, folders }
    const stack: Buffer[] = [Buffer.alloc(0)]
    while (stack.length > 0) {
      options.signal?.throwIfAborted()
      const folder = stack.pop()!
      // Names alone: what they name is asked for with the rest that is to be known of it, and nothing of it is kept for a whole folder.
      const names = await this.list(folder, visitor)
      if (names === null) continue
      folders++
      const siblings = this.rule.kind === 'drop' && this.rule.sources.anySidecars ? new Set(names) : null
      const look = async (path: Buffer): Promise<void> => {
        if ((await this.look(path, siblings, visitor)) === 'folder') stack.push(path)
        else files++
      }
      const below = folder.length === 0 ? '' : `${keyOf(folder)}/`
      let looking: Promise<void>[] = []
      let passed = 0
      for (const name of names) {
        // Of 100,000 files most wait for their turn in most scans, and nothing is made for them here: that takes a tenth of the time.
        if (visitor.isBusy?.(below + name) === true) {
          files++
          if (++passed % PASSED_AT_ONCE === 0) await nextTurn()
          continue
        }
        const path = joinBytes(folder, Buffer.from(name, 'latin1'))
        const claim = claimOfHiddenName(name)
        if (claim !== null) {
          claimed++
          visitor.claimed({ path, dropId: claim })
        } else if (!this.isIgnored(textOf(name))) looking.push(look(path))
        if (looking.length < STATS_AT_ONCE) continue
        await Promise.all(looking)
        looking = []
        options.signal?.throwIfAborted()
      }
      await Promise.all(looking)
    }
    return { root, files, claimed, folders }
  }

  /** Which folder the root is: another one when it was removed and made again. null: there is none. A root that is a link is followed. */
  async identity(): Promise<{ inode: bigint; device: bigint } | null> {
    const base = typeof this.root === 'string' ? Buffer.from(this.root, 'utf8') : this.root
    try {
      const stat = await this.files.stat(Buffer.concat([base, Buffer.from('/.')]))
      return stat === null ? null : { inode: stat.inode, device: stat.device }
    } catch (error) {
      if (systemCodeOf(error) === null) throw error
      return null
    }
  }

  private async list(folder: Buffer, visitor: ScanVisitor): Promise<string[] | null> {
    try {
      return await this.files.names(folder.length === 0 ? this.root : joinBytes(this.root, folder))
    } catch (error) {
      const code = systemCodeOf(error)
      // It says nothing about the file or the folder, which are there all the same.
      if (code === null || isExhausted(error)) throw error
      // Renamed or replaced between two looks: the next scan sees what is there then.
      if (code !== 'ENOTDIR') visitor.waiting({ path: folder, code: 'UNREADABLE', message: `The folder cannot be read: ${code}` })
      return null
    }
  }

  private isNamedAsDrop(path: Buffer): boolean {
    return this.rule.kind === 'decision' ? isDecisionName(path) : this.rule.sources.matchesFolder(path)
  }

  /** 'folder': it is one, and is to be gone through. `siblings`: the names beside it, where a source asks for sidecars. */
  private async look(path: Buffer, siblings: ReadonlySet<string> | null, visitor: ScanVisitor): Promise<'folder' | 'file'> {
    const stat = await this.stat(path, visitor)
    if (stat === null) return 'file'
    if (stat.kind === 'directory') {
      if (this.isNamedAsDrop(path)) {
        visitor.waiting({
          path,
          code: 'NOT_A_FILE',
          message: 'A folder has the name of a drop; the files in it are looked at on their own',
        })
      }
      return 'folder'
    }
    if (this.rule.kind === 'decision') {
      if (isDecisionName(path)) visitor.candidate({ path, stat, source: null, sidecars: [], missing: [] })
      else visitor.waiting({ path, code: 'NO_SOURCE', message: 'Decisions are files named *.decision.json' })
      return 'file'
    }
    const { sources } = this.rule
    const name = keyOf(nameOf(path))
    if (siblings !== null) {
      const sidecar = sources.sidecarBase(path)
      if (sidecar !== null) {
        // It is looked at with its drop; alone it says that the drop is missing.
        if (!siblings.has(name.slice(0, -SIDECAR_SUFFIX[sidecar.kind].length))) {
          visitor.waiting({ path, code: 'SIDECAR_MISSING', message: `There is no file beside this ${SIDECAR_SUFFIX[sidecar.kind]} file` })
        }
        return 'file'
      }
    }
    const found = sources.match(path)
    if (found.kind === 'none') {
      // Most often it leads to a folder of drops, and they are missed.
      if (stat.kind === 'symlink')
        visitor.waiting({ path, code: 'SYMLINK', message: 'This link is not followed: where it leads to a folder, mount that folder here' })
      else visitor.waiting({ path, code: 'NO_SOURCE', message: 'No source of the configuration matches this path' })
      return 'file'
    }
    if (found.kind === 'ambiguous') {
      visitor.waiting({ path, code: 'CONFIG_INVALID', message: `More than one source matches this path: ${found.names.join(', ')}` })
      return 'file'
    }
    const sidecars: FoundSidecar[] = []
    const missing: SidecarKind[] = []
    // What is quarantined unseen needs nothing beside it.
    if (stat.kind === 'file') {
      for (const wanted of found.source.sidecars) {
        const suffix = SIDECAR_SUFFIX[wanted]
        const beside = siblings?.has(name + suffix) === true ? Buffer.concat([path, Buffer.from(suffix)]) : null
        const besideStat = beside === null ? null : await this.stat(beside, visitor)
        if (beside === null || besideStat === null || besideStat.kind !== 'file') missing.push(wanted)
        else sidecars.push({ kind: wanted, path: beside, stat: besideStat })
      }
    }
    visitor.candidate({ path, stat, source: found.source.config.name, sidecars, missing })
    return 'file'
  }

  private async stat(path: Buffer, visitor: ScanVisitor): Promise<FileStat | null> {
    try {
      return await this.files.stat(joinBytes(this.root, path))
    } catch (error) {
      const code = systemCodeOf(error)
      if (code === null || isExhausted(error)) throw error
      visitor.waiting({ path, code: 'UNREADABLE', message: `The file cannot be looked at: ${code}` })
      return null
    }
  }
}

function isDecisionName(path: Buffer): boolean {
  const name = path.subarray(path.lastIndexOf(0x2f) + 1)
  return name.length > DECISION_SUFFIX.length && name.subarray(name.length - DECISION_SUFFIX.length).toString('latin1') === DECISION_SUFFIX
}

/** A name as patterns are written: bytes that are no UTF-8 become U+FFFD. Most names are ASCII and stay what they are. */
function textOf(name: string): string {
  return /^[\x00-\x7f]*$/.test(name) ? name : Buffer.from(name, 'latin1').toString('utf8')
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

import { basename, dirname, join } from 'node:path'
import { sha256Hex } from '../core/hashes.js'
import { ANCHORS_PREFIX, anchorPrefix, anchorSegmentName, anchorSegmentOfName } from '../core/object-keys.js'
import { type AnchorLine, decodeAnchor, encodeAnchor } from '../documents/anchor.js'
import { createFile, type Files, makeDirectories, type OpenFile, replaceFile } from '../runtime/files.js'
import type { SharedSync } from '../runtime/shared-sync.js'
import { waitAll } from './wait-all.js'

/** What an anchor says of a record right after a commit. */
export interface AnchorFacts {
  readonly recordId: string
  readonly historyLength: number
  readonly metadataSha256: string
}

/** Bytes at the end of a segment that were no whole, chained line: what a crash leaves of a batch that was not synced. */
export interface TornTail {
  readonly key: string
  readonly offsetBytes: number
  readonly lengthBytes: number
  /** Where the bytes were kept; null for the beginning of one line, which is what a crash leaves. */
  readonly keptAt: string | null
}

/** Lines per segment. Opening reads and checks one segment, so this bounds the start-up: 250 KB, some 20 ms. */
const SEGMENT_LINES = 1024

interface Waiting {
  readonly facts: AnchorFacts
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * anchors/<writer>/: the heads of all records in the order of their commits, each line chained to the one before. It is what makes a record
 * whose history was cut at its end (and so still is a good chain) stand out.
 *
 * Lines are written after the commit they speak of, in batches: all that wait while one fsync runs share the next one.
 */
export class AnchorLog {
  private readonly queue: Waiting[] = []
  private pumping: Promise<void> | null = null
  private file: OpenFile | null = null
  /** The last segment may hold bytes beyond `sizeBytes` from a write that failed half way. */
  private dirty = false
  private failure: unknown = null
  private confirmed: Promise<void> | null = null
  private confirming: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | null = null
  /** The names of the segment and of its folders are durable; null: not looked at yet. */
  private isNamed = false

  private constructor(
    private readonly options: {
      readonly files: Files
      readonly sync: SharedSync
      readonly root: string
      readonly folder: string
      readonly segmentLines: number
    },
    private segment: number,
    private lines: number,
    private sizeBytes: number,
    private last: string,
    private readonly seen: Set<string>,
  ) {}

  /**
   * Under the store's lock. A tail that is not a whole chained line is what was never synced (every answered append ends in a synced
   * line, and all before it was synced with it), so it is cut. Where it is more than the beginning of one line its bytes are kept in
   * `orphans`, for if it was not a crash that made it, somebody will want to see it.
   */
  static async open(options: {
    files: Files
    sync: SharedSync
    root: string
    writer: string
    identitySha256: string
    orphans: string
    segmentLines?: number
  }): Promise<{ log: AnchorLog; torn: TornTail | null }> {
    const { files } = options
    const folder = join(options.root, anchorPrefix(options.writer))
    // Their names are made durable with that of a segment, before its first line.
    await makeDirectories(files, folder, { sync: false })
    const segments = ((await files.list(folder)) ?? [])
      .map((entry) => (entry.kind === 'file' ? anchorSegmentOfName(entry.name.toString('utf8')) : null))
      .filter((segment) => segment !== null)
      .sort((a, b) => a - b)
    const last = segments.at(-1)
    const make = (segment: number, lines: number, sizeBytes: number, previous: string, seen: Set<string>): AnchorLog =>
      new AnchorLog(
        { files, sync: options.sync, root: options.root, folder, segmentLines: options.segmentLines ?? SEGMENT_LINES },
        segment,
        lines,
        sizeBytes,
        previous,
        seen,
      )
    if (last === undefined) return { log: make(0, 0, 0, options.identitySha256, new Set()), torn: null }

    const before = segments.at(-2)
    const start =
      before === undefined
        ? options.identitySha256
        : await lastLinkOf(files, join(folder, anchorSegmentName(before)), options.identitySha256)
    const path = join(folder, anchorSegmentName(last))
    const bytes = (await files.read(path)) ?? Buffer.alloc(0)
    const read = readSegment(bytes, start)
    const seen = new Set(read.lines.map((line) => seenKey(line.record_id, line.history_length)))
    const log = make(last, read.lines.length, read.goodBytes, read.link, seen)
    if (read.goodBytes === bytes.length) return { log, torn: null }
    const key = `${anchorPrefix(options.writer)}${anchorSegmentName(last)}`
    const tail = bytes.subarray(read.goodBytes)
    const keptAt = tail.includes(0x0a) ? await keepTail(options, `${last}-${read.goodBytes}`, tail) : null
    try {
      await log.cut()
    } catch (error) {
      await log.close()
      throw error
    }
    return { log, torn: { key, offsetBytes: read.goodBytes, lengthBytes: bytes.length - read.goodBytes, keptAt } }
  }

  /**
   * Makes sure of the line of a commit that an earlier process made. Only the last segment is looked at: a second line of the same commit
   * does no harm. Where a line is found the segment is written anew, once: nobody knows whether its writer lived to sync it, and if that fsync
   * had failed, another one would succeed over pages that the kernel has given up (they are marked clean, and still read well).
   */
  async ensure(facts: AnchorFacts): Promise<void> {
    if (!this.seen.has(seenKey(facts.recordId, facts.historyLength))) return this.append(facts)
    this.confirmed ??= new Promise<void>((resolve, reject) => {
      this.confirming = { resolve, reject }
      this.pumping ??= this.pump()
    }).catch((error: unknown) => {
      this.confirmed = null
      throw error
    })
    await this.confirmed
  }

  /** Resolves when the line is durable. After a rejection it may or may not be there; it can be appended again. */
  append(facts: AnchorFacts): Promise<void> {
    return new Promise((resolve, reject) => {
      this.queue.push({ facts, resolve, reject })
      this.pumping ??= this.pump()
    })
  }

  async close(): Promise<void> {
    await this.pumping
    await this.file?.close()
    this.file = null
  }

  private async pump(): Promise<void> {
    // The first line of a batch does not wait for a timer, only for the callers of this same turn.
    await Promise.resolve()
    while (this.queue.length > 0 || this.confirming !== null) {
      if (this.confirming !== null) {
        const { resolve, reject } = this.confirming
        this.confirming = null
        await this.rewrite().then(resolve, reject)
        continue
      }
      const room = this.options.segmentLines - this.lines
      const batch = this.queue.splice(0, room > 0 ? room : this.options.segmentLines)
      try {
        await this.write(batch.map((waiting) => waiting.facts))
        for (const waiting of batch) waiting.resolve()
      } catch (error) {
        for (const waiting of batch) waiting.reject(error)
      }
    }
    this.pumping = null
  }

  private async write(batch: readonly AnchorFacts[]): Promise<void> {
    if (this.failure !== null) throw this.failure
    if (this.segment === 0 || this.lines >= this.options.segmentLines) await this.nextSegment()
    // A segment without lines may be what a crash left before its name was durable; where there is a line, it was.
    if (this.lines === 0 && !this.isNamed) await this.syncNames()
    if (this.dirty) await this.cut()
    const file = await this.current()
    let link = this.last
    let text = ''
    for (const facts of batch) {
      const line = encodeAnchor({
        record_id: facts.recordId,
        history_length: facts.historyLength,
        metadata_sha256: facts.metadataSha256,
        prev: link,
      })
      link = sha256Hex(line)
      text += `${line}\n`
    }
    const bytes = Buffer.from(text, 'utf8')
    // Until the sync has returned the chain stands where it stood: a failed write is cut off before the next one.
    this.dirty = true
    await file.write(bytes)
    await this.syncFile(file)
    this.dirty = false
    this.last = link
    this.lines += batch.length
    this.sizeBytes += bytes.length
  }

  private async nextSegment(): Promise<void> {
    const next = this.segment + 1
    await this.file?.close()
    this.file = null
    const path = join(this.options.folder, anchorSegmentName(next))
    // Its bytes are none: what must be durable is its name.
    await (await this.options.files.openAppend(path)).close()
    this.segment = next
    this.lines = 0
    this.sizeBytes = 0
    this.dirty = false
    this.isNamed = false
  }

  /** The names first: a synced line in a file without a durable name is no anchor. */
  private async syncNames(): Promise<void> {
    const { folder, root, sync } = this.options
    await waitAll([sync.sync(folder), sync.sync(dirname(folder)), sync.sync(root)])
    this.isNamed = true
  }

  /** The good lines under a new inode, in the place of the old one; made where opening a store clears what a crash leaves. */
  private async rewrite(): Promise<void> {
    if (this.failure !== null) throw this.failure
    const { root, folder } = this.options
    const path = join(folder, anchorSegmentName(this.segment))
    await this.file?.close()
    this.file = null
    const bytes = (await this.options.files.read(path)) ?? Buffer.alloc(0)
    const temporary = join(root, 'staging', `anchors-${basename(folder)}.tmp`)
    await replaceFile(this.options.files, path, bytes.subarray(0, this.sizeBytes), { temporary })
    this.dirty = false
    await this.options.sync.sync(folder)
  }

  private async current(): Promise<OpenFile> {
    this.file ??= await this.options.files.openAppend(join(this.options.folder, anchorSegmentName(this.segment)))
    return this.file
  }

  private async cut(): Promise<void> {
    const file = await this.current()
    await file.truncate(this.sizeBytes)
    await this.syncFile(file)
    this.dirty = false
  }

  /** A failed fsync is final: the next one on this file could succeed over lines that were lost. */
  private async syncFile(file: OpenFile): Promise<void> {
    try {
      await file.sync()
    } catch (error) {
      this.failure ??= error
      throw error
    }
  }
}

/** Kept and synced before it is cut. The name carries the hash: a second attempt after a crash finds its own copy. */
async function keepTail(options: { files: Files; writer: string; orphans: string }, place: string, tail: Buffer): Promise<string> {
  const keptAt = join(options.orphans, `${ANCHORS_PREFIX.slice(0, -1)}-${options.writer}-${place}-${sha256Hex(tail).slice(0, 16)}`)
  await makeDirectories(options.files, options.orphans)
  await createFile(options.files, keptAt, tail)
  await options.files.syncDirectory(options.orphans)
  return keptAt
}

function seenKey(recordId: string, historyLength: number): string {
  return `${historyLength} ${recordId}`
}

async function lastLinkOf(files: Files, path: string, ifEmpty: string): Promise<string> {
  const bytes = (await files.read(path)) ?? Buffer.alloc(0)
  const end = bytes.lastIndexOf(0x0a)
  if (end < 0) return ifEmpty
  return sha256Hex(bytes.subarray(bytes.lastIndexOf(0x0a, end - 1) + 1, end))
}

/** The whole, chained lines at the beginning of a segment, where they end, and what the next line must name as `prev`. */
export function readSegment(
  bytes: Buffer,
  start: string,
): { readonly lines: AnchorLine[]; readonly goodBytes: number; readonly link: string } {
  const lines: AnchorLine[] = []
  let link = start
  let at = 0
  for (;;) {
    const end = bytes.indexOf(0x0a, at)
    if (end < 0) break
    const raw = bytes.subarray(at, end)
    const line = decodeAnchor(raw.toString('utf8'))
    if (line === null || line.prev !== link) break
    lines.push(line)
    link = sha256Hex(raw)
    at = end + 1
  }
  return { lines, goodBytes: at, link }
}

import { sha256Hex } from '../core/hashes.js'
import { anchorPrefix, anchorSegmentName } from '../core/object-keys.js'
import { encodeAnchor } from '../documents/anchor.js'
import { IntakeError } from '../errors.js'
import { type AnchorFacts, readSegment } from './anchor-log.js'
import type { ObjectStore } from './object-store.js'

interface Waiting {
  readonly facts: AnchorFacts
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Lines of one segment: what waits while one is put goes into the next. */
const SEGMENT_LINES = 1024

/**
 * anchors/<writer>/ on object storage: the same lines and the same chain as on a file system (anchor-log.ts), each batch an object of its own
 * that is put once and never changed, so that it can be kept under object lock. All that wait while one put runs share the next one:
 * under load an anchor costs a fraction of a request.
 */
export class SharedAnchors {
  private readonly queue: Waiting[] = []
  private pumping: Promise<void> | null = null
  /** The last put failed: whether it happened is found out before the next one. */
  private isUnsure = false

  private constructor(
    private readonly options: { readonly objects: ObjectStore; readonly writer: string; readonly identitySha256: string },
    private segment: number,
    private link: string,
  ) {}

  static async open(options: { objects: ObjectStore; writer: string; identitySha256: string }): Promise<SharedAnchors> {
    const anchors = new SharedAnchors(options, 0, options.identitySha256)
    await anchors.findEnd()
    return anchors
  }

  /** Resolves when the line is durable. After a rejection it may or may not be there; a second line of the same commit does no harm. */
  append(facts: AnchorFacts): Promise<void> {
    return new Promise((resolve, reject) => {
      this.queue.push({ facts, resolve, reject })
      this.pumping ??= this.pump()
    })
  }

  async close(): Promise<void> {
    await this.pumping
  }

  private async pump(): Promise<void> {
    // For the callers of this same turn.
    await Promise.resolve()
    while (this.queue.length > 0) {
      const batch = this.queue.splice(0, SEGMENT_LINES)
      try {
        await this.put(batch.map((waiting) => waiting.facts))
        for (const waiting of batch) waiting.resolve()
      } catch (error) {
        this.isUnsure = true
        for (const waiting of batch) waiting.reject(error)
      }
    }
    this.pumping = null
  }

  private async put(batch: readonly AnchorFacts[]): Promise<void> {
    if (this.isUnsure) await this.findEnd()
    this.isUnsure = false
    // Somebody with our name (a copied workspace) may be writing too: whoever puts a segment first has it, and the other goes behind.
    for (let attempt = 0; attempt < SEGMENT_LINES; attempt++) {
      let link = this.link
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
      const put = await this.options.objects.putIfAbsent(this.keyOf(this.segment + 1), { bytes }, { tx: `anchor-${link.slice(0, 32)}` })
      if (put === 'created') {
        this.segment += 1
        this.link = link
        return
      }
      await this.findEnd()
    }
    throw new IntakeError('STORE_CONFLICT', `Another process writes to ${anchorPrefix(this.options.writer)} all the time`)
  }

  /** Segments are numbered without gaps: the last one is found by doubling and halving, without listing a log of years. */
  private async findEnd(): Promise<void> {
    const { objects, writer, identitySha256 } = this.options
    const exists = async (segment: number): Promise<boolean> => (await objects.stat(this.keyOf(segment))) !== null
    let low = this.segment
    let step = 1
    while (await exists(low + step)) {
      low += step
      step *= 2
    }
    for (let high = low + step; high - low > 1; ) {
      const middle = Math.floor((low + high) / 2)
      if (await exists(middle)) low = middle
      else high = middle
    }
    if (low === 0) {
      this.segment = 0
      this.link = identitySha256
      return
    }
    const object = await objects.read(this.keyOf(low))
    const bytes = object?.bytes ?? Buffer.alloc(0)
    const lastLine = bytes.subarray(bytes.lastIndexOf(0x0a, bytes.length - 2) + 1, bytes.length - 1)
    const { lines, goodBytes } = readSegment(bytes, firstPrevOf(bytes) ?? '')
    if (lines.length === 0 || goodBytes !== bytes.length) {
      throw new IntakeError('STORE_INVALID', `${anchorPrefix(writer)}${anchorSegmentName(low)} is not a segment of an anchor log`, {
        data: { key: this.keyOf(low) },
      })
    }
    this.segment = low
    this.link = sha256Hex(lastLine)
  }

  private keyOf(segment: number): string {
    return `${anchorPrefix(this.options.writer)}${anchorSegmentName(segment)}`
  }
}

/** What the first line of a segment says it follows; whether that is so is for the audit, which reads them all. */
function firstPrevOf(bytes: Buffer): string | null {
  const end = bytes.indexOf(0x0a)
  return /"prev":"([0-9a-f]{64})"\}$/.exec(bytes.subarray(0, Math.max(end, 0)).toString('latin1'))?.[1] ?? null
}

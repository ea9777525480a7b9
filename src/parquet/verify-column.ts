import type { PhysicalType } from '../columns/vector.js'
import { assert } from '../errors.js'
import type { ChunkDigest } from './chunk-digest.js'
import { ColumnDecoder } from './decode-column.js'
import type { EncodedChunk } from './decode-pages.js'
import type { ColumnChunkFacts } from './read-file.js'
import { ChunkDigester } from './verify-chunk-digest.js'
import { BlockDigester } from './verify-digest.js'
import { StatisticsCheck } from './verify-statistics.js'

/**
 * What cells are hashed to. blocks: the digests of the content hash (`documents/FORMAT.md`), by which a file is compared with what is recorded of it.
 * chunks: the digest of each column chunk (chunk-digest.ts), which costs far less; for a file whose writer still knows them.
 */
export type DigestKind = 'blocks' | 'chunks'

/**
 * Decodes columns and hashes their cells, one column at a time: `begin`, `check` for each of its chunks in row order, `finish` or `finishChunks`. There are two forms, this file's in
 * TypeScript and verify-webassembly.ts; they give the same digests and the same refusals. After an error it is as good as new at the next `begin`.
 */
export interface ColumnVerifier {
  /** Memory to read a chunk into before `check` gets it, so that it need not be copied; holds until then. */
  roomFor(sizeBytes: number): Uint8Array
  /** The next chunk given is the first of a column; for blocks (the default) its first row begins a block of the content hash. */
  begin(physical: PhysicalType, digests?: DigestKind): void
  /**
   * Decodes a chunk whole, hashes its cells, and says what is wrong with its statistics, or null. Throws PARQUET_INVALID where its bytes are
   * not sound, RangeError where they need more memory than can be had.
   */
  check(chunk: EncodedChunk, statistics: ColumnChunkFacts): string | null
  /** Decodes the pages that hold the rows `[from, to)`, of which there is one at least, and hashes these rows only. For blocks. */
  window(chunk: EncodedChunk, from: number, to: number): void
  /** Digests of the blocks of the column, lower-case hex, in row order (`documents/FORMAT.md`). */
  finish(): readonly string[]
  /** Digests of the chunks checked since `begin`, in their order. */
  finishChunks(): readonly ChunkDigest[]
}

export class TypescriptVerifier implements ColumnVerifier {
  private readonly decoder = new ColumnDecoder()
  private digester: BlockDigester | null = null
  private chunkDigests: ChunkDigest[] | null = null
  private physical: PhysicalType | null = null
  private room: Uint8Array = new Uint8Array(0)

  roomFor(sizeBytes: number): Uint8Array {
    if (this.room.length < sizeBytes) this.room = new Uint8Array(Math.ceil(sizeBytes * 1.25))
    return this.room.subarray(0, sizeBytes)
  }

  begin(physical: PhysicalType, digests: DigestKind = 'blocks'): void {
    this.digester = digests === 'blocks' ? new BlockDigester(physical) : null
    this.chunkDigests = digests === 'chunks' ? [] : null
    this.physical = physical
  }

  check(chunk: EncodedChunk, statistics: ColumnChunkFacts): string | null {
    const { digester, chunkDigests } = this
    assert((digester !== null || chunkDigests !== null) && chunk.physical === this.physical, 'a column was begun')
    const held = new StatisticsCheck(chunk.physical, statistics)
    const whole = new ChunkDigester()
    for (const page of this.decoder.pages(chunk)) {
      if (digester !== null) digester.append(page)
      else whole.take(page)
      held.take(page)
    }
    chunkDigests?.push(whole.finish())
    return held.finish()
  }

  window(chunk: EncodedChunk, from: number, to: number): void {
    const { digester } = this
    assert(digester !== null && chunk.physical === this.physical, 'a column was begun')
    let row = 0
    for (const page of this.decoder.pages(chunk)) {
      digester.append(page, Math.max(0, from - row), Math.min(page.rows, to - row))
      row += page.rows
      if (row >= to) return
    }
  }

  finish(): readonly string[] {
    assert(this.digester !== null, 'a column was begun')
    const digests = this.digester.finish()
    this.digester = null
    return digests
  }

  finishChunks(): readonly ChunkDigest[] {
    assert(this.chunkDigests !== null, 'a column was begun')
    const digests = this.chunkDigests
    this.chunkDigests = null
    return digests
  }
}

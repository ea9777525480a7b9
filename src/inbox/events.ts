import type { DropId } from '../core/drop-id.js'
import type { ErrorCode } from '../errors.js'

/** What intake tells the world: one event a fact, past tense, paths percent-encoded, never content. Tests wait on these. */
export type InboxEvent =
  | {
      readonly event: 'drop.claimed' | 'decision.claimed'
      readonly dropId: DropId
      readonly path: string
      readonly source: string | null
      readonly sha256: string | null
      readonly bytes: number | null
      readonly problem: ErrorCode | null
      readonly recovered: boolean
    }
  /** A file stays where it is for now; told once for each path and code. */
  | { readonly event: 'drop.waiting'; readonly path: string; readonly code: ErrorCode; readonly message: string }
  | {
      readonly event: 'drop.returned'
      readonly dropId: DropId
      readonly path: string
      /** `undone`: not taken after all; `written-after-claim`: taken, and then somebody wrote to it. */
      readonly reason: 'undone' | 'written-after-claim'
    }
  | { readonly event: 'drop.requeued'; readonly dropId: DropId; readonly requeueOf: DropId; readonly path: string; readonly force: boolean }
  /** A claim that recovery neither finishes nor undoes by itself: a person should look (CLAIM_STRANDED). */
  | { readonly event: 'claim.stranded'; readonly dropId: DropId; readonly path: string; readonly message: string }
  | {
      readonly event: 'inbox.scanned'
      readonly area: 'drop' | 'decision'
      readonly files: number
      readonly candidates: number
      readonly settled: number
      readonly waiting: number
      readonly elapsedMs: number
    }
  | { readonly event: 'inbox.missing' | 'inbox.found'; readonly area: 'drop' | 'decision' }
  | { readonly event: 'inbox.watch_failed'; readonly area: 'drop' | 'decision'; readonly message: string }
  | { readonly event: 'intake.paused'; readonly area: 'drop' | 'decision'; readonly code: ErrorCode; readonly message: string }
  | { readonly event: 'intake.resumed'; readonly area: 'drop' | 'decision' }

export type EmitInboxEvent = (event: InboxEvent) => void

/** A file that is there but not taken, as `status` shows it. */
export interface WaitingEntry {
  /** Below the area's folder, percent-encoded; empty for the folder itself. */
  readonly path: string
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  /** When it was first seen so, milliseconds since 1970. */
  readonly sinceMs: number
}

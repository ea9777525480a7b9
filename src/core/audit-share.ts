import { sha256Hex } from './hashes.js'

const DAY_MS = 86_400_000

/** Which versions an audit of a share reads: those whose turn it is. After `turns` days in a row every version was read exactly once. */
export interface AuditShare {
  readonly turns: number
  /** From 0 to turns - 1. */
  readonly turn: number
}

/** The share of the day, for `percent` over 0 and up to 100. 30 % are read in 3 turns: never less than was asked for. */
export function shareOfDay(percent: number, nowMs: number): AuditShare {
  const turns = Math.max(1, Math.floor(100 / percent))
  return { turns, turn: Math.floor(nowMs / DAY_MS) % turns }
}

/** Whether it is this version's turn: by a hash of its name, so that the shares are about equal however records are called. */
export function isInShare(share: AuditShare, recordId: string, version: number): boolean {
  return Number.parseInt(sha256Hex(`${version} ${recordId}`).slice(0, 12), 16) % share.turns === share.turn
}

import { type DropId, isDropId } from '../core/drop-id.js'
import type { SidecarKind } from '../documents/drop.js'
import { SIDECAR_SUFFIX } from './sources.js'

/** Paths below an inbox are bytes: a producer's names need not be UTF-8, and nothing of them may be lost. */

const SLASH = Buffer.from('/')

export function joinBytes(folder: Buffer | string, name: Buffer): Buffer {
  const base = typeof folder === 'string' ? Buffer.from(folder, 'utf8') : folder
  if (base.length === 0) return name
  return Buffer.concat([base, SLASH, name])
}

/** The folder part; empty for a name without one. */
export function folderOf(path: Buffer): Buffer {
  const slash = path.lastIndexOf(0x2f)
  return slash === -1 ? Buffer.alloc(0) : path.subarray(0, slash)
}

export function nameOf(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1)
}

/** A map key that keeps every byte apart. */
export function keyOf(path: Buffer): string {
  return path.toString('latin1')
}

export function pathOfKey(key: string): Buffer {
  return Buffer.from(key, 'latin1')
}

/** The name that a claimed file has while its drop is in flight: short, hidden, and never anybody else's. */
export function hiddenName(dropId: DropId, sidecar: SidecarKind | null): Buffer {
  return Buffer.from(`.${dropId}${sidecar === null ? '' : SIDECAR_SUFFIX[sidecar]}.claimed`, 'latin1')
}

/** The drop that holds a file of this name; null for any other name. */
export function claimOfHiddenName(name: Buffer | string): DropId | null {
  const m = /^\.(.+?)(?:\.sha256|\.done|\.manifest\.json)?\.claimed$/.exec(typeof name === 'string' ? name : keyOf(name))
  return m !== null && isDropId(m[1]!) ? m[1]! : null
}

import { assert } from '../errors.js'
import { isRecordId } from './record-id.js'

/**
 * Keys of the store's objects (DESIGN §2): "/"-separated, relative to the store's root (local) or prefix (S3).
 * A record id never has a segment `versions` or `metadata.json`, so the keys of two records never meet, even when one id is the
 * beginning of the other.
 */
export const STORE_IDENTITY_KEY = 'store.json'
export const RECORDS_PREFIX = 'records/'
export const ANCHORS_PREFIX = 'anchors/'
/** What is derived from the records, and can be made again from them. */
export const CATALOG_PREFIX = 'catalog/'

export function isDerivedKey(key: string): boolean {
  return key.startsWith(CATALOG_PREFIX) && key.length > CATALOG_PREFIX.length
}

export function recordPrefix(recordId: string): string {
  assert(isRecordId(recordId), 'keys are made of legal record ids only')
  return `${RECORDS_PREFIX}${recordId}/`
}

export function metadataKey(recordId: string): string {
  return `${recordPrefix(recordId)}metadata.json`
}

export const VERSIONS_FOLDER = 'versions'

/** The record whose metadata.json has this key, or null. */
export function recordOfMetadataKey(key: string): string | null {
  const end = '/metadata.json'
  if (!key.startsWith(RECORDS_PREFIX) || !key.endsWith(end)) return null
  const recordId = key.slice(RECORDS_PREFIX.length, -end.length)
  return isRecordId(recordId) ? recordId : null
}

export function versionsPrefix(recordId: string): string {
  return `${recordPrefix(recordId)}${VERSIONS_FOLDER}/`
}

export function versionKey(recordId: string, version: number): string {
  assert(Number.isSafeInteger(version) && version >= 1, 'versions count from 1')
  return `${versionsPrefix(recordId)}v${version}.parquet`
}

/** The version a file name of `versions/` stands for, or null. `v01.parquet` is not a name of ours. */
export function versionOfName(name: string): number | null {
  const m = /^v([1-9]\d{0,14})\.parquet$/.exec(name)
  return m === null ? null : Number(m[1])
}

export function isAnchorWriter(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)
}

export function anchorPrefix(writer: string): string {
  assert(isAnchorWriter(writer), 'a writer of anchors has a plain name')
  return `${ANCHORS_PREFIX}${writer}/`
}

export function anchorSegmentName(segment: number): string {
  assert(Number.isSafeInteger(segment) && segment >= 1 && segment <= 9_999_999_999, 'segments count from 1 and have ten digits')
  return `${String(segment).padStart(10, '0')}.ndjson`
}

export function anchorSegmentOfName(name: string): number | null {
  const m = /^(\d{10})\.ndjson$/.exec(name)
  const segment = m === null ? 0 : Number(m[1])
  return segment >= 1 ? segment : null
}

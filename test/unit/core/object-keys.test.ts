import { describe, expect, it } from 'vitest'
import {
  anchorPrefix,
  anchorSegmentName,
  anchorSegmentOfName,
  metadataKey,
  STORE_IDENTITY_KEY,
  versionKey,
  versionOfName,
} from '../../../src/core/object-keys.js'

describe('object keys', () => {
  it('are those of DESIGN §2', () => {
    expect(metadataKey('borelog-001')).toBe('records/borelog-001/metadata.json')
    expect(versionKey('soil/r-1', 12)).toBe('records/soil/r-1/versions/v12.parquet')
    expect(anchorPrefix('daemon')).toBe('anchors/daemon/')
    expect(anchorSegmentName(1)).toBe('0000000001.ndjson')
    expect(anchorSegmentName(9_999_999_999)).toBe('9999999999.ndjson')
    expect(versionKey('a', 1)).toBe('records/a/versions/v1.parquet')
    expect(STORE_IDENTITY_KEY).toBe('store.json')
  })

  it.each([0, -1, 1.5, Number.NaN, 10_000_000_000])('are not made of the segment %d', (segment) => {
    expect(() => anchorSegmentName(segment)).toThrow(/assertion/)
  })

  it.each(['', '..', 'a/../b', 'a/versions', '/a', 'a/', 'a b', 'é'])('are not made of the illegal id %j', (id) => {
    expect(() => metadataKey(id)).toThrow(/assertion/)
    expect(() => versionKey(id, 1)).toThrow(/assertion/)
  })

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])('are not made of the version %d', (version) => {
    expect(() => versionKey('a', version)).toThrow(/assertion/)
  })

  it.each(['', '.', '..', '../x', 'a/b', '-a'])('are not made of the writer %j', (writer) => {
    expect(() => anchorPrefix(writer)).toThrow(/assertion/)
  })

  it('are read back from names, and other names are not ours', () => {
    expect(versionOfName('v1.parquet')).toBe(1)
    expect(versionOfName('v12.parquet')).toBe(12)
    expect(versionOfName('v123456.parquet')).toBe(123_456)
    for (const name of [
      'v0.parquet',
      'v01.parquet',
      'v1.parquet.tmp',
      'xv1.parquet',
      'V1.parquet',
      'v-1.parquet',
      'v.parquet',
      'v1e3.parquet',
      `v${'9'.repeat(16)}.parquet`,
    ])
      expect(versionOfName(name)).toBeNull()
    expect(anchorSegmentOfName('0000000001.ndjson')).toBe(1)
    expect(anchorSegmentOfName('0000000012.ndjson')).toBe(12)
    for (const name of ['0000000000.ndjson', '1.ndjson', '00000000001.ndjson', '0000000001.json', '0000000001.ndjson.tmp'])
      expect(anchorSegmentOfName(name)).toBeNull()
  })
})

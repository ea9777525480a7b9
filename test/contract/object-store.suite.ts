import { describe, expect, it } from 'vitest'
import type { ObjectStore } from '../../src/store/object-store.js'

/** What the suite needs of a backend under test. */
export interface ObjectStoreBench {
  readonly store: ObjectStore
  /** A synced file of the machine with these bytes, ready to be put. */
  stage(bytes: Uint8Array): Promise<string>
  remove(): Promise<void>
}

/**
 * The contract of `store/object-store.ts`, for every backend alike. A backend that passes can hold a store; nothing else is assumed of it.
 */
export function objectStoreSuite(name: string, open: () => Promise<ObjectStoreBench>): void {
  const using = (work: (bench: ObjectStoreBench) => Promise<void>) => async (): Promise<void> => {
    const bench = await open()
    try {
      await work(bench)
    } finally {
      await bench.remove()
    }
  }
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8')
  const bytes = (value: string): Uint8Array => Buffer.from(value, 'utf8')
  const keysOf = async (store: ObjectStore, prefix: string, skip?: string): Promise<string[]> => {
    const keys: string[] = []
    for await (const key of store.list(prefix, skip === undefined ? {} : { skip })) keys.push(key)
    return keys.sort()
  }

  describe(`object store: ${name}`, () => {
    it(
      'says null of what is not there, also below what is',
      using(async ({ store }) => {
        await store.replace('records/a/metadata.json', bytes('{}'), null, { tx: 't1' })
        for (const key of ['nothing', 'records/b/metadata.json', 'records/a/metadata.json/x', 'records']) {
          if (key !== 'records') expect(await store.read(key), key).toBeNull()
          if (key !== 'records') expect(await store.open(key), key).toBeNull()
        }
        expect(await keysOf(store, 'nothing/')).toEqual([])
      }),
    )

    it(
      'puts a staged file once, and never changes what is there',
      using(async ({ store, stage }) => {
        const key = 'records/a/b/versions/v1.parquet'
        expect(await store.putIfAbsent(key, { file: await stage(bytes('one')) }, { tx: 't1' })).toBe('created')
        expect(await store.putIfAbsent(key, { file: await stage(bytes('two')) }, { tx: 't2' })).toBe('exists')
        expect(await store.putIfAbsent(key, { file: await stage(bytes('one')) }, { tx: 't3' })).toBe('exists')
        expect(await store.putIfAbsent(key, { bytes: bytes('three') }, { tx: 't4' })).toBe('exists')
        expect(text((await store.read(key))?.bytes)).toBe('one')
      }),
    )

    it(
      'answers a put that is repeated as it answered the first',
      using(async ({ store, stage }) => {
        const file = await stage(bytes('one'))
        expect(await store.putIfAbsent('a/v1.parquet', { file }, { tx: 't1' })).toBe('created')
        expect(await store.putIfAbsent('a/v1.parquet', { file }, { tx: 't1' })).toBe('created')
      }),
    )

    it(
      'gives one of many competing puts the key, and the object is whole',
      using(async ({ store, stage }) => {
        const contents = Array.from({ length: 16 }, (_, n) => `${n}`.repeat(1000))
        const files = await Promise.all(contents.map((content) => stage(bytes(content))))
        const answers = await Promise.all(files.map((file, n) => store.putIfAbsent('a/v1.parquet', { file }, { tx: `t${n}` })))
        expect(answers.filter((answer) => answer === 'created')).toHaveLength(1)
        expect(text((await store.read('a/v1.parquet'))?.bytes)).toBe(contents[answers.indexOf('created')])
      }),
    )

    it(
      'puts bytes as it puts files',
      using(async ({ store }) => {
        expect(await store.putIfAbsent('x/y', { bytes: bytes('1') }, { tx: 't1' })).toBe('created')
        expect(await store.putIfAbsent('x/z', { bytes: new Uint8Array(0) }, { tx: 't1' })).toBe('created')
        expect(text((await store.read('x/y'))?.bytes)).toBe('1')
        expect(text((await store.read('x/z'))?.bytes)).toBe('')
      }),
    )

    it(
      'replaces only what the caller saw',
      using(async ({ store }) => {
        const key = 'records/a/metadata.json'
        const first = await store.replace(key, bytes('1'), null, { tx: 't1' })
        if (first === 'conflict') throw new Error('the first replace met nothing')
        expect(await store.replace(key, bytes('x'), null, { tx: 't2' })).toBe('conflict')
        expect((await store.read(key))?.etag).toBe(first.etag)
        const second = await store.replace(key, bytes('2'), first.etag, { tx: 't3' })
        if (second === 'conflict') throw new Error('the etag was that of the object')
        expect(second.etag).not.toBe(first.etag)
        expect(await store.replace(key, bytes('x'), first.etag, { tx: 't4' })).toBe('conflict')
        expect(text((await store.read(key))?.bytes)).toBe('2')
        expect(await store.replace('records/b/metadata.json', bytes('x'), first.etag, { tx: 't5' })).toBe('conflict')
        expect(await store.read('records/b/metadata.json')).toBeNull()
      }),
    )

    it(
      'answers a replace that is repeated as a success',
      using(async ({ store }) => {
        const first = await store.replace('k', bytes('1'), null, { tx: 't1' })
        expect(await store.replace('k', bytes('1'), null, { tx: 't1' })).toEqual(first)
      }),
    )

    it(
      'shows readers the old object or the new one, and nothing between',
      using(async ({ store }) => {
        const sizes = [10_000, 20_000]
        let etag: string | null = null
        let writing = true
        const seen = new Set<number>()
        const reading = (async () => {
          while (writing) {
            const object = await store.read('k')
            if (object === null) continue
            const size = object.bytes.length
            expect(sizes).toContain(size)
            expect(new Set(object.bytes).size).toBe(1)
            seen.add(size)
          }
        })()
        for (let n = 0; n < 20; n++) {
          const replaced = await store.replace('k', Buffer.alloc(sizes[n % 2]!, n), etag, { tx: `t${n}` })
          if (replaced === 'conflict') throw new Error('nobody else writes')
          etag = replaced.etag
        }
        writing = false
        await reading
        expect(seen.size).toBeGreaterThan(0)
      }),
    )

    it(
      'reads ranges, and says so when the object is shorter',
      using(async ({ store, stage }) => {
        await store.putIfAbsent('v', { file: await stage(bytes('0123456789')) }, { tx: 't1' })
        const body = await store.open('v')
        if (body === null) throw new Error('it was put')
        expect(body.sizeBytes).toBe(10)
        expect(text(await body.read(0, 10))).toBe('0123456789')
        expect(text(await body.read(3, 5))).toBe('34')
        expect(text(await body.read(9, 10))).toBe('9')
        expect(text(await body.read(4, 4))).toBe('')
        await expect(body.read(5, 11)).rejects.toMatchObject({ code: 'PARQUET_INVALID' })
        await body.close()
      }),
    )

    it(
      'lists every key below a prefix once, and none beside it',
      using(async ({ store }) => {
        const keys = [
          'records/a/metadata.json',
          'records/a/b/metadata.json',
          'records/a/versions/v1.parquet',
          'records/ab/metadata.json',
          'store.json',
        ]
        for (const [n, key] of keys.entries()) await store.putIfAbsent(key, { bytes: bytes(key) }, { tx: `t${n}` })
        expect((await keysOf(store, 'records/')).sort()).toEqual(keys.slice(0, 4).sort())
        expect(await keysOf(store, 'records/a/')).toEqual(keys.slice(0, 3).sort())
        for (const key of keys) expect(store.urlOf(key)).toContain(key)
        expect(await keysOf(store, 'records/', 'versions')).toEqual([keys[1], keys[0], keys[3]].sort())
      }),
    )

    it(
      'says how large an object is, and gives back what was put beside it where it keeps that',
      using(async ({ store, stage }) => {
        const attributes = { 'content-sha256': 'a'.repeat(64), comment: Buffer.from('ä; b').toString('base64url'), rows: '24' }
        const key = 'records/a/versions/v1.parquet'
        expect(await store.stat(key)).toBeNull()
        await store.putIfAbsent(key, { file: await stage(bytes('0123456789')) }, { tx: 'tx-1', attributes })
        const kept = store.keepsAttributes
        expect(await store.stat(key)).toEqual({ sizeBytes: 10, tx: kept ? 'tx-1' : null, attributes: kept ? attributes : {} })
        expect(await store.putIfAbsent(key, { bytes: bytes('x') }, { tx: 'tx-2', attributes: {} })).toBe('exists')
        expect((await store.stat(key))?.attributes).toEqual(kept ? attributes : {})
        expect(await store.stat('records/a')).toBeNull()
      }),
    )

    it(
      'removes what is derived, and nothing else',
      using(async ({ store }) => {
        await store.putIfAbsent('catalog/soil/d1.parquet', { bytes: bytes('1') }, { tx: 't1' })
        await store.remove('catalog/soil/d1.parquet')
        expect(await store.read('catalog/soil/d1.parquet')).toBeNull()
        await store.remove('catalog/soil/d1.parquet')
        await store.remove('catalog/none/d1.parquet')
        await store.putIfAbsent('records/a/metadata.json', { bytes: bytes('1') }, { tx: 't2' })
        await expect(store.remove('records/a/metadata.json')).rejects.toThrow()
        expect(await store.read('records/a/metadata.json')).not.toBeNull()
      }),
    )

    it(
      'answers another put of a transaction with other bytes as somebody else’s',
      using(async ({ store, stage }) => {
        const key = 'records/a/versions/v1.parquet'
        await store.putIfAbsent(key, { file: await stage(bytes('one')) }, { tx: 't1' })
        expect(await store.putIfAbsent(key, { file: await stage(bytes('two')) }, { tx: 't1' })).toBe('exists')
        expect(text((await store.read(key))?.bytes)).toBe('one')
      }),
    )
  })
}

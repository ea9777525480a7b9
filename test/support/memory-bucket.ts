import { createHash } from 'node:crypto'
import { isDerivedKey } from '../../src/core/object-keys.js'
import { IntakeError } from '../../src/errors.js'
import type { Files } from '../../src/runtime/files.js'
import type { ObjectBody, ObjectFacts, ObjectSource, ObjectStore, PutOptions, StoredObject } from '../../src/store/object-store.js'
import type { FactReader } from './check-invariants.js'

interface Held {
  readonly bytes: Buffer
  readonly etag: string
  readonly tx: string
  readonly attributes: Readonly<Record<string, string>>
}

/** The process that a client stands for has died: this and every later operation of it fails, and no answer comes. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded'
}

/**
 * What becomes of one request. `lost`: it never arrives; `unanswered`: it is carried out, and the answer is lost; `late`: the answer is lost, and
 * it is carried out some time after; `twice`: it is answered, and carried out once more some time after; `dies-before`, `dies-after`: the process ends.
 */
export type RequestFate = 'well' | 'lost' | 'unanswered' | 'late' | 'twice' | 'dies-before' | 'dies-after'

export type RequestKind = 'read' | 'stat' | 'open' | 'put' | 'replace' | 'list' | 'remove'

export interface ClientOptions {
  /** For bodies that are files. */
  readonly files?: Files
  /** Waits for the client's turn, and says what becomes of the request. */
  readonly fate?: (kind: RequestKind, key: string) => Promise<RequestFate>
}

/** Object storage in memory that many clients share, as `store/object-store.ts` wants it. What every client sees is at once what all see. */
export class MemoryBucket {
  private readonly objects = new Map<string, Held>()
  private readonly arriving: (() => void)[] = []
  requests = 0

  client(options: ClientOptions = {}): ObjectStore {
    return new MemoryClient(this, options)
  }

  /** Requests that were lost on their way and arrive only now, in the order that `pick` gives. */
  arrive(pick: (count: number) => number = () => 0): boolean {
    if (this.arriving.length === 0) return false
    this.arriving.splice(pick(this.arriving.length), 1)[0]!()
    return true
  }

  later(request: () => void): void {
    this.arriving.push(request)
  }

  get(key: string): Held | undefined {
    return this.objects.get(key)
  }

  keys(): string[] {
    return [...this.objects.keys()].sort()
  }

  /** As if somebody had written there who knows nothing of the rules. */
  set(key: string, bytes: Buffer, attributes: Record<string, string> = {}): void {
    this.objects.set(key, { bytes, etag: etagOf(bytes, 'set'), tx: 'set', attributes })
  }

  delete(key: string): void {
    this.objects.delete(key)
  }

  putIfAbsent(key: string, bytes: Buffer, { tx, attributes = {} }: PutOptions): 'created' | 'exists' {
    const held = this.objects.get(key)
    if (held !== undefined) return held.tx === tx && held.bytes.equals(bytes) ? 'created' : 'exists'
    this.objects.set(key, { bytes, etag: etagOf(bytes, tx), tx, attributes })
    return 'created'
  }

  replace(key: string, bytes: Buffer, expected: string | null, { tx }: PutOptions): { etag: string } | 'conflict' {
    const held = this.objects.get(key)
    if (held !== undefined && held.tx === tx && held.bytes.equals(bytes)) return { etag: held.etag }
    if ((held?.etag ?? null) !== expected) return 'conflict'
    const etag = etagOf(bytes, tx)
    this.objects.set(key, { bytes, etag, tx, attributes: {} })
    return { etag }
  }

  /** The objects as the folder `store` of a workspace that has nothing else. */
  reader(): FactReader {
    return {
      read: (path) => (path.startsWith('store/') ? (this.objects.get(path.slice('store/'.length))?.bytes ?? null) : null),
      list: (path) => {
        const prefix = `${path}/`.slice('store/'.length)
        if (!path.startsWith('store')) return []
        const names = new Map<string, 'file' | 'directory'>()
        for (const key of this.objects.keys()) {
          if (!key.startsWith(prefix)) continue
          const [name, ...rest] = key.slice(prefix.length).split('/')
          names.set(name!, rest.length === 0 ? 'file' : 'directory')
        }
        return [...names].sort().map(([name, kind]) => ({ name, kind }))
      },
    }
  }
}

class MemoryClient implements ObjectStore {
  readonly keepsAttributes = true
  readonly place = 's3://memory'
  private hasEnded = false

  constructor(
    private readonly bucket: MemoryBucket,
    private readonly options: ClientOptions,
  ) {}

  urlOf(key: string): string {
    return `${this.place}/${key}`
  }

  read(key: string): Promise<StoredObject | null> {
    return this.request('read', key, () => {
      const held = this.bucket.get(key)
      return held === undefined ? null : { bytes: Buffer.from(held.bytes), etag: held.etag }
    })
  }

  stat(key: string): Promise<ObjectFacts | null> {
    return this.request('stat', key, () => {
      const held = this.bucket.get(key)
      return held === undefined ? null : { sizeBytes: held.bytes.length, tx: held.tx, attributes: held.attributes }
    })
  }

  open(key: string): Promise<ObjectBody | null> {
    return this.request('open', key, () => {
      const held = this.bucket.get(key)
      if (held === undefined) return null
      const { bytes } = held
      return {
        sizeBytes: bytes.length,
        read: async (start: number, end: number) => {
          if (end > bytes.length) throw new IntakeError('PARQUET_INVALID', `${key} ends at byte ${bytes.length}, before byte ${end}`)
          return bytes.subarray(start, end)
        },
        close: async () => {},
      }
    })
  }

  async putIfAbsent(key: string, body: ObjectSource, options: PutOptions): Promise<'created' | 'exists'> {
    const bytes = 'bytes' in body ? Buffer.from(body.bytes) : await this.options.files?.read(body.file)
    if (bytes === null || bytes === undefined) throw new Error('there is no such file')
    return this.request('put', key, () => this.bucket.putIfAbsent(key, bytes, options))
  }

  replace(key: string, bytes: Uint8Array, expected: string | null, options: PutOptions): Promise<{ etag: string } | 'conflict'> {
    const copy = Buffer.from(bytes)
    return this.request('replace', key, () => this.bucket.replace(key, copy, expected, options))
  }

  async *list(prefix: string, { skip }: { readonly skip?: string } = {}): AsyncIterable<string> {
    const keys = await this.request('list', prefix, () => this.bucket.keys())
    for (const key of keys) {
      if (!key.startsWith(prefix)) continue
      if (skip === undefined || !key.slice(prefix.length).split('/').slice(0, -1).includes(skip)) yield key
    }
  }

  async remove(key: string): Promise<void> {
    if (!isDerivedKey(key)) throw new Error(`${key} is not derived`)
    await this.request('remove', key, () => this.bucket.delete(key))
  }

  private async request<T>(kind: RequestKind, key: string, carryOut: () => T): Promise<T> {
    if (this.hasEnded) throw new ProcessEnded()
    const fate = (await this.options.fate?.(kind, key)) ?? 'well'
    if (this.hasEnded) throw new ProcessEnded()
    this.bucket.requests += 1
    const ended = (): never => {
      this.hasEnded = true
      throw new ProcessEnded()
    }
    const noAnswer = (): never => {
      throw new IntakeError('STORE_UNAVAILABLE', `${kind} of ${key} was not answered in time`)
    }
    switch (fate) {
      case 'well':
        return carryOut()
      case 'lost':
        return noAnswer()
      case 'unanswered':
        carryOut()
        return noAnswer()
      case 'late':
        this.bucket.later(carryOut)
        return noAnswer()
      case 'twice':
        this.bucket.later(carryOut)
        return carryOut()
      case 'dies-before':
        return ended()
      case 'dies-after':
        carryOut()
        return ended()
    }
  }
}

function etagOf(bytes: Buffer, tx: string): string {
  return createHash('sha256').update(tx).update('\0').update(bytes).digest('hex')
}

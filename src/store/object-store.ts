/**
 * Where the store's objects live. Keys are those of `core/object-keys.ts`: segments joined by "/", no leading slash.
 *
 * The contract, which every backend keeps and `test/contract/object-store.suite.ts` proves:
 *
 * 1. Durable before answered. When `putIfAbsent` or `replace` resolves, the object outlives a power cut, and so does every folder on its
 *    path. When one rejects, the object is as it was, or it is whole: never a part of it, never a mixture.
 * 2. `putIfAbsent` never changes an object that is there. Exactly one of any number of competing puts of one key gets 'created'.
 *    'created' is also the answer when what is there is this very put, made by an earlier attempt that failed or whose answer was lost (the
 *    same inode; the same transaction in the object's own metadata): a put may be repeated, with the same `tx` and body, until it is answered.
 * 3. `replace` swaps the whole object if it still is what the caller saw: `expected` is an etag that `read` or `replace` gave, or null for
 *    "there is none". 'conflict' says that it is not; nothing was changed. Here too an own earlier attempt that got through is a success.
 * 4. Readers see the old object or the new one, at any moment, and after an answered write only the new one.
 * 5. An etag is opaque. Equal etags of one key mean equal bytes.
 * 6. `list` gives every key below a prefix that was there all the time, each once, in no promised order; of keys that come or go
 *    meanwhile it may give or leave out any. It never holds more than one folder or page in memory.
 * 7. "There is none" is null, not an error. What goes wrong otherwise is thrown: FSYNC_FAILED (this instance must not be written to any
 *    more), DISK_FULL or STORE_UNAVAILABLE (may be tried again: whether the write happened is not known, and asking again settles it),
 *    or the system's own error.
 * 8. `attributes` that were put with an object come back from `stat` where the backend keeps them (`keepsAttributes`), byte for byte.
 *
 * `remove` is for what is derived (the catalogue) and nothing else: the store forgets nothing.
 */
export interface ObjectStore {
  /** The whole object: for documents, not for versions. */
  read(key: string): Promise<StoredObject | null>
  /** Random access; the caller closes it. */
  open(key: string): Promise<ObjectBody | null>
  /** Without the bytes. */
  stat(key: string): Promise<ObjectFacts | null>
  putIfAbsent(key: string, body: ObjectSource, options: PutOptions): Promise<'created' | 'exists'>
  replace(key: string, bytes: Uint8Array, expected: string | null, options: PutOptions): Promise<{ readonly etag: string } | 'conflict'>
  /** `skip`: leaves out what lies in folders of this name, and does not read them where that spares work. */
  list(prefix: string, options?: { readonly skip?: string }): AsyncIterable<string>
  /** Only below `catalog/`. What is not there is removed already. */
  remove(key: string): Promise<void>
  /** What an engine (DuckDB, Spark, pandas) opens: an absolute path, or an s3:// address. */
  urlOf(key: string): string
  /** What messages call it: an absolute path, or s3://bucket/prefix. */
  readonly place: string
  /** Whether `attributes` outlive the put. Without them nobody can finish the commit of another writer. */
  readonly keepsAttributes: boolean
}

export interface ObjectFacts {
  readonly sizeBytes: number
  /** Transaction of the put; null where the backend does not keep it. */
  readonly tx: string | null
  /** Empty where the backend does not keep them. */
  readonly attributes: Readonly<Record<string, string>>
}

export interface StoredObject {
  readonly bytes: Buffer
  readonly etag: string
}

export interface ObjectBody {
  readonly sizeBytes: number
  /** Bytes from `start` up to and not with `end`. Rejects when the object is shorter. */
  read(start: number, end: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** A staged file is synced already and has its final bytes; a backend may take it over (a link) instead of copying. */
export type ObjectSource = { readonly file: string } | { readonly bytes: Uint8Array }

export interface PutOptions {
  /** The transaction; unique per commit and the same in every attempt of it. */
  readonly tx: string
  /**
   * Kept beside the object where the backend can (S3: the object's own metadata): facts of a version's history entry. Names are lower-case
   * letters and "-", values printable ASCII without blanks at their ends; names and values together at most 1,800 bytes.
   */
  readonly attributes?: Readonly<Record<string, string>>
}

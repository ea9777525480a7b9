import Module, { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { CompactProtocol } from './compact-protocol.js'
import type { ParquetTypes } from './schema-elements.js'

const require = createRequire(import.meta.url)
const TYPES = '@dsnp/parquetjs/dist/gen-nodejs/parquet_types.js'
/** Where the generated classes have their writing method. */
const WRITE = Symbol.for('write')

let loaded: ParquetTypes | null = null

/**
 * The Thrift classes of parquet-format as @dsnp/parquetjs generates them, loaded on first use (6 ms of processor time).
 *
 * The generated file asks for all of the Thrift library, which brings HTTP, TLS, WebSockets and UUIDs (another 40 ms, beside threads that
 * convert), and uses only the type numbers of `Thrift` in it. So while it loads, the main module of the library is one that has this part
 * and no other; afterwards that module is taken out again, and who asks for the library next gets all of it.
 */
export function loadParquetTypes(): ParquetTypes {
  loaded ??= withoutTransports(() => require(TYPES) as ParquetTypes)
  return loaded
}

function withoutTransports<T>(load: () => T): T {
  const ofParquetjs = createRequire(require.resolve(TYPES))
  const main = ofParquetjs.resolve('thrift')
  if (require.cache[main] !== undefined) return load()
  const part = new Module(main)
  part.exports = { Thrift: ofParquetjs(join(dirname(main), 'thrift.js')) }
  part.loaded = true
  require.cache[main] = part
  try {
    return load()
  } finally {
    delete require.cache[main]
  }
}

/** One of those classes in Thrift's compact protocol, as it stands in a Parquet file. */
export function serializeThrift(structure: object): Uint8Array {
  const protocol = new CompactProtocol()
  ;(structure as { [WRITE](output: CompactProtocol): void })[WRITE](protocol)
  return protocol.written()
}

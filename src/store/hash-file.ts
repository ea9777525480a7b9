import { createHash } from 'node:crypto'
import type { Files } from '../runtime/files.js'
import type { ObjectBody } from './object-store.js'

const BLOCK_BYTES = 1 << 20

/** Lower-case hex SHA-256 of a file; null when there is none. */
export async function hashFile(files: Files, path: string): Promise<string | null> {
  const file = await files.openRead(path)
  if (file === null) return null
  try {
    const hash = createHash('sha256')
    // A megabyte for each of a thousand small files would cost more than to hash them. One byte more, so that the end is met at once.
    const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, (await file.stat()).sizeBytes + 1))
    for (let at = 0; ; ) {
      const got = await file.read(block, at)
      hash.update(block.subarray(0, got))
      at += got
      if (got < block.length) return hash.digest('hex')
    }
  } finally {
    await file.close()
  }
}

/** Lower-case hex SHA-256 of an opened object. */
export async function hashBody(body: ObjectBody): Promise<string> {
  const hash = createHash('sha256')
  for (let at = 0; at < body.sizeBytes; at += BLOCK_BYTES) hash.update(await body.read(at, Math.min(body.sizeBytes, at + BLOCK_BYTES)))
  return hash.digest('hex')
}

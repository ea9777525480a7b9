import { IntakeError } from '../errors.js'

/** What every part of the decoder says of bytes that are not what the format, or the file's own footer, promises. */
export function undecodable(message: string): IntakeError {
  return new IntakeError('PARQUET_INVALID', `Not a sound Parquet file: ${message}`)
}

/** For checks made once per page or chunk. In loops over values throw `undecodable` by hand, so that no message is built in vain. */
export function must(condition: boolean, message: string): asserts condition {
  if (!condition) throw undecodable(message)
}

import type { Files } from '../runtime/files.js'
import { convertSource } from './convert-source.js'
import type { Converter, ConvertRequest, ConvertResult } from './protocol.js'

/** Conversions in the caller's thread: for the library, for small files, and for tests that fail the file system. */
export class InProcessConverter implements Converter {
  constructor(private readonly files: Files) {}

  convert(request: ConvertRequest, options: { signal?: AbortSignal } = {}): Promise<ConvertResult> {
    return convertSource(request, { files: this.files, ...options })
  }

  async close(): Promise<void> {}
}

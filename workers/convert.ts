import { convertSource } from '../src/convert/convert-source.js'
import type { ConvertRequest, ConvertResult } from '../src/convert/protocol.js'
import { nodeFiles } from '../src/runtime/files.js'

/** The Piscina entry: one request, one result, nothing thrown but defects. */
export default function convert(request: ConvertRequest): Promise<ConvertResult> {
  return convertSource(request, { files: nodeFiles })
}

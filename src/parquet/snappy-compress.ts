import { snappyBound } from '../kernels/kernels.js'
import { compressSnappy } from '../kernels/snappy.js'

let output = new Uint8Array(0)

/** Snappy's raw format, with the compressor of the kernels. Returns bytes of its own; nothing of `input` or of later calls is shared. */
export function snappyCompress(input: Uint8Array): Uint8Array {
  const worst = snappyBound(input.length)
  if (output.length < worst) output = new Uint8Array(worst)
  return output.slice(0, compressSnappy(input, 0, input.length, output, 0))
}

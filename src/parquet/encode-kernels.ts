import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load-kernels.js'

/** The memory of kernels never shrinks: beyond this, those that held an unusual column are dropped, and the next one gets others. */
const KEPT_BYTES = 64 << 20

let loaded: Kernels | null = null

/**
 * The kernels that encode the columns of this thread. All writers share them: encoding a column awaits nothing, and gives back what it
 * allocated.
 */
export async function encodeKernels(): Promise<Kernels> {
  if (loaded === null || loaded.buffer.byteLength > KEPT_BYTES) loaded = await loadKernels()
  return loaded
}

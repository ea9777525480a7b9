import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load-kernels.js'

/** A page of KERNEL_SNAPPY_MAX_BYTES and its compressed form fit three times. */
const MEMORY_MAX_BYTES = 32 << 20

let loading: Promise<Kernels | null> | null = null

/**
 * The kernels that encode pages in this thread, loaded on first use; null where only the TypeScript form runs, which encodes without them
 * (there would be nothing but copies to gain). All writers of a thread share them: encoding a column awaits nothing, and gives back what it
 * allocated.
 */
export function encodeKernels(): Promise<Kernels | null> {
  loading ??= load()
  return loading
}

async function load(): Promise<Kernels | null> {
  const kernels = await loadKernels({ maximumBytes: MEMORY_MAX_BYTES })
  return kernels.name === 'webassembly' ? kernels : null
}

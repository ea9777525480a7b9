import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load-kernels.js'

/** What a borrower asks for: WebAssembly where there is any, or TypeScript in any case. */
export type KernelForm = 'webassembly' | 'typescript'

/**
 * Kernels of this thread that nobody uses now. Their memory is a stack and serves one conversion at a time; it grows and never shrinks, so
 * conversions take turns with what there is, and only those that run side by side have their own.
 */
const idle: Record<KernelForm, Kernels[]> = { webassembly: [], typescript: [] }
const askedFor = new WeakMap<Kernels, KernelForm>()

export async function borrowKernels(form: KernelForm = 'webassembly'): Promise<Kernels> {
  const known = idle[form].pop()
  if (known !== undefined) return known
  const kernels = await loadKernels({ webassembly: form === 'webassembly' })
  askedFor.set(kernels, form)
  return kernels
}

/** Whoever borrowed them has released all that it allocated. */
export function returnKernels(kernels: Kernels): void {
  idle[askedFor.get(kernels) ?? 'webassembly'].push(kernels)
}

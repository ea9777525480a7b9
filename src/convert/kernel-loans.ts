import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load-kernels.js'

/**
 * Kernels of this thread that nobody uses now. Their memory is a stack and serves one conversion at a time; it grows and never shrinks, so
 * conversions take turns with what there is, and only those that run side by side have their own.
 */
const idle: Kernels[] = []

export async function borrowKernels(): Promise<Kernels> {
  return idle.pop() ?? (await loadKernels())
}

/** Whoever borrowed them has released all that it allocated. */
export function returnKernels(kernels: Kernels): void {
  idle.push(kernels)
}

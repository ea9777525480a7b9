import { type Kernels, snappyBound } from '../kernels/kernels.js'
import { compressSnappy } from '../kernels/snappy.js'

/**
 * What kernels are given to compress at most. Data pages are far below (PAGE_MAX_BYTES) unless one value is not; dictionary pages can be
 * large. The memory of kernels never shrinks, so the rare large page is not worth what it would keep for good.
 */
export const KERNEL_SNAPPY_MAX_BYTES = 4 << 20

let output = new Uint8Array(0)

/**
 * Snappy's raw format of `input`, or of its sections as if they were one. Returns bytes of its own; nothing of `input` or of later calls is
 * shared. With `kernels` it runs in their memory, and gives the same bytes.
 */
export function snappyCompress(input: Uint8Array | readonly Uint8Array[], kernels: Kernels | null = null): Uint8Array {
  const sections = input instanceof Uint8Array ? [input] : input
  const length = sections.reduce((sum, section) => sum + section.length, 0)
  if (kernels !== null && length <= KERNEL_SNAPPY_MAX_BYTES) return compressInKernels(kernels, sections, length)
  const whole = sections.length === 1 ? sections[0]! : Buffer.concat(sections)
  const worst = snappyBound(length)
  if (output.length < worst) output = new Uint8Array(worst)
  return output.slice(0, compressSnappy(whole, 0, length, output, 0))
}

function compressInKernels(kernels: Kernels, sections: readonly Uint8Array[], length: number): Uint8Array {
  const mark = kernels.mark()
  try {
    const source = kernels.allocate(length)
    const out = kernels.allocate(snappyBound(length))
    // Only now: allocating may have replaced the view.
    const { u8 } = kernels
    let at = source
    for (const section of sections) {
      u8.set(section, at)
      at += section.length
    }
    return u8.slice(out, out + kernels.snappyCompress(source, length, out))
  } finally {
    kernels.release(mark)
  }
}

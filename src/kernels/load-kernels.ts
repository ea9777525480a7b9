import { COMPILED_KERNELS } from './compiled.js'
import type { Kernels } from './kernels.js'
import { DEFAULT_MAXIMUM_BYTES } from './memory.js'
import { TypescriptKernels } from './typescript-kernels.js'
import { type WebassemblyModule, webassembly } from './webassembly-api.js'
import { WebassemblyKernels } from './webassembly-kernels.js'

export interface KernelOptions {
  /** false: the TypeScript form, whatever there is. */
  readonly webassembly?: boolean
  /** What `compileKernels` gave, here or in another thread: saves compiling once more. null: the TypeScript form. */
  readonly module?: WebassemblyModule | null
  /** Bytes that the memory of the kernels grows to at most. Default 1 GiB, largest 2 GiB less 64 KiB. */
  readonly maximumBytes?: number
}

/**
 * The compiled kernels, to be handed to threads (a module can be posted to a worker); null where they were not built, or the runtime has no
 * WebAssembly, or not its SIMD. That is no error: the TypeScript form gives the same results.
 */
export async function compileKernels(compiled: string | null = COMPILED_KERNELS): Promise<WebassemblyModule | null> {
  if (compiled === null || webassembly === undefined) return null
  try {
    return await webassembly.compile(Buffer.from(compiled, 'base64'))
  } catch (error) {
    if (error instanceof webassembly.CompileError) return null
    throw error
  }
}

/** Compiled once in each thread, whoever asks first. */
let compiling: Promise<WebassemblyModule | null> | null = null

function compiledOnce(): Promise<WebassemblyModule | null> {
  compiling ??= compileKernels().catch((error: unknown) => {
    // Whoever comes next tries again.
    compiling = null
    throw error
  })
  return compiling
}

/** The kernels, each time with a memory of their own. The WebAssembly form where there is one. */
export async function loadKernels(options: KernelOptions = {}): Promise<Kernels> {
  const maximumBytes = options.maximumBytes ?? DEFAULT_MAXIMUM_BYTES
  if (options.webassembly === false) return new TypescriptKernels(maximumBytes)
  const module = options.module === undefined ? await compiledOnce() : options.module
  if (module === null) return new TypescriptKernels(maximumBytes)
  try {
    return new WebassemblyKernels(module, maximumBytes)
  } catch (error) {
    // The runtime reserves far more address space than it uses; under a limit on that (`ulimit -v`) there is no memory for them.
    if (error instanceof RangeError) return new TypescriptKernels(maximumBytes)
    throw error
  }
}

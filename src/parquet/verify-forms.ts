import { COMPILED_DECODER } from './decode-compiled.js'
import { type ColumnVerifier, TypescriptVerifier } from './verify-column.js'
import { type DecoderModule, webassembly } from './verify-memory.js'
import { WebassemblyVerifier } from './verify-webassembly.js'

export type { DecoderModule } from './verify-memory.js'

export interface VerifierOptions {
  /** false: the TypeScript form, whatever there is. */
  readonly webassembly?: boolean
  /** What `compileDecoder` gave, here or in another thread: saves compiling once more. null: the TypeScript form. */
  readonly module?: DecoderModule | null
  /** Rows that hyparquet decodes in mode `full`; by default SAMPLE_ROWS. Files of which there are many at once share them. */
  readonly sampleRows?: number
}

/** Memory that is kept for the next file, at most; what a file of large pages needed is given back. */
const KEPT_BYTES = 24 << 20

/**
 * The compiled decoder, to be handed to threads (a module can be posted to a worker); null where it was not built, or the runtime has no
 * WebAssembly, or not its SIMD. That is no error: the TypeScript form gives the same results.
 */
export async function compileDecoder(compiled: string | null = COMPILED_DECODER): Promise<DecoderModule | null> {
  if (compiled === null || webassembly === undefined) return null
  try {
    return await webassembly.compile(Buffer.from(compiled, 'base64'))
  } catch (error) {
    if (error instanceof webassembly.CompileError) return null
    throw error
  }
}

/** Compiled once in each thread, whoever asks first. */
let compiling: Promise<DecoderModule | null> | null = null

function compiledOnce(): Promise<DecoderModule | null> {
  compiling ??= compileDecoder().catch((error: unknown) => {
    // Whoever comes next tries again.
    compiling = null
    throw error
  })
  return compiling
}

/** The one that waits for the next file; files that are verified at the same time in one thread have each their own. */
let idle: WebassemblyVerifier | null = null

/**
 * Runs with a verifier that nobody else has meanwhile; the compiled form where there is one. When its memory does not suffice, all is done again in the
 * TypeScript form, so `work` must start from the beginning each time.
 */
export async function withVerifier<T>(options: VerifierOptions, work: (verifier: ColumnVerifier) => Promise<T>): Promise<T> {
  const compiled = await compiledVerifier(options)
  if (compiled === null) return work(new TypescriptVerifier())
  try {
    return await work(compiled)
  } catch (error) {
    // The runtime gives less than the maximum where it must (`ulimit -v`), and some files need more.
    if (!(error instanceof RangeError)) throw error
  } finally {
    if (compiled.memoryBytes <= KEPT_BYTES) idle = compiled
  }
  return work(new TypescriptVerifier())
}

async function compiledVerifier(options: VerifierOptions): Promise<WebassemblyVerifier | null> {
  if (options.webassembly === false || options.module === null) return null
  if (idle !== null) {
    const verifier = idle
    idle = null
    return verifier
  }
  const module = options.module ?? (await compiledOnce())
  if (module === null) return null
  try {
    return new WebassemblyVerifier(module)
  } catch (error) {
    // The runtime reserves far more address space than it uses; under a limit on that there is no memory at all.
    if (error instanceof RangeError) return null
    throw error
  }
}

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { compileKernels, loadKernels } from '../../../src/kernels/load-kernels.js'
import { builtMain } from '../../support/built-program.js'

/** What dist/ holds: in the sources the compiled code is null. */
async function compiledOfBuild(): Promise<string> {
  const path = join(builtMain(), '..', 'kernels', 'compiled.js')
  return ((await import(pathToFileURL(path).href)) as { COMPILED_KERNELS: string }).COMPILED_KERNELS
}

export async function loadBothForms(maximumBytes?: number): Promise<readonly [Kernels, Kernels]> {
  const module = await compileKernels(await compiledOfBuild())
  if (module === null) throw new Error('the compiled kernels cannot be loaded here')
  const options = maximumBytes === undefined ? {} : { maximumBytes }
  return [await loadKernels({ ...options, webassembly: false }), await loadKernels({ ...options, module })]
}

/** Where tests begin to put things, with room before it that a kernel must not look at. */
const LEAD_BYTES = 96

/**
 * Fills memory with what an earlier use could have left there: bytes that mean something to every kernel. `seed` makes it other bytes, for a
 * result that depends on them shows only when they differ.
 */
export function soil(kernels: Kernels, bytes: number, seed = 1): number {
  const at = kernels.allocate(bytes + 2 * LEAD_BYTES)
  const { u8 } = kernels
  let state = seed
  for (let i = at; i < Math.min(at + bytes + 2 * LEAD_BYTES + 128, u8.length); i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    u8[i] = '",\r\n\0"1a-:.T'.charCodeAt((state >>> 16) % 12)
  }
  return at + LEAD_BYTES
}

export interface Laid {
  readonly fields: number
  readonly stride: number
  readonly rows: number
}

/** Raw fields, quotes included, one a row, with a column before and after, as `tokenise` would leave them. */
export function layFields(kernels: Kernels, texts: readonly (string | Uint8Array)[]): Laid {
  const encoded = texts.map((text) => (typeof text === 'string' ? Buffer.from(text, 'utf8') : text))
  const total = encoded.reduce((sum, bytes) => sum + bytes.length + 4, 0)
  const data = soil(kernels, total, texts.length + 1)
  const fields = kernels.allocate(texts.length * 16 + 16)
  const { u8, u32 } = kernels
  let at = data
  encoded.forEach((bytes, row) => {
    const word = (fields >>> 2) + row * 4
    u32[word] = at
    u8[at++] = 0x78
    u8[at++] = 0x2c
    u32[word + 1] = at
    u8.set(bytes, at)
    at += bytes.length
    u8[at++] = 0x2c
    u32[word + 2] = at
    u32[word + 3] = at + 1
    u8[at++] = 0x0a
  })
  return { fields, stride: 4, rows: texts.length }
}

/** A copy of memory that a result lies in. */
export function bytesAt(kernels: Kernels, at: number, length: number): Uint8Array {
  return kernels.u8.slice(at, at + length)
}

/** Runs with everything it allocates given back. */
export function scratch<T>(kernels: Kernels, run: () => T): T {
  const mark = kernels.mark()
  try {
    return run()
  } finally {
    kernels.release(mark)
  }
}

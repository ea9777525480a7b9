import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ColumnVerifier, TypescriptVerifier } from '../../../src/parquet/verify-column.js'
import { compileDecoder } from '../../../src/parquet/verify-forms.js'
import { type DecoderModule, webassembly } from '../../../src/parquet/verify-memory.js'
import { WebassemblyVerifier } from '../../../src/parquet/verify-webassembly.js'
import { builtMain } from '../../support/built-program.js'

/** What dist/ holds: in the sources the compiled code is null. */
export async function compiledDecoder(): Promise<DecoderModule> {
  const path = join(builtMain(), '..', 'parquet', 'decode-compiled.js')
  const { COMPILED_DECODER } = (await import(pathToFileURL(path).href)) as { COMPILED_DECODER: string }
  const module = await compileDecoder(COMPILED_DECODER)
  if (module === null) throw new Error('the compiled decoder cannot be loaded here')
  return module
}

export async function bothVerifiers(): Promise<readonly [ColumnVerifier, WebassemblyVerifier]> {
  return [new TypescriptVerifier(), new WebassemblyVerifier(await compiledDecoder())]
}

interface Functions {
  inflate(from: number, end: number, to: number, length: number): number
  decodeLevels(start: number, end: number, rows: number, out: number): number
  decodeCodes(start: number, end: number, width: number, count: number, out: number): number
}

/** The compiled functions by themselves, over 4 MiB of memory that is full of what means something to them. */
export async function compiledFunctions(): Promise<{ functions: Functions; u8: Uint8Array }> {
  const api = webassembly!
  const memory = new api.Memory({ initial: 64, maximum: 64 })
  const { exports } = new api.Instance(await compiledDecoder(), { env: { memory } })
  const u8 = new Uint8Array(memory.buffer)
  for (let i = 65_536; i < u8.length; i++) u8[i] = (i * 2_654_435_761) >>> 13
  return { functions: exports as Functions, u8 }
}

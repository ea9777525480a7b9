/**
 * The WebAssembly form of the verifying decoder, base64; null where it was not built. `build.mjs` compiles `assembly/` and puts the result
 * here in dist/, so that it is loaded like any module: no path, no file, the same in a worker. In the sources it stays null.
 */
export const COMPILED_DECODER: string | null = null

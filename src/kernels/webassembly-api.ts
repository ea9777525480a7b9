/** What is used of WebAssembly (WebAssembly JavaScript Interface): its types come with the browser's, which are not those of this program. */
export interface WebassemblyApi {
  compile(bytes: Uint8Array): Promise<WebassemblyModule>
  readonly CompileError: new () => Error
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => WebassemblyMemory
  readonly Instance: new (module: WebassemblyModule, imports: object) => { readonly exports: object }
}

/** Compiled code: no memory, no state; may be posted to any number of threads. */
export interface WebassemblyModule {
  readonly [Symbol.toStringTag]?: string
}

export interface WebassemblyMemory {
  readonly buffer: ArrayBuffer
  /** Adds pages of 64 KiB; `buffer` is another object afterwards. Throws RangeError beyond the maximum. */
  grow(pages: number): number
}

/** undefined where Node runs without it (`--jitless`). */
export const webassembly = (globalThis as { WebAssembly?: WebassemblyApi }).WebAssembly

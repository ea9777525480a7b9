/**
 * Preloaded into a process, and so into its worker threads, to see what the TypeScript kernels do alone: our own code looks for WebAssembly
 * once, here, while there is none. Others find it again, for one of our libraries cannot be loaded without.
 */
const found = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly')
Reflect.deleteProperty(globalThis, 'WebAssembly')
const { webassembly } = await import('../../../src/kernels/webassembly-api.js')
if (webassembly !== undefined) throw new Error('WebAssembly was looked for before it was hidden')
if (found !== undefined) Object.defineProperty(globalThis, 'WebAssembly', found)

export {}

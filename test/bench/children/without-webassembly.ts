import { isMainThread } from 'node:worker_threads'

/**
 * Preloaded into a process, and so into its worker threads, to see what the TypeScript kernels do alone: whoever asks for WebAssembly from a
 * module of this package is told that there is none. Others find it, for one of our libraries cannot be loaded without.
 */
const found: unknown = (globalThis as { WebAssembly?: unknown }).WebAssembly
/** dist/, as a URL: what a line of a stack names. */
const ours = new URL('../../../', import.meta.url).href
let refusals = 0

Object.defineProperty(globalThis, 'WebAssembly', {
  configurable: true,
  get() {
    const asking = new Error().stack?.split('\n')[2] ?? ''
    if (!asking.includes(ours)) return found
    refusals++
    return undefined
  },
})

// A figure of the wrong kernels would be worse than none.
if (isMainThread) {
  process.on('exit', () => {
    if (refusals > 0) return
    process.stderr.write('WebAssembly was hidden from nobody\n')
    process.exitCode = 1
  })
}

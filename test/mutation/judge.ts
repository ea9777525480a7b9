/** The process that judges mutants: told of a bundle, it runs the tests in it and says which one failed. A mutant that never ends is ended from outside. */
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'

// A survivor must be one the next time as well; and nobody reads the smallest counterexample here.
fc.configureGlobal({ seed: 20240127, endOnFailure: true })

let stray: string | null = null
for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, (error: unknown) => (stray ??= String(error)))

process.on('message', async (bundle: string) => {
  stray = null
  let failed: string | null
  try {
    const { runTests } = (await import(pathToFileURL(bundle).href)) as { runTests: () => Promise<{ name: string } | null> }
    failed = (await runTests())?.name ?? stray
  } catch (error) {
    failed = `loading: ${String(error).slice(0, 200)}`
  }
  process.send!({ failed })
})

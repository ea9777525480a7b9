import { defineConfig } from 'vitest/config'

/** The suite over real files that do not belong to the repository: `npm run test:samples`. */
export default defineConfig({
  test: {
    include: ['test/samples/**/*.test.ts'],
    globalSetup: ['test/support/build-once.ts'],
    pool: 'forks',
    testTimeout: 300_000,
    hookTimeout: 120_000,
    watch: false,
    reporters: ['default'],
    passWithNoTests: true,
  },
})

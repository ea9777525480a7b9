import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/{unit,contract,integration,fault,simulation}/**/*.test.ts'],
    globalSetup: ['test/support/build-once.ts'],
    // Processes, not threads: tests raise signals, take locks and load WebAssembly, and a crash must name its file.
    pool: 'forks',
    // For two cores: some files mostly wait for processes of their own.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    watch: false,
    reporters: ['default'],
    // A test that leaves the environment or a mock behind would make the order matter.
    unstubEnvs: true,
    restoreMocks: true,
    // `npm run test:coverage`: the rules, and whoever is alone in writing. What runs in processes of its own is not counted.
    coverage: {
      provider: 'v8',
      include: ['src/{core,coordinator,decisions,inbox}/**/*.ts'],
      reporter: ['text', 'text-summary'],
      reportsDirectory: 'node_modules/.coverage',
      reportOnFailure: true,
    },
  },
})

/** A source, and the tests that must notice whatever is changed in it: those of the unit first, then those of whoever stands on it. */
export interface Target {
  readonly source: string
  readonly tests: readonly string[]
}

const core = (name: string, ...tests: string[]): Target => ({
  source: `src/core/${name}.ts`,
  tests: tests.map((t) => `test/unit/${t}.test.ts`),
})
const decisions = (name: string, ...tests: string[]): Target => ({
  source: `src/decisions/${name}.ts`,
  tests: tests.map((t) => `test/unit/${t}.test.ts`),
})

export const TARGETS: readonly Target[] = [
  core('record-id', 'core/record-id', 'core/object-keys'),
  core('record-state', 'core/record-state', 'core/commit-plan'),
  core('decision-rules', 'core/decision-rules'),
  core('drop-outcome', 'core/drop-outcome'),
  core('drop-id', 'core/drop-id'),
  core('object-keys', 'core/object-keys'),
  core('ordering', 'core/ordering'),
  core('history', 'core/history', 'core/commit-plan'),
  core('commit-plan', 'core/commit-plan'),
  core('settle-gate', 'core/settle-gate'),
  { source: 'src/core/invariants.ts', tests: ['test/fault/check-invariants.test.ts'] },
  decisions('ed25519-point', 'decisions/ed25519-point'),
  decisions('strict-json', 'decisions/strict-json'),
  decisions('parse-decision', 'decisions/parse-decision', 'decisions/hostile-decisions'),
  decisions('verify-decision', 'decisions/stored-decision', 'decisions/decision-intake', 'decisions/hostile-decisions'),
  decisions('decision-intake', 'decisions/decision-intake'),
  decisions('keyring', 'decisions/keyring'),
  decisions('sign', 'decisions/sign', 'decisions/keyring', 'decisions/decision-intake'),
]

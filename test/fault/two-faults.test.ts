import { expect, it } from 'vitest'
import { SCENARIOS } from './scenarios.js'
import { readyFor, runTrial } from './trial.js'
import { TWO_FAULTS } from './two-faults.js'

it.each(TWO_FAULTS)('$rule', async ({ scenario, faults, cuts }) => {
  const found = SCENARIOS.find(({ name }) => name === scenario)!
  const trial = await runTrial(await readyFor(found), { faults, cuts: cuts ?? [{ mode: 'nothing', seed: 0 }] })
  expect(trial.struck).toHaveLength(faults.flat().length)
  expect(trial.problems).toEqual([])
})

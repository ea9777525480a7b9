import { expect, it } from 'vitest'
import { runManyWriters } from './many-writers.js'

const ONE = process.env.WRITERS_SEED
const SCHEDULES = 500

it.skipIf(ONE === undefined)(`writers of seed ${ONE} keep every promise`, async () => {
  expect((await runManyWriters(Number(ONE))).problems).toEqual([])
})

it.skipIf(ONE !== undefined)(
  'writers on one bucket keep every promise, whatever becomes of their requests',
  { timeout: 300_000 },
  async () => {
    let finished = 0
    for (let seed = 1; seed <= SCHEDULES; seed++) {
      const { problems, totals } = await runManyWriters(seed)
      if (problems.length > 0) expect.fail(`WRITERS_SEED=${seed} tells it again:\n${problems.join('\n')}`)
      finished += totals.finishedForOthers
    }
    expect(finished).toBeGreaterThan(0)
  },
)

it.skipIf(ONE !== undefined)('a seed does the same thing every time', async () => {
  for (const seed of [2, 7, 18]) expect(await runManyWriters(seed)).toEqual(await runManyWriters(seed))
})

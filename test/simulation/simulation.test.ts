import { afterAll, beforeAll, expect, it } from 'vitest'
import { failureOf, failureText } from './explain.js'
import { prepareSimulation, runSchedule } from './run-schedule.js'
import { type Action, HOUR_MS, type Life, type Row, type Schedule, scheduleOf, scheduleText } from './schedule.js'

/**
 * Schedules of drops, decisions, crashes, faults, clock jumps and slow disks, each made from a seed (schedule.ts) and judged by a small model of
 * its own (model.ts). `SIMULATION_SEED=123` runs one seed and tells its schedule; `npm run simulate -- --schedules 1000000` runs more of them.
 */
const ONE = process.env.SIMULATION_SEED
const SCHEDULES = 1000
const PARTS = 10

let restore = (): void => {}
beforeAll(async () => {
  restore = await prepareSimulation()
})
afterAll(() => restore())

it.skipIf(ONE === undefined)(`seed ${ONE} keeps every promise`, { timeout: 120_000 }, async () => {
  const schedule = scheduleOf(Number(ONE))
  process.stderr.write(`${scheduleText(schedule)}\n`)
  const { problems } = await runSchedule(schedule)
  expect(problems, failureText(schedule, problems)).toEqual([])
})

it
  .skipIf(ONE !== undefined)
  .each(Array.from({ length: PARTS }, (_, part) => [part * (SCHEDULES / PARTS) + 1, (part + 1) * (SCHEDULES / PARTS)]))(
  'the schedules of seeds %i to %i keep every promise',
  { timeout: 300_000 },
  async (from, to) => {
    for (let seed = from; seed <= to; seed++) {
      const failure = await failureOf(seed, (await runSchedule(scheduleOf(seed))).problems)
      if (failure !== null) expect.fail(failure)
    }
  },
)

it.skipIf(ONE !== undefined)('a seed does the same thing every time, operation for operation', async () => {
  for (const seed of [3, 14, 15, 92, 65]) {
    const [first, second] = [await runSchedule(scheduleOf(seed)), await runSchedule(scheduleOf(seed))]
    expect(second).toEqual(first)
    expect(first.totals.operations).toBeGreaterThan(0)
  }
})

const QUIET: Life = { before: [], form: 'once', during: [], faults: [], cut: { mode: 'nothing', seed: 0 }, slow: null, stopMs: 0 }
const ROW: Row = { id: 1, hole: 'h1', note: 'x', fault: 'none' }
const FIRST: Action = {
  kind: 'put',
  path: 'one/a.csv',
  content: { rows: [ROW], form: 'plain', header: 'whole' },
  how: 'renamed',
  sidecars: 'none',
}

it.skipIf(ONE !== undefined)('a request is carried out once, whenever the process dies, and although the clock goes back', async () => {
  let killed = 0
  for (let at = 8; at < 40; at += 2) {
    const schedule: Schedule = {
      seed: at,
      settleMs: 0,
      lives: [
        { ...QUIET, before: [FIRST] },
        {
          ...QUIET,
          before: [
            { kind: 'requeue', number: 0, nth: 0, force: true },
            { kind: 'jump', ms: -3 * HOUR_MS },
          ],
          faults: [{ kind: 'kill', at }],
        },
      ],
    }
    const { problems, totals } = await runSchedule(schedule)
    expect(problems, failureText(schedule, problems)).toEqual([])
    killed += totals.kills
  }
  expect(killed).toBeGreaterThan(10)
})

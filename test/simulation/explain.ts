import { runSchedule } from './run-schedule.js'
import { type Schedule, scheduleOf, scheduleText, smallerSchedules } from './schedule.js'

/** How to run it again, what happens in it, and what it broke. */
export function failureText(schedule: Schedule, problems: readonly string[]): string {
  return [`SIMULATION_SEED=${schedule.seed} npx vitest run test/simulation`, ...problems.slice(0, 12), scheduleText(schedule)].join('\n')
}

/** The same failure with less in it: things are left out one by one for as long as something is still broken. */
export async function smaller(schedule: Schedule, mostRuns = 200): Promise<{ schedule: Schedule; problems: readonly string[] }> {
  let best = { schedule, problems: (await runSchedule(schedule)).problems }
  let runs = 0
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false
    for (const candidate of smallerSchedules(best.schedule)) {
      if (runs++ >= mostRuns) return best
      const { problems } = await runSchedule(candidate)
      if (problems.length === 0) continue
      best = { schedule: candidate, problems }
      isSmaller = true
      break
    }
  }
  return best
}

/** null: every promise is kept. Else what to tell, the schedule made as small as it comes. */
export async function failureOf(seed: number, problems: readonly string[]): Promise<string | null> {
  if (problems.length === 0) return null
  const less = await smaller(scheduleOf(seed))
  return `${failureText(scheduleOf(seed), problems)}\n\nWith less in it:\n${[...less.problems.slice(0, 12), scheduleText(less.schedule)].join('\n')}`
}

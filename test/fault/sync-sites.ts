import type { Operation } from './disk-files.js'
import { type Ready, runTrial, type Trial, type TrialOptions } from './trial.js'

/** Which fsync of the protocol this is: what is synced, and from where. Read off the stack, so that a new one makes itself known. */
export function syncSiteOf(operation: Operation): string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 40
  const stack = (new Error().stack ?? '').split('\n')
  Error.stackTraceLimit = limit
  const callers = stack.filter((line) => line.includes('/src/') && !line.includes('node_modules'))
  // Group commits lose their caller; what they sync says enough.
  const isShared = callers.some((line) => line.includes('/runtime/shared-sync'))
  const own = callers.find((line) => !line.includes('/src/runtime/'))
  const name = /at (?:async )?(?:Object\.)?([^ ]+) \(/.exec(own ?? '')?.[1] ?? 'unknown'
  return `${operation.name === 'fileSync' ? 'file' : 'folder'} ${kindOfPath(operation.path)} by ${isShared ? 'group commit' : name}`
}

const DROP_ID = /\d{8}T\d{9}Z-\d{6}-[0-9a-f]{16}/g

/** A path without what differs from run to run. */
export function kindOfPath(path: string): string {
  return path
    .replace('/ws', '')
    .replace(/\/store\/staging\/[^/]+\.tmp$/, '/store/staging/TX.tmp')
    .replace(/\/store\/staging\/[^/]+/, '/store/staging/TX')
    .replace(/\/store\/records\/(?!$).*\/metadata\.json/, '/store/records/R/metadata.json')
    .replace(/\/store\/records\/.+\/versions$/, '/store/records/R/versions')
    .replace(/\/store\/records\/(?!R\/)[^/]+(\/[^/]+)?$/, '/store/records/R')
    .replace(/\/inbox\/.*/, '/inbox/FOLDER')
    .replace(/\/quarantine\/\d[^/]*/, '/quarantine/DROP')
    .replace(/\/\d{4}-\d{2}-\d{2}/, '/DAY')
    .replace(DROP_ID, 'DROP')
}

/** Every fsync that the trials of these scenarios come by. */
export async function sitesOf(ready: Ready, options: Omit<TrialOptions, 'skipsSync'>): Promise<Set<string>> {
  const sites = new Set<string>()
  await runTrial(ready, {
    ...options,
    skipsSync: (operation) => {
      sites.add(syncSiteOf(operation))
      return false
    },
  })
  return sites
}

/** A trial in which one fsync does nothing. */
export function trialWithout(ready: Ready, site: string, options: Omit<TrialOptions, 'skipsSync'>): Promise<Trial> {
  return runTrial(ready, { ...options, skipsSync: (operation) => syncSiteOf(operation) === site })
}

/**
 * Every event the daemon logs: `noun.verb` in the past tense, one for each fact. The names are API (people filter and alert on them);
 * this list is closed, and README shows it. The texts say when an event is logged.
 */
export const EVENTS = {
  'daemon.started': 'The daemon holds the lock and begins to look at the inbox.',
  'daemon.limited': 'The process may have so few files open that fewer drops are taken at once than the configuration says.',
  'daemon.recovered': 'What an earlier run left unfinished was finished or undone.',
  'daemon.draining': 'The first signal came: work at hand is finished, nothing new is begun.',
  'daemon.stopped': 'Everything at hand is finished; the lock is free.',
  'daemon.failed': 'An error ended the daemon; recovery takes over at the next start.',
  'output.lost': 'Nobody took the log or the results for a while: so many lines were left out, and the work went on.',
  'config.table_unknown': 'A source names a table that config/tables does not hold.',
  'intake.paused': 'No new drops are taken for now, for the reason given.',
  'intake.resumed': 'Drops are taken again.',
  'inbox.scanned': 'A scan of the inbox ended (debug).',
  'inbox.watch_failed': 'Hints from the operating system stopped; scans go on and find everything.',
  'inbox.missing': 'The folder that is watched is gone; scans go on until it is back.',
  'inbox.found': 'The folder that was gone is back.',
  'claim.stranded': 'What an earlier run took cannot be gone on with by itself; it is kept, and a person should look.',
  'drop.waiting': 'A file is there but not taken yet, for the reason given.',
  'drop.claimed': 'A drop was taken from the inbox for good.',
  'drop.returned': 'A file changed while or after it was taken, and went back as a new drop.',
  'drop.requeued': 'An archived or quarantined original was put back into the inbox by a person.',
  'drop.converted': 'All rows of a drop were read, checked and staged.',
  'drop.committed': 'Every record of a drop has its version.',
  'drop.partial': 'Some records of a drop have their version, others were quarantined.',
  'drop.duplicate': 'The same bytes as the current version came again: no version.',
  'drop.unchanged': 'Other bytes, same content as the current version: no version.',
  'drop.superseded': 'The bytes are those of an older version: no version, a person should look.',
  'drop.quarantined': 'A drop could not become a version; its report says why.',
  'drop.suspected': 'A thread or a process that converted a drop stopped or hung: the drop is converted again, alone.',
  'drop.aborted': 'Work on a drop was stopped before it was done; it is taken up again at the next start.',
  'record.created': 'A record has its first version.',
  'record.updated': 'A record has a new version.',
  'record.quarantined': 'One record of a drop was held back; the others went on.',
  'decision.claimed': 'A decision was taken from decisions/.',
  'decision.applied': 'A version was approved or rejected.',
  'decision.repeated': 'The same decision had been applied before: nothing changed.',
  'decision.refused': 'A decision does not count, for the code given; the record was left alone.',
  'keyring.changed': 'The keyring has a new version.',
  'keyring.refused': 'The keyring cannot be used; decisions are refused until it is mended.',
  'store.opened': 'The store was opened for writing.',
  'store.recovered': 'A staged commit was finished or undone.',
  'store.orphan_found': 'A version file that no plan and no history names was moved aside.',
  'store.failed': 'The store refused a write; nothing is acknowledged after that.',
  'receipt.written': 'A receipt is durable (debug).',
  'request.refused': 'A request file in state/requests could not be understood.',
} as const

export type EventName = keyof typeof EVENTS

export function isEventName(text: string): text is EventName {
  return Object.hasOwn(EVENTS, text)
}

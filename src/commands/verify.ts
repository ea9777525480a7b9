import { shareOfDay } from '../core/audit-share.js'
import type { Keyring } from '../decisions/keyring.js'
import { keyringRefusal, loadKeyring, loadKeyringSeen } from '../decisions/keyring.js'
import { verifyStoredDecision } from '../decisions/verify-decision.js'
import { isIntakeError } from '../errors.js'
import { printable } from '../runtime/printable.js'
import { auditStore } from '../store/audit.js'
import type { CommandContext } from './context.js'
import { EXIT, note, printJson } from './context.js'
import { ProgressLine } from './progress.js'
import { bytesText, countText, plural } from './text-table.js'

/**
 * Recomputes every hash, checks history chains, decision signatures, anchors and what does not belong, in the whole store or in some records.
 * Reads only, works beside a daemon. Of a subset only the bytes of the day's share of versions are read; everything else is checked all the
 * same, and after as many days as the share needs to be the whole every version was read once. Exit status 3 when there are findings, warnings included.
 */
export async function verify(
  context: CommandContext,
  options: { recordIds: readonly string[]; subsetPercent?: number | undefined },
): Promise<number> {
  const { paths } = await context.workspace()
  const { keyring, warning } = await keyringAtHand(context, paths)
  if (warning !== null) context.stderr.write(`warning ${warning}\n`)
  const share = options.subsetPercent === undefined ? null : shareOfDay(options.subsetPercent, context.clock.nowMs())
  const progress = new ProgressLine(context)
  let done = 0
  const report = await auditStore({
    files: context.files,
    root: paths.store,
    ...(options.recordIds.length > 0 ? { recordIds: options.recordIds } : {}),
    ...(share === null ? {} : { share }),
    checkDecision: (request) => verifyStoredDecision(keyring === null ? request : { ...request, keyring }),
    onRecord: (recordId) => {
      done++
      progress.update(() => `${plural(done, 'record')} checked  ${recordId}`)
    },
    signal: context.signal,
  })
  progress.clear()
  if (context.json) printJson(context, report)
  else {
    for (const f of report.findings) {
      const where = [f.record_id, f.version === null ? null : `version ${f.version}`, f.key].filter((part) => part !== null).join(', ')
      context.stdout.write(
        `${f.severity} ${f.code}${where === '' ? '' : ` (${printable(where)})`}: ${printable(f.message)}\n  hint: ${f.hint}\n`,
      )
    }
    const errors = report.findings.filter((f) => f.severity === 'error').length
    const verdict =
      report.findings.length === 0 ? 'nothing found' : `${plural(errors, 'error')}, ${plural(report.findings.length - errors, 'warning')}`
    context.stdout.write(
      `${plural(report.records, 'record')}, ${plural(report.versions, 'version')} (${bytesText(report.bytes)}), ${plural(report.decisions, 'signed decision')}, ${countText(report.anchors)} anchors: ${verdict}\n`,
    )
  }
  if (!context.json && share !== null)
    note(
      context,
      `Read ${countText(report.versions_read)} of them: share ${share.turn + 1} of ${share.turns}. A share a day reads every version within ${plural(share.turns, 'day')}.`,
    )
  else if (!context.json && report.findings.length === 0) note(context, 'Every hash, chain and signature holds.')
  return report.findings.length === 0 ? EXIT.done : EXIT.findings
}

/**
 * An audit needs no keyring: entries carry their keys. One that cannot be read, is older than the one seen last, or was changed without a new
 * version, is told and not used, and does not stop the audit.
 */
async function keyringAtHand(
  { files }: CommandContext,
  paths: { readonly keyring: string; readonly keyringState: string },
): Promise<{ keyring: Keyring | null; warning: string | null }> {
  if ((await files.stat(paths.keyring)) === null) return { keyring: null, warning: null }
  try {
    const keyring = await loadKeyring(files, paths.keyring)
    const refused = keyringRefusal(keyring, await loadKeyringSeen(files, paths.keyringState), paths.keyring)
    if (refused !== null) throw refused
    return { keyring, warning: null }
  } catch (error) {
    if (!isIntakeError(error, 'KEYRING_INVALID') && !isIntakeError(error, 'KEYRING_ROLLED_BACK')) throw error
    return { keyring: null, warning: `${error.code}: ${error.message}; keys are checked as the history keeps them` }
  }
}

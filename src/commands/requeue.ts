import { join } from 'node:path'
import { isDropId } from '../core/drop-id.js'
import type { Receipt } from '../documents/receipt.js'
import type { Request } from '../documents/request.js'
import { IntakeError } from '../errors.js'
import { Filing } from '../inbox/filing.js'
import { isoTime } from '../runtime/clock.js'
import { replaceFile } from '../runtime/files.js'
import { SharedSync } from '../runtime/shared-sync.js'
import { isLocked } from '../store/lock.js'
import { type CommandContext, EXIT, note, printJson } from './context.js'

const WAIT_MS = 10_000
const LOOK_MS = 100

/** `requeue DROP [--force]`: asks the daemon to take the original of a drop again. Nothing is moved or removed by that. */
export async function requeue(context: CommandContext, options: { dropId: string; force: boolean }): Promise<number> {
  const { files, clock } = context
  const { paths } = await context.workspace()
  if (!isDropId(options.dropId)) throw new IntakeError('USAGE', `${JSON.stringify(options.dropId)} is not a drop-id`)
  const filing = new Filing({
    files,
    sync: new SharedSync(files),
    roots: { workspace: paths.root, archive: paths.archive, quarantine: paths.quarantine, receipts: paths.receipts },
  })
  if ((await filing.findOriginal(options.dropId)) === null) {
    throw new IntakeError('DROP_NOT_FOUND', `Neither archive/ nor quarantine/ holds the original of ${options.dropId}`)
  }
  const request: Request = {
    format: 1,
    kind: 'requeue',
    drop_id: options.dropId,
    force: options.force,
    requested_at: isoTime(clock.nowMs()),
  }
  const path = join(paths.requests, `${context.randomUuid()}.json`)
  await replaceFile(files, path, Buffer.from(`${JSON.stringify(request, null, 2)}\n`), { temporary: `${path}.tmp` })
  await files.syncDirectory(paths.requests)
  if (!(await isLocked(join(paths.store, 'lock')))) {
    if (context.json) printJson(context, { drop_id: options.dropId, requested: true, receipt: null })
    else context.stdout.write(`${options.dropId}: no daemon runs; it is taken again when one starts\n`)
    return EXIT.done
  }
  const receipt = await waitForReceipt(context, filing, request)
  if (context.json) printJson(context, { drop_id: options.dropId, requested: true, receipt })
  else if (receipt === null)
    note(context, `${options.dropId}: requested; no receipt within ${WAIT_MS / 1000} s, \`parquet-intake status\` shows how far it is`)
  else
    context.stdout.write(
      `${options.dropId} → ${receipt.drop_id}: ${receipt.outcome}${receipt.message === null ? '' : `: ${receipt.message}`}\n`,
    )
  return receipt === null
    ? EXIT.notFinished
    : receipt.outcome === 'quarantined' || receipt.outcome === 'superseded'
      ? EXIT.findings
      : receipt.outcome === 'refused'
        ? EXIT.refused
        : EXIT.done
}

async function waitForReceipt(context: CommandContext, filing: Filing, request: Request): Promise<Receipt | null> {
  const sinceMs = Date.parse(request.requested_at) - 60_000
  const deadline = context.clock.monotonicMs() + WAIT_MS
  while (context.clock.monotonicMs() < deadline && !context.signal.aborted) {
    for await (const receipt of filing.listReceipts({ sinceMs })) {
      const sameWish = receipt.kind === 'decision' || receipt.force === request.force
      if (receipt.requeue_of === request.drop_id && receipt.received_at >= request.requested_at && sameWish) return receipt
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return null
}

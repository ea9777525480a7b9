import { describe, expect, it } from 'vitest'
import { isIntakeError, systemCodeOf } from '../../src/errors.js'
import { checkInvariants } from '../support/check-invariants.js'
import type { Operation } from './disk-files.js'
import { SCENARIOS } from './scenarios.js'
import { readyFor } from './trial.js'
import { live, ROOT } from './world.js'

/** A failed fsync is final (DESIGN §8, "Failure"): not made again on the same file, nothing acknowledged that needed it, the daemon ends. */

describe.each(SCENARIOS)('$name: after a failed fsync', (scenario) => {
  it('the daemon ends with an error, the file is not synced again, and what was acknowledged is durable', async () => {
    const ready = await readyFor(scenario)
    for (let at = 1; ; at++) {
      const disk = ready.disk.copy()
      const syncs: Operation[] = []
      let afterFailure: Operation[] | null = null
      const run = await live(disk, ready.lives, {
        faults: [{ kind: 'abort', at }],
        onOperation: (operation) => {
          if (operation.name !== 'fileSync' && operation.name !== 'syncDirectory') return
          if (afterFailure === null && syncs.push(operation) === at) afterFailure = []
          else afterFailure?.push(operation)
        },
      })
      if (run.files.struck.length === 0) {
        expect(run.outcome).not.toBeNull()
        break
      }
      const { operation } = run.files.struck[0]!
      const told = `fsync ${at} of ${operation.path}`
      expect(run.outcome, told).toBeNull()
      // Others in flight may meet the disk that takes no more changes before the failure is told.
      const isEnd = isIntakeError(run.error, 'FSYNC_FAILED') || systemCodeOf(run.error) === 'EROFS'
      expect(isEnd, `${told}: ${String(run.error)}`).toBe(true)
      expect(afterFailure!.filter((later) => later.path === operation.path).length, `${told} was made again`).toBe(0)
      const after = disk.afterPowerCut({ mode: 'nothing', seed: at })
      for (const receipt of run.receipts) {
        const path = `receipts/${receipt.drop_id.slice(0, 4)}-${receipt.drop_id.slice(4, 6)}-${receipt.drop_id.slice(6, 8)}/${receipt.drop_id}.json`
        expect(after.reader(ROOT).read(path), `${told}: acknowledged ${receipt.path}`).not.toBeNull()
      }
      expect(checkInvariants(after.reader(ROOT), ready.seen).findings, told).toEqual([])
    }
  })
})

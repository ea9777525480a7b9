import { keptTable } from '../src/convert/kept-tables.js'
import { runLane, runVerify } from '../src/convert/lane.js'
import type { PoolResult, PoolTask } from '../src/convert/lane-protocol.js'
import { workerFiles } from '../src/runtime/files.js'

/** Asking the loader each time takes a part of what a small file does. */
let converting: Promise<typeof import('../src/convert/convert-source.js')> | null = null

/** The Piscina entry: one task, one result, nothing thrown but defects. */
export default async function work(task: PoolTask): Promise<PoolResult> {
  switch (task.kind) {
    case 'convert': {
      // A thread that only takes lanes of a large file does not need it, and has its first part the sooner.
      converting ??= import('../src/convert/convert-source.js')
      const { convertSource } = await converting
      const table = keptTable(task.tableText, task.request.tableName)
      const request = { ...task.request, tableDocument: table.document }
      return convertSource(request, { files: workerFiles, plainText: task.plainText, table })
    }
    case 'lane':
      return runLane(task, workerFiles)
    case 'split': {
      const { runSplit } = await import('../src/convert/split-lane.js')
      return runSplit(task, workerFiles)
    }
    case 'gather': {
      const { runGather } = await import('../src/convert/gather-lane.js')
      return runGather(task, workerFiles)
    }
    case 'verify':
      return runVerify(task, workerFiles)
  }
}

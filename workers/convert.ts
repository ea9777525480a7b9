import { convertSource } from '../src/convert/convert-source.js'
import { runLane, runVerify } from '../src/convert/lane.js'
import type { PoolResult, PoolTask } from '../src/convert/lane-protocol.js'
import { nodeFiles } from '../src/runtime/files.js'

/** The Piscina entry: one task, one result, nothing thrown but defects. */
export default function work(task: PoolTask): Promise<PoolResult> {
  switch (task.kind) {
    case 'convert':
      return convertSource(task.request, { files: nodeFiles, plainText: task.plainText })
    case 'lane':
      return runLane(task, nodeFiles)
    case 'verify':
      return runVerify(task, nodeFiles)
  }
}

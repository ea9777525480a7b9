import type { Files } from '../runtime/files.js'
import { runGather } from './gather-lane.js'
import type { KernelForm } from './kernel-loans.js'
import type { NotOnLanes } from './large-file.js'
import type { ConvertDone, ConvertRequest } from './protocol.js'
import { convertSplitFile } from './split-file.js'
import { runSplit } from './split-lane.js'
import type { SplitSizes } from './split-sizes.js'

/** `convertSplitFile` with all of its work in this thread. The table's document was checked. */
export function convertSplitHere(
  request: ConvertRequest,
  options: {
    readonly files: Files
    readonly signal?: AbortSignal
    readonly kernels?: KernelForm
    readonly splitSizes?: Partial<SplitSizes>
  },
): Promise<ConvertDone | NotOnLanes> {
  const { files, kernels, splitSizes, signal } = options
  return convertSplitFile(request, {
    files,
    lanes: 1,
    inThread: true,
    runSplit: (task) => runSplit(task, files, kernels),
    runGather: (task) => runGather(task, files, kernels),
    ...(kernels === undefined ? {} : { kernels }),
    ...(splitSizes === undefined ? {} : { sizes: splitSizes }),
    ...(signal === undefined ? {} : { signal }),
  })
}

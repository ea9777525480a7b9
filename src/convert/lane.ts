import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { takeVector } from '../columns/kernel-column.js'
import { IntakeError } from '../errors.js'
import type { Kernels } from '../kernels/kernels.js'
import { encodeRowGroup } from '../parquet/encode-row-group.js'
import { fileSource } from '../parquet/read-file.js'
import { verifyPart } from '../parquet/verify-parts.js'
import type { Files, OpenFile } from '../runtime/files.js'
import { buildTable } from '../tables/build-table.js'
import { failureOf } from './failure.js'
import { borrowKernels, returnKernels } from './kernel-loans.js'
import { keyHashes } from './key-index.js'
import {
  CELLS_KNOWN,
  CUT,
  CUT_TO_END,
  LANE_ENDS,
  type LaneResult,
  type LaneTask,
  NEXT_CELL,
  NEXT_PART,
  type PartMade,
  STOP,
  type VerifyResult,
  type VerifyTask,
  WRITTEN,
} from './lane-protocol.js'
import { PartReader, type PlainTextPlan, planPlainText } from './plain-text-source.js'
import { sampleColumns } from './sample-columns.js'

/** What a part usually takes of the kernels' memory. */
const LANE_BYTES = 32 << 20
/** How long a lane sleeps at most before it looks again; it is woken earlier. */
const LOOK_MS = 50

/**
 * One worker's share of a large file. A part's rows are counted and told as soon as it is read, for lanes behind it need to know where their
 * rows stand in the file; every part below the one a lane waits for is taken already, so nobody waits for ever.
 */
export async function runLane(task: LaneTask, files: Files): Promise<LaneResult> {
  const { request, control, port } = task
  try {
    const table = buildTable(request.tableDocument, request.tableName)
    const file = await files.openRead(request.sourcePath, { follow: true })
    if (file === null) throw new IntakeError('IO_FAILED', `${request.sourcePath} does not exist`)
    const kernels = await borrowKernels()
    const mark = kernels.mark()
    try {
      const planned = await planPlainText(request, table, file, task.sizeBytes)
      if (planned === null) return unclear(control)
      if (!(await findDirect(task, kernels, planned, file))) return { status: 'done' }
      const direct = new Set(Array.from(task.direct.keys()).filter((position) => task.direct[position] === 1))
      const plan = { ...planned, chunk: { ...planned.chunk, direct } }
      kernels.reserve(LANE_BYTES)
      const reader = new PartReader(kernels, plan, file)
      // What a part comes to, by those before it.
      let packed = Math.ceil(plan.partBytes / 2)
      for (;;) {
        const part = Atomics.add(control, NEXT_PART, 1)
        if (!waitForCut(control, part)) return { status: 'done' }
        const to = task.ends[part]!
        const chunk = await reader.read({ from: part === 0 ? plan.dataStart : task.ends[part - 1]!, to })
        if (Atomics.load(control, STOP) !== 0) return { status: 'done' }
        if (chunk === null) return unclear(control)
        tell(task.rows, part, chunk.rows)
        const keys = keyHashes(table, (column) => takeVector(kernels, chunk.columns[column]!), new Uint32Array(chunk.rows))
        if (keys === null) return unclear(control)
        const group =
          chunk.rows === 0
            ? null
            : encodeRowGroup(
                kernels,
                chunk.columns,
                request.compression,
                roomFrom(port) ?? packed,
                () => sumBefore(task.rows, part, control),
                { endsFile: to === task.sizeBytes, digested: request.verify === 'full' },
              )
        packed = Math.max(packed, Math.ceil((group?.bytes.length ?? 0) * 1.1))
        waitForWriter(control, part, task.partsAhead)
        const made: PartMade = { part, to, blank: chunk.blank, group, keys }
        port.postMessage(made, [...(group === null ? [] : [group.bytes.buffer]), ...keys.map((of) => of.buffer as ArrayBuffer)])
      }
    } finally {
      kernels.release(mark)
      returnKernels(kernels)
      await file.close()
    }
  } catch (error) {
    if (error instanceof RangeError) return unclear(control)
    Atomics.store(control, STOP, 1)
    return failureOf(error)
  } finally {
    // Closing the port would wait for a turn of the event loop, and a pooled worker sleeps without one between tasks.
    port.postMessage(LANE_ENDS)
  }
}

/** Decodes one part of a finished file. */
export async function runVerify(task: VerifyTask, files: Files): Promise<VerifyResult> {
  try {
    const file = await files.openRead(task.path)
    if (file === null) throw new IntakeError('VERIFY_MISMATCH', `${task.path} vanished before it could be verified`)
    try {
      return { status: 'done', digests: await verifyPart(await fileSource(file), task.layout, task.part) }
    } finally {
      await file.close()
    }
  } catch (error) {
    return failureOf(error)
  }
}

/** Takes some cells after others, and at last waits for those that other lanes took. False: the work is at its end. */
async function findDirect(task: LaneTask, kernels: Kernels, plan: PlainTextPlan, file: OpenFile): Promise<boolean> {
  const { control, direct, lanes } = task
  const { width } = plan.chunk
  // Each look goes through the same text again, so there are few.
  const step = Math.ceil(width / (lanes * 2))
  for (let from = Atomics.add(control, NEXT_CELL, step); from < width; from = Atomics.add(control, NEXT_CELL, step)) {
    const to = Math.min(from + step, width)
    for (const position of await sampleColumns(kernels, plan, file, [from, to])) direct[position] = 1
    Atomics.add(control, CELLS_KNOWN, to - from)
    Atomics.notify(control, CELLS_KNOWN)
  }
  for (let known = Atomics.load(control, CELLS_KNOWN); known < width; known = Atomics.load(control, CELLS_KNOWN)) {
    if (Atomics.load(control, STOP) !== 0) return false
    Atomics.wait(control, CELLS_KNOWN, known, LOOK_MS)
  }
  return true
}

function unclear(control: Int32Array): LaneResult {
  Atomics.store(control, STOP, 1)
  return { status: 'unclear' }
}

/** False: there is no such part, or the work is at its end. */
export function waitForCut(control: Int32Array, part: number): boolean {
  for (;;) {
    if (Atomics.load(control, STOP) !== 0) return false
    // In this order: the last part is counted before its end is told.
    const isWhole = Atomics.load(control, CUT_TO_END) !== 0
    const cut = Atomics.load(control, CUT)
    if (part < cut) return true
    if (isWhole) return false
    Atomics.wait(control, CUT, cut, LOOK_MS)
  }
}

/** Says a number about a part, which those behind it wait for. */
function tell(numbers: Int32Array, part: number, value: number): void {
  Atomics.store(numbers, part, value + 1)
  Atomics.notify(numbers, part)
}

/** The sum of what was told about the parts before this one: how many rows stand before it. */
function sumBefore(numbers: Int32Array, part: number, control: Int32Array): number {
  let sum = 0
  for (let p = 0; p < part; p++) {
    let told = Atomics.load(numbers, p)
    while (told === 0) {
      if (Atomics.load(control, STOP) !== 0) return 0
      Atomics.wait(numbers, p, 0, LOOK_MS)
      told = Atomics.load(numbers, p)
    }
    sum += told - 1
  }
  return sum
}

/** An array of an earlier part, written by now, to be used again: a new one each time would wait for the garbage collector. */
function roomFrom(port: MessagePort): ArrayBuffer | null {
  return (receiveMessageOnPort(port)?.message as ArrayBuffer | undefined) ?? null
}

function waitForWriter(control: Int32Array, part: number, partsAhead: number): void {
  for (;;) {
    const written = Atomics.load(control, WRITTEN)
    if (part < written + partsAhead || Atomics.load(control, STOP) !== 0) return
    Atomics.wait(control, WRITTEN, written, LOOK_MS)
  }
}

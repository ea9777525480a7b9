import type { ColumnVector, Values } from '../columns/vector.js'
import { IntakeError } from '../errors.js'
import { type EncodedColumnChunk, encodeColumn } from '../parquet/encode-column.js'
import { encodeKernels } from '../parquet/encode-kernels.js'
import { fileSource } from '../parquet/read-file.js'
import { verifyPart } from '../parquet/verify-parts.js'
import type { Files } from '../runtime/files.js'
import { compileTable } from '../tables/schema.js'
import { failureOf } from './failure.js'
import { borrowKernels, returnKernels } from './kernel-loans.js'
import {
  LANE_ENDS,
  type LaneResult,
  type LaneTask,
  NEXT_PART,
  type PartMade,
  STOP,
  type VerifyResult,
  type VerifyTask,
  WRITTEN,
} from './lane-protocol.js'
import { PlainTextChunks, planPlainText } from './plain-text-source.js'

/** How long a lane sleeps at most before it looks again; it is woken earlier. */
const LOOK_MS = 50

/**
 * One worker's share of a large file. A part's quotes are counted and told before anything else, so that lanes behind it know whether they
 * begin inside quotes; every part below the one a lane waits for is taken already, so nobody waits for ever.
 */
export async function runLane(task: LaneTask, files: Files): Promise<LaneResult> {
  const { request, control, parities, port } = task
  try {
    const table = compileTable(request.tableDocument, request.tableName)
    const file = await files.openRead(request.sourcePath, { follow: true })
    if (file === null) throw new IntakeError('IO_FAILED', `${request.sourcePath} does not exist`)
    const kernels = await borrowKernels()
    const mark = kernels.mark()
    try {
      const { sizeBytes } = await file.stat()
      const planned = await planPlainText(request, table, file, sizeBytes)
      if (planned === null) return unclear(control)
      const plan = { ...planned, chunkBytes: task.chunkBytes }
      const chunks = new PlainTextChunks(kernels, plan, file)
      const pageKernels = await encodeKernels()
      for (;;) {
        const part = Atomics.add(control, NEXT_PART, 1)
        if (part >= task.parts || Atomics.load(control, STOP) !== 0) return { status: 'done' }
        const from = plan.dataStart + part * plan.chunkBytes
        const to = Math.min(from + plan.chunkBytes, sizeBytes)
        const made = await chunks.readPart({ from, to, first: part === 0 }, (own) => {
          Atomics.store(parities, part, own + 1)
          Atomics.notify(parities, part)
          return insideBefore(parities, part, control)
        })
        if (Atomics.load(control, STOP) !== 0) return { status: 'done' }
        if (made === null) return unclear(control)
        const encoded =
          made.rows === 0
            ? []
            : made.vectors.map((vector) => own(encodeColumn(vector, { compression: request.compression, kernels: pageKernels })))
        waitForWriter(control, part, task.partsAhead)
        const message: PartMade = {
          part,
          begin: made.begin,
          next: made.next,
          rows: made.rows,
          blank: made.blank,
          vectors: made.vectors,
          encoded,
        }
        port.postMessage(message, buffersOf(message))
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

function unclear(control: Int32Array): LaneResult {
  Atomics.store(control, STOP, 1)
  return { status: 'unclear' }
}

/** Whether the text before a part ends inside quotes: the sum of the parts before it. */
function insideBefore(parities: Int32Array, part: number, control: Int32Array): 0 | 1 {
  let inside = 0
  for (let p = 0; p < part; p++) {
    let told = Atomics.load(parities, p)
    while (told === 0) {
      if (Atomics.load(control, STOP) !== 0) return 0
      Atomics.wait(parities, p, 0, LOOK_MS)
      told = Atomics.load(parities, p)
    }
    inside ^= told - 1
  }
  return inside === 0 ? 0 : 1
}

function waitForWriter(control: Int32Array, part: number, partsAhead: number): void {
  for (;;) {
    const written = Atomics.load(control, WRITTEN)
    if (part < written + partsAhead || Atomics.load(control, STOP) !== 0) return
    Atomics.wait(control, WRITTEN, written, LOOK_MS)
  }
}

/** Pages may be views of larger, shared buffers, which must not be given away. */
function own(chunk: EncodedColumnChunk): EncodedColumnChunk {
  return { ...chunk, parts: chunk.parts.map((part) => (part.byteLength === part.buffer.byteLength ? part : Uint8Array.from(part))) }
}

/** Every buffer of a message once: they are handed over, not copied. */
function buffersOf(message: PartMade): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>()
  const add = (view: { readonly buffer: ArrayBufferLike }): void => void buffers.add(view.buffer)
  const addValues = (values: Values): void => {
    add(values.data)
    if (values.physical === 'BYTE_ARRAY') add(values.offsets)
  }
  for (const vector of message.vectors as readonly ColumnVector[]) {
    add(vector.validity)
    if (vector.form === 'plain') addValues(vector.values)
    else {
      add(vector.codes)
      addValues(vector.dictionary)
    }
  }
  for (const chunk of message.encoded) for (const part of chunk.parts) add(part)
  return [...buffers] as ArrayBuffer[]
}

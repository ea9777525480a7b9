import { isMainThread, Worker } from 'node:worker_threads'
import type { FromChild, ToChild } from '../src/convert/child-messages.js'
import { convertSource } from '../src/convert/convert-source.js'
import { nodeFiles, workerFiles } from '../src/runtime/files.js'

/** How often the parent is looked for, in milliseconds: shorter than any start of a daemon that could take the drop up again. */
const PARENT_MS = 100

/**
 * The process that converts one suspected drop alone: one request, one result. It may hang, run out of memory or be aborted by a library, so
 * nothing here relies on a loop that turns: a thread beside it ends the process when the parent is gone.
 */
if (isMainThread) await convertAlone()
else watchParent()

async function convertAlone(): Promise<void> {
  // A terminal sends its signals to the whole group; the parent decides what becomes of this process.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  // When memory runs out this process is the one to go.
  await preferredVictim().catch(() => {})
  const watch = new Worker(new URL(import.meta.url))
  watch.unref()
  process.on('message', ({ request }: ToChild) => {
    void convertSource(request, { files: workerFiles }).then((result) => send({ kind: 'result', result }))
  })
  process.on('disconnect', () => process.exit(1))
  send({ kind: 'ready' })
}

function send(message: FromChild): void {
  process.send!(message)
}

/** proc(5), oom_score_adj: from -1000 to 1000; raising it needs no rights. */
async function preferredVictim(): Promise<void> {
  const file = await nodeFiles.overwrite('/proc/self/oom_score_adj')
  try {
    await file.write(Buffer.from('1000'))
  } finally {
    await file.close()
  }
}

function watchParent(): void {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
  }, PARENT_MS)
}

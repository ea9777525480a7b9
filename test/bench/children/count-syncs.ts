import { writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** Preloaded into a process whose fsyncs are counted, in all of its threads: each writes one byte to descriptor 4. */
const file = await open(process.execPath)
const handles = Object.getPrototypeOf(file) as Pick<FileHandle, 'sync' | 'datasync'>
await file.close()
for (const name of ['sync', 'datasync'] as const) {
  const original = handles[name]
  handles[name] = function counted(this: FileHandle): Promise<void> {
    writeSync(4, '.')
    return original.call(this)
  }
}

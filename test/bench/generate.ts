import { open } from 'node:fs/promises'
import { Random } from './random.js'
import { RowBuffer } from './row-buffer.js'
import { mixed } from './shapes/mixed.js'
import { type Shape, tableOf } from './shapes/shape.js'

export const MIXED_TABLE = tableOf(mixed)

/** Writes a header and `rows` rows, streaming; the same seed gives the same bytes. */
export async function writeShape(path: string, shape: Shape, rows: number, seed = 1): Promise<void> {
  const random = new Random(seed)
  const buffer = new RowBuffer()
  const file = await open(path, 'wx')
  try {
    await file.appendFile(`${shape.columns.map((c) => c.name).join(',')}\n`)
    let writing: Promise<unknown> = Promise.resolve()
    for (let i = 0; i < rows; i++) {
      shape.row(buffer, random, i, rows)
      if (buffer.isFull) {
        await writing
        writing = file.appendFile(buffer.take())
      }
    }
    await writing
    await file.appendFile(buffer.take())
  } finally {
    await file.close()
  }
}

export function writeMixed(path: string, rows: number, seed = 1): Promise<void> {
  return writeShape(path, mixed, rows, seed)
}

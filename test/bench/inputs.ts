import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { flushDisk } from './flush-disk.js'
import { writeShape } from './generate.js'
import type { Shape } from './shapes/shape.js'

export interface Input {
  readonly path: string
  readonly rows: number
  readonly bytes: number
}

/** Generated files, each made once and kept until it is let go of or the run ends. */
export class Inputs {
  private readonly made = new Map<string, Input>()

  constructor(
    private readonly folder: string,
    private readonly say: (text: string) => void,
  ) {}

  /** `variant` tells files apart that are of one shape's name but not made alike. */
  async get(shape: Shape, rows: number, variant = ''): Promise<Input> {
    const name = `${shape.name}${variant}-${rows}.csv`
    const found = this.made.get(name)
    if (found !== undefined) return found
    const path = join(this.folder, name)
    const began = performance.now()
    await writeShape(path, shape, rows)
    await flushDisk()
    const input = { path, rows, bytes: (await stat(path)).size }
    this.made.set(name, input)
    this.say(`made ${name}, ${(input.bytes / 1e6).toFixed(0)} MB, in ${((performance.now() - began) / 1000).toFixed(1)} s`)
    return input
  }

  /** Removes what no later section reads. */
  async forget(input: Input): Promise<void> {
    for (const [name, known] of this.made) if (known.path === input.path) this.made.delete(name)
    await rm(input.path, { force: true })
  }
}

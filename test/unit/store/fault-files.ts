import { IntakeError } from '../../../src/errors.js'
import { type FilePath, type Files, nodeFiles, type OpenFile } from '../../../src/runtime/files.js'

/** The process died: this and every later operation of the instance fails. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash'
}

export type Fault = 'crash' | 'eio' | 'enospc'

export interface Operation {
  readonly name: string
  readonly path: string
}

/**
 * The real file system with a fault at the k-th changing operation (from 1): 'crash' before it happens and for good, 'eio' and 'enospc' once.
 * An fsync that gets 'eio' fails as FSYNC_FAILED. Without `at` it only counts and lists.
 */
export class FaultFiles implements Files {
  readonly operations: Operation[] = []
  private dead = false

  constructor(private readonly fault: { at: number; kind: Fault } | null = null) {}

  get fired(): boolean {
    return this.fault !== null && this.operations.length >= this.fault.at
  }

  private step(name: string, path: FilePath): void {
    if (this.dead) throw new SimulatedCrash(`dead: ${name} ${String(path)}`)
    this.operations.push({ name, path: String(path) })
    if (this.fault === null || this.operations.length !== this.fault.at) return
    if (this.fault.kind === 'crash') {
      this.dead = true
      throw new SimulatedCrash(`crash: ${name} ${String(path)}`)
    }
    if (name.startsWith('sync')) {
      throw new IntakeError('FSYNC_FAILED', `injected: ${name} ${String(path)}`)
    }
    if (this.fault.kind === 'enospc') throw new IntakeError('DISK_FULL', `injected: ${name} ${String(path)}`)
    throw Object.assign(new Error(`EIO: injected: ${name} ${String(path)}`), { code: 'EIO' })
  }

  private wrap(file: OpenFile, path: FilePath): OpenFile {
    const { step } = this
    const self = this
    return {
      stat: () => file.stat(),
      read: (target, position) => file.read(target, position),
      async write(bytes) {
        // Half of it gets there: what a crash or a full disk leaves is torn.
        try {
          step.call(self, 'write', path)
        } catch (error) {
          await file.write(bytes.subarray(0, bytes.length >> 1))
          throw error
        }
        await file.write(bytes)
      },
      async writeAt(bytes, position) {
        step.call(self, 'write', path)
        await file.writeAt(bytes, position)
      },
      async truncate(size) {
        step.call(self, 'truncate', path)
        await file.truncate(size)
      },
      async sync() {
        step.call(self, 'sync', path)
        await file.sync()
      },
      close: () => file.close(),
    }
  }

  async openRead(path: FilePath, options?: { follow?: boolean }): Promise<OpenFile | null> {
    const file = await nodeFiles.openRead(path, options)
    return file === null ? null : this.wrap(file, path)
  }
  async create(path: FilePath, options?: { mode?: number }): Promise<OpenFile | 'exists'> {
    this.step('create', path)
    const file = await nodeFiles.create(path, options)
    return file === 'exists' ? file : this.wrap(file, path)
  }
  async overwrite(path: FilePath, options?: { mode?: number }): Promise<OpenFile> {
    this.step('overwrite', path)
    return this.wrap(await nodeFiles.overwrite(path, options), path)
  }
  async openAppend(path: FilePath, options?: { mode?: number }): Promise<OpenFile> {
    this.step('openAppend', path)
    return this.wrap(await nodeFiles.openAppend(path, options), path)
  }
  async makeDirectory(path: FilePath, options?: { mode?: number }): Promise<'created' | 'exists'> {
    this.step('makeDirectory', path)
    return nodeFiles.makeDirectory(path, options)
  }
  async link(from: FilePath, to: FilePath): Promise<'linked' | 'exists'> {
    this.step('link', to)
    return nodeFiles.link(from, to)
  }
  async rename(from: FilePath, to: FilePath): Promise<void> {
    this.step('rename', to)
    return nodeFiles.rename(from, to)
  }
  async remove(path: FilePath): Promise<'removed' | 'absent'> {
    this.step('remove', path)
    return nodeFiles.remove(path)
  }
  async removeDirectory(path: FilePath): Promise<'removed' | 'absent' | 'not-empty'> {
    this.step('removeDirectory', path)
    return nodeFiles.removeDirectory(path)
  }
  async syncDirectory(path: FilePath): Promise<void> {
    this.step('syncDirectory', path)
    return nodeFiles.syncDirectory(path)
  }
  async setMode(path: FilePath, mode: number): Promise<void> {
    this.step('setMode', path)
    return nodeFiles.setMode(path, mode)
  }
  read = nodeFiles.read
  list = nodeFiles.list
  names = nodeFiles.names
  stat = nodeFiles.stat
  freeBytes = nodeFiles.freeBytes
}

import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Files, nodeFiles, removeTree, workerFiles } from '../../../src/runtime/files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const PORTS: readonly [string, Files][] = [
  ['a thread that must not be held up', nodeFiles],
  ['a worker thread', workerFiles],
]

describe.each(PORTS)('the files of %s', (_name, files) => {
  it('return what callers must expect, and throw nothing for it', async () => {
    const folder = await temporaryFolder()
    const [path, other, missing] = [join(folder, 'a'), join(folder, 'b'), join(folder, 'none')]
    expect(await files.openRead(missing)).toBeNull()
    expect(await files.read(missing)).toBeNull()
    expect(await files.stat(missing)).toBeNull()
    expect(await files.list(missing)).toBeNull()
    expect(await files.names(missing)).toBeNull()
    expect(await files.remove(missing)).toBe('absent')
    expect(await files.removeDirectory(missing)).toBe('absent')
    expect(await files.makeDirectory(join(folder, 'd'))).toBe('created')
    expect(await files.makeDirectory(join(folder, 'd'))).toBe('exists')
    await writeFile(path, 'x')
    expect(await files.create(path)).toBe('exists')
    expect(await files.stat(join(path, 'below'))).toBeNull()
    expect(await files.link(path, other)).toBe('linked')
    expect(await files.link(path, other)).toBe('exists')
    expect((await files.stat(path))?.links).toBe(2)
    await files.rename(other, join(folder, 'd', 'c'))
    expect(await files.removeDirectory(join(folder, 'd'))).toBe('not-empty')
    expect(await files.remove(path)).toBe('removed')
    expect((await files.names(folder))?.sort()).toEqual(['d'])
    expect(await files.freeBytes(folder)).toBeGreaterThan(0)
  })

  it('write, sync and read what is longer than a short call', async () => {
    const path = join(await temporaryFolder(), 'long')
    const bytes = Buffer.alloc(300_001, 'abc')
    const file = await files.create(path)
    if (file === 'exists') throw new Error('it is new')
    await file.write(bytes.subarray(0, 10))
    await file.write(bytes.subarray(10))
    await file.writeAt(bytes.subarray(5, 9), 5)
    await file.sync()
    await file.close()
    await files.syncDirectory(join(path, '..'))
    expect((await files.read(path))?.equals(bytes)).toBe(true)
    const again = await files.openRead(path)
    const target = new Uint8Array(bytes.length + 10)
    expect(await again?.read(target, 1)).toBe(bytes.length - 1)
    expect(Buffer.from(target.subarray(0, bytes.length - 1)).equals(bytes.subarray(1))).toBe(true)
    expect((await again?.stat())?.sizeBytes).toBe(bytes.length)
    await again?.close()
  })

  it('read an empty file, and one without a size, to their ends', async () => {
    const path = join(await temporaryFolder(), 'empty')
    await writeFile(path, '')
    expect(await files.read(path)).toHaveLength(0)
    expect((await files.read('/proc/self/status'))?.toString('utf8')).toContain('Pid:')
  })

  it('do not open a link unless they are told to follow it', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a'), 'x')
    await symlink('a', join(folder, 'l'))
    await expect(files.openRead(join(folder, 'l'))).rejects.toMatchObject({ code: 'ELOOP' })
    const file = await files.openRead(join(folder, 'l'), { follow: true })
    await file?.close()
    expect((await files.stat(join(folder, 'l')))?.kind).toBe('symlink')
  })

  it('refuse to use a file that was closed: its descriptor may be another file by now', async () => {
    const path = join(await temporaryFolder(), 'a')
    await writeFile(path, 'x')
    const file = await files.openRead(path)
    await file?.close()
    await expect(file?.stat()).rejects.toThrow()
    await expect(file?.close()).rejects.toThrow()
  })

  it('reject with the error of the operating system, never throw it at once', async () => {
    const folder = await temporaryFolder()
    const pending = files.makeDirectory(join(folder, 'none', 'below'))
    await expect(pending).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(files.syncDirectory(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('remove a tree with names that are not UTF-8', async () => {
    const folder = join(await temporaryFolder(), 't')
    await files.makeDirectory(folder)
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x41])]), 'x')
    expect(await files.names(folder)).toEqual(['\u00ffA'])
    await removeTree(files, folder)
    expect(await files.stat(folder)).toBeNull()
  })
})

describe('the files of a thread that must not be held up', () => {
  it('let timers and signals have their turn in the middle of any number of short calls', async () => {
    const folder = await temporaryFolder()
    let turns = 0
    let going = true
    const turn = (): void => {
      turns++
      if (going) setImmediate(turn)
    }
    setImmediate(turn)
    for (let i = 0; i < 50_000 && turns < 3; i++) await nodeFiles.stat(folder)
    going = false
    expect(turns).toBeGreaterThanOrEqual(3)
  })
})

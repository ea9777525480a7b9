import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { convertFile, validateFile } from '../../../src/convert/convert-file.js'
import { InProcessConverter } from '../../../src/convert/in-process.js'
import type { Files } from '../../../src/runtime/files.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { compileTable } from '../../../src/tables/schema.js'
import { Drop, readRows, TABLE } from './convert-kit.js'
import { WatchedFiles } from './watched-files.js'

const HEAD = 'hole,no,depth,note\n'
const GOOD = `${HEAD}A,1,1,\nA,2,2,\n`
const BAD = `${HEAD}A,1,1,\nA,x,2,\n`

const optionsOf = (drop: Drop, files: Files = nodeFiles) => ({
  files,
  converter: new InProcessConverter(files),
  path: drop.source,
  table: compileTable(TABLE, 'samples'),
})
const namesIn = (drop: Drop): string[] => readdirSync(drop.folder).filter((n) => n !== 'claim' && n !== 'staging')

describe('one conversion without a store', () => {
  it('gives the file its name when it is whole, and leaves nothing beside it', async () => {
    const drop = await Drop.of(GOOD)
    const done = await convertFile({ ...optionsOf(drop), out: join(drop.folder, 'out.parquet') })
    expect(done.valid).toBe(true)
    expect(namesIn(drop)).toEqual(['out.parquet', 'source.csv'])
    expect((await readRows(join(drop.folder, 'out.parquet'))).rows).toHaveLength(2)
  })

  it('with an invalid row writes nothing', async () => {
    const drop = await Drop.of(BAD)
    const done = await convertFile({ ...optionsOf(drop), out: join(drop.folder, 'out.parquet') })
    expect(done).toMatchObject({ valid: false, staged: [], totals: { TYPE_ERROR: 1 } })
    expect(namesIn(drop)).toEqual(['source.csv'])
  })

  it('with an invalid row writes the others where rows are to be skipped', async () => {
    const drop = await Drop.of(BAD)
    const done = await convertFile({ ...optionsOf(drop), out: join(drop.folder, 'out.parquet'), onInvalid: 'skip-rows' })
    expect(done.staged).toMatchObject([{ rows: 1, invalid: 1 }])
    expect(namesIn(drop)).toEqual(['out.parquet', 'source.csv'])
  })

  it('never overwrites, also not what appears while it runs', async () => {
    const drop = await Drop.of(GOOD)
    const out = join(drop.folder, 'out.parquet')
    await writeFile(out, 'mine')
    await expect(convertFile({ ...optionsOf(drop), out })).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    const late = join(drop.folder, 'late.parquet')
    const watched = new WatchedFiles(null, async (call) => {
      if (call === 'link') await writeFile(late, 'theirs')
    })
    await expect(convertFile({ ...optionsOf(drop, watched.files), out: late })).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    expect([readFileSync(out, 'utf8'), readFileSync(late, 'utf8')]).toEqual(['mine', 'theirs'])
    expect(namesIn(drop)).toEqual(['late.parquet', 'out.parquet', 'source.csv'])
  })

  it('takes a name of all the bytes that a name can have', async () => {
    const drop = await Drop.of(GOOD)
    const name = `${'n'.repeat(247)}.parquet`
    await convertFile({ ...optionsOf(drop), out: join(drop.folder, name) })
    expect(namesIn(drop)).toContain(name)
  })

  it('leaves nothing when any call of the file system fails, and the name appears only with a whole file', async () => {
    const counted = new WatchedFiles()
    const first = await Drop.of(GOOD)
    await convertFile({ ...optionsOf(first, counted.files), out: join(first.folder, 'out.parquet') })
    for (let k = 1; k <= counted.calls.length; k++) {
      const drop = await Drop.of(GOOD)
      const watched = new WatchedFiles(k)
      const outcome = await convertFile({ ...optionsOf(drop, watched.files), out: join(drop.folder, 'out.parquet') }).then(
        () => 'done',
        (error: Error) => error.message,
      )
      expect(watched.stillOpen, watched.failed).toEqual([])
      const names = namesIn(drop)
      if (names.includes('out.parquet')) expect((await readRows(join(drop.folder, 'out.parquet'))).rows).toHaveLength(2)
      if (outcome !== 'done') expect(outcome).toContain('injected')
      // The second name of a file whose first name is there may stay; part of a file may not.
      else if (!watched.failed!.startsWith('remove')) expect(names, watched.failed).toEqual(['out.parquet', 'source.csv'])
      if (!names.includes('out.parquet')) expect(names, watched.failed).toEqual(['source.csv'])
    }
  })

  it('is stopped by its signal', async () => {
    const drop = await Drop.of(GOOD)
    const signal = AbortSignal.abort()
    await expect(convertFile({ ...optionsOf(drop), out: join(drop.folder, 'out.parquet'), signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect(namesIn(drop)).toEqual(['source.csv'])
  })

  it('says so when there is no such file, or no such folder to write to', async () => {
    const drop = await Drop.of(GOOD)
    const gone = { ...optionsOf(drop), path: join(drop.folder, 'gone.csv') }
    await expect(convertFile({ ...gone, out: join(drop.folder, 'out.parquet') })).rejects.toMatchObject({ code: 'IO_FAILED' })
    await expect(convertFile({ ...optionsOf(drop), out: join(drop.folder, 'no/out.parquet') })).rejects.toMatchObject({ code: 'IO_FAILED' })
  })
})

describe('validation', () => {
  it('reports and writes nothing', async () => {
    const drop = await Drop.of(BAD)
    const watched = new WatchedFiles()
    const done = await validateFile(optionsOf(drop, watched.files))
    expect(done).toMatchObject({ valid: false, staged: [], totals: { TYPE_ERROR: 1 }, report: { tasks: [{ place: drop.source }] } })
    expect(new Set(watched.calls.map((c) => c.split(' ')[0]))).toEqual(new Set(['stat', 'openRead', 'read', 'close']))
  })
})

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { convertSource } from '../../../src/convert/convert-source.js'
import type { ConvertDone, ConvertResult } from '../../../src/convert/protocol.js'
import { convertSplitHere } from '../../../src/convert/split-here.js'
import type { SplitSizes } from '../../../src/convert/split-sizes.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { column, Drop, expectAccount, type RequestOptions, readRows } from './convert-kit.js'
import { WatchedFiles } from './watched-files.js'

/** One file, many records: whatever is spilled on the way, each record gets the file that its rows alone make. */
const HEAD = 'hole,no,depth,note\n'
const TINY: Partial<SplitSizes> = { chunkBytes: 0, partBytes: 64, partitionBytes: 200, groupRows: 7, groupBytes: 300 }

const row = (i: number, hole = `H${(i * 7919) % 13}`): string =>
  `${i % 5 === 0 ? `"${hole}"` : hole},${1 + (i % 9)},${i}.25,${i % 3 === 0 ? '' : i % 4 === 0 ? `"say ""${i}""\nand go on, é"` : `note ${i % 6}`}\n`
const rows = (count: number): string[] => Array.from({ length: count }, (_, i) => row(i))

async function run(csv: string, splitSizes: Partial<SplitSizes> | undefined, options: RequestOptions = {}, plainText = true) {
  const drop = await Drop.of(csv)
  const result = await convertSource(drop.request({ grouping: column(), ...options }), {
    files: nodeFiles,
    plainText,
    ...(splitSizes === undefined ? {} : { splitSizes }),
  })
  return { drop, result }
}

async function done(...parameters: Parameters<typeof run>): Promise<{ drop: Drop; result: ConvertDone }> {
  const { drop, result } = await run(...parameters)
  if (result.status !== 'done') throw new Error(`${result.code}: ${result.message}`)
  expectAccount(result)
  return { drop, result }
}

const filesOf = (result: ConvertDone): Map<string, Buffer> => new Map(result.staged.map((s) => [s.recordId, readFileSync(s.path)]))
const essenceOf = (result: ConvertDone): unknown => ({
  rows: result.rows,
  staged: result.staged.map((s) => [s.recordId, s.rows, s.contentSha256]),
})

/** Sizes of parts, partitions and bins, of which no file may show anything; row groups stay as they are. */
const LAYOUTS: readonly Partial<SplitSizes>[] = [
  { chunkBytes: 1 << 20 },
  { chunkBytes: 0 },
  { chunkBytes: 0, partBytes: 1 },
  { chunkBytes: 0, partBytes: 100, partitionBytes: 1 },
  { chunkBytes: 0, partBytes: 5000, partitionBytes: 700 },
  { chunkBytes: 0, partBytes: 333, partitionBytes: 20_000 },
]

describe('a bulk file', () => {
  it('gives the same bytes for each record however it is taken apart, and the cells of csv-parse in file order', async () => {
    const csv = HEAD + rows(700).join('')
    const slow = await done(csv, undefined, {}, false)
    let first: Map<string, Buffer> | null = null
    for (const layout of LAYOUTS) {
      const { drop, result } = await done(csv, layout)
      expect(essenceOf(result)).toEqual(essenceOf(slow.result))
      const files = filesOf(result)
      first ??= files
      expect(files).toEqual(first)
      expect(drop.stagedNames).toEqual(result.staged.map((s) => s.tx).sort())
    }
  })

  it('gives the same bytes for each record whether it is sorted or not, and beside whichever others', async () => {
    const all = rows(700)
    const holeOf = (line: string): string => line.replaceAll('"', '').slice(0, line.replaceAll('"', '').indexOf(','))
    const sorted = all.toSorted((a, b) => (holeOf(a) < holeOf(b) ? -1 : holeOf(a) > holeOf(b) ? 1 : 0))
    const unsortedFiles = filesOf((await done(HEAD + all.join(''), { chunkBytes: 0, partBytes: 500 })).result)
    expect(filesOf((await done(HEAD + sorted.join(''), { chunkBytes: 0, partBytes: 500 })).result)).toEqual(
      new Map([...unsortedFiles].sort(([a], [b]) => (a < b ? -1 : 1))),
    )
    const alone = await done(HEAD + all.filter((line) => holeOf(line) === 'H3').join(''), undefined)
    expect(filesOf(alone.result).get('soil/H3')).toEqual(unsortedFiles.get('soil/H3'))
  })

  it('has row groups of so many rows, the last one shorter, also of a record that is never in memory as a whole', async () => {
    const csv = HEAD + Array.from({ length: 60 }, (_, i) => row(i, i % 3 === 0 ? 'small' : 'large')).join('')
    for (const layout of [
      { chunkBytes: 1 << 20, groupRows: 7 },
      { chunkBytes: 0, partBytes: 90, groupRows: 7 },
      { chunkBytes: 0, partBytes: 90, partitionBytes: 100, groupRows: 7, groupBytes: 300 },
    ]) {
      const { result } = await done(csv, layout)
      const [small, large] = await Promise.all(result.staged.map((s) => readRows(s.path)))
      expect([small!.rows.length, large!.rows.length]).toEqual([20, 40])
      expect(large!.rows.map((cells) => cells[2])).toEqual(Array.from({ length: 60 }, (_, i) => i + 0.25).filter((_, i) => i % 3 !== 0))
      if (layout.groupBytes === undefined) expect(small!.groups).toEqual([7, 7, 6])
      else for (const group of [...small!.groups, ...large!.groups]) expect(group).toBeLessThanOrEqual(7)
    }
  })

  it('counts blank rows, takes CRLF and a last line without its end', async () => {
    const csv = `${HEAD}A,1,1,x\r\n\r\n"",,"",\r\nB,2,2,y\r\nA,3,3,`
    for (const layout of [...LAYOUTS, TINY]) {
      const { result } = await done(csv, layout)
      expect(result.rows).toEqual({ in: 5, good: 3, invalid: 0, blank: 2 })
      expect(result.staged.map((s) => [s.recordId, s.rows])).toEqual([
        ['soil/A', 2],
        ['soil/B', 1],
      ])
    }
  })

  it('takes a row that is longer than a part', async () => {
    const csv = `${HEAD}A,1,1,"${'long\n'.repeat(400_000)}"\nB,1,1,x\nA,2,2,y\n`
    const { result } = await done(csv, { chunkBytes: 0, partBytes: 10 })
    expect(result.staged.map((s) => [s.recordId, s.rows])).toEqual([
      ['soil/A', 2],
      ['soil/B', 1],
    ])
  })

  it('tells its progress, which ends with the size of the file', async () => {
    const progress = new BigInt64Array(new SharedArrayBuffer(16))
    await done(HEAD + rows(50).join(''), undefined, { progress })
    expect(progress[0]).toBe(progress[1])
    await done(HEAD + rows(50).join(''), TINY, { progress })
    expect(progress[0]).toBeGreaterThan(0n)
    expect(progress[0]).toBeLessThanOrEqual(progress[1]!)
  })
})

describe('a bulk file with something wrong', () => {
  const late = (line: string): string => HEAD + rows(300).join('') + line + rows(20).join('').replaceAll('.25', '.75')

  it.each([
    ['a wrong cell', 'H1,x,9999,n\n', { TYPE_ERROR: 1 }],
    ['a value out of bounds', 'H1,0,9999,n\n', { CONSTRAINT_ERROR: 1 }],
    ['a ragged row', 'H1,1,9999\n', { TOO_FEW_CELLS: 1 }],
    [
      'a key that stands in a far part of the same record',
      `H${(300 * 7919) % 13},1,300.25,n\nH${(300 * 7919) % 13},1,300.250,n\n`,
      { UNIQUE_ERROR: 1 },
    ],
    ['a record cell without a text', ',1,9999,n\n', null],
    ['a record cell that names none', '../x,1,9999,n\n', null],
  ])('is read by csv-parse, which says what: %s', async (_, line, totals) => {
    const slow = await run(late(line), undefined, {}, false)
    for (const layout of [...LAYOUTS, TINY]) {
      const { drop, result } = await run(late(line), layout)
      expect(result).toMatchObject({ status: 'done', valid: false, staged: [] })
      expect((result as ConvertDone).totals).toEqual((slow.result as ConvertDone).totals)
      if (totals !== null && _ !== 'a ragged row') expect((result as ConvertDone).totals).toEqual(totals)
      expect(drop.stagedNames).toEqual([])
    }
  })

  it('keeps a key in one record apart from the same key in another', async () => {
    const csv = `${HEAD}A,1,1,\nB,1,1,\nC,1,1,\nA,1,2,\n`
    for (const layout of [...LAYOUTS, TINY]) expect((await done(csv, layout)).result.staged).toHaveLength(3)
  })

  it('is refused whole where a manifest promised another number of rows, or there are too many records', async () => {
    for (const layout of [...LAYOUTS, TINY]) {
      const counted = await run(HEAD + rows(30).join(''), layout, { expectedRows: 31 })
      expect(counted.result).toMatchObject({ valid: false, totals: { ROW_COUNT_MISMATCH: 1 }, staged: [] })
      const many = await run(HEAD + rows(30).join(''), layout, { limits: { recordsPerDrop: 12 } })
      expect(many.result).toMatchObject({ valid: false, totals: { LIMIT_EXCEEDED: 1 }, staged: [] })
      expect([...counted.drop.stagedNames, ...many.drop.stagedNames]).toEqual([])
      const right = await done(HEAD + rows(30).join(''), layout, { expectedRows: 30, limits: { recordsPerDrop: 13 } })
      expect(right.result.staged).toHaveLength(13)
    }
  })

  it('is not for this way when it is one record, or only looked at', async () => {
    const drop = await Drop.of(HEAD + rows(10).join(''))
    for (const options of [
      {},
      { grouping: column(), output: { kind: 'none' } },
      { grouping: column(), mendedRecords: ['soil/H1'] },
    ] as const) {
      expect(await convertSplitHere(drop.request(options), { files: nodeFiles })).toBe('other')
    }
    expect(drop.stagedNames).toEqual([])
  })
})

describe('a bulk conversion that is stopped', () => {
  it('by a signal leaves nothing', async () => {
    const drop = await Drop.of(HEAD + rows(400).join(''))
    const abort = new AbortController()
    const watched = new WatchedFiles(null, async (call, path) => {
      if (call === 'create' && path.endsWith('.parquet')) abort.abort()
    })
    const result = await convertSource(drop.request({ grouping: column() }), {
      files: watched.files,
      signal: abort.signal,
      splitSizes: TINY,
    })
    expect(result).toMatchObject({ status: 'failed', code: 'ABORTED' })
    expect(drop.stagedNames).toEqual([])
    expect(watched.stillOpen).toEqual([])
  })

  it('by a failure of any call of the file system leaves nothing, and nothing open', async () => {
    const csv = HEAD + Array.from({ length: 24 }, (_, i) => row(i, i % 4 === 0 ? 'B' : 'A')).join('')
    const layout = { ...TINY, partBytes: 400, partitionBytes: 400 }
    const attempt = async (watched: WatchedFiles): Promise<{ drop: Drop; result: ConvertResult }> => {
      const drop = await Drop.of(csv)
      const result = await convertSource(drop.request({ grouping: column() }), { files: watched.files, splitSizes: layout })
      return { drop, result }
    }
    const counted = new WatchedFiles()
    expect((await attempt(counted)).result).toMatchObject({ status: 'done', valid: true })
    expect(counted.calls).toEqual(expect.arrayContaining(['create 0.csv', 'openRead 0.csv', 'remove 0.csv']))
    for (let k = 1; k <= counted.calls.length; k++) {
      const watched = new WatchedFiles(k)
      const { drop, result } = await attempt(watched)
      expect(watched.stillOpen, `open after a failed ${watched.failed}`).toEqual([])
      if (result.status === 'done') {
        expect(watched.failed).toMatch(/^close /)
        continue
      }
      expect(result.code, watched.failed).toBe('IO_FAILED')
      expect(drop.stagedNames, `left after a failed ${watched.failed}`).toEqual([])
    }
  })

  it('clears what an attempt that died left behind', async () => {
    const { drop, result } = await done(HEAD + rows(40).join(''), TINY)
    const first = filesOf(result)
    // Staged files lie there still, as after a crash before the commit, and a spill as well.
    const again = await convertSource(drop.request({ grouping: column() }), { files: nodeFiles, splitSizes: TINY })
    expect(filesOf(again as ConvertDone)).toEqual(first)
    expect(readdirSync(drop.staging).every((name) => readdirSync(join(drop.staging, name)).join() === 'data.parquet')).toBe(true)
  })
})

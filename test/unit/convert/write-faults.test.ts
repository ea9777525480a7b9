import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { column, Drop, type RequestOptions } from './convert-kit.js'
import { WatchedFiles } from './watched-files.js'

const HEAD = 'hole,no,depth,note\n'

/** Fails every call of the file system in turn. */
async function failEach(csv: string, options: RequestOptions): Promise<Map<string, string>> {
  const counted = new WatchedFiles()
  const complete = await (await Drop.of(csv)).run(options, counted.files)
  expect(complete.status).toBe('done')
  expect(counted.stillOpen).toEqual([])
  const outcomes = new Map<string, string>()
  for (let k = 1; k <= counted.calls.length; k++) {
    const drop = await Drop.of(csv)
    const watched = new WatchedFiles(k)
    const result = await drop.run(options, watched.files)
    expect(watched.failed, `call ${k}`).toBe(counted.calls[k - 1])
    expect(watched.stillOpen, `open after a failed ${watched.failed}`).toEqual([])
    const nth = watched.calls.slice(0, k).filter((call) => call === watched.failed).length
    outcomes.set(`${watched.failed} ${nth}`, result.status === 'done' ? 'done' : result.code)
    if (result.status === 'done') continue
    expect(result.code, watched.failed).toBe('IO_FAILED')
    expect(result.message).toContain('injected')
    expect(drop.stagedNames, `staged after a failed ${watched.failed}`).toEqual([])
    expect(
      drop.reportNames.filter((n) => n.endsWith('.part')),
      `left after a failed ${watched.failed}`,
    ).toEqual([])
  }
  return outcomes
}

/** Calls whose failure lost nothing; nothing is written through source.csv, so closing it may always fail. */
const harmless = (outcomes: Map<string, string>) =>
  [...outcomes].filter(([call, outcome]) => outcome === 'done' && !call.startsWith('close source.csv')).map(([call]) => call)

describe('a failure at any call of the file system fails the conversion, leaves nothing staged and nothing open', () => {
  it('one record', async () => {
    const outcomes = await failEach(`${HEAD}A,1,1,x\nA,2,2,\n`, {})
    expect(harmless(outcomes)).toEqual(['close data.parquet 2'])
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['write data.parquet 1', 'openRead data.parquet 1', 'read source.csv 1']))
  })

  it('many records, some held back, with rejects.csv and mended.csv', async () => {
    const outcomes = await failEach(`${HEAD}A,1,1,\nB,1,1,\nC,x,1,\nA,2,2,\nC,2,2,\n`, {
      onInvalid: 'quarantine-record',
      grouping: column(),
    })
    expect(harmless(outcomes)).toEqual(['close data.parquet 2', 'close data.parquet 4'])
    expect([...outcomes.keys()]).toEqual(
      expect.arrayContaining(['write rejects.csv.part 1', 'rename mended.csv.part 1', 'close rejects.csv.part 1']),
    )
  })

  it('skipped rows', async () => {
    const outcomes = await failEach(`${HEAD}A,1,1,\nA,x,2,\n`, { onInvalid: 'skip-rows' })
    expect(harmless(outcomes)).toEqual(['close data.parquet 2'])
  })
})

describe('verification', () => {
  const flip = (place: (file: Buffer) => number) =>
    new WatchedFiles(null, async (call, path) => {
      if (call !== 'openRead' || !path.endsWith('.parquet')) return
      const bytes = readFileSync(path)
      const at = place(bytes)
      expect(at).toBeGreaterThan(0)
      bytes[at]! ^= 1
      chmodSync(path, 0o640)
      writeFileSync(path, bytes)
    })

  it('finds one bit of one cell, and names its column', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,needle\nA,2,2,\n`)
    const watched = flip((file) => file.indexOf('needle'))
    const failed = await drop.failed({ compression: 'NONE' }, watched.files)
    expect(failed.code).toBe('VERIFY_MISMATCH')
    expect(failed.message).toMatch(/column ("note"|4)/)
    expect([drop.stagedNames, watched.stillOpen]).toEqual([[], []])
  })

  it('finds a bit anywhere in the pages of a many-record drop, and takes back the records that were fine', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,other\nB,1,1,needle\n`)
    let opened = 0
    const watched = new WatchedFiles(null, async (call, path) => {
      if (call !== 'openRead' || !path.endsWith('.parquet') || ++opened < 2) return
      const bytes = readFileSync(path)
      bytes[bytes.indexOf('needle')]! ^= 1
      chmodSync(path, 0o640)
      writeFileSync(path, bytes)
    })
    expect((await drop.failed({ compression: 'NONE', grouping: column() }, watched.files)).code).toBe('VERIFY_MISMATCH')
    expect([opened, drop.stagedNames, watched.stillOpen]).toEqual([2, [], []])
  })

  it('finds a file that became longer or shorter, by whatever', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,x\n`)
    const changes: ((bytes: Buffer) => Buffer)[] = [
      (bytes) => Buffer.concat([bytes, Buffer.from([0])]),
      (bytes) => Buffer.concat([bytes, Buffer.from('1')]),
      (bytes) => Buffer.concat([bytes, bytes]),
      (bytes) => Buffer.concat([bytes, bytes.subarray(-4)]),
      (bytes) => bytes.subarray(0, -1),
      () => Buffer.alloc(0),
    ]
    for (const [i, change] of changes.entries()) {
      for (const verify of ['full', 'paranoid'] as const) {
        const watched = new WatchedFiles(null, async (call, path) => {
          if (call !== 'openRead' || !path.endsWith('.parquet')) return
          const bytes = change(readFileSync(path))
          chmodSync(path, 0o640)
          writeFileSync(path, bytes)
        })
        expect((await drop.failed({ verify }, watched.files)).code, `${i} ${verify}`).toBe('VERIFY_MISMATCH')
        expect([drop.stagedNames, watched.stillOpen]).toEqual([[], []])
      }
    }
  })

  it('finds a damaged footer', async () => {
    const drop = await Drop.of(`${HEAD}A,1,1,x\n`)
    expect((await drop.failed({}, flip((file) => file.length - 1).files)).code).toBe('VERIFY_MISMATCH')
    // The name of a column, where the schema has it.
    expect((await drop.failed({}, flip((file) => file.indexOf('depth')).files)).code).toBe('VERIFY_MISMATCH')
    expect(drop.stagedNames).toEqual([])
  })
})

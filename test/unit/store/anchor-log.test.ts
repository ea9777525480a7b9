import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256Hex } from '../../../src/core/hashes.js'
import type { Files } from '../../../src/runtime/files.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { SharedSync } from '../../../src/runtime/shared-sync.js'
import { AnchorLog } from '../../../src/store/anchor-log.js'
import { FaultFiles } from './fault-files.js'
import { temporaryFolder, treeOf } from './store-kit.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.remove())

const IDENTITY = sha256Hex('store.json')
const open = (files: Files = nodeFiles, segmentLines = 3) =>
  AnchorLog.open({
    files,
    sync: new SharedSync(files),
    root: folder.path,
    writer: 'w',
    identitySha256: IDENTITY,
    orphans: join(folder.path, 'orphans'),
    segmentLines,
  })
const facts = (n: number) => ({ recordId: `r${n}`, historyLength: n, metadataSha256: sha256Hex(`${n}`) })
const segment = (n: number): string => join(folder.path, `anchors/w/000000000${n}.ndjson`)

async function lines(): Promise<string[]> {
  const names = (await treeOf(nodeFiles, folder.path)).filter((name) => name.startsWith('anchors/'))
  const texts = await Promise.all(names.map((name) => readFile(join(folder.path, name), 'utf8')))
  return texts.flatMap((text) => text.trimEnd().split('\n').filter(Boolean))
}

function expectOneChain(all: readonly string[]): void {
  let link = IDENTITY
  for (const line of all) {
    expect((JSON.parse(line) as { prev: string }).prev).toBe(link)
    link = sha256Hex(line)
  }
}

describe('the anchor log', () => {
  it('is one chain from store.json on, over segments and openings', async () => {
    for (let n = 1; n <= 8; n += 2) {
      const { log } = await open()
      await log.append(facts(n))
      await log.append(facts(n + 1))
      await log.close()
    }
    const all = await lines()
    expect(all).toHaveLength(8)
    expectOneChain(all)
    expect((await treeOf(nodeFiles, folder.path)).map((name) => name.slice(-13))).toEqual([
      '000001.ndjson',
      '000002.ndjson',
      '000003.ndjson',
    ])
  })

  it('writes what comes together in batches, in order, with few fsyncs', async () => {
    const files = new FaultFiles()
    const { log } = await open(files, 1000)
    await Promise.all(Array.from({ length: 200 }, (_, n) => log.append(facts(n + 1))))
    await log.close()
    const all = await lines()
    expect(all.map((line) => (JSON.parse(line) as { history_length: number }).history_length)).toEqual(
      Array.from({ length: 200 }, (_, n) => n + 1),
    )
    expectOneChain(all)
    expect(files.operations.filter((o) => o.name === 'sync' && o.path === segment(1)).length).toBeLessThan(5)
  })

  it('never answers before the line is synced', async () => {
    const files = new FaultFiles()
    const { log } = await open(files)
    await log.append(facts(1))
    expect(files.operations.at(-1)).toEqual({ name: 'sync', path: segment(1) })
    await log.close()
  })

  it('cuts what a crash left of a line, and goes on from the line before', async () => {
    const { log } = await open()
    await log.append(facts(1))
    await log.close()
    await appendFile(segment(1), '{"record_id":"r2","his')
    const again = await open()
    expect(again.torn).toMatchObject({ key: 'anchors/w/0000000001.ndjson', lengthBytes: 22, keptAt: null })
    await again.log.append(facts(2))
    await again.log.close()
    expectOneChain(await lines())
    expect((await open()).torn).toBeNull()
  })

  it('keeps what it cuts when that is more than the beginning of a line', async () => {
    const { log } = await open()
    for (const n of [1, 2, 3]) await log.append(facts(n))
    await log.close()
    const text = await readFile(segment(1), 'utf8')
    const [first, second, third] = text.split('\n')
    const edited = [first, second!.replace('"history_length":2', '"history_length":9'), third, ''].join('\n')
    await writeFile(segment(1), edited)
    const again = await open()
    expect(again.torn).not.toBeNull()
    expect(await readFile(again.torn!.keptAt!, 'utf8')).toBe(`${third}\n`)
    await again.log.append(facts(4))
    await again.log.close()
    expectOneChain(await lines())
  })

  it('after a full disk goes on with whole lines', async () => {
    // The write of the first line: two folders, the empty segment, three folders synced, and the segment opened come before.
    const files = new FaultFiles({ at: 8, kind: 'enospc' })
    const { log } = await open(files)
    const outcomes: string[] = []
    for (const n of [1, 2, 3, 4, 5]) {
      await log.append(facts(n)).then(
        () => outcomes.push('done'),
        () => outcomes.push('full'),
      )
    }
    await log.close()
    expect(outcomes.filter((outcome) => outcome === 'full')).toHaveLength(1)
    const all = await lines()
    expect(all).toHaveLength(4)
    expectOneChain(all)
    expect((await open()).torn).toBeNull()
  })

  it('after a failed fsync takes no line any more', async () => {
    const probe = new FaultFiles()
    const first = await open(probe)
    await first.log.append(facts(1))
    await first.log.close()
    const opening = new FaultFiles()
    const { log: idle } = await open(opening)
    await idle.close()
    const files = new FaultFiles({ at: opening.operations.length + 3, kind: 'eio' })
    const { log } = await open(files)
    await expect(log.append(facts(2))).rejects.toMatchObject({ code: 'FSYNC_FAILED' })
    await expect(log.append(facts(3))).rejects.toMatchObject({ code: 'FSYNC_FAILED' })
    await log.close()
    expect(files.operations.filter((o) => o.name === 'sync')).toHaveLength(1)
  })
})

import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ValidationReport } from '../../../src/documents/report.js'
import type { Claim } from '../../../src/inbox/claim.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { Crash, FaultFiles, receiptOf, systemError, Workbench } from './workbench.js'

let bench: Workbench
beforeEach(async () => {
  bench = await Workbench.open([{}, { name: 'loose', match: 'loose/*' }])
})
afterEach(() => bench.close())

const report = (message: string): ValidationReport => ({
  valid: false,
  stats: { tasks: 1, errors: 2, warnings: 0, seconds: 0 },
  warnings: [],
  errors: [],
  tasks: [
    {
      name: 't',
      type: 'table',
      valid: false,
      place: 'a.csv',
      labels: ['a'],
      stats: { errors: 2, warnings: 0, seconds: 0, md5: null, sha256: null, bytes: 1, fields: 1, rows: 1 },
      warnings: [],
      errors: [
        {
          type: 'type-error',
          code: 'TYPE_ERROR',
          title: '',
          description: '',
          message,
          tags: [],
          note: '',
          cells: [],
          line: 4,
          rowNumber: 4,
          cell: 'x',
          fieldName: 'depth',
          fieldNumber: 1,
          constraint: null,
        },
      ],
      truncated: false,
      totals: { TYPE_ERROR: 2 },
    },
  ],
})

async function claimed(path = 'borelogs/a.csv', content = 'text'): Promise<Claim> {
  await bench.drop(path, content)
  return bench.claim(bench.parts().claims, path)
}

describe('the archive', () => {
  it('files originals by the day of their drop-id, read-only, and says the place below the workspace', async () => {
    const claim = await claimed('borelogs/sub/a.csv')
    const at = await bench.parts().filing.archive(claim)
    expect(at).toBe(`archive/2024-01-27/${claim.dropId}-a.csv`)
    expect(await bench.text(at)).toBe('text')
    expect((await nodeFiles.stat(bench.path(at)))?.mode).toBe(0o440)
  })

  it('can be repeated', async () => {
    const claim = await claimed()
    const { filing } = bench.parts()
    expect(await filing.archive(claim)).toBe(await filing.archive(claim))
    expect(await bench.tree('archive')).toHaveLength(2)
  })

  it('never overwrites another file', async () => {
    const claim = await claimed()
    const { filing } = bench.parts()
    const at = await filing.archive(claim)
    await rm(bench.path(at))
    await writeFile(bench.path(at), 'somebody else')
    await expect(filing.archive(claim)).rejects.toMatchObject({ code: 'FILE_EXISTS' })
    expect(await bench.text(at)).toBe('somebody else')
  })

  it.each(['EXDEV', 'EPERM'])('copies where it cannot link (%s)', async (code) => {
    const claim = await claimed()
    const faults = new FaultFiles({ at: 1, mode: 'error', error: () => systemError(code), only: (o) => o === 'link' })
    const at = await bench.parts(faults.files).filing.archive(claim)
    expect(faults.fired).toBe(true)
    expect(await bench.text(at)).toBe('text')
    expect(await bench.tree('archive')).toHaveLength(2)
    expect(await bench.parts().filing.archive(claim)).toBe(at)
  })

  it('may be moved away while we run', async () => {
    const { filing } = bench.parts()
    await filing.archive(await claimed('borelogs/a.csv'))
    await rename(bench.path('archive'), bench.path('old-archive'))
    const at = await filing.archive(await claimed('borelogs/b.csv'))
    expect(await bench.text(at)).toBe('text')
  })

  it('keeps at most 120 bytes of a name', async () => {
    const claim = await claimed(`borelogs/${'é'.repeat(100)}.csv`)
    const { original } = await bench.parts().filing.quarantine(claim, { code: 'RECORD_ID_ILLEGAL', message: 'm', report: null })
    expect(original!.split('/').at(-1)!.length).toBeLessThanOrEqual(120)
    expect(original).toMatch(/\.csv$/)
  })
})

describe('quarantine', () => {
  it('holds the original, its reports and the reason in plain words', async () => {
    const claim = await claimed()
    await writeFile(`${claim.folder}/rejects.csv`, 'r')
    await writeFile(`${claim.folder}/mended.csv`, 'm')
    const { filing } = bench.parts()
    const result = await filing.quarantine(claim, { code: 'TYPE_ERROR', message: '"x" is no\nnumber', report: report('first') })
    expect(result).toEqual({ folder: `quarantine/${claim.dropId}-a.csv`, original: `quarantine/${claim.dropId}-a.csv/a.csv` })
    expect(await bench.tree(result.folder)).toEqual(['a.csv', 'mended.csv', 'reason.txt', 'rejects.csv', 'report.json'])
    expect(JSON.parse(await bench.text(result.folder, 'report.json'))).toEqual(report('first'))
    const reason = await bench.text(result.folder, 'reason.txt')
    expect(reason).toContain('TYPE_ERROR: "x" is no number')
    expect(reason).toContain('line 4, column "depth", and 1 more')
    expect(reason).toContain('Mend the cell.')
    expect(reason).toContain('mended.csv: ')
    expect(reason).toContain(claim.sha256)
  })

  it('can be repeated, and then has the newer reports', async () => {
    const claim = await claimed()
    await writeFile(`${claim.folder}/rejects.csv`, 'one')
    const { filing } = bench.parts()
    const first = await filing.quarantine(claim, { code: 'TYPE_ERROR', message: 'm', report: report('one') })
    expect(await filing.quarantine(claim, { code: 'TYPE_ERROR', message: 'm', report: report('one') })).toEqual(first)
    expect(await bench.text(first.folder, 'reason.txt')).toContain('rejects.csv')
    await writeFile(`${claim.folder}/rejects.csv`, 'two')
    await filing.quarantine(claim, { code: 'TYPE_ERROR', message: 'm', report: report('two') })
    expect(await bench.text(first.folder, 'rejects.csv')).toBe('two')
    expect(await bench.text(first.folder, 'report.json')).toContain('two')
  })

  it.each(['report.json', 'rejects.csv', 'mended.csv', 'reason.txt'])('keeps an original named %s apart from the reports', async (name) => {
    const claim = await claimed(`loose/${name}`, 'the original')
    await writeFile(`${claim.folder}/mended.csv`, 'm')
    const { original } = await bench.parts().filing.quarantine(claim, { code: 'TYPE_ERROR', message: 'm', report: report('x') })
    expect(await bench.text(original!)).toBe('the original')
  })

  it('holds only reports where the other records of a drop were committed', async () => {
    const claim = await claimed()
    await writeFile(`${claim.folder}/mended.csv`, 'm')
    const folder = await bench.parts().filing.fileReports(claim, { code: 'TYPE_ERROR', message: 'm', report: report('x') })
    expect(await bench.tree(folder)).toEqual(['mended.csv', 'reason.txt', 'report.json'])
    expect(await bench.text(folder, 'reason.txt')).toContain('Some records of this drop')
  })

  it('is complete after a crash at any call and one more attempt', async () => {
    for (let at = 1; ; at++) {
      const claim = await claimed()
      await writeFile(`${claim.folder}/rejects.csv`, 'r')
      const faults = new FaultFiles({ at, mode: 'crash-after' })
      const reports = { code: 'TYPE_ERROR', message: 'm', report: report('x') } as const
      await bench
        .parts(faults.files)
        .filing.quarantine(claim, reports)
        .catch((error: unknown) => {
          if (!(error instanceof Crash)) throw error
        })
      const { folder } = await bench.parts().filing.quarantine(claim, reports)
      expect(await bench.tree(folder)).toEqual(['a.csv', 'reason.txt', 'rejects.csv', 'report.json'])
      if (!faults.fired) break
    }
  })
})

describe('receipts', () => {
  it('are written once: the first stands', async () => {
    const claim = await claimed()
    const { filing } = bench.parts()
    expect(await filing.writeReceipt(receiptOf(claim))).toBe('written')
    expect(await filing.writeReceipt(receiptOf(claim, { outcome: 'unchanged' }))).toBe('exists')
    expect(await filing.findReceipt(claim.dropId)).toEqual(receiptOf(claim))
    expect(await bench.tree('receipts')).toEqual(['2024-01-27/', `2024-01-27/${claim.dropId}.json`])
  })

  it('are whole or not there, after a crash at any call', async () => {
    for (let at = 1; ; at++) {
      const claim = await claimed()
      const faults = new FaultFiles({ at, mode: at % 2 === 0 ? 'crash' : 'crash-after' })
      await bench
        .parts(faults.files)
        .filing.writeReceipt(receiptOf(claim))
        .catch((error: unknown) => {
          if (!(error instanceof Crash)) throw error
        })
      const { filing } = bench.parts()
      const found = await filing.findReceipt(claim.dropId)
      if (found !== null) expect(found).toEqual(receiptOf(claim))
      expect(await filing.writeReceipt(receiptOf(claim))).toBe(found === null ? 'written' : 'exists')
      if (!faults.fired) break
      await rm(bench.path('receipts'), { recursive: true })
      await mkdir(bench.path('receipts'))
    }
  })

  it('are synced before they have their name, and their folder after', async () => {
    const claim = await claimed()
    const steps: string[] = []
    const recorder = new FaultFiles({
      at: -1,
      mode: 'error',
      error: () => new Error(),
      only: (operation) => steps.push(operation) < 0,
    })
    await bench.parts(recorder.files).filing.writeReceipt(receiptOf(claim))
    const tail = steps.filter((s) => ['write', 'sync', 'rename', 'syncDirectory'].includes(s))
    expect(tail).toEqual(['syncDirectory', 'syncDirectory', 'write', 'sync', 'rename', 'syncDirectory'])
  })

  it('are listed newest first, lazily, from a time on', async () => {
    const { filing } = bench.parts()
    const claims: Claim[] = []
    for (const name of ['a', 'b', 'c']) claims.push(await claimed(`borelogs/${name}.csv`))
    for (const claim of claims) await filing.writeReceipt(receiptOf(claim))
    const ids: string[] = []
    for await (const receipt of filing.listReceipts()) ids.push(receipt.drop_id)
    expect(ids).toEqual(claims.map((c) => c.dropId).reverse())
    const recent: string[] = []
    for await (const receipt of filing.listReceipts({ sinceMs: Date.UTC(2024, 0, 27) + 2 })) recent.push(receipt.drop_id)
    expect(recent).toEqual(ids.slice(0, 2))
    await writeFile(bench.path('receipts/2024-01-27', `${claims[0]!.dropId}.json`), 'damaged')
    const list = filing.listReceipts()
    expect((await list.next()).value).toMatchObject({ drop_id: claims[2]!.dropId })
    await list.return(undefined)
    await expect(filing.findReceipt(claims[0]!.dropId)).rejects.toMatchObject({ code: 'IO_FAILED' })
  })

  it('are found by the end of their drop-id, from a day on', async () => {
    const { filing } = bench.parts()
    const claim = await claimed()
    await filing.writeReceipt(receiptOf(claim))
    const tail = claim.dropId.slice(-16)
    const dayMs = Date.UTC(2024, 0, 27)
    expect(await filing.hasReceiptEnding(tail, dayMs + 3_600_000)).toBe(true)
    expect(await filing.hasReceiptEnding(tail, dayMs + 86_400_000)).toBe(false)
    expect(await filing.hasReceiptEnding('0000000000000000', 0)).toBe(false)
  })

  it('that nobody wrote are not there', async () => {
    const { filing } = bench.parts()
    expect(await filing.findReceipt((await claimed()).dropId)).toBeNull()
    const none: unknown[] = []
    for await (const receipt of filing.listReceipts()) none.push(receipt)
    expect(none).toEqual([])
  })
})

describe('finding an original', () => {
  it('goes by the receipt, and by the names where that was moved away', async () => {
    const { filing } = bench.parts()
    const archived = await claimed('borelogs/a.csv')
    await filing.writeReceipt(receiptOf(archived, { stored_at: await filing.archive(archived) }))
    const held = await claimed('loose/mended.csv', 'held')
    const { original } = await filing.quarantine(held, { code: 'TYPE_ERROR', message: 'm', report: report('x') })
    await filing.writeReceipt(receiptOf(held, { outcome: 'quarantined', stored_at: original }))
    for (let round = 0; round < 2; round++) {
      expect(await readFile((await filing.findOriginal(archived.dropId))!.path, 'utf8')).toBe('text')
      expect(await readFile((await filing.findOriginal(held.dropId))!.path, 'utf8')).toBe('held')
      await rm(bench.path('receipts'), { recursive: true, force: true })
    }
    expect((await filing.findOriginal(held.dropId))!.receipt).toBeNull()
    expect(await filing.findOriginal(bench.nextId())).toBeNull()
  })
})

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodePath, parseDropDocument } from '../../../src/documents/drop.js'
import { IntakeError } from '../../../src/errors.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { FaultFiles, quickFiles, receiptOf, systemError, Workbench } from './workbench.js'

const run = promisify(execFile)
const sha = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex')

let bench: Workbench
beforeEach(async () => {
  bench = await Workbench.open([
    {},
    { name: 'nightly', match: 'nightly/*.csv', record: 'soil/{column:report_id}' },
    { name: 'strict', match: 'strict/*.csv', sidecars: ['sha256', 'done'] },
    { name: 'told', match: 'told/*.csv', record: 'manifest', allowedCreatedBy: ['anna'] },
  ])
})
afterEach(() => bench.close())

describe('claiming a file', () => {
  it('takes the exact bytes, hides the original beside its old place, and leaves nothing under its name', async () => {
    await bench.drop('borelogs/site/BH-1.csv', 'a,b\n1,2\n')
    const { claims } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/site/BH-1.csv')
    expect(claim).toMatchObject({
      sha256: sha('a,b\n1,2\n'),
      bytes: 8,
      problem: null,
      orderingKey: 'record:site/BH-1',
      createdBy: 'lab',
      recovered: false,
    })
    expect(claim.recordRule).toEqual({ kind: 'fixed', recordId: 'site/BH-1' })
    expect(await readFile(claim.sourcePath, 'utf8')).toBe('a,b\n1,2\n')
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/site/', `borelogs/site/.${claim.dropId}.claimed`])
    expect(bench.events).toMatchObject([{ event: 'drop.claimed', dropId: claim.dropId, path: 'borelogs/site/BH-1.csv', problem: null }])
  })

  it('writes down all that the conversion needs', async () => {
    await bench.drop('nightly/x.csv')
    const claim = await bench.claim(bench.parts().claims, 'nightly/x.csv')
    const document = parseDropDocument(await readFile(`${claim.folder}/drop.json`))
    expect(document).toEqual(claim.document)
    expect(document?.order).toMatchObject({
      source: 'nightly',
      table: 'borelog_versions',
      table_document: { fields: [{ name: 'a' }] },
      schema_sha256: 'c'.repeat(64),
      record_rule: { kind: 'column', prefix: 'soil/', column: 'report_id', suffix: '' },
      on_invalid: 'quarantine-drop',
      created_by: 'lab',
    })
    expect(claim.orderingKey).toBe('source:nightly')
  })

  it('writes drop.json, durable with its folder, before it touches the file', async () => {
    await bench.drop('borelogs/a.csv')
    const steps: string[] = []
    const recorder = new FaultFiles({
      at: -1,
      mode: 'error',
      error: () => new Error(),
      only: (operation, path) => {
        steps.push(
          `${operation} ${path
            .toString()
            .slice(bench.root.length + 1)
            .replace(/\d{8}T\d+Z-\d+-[0-9a-f]+/g, 'ID')}`,
        )
        return false
      },
    })
    await bench.claim(bench.parts(recorder.files).claims, 'borelogs/a.csv')
    const at = (step: string): number => {
      expect(steps).toContain(step)
      return steps.indexOf(step)
    }
    const order = [
      'makeDirectory state/claims/ID',
      'create state/claims/ID/drop.json',
      'write state/claims/ID/drop.json',
      'sync state/claims/ID/drop.json',
      'syncDirectory state/claims/ID',
      'rename inbox/borelogs/a.csv',
      'syncDirectory inbox/borelogs',
      'openRead inbox/borelogs/.ID.claimed',
      'create state/claims/ID/source.csv',
      'sync state/claims/ID/source.csv',
    ].map(at)
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(at('syncDirectory state/claims')).toBeLessThan(at('rename inbox/borelogs/a.csv'))
    expect(at('makeDirectory state/claims/ID')).toBeLessThan(at('syncDirectory state/claims'))
  })

  it.each([
    ['a newline', Buffer.from('borelogs/a\nb.csv')],
    ['an escape sequence', Buffer.from('borelogs/\u001b[31mred.csv')],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('borelogs/'), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('.csv')])],
    ['255 bytes', Buffer.from(`borelogs/${'x'.repeat(251)}.csv`)],
    ['a percent sign and spaces', Buffer.from('borelogs/100%25 sure.csv')],
  ])('keeps a name with %s to the byte, and calls it no legal record id', async (_what, name) => {
    await bench.drop(name, 'x')
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, name)
    expect(decodePath(claim.document.file.path)).toEqual(name)
    expect(claim.problem?.code).toBe('RECORD_ID_ILLEGAL')
    expect(claim.orderingKey).toBe('source:borelogs')
    const { original, folder } = await filing.quarantine(claim, { ...claim.problem!, report: null })
    expect(await bench.text(original!)).toBe('x')
    expect(folder).toMatch(/^quarantine\/[A-Za-z0-9._-]{1,180}$/)
    await filing.writeReceipt(receiptOf(claim, { outcome: 'quarantined', stored_at: original }))
    expect(await claims.release(claim)).toBe('released')
    expect(await bench.tree('inbox')).toEqual(['borelogs/'])
  })

  it('takes a name in a folder that is not UTF-8', async () => {
    const name = Buffer.concat([Buffer.from('borelogs/'), Buffer.from([0xff]), Buffer.from('/a.csv')])
    await bench.drop(name, 'x')
    expect((await bench.claim(bench.parts().claims, name)).problem?.code).toBe('RECORD_ID_ILLEGAL')
  })

  it('takes an empty file: what is wrong with it is the conversion’s to say', async () => {
    await bench.drop('borelogs/a.csv', '')
    expect(await bench.claim(bench.parts().claims, 'borelogs/a.csv')).toMatchObject({ bytes: 0, problem: null, sha256: sha('') })
  })

  it('takes a decision, which has no source', async () => {
    await writeFile(bench.path('decisions/x.decision.json'), '{}')
    const claim = await bench.claim(bench.parts().claims, 'x.decision.json', 'decision')
    expect(claim).toMatchObject({ problem: null, recordRule: null, createdBy: null, orderingKey: `decision:${claim.dropId}` })
    expect(claim.document.order).toBeNull()
    expect(bench.events[0]!.event).toBe('decision.claimed')
  })

  it('does not copy a file over the limit, and says so', async () => {
    await bench.drop('borelogs/a.csv', 'x'.repeat(100))
    const { claims, filing } = bench.parts(quickFiles, { dropBytes: 99 })
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    expect(claim).toMatchObject({ sha256: null, bytes: 100, problem: { code: 'LIMIT_EXCEEDED' } })
    const { original } = await filing.quarantine(claim, { ...claim.problem!, report: null })
    expect(await bench.text(original!)).toBe('x'.repeat(100))
  })

  it('says that a table does not exist', async () => {
    await bench.drop('borelogs/a.csv')
    expect((await bench.claim(bench.parts(quickFiles, { tables: false }).claims, 'borelogs/a.csv')).problem?.code).toBe('TABLE_UNKNOWN')
  })
})

describe('a file that is not what settled', () => {
  const rest = async (): Promise<void> => expect(await bench.tree('state/claims')).toEqual([])

  it('is left alone when it grew, was touched or replaced since', async () => {
    for (const change of [
      () => appendFile(bench.path('inbox/borelogs/a.csv'), 'more'),
      () => utimes(bench.path('inbox/borelogs/a.csv'), 1, 1),
      async () => {
        await writeFile(bench.path('inbox/borelogs/.new'), 'a,b\n1,2\n')
        await rename(bench.path('inbox/borelogs/.new'), bench.path('inbox/borelogs/a.csv'))
      },
    ]) {
      await bench.drop('borelogs/a.csv')
      const candidate = await bench.candidate('borelogs/a.csv')
      await change()
      expect(await bench.parts().claims.claim(candidate, bench.nextId())).toEqual({ kind: 'changed' })
      expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv'])
      await rest()
    }
  })

  it('has vanished when it was removed', async () => {
    await bench.drop('borelogs/a.csv')
    const candidate = await bench.candidate('borelogs/a.csv')
    await rm(bench.path('inbox/borelogs/a.csv'))
    expect(await bench.parts().claims.claim(candidate, bench.nextId())).toEqual({ kind: 'vanished' })
    await rest()
  })

  /** Runs `change` just before the first call of `operation` on a path that ends so. */
  const meddle = (operation: string, ending: string, change: () => Promise<void>): FaultFiles['files'] => {
    let done = false
    return new Proxy(nodeFiles, {
      get:
        (target, name: keyof typeof nodeFiles) =>
        async (path: string | Buffer, ...restArgs: unknown[]) => {
          if (!done && name === operation && path.toString().endsWith(ending)) {
            done = true
            await change()
          }
          return (target[name] as (...args: unknown[]) => unknown)(path, ...restArgs)
        },
    })
  }

  it('replaced in the last moment before the rename, goes back under its name', async () => {
    await bench.drop('borelogs/a.csv', 'old')
    const files = meddle('rename', 'a.csv', async () => {
      await writeFile(bench.path('inbox/borelogs/.new'), 'new')
      await rename(bench.path('inbox/borelogs/.new'), bench.path('inbox/borelogs/a.csv'))
    })
    expect(await bench.parts(files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())).toEqual({ kind: 'changed' })
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('new')
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv'])
    await rest()
  })

  it('replaced by a folder in the last moment, gives the folder its name back', async () => {
    await bench.drop('borelogs/a.csv', 'old')
    const files = meddle('rename', 'a.csv', async () => {
      await rm(bench.path('inbox/borelogs/a.csv'))
      await mkdir(bench.path('inbox/borelogs/a.csv'))
    })
    expect(await bench.parts(files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())).toEqual({ kind: 'changed' })
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv/'])
    await rest()
  })

  it('removed in the last moment, has vanished', async () => {
    await bench.drop('borelogs/a.csv', 'old')
    const files = meddle('rename', 'a.csv', () => rm(bench.path('inbox/borelogs/a.csv')))
    expect(await bench.parts(files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())).toEqual({ kind: 'vanished' })
    await rest()
  })

  it('written to while it is copied, goes back', async () => {
    await bench.drop('borelogs/a.csv', 'old')
    const files = meddle('create', 'source.csv', () =>
      appendFile(bench.path('inbox/borelogs', `.${'20240127T000000001Z-000000-0123456789abcdef'}.claimed`), 'late'),
    )
    expect(await bench.parts(files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())).toEqual({ kind: 'changed' })
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('oldlate')
    expect(bench.events).toMatchObject([{ event: 'drop.returned', reason: 'undone' }])
    await rest()
  })

  it('waits, hidden and shown, while a newer file has its name, and then goes back without overwriting', async () => {
    await bench.drop('borelogs/a.csv', 'first')
    const hidden = bench.path('inbox/borelogs', '.20240127T000000001Z-000000-0123456789abcdef.claimed')
    const files = meddle('create', 'source.csv', async () => {
      await appendFile(hidden, ' late')
      await writeFile(bench.path('inbox/borelogs/a.csv'), 'second')
    })
    const { claims } = bench.parts(files)
    expect(await claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())).toEqual({ kind: 'changed' })
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('second')
    expect(await readFile(hidden, 'utf8')).toBe('first late')
    expect(claims.waiting()).toMatchObject([{ path: 'borelogs/a.csv', code: 'CHANGED_DURING_CLAIM' }])
    await claims.retryReturns('drop')
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('second')
    await rename(bench.path('inbox/borelogs/a.csv'), bench.path('elsewhere'))
    await claims.retryReturns('drop')
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('first late')
    expect(claims.waiting()).toEqual([])
    await rest()
  })

  it('the same after a restart', async () => {
    await bench.drop('borelogs/a.csv', 'first')
    const files = meddle('create', 'source.csv', async () => {
      await appendFile(bench.path('inbox/borelogs', '.20240127T000000001Z-000000-0123456789abcdef.claimed'), ' late')
      await writeFile(bench.path('inbox/borelogs/a.csv'), 'second')
    })
    await bench.parts(files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())
    const { claims } = bench.parts()
    expect(await claims.recover()).toEqual([])
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('second')
    await rename(bench.path('inbox/borelogs/a.csv'), bench.path('elsewhere'))
    await claims.retryReturns('drop')
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('first late')
    await rest()
  })
})

describe('a file we may not have', () => {
  it.each(['EACCES', 'EPERM', 'EIO'])('%s on opening it: it stays where it is and nothing is written', async (code) => {
    await bench.drop('borelogs/a.csv')
    const faults = new FaultFiles({ at: 1, mode: 'error', error: () => systemError(code), only: (operation) => operation === 'openRead' })
    const outcome = await bench.parts(faults.files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())
    expect(outcome).toMatchObject({ kind: 'waiting', code: 'UNREADABLE' })
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv'])
    expect(await bench.tree('state/claims')).toEqual([])
  })

  it.each([
    ['rename', 'EACCES'],
    ['read', 'EIO'],
  ])('trouble in %s: it goes back', async (operation, code) => {
    await bench.drop('borelogs/a.csv')
    const faults = new FaultFiles({ at: 1, mode: 'error', error: () => systemError(code), only: (o) => o === operation })
    const outcome = await bench.parts(faults.files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())
    expect(outcome).toMatchObject({ kind: 'waiting', code: 'UNREADABLE' })
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv'])
    expect(await bench.tree('state/claims')).toEqual([])
  })

  it('a full disk throws DISK_FULL after the file went back', async () => {
    for (const operation of ['create', 'write']) {
      await bench.drop('borelogs/a.csv', 'text')
      const faults = new FaultFiles({
        at: 2,
        mode: 'error',
        error: () => new IntakeError('DISK_FULL', 'full'),
        only: (o) => o === operation,
      })
      await expect(bench.parts(faults.files).claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())).rejects.toMatchObject({
        code: 'DISK_FULL',
      })
      expect(faults.fired).toBe(true)
      expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv'])
      expect(await bench.tree('state/claims')).toEqual([])
    }
  })

  it('a failed fsync is thrown and nothing more is tried; the next start claims the drop', async () => {
    for (let at = 1; ; at++) {
      await bench.drop('borelogs/a.csv', 'text')
      let calls = 0
      const faults = new FaultFiles({
        at,
        mode: 'error',
        error: () => new IntakeError('FSYNC_FAILED', 'no'),
        only: (o) => {
          if (faults.fired) calls++
          return o === 'sync' || o === 'syncDirectory'
        },
      })
      const outcome = await bench
        .parts(faults.files)
        .claims.claim(await bench.candidate('borelogs/a.csv'), bench.nextId())
        .catch((error: unknown) => error)
      if (!faults.fired) {
        expect(at).toBe(6)
        return
      }
      expect(outcome).toMatchObject({ code: 'FSYNC_FAILED' })
      expect(calls).toBeLessThan(6)
      const { claims } = bench.parts()
      const recovered = await claims.recover()
      const there = await stat(bench.path('inbox/borelogs/a.csv')).then(
        () => 1,
        () => 0,
      )
      expect(recovered.length + there).toBe(1)
      await rm(bench.path('inbox/borelogs'), { recursive: true })
      await rm(bench.path('state/claims'), { recursive: true })
      await mkdir(bench.path('state/claims'))
    }
  })
})

describe('special files', () => {
  it('a link, a pipe and a socket go to quarantine unopened, and come out of the inbox', async () => {
    await bench.drop('borelogs/real.csv', 'secret')
    await symlink(bench.path('inbox/borelogs/real.csv'), bench.path('inbox/borelogs/link.csv'))
    await run('mkfifo', [bench.path('inbox/borelogs/pipe.csv')])
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(bench.path('inbox/borelogs/s.csv'), resolve))
    try {
      for (const [name, code, kind] of [
        ['link.csv', 'SYMLINK', 'symlink'],
        ['pipe.csv', 'FIFO', 'fifo'],
        ['s.csv', 'SOCKET', 'socket'],
      ] as const) {
        const { claims, filing } = bench.parts()
        const claim = await bench.claim(claims, `borelogs/${name}`)
        expect(claim).toMatchObject({ problem: { code }, sha256: null, bytes: null })
        const { original } = await filing.quarantine(claim, { ...claim.problem!, report: null })
        expect((await nodeFiles.stat(bench.path(original!)))?.kind).toBe(kind)
        // Once more, as after a crash before the receipt.
        const [again] = await bench.parts().claims.recover()
        expect(again).toMatchObject({ dropId: claim.dropId, problem: { code }, recovered: true })
        await filing.quarantine(again!, { ...again!.problem!, report: null })
        await filing.writeReceipt(receiptOf(claim, { outcome: 'quarantined', stored_at: original }))
        expect(await claims.release(again!)).toBe('released')
      }
      expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/real.csv'])
      expect(await bench.tree('state/claims')).toEqual([])
      expect(await bench.text('inbox/borelogs/real.csv')).toBe('secret')
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })
})

describe('sidecars', () => {
  const strict = async (content: string, hash: string): Promise<void> => {
    await bench.drop('strict/a.csv', content)
    await bench.drop('strict/a.csv.sha256', hash)
    await bench.drop('strict/a.csv.done', '')
  }

  it.each([
    ['bare', (h: string) => h],
    ['as sha256sum writes it', (h: string) => `${h}  a.csv\n`],
    ['escaped', (h: string) => `\\${h}  a\\nb.csv\n`],
    ['upper case', (h: string) => `${h.toUpperCase()} *a.csv`],
  ])('a hash that agrees, %s, lets the drop through', async (_how, form) => {
    await strict('x', form(sha('x')))
    const claim = await bench.claim(bench.parts().claims, 'strict/a.csv')
    expect(claim.problem).toBeNull()
    expect((await bench.tree('inbox')).filter((n) => !n.endsWith('.claimed'))).toEqual(['strict/'])
  })

  it('a hash that does not agree is SIDECAR_MISMATCH, one that is none SIDECAR_INVALID', async () => {
    await strict('x', sha('y'))
    expect((await bench.claim(bench.parts().claims, 'strict/a.csv')).problem?.code).toBe('SIDECAR_MISMATCH')
    for (const text of ['', 'hello', `${sha('x')}0`, sha('x').slice(1)]) {
      await strict('x', text)
      expect((await bench.claim(bench.parts().claims, 'strict/a.csv')).problem?.code).toBe('SIDECAR_INVALID')
    }
  })

  it('go along to the archive and to quarantine, and leave the inbox with their drop', async () => {
    await strict('x', sha('x'))
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, 'strict/a.csv')
    const archived = await filing.archive(claim)
    expect(await bench.text(`${archived}.sha256`)).toBe(sha('x'))
    expect(await bench.text(`${archived}.done`)).toBe('')
    await filing.writeReceipt(receiptOf(claim, { stored_at: archived }))
    await claims.release(claim)
    expect(await bench.tree('inbox')).toEqual(['strict/'])
    expect((await filing.findOriginal(claim.dropId))?.sidecars.map((s) => s.kind)).toEqual(['sha256', 'done'])
  })

  it('one that changed since it settled means that nothing is claimed', async () => {
    await strict('x', sha('x'))
    const candidate = await bench.candidate('strict/a.csv')
    await writeFile(bench.path('inbox/strict/a.csv.sha256'), 'other')
    expect(await bench.parts().claims.claim(candidate, bench.nextId())).toEqual({ kind: 'changed' })
    expect(await bench.tree('inbox')).toEqual(['strict/', 'strict/a.csv', 'strict/a.csv.done', 'strict/a.csv.sha256'])
  })

  const manifest = async (document: unknown): Promise<void> => {
    await bench.drop('told/a.csv', 'x')
    await bench.drop('told/a.csv.manifest.json', typeof document === 'string' ? document : JSON.stringify(document))
  }

  it('a manifest says record, comment, rows and, where the source allows it, who made the version', async () => {
    await manifest({ record_id: 'a/b', comment: 'é', rows: 3, sha256: sha('x'), created_by: 'anna' })
    const claim = await bench.claim(bench.parts().claims, 'told/a.csv')
    expect(claim).toMatchObject({
      problem: null,
      orderingKey: 'record:a/b',
      createdBy: 'anna',
      manifest: { comment: 'é', rows: 3 },
      recordRule: { kind: 'fixed', recordId: 'a/b' },
    })
  })

  it.each([
    ['not json', 'MANIFEST_INVALID'],
    ['', 'MANIFEST_INVALID'],
    [`\ufeff{"record_id":"a"}`, null],
    [{}, 'MANIFEST_INVALID'],
    [{ record_id: 'a', more: 1 }, 'MANIFEST_INVALID'],
    [{ record_id: 'a', comment: 'x\ny' }, 'MANIFEST_INVALID'],
    [{ record_id: 'a', comment: 'é'.repeat(300) }, 'MANIFEST_INVALID'],
    [{ record_id: 'a', rows: -1 }, 'MANIFEST_INVALID'],
    [{ record_id: 'x'.repeat(70_000) }, 'MANIFEST_INVALID'],
    [{ record_id: '../a' }, 'RECORD_ID_ILLEGAL'],
    [{ record_id: 'versions' }, 'RECORD_ID_ILLEGAL'],
    [{ record_id: 'a', sha256: sha('y') }, 'SIDECAR_MISMATCH'],
    [{ record_id: 'a', created_by: 'mallory' }, 'CREATED_BY_NOT_ALLOWED'],
    [{ record_id: 'a', created_by: 'lab' }, null],
  ])('manifest %j gives %s', async (document, code) => {
    await manifest(document)
    const claim = await bench.claim(bench.parts().claims, 'told/a.csv')
    expect(claim.problem?.code ?? null).toBe(code)
    if (code !== null) expect(claim.recordRule).toBeNull()
  })
})

describe('releasing a claim', () => {
  it('removes the original and the claim, and nothing else', async () => {
    await bench.drop('borelogs/a.csv')
    await bench.drop('borelogs/b.csv')
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    await filing.archive(claim)
    await filing.writeReceipt(receiptOf(claim))
    expect(await claims.release(claim)).toBe('released')
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/b.csv'])
    expect(await bench.tree('state/claims')).toEqual([])
  })

  it('gives a file back that somebody wrote to after it was taken', async () => {
    await bench.drop('borelogs/a.csv', 'whole?')
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    await appendFile(claim.originalPath, ' no')
    const archived = await filing.archive(claim)
    await filing.writeReceipt(receiptOf(claim))
    expect(await claims.release(claim)).toBe('returned')
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('whole? no')
    expect(await bench.text(archived)).toBe('whole?')
    expect(bench.events.at(-1)).toMatchObject({ event: 'drop.returned', reason: 'written-after-claim' })
    expect(await bench.tree('state/claims')).toEqual([])
  })

  it('does not overwrite a newer file of that name', async () => {
    await bench.drop('borelogs/a.csv', 'one')
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    await appendFile(claim.originalPath, ' late')
    await bench.drop('borelogs/a.csv', 'two')
    await filing.writeReceipt(receiptOf(claim))
    expect(await claims.release(claim)).toBe('pending')
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('two')
    const two = await bench.claim(claims, 'borelogs/a.csv')
    await claims.retryReturns('decision')
    expect(claims.waiting()).toHaveLength(1)
    await claims.retryReturns('drop')
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('one late')
    expect(await readFile(two.sourcePath, 'utf8')).toBe('two')
  })

  it('waits when the folder may not be written to', async () => {
    await bench.drop('borelogs/a.csv', 'one')
    const faults = new FaultFiles({
      at: 1,
      mode: 'error',
      error: () => systemError('EACCES'),
      only: (o, p) => o === 'remove' && p.toString().endsWith('.claimed'),
    })
    const { claims, filing } = bench.parts(faults.files)
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    await filing.writeReceipt(receiptOf(claim))
    expect(await claims.release(claim)).toBe('pending')
    await claims.retryReturns('drop')
    expect(await bench.tree('inbox')).toEqual(['borelogs/'])
    expect(await bench.tree('state/claims')).toEqual([])
  })

  it('is content when the producer removed the whole folder', async () => {
    await bench.drop('borelogs/a.csv', 'one')
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    await filing.writeReceipt(receiptOf(claim))
    await rm(bench.path('inbox/borelogs'), { recursive: true })
    expect(await claims.release(claim)).toBe('released')
  })
})

describe('recovery', () => {
  it('makes the copy again from the original, in drop-id order', async () => {
    for (const name of ['b', 'a', 'c']) await bench.drop(`borelogs/${name}.csv`, name)
    const { claims } = bench.parts()
    const before = [
      await bench.claim(claims, 'borelogs/b.csv'),
      await bench.claim(claims, 'borelogs/a.csv'),
      await bench.claim(claims, 'borelogs/c.csv'),
    ]
    for (const claim of before) {
      await rm(claim.sourcePath)
      await writeFile(claim.sourcePath, 'torn')
    }
    const after = await bench.parts().claims.recover()
    expect(after.map((c) => c.dropId)).toEqual(before.map((c) => c.dropId))
    expect(after).toEqual(before.map((c) => ({ ...c, recovered: true })))
    expect(await Promise.all(after.map((c) => readFile(c.sourcePath, 'utf8')))).toEqual(['b', 'a', 'c'])
  })

  it('uses drop.json, not the configuration of today', async () => {
    await bench.drop('borelogs/a.csv')
    const claim = await bench.claim(bench.parts().claims, 'borelogs/a.csv')
    const [again] = await bench.parts(quickFiles, { tables: false }).claims.recover()
    expect(again).toEqual({ ...claim, recovered: true })
  })

  it('keeps to the proven copy when somebody wrote to the original since, and gives that back in the end', async () => {
    await bench.drop('borelogs/a.csv', 'as claimed')
    const first = await bench.claim(bench.parts().claims, 'borelogs/a.csv')
    await appendFile(first.originalPath, ', and more')
    const { claims, filing } = bench.parts()
    const [claim] = await claims.recover()
    expect(claim).toEqual({ ...first, recovered: true })
    expect(await readFile(claim!.sourcePath, 'utf8')).toBe('as claimed')
    await filing.writeReceipt(receiptOf(claim!))
    expect(await claims.release(claim!)).toBe('returned')
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('as claimed, and more')
  })

  it('without a proven copy, what somebody wrote to since is a new drop', async () => {
    await bench.drop('borelogs/a.csv', 'as claimed')
    const first = await bench.claim(bench.parts().claims, 'borelogs/a.csv')
    await appendFile(first.originalPath, ', and more')
    await rm(first.sourcePath)
    await writeFile(first.sourcePath, 'as claimee')
    expect(await bench.parts().claims.recover()).toEqual([])
    expect(await bench.text('inbox/borelogs/a.csv')).toBe('as claimed, and more')
    expect(await bench.tree('state/claims')).toEqual([])
  })

  it('drops a claim whose file was never taken, and a claim whose document is torn', async () => {
    await bench.drop('borelogs/a.csv')
    const { claims } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    await rename(claim.originalPath, bench.path('inbox/borelogs/a.csv'))
    await rm(`${claim.folder}/copy.json`)
    await mkdir(bench.path('state/claims', bench.nextId()))
    const torn = bench.path('state/claims', bench.nextId())
    await mkdir(torn)
    await writeFile(`${torn}/drop.json`, '{"format":1,')
    await mkdir(bench.path('state/claims/not-a-drop'))
    expect(await bench.parts().claims.recover()).toEqual([])
    expect(await bench.tree('state/claims')).toEqual(['not-a-drop/'])
    expect(await bench.tree('inbox')).toEqual(['borelogs/', 'borelogs/a.csv'])
  })

  it('does not throw a damaged document away while its file is hidden', async () => {
    await bench.drop('borelogs/a.csv')
    const claim = await bench.claim(bench.parts().claims, 'borelogs/a.csv')
    await writeFile(`${claim.folder}/drop.json`, '{')
    const { claims } = bench.parts()
    expect(await claims.recover()).toEqual([])
    expect(claims.waiting()).toMatchObject([{ code: 'CLAIM_STRANDED' }])
    expect(await bench.tree('state/claims')).toContain(`${claim.dropId}/drop.json`)
    expect(await nodeFiles.stat(claim.originalPath)).not.toBeNull()
  })

  it('does not drop a claim whose folder is out of sight', async () => {
    await bench.drop('borelogs/a.csv')
    const claim = await bench.claim(bench.parts().claims, 'borelogs/a.csv')
    await rm(`${claim.folder}/copy.json`)
    await rename(bench.path('inbox/borelogs'), bench.path('unmounted'))
    const { claims } = bench.parts()
    expect(await claims.recover()).toEqual([])
    expect(claims.waiting()).toMatchObject([{ code: 'CLAIM_STRANDED', path: 'borelogs/a.csv' }])
    await rename(bench.path('unmounted'), bench.path('inbox/borelogs'))
    expect(await bench.parts().claims.recover()).toEqual([{ ...claim, recovered: true }])
  })

  it('finishes cleaning where there is a receipt', async () => {
    await bench.drop('borelogs/a.csv')
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    await filing.writeReceipt(receiptOf(claim))
    expect(await bench.parts().claims.recover()).toEqual([])
    expect(await bench.tree('inbox')).toEqual(['borelogs/'])
    expect(await bench.tree('state/claims')).toEqual([])
  })

  it('counts attempts durably', async () => {
    await bench.drop('borelogs/a.csv')
    const { claims } = bench.parts()
    await claims.recordAttempts(await bench.claim(claims, 'borelogs/a.csv'), 2)
    const [claim] = await bench.parts().claims.recover()
    expect(claim!.document.attempts).toBe(2)
  })

  it('knows the last drop-id', async () => {
    const { claims, filing } = bench.parts()
    expect(await claims.lastDropId()).toBeNull()
    expect(await filing.lastDropId()).toBeNull()
    await bench.drop('borelogs/a.csv')
    const claim = await bench.claim(claims, 'borelogs/a.csv')
    expect(await claims.lastDropId()).toBe(claim.dropId)
    await filing.writeReceipt(receiptOf(claim))
    expect(await filing.lastDropId()).toBe(claim.dropId)
  })
})

describe('requeueing', () => {
  it('claims the stored original under its old path, takes nothing from where it is stored, and survives a crash', async () => {
    await bench.drop('borelogs/a.csv', 'text')
    const { claims, filing } = bench.parts()
    const first = await bench.claim(claims, 'borelogs/a.csv')
    const archived = await filing.archive(first)
    await filing.writeReceipt(receiptOf(first, { stored_at: archived }))
    await claims.release(first)

    const original = await filing.findOriginal(first.dropId)
    const path = decodePath(original!.receipt!.path)
    const found = bench.sources.match(path)
    const source = found.kind === 'source' ? found.source : null
    const outcome = await claims.claimStored({ original: original!, kind: 'drop', path, source, force: true, dropId: bench.nextId() })
    expect(outcome).toMatchObject({
      kind: 'claimed',
      claim: { sha256: sha('text'), document: { requeue_of: first.dropId, force: true }, orderingKey: 'record:a' },
    })
    const next = bench.parts()
    const [claim] = await next.claims.recover()
    expect(claim).toMatchObject({ sha256: sha('text'), document: { requeue_of: first.dropId } })
    const again = await filing.archive(claim!)
    await filing.writeReceipt(receiptOf(claim!, { stored_at: again }))
    expect(await next.claims.release(claim!)).toBe('released')
    expect(await bench.text(archived)).toBe('text')
    expect(await bench.text(again)).toBe('text')
    expect(await bench.tree('inbox')).toEqual(['borelogs/'])
  })

  it('does not follow a link from quarantine', async () => {
    await bench.drop('borelogs/real.csv', 'secret')
    await symlink(bench.path('inbox/borelogs/real.csv'), bench.path('inbox/borelogs/link.csv'))
    const { claims, filing } = bench.parts()
    const claim = await bench.claim(claims, 'borelogs/link.csv')
    const { original } = await filing.quarantine(claim, { ...claim.problem!, report: null })
    await filing.writeReceipt(receiptOf(claim, { outcome: 'quarantined', stored_at: original }))
    const outcome = await claims.claimStored({
      original: { dropId: claim.dropId, path: bench.path(original!), storedAt: original!, sidecars: [], receipt: null },
      kind: 'drop',
      path: Buffer.from('borelogs/link.csv'),
      source: null,
      force: false,
      dropId: bench.nextId(),
    })
    expect(outcome).toEqual({ kind: 'vanished' })
  })
})

describe('trouble after the copy', () => {
  it('gives the file back when the claim cannot be finished', async () => {
    for (const path of ['told/a.csv', 'borelogs/a.csv']) {
      await bench.drop(path, 'x')
      if (path.startsWith('told')) await bench.drop(`${path}.manifest.json`, '{"record_id":"a"}')
      const only = path.startsWith('told')
        ? (o: string, p: string | Buffer): boolean => o === 'openRead' && p.toString().endsWith('source.csv.manifest.json')
        : (o: string, p: string | Buffer): boolean => o === 'overwrite' && p.toString().endsWith('copy.json')
      const faults = new FaultFiles({ at: 1, mode: 'error', error: () => systemError('EMFILE'), only })
      await expect(bench.parts(faults.files).claims.claim(await bench.candidate(path), bench.nextId())).rejects.toMatchObject({
        code: 'EMFILE',
      })
      expect(await bench.tree('inbox')).toContain(path)
      expect(await bench.tree('state/claims')).toEqual([])
      expect(await bench.parts().claims.recover()).toEqual([])
    }
  })
})

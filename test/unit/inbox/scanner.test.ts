import { execFile } from 'node:child_process'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AreaRule, Scanner } from '../../../src/inbox/scanner.js'
import type { Files } from '../../../src/runtime/files.js'
import { quickFiles, systemError, Workbench } from './workbench.js'

const run = promisify(execFile)
const IGNORE = ['*.tmp', '*.part', '.*']

let bench: Workbench
beforeEach(async () => {
  bench = await Workbench.open([
    {},
    { name: 'strict', match: 'strict/*.csv', sidecars: ['sha256', 'done'] },
    { name: 'told', match: 'told/*.csv', record: 'manifest' },
  ])
})
afterEach(() => bench.close())

interface Seen {
  candidates: string[]
  waiting: string[]
  claimed: string[]
}

async function scan(over: { rule?: AreaRule; root?: string; ignore?: readonly string[]; files?: Files } = {}): Promise<Seen> {
  const seen: Seen = { candidates: [], waiting: [], claimed: [] }
  const scanner = new Scanner({
    files: over.files ?? quickFiles,
    root: over.root ?? bench.path('inbox'),
    rule: over.rule ?? { kind: 'drop', sources: bench.sources },
    ignore: over.ignore ?? IGNORE,
  })
  await scanner.scan({
    candidate: (f) => {
      const beside = f.sidecars.map((s) => `+${s.kind}`).join('') + f.missing.map((kind) => `-${kind}`).join('')
      seen.candidates.push(`${f.path.toString('latin1')} ${f.source} ${f.stat.kind}${beside}`)
    },
    waiting: (f) => seen.waiting.push(`${f.path.toString('latin1')} ${f.code}`),
    claimed: (f) => seen.claimed.push(f.path.toString('latin1')),
  })
  for (const list of Object.values(seen)) list.sort()
  return seen
}

describe('a scan', () => {
  it('finds the files of every source at every depth, and says what no source takes', async () => {
    for (const path of ['borelogs/a.csv', 'borelogs/x/y/b.csv', 'borelogs/a.txt', 'other/a.csv', 'top.csv']) await bench.drop(path)
    expect(await scan()).toEqual({
      candidates: ['borelogs/a.csv borelogs file', 'borelogs/x/y/b.csv borelogs file'],
      waiting: ['borelogs/a.txt NO_SOURCE', 'other/a.csv NO_SOURCE', 'top.csv NO_SOURCE'],
      claimed: [],
    })
  })

  it('passes over ignored names, also of folders, and the hidden files of claims whatever is ignored', async () => {
    const hidden = `.${bench.nextId()}.claimed`
    const paths = [
      'borelogs/a.csv.tmp',
      'borelogs/a.part',
      'borelogs/.a.csv',
      'borelogs/.git/a.csv',
      'borelogs/x.tmp/a.csv',
      `borelogs/${hidden}`,
      `borelogs/${hidden.replace('.claimed', '.manifest.json.claimed')}`,
    ]
    for (const path of paths) await bench.drop(path)
    expect(await scan()).toMatchObject({ candidates: [], waiting: [] })
    expect((await scan()).claimed).toHaveLength(2)
    const all = await scan({ ignore: [] })
    expect(all.claimed).toHaveLength(2)
    expect(all.waiting).toContain('borelogs/a.part NO_SOURCE')
  })

  it('does not take a hidden name for a claim unless it holds a drop-id', async () => {
    await bench.drop('borelogs/.x.claimed')
    expect(await scan({ ignore: [] })).toEqual({ candidates: [], waiting: ['borelogs/.x.claimed NO_SOURCE'], claimed: [] })
  })

  it('keeps names to the byte', async () => {
    const names = [Buffer.from('a\nb.csv'), Buffer.from([0xff, 0xfe, 0x2e, 0x63, 0x73, 0x76]), Buffer.from(`${'y'.repeat(251)}.csv`)]
    for (const name of names) await bench.drop(Buffer.concat([Buffer.from('borelogs/'), name]))
    expect((await scan()).candidates).toEqual(names.map((n) => `borelogs/${n.toString('latin1')} borelogs file`).sort())
  })

  it('reports folders that are named as drops, and looks into them all the same', async () => {
    await bench.drop('borelogs/a.csv/b.csv')
    expect(await scan()).toEqual({
      candidates: ['borelogs/a.csv/b.csv borelogs file'],
      waiting: ['borelogs/a.csv NOT_A_FILE'],
      claimed: [],
    })
  })

  it('follows no link, neither to a file nor into a folder, and opens no pipe', async () => {
    await mkdir(bench.path('outside'))
    await writeFile(bench.path('outside/a.csv'), 'secret')
    await mkdir(bench.path('inbox/borelogs'))
    await symlink(bench.path('outside/a.csv'), bench.path('inbox/borelogs/link.csv'))
    await symlink(bench.path('outside'), bench.path('inbox/borelogs/folder'))
    await symlink(bench.path('outside'), bench.path('inbox/borelogs/folder.csv'))
    await symlink('nowhere', bench.path('inbox/borelogs/dangling.csv'))
    await run('mkfifo', [bench.path('inbox/borelogs/pipe.csv')])
    const opening: Files = { ...quickFiles, openRead: () => Promise.reject(new Error('a scan opens nothing')) }
    expect(await scan({ files: opening })).toEqual({
      candidates: [
        'borelogs/dangling.csv borelogs symlink',
        'borelogs/folder.csv borelogs symlink',
        'borelogs/link.csv borelogs symlink',
        'borelogs/pipe.csv borelogs fifo',
      ],
      waiting: ['borelogs/folder SYMLINK'],
      claimed: [],
    })
  })

  it('follows a root that is a link', async () => {
    await bench.drop('borelogs/a.csv')
    await symlink(bench.path('inbox'), bench.path('link'))
    expect((await scan({ root: bench.path('link') })).candidates).toHaveLength(1)
  })

  it('finds sidecars with their drop, and says which are missing', async () => {
    await bench.drop('strict/a.csv')
    await bench.drop('strict/a.csv.sha256')
    await bench.drop('strict/a.csv.done')
    await bench.drop('strict/b.csv')
    await bench.drop('strict/b.csv.done')
    await bench.drop('told/c.csv')
    await bench.drop('told/d.csv')
    await mkdir(bench.path('inbox/told/d.csv.manifest.json'))
    await bench.drop('strict/lonely.csv.done')
    expect(await scan()).toEqual({
      candidates: [
        'strict/a.csv strict file+sha256+done',
        'strict/b.csv strict file+done-sha256',
        'told/c.csv told file-manifest',
        'told/d.csv told file-manifest',
      ],
      waiting: ['strict/lonely.csv.done SIDECAR_MISSING'],
      claimed: [],
    })
  })

  it('does not take a link for a sidecar', async () => {
    await bench.drop('strict/a.csv')
    await bench.drop('strict/a.csv.sha256')
    await symlink('a.csv.sha256', bench.path('inbox/strict/a.csv.done'))
    expect((await scan()).candidates).toEqual(['strict/a.csv strict file+sha256-done'])
  })

  it('neither looks at files that are being taken nor says a word of them', async () => {
    for (const path of ['borelogs/a.csv', 'borelogs/b.csv', 'other/c.csv', 'top.csv']) await bench.drop(path)
    const looked: string[] = []
    const files: Files = {
      ...quickFiles,
      stat: (path) => {
        looked.push(path.toString().slice(bench.path('inbox').length + 1))
        return quickFiles.stat(path)
      },
    }
    const told: string[] = []
    const note = ({ path }: { path: Buffer }): void => void told.push(path.toString())
    const scanner = new Scanner({ files, root: bench.path('inbox'), rule: { kind: 'drop', sources: bench.sources }, ignore: IGNORE })
    const summary = await scanner.scan({
      candidate: note,
      waiting: note,
      claimed: note,
      isBusy: (path) => ['borelogs/a.csv', 'other/c.csv'].includes(path.toString()),
    })
    expect(told.sort()).toEqual(['borelogs/b.csv', 'top.csv'])
    expect(looked).toContain('borelogs/b.csv')
    expect(looked).not.toContain('borelogs/a.csv')
    expect(summary.files).toBe(4)
  })

  it('in decisions/ finds *.decision.json only', async () => {
    for (const name of ['a.decision.json', '.decision.json', 'b.json', 'c.decision.json.tmp'])
      await writeFile(bench.path('decisions', name), '{}')
    await mkdir(bench.path('decisions/d.decision.json'))
    expect(await scan({ rule: { kind: 'decision' }, root: bench.path('decisions') })).toEqual({
      candidates: ['a.decision.json null file'],
      waiting: ['b.json NO_SOURCE', 'd.decision.json NOT_A_FILE'],
      claimed: [],
    })
  })

  it('goes on where a folder or a file cannot be looked at', async () => {
    await bench.drop('borelogs/closed/a.csv')
    await bench.drop('borelogs/b.csv')
    await bench.drop('borelogs/c.csv')
    const files: Files = {
      ...quickFiles,
      names: (path) => (path.toString().endsWith('closed') ? Promise.reject(systemError('EACCES')) : quickFiles.names(path)),
      stat: (path) => (path.toString().endsWith('b.csv') ? Promise.reject(systemError('EIO')) : quickFiles.stat(path)),
    }
    expect(await scan({ files })).toEqual({
      candidates: ['borelogs/c.csv borelogs file'],
      waiting: ['borelogs/b.csv UNREADABLE', 'borelogs/closed UNREADABLE'],
      claimed: [],
    })
  })

  it('of a root that is not there finds nothing', async () => {
    await rm(bench.path('inbox'), { recursive: true })
    expect(await scan()).toEqual({ candidates: [], waiting: [], claimed: [] })
  })
})

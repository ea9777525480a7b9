import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Requests } from '../../../src/coordinator/requests.js'
import type { Request } from '../../../src/documents/request.js'
import { IntakeError } from '../../../src/errors.js'
import { type Files, nodeFiles } from '../../../src/runtime/files.js'
import type { LogEvent, Logger } from '../../../src/runtime/logger.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const NAMES = ['11111111-1111-4111-8111-111111111111.json', '22222222-2222-4222-8222-222222222222.json'] as const
const REQUEST: Request = {
  format: 1,
  kind: 'requeue',
  drop_id: '20240127T100000123Z-000001-9f86d081884c7d65',
  force: false,
  requested_at: '2024-01-27T10:00:00.000Z',
}

async function requestsOf(handle: (request: Request) => Promise<void> = async () => {}, change: Partial<Files> = {}) {
  const folder = await temporaryFolder()
  const logged: LogEvent[] = []
  const fatal: unknown[] = []
  const write = (fields: LogEvent): void => void logged.push(fields)
  const logger: Logger = { trace: write, debug: write, info: write, warn: write, error: write, fatal: write, child: () => logger }
  const handled: Request[] = []
  const parts: ConstructorParameters<typeof Requests>[0] = {
    files: { ...nodeFiles, ...change },
    folder,
    logger,
    handle: async (request) => {
      handled.push(request)
      await handle(request)
    },
    onFatal: (error) => fatal.push(error),
  }
  const requests = new Requests(parts)
  const put = (name: string, content: unknown = REQUEST): void =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  return { requests, parts, folder, put, handled, logged, fatal, names: () => readdirSync(folder).sort() }
}

describe('a request', () => {
  it('is carried out and then removed', async () => {
    let present: string[] = []
    const r = await requestsOf(async () => {
      present = r.names()
    })
    r.put(NAMES[0])
    await r.requests.poll()
    expect([r.handled, present, r.names(), r.logged]).toEqual([[REQUEST], [NAMES[0]], [], []])
  })

  it('is carried out again when the process died before it was removed', async () => {
    const never = { remove: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) }
    const r = await requestsOf(async () => {}, never)
    r.put(NAMES[0])
    await r.requests.poll()
    const next = new Requests({ ...r.parts, files: nodeFiles })
    await next.poll()
    expect([r.handled.length, r.names()]).toEqual([2, []])
  })

  it('that cannot be removed is not carried out with each look', async () => {
    const r = await requestsOf(async () => {}, { remove: () => Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' })) })
    r.put(NAMES[0])
    for (let i = 0; i < 3; i++) await r.requests.poll()
    expect([r.handled.length, r.logged.length, r.fatal]).toEqual([1, 1, []])
  })

  it('does not run twice when two looks meet', async () => {
    const r = await requestsOf()
    r.put(NAMES[0])
    await Promise.all([r.requests.poll(), r.requests.poll()])
    expect(r.handled).toHaveLength(1)
  })

  it('is waited for by stop', async () => {
    let release!: () => void
    const r = await requestsOf(
      () =>
        new Promise((resolve) => {
          release = resolve
        }),
    )
    r.put(NAMES[0])
    const poll = r.requests.poll()
    while (r.handled.length === 0) await new Promise(setImmediate)
    let stopped = false
    const stop = r.requests.stop().then(() => {
      stopped = true
    })
    await new Promise(setImmediate)
    expect(stopped).toBe(false)
    release()
    await Promise.all([poll, stop])
    expect(r.names()).toEqual([])
  })
})

describe('what is no request', () => {
  it.each([
    ['no JSON', '{"format":1'],
    ['another format', { ...REQUEST, format: 2 }],
    ['another kind', { ...REQUEST, kind: 'delete' }],
    ['a key too many', { ...REQUEST, run: 'rm' }],
    ['a drop-id that is a path', { ...REQUEST, drop_id: '../../etc' }],
    ['nothing', ''],
    ['too large', JSON.stringify(REQUEST) + ' '.repeat(70_000)],
  ])('is kept as .refused and logged once, and holds up nobody: %s', async (_, content) => {
    const r = await requestsOf()
    r.put(NAMES[0], content)
    r.put(NAMES[1])
    await r.requests.poll()
    await r.requests.poll()
    expect(r.handled).toEqual([REQUEST])
    expect(r.names()).toEqual([`${NAMES[0]}.refused`])
    expect(r.logged).toMatchObject([{ event: 'request.refused', code: 'USAGE' }])
  })

  it('by its name or kind is left alone', async () => {
    const r = await requestsOf()
    r.put('notes.txt')
    r.put(`${NAMES[0]}.tmp`)
    mkdirSync(join(r.folder, NAMES[0]))
    symlinkSync('/etc/hostname', join(r.folder, NAMES[1]))
    await r.requests.poll()
    expect([r.handled, r.logged, r.names()]).toEqual([[], [], [NAMES[0], `${NAMES[0]}.tmp`, NAMES[1], 'notes.txt']])
  })

  it('was taken back while it was looked at: nothing is said', async () => {
    const r = await requestsOf(async () => {}, { read: async () => null })
    r.put(NAMES[0])
    await r.requests.poll()
    expect([r.handled, r.logged, r.fatal]).toEqual([[], [], []])
  })

  it('folder is no trouble', async () => {
    const r = await requestsOf(async () => {}, { list: async () => null })
    await r.requests.poll()
    expect([r.logged, r.fatal]).toEqual([[], []])
  })
})

describe('a request that cannot be carried out', () => {
  it.each(['DROP_NOT_FOUND', 'NO_SOURCE', 'CONFIG_INVALID'] as const)(
    'because what it asks for is impossible is refused: %s',
    async (code) => {
      const r = await requestsOf(() => Promise.reject(new IntakeError(code, 'no')))
      r.put(NAMES[0])
      await r.requests.poll()
      await r.requests.poll()
      expect([r.handled.length, r.names(), r.fatal]).toEqual([1, [`${NAMES[0]}.refused`], []])
      expect(r.logged).toMatchObject([{ event: 'request.refused', code }])
    },
  )

  it.each([
    ['a full disk', new IntakeError('DISK_FULL', 'No space left')],
    ['missing rights', Object.assign(new Error('EACCES: x'), { code: 'EACCES' })],
  ])('because of the machine stays, is tried with each look, and said once: %s', async (_, error) => {
    let broken = true
    const r = await requestsOf(() => (broken ? Promise.reject(error) : Promise.resolve()))
    r.put(NAMES[0])
    for (let i = 0; i < 5; i++) await r.requests.poll()
    expect([r.handled.length, r.logged.length, r.names(), r.fatal]).toEqual([5, 1, [NAMES[0]], []])
    broken = false
    await r.requests.poll()
    expect(r.names()).toEqual([])
  })

  it.each([new IntakeError('FSYNC_FAILED', 'lost'), new TypeError('a defect')])(
    'because nothing may be acknowledged any more ends the daemon: %s',
    async (error) => {
      const r = await requestsOf(() => Promise.reject(error))
      r.put(NAMES[0])
      await r.requests.poll()
      expect([r.fatal, r.names()]).toEqual([[error], [NAMES[0]]])
    },
  )

  it('nor listed is said once and never rejects, for nobody waits for a look', async () => {
    const r = await requestsOf(async () => {}, { list: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) })
    for (let i = 0; i < 3; i++) await r.requests.poll()
    expect([r.logged.length, r.fatal]).toEqual([1, []])
  })

  it('nor renamed is not said again with each look', async () => {
    const r = await requestsOf(async () => {}, { rename: () => Promise.reject(Object.assign(new Error('EROFS'), { code: 'EROFS' })) })
    r.put(NAMES[0], 'nonsense')
    for (let i = 0; i < 4; i++) await r.requests.poll()
    expect(r.logged.length).toBeLessThanOrEqual(2)
  })
})

import { describe, expect, test } from 'vitest'
import { EVENTS, isEventName } from '../../../src/runtime/events.js'
import { createLogger, type LogLevel, silentLogger } from '../../../src/runtime/logger.js'

async function logged(
  options: { pretty: boolean; level?: LogLevel; color?: boolean },
  act: (log: Awaited<ReturnType<typeof createLogger>>) => void,
): Promise<string> {
  let out = ''
  const log = await createLogger({
    level: options.level ?? 'info',
    pretty: options.pretty,
    color: options.color ?? false,
    destination: {
      write: (line) => {
        out += line
      },
    },
  })
  act(log)
  return out
}

describe('JSON lines', () => {
  test('level as text, time in ISO form, event, fields, message; nothing else', async () => {
    const line = await logged({ pretty: false }, (log) => log.info({ event: 'drop.claimed', drop_id: 'x', bytes: 7 }, 'Took it'))
    const parsed = JSON.parse(line) as Record<string, unknown>
    expect(Object.keys(parsed)).toEqual(['level', 'time', 'event', 'drop_id', 'bytes', 'msg'])
    expect(parsed).toMatchObject({ level: 'info', event: 'drop.claimed', drop_id: 'x', bytes: 7, msg: 'Took it' })
    expect(parsed.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('below the level nothing is made of the fields either', async () => {
    const fields = {
      event: 'daemon.started',
      get drop_id(): string {
        throw new Error('it was read')
      },
    } as const
    expect(await logged({ pretty: false, level: 'warn' }, (log) => log.child({ path: 'p' }).info(fields, 'x'))).toBe('')
    await expect(logged({ pretty: false, level: 'info' }, (log) => log.info(fields, 'x'))).rejects.toThrow('it was read')
  })

  test('below the level nothing is written', async () => {
    expect(await logged({ pretty: false, level: 'warn' }, (log) => log.info({ event: 'daemon.started' }, 'x'))).toBe('')
  })

  test('a child carries its ids', async () => {
    const line = await logged({ pretty: false }, (log) =>
      log.child({ drop_id: 'd1' }).warn({ event: 'drop.quarantined', code: 'EMPTY_FILE' }, 'x'),
    )
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', drop_id: 'd1', code: 'EMPTY_FILE' })
  })

  test('a field without a value is left out', async () => {
    const line = await logged({ pretty: false }, (log) => log.info({ event: 'daemon.started', store_id: undefined, version: null }, 'x'))
    expect(Object.keys(JSON.parse(line) as object)).toEqual(['level', 'time', 'event', 'version', 'msg'])
  })

  test('fields called cell, value or secret do not compile', async () => {
    await logged({ pretty: false }, (log) => {
      // @ts-expect-error cell values are never logged
      log.info({ event: 'drop.claimed', cell: 'secret' }, 'x')
      // @ts-expect-error an event that is not in the list
      log.info({ event: 'drop.eaten' }, 'x')
    })
  })
})

describe('readable lines', () => {
  test('one line a fact: event and sentence; the fields with the debug level', async () => {
    const act = (log: Awaited<ReturnType<typeof createLogger>>): void =>
      log.info({ event: 'drop.committed', drop_id: 'd1', records: 3 }, 'BH-101 is version 1')
    expect(await logged({ pretty: true }, act)).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: drop\.committed {2}BH-101 is version 1\n$/)
    expect(await logged({ pretty: true, level: 'debug' }, act)).toMatch(
      / INFO: drop\.committed {2}BH-101 is version 1 \{"drop_id":"d1","records":3\}\n$/,
    )
  })

  test('no colours unless asked for', async () => {
    const act = (log: Awaited<ReturnType<typeof createLogger>>): void => log.info({ event: 'daemon.started' }, 'x')
    expect(await logged({ pretty: true }, act)).not.toContain('\u001b')
    expect(await logged({ pretty: true, color: true }, act)).toContain('\u001b[')
  })

  test.each([true, false])('a hostile file name reaches no terminal (pretty: %s)', async (pretty) => {
    const line = await logged({ pretty }, (log) =>
      log
        .child({ at: '\u009b31m' })
        .info({ event: 'drop.waiting', path: 'a\n\u001b[2J\u202ecsv.exe', names: ['\u0007'] }, 'saw \u001b]0;x\u0007'),
    )
    expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
    expect(line.endsWith('\n')).toBe(true)
  })
})

test('the silent logger takes everything and its children are silent', () => {
  silentLogger.child({ drop_id: 'x' }).error({ event: 'daemon.failed' }, 'x')
})

test('event names are noun.verb', () => {
  for (const name of Object.keys(EVENTS)) expect(name).toMatch(/^[a-z]+\.[a-z]+(_[a-z]+)*$/)
  expect(isEventName('drop.claimed')).toBe(true)
  expect(isEventName('toString')).toBe(false)
})

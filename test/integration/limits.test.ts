import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { builtMain, cleanEnvironment, repositoryRoot } from '../support/built-program.js'
import { IntakeWorkspace } from '../support/intake-workspace.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** What the surroundings take away: descriptors, whoever reads the output, the clock of the place. The work goes on, or says why it does not. */

const SAMPLES = join(repositoryRoot, 'config/samples/inbox/borelogs')
const HOLE = readFileSync(join(SAMPLES, 'BH-101.csv'))

/** A line of shell; `$0 $1` runs the built program. */
function shell(line: string): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = cleanEnvironment({ PARQUET_INTAKE_INBOX_SETTLE_MS: '50' })
    execFile('bash', ['-c', line, process.execPath, builtMain()], { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

describe('with 64 descriptors', () => {
  test('many drops at once become versions, none is given back and none is quarantined', async () => {
    const workspace = await IntakeWorkspace.make()
    for (let i = 0; i < 24; i++) await workspace.drop(`borelogs/L-${i}.csv`, HOLE)
    const done = await shell(`ulimit -n 64; "$0" "$1" run --once --config "${workspace.configFile}"`)
    expect(done.status, done.stderr).toBe(0)
    expect(done.stderr).toContain('"daemon.limited"')
    expect(done.stderr).not.toMatch(/"drop\.returned"|"intake\.paused"|"drop\.suspected"/)
    expect(workspace.dropReceipts().map((receipt) => receipt.outcome)).toEqual(new Array(24).fill('committed'))
  })

  test('with far fewer, a verb says which limit it was, and to try again', async () => {
    const folder = await temporaryFolder()
    const { status, stderr } = await shell(`cd "${folder}"; ulimit -n 28; "$0" "$1" run --once`)
    expect(status, stderr).toBe(75)
    expect(stderr).toMatch(/^error RESOURCES_EXHAUSTED: EMFILE.*\nhint: .*ulimit -n/)
  })
})

describe('output that nobody takes', () => {
  test('a daemon whose log and results go into a pipe that is full takes drops, and ends when it is told to or has to', async () => {
    const workspace = await IntakeWorkspace.make()
    const pipe = workspace.path('pipe')
    expect((await shell(`mkfifo "${pipe}"`)).status).toBe(0)
    // Each process has an end of its own: whether writing waits is a property of what was opened, and a process that starts or ends sets it.
    const open = (): number => {
      const end = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
      onTestFinished(() => closeSync(end))
      return end
    }
    const full = open()
    for (const bytes of [4096, 1]) {
      expect(() => {
        for (;;) writeSync(full, Buffer.alloc(bytes))
      }).toThrow('EAGAIN')
    }
    const start = () => {
      const args = [builtMain(), 'run', '--config', workspace.configFile]
      const end = open()
      const child = spawn(process.execPath, args, { env: cleanEnvironment(), stdio: ['ignore', end, end] })
      onTestFinished(() => void child.kill('SIGKILL'))
      return { child, ended: new Promise((resolve) => child.on('exit', resolve)) }
    }
    const { child, ended } = start()
    await workspace.drop('borelogs/a.csv', HOLE)
    while (workspace.dropReceipts().length === 0) {
      expect(child.exitCode).toBe(null)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    // The first one has the lock.
    expect(await start().ended).toBe(11)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  test('on a full device the work is done and its status says that its output was lost; where only the log is lost it does not', async () => {
    const workspace = await IntakeWorkspace.make()
    await workspace.drop('borelogs/a.csv', HOLE)
    const run = (how: string): ReturnType<typeof shell> => shell(`"$0" "$1" run --once --config "${workspace.configFile}" ${how}`)
    const lost = await run('> /dev/full')
    expect([lost.status, workspace.dropReceipts().length]).toEqual([1, 1])
    expect(lost.stderr).toMatch(/error IO_FAILED: .*ENOSPC/)
    await workspace.drop('borelogs/b.csv', HOLE)
    expect((await run('2> /dev/full')).status).toBe(0)
    expect(workspace.dropReceipts()).toHaveLength(2)
    const listed = await shell(`"$0" "$1" records --json --config "${workspace.configFile}" > /dev/full`)
    expect(listed.status).toBe(1)
    expect(listed.stderr).toMatch(/^error IO_FAILED: Standard output .*ENOSPC.*\nhint: .*\n$/)
  })
})

describe('the place of the machine', () => {
  test('changes no byte of what is made: time zones, languages', async () => {
    const folder = await temporaryFolder()
    const fields = [
      { name: 'own', type: 'date', format: '%d/%m/%Y' },
      { name: 'at', type: 'datetime', format: '%Y-%m-%d %H:%M:%S' },
      { name: 'zone', type: 'datetime' },
      { name: 'time', type: 'time' },
      { name: 'amount', type: 'number', decimalChar: ',', groupChar: '.', bareNumber: false },
      { name: 'yes', type: 'boolean', trueValues: ['IYI', 'iyi'], falseValues: ['kotu'] },
      { name: 'text', type: 'string' },
    ]
    await writeFile(join(folder, 'table.json'), JSON.stringify({ fields }))
    const rows = Array.from({ length: 400 }, (_, i) => {
      const [month, day] = [String((i % 12) + 1).padStart(2, '0'), String((i % 28) + 1).padStart(2, '0')]
      // Nights in which a clock was put forward or back somewhere, and a day that one place never had.
      const at = [
        '2011-12-30 12:00:00',
        '2024-03-10 02:30:00',
        '2024-11-03 01:30:00',
        `20${String(i % 100).padStart(2, '0')}-${month}-${day} 23:59:59`,
      ][i % 4]
      const text = ['Iıİi', 'Straße', 'äbc', 'zebra', 'Ångström', 'ÅNGSTRÖM'][i % 6]
      return `${day}/${month}/2024,${at},${at!.replace(' ', 'T')}Z,23:${String(i % 60).padStart(2, '0')}:00,"1.${String(i).padStart(3, '0')},5 EUR",${['IYI', 'iyi', 'kotu'][i % 3]},${text} ${400 - i}`
    })
    await writeFile(join(folder, 'in.csv'), `own,at,zone,time,amount,yes,text\n${rows.join('\n')}\n`)
    const places = [
      ['UTC', 'C'],
      ['America/New_York', 'en_US.UTF-8'],
      ['Asia/Kathmandu', 'de_DE.UTF-8'],
      ['Pacific/Apia', 'tr_TR.UTF-8'],
    ]
    const made = await Promise.all(
      places.map(async ([zone, language], i) => {
        const out = join(folder, `${i}.parquet`)
        const { status, stderr } = await shell(
          `TZ=${zone} LANG=${language} LC_ALL=${language} "$0" "$1" convert "${folder}/in.csv" --schema "${folder}/table.json" --out "${out}"`,
        )
        expect(status, stderr).toBe(0)
        expect(existsSync(out)).toBe(true)
        return createHash('sha256').update(readFileSync(out)).digest('hex')
      }),
    )
    expect(new Set(made).size).toBe(1)
  })
})

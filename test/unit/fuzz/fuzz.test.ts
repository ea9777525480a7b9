import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DEFAULT_DIALECT, intakeConfig } from '../../../src/documents/config.js'
import { escaped } from '../../fuzz/failure-text.js'
import { DocumentGenerator, type FuzzRequest } from '../../fuzz/generate.js'
import { shrink } from '../../fuzz/shrink.js'
import { compareWays } from '../../fuzz/ways.js'
import { builtMain } from '../../support/built-program.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

interface Kept {
  readonly seed: number
  readonly next: number
  readonly totals: { readonly documents: number; readonly plainText: number; readonly decoded: number; readonly errors: number }
}

/** The built fuzzer, where the kernels have both their forms. */
function fuzz(args: readonly string[]): Promise<{ status: number | null; output: string }> {
  const program = join(dirname(builtMain()), '../test/fuzz/fuzz.js')
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output }))
  })
}

function requestFor(table: object): FuzzRequest {
  return {
    tableName: 'fuzz',
    tableDocument: table,
    dialect: DEFAULT_DIALECT,
    grouping: { kind: 'single', recordId: 'R' },
    onInvalid: 'skip-rows',
    limits: { ...intakeConfig.parse({}).limits, reportErrors: 3 },
    compression: 'SNAPPY',
    verify: 'full',
    expectedRows: null,
    output: 'staging',
    mends: true,
    partLines: 20,
    trialRows: 1,
  }
}

describe('a slice of the fuzzer', () => {
  it('finds the three ways of one mind about hundreds of documents, and goes on where the last one ended', {
    timeout: 120_000,
  }, async () => {
    const state = join(await temporaryFolder(), 'var', 'state.json')
    const kept = (): Kept => JSON.parse(readFileSync(state, 'utf8')) as Kept
    const first = await fuzz(['--seed', '3', '--documents', '300', '--state', state])
    expect(first, first.output).toMatchObject({ status: 0 })
    expect(kept()).toMatchObject({ seed: 3, next: 300, totals: { documents: 300 } })
    const second = await fuzz(['--documents', '100', '--state', state, '--jobs', '2'])
    expect(second, second.output).toMatchObject({ status: 0 })
    const { totals, next } = kept()
    expect([next, totals.documents]).toEqual([400, 400])
    for (const count of [totals.plainText, totals.decoded, totals.errors]) expect(count).toBeGreaterThan(20)
    expect(totals.plainText).toBeLessThan(400)
  })

  it('runs one document alone without touching the state', { timeout: 60_000 }, async () => {
    const state = join(await temporaryFolder(), 'state.json')
    const { status, output } = await fuzz(['--seed', '3', '--only', '77', '--state', state])
    expect(status, output).toBe(0)
    expect(output).toContain('document 77 of seed 3')
    expect(() => readFileSync(state)).toThrow('ENOENT')
  })

  it('refuses numbers that are none', async () => {
    const { status, output } = await fuzz(['--documents', 'many'])
    expect(status).toBe(1)
    expect(output).toContain('--documents must be a whole number')
  })
})

describe('documents of the fuzzer', () => {
  it('follow from seed and number alone, whatever was made before', () => {
    const inOrder = new DocumentGenerator(5)
    const all = Array.from({ length: 200 }, (_, number) => inOrder.document(number))
    for (const number of [199, 3, 64, 63, 0, 131]) expect(new DocumentGenerator(5).document(number)).toEqual(all[number])
    expect(inOrder.document(17)).toEqual(all[17])
  })

  it('differ by seed and by number, and do not come round', () => {
    const texts = new Set<string>()
    let empty = 0
    for (const seed of [1, 2]) {
      const generator = new DocumentGenerator(seed)
      for (let number = 0; number < 600; number++) {
        const { bytes } = generator.document(number)
        if (bytes.length < 60) empty++
        else texts.add(bytes.toString('latin1'))
      }
    }
    expect(texts.size).toBe(1200 - empty)
    expect(empty).toBeLessThan(300)
  })
})

describe('the comparison', () => {
  const table = { name: 'fuzz', fields: [{ name: 'n', type: 'integer' }] }
  const row = (text: string, value: bigint) => ({ text, record: null, values: [value] })

  it('takes a file that holds what the model says', async () => {
    const model = { head: 'n\n', rows: [row('1\n', 1n), row('+07\n', 7n)], mustBeValid: true }
    const outcome = await compareWays({ request: requestFor(table), bytes: Buffer.from('n\n1\n+07\n'), model }, true)
    expect(outcome).toMatchObject({ difference: null, valid: true, decoded: true, rows: 2 })
  })

  it('finds a cell, a row and a refusal that the model does not know', async () => {
    const request = requestFor(table)
    const model = { head: 'n\n', rows: [row('1\n', 1n), row('2\n', 2n)], mustBeValid: true }
    const of = async (text: string) => (await compareWays({ request, bytes: Buffer.from(text), model }, true)).difference
    expect(await of('n\n1\n3\n')).toMatchObject({ kind: 'model: cell', detail: 'row 2, column "n": 3n where 2n was written' })
    expect(await of('n\n1\n2\n2\n')).toMatchObject({ kind: 'model: rows' })
    expect(await of('n\n1\nx\n')).toMatchObject({ kind: 'model: refused' })
    expect(await of('n\n1\n2\n')).toBeNull()
  })
})

describe('a failing document', () => {
  it('becomes small as long as it fails alike', async () => {
    const table = { name: 'fuzz', fields: ['a', 'b', 'c'].map((name) => ({ name, type: 'string' })) }
    const lines = Array.from({ length: 40 }, (_, i) => `x${i},"y,${i}",${i === 23 ? 'ba!d' : 'z'}`)
    const document = {
      request: requestFor(table),
      bytes: Buffer.from(`a,b,c\r\n${lines.join('\r\n')}\r\n`),
      model: null,
    }
    const small = await shrink(document, { fails: async ({ bytes }) => bytes.includes('a!'), tries: 5000 })
    expect(small.bytes.toString()).toBe('a!')
    expect(small.request).toMatchObject({
      compression: 'NONE',
      partLines: null,
      verify: 'none',
      mends: false,
      onInvalid: 'quarantine-drop',
    })
  })

  it('stays as it is where nothing smaller fails, and tries no more often than it may', async () => {
    const document = new DocumentGenerator(4).document(1)
    let tries = 0
    const fails = async () => {
      tries++
      return false
    }
    const small = await shrink({ ...document, model: null }, { fails, tries: 50 })
    expect(small.bytes).toEqual(document.bytes)
    expect(tries).toBe(50)
  })

  it('is printed as a literal that says every byte', () => {
    expect(escaped(Buffer.from('a"é\r\n🙂'))).toBe('"a\\"\\u{e9}\\r\\n\\u{1f642}"')
    expect(escaped(Buffer.of(0x61, 0xff, 0x00))).toBe('bytes "a\\xff\\u0000"')
  })
})

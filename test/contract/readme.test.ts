import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { intakeConfig } from '../../src/documents/config.js'
import { ERRORS } from '../../src/errors.js'
import { EVENTS } from '../../src/runtime/events.js'
import { repositoryRoot } from '../support/built-program.js'

/** What README says of codes, events and settings is what the program says. */

const path = join(repositoryRoot, 'README.md')
const readme = (): string => readFileSync(path, 'utf8')

const cell = (text: string): string => text.replaceAll('|', '\\|')

const errorTable = [
  '| code | status | what to do |',
  '|---|---|---|',
  ...Object.entries(ERRORS).map(([code, { exit, hint }]) => `| \`${code}\` | ${exit} | ${cell(hint)} |`),
].join('\n')

const eventTable = [
  '| event | when |',
  '|---|---|',
  ...Object.entries(EVENTS).map(([name, when]) => `| \`${name}\` | ${cell(when)} |`),
].join('\n')

function section(name: string): RegExp {
  return new RegExp(`(<!-- ${name}: [^\\n]* -->\\n)([\\s\\S]*?)(<!-- end -->)`)
}

function hold(name: string, table: string): void {
  if (process.env.UPDATE_README === '1')
    writeFileSync(
      path,
      readme().replace(section(name), (_, open: string, __, close: string) => `${open}${table}\n${close}`),
    )
  expect(
    section(name).exec(readme())?.[2]?.trim(),
    `README is out of date: UPDATE_README=1 npx vitest run test/contract/readme.test.ts`,
  ).toBe(table)
}

describe('README', () => {
  test('lists every error code with its exit status and hint', () => hold('error codes', errorTable))

  test('lists every event', () => hold('events', eventTable))

  test('has every exit status that a code can have', () => {
    const listed = new Set([...readme().matchAll(/^\| (\d+)(?:, (\d+))? \|/gm)].flatMap((m) => [Number(m[1]), Number(m[2])]))
    expect([...new Set(Object.values(ERRORS).map((e) => e.exit))].filter((status) => !listed.has(status))).toEqual([])
  })

  test('has every setting, with the default that the schema has', () => {
    const rows = new Map([...readme().matchAll(/^\| `([\w.]+)` \| ([^|]*) \|/gm)].map((m) => [m[1]!, m[2]!.trim()]))
    const missing: string[] = []
    const wrong: string[] = []
    const walk = (value: unknown, name: string): void => {
      if (name === 'sources') return
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        for (const [key, member] of Object.entries(value)) walk(member, name === '' ? key : `${name}.${key}`)
        return
      }
      const said = rows.get(name)
      const plain = (Array.isArray(value) ? value.join(', ') : String(value)).replaceAll('`', '')
      const inBytes = { '64 GiB': String(64 * 1024 ** 3), '16 MiB': String(16 * 1024 ** 2) } as Record<string, string>
      if (said === undefined) missing.push(name)
      else if (said.replaceAll('`', '') !== plain && inBytes[said] !== plain)
        wrong.push(`${name}: README says ${said}, the schema ${plain}`)
    }
    walk(intakeConfig.parse({}), '')
    expect({ missing, wrong }).toEqual({ missing: [], wrong: [] })
  })

  test('the two commands stand there letter by letter, on the first screen', () => {
    const first = readme().split('\n').slice(0, 30)
    expect(first).toContain('npm ci && npm start')
    expect(first).toContain('npm ci && npm test')
  })

  test('names no verb that there is not', () => {
    const program = readFileSync(join(repositoryRoot, 'src/commands/program.ts'), 'utf8')
    const verbs = new Set([...program.matchAll(/(?:\.command|recordVerb|decisionVerb)\('(\w+)'/g)].map((m) => m[1]!))
    const named = [...readme().matchAll(/parquet-intake ([a-z]+)\b(?! is| does)/g)].map((m) => m[1]!)
    expect(named.filter((verb) => !verbs.has(verb) && !['take'].includes(verb))).toEqual([])
  })
})

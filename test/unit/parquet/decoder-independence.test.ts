import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../support/built-program.js'

/**
 * Verification finds mistakes of the encoder only as long as it does not make the same ones. So the decoder, and all it imports, stays away
 * from the code that writes; of the rest of verification that holds for what each file imports itself (content-hash.ts, which gives it names
 * and types, is the writer's).
 */
const folder = join(repositoryRoot, 'src', 'parquet')
const WRITERS = /^(encode-.*|snappy-compress|page-header|statistics|compress-page|file-writer|schema-elements|check-vector)\.ts$/

/** Files of this product that a file needs to run; types vanish. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/^import (?!type )[^'"]*['"](\.[^'"]+)\.js['"]/gm)].map((match) => join(dirname(path), `${match[1]}.ts`))
}

function allImportsOf(path: string, seen = new Set<string>()): Set<string> {
  for (const target of importsOf(path)) {
    if (seen.has(target)) continue
    seen.add(target)
    allImportsOf(target, seen)
  }
  return seen
}

const writersAmong = (paths: Iterable<string>): string[] =>
  [...paths].map((path) => relative(folder, path)).filter((name) => WRITERS.test(name))
const files = readdirSync(folder)

describe('the decoder shares no code with the encoder', () => {
  test.each(files.filter((name) => name.startsWith('decode-') || /^verify-(digest|statistics)/.test(name)))(
    '%s, with all it imports',
    (name) => {
      expect(writersAmong(allImportsOf(join(folder, name)))).toEqual([])
    },
  )

  test.each(files.filter((name) => name.startsWith('verify-')))('%s itself', (name) => {
    expect(writersAmong(importsOf(join(folder, name)))).toEqual([])
  })

  test('nor the encoder with the decoder', () => {
    for (const name of files.filter((name) => WRITERS.test(name)))
      expect([...allImportsOf(join(folder, name))].filter((path) => /\/(decode|verify)-[^/]*$/.test(path))).toEqual([])
  })

  test('and this test would see it', () => {
    expect(writersAmong(allImportsOf(join(folder, 'file-writer.ts')))).toContain('encode-column.ts')
  })
})

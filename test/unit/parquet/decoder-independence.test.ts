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
const WRITERS =
  /^(encode-.*|snappy-compress|page-header|statistics|compress-page|file-writer|schema-elements|check-vector|content-streams|byte-sink|page-index|compact-protocol)\.ts$/

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
/** Kernels are the encoder's, in whichever language. */
const KERNELS = join(repositoryRoot, 'src', 'kernels')
const kernelsAmong = (paths: Iterable<string>): string[] => [...paths].filter((path) => path.startsWith(KERNELS))

describe('the decoder shares no code with the encoder', () => {
  test.each(files.filter((name) => name.startsWith('decode-') || /^verify-(digest|chunk-digest|statistics|memory|webassembly)/.test(name)))(
    '%s, with all it imports',
    (name) => {
      expect(writersAmong(allImportsOf(join(folder, name)))).toEqual([])
      expect(kernelsAmong(allImportsOf(join(folder, name)))).toEqual([])
    },
  )

  test.each(files.filter((name) => name.startsWith('verify-')))('%s itself', (name) => {
    expect(writersAmong(importsOf(join(folder, name)))).toEqual([])
    expect(kernelsAmong(importsOf(join(folder, name)))).toEqual([])
  })

  test('nor in WebAssembly: its sources import each other and nothing else', () => {
    const assembly = join(folder, 'assembly')
    const sources = readdirSync(assembly).filter((name) => name.endsWith('.as'))
    expect(sources.length).toBeGreaterThan(0)
    for (const name of sources) {
      const imported = [...readFileSync(join(assembly, name), 'utf8').matchAll(/\bfrom\s+['"]([^'"]+)['"]/g)].map((match) => match[1]!)
      for (const path of imported) {
        expect(path).toMatch(/^\.\/[a-z]+$/)
        expect(sources).toContain(`${path.slice(2)}.as`)
      }
    }
    expect(readFileSync(join(repositoryRoot, 'build.mjs'), 'utf8')).toContain("folder: 'src/parquet/assembly'")
  })

  test('nor do the two have a file in common, byte for byte', () => {
    const theirs = join(KERNELS, 'assembly')
    const texts = readdirSync(theirs).map((name) => readFileSync(join(theirs, name), 'utf8'))
    for (const name of readdirSync(join(folder, 'assembly')))
      expect(texts).not.toContain(readFileSync(join(folder, 'assembly', name), 'utf8'))
  })

  test('nor the encoder with the decoder', () => {
    for (const name of files.filter((name) => WRITERS.test(name)))
      expect([...allImportsOf(join(folder, name))].filter((path) => /\/(decode|verify)-[^/]*$/.test(path))).toEqual([])
  })

  test('and this test would see it', () => {
    expect(writersAmong(allImportsOf(join(folder, 'file-writer.ts')))).toContain('encode-column.ts')
    expect(kernelsAmong(allImportsOf(join(folder, 'encode-kernels.ts')))).not.toEqual([])
  })
})

import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../support/built-program.js'

/**
 * What a process loads before it works. A conversion of a million rows takes less than a second, and each of its threads pays for every
 * module that stands in an `import` on its way: libraries that only some files need are loaded by `import()` where they are needed.
 */
function librariesLoadedBy(entry: string): string[] {
  const seen = new Set<string>()
  const libraries = new Set<string>()
  const walk = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    // kernels/compiled.ts is made by the build; it imports nothing.
    const text = readFileSync(join(repositoryRoot, file), 'utf8')
    for (const [, target] of text.matchAll(/^(?:import|export)\s(?!type\b)(?:[^'";]*?\bfrom\s*)?'([^']+)'/gm)) {
      if (target!.startsWith('.')) walk(normalize(join(dirname(file), target!)).replace(/\.js$/, '.ts'))
      else if (!target!.startsWith('node:')) libraries.add(target!)
    }
  }
  walk(entry)
  return [...libraries].sort()
}

describe('what is loaded before it is needed', () => {
  test('a conversion thread starts without a library', () => {
    expect(librariesLoadedBy('workers/convert.ts')).toEqual([])
  })

  test.each([
    ['src/main.ts', ['commander']],
    ['src/commands/convert.ts', ['piscina']],
    ['src/commands/validate.ts', []],
    ['src/commands/choose-table.ts', []],
    ['src/convert/large-file.ts', []],
    ['src/convert/convert-source.ts', []],
  ])('%s loads %j', (entry, libraries) => {
    expect(librariesLoadedBy(entry)).toEqual(libraries)
  })

  test('the test itself follows imports', () => {
    expect(librariesLoadedBy('src/tables/schema.ts')).toEqual(['zod'])
    expect(librariesLoadedBy('src/csv/csv-source.ts')).toEqual(['csv-parse', 'csv-parse/sync'])
  })
})

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IntakeError } from '../../../src/errors.js'
import { nodeFiles } from '../../../src/runtime/files.js'
import { TableRegistry } from '../../../src/tables/registry.js'
import { compileTable } from '../../../src/tables/schema.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tables-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const good = { fields: [{ name: 'a', type: 'string' }] }

async function refusalOf(promise: Promise<unknown>): Promise<IntakeError> {
  try {
    await promise
  } catch (error) {
    return error as IntakeError
  }
  throw new Error('nothing was thrown')
}

describe('the registry', () => {
  it('names tables by their files and leaves everything else alone', async () => {
    await writeFile(join(folder, 'layers.json'), JSON.stringify({ name: 'layers', ...good }))
    await writeFile(join(folder, 'points.json'), `\uFEFF${JSON.stringify(good)}`)
    await writeFile(join(folder, '.hidden.json'), 'no json')
    await writeFile(join(folder, 'README.md'), 'no table')
    await mkdir(join(folder, 'folder.json'))
    const registry = await TableRegistry.load(nodeFiles, folder)
    expect(registry.list()).toEqual(['layers', 'points'])
    expect(registry.get('points').name).toBe('points')
    expect(registry.has('folder')).toBe(false)
  })

  it('lists every bad file with every problem in it, in one error', async () => {
    await writeFile(join(folder, 'good.json'), JSON.stringify(good))
    await writeFile(join(folder, 'broken.json'), '{')
    await writeFile(
      join(folder, 'wrong.json'),
      JSON.stringify({
        fields: [
          { name: 'a', type: 'x' },
          { name: 'b', type: 'y' },
        ],
      }),
    )
    await writeFile(join(folder, 'other.json'), JSON.stringify({ name: 'another', ...good }))
    const error = await refusalOf(TableRegistry.load(nodeFiles, folder))
    expect(error.code).toBe('TABLE_INVALID')
    const files = error.data.files as { file: string; problems: string[] }[]
    expect(files.map((f) => [f.file.slice(folder.length + 1), f.problems.length])).toEqual([
      ['broken.json', 1],
      ['other.json', 1],
      ['wrong.json', 2],
    ])
    for (const name of ['broken.json', 'wrong.json', 'other.json']) expect(error.message).toContain(name)
    expect(error.message).not.toContain('good.json')
  })

  it('refuses bytes that are not UTF-8', async () => {
    await writeFile(
      join(folder, 'bytes.json'),
      Buffer.concat([Buffer.from('{"fields":[{"name":"'), Buffer.from([0xe9]), Buffer.from('"}]}')]),
    )
    expect((await refusalOf(TableRegistry.load(nodeFiles, folder))).code).toBe('TABLE_INVALID')
  })

  it('says so where there is no folder', async () => {
    expect((await refusalOf(TableRegistry.load(nodeFiles, join(folder, 'none')))).code).toBe('CONFIG_NOT_FOUND')
  })

  it('knows the names there are, and the nearest, when asked for another', () => {
    const registry = new TableRegistry()
    registry.register(compileTable(good, 'soil_test_samples'))
    registry.register(compileTable(good, 'stratum_layers'))
    expect(() => registry.get('soil_test_sample')).toThrow(expect.objectContaining({ code: 'TABLE_UNKNOWN' }))
    expect(() => registry.get('soil_test_sample')).toThrow(/did you mean "soil_test_samples"\?.*stratum_layers/)
    expect(() => registry.get('__proto__')).toThrow(/there are soil_test_samples, stratum_layers/)
    expect(() => new TableRegistry().get('x')).toThrow(/there are none/)
  })

  it('registers documents of programs, the last one of a name', () => {
    const registry = new TableRegistry()
    registry.register(compileTable({ name: 'own', ...good }))
    const second = registry.register(compileTable({ name: 'own', fields: [{ name: 'b' }] }))
    expect(registry.get('own')).toBe(second)
  })
})

describe('the tables that are shipped', () => {
  it('are seven, all usable, and say what their files may leave out', async () => {
    const registry = await TableRegistry.load(nodeFiles, join(import.meta.dirname, '../../../config/tables'))
    expect(registry.list()).toEqual([
      'borelog_versions',
      'lab_report_versions',
      'lab_test_assignments',
      'rock_test_samples',
      'soil_test_samples',
      'stratum_layers',
      'stratum_sample_points',
    ])
    const widths = registry.list().map((name) => registry.get(name).columns.length)
    expect(widths).toEqual([39, 26, 10, 28, 35, 14, 19])
    for (const name of registry.list()) {
      const table = registry.get(name)
      expect(table.fieldsMatch).toBe('superset')
      expect(table.title).not.toBeNull()
      expect([...table.columns[0]!.missingValues]).toEqual(['', 'NA', 'N/A'])
      for (const column of table.columns) {
        // "…_at" are instants, other times are those on the clock of the site.
        if (column.logical.kind === 'timestamp')
          expect([column.name, column.logical.utc]).toEqual([column.name, column.name.endsWith('_at')])
        if (/^(?:version_no|.*_order|layer_no)$/.test(column.name)) expect(column.physical).toBe('INT32')
      }
    }
  })
})

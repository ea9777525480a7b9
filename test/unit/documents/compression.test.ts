import * as zlib from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { CommandContext } from '../../../src/commands/context.js'
import { convert } from '../../../src/commands/convert.js'
import { COMPRESSIONS, HAS_ZSTD } from '../../../src/documents/compression.js'
import { checkConfig } from '../../../src/runtime/workspace.js'

const nowhere = () => ({ line: 1, column: 1 })
const check = (compression: string) => checkConfig({ convert: { compression } }, {}, nowhere)

test('whether there is ZSTD is what zlib says', () => {
  expect(HAS_ZSTD).toBe(typeof (zlib as { zstdCompressSync?: unknown }).zstdCompressSync === 'function')
})

describe('convert.compression', () => {
  test.each(COMPRESSIONS.filter((codec) => codec !== 'ZSTD'))('%s is taken', (codec) => {
    expect(check(codec).config?.convert.compression).toBe(codec)
  })

  test.each(['zstd', 'LZ4', 'BROTLI', ''])('%j is no compression', (codec) => {
    expect(check(codec).problems).toMatchObject([{ path: ['convert', 'compression'] }])
  })

  test.runIf(HAS_ZSTD)('ZSTD is taken where the runtime has it', () => {
    expect(check('ZSTD')).toMatchObject({ config: { convert: { compression: 'ZSTD' } }, problems: [] })
  })

  test.runIf(!HAS_ZSTD)('ZSTD is a problem of the configuration where the runtime lacks it', () => {
    expect(check('ZSTD')).toEqual({
      config: null,
      problems: [{ path: ['convert', 'compression'], place: { line: 1, column: 1 }, message: expect.stringContaining('Node.js 22.15') }],
    })
  })
})

test.runIf(!HAS_ZSTD)('convert --compression ZSTD is refused before anything is opened or started', async () => {
  const options = { file: 'a.csv', out: 'b.parquet', table: 't', compression: 'ZSTD' } as unknown as Parameters<typeof convert>[1]
  await expect(convert({} as CommandContext, options)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('Node.js 22.15'),
  })
})

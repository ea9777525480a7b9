import { describe, expect, it } from 'vitest'
import { knownFormat } from '../../../src/csv/known-formats.js'

describe('the format that a file seems to have', () => {
  it.each([
    ['1f8b0800', /gzip/],
    ['504b0304', /zip archive/],
    ['28b52ffd', /zstd/],
    ['425a6839', /bzip2/],
    ['fd377a585a00', /xz/],
    ['50415231', /Parquet/],
    ['d0cf11e0a1b1', /\.xls/],
    ['53514c69746520666f726d6174203300', /SQLite/],
    ['255044462d312e37', /PDF/],
  ])('%s', (hex, words) => {
    expect(knownFormat(Buffer.from(hex, 'hex'))).toMatch(words)
    expect(knownFormat(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(100)]))).toMatch(words)
  })

  it.each(['', '1f', '504b', 'efbbbf', '69642c61', '00504b0304'])('says nothing of %s', (hex) => {
    expect(knownFormat(Buffer.from(hex, 'hex'))).toBeNull()
  })
})

import { describe, expect, it } from 'vitest'
import { checkRecordId, isRecordId } from '../../../src/core/record-id.js'

describe('a record id', () => {
  it.each(['a', '0', 'A.b_c-d', 'a/b/c/d', 'a'.repeat(128), 'metadata', 'versions.1', 'metadata.json.x', 'x'.repeat(128).concat('/y')])(
    'may be %j',
    (id) => {
      expect(isRecordId(id)).toBe(true)
      expect(checkRecordId(id)).toBe(id)
    },
  )

  it.each([
    '',
    'a'.repeat(129),
    'a/b/c/d/e',
    'versions',
    'a/versions',
    'versions/a',
    'metadata.json',
    'a/metadata.json/b',
    '.a',
    '-a',
    '_a',
    'a//b',
    '/a',
    'a/',
    'a b',
    'a\n',
    '\na',
    'a\\b',
    'é',
    '../a',
  ])('is never %j', (id) => {
    expect(isRecordId(id)).toBe(false)
    expect(() => checkRecordId(id)).toThrow(expect.objectContaining({ code: 'RECORD_ID_ILLEGAL', data: { record_id: id } }))
  })

  it('that is illegal is shown escaped, and cut where it is long', () => {
    expect(() => checkRecordId('a\u001b[2J')).toThrow('"a\\u001b[2J" is not a legal record id')
    const long = ' '.repeat(1000)
    expect(() => checkRecordId(long)).toThrow(
      expect.objectContaining({ message: `"${' '.repeat(200)}" is not a legal record id`, data: { record_id: ' '.repeat(600) } }),
    )
  })
})

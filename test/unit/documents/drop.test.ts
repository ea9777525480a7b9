import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_DIALECT } from '../../../src/documents/config.js'
import { type DropDocument, decodePath, dropDocumentBytes, parseDropDocument } from '../../../src/documents/drop.js'
import { encodePath } from '../../../src/documents/text.js'

const HASH = 'a'.repeat(64)
const DOCUMENT: DropDocument = {
  format: 1,
  drop_id: '20240127T100000123Z-000001-9f86d081884c7d65',
  kind: 'drop',
  file: {
    path: 'borelogs/b%0A.csv',
    hidden: 'borelogs/.x.claimed',
    stored_at: null,
    inode: '18446744073709551615',
    device: '1',
    size: 5,
    mtime_ns: '-1',
  },
  file_kind: 'file',
  sidecars: [],
  received_at: '2024-01-27T10:00:00.123Z',
  order: {
    source: 'borelogs',
    table: 't',
    table_document: { fields: [] },
    schema_sha256: HASH,
    record: '{path}',
    record_rule: { kind: 'fixed', recordId: 'b' },
    dialect: DEFAULT_DIALECT,
    on_invalid: 'quarantine-drop',
    created_by: 'lab',
    allowed_created_by: [],
    rule_sha256: HASH,
    compression: 'SNAPPY',
    verify: 'full',
    limits: { rowBytes: 1, columns: 1, recordsPerDrop: 1, reportErrors: 1 },
  },
  requeue_of: null,
  force: false,
  attempts: 0,
}

describe('paths in documents', () => {
  it('keep every byte, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const path = Buffer.from(bytes)
        const text = encodePath(path)
        expect(text).toMatch(/^[\x20-\x7e]*$/)
        expect(decodePath(text)).toEqual(path)
      }),
    )
  })

  it('escape every byte that is not plain, and only those, in names of any length', () => {
    const plain = /^[A-Za-z0-9._~/ +,=@()-]$/
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.stringMatching(/^[A-Za-z0-9._~/ +,=@()-]{0,40}$/)), (name) => {
        const bytes = Buffer.from(name)
        const expected = [...bytes].map((byte) => {
          const c = String.fromCharCode(byte)
          return plain.test(c) ? c : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
        })
        expect(encodePath(bytes)).toBe(expected.join(''))
        if (typeof name === 'string') expect(encodePath(name)).toBe(name)
      }),
    )
    expect(encodePath('é\n')).toBe('%C3%A9%0A')
    expect(encodePath('a\n')).toBe('a%0A')
  })

  it('are refused when encodePath cannot have made them', () => {
    for (const text of ['a%', 'a%zz', 'a%0a', 'a\n', 'é', '%2']) expect(() => decodePath(text)).toThrow('percent-encoded')
  })
})

describe('drop.json', () => {
  it('comes back as it was written', () => {
    expect(parseDropDocument(dropDocumentBytes(DOCUMENT))).toEqual(DOCUMENT)
  })

  it('is nothing when it is torn anywhere', () => {
    const bytes = dropDocumentBytes(DOCUMENT)
    for (let cut = 0; cut < bytes.length - 1; cut += 7) expect(parseDropDocument(bytes.subarray(0, cut))).toBeNull()
    expect(parseDropDocument(Buffer.alloc(bytes.length))).toBeNull()
  })

  it.each(['../x.csv', '/etc/passwd', 'a//b', 'a/./b', '', 'a/..', 'a%2Fb', 'a%00'])('never leads outside its folder: %s', (path) => {
    expect(parseDropDocument(dropDocumentBytes({ ...DOCUMENT, file: { ...DOCUMENT.file, path } }))).toBeNull()
  })

  it('of another format, or with members we do not know, is not ours', () => {
    expect(parseDropDocument(Buffer.from(JSON.stringify({ ...DOCUMENT, format: 2 })))).toBeNull()
    expect(parseDropDocument(Buffer.from(JSON.stringify({ ...DOCUMENT, extra: 1 })))).toBeNull()
  })
})

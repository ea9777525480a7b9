import { describe, expect, test } from 'vitest'
import { keptTable } from '../../../src/convert/kept-tables.js'
import { buildTable } from '../../../src/tables/build-table.js'

const document = { fields: [{ name: 'id', type: 'integer' }, { name: 'note' }], primaryKey: 'id', 'x-owner': { team: 'lab', since: 2024 } }

describe('tables are kept by what they say', () => {
  test('the same text under the same name is the same table, made once', () => {
    const text = JSON.stringify(document)
    expect(keptTable(`${text}`, 'kept')).toBe(keptTable(Buffer.from(text).toString(), 'kept'))
  })

  test('it is the table of the document', () => {
    const kept = keptTable(JSON.stringify(document), 'kept')
    const built = buildTable(document, 'kept')
    expect(kept.schemaSha256).toBe(built.schemaSha256)
    expect(kept.document).toEqual(document)
    expect(kept.columns.map(({ name, physical, index }) => [name, physical, index])).toEqual(
      built.columns.map(({ name, physical, index }) => [name, physical, index]),
    )
  })

  test('another text or another name is another table', () => {
    const text = JSON.stringify(document)
    const kept = keptTable(text, 'kept')
    expect(keptTable(text, 'other').name).toBe('other')
    const changed = keptTable(JSON.stringify({ ...document, 'x-owner': null }), 'kept')
    expect(changed).not.toBe(kept)
    expect(changed.schemaSha256).not.toBe(kept.schemaSha256)
  })

  test('any number of tables that came and went leave the right one', () => {
    const text = (i: number): string => JSON.stringify({ fields: [{ name: `column_${i}` }] })
    for (let i = 0; i < 200; i++) expect(keptTable(text(i), 'passing').columns[0]!.name).toBe(`column_${i}`)
    expect(keptTable(text(0), 'passing').columns[0]!.name).toBe('column_0')
    expect(keptTable(text(199), 'passing').columns[0]!.name).toBe('column_199')
  })

  test('what is no table is thrown, and thrown again', () => {
    const text = JSON.stringify({ fields: [{ name: 'a' }, { name: 'a' }] })
    for (let i = 0; i < 2; i++) expect(() => keptTable(text, 'twice')).toThrow(expect.objectContaining({ code: 'TABLE_INVALID' }))
  })
})

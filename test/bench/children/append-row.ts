import { createReadStream } from 'node:fs'
import parquet from '@dsnp/parquetjs'
import { parse } from 'csv-parse'

/** The obvious way, as a yardstick: csv-parse rows into the row writer of @dsnp/parquetjs. `node append-row.js IN.csv OUT.parquet`. */
const [input, output] = process.argv.slice(2) as [string, string]

const optional = true
const schema = new parquet.ParquetSchema({
  sample_id: { type: 'INT64', optional },
  borelog_id: { type: 'UTF8', optional },
  layer_no: { type: 'INT32', optional },
  depth_from: { type: 'DOUBLE', optional },
  depth_to: { type: 'DOUBLE', optional },
  moisture: { type: 'DOUBLE', optional },
  bulk_density: { type: 'DOUBLE', optional },
  price: { type: 'DOUBLE', optional },
  tested: { type: 'BOOLEAN', optional },
  test_date: { type: 'DATE', optional },
  created_at: { type: 'TIMESTAMP_MILLIS', optional },
  classification: { type: 'UTF8', optional },
  remarks: { type: 'UTF8', optional },
})

const number = (text: string): number | undefined => (text === '' ? undefined : Number(text))
const writer = await parquet.ParquetWriter.openFile(schema, output, { rowGroupSize: 50_000 } as never)
for await (const row of createReadStream(input).pipe(parse({ columns: true })) as AsyncIterable<Record<string, string>>) {
  await writer.appendRow({
    sample_id: number(row.sample_id!),
    borelog_id: row.borelog_id,
    layer_no: number(row.layer_no!),
    depth_from: number(row.depth_from!),
    depth_to: number(row.depth_to!),
    moisture: number(row.moisture!),
    bulk_density: number(row.bulk_density!),
    price: number(row.price!),
    tested: row.tested === 'true',
    test_date: new Date(row.test_date!),
    created_at: new Date(row.created_at!),
    classification: row.classification,
    remarks: row.remarks === '' ? undefined : row.remarks,
  })
}
await writer.close()

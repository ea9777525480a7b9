import type { ColumnType, LogicalType } from '../columns/vector.js'
import { DECIMAL_WIDTH_BYTES } from '../columns/vector.js'

/** The Thrift classes of parquet-format, as @dsnp/parquetjs generates them. Passed in, since loading them takes 50 ms. */
export type ParquetTypes = typeof import('@dsnp/parquetjs/dist/gen-nodejs/parquet_types.js')
type SchemaElement = InstanceType<ParquetTypes['SchemaElement']>
type ThriftLogicalType = InstanceType<ParquetTypes['LogicalType']>

/**
 * The schema of a file: a root and one OPTIONAL leaf per column, names as they are. Each leaf says its type twice, as logical type and as the
 * older converted type, except where the older one would say something else: zone-less timestamps and times have no converted type
 * (parquet-format, LogicalTypes.md, "isAdjustedToUTC = false").
 */
export function schemaElements(t: ParquetTypes, columns: readonly ColumnType[]): SchemaElement[] {
  const root = new t.SchemaElement({ name: 'schema', num_children: columns.length })
  return [root, ...columns.map((column) => leaf(t, column))]
}

function leaf(t: ParquetTypes, column: ColumnType): SchemaElement {
  const { logical } = column
  const element = new t.SchemaElement({
    name: column.name,
    type: t.Type[column.physical],
    repetition_type: t.FieldRepetitionType.OPTIONAL,
  })
  const annotation = annotationOf(t, logical)
  if (annotation.logical !== null) element.logicalType = annotation.logical
  if (annotation.converted !== null) element.converted_type = annotation.converted
  if (column.physical === 'FIXED_LEN_BYTE_ARRAY') element.type_length = DECIMAL_WIDTH_BYTES
  if (logical.kind === 'decimal') {
    element.precision = logical.precision
    element.scale = logical.scale
  }
  return element
}

function annotationOf(
  t: ParquetTypes,
  logical: LogicalType,
): { logical: ThriftLogicalType | null; converted: NonNullable<SchemaElement['converted_type']> | null } {
  const C = t.ConvertedType
  const unitOf = (unit: 'MILLIS' | 'MICROS') =>
    unit === 'MILLIS' ? new t.TimeUnit({ MILLIS: new t.MilliSeconds() }) : new t.TimeUnit({ MICROS: new t.MicroSeconds() })
  switch (logical.kind) {
    case 'boolean':
    case 'double':
      return { logical: null, converted: null }
    case 'string':
      return { logical: new t.LogicalType({ STRING: new t.StringType() }), converted: C.UTF8 }
    case 'json':
      return { logical: new t.LogicalType({ JSON: new t.JsonType() }), converted: C.JSON }
    case 'integer':
      return {
        logical: new t.LogicalType({ INTEGER: new t.IntType({ bitWidth: logical.bits, isSigned: true }) }),
        converted: logical.bits === 32 ? C.INT_32 : C.INT_64,
      }
    case 'decimal':
      return {
        logical: new t.LogicalType({ DECIMAL: new t.DecimalType({ scale: logical.scale, precision: logical.precision }) }),
        converted: C.DECIMAL,
      }
    case 'date':
      return { logical: new t.LogicalType({ DATE: new t.DateType() }), converted: C.DATE }
    case 'time':
      return {
        logical: new t.LogicalType({ TIME: new t.TimeType({ isAdjustedToUTC: false, unit: unitOf(logical.unit) }) }),
        converted: null,
      }
    case 'timestamp':
      return {
        logical: new t.LogicalType({ TIMESTAMP: new t.TimestampType({ isAdjustedToUTC: logical.utc, unit: unitOf(logical.unit) }) }),
        converted: logical.utc ? (logical.unit === 'MILLIS' ? C.TIMESTAMP_MILLIS : C.TIMESTAMP_MICROS) : null,
      }
  }
}

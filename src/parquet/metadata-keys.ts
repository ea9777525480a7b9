/** Key of a column chunk's metadata: the unit of measurement from the table schema. */
export const UNIT_KEY = 'unit'
/** Key of the file's metadata: a JSON list of the columns' units, where there is no row group whose columns could hold them. */
export const UNITS_KEY = 'parquet_intake.units'

/**
 * The labels of one or several header rows. A single row is taken as it is. Of several, the cells of a column that are not blank are
 * joined; an upper row that ends early goes on with its last cell, as in the example of Table Dialect (v2, headerRows), where the row
 * "fruit" above "id,name" gives "fruit id" and "fruit name".
 */
export function joinHeaderRows(rows: readonly (readonly string[])[], join: string): string[] {
  if (rows.length === 1) return [...rows[0]!]
  const filled = fillHeaderRows(rows)
  return filled.at(-1)!.map((_, column) =>
    filled
      .map((row) => row[column]!)
      .filter((cell) => cell !== '')
      .join(join),
  )
}

/** Header rows of one width: upper rows continued with their last cell, the last one with blanks. */
export function fillHeaderRows(rows: readonly (readonly string[])[]): string[][] {
  const width = Math.max(...rows.map((row) => row.length))
  return rows.map((row, i) => {
    const filler = i === rows.length - 1 ? '' : (row.at(-1) ?? '')
    return [...row, ...Array.from({ length: width - row.length }, () => filler)]
  })
}

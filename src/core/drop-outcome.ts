/** What became of a drop, from what became of its records: pure, so that every combination can be tested. */

export type RecordOutcomeName = 'created' | 'updated' | 'unchanged' | 'duplicate' | 'superseded' | 'quarantined'
export type DropOutcomeName = 'committed' | 'partial' | 'duplicate' | 'unchanged' | 'superseded' | 'quarantined'

export interface RecordRows {
  readonly outcome: RecordOutcomeName
  /** Valid rows of the record in this drop. */
  readonly rows: number
}

/** Rows of a drop by what became of them. null: the file was not read to its end, so nothing can be said. */
export interface RowCounts {
  readonly in: number | null
  readonly committed: number | null
  readonly unchanged: number | null
  readonly withheld: number | null
  readonly invalid: number | null
  readonly blank: number | null
}

/**
 * A drop is partial as soon as something in it needs mending while something else went through: a record held back beside one that was
 * not, or rows skipped. It is superseded when no record got a version and one of them matches an older one.
 */
export function dropOutcome(records: readonly RecordRows[], invalidRows: number): DropOutcomeName {
  const outcomes = new Set(records.map((r) => r.outcome))
  const done = records.some((r) => r.outcome !== 'quarantined')
  if (!done) return 'quarantined'
  if (outcomes.has('quarantined') || invalidRows > 0) return 'partial'
  if (outcomes.has('created') || outcomes.has('updated')) return 'committed'
  if (outcomes.has('superseded')) return 'superseded'
  return outcomes.has('unchanged') ? 'unchanged' : 'duplicate'
}

/** in = committed + unchanged + withheld + invalid + blank, always. */
export function rowAccount(
  read: { readonly in: number | null; readonly good: number | null; readonly invalid: number | null; readonly blank: number | null },
  records: readonly RecordRows[],
): RowCounts {
  if (read.in === null || read.good === null)
    return { in: null, committed: null, unchanged: null, withheld: null, invalid: null, blank: null }
  let committed = 0
  let unchanged = 0
  for (const { outcome, rows } of records) {
    if (outcome === 'created' || outcome === 'updated') committed += rows
    else if (outcome !== 'quarantined') unchanged += rows
  }
  return { in: read.in, committed, unchanged, withheld: read.good - committed - unchanged, invalid: read.invalid, blank: read.blank }
}

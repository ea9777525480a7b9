import type { Table } from '../tables/build-table.js'
import type { PlainTextPlan } from './plain-text-source.js'
import type { ConvertDone, ConvertRequest, StagedRecord } from './protocol.js'
import { ReportBuilder } from './report-builder.js'

/** What is said of a file that is right in every cell, all of whose rows are staged. */
export function cleanResult(facts: {
  readonly request: ConvertRequest
  readonly table: Table
  readonly plan: PlainTextPlan
  readonly rows: number
  readonly blank: number
  readonly staged: readonly StagedRecord[]
  readonly seconds: number
}): ConvertDone {
  const { request, table, plan, rows, blank, staged, seconds } = facts
  const report = new ReportBuilder({ place: request.place, limit: 1 }).build({
    name: table.name,
    labels: plan.labels,
    seconds,
    md5: null,
    sha256: null,
    bytes: plan.sizeBytes,
    fields: plan.labels.length,
    rows: rows + blank,
  })
  return {
    status: 'done',
    valid: true,
    schemaSha256: table.schemaSha256,
    staged,
    withheld: [],
    rows: { in: rows + blank, good: rows, invalid: 0, blank },
    absentColumns: plan.header.absentColumns,
    problem: null,
    totals: {},
    report,
    seconds,
  }
}

import type { ReportError, ValidationReport } from '../documents/report.js'
import { countText, plural, renderTable } from './text-table.js'

/** The errors of a report as a table, the first `limit` of them, then what was left out and the totals by code. */
export function reportText(report: ValidationReport, options: { limit: number; columns: number | null }): string {
  let out = ''
  for (const task of report.tasks) {
    const shown = task.errors.slice(0, options.limit)
    if (shown.length > 0) {
      out += renderTable(
        [{ title: 'LINE', align: 'right' }, { title: 'CODE' }, { title: 'WHAT', minWidth: 40 }],
        shown.map((e) => [e.line, e.code, whatOf(e)]),
        options.columns,
      )
    }
    const hidden = task.stats.errors - shown.length
    if (hidden > 0) out += `… and ${plural(hidden, 'more error')}\n`
    const totals = Object.entries(task.totals)
    if (totals.length > 0) out += `\n${totals.map(([code, n]) => `${countText(n)} ${code}`).join(', ')}\n`
  }
  return out
}

/** The message without the line, which has its own column. */
function whatOf(error: ReportError): string {
  return error.message.replace(/^Line \d+, /, '')
}

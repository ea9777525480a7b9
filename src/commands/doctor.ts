import { printable } from '../runtime/printable.js'
import type { CommandContext } from './context.js'
import { EXIT, note, printJson } from './context.js'
import { preflight } from './preflight.js'
import { pad, plural } from './text-table.js'

/** Says before the first drop what would go wrong. Exit status 3 when something would; warnings alone are 0. */
export async function doctor(context: CommandContext, _options: object): Promise<number> {
  const checks = await preflight(context)
  const errors = checks.filter((check) => check.status === 'error').length
  const warnings = checks.filter((check) => check.status === 'warning').length
  if (context.json) printJson(context, { ok: errors === 0, errors, warnings, checks })
  else {
    const width = Math.max(...checks.map(({ check }) => check.length))
    for (const { check, status, message, hint } of checks) {
      context.stdout.write(`${pad(status, 7)}  ${pad(check, width)}  ${printable(message)}\n`)
      if (hint !== null) context.stdout.write(`${' '.repeat(width + 11)}hint: ${printable(hint)}\n`)
    }
    if (errors + warnings === 0) note(context, 'Nothing stands in the way of the first drop.')
    else note(context, `${plural(errors, 'error')}, ${plural(warnings, 'warning')}`)
  }
  return errors === 0 ? EXIT.done : EXIT.findings
}

import { join, resolve } from 'node:path'
import type { DialectDocument } from '../documents/config.js'
import { IntakeError, isIntakeError } from '../errors.js'
import { type Files, printablePath } from '../runtime/files.js'
import { scanJson } from '../runtime/json-text.js'
import type { ConfigProblem } from '../runtime/workspace.js'
import type { Table } from '../tables/build-table.js'
import { loadTable } from '../tables/load-table.js'
import { TableRegistry } from '../tables/registry.js'
import type { CommandContext } from './context.js'

export interface SchemaChoice {
  readonly table: string | undefined
  readonly schema: string | undefined
  readonly dialect: string | undefined
}

/** The table that `--table` or `--schema` names. Throws USAGE, TABLE_UNKNOWN, TABLE_INVALID, IO_FAILED. */
export async function chooseTable(context: CommandContext, choice: SchemaChoice): Promise<Table> {
  if ((choice.table === undefined) === (choice.schema === undefined))
    throw new IntakeError('USAGE', 'Name the table with --table, or its document with --schema')
  if (choice.schema !== undefined) {
    const path = resolve(context.cwd, choice.schema)
    const scan = scanJson(await readText(context.files, path))
    if (!scan.ok) {
      throw new IntakeError(
        'TABLE_INVALID',
        `${printablePath(path)}, line ${scan.position.line}, column ${scan.position.column}: not JSON: ${scan.message}`,
        {
          data: { path },
        },
      )
    }
    // A document may be without a name; a report needs one.
    const named = (scan.value as { name?: unknown } | null)?.name
    return typeof named === 'string' ? loadTable(scan.value) : loadTable(scan.value, baseName(choice.schema))
  }
  const registry = await TableRegistry.load(context.files, await tablesFolder(context))
  return registry.get(choice.table!)
}

function baseName(path: string): string {
  const name = path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.json$/, '')
    .replace(/[^A-Za-z0-9_-]/g, '_')
    .slice(0, 128)
  return /^[A-Za-z0-9]/.test(name) ? name : 'table'
}

/** Those of the workspace; where there is none and none was named, those that come with the product. */
async function tablesFolder(context: CommandContext): Promise<string> {
  try {
    return (await context.workspace()).paths.tables
  } catch (error) {
    const { CONFIG_VARIABLE } = await import('../runtime/workspace.js')
    const named = context.configPath !== undefined || (context.env[CONFIG_VARIABLE] ?? '') !== ''
    if (named || !isIntakeError(error, 'CONFIG_NOT_FOUND')) throw error
    return join(context.packageRoot, 'config', 'tables')
  }
}

/** The Table Dialect document that `--dialect` names; null: RFC 4180. Throws CONFIG_INVALID with every problem. */
export async function chooseDialect(context: CommandContext, choice: SchemaChoice): Promise<DialectDocument | null> {
  if (choice.dialect === undefined) return null
  const path = resolve(context.cwd, choice.dialect)
  const scan = scanJson(await readText(context.files, path))
  // What judges configurations is for those who have one: without a dialect nothing of it is loaded.
  const [{ dialectDocument }, { invalid }] = await Promise.all([import('../documents/config.js'), import('../runtime/workspace.js')])
  if (!scan.ok) throw invalid(path, [{ path: [], place: scan.position, message: `not JSON: ${scan.message}` }])
  const parsed = dialectDocument.safeParse(scan.value)
  if (parsed.success) return parsed.data
  throw invalid(
    path,
    parsed.error.issues.flatMap((issue): ConfigProblem[] => {
      const at = issue.path.filter((p): p is string | number => typeof p !== 'symbol')
      if (issue.code !== 'unrecognized_keys') return [{ path: at, place: scan.positionOf(at), message: issue.message }]
      return issue.keys.map((key) => ({
        path: [...at, key],
        place: scan.positionOf([...at, key]),
        message: 'is not a member of a dialect',
      }))
    }),
  )
}

async function readText(files: Files, path: string): Promise<string> {
  const bytes = await files.read(path)
  if (bytes === null) throw new IntakeError('IO_FAILED', `${printablePath(path)} does not exist`, { data: { path } })
  return bytes.toString('utf8')
}

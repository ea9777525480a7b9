import { join } from 'node:path'
import { IntakeError, isIntakeError } from '../errors.js'
import type { Table } from './build-table.js'
import { loadTable } from './load-table.js'
import { nearestName } from './nearest-name.js'

/** What the registry needs of the file port. */
export interface TableFiles {
  list(path: string): Promise<readonly { readonly name: Buffer; readonly kind: string }[] | null>
  read(path: string): Promise<Buffer | null>
}

/** The tables of a workspace by name: the files `<table>.json` of one folder, and what a program registers besides. */
export class TableRegistry {
  private readonly tables = new Map<string, Table>()

  constructor(tables: Iterable<Table> = []) {
    for (const table of tables) this.tables.set(table.name, table)
  }

  /**
   * Reads every `*.json` of a folder; hidden files and other names are left alone.
   * Throws TABLE_INVALID that lists every bad file with every problem in it, and CONFIG_NOT_FOUND where there is no such folder.
   */
  static async load(files: TableFiles, folder: string): Promise<TableRegistry> {
    const entries = await files.list(folder)
    if (entries === null)
      throw new IntakeError('CONFIG_NOT_FOUND', `There is no folder of table schemas at ${folder}`, { data: { path: folder } })
    const names = entries
      .filter((entry) => entry.kind === 'file' || entry.kind === 'symlink')
      .map((entry) => entry.name.toString('utf8'))
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .sort()
    const tables: Table[] = []
    const failures: { file: string; message: string; problems: unknown }[] = []
    for (const name of names) {
      const path = join(folder, name)
      const bytes = await files.read(path)
      // Removed since it was listed: then it is no table.
      if (bytes === null) continue
      try {
        tables.push(await loadTable(parseJson(bytes), name.slice(0, -'.json'.length)))
      } catch (error) {
        if (!isIntakeError(error, 'TABLE_INVALID')) throw error
        failures.push({ file: path, message: error.message, problems: error.data.problems ?? [error.message] })
      }
    }
    if (failures.length > 0) {
      const list = failures.map((failure) => `${failure.file}: ${failure.message}`).join('\n')
      throw new IntakeError('TABLE_INVALID', list, { data: { files: failures.map(({ file, problems }) => ({ file, problems })) } })
    }
    return new TableRegistry(tables)
  }

  /** Throws TABLE_UNKNOWN, which names the tables there are. */
  get(name: string): Table {
    const table = this.tables.get(name)
    if (table !== undefined) return table
    const known = this.list()
    const nearest = nearestName(name, known)
    const guess = nearest === null ? '' : `; did you mean "${nearest}"?`
    const listed = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`
    throw new IntakeError('TABLE_UNKNOWN', `There is no table ${JSON.stringify(name.slice(0, 200))}${guess} (${listed})`, {
      data: { table: name.slice(0, 200), known },
    })
  }

  has(name: string): boolean {
    return this.tables.has(name)
  }

  /** Names, sorted. */
  list(): string[] {
    return [...this.tables.keys()].sort()
  }

  /** Adds a table, or replaces the one of the same name. */
  register(table: Table): Table {
    this.tables.set(table.name, table)
    return table
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    const message = `is no JSON: ${(error as Error).message}`
    throw new IntakeError('TABLE_INVALID', message, { data: { problems: [message] }, cause: error })
  }
}

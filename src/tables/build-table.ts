import type { Column } from '../columns/column.js'
import { type ColumnType, physicalTypeOf } from '../columns/vector.js'
import { sha256OfJson } from '../core/hashes.js'
import { TABLE_NAME } from '../documents/table-name.js'
import { IntakeError } from '../errors.js'
import { compileConstraints } from './constraints.js'
import { compileFieldType } from './field-types.js'
import type { FieldDocument, FieldsMatch, TableDocument } from './schema.js'

/**
 * A table made of a document whose shape was checked before (`compileTable`, schema.ts). Nothing here loads zod, so that a worker thread
 * that is given a checked document has its table within a millisecond instead of a hundred.
 */

export type { Column } from '../columns/column.js'

/** A table schema, checked and ready for use. */
export interface Table {
  readonly name: string
  readonly title: string | null
  /** The document as given, unknown keys included. Its hash is that of the whole. */
  readonly document: Readonly<Record<string, unknown>>
  /** SHA-256 of the RFC 8785 form of `document`. */
  readonly schemaSha256: string
  /** In schema order, which is that of the Parquet file. */
  readonly columns: readonly Column[]
  /** Indexes of the key's columns, in the order of the document; empty where there is no key. */
  readonly primaryKey: readonly number[]
  readonly fieldsMatch: FieldsMatch
}

/** Names of the columns that mended.csv adds and intake ignores (DESIGN §5). */
export const MENDED_LABELS: readonly string[] = ['_line', '_errors']

/**
 * Makes a table of a document that `compileTable` has accepted under the same name, here or on another thread. The shape is not checked
 * again: another document may end in a TypeError. The table keeps the document itself, which must not change any more.
 *
 * Throws TABLE_INVALID for what a shape does not say: names that stand twice, unknown types, constraints that do not fit.
 */
export function buildTable(document: unknown, name: string): Table {
  return tableOf(document as TableDocument, name, [])
}

/** A table of a document of the right shape that nobody has looked into yet, by the name that `compileTable` says. Throws TABLE_INVALID. */
export function tableOfShape(document: TableDocument, name?: string): Table {
  const title = name ?? document.name ?? 'table'
  const problems: string[] = []
  if (!TABLE_NAME.test(title)) problems.push(`the name ${JSON.stringify(title)} must be letters, digits, "_" and "-", at most 128`)
  if (name !== undefined && document.name !== undefined && document.name !== name)
    problems.push(`the document is called ${JSON.stringify(document.name)}, but its file ${JSON.stringify(name)}`)
  return tableOf(copyOf(document, title, problems), title, problems)
}

/** A caller may change its object later; the table must not change with it. */
function copyOf(document: TableDocument, title: string, problems: readonly string[]): TableDocument {
  try {
    return structuredClone(document)
  } catch (error) {
    throw invalidTable(title, [...problems, `the document is no JSON: ${(error as Error).message}`])
  }
}

function tableOf(schema: TableDocument, title: string, found: readonly string[]): Table {
  const problems = [...found]
  const { fields, missingValues = [''] } = schema
  const indexOfName = new Map<string, number>()
  fields.forEach((field, index) => {
    if (indexOfName.has(field.name)) problems.push(`the field name ${JSON.stringify(field.name)} stands twice`)
    if (MENDED_LABELS.includes(field.name)) problems.push(`the field name ${JSON.stringify(field.name)} is reserved for mended files`)
    indexOfName.set(field.name, index)
  })
  const keyIndexes = (key: readonly string[], what: string): number[] => {
    const indexes: number[] = []
    for (const part of key) {
      const index = indexOfName.get(part)
      if (index === undefined) problems.push(`${what} names the unknown field ${JSON.stringify(part)}`)
      else if (indexes.includes(index)) problems.push(`${what} names the field ${JSON.stringify(part)} twice`)
      else indexes.push(index)
    }
    return indexes
  }
  const primaryKey = keyIndexes(namesOf(schema.primaryKey ?? []), 'primaryKey')
  const unique = new Set<number>()
  for (const key of (schema.uniqueKeys ?? []).map(namesOf)) {
    const indexes = keyIndexes(key, 'uniqueKeys')
    if (key.length === 1) unique.add(indexes[0] ?? -1)
    else problems.push('uniqueKeys of several fields are not supported: use primaryKey')
  }

  const columns: Column[] = []
  fields.forEach((given, index) => {
    const field: FieldDocument = { ...given, type: given.type ?? 'any' }
    const report = (problem: string): void => {
      problems.push(`field ${JSON.stringify(field.name)}: ${problem}`)
    }
    const parser = compileFieldType(field, report)
    if (parser === null) return
    const rules = field.constraints ?? {}
    const physical = physicalTypeOf(parser.logical)
    const type: ColumnType = { name: field.name, logical: parser.logical, physical, unit: field.parquet?.unit ?? null }
    columns.push({
      ...type,
      index,
      field,
      required: rules.required === true,
      unique: rules.unique === true || unique.has(index),
      missingValues: new Set((field.missingValues ?? missingValues).map((entry) => (typeof entry === 'string' ? entry : entry.value))),
      parser,
      constraints: compileConstraints(field, parser, report),
    })
  })

  let schemaSha256 = ''
  try {
    schemaSha256 = sha256OfJson(schema)
  } catch (error) {
    problems.push(`the document is no JSON: ${(error as Error).message}`)
  }
  if (problems.length > 0) throw invalidTable(title, problems)
  const { fieldsMatch = 'exact' } = schema
  return {
    name: title,
    title: schema.title ?? null,
    document: schema as unknown as Record<string, unknown>,
    schemaSha256,
    columns,
    primaryKey,
    // The v2 text says a string, its JSON profile an array that holds one.
    fieldsMatch: typeof fieldsMatch === 'string' ? fieldsMatch : fieldsMatch[0],
  }
}

function namesOf(names: string | readonly string[]): readonly string[] {
  return typeof names === 'string' ? [names] : names
}

export function invalidTable(name: string, problems: readonly string[]): IntakeError {
  const list = problems.map((problem) => `\n  - ${problem}`).join('')
  return new IntakeError(
    'TABLE_INVALID',
    `The schema of table ${JSON.stringify(name)} has ${problems.length} problem${problems.length === 1 ? '' : 's'}:${list}`,
    {
      data: { table: name, problems },
    },
  )
}

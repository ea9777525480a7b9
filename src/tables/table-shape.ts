import type { TableDocument } from './schema.js'

/**
 * Whether a document has the shape that `compileTable` asks for (schema.ts), told without zod: loading that takes longer than validating a
 * thousand documents, and a conversion without a daemon needs one. False says nothing: schema.ts judges then, and finds the words.
 * A property test holds the two together: what is true here, zod takes.
 */
export function hasTableShape(document: unknown): document is TableDocument {
  return isObject(document) && matches(document, TABLE, ['fields'])
}

type Check = (value: unknown) => boolean
type Shape = Readonly<Record<string, Check>>

const isText: Check = (value) => typeof value === 'string'
const isBoolean: Check = (value) => typeof value === 'boolean'
const isWhole: Check = (value) => Number.isSafeInteger(value)
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isAnything: Check = () => true
const isCharacter: Check = (value) => typeof value === 'string' && value.length === 1
const isTextOf =
  (min: number, max: number): Check =>
  (value) =>
    typeof value === 'string' && value.length >= min && value.length <= max
const isList =
  (check: Check, min = 0, max = Number.POSITIVE_INFINITY): Check =>
  (value) =>
    Array.isArray(value) && value.length >= min && value.length <= max && Array.from(value).every(check)

/** Plain objects, as JSON has them; others go to zod. */
function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Members that are not there, or undefined, need `required`; members that `shape` does not name are allowed. */
function matches(value: Readonly<Record<string, unknown>>, shape: Shape, required: readonly string[] = []): boolean {
  for (const name of required) if (value[name] === undefined) return false
  return Object.entries(shape).every(([name, check]) => value[name] === undefined || check(value[name]))
}

const strict =
  (shape: Shape): Check =>
  (value) =>
    isObject(value) && Object.keys(value).every((name) => Object.hasOwn(shape, name)) && matches(value, shape)

const isMissingValues: Check = (value) =>
  isList(isText)(value) || isList((entry) => isObject(entry) && matches(entry, { value: isText, label: isText }, ['value']))(value)

const FIELD: Shape = {
  name: (value) => isTextOf(1, 255)(value) && (value as string).isWellFormed(),
  type: isText,
  format: isText,
  title: isText,
  description: isText,
  constraints: strict({
    required: isBoolean,
    unique: isBoolean,
    minLength: isCount,
    maxLength: isCount,
    minimum: isAnything,
    maximum: isAnything,
    exclusiveMinimum: isAnything,
    exclusiveMaximum: isAnything,
    pattern: isText,
    enum: isList(isAnything, 1),
    jsonSchema: isAnything,
  }),
  missingValues: isMissingValues,
  decimalChar: isCharacter,
  groupChar: isCharacter,
  bareNumber: isBoolean,
  trueValues: isList(isText, 1),
  falseValues: isList(isText, 1),
  delimiter: isTextOf(1, 16),
  itemType: isText,
  categories: isList(isAnything, 1),
  parquet: strict({ type: isText, unit: isTextOf(1, 64), utc: isBoolean, precision: isWhole, scale: isWhole }),
}

const MODES = ['exact', 'equal', 'subset', 'superset', 'partial']
const isMode: Check = (value) => MODES.includes(value as string)
const isNames: Check = (value) => isText(value) || isList(isText, 1)(value)

const TABLE: Shape = {
  $schema: isText,
  name: isText,
  title: isText,
  description: isText,
  fields: isList((field) => isObject(field) && matches(field, FIELD, ['name']), 1, 16_384),
  fieldsMatch: (value) => isMode(value) || isList(isMode, 1, 1)(value),
  missingValues: isMissingValues,
  primaryKey: isNames,
  uniqueKeys: isList(isNames),
}

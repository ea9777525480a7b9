/** JSON as text: validated, without white space, and with every number as it was written (1.50 stays 1.50, 2^63 keeps its digits). */

/** Deeper nesting is refused: readers of JSON columns have limits of their own near this. */
export const JSON_DEPTH_LIMIT = 500

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

export type JsonOutcome =
  | { readonly ok: true; readonly kind: JsonKind; readonly text: string }
  | { readonly ok: false; readonly message: string }

const refuse = (message: string): JsonOutcome => ({ ok: false, message })

/** Checks a text and takes the white space out of it. Names that stand twice in one object are refused: readers disagree about which one counts. */
export function compactJson(text: string): JsonOutcome {
  try {
    JSON.parse(text)
  } catch {
    return refuse('expected JSON')
  }
  if (!text.isWellFormed()) return refuse('expected JSON without lone surrogates')
  // The grammar holds, so a scan that knows strings and brackets is enough.
  let out = ''
  let copied = 0
  const open: (Set<string> | null)[] = []
  let nameNext = false
  let at = 0
  while (at < text.length) {
    const c = text.charCodeAt(at)
    if (c === 0x22) {
      const start = at
      at++
      while (text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1
      at++
      const names = open.at(-1)
      if (nameNext && names != null) {
        const name = JSON.parse(text.slice(start, at)) as string
        if (names.has(name)) return refuse('expected JSON objects that name each member once')
        names.add(name)
        nameNext = false
      }
      continue
    }
    if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) {
      out += text.slice(copied, at)
      copied = ++at
      continue
    }
    if (c === 0x7b || c === 0x5b) {
      open.push(c === 0x7b ? new Set() : null)
      if (open.length > JSON_DEPTH_LIMIT) return refuse(`expected JSON nested at most ${JSON_DEPTH_LIMIT} deep`)
      nameNext = c === 0x7b
    } else if (c === 0x7d || c === 0x5d) {
      open.pop()
      nameNext = false
    } else if (c === 0x2c) {
      nameNext = open.at(-1) != null
    }
    at++
  }
  const compact = copied === 0 ? text : out + text.slice(copied)
  return { ok: true, kind: kindOf(compact), text: compact }
}

function kindOf(compact: string): JsonKind {
  switch (compact[0]) {
    case '{':
      return 'object'
    case '[':
      return 'array'
    case '"':
      return 'string'
    case 't':
    case 'f':
      return 'boolean'
    case 'n':
      return 'null'
    default:
      return 'number'
  }
}

/** JSON text of a JavaScript value, or what it holds that JSON cannot say. `JSON.stringify` would turn NaN into null and a Map into {}. */
export function jsonTextOf(value: unknown, depth = 0): JsonOutcome {
  if (value === null || typeof value === 'boolean') return { ok: true, kind: value === null ? 'null' : 'boolean', text: String(value) }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return refuse('expected a value that JSON can hold: there is no NaN and no infinity')
    return { ok: true, kind: 'number', text: Object.is(value, -0) ? '-0' : String(value) }
  }
  if (typeof value === 'bigint') return { ok: true, kind: 'number', text: String(value) }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) return refuse('expected text without lone surrogates')
    return { ok: true, kind: 'string', text: JSON.stringify(value) }
  }
  if (depth >= JSON_DEPTH_LIMIT) return refuse(`expected JSON nested at most ${JSON_DEPTH_LIMIT} deep`)
  if (Array.isArray(value)) {
    const items: string[] = []
    for (const item of value as unknown[]) {
      const outcome = jsonTextOf(item, depth + 1)
      if (!outcome.ok) return outcome
      items.push(outcome.text)
    }
    return { ok: true, kind: 'array', text: `[${items.join(',')}]` }
  }
  if (typeof value === 'object') {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null)
      return refuse('expected plain objects, arrays, text, numbers, booleans and null')
    const members: string[] = []
    for (const [name, member] of Object.entries(value)) {
      if (member === undefined) continue
      if (!name.isWellFormed()) return refuse('expected text without lone surrogates')
      const outcome = jsonTextOf(member, depth + 1)
      if (!outcome.ok) return outcome
      members.push(`${JSON.stringify(name)}:${outcome.text}`)
    }
    return { ok: true, kind: 'object', text: `{${members.join(',')}}` }
  }
  return refuse(`expected a value that JSON can hold, not a ${typeof value}`)
}

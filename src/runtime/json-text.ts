/** A place in a text: both from 1, columns in UTF-16 code units as editors count them. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

export type JsonPath = readonly (string | number)[]

export type JsonScan =
  | { readonly ok: true; readonly value: unknown; positionOf(path: JsonPath): TextPosition }
  | { readonly ok: false; readonly position: TextPosition; readonly message: string }

const MAX_DEPTH = 64

/**
 * Reads a JSON document that a person edits. `JSON.parse` of Node 20 does not say where most mistakes are, and takes the last of two members
 * of one name without a word; here both are problems with a line and a column. A byte order mark in front is passed over.
 */
export function scanJson(source: string): JsonScan {
  const text = source.startsWith('\ufeff') ? source.slice(1) : source
  const starts = new Map<string, number>()
  let at = 0

  class Problem extends Error {
    constructor(
      readonly offset: number,
      message: string,
    ) {
      super(message)
    }
  }
  const fail = (message: string, offset = at): never => {
    throw new Problem(offset, message)
  }
  const found = (): string => (at >= text.length ? 'the end of the file' : JSON.stringify(String.fromCodePoint(text.codePointAt(at)!)))
  const space = (): void => {
    while (at < text.length && (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t')) at++
    if (text.startsWith('//', at) || text.startsWith('/*', at)) fail('JSON has no comments')
  }
  const string = (): string => {
    const from = at
    at++
    for (;;) {
      if (at >= text.length) fail('a string is never closed', from)
      const c = text.charCodeAt(at)
      if (c === 0x22) break
      if (c < 0x20) fail('a control character in a string must be escaped')
      if (c === 0x5c) {
        if (!/^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.test(text.slice(at + 1, at + 6))) fail('not an escape that JSON knows')
        at++
      }
      at++
    }
    at++
    return JSON.parse(text.slice(from, at)) as string
  }
  const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

  const value = (path: JsonPath): unknown => {
    if (path.length > MAX_DEPTH) fail(`nested more than ${MAX_DEPTH} deep`)
    space()
    starts.set(JSON.stringify(path), at)
    const c = text[at]
    if (c === '{') {
      at++
      const members = new Map<string, unknown>()
      space()
      if (text[at] === '}') {
        at++
        return {}
      }
      for (;;) {
        space()
        if (text[at] === '}') fail('a comma before "}" is one too many')
        if (text[at] !== '"') fail(`expected a member name in double quotes, found ${found()}`)
        const nameAt = at
        const name = string()
        if (members.has(name)) fail(`the member ${JSON.stringify(name)} is there twice`, nameAt)
        space()
        if (text[at] !== ':') fail(`expected ":" after ${JSON.stringify(name)}, found ${found()}`)
        at++
        members.set(name, value([...path, name]))
        space()
        if (text[at] === ',') at++
        else if (text[at] === '}') break
        else fail(`expected "," or "}", found ${found()}`)
      }
      at++
      // Object.fromEntries defines own members, so "__proto__" stays data.
      return Object.fromEntries(members)
    }
    if (c === '[') {
      at++
      const items: unknown[] = []
      space()
      if (text[at] === ']') {
        at++
        return items
      }
      for (;;) {
        space()
        if (text[at] === ']') fail('a comma before "]" is one too many')
        items.push(value([...path, items.length]))
        space()
        if (text[at] === ',') at++
        else if (text[at] === ']') break
        else fail(`expected "," or "]", found ${found()}`)
      }
      at++
      return items
    }
    if (c === '"') return string()
    for (const [word, meaning] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (text.startsWith(word, at)) {
        at += word.length
        return meaning
      }
    }
    number.lastIndex = at
    const match = number.exec(text)
    if (match === null) return fail(`expected a value, found ${found()}`)
    at += match[0].length
    return Number(match[0])
  }

  const placeOf = (offset: number): TextPosition => {
    const before = text.slice(0, offset)
    const lineStart = before.lastIndexOf('\n') + 1
    return { line: before.split('\n').length, column: offset - lineStart + 1 }
  }

  try {
    const result = value([])
    space()
    if (at < text.length) fail(`nothing may follow the document, found ${found()}`)
    return {
      ok: true,
      value: result,
      positionOf: (path) => {
        for (let length = path.length; length > 0; length--) {
          const offset = starts.get(JSON.stringify(path.slice(0, length)))
          if (offset !== undefined) return placeOf(offset)
        }
        return placeOf(starts.get('[]') ?? 0)
      },
    }
  } catch (error) {
    if (error instanceof Problem) return { ok: false, position: placeOf(error.offset), message: error.message }
    throw error
  }
}

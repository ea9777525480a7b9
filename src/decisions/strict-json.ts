/**
 * A JSON reader for signed documents (RFC 8259 read as strictly as I-JSON, RFC 7493).
 *
 * `JSON.parse` keeps the last of two members with one name, while other readers keep the first: two programs would then see two
 * decisions under one signature. So duplicates are refused, and with them whatever else readers disagree about: a byte order mark,
 * bytes that are not UTF-8, lone surrogates, numbers beyond double range, text after the value, and nesting that overflows a stack.
 */
export type StrictJsonResult =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false
      readonly message: string
      /** The text is a JSON value so far but ends too early: it may have been read while it was being written. */
      readonly truncated: boolean
    }

export interface StrictJsonLimits {
  readonly maxBytes: number
  /** Arrays and objects inside each other. */
  readonly maxDepth: number
  /** Numbers in plain digits only: 3.0 and 3e0 are integers to one reader and not to another. */
  readonly plainIntegers?: boolean
}

class Malformed extends Error {
  constructor(
    message: string,
    readonly truncated = false,
  ) {
    super(message)
  }
}

export function readStrictJson(bytes: Uint8Array, limits: StrictJsonLimits): StrictJsonResult {
  if (bytes.length > limits.maxBytes) {
    return { ok: false, message: `it has more than ${limits.maxBytes} bytes`, truncated: false }
  }
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return { ok: false, message: 'it starts with a byte order mark', truncated: false }
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return { ok: false, message: 'it is not UTF-8', truncated: false }
  }
  try {
    return { ok: true, value: new Reader(text, limits).document() }
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, message: error.message, truncated: error.truncated }
    throw error
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const UNFINISHED_NUMBER = /^(?:-|\.|[eE][+-]?)$/
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

class Reader {
  private at = 0

  constructor(
    private readonly text: string,
    private readonly limits: StrictJsonLimits,
  ) {}

  document(): unknown {
    const value = this.value(0)
    this.space()
    if (this.at < this.text.length) this.fail('text follows the value')
    return value
  }

  private fail(what: string): never {
    if (this.at >= this.text.length) throw new Malformed('it ends too early', true)
    throw new Malformed(`${what} (character ${this.at + 1})`)
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at)
      if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) this.at += 1
      else return
    }
  }

  private value(depth: number): unknown {
    this.space()
    switch (this.text[this.at]) {
      case '{':
        return this.object(depth + 1)
      case '[':
        return this.array(depth + 1)
      case '"':
        return this.string()
      case 't':
        return this.literal('true', true)
      case 'f':
        return this.literal('false', false)
      case 'n':
        return this.literal('null', null)
      default:
        return this.number()
    }
  }

  private enter(depth: number): void {
    if (depth > this.limits.maxDepth) throw new Malformed(`it is nested deeper than ${this.limits.maxDepth} levels`)
    this.at += 1
    this.space()
  }

  private object(depth: number): Record<string, unknown> {
    this.enter(depth)
    const object: Record<string, unknown> = {}
    const names = new Set<string>()
    if (this.text[this.at] === '}') {
      this.at += 1
      return object
    }
    for (;;) {
      this.space()
      if (this.text[this.at] !== '"') this.fail('a member name was expected')
      const name = this.string()
      if (names.has(name)) throw new Malformed(`the member ${JSON.stringify(name.slice(0, 100))} stands twice in one object`)
      names.add(name)
      this.space()
      if (this.text[this.at] !== ':') this.fail('a colon was expected')
      this.at += 1
      const value = this.value(depth)
      // Not an assignment: a member named __proto__ must stay a member.
      Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
      this.space()
      const next = this.text[this.at]
      if (next !== ',' && next !== '}') this.fail('a comma or a closing brace was expected')
      this.at += 1
      if (next === '}') return object
    }
  }

  private array(depth: number): unknown[] {
    this.enter(depth)
    const array: unknown[] = []
    if (this.text[this.at] === ']') {
      this.at += 1
      return array
    }
    for (;;) {
      array.push(this.value(depth))
      this.space()
      const next = this.text[this.at]
      if (next !== ',' && next !== ']') this.fail('a comma or a closing bracket was expected')
      this.at += 1
      if (next === ']') return array
    }
  }

  private literal<T>(word: string, value: T): T {
    for (const letter of word) {
      if (this.text[this.at] !== letter) this.fail('a value was expected')
      this.at += 1
    }
    return value
  }

  private number(): number {
    NUMBER.lastIndex = this.at
    const match = NUMBER.exec(this.text)
    // "-", "1." and "1e" at the very end are beginnings of numbers.
    if (UNFINISHED_NUMBER.test(this.text.slice(this.at + (match?.[0].length ?? 0)).slice(0, 32))) this.at = this.text.length
    if (match === null || this.at === this.text.length) this.fail('a value was expected')
    if (this.limits.plainIntegers === true && !/^-?[0-9]+$/.test(match[0])) throw new Malformed('a number is not written in plain digits')
    const value = Number(match[0])
    if (!Number.isFinite(value)) throw new Malformed('a number is too large')
    this.at += match[0].length
    return value
  }

  private string(): string {
    const start = this.at
    this.at += 1
    let out = ''
    for (;;) {
      const c = this.text[this.at]
      if (c === undefined) this.fail('')
      if (c < ' ') this.fail('a control character stands in a text')
      this.at += 1
      if (c === '"') break
      out += c === '\\' ? this.escape() : c
    }
    if (!out.isWellFormed()) throw new Malformed(`a text holds half of a surrogate pair (character ${start + 1})`)
    return out
  }

  private escape(): string {
    const c = this.text[this.at]
    if (c === 'u') {
      const digits = this.text.slice(this.at + 1, this.at + 5)
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
        if (/^[0-9a-fA-F]{0,3}$/.test(digits)) this.at = this.text.length
        this.fail('an escape is not of the form \\uXXXX')
      }
      this.at += 5
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    const plain = c === undefined || !Object.hasOwn(ESCAPES, c) ? undefined : ESCAPES[c]
    if (plain === undefined) this.fail('an unknown escape')
    this.at += 1
    return plain
  }
}

/**
 * The bytes of base64url as RFC 7515 §2 writes it, or null: no padding, no white space, and the unused bits of the last character are
 * zero, so that one byte sequence has one text.
 */
export function decodeBase64url(text: string): Buffer | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : null
}

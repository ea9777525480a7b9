/**
 * The `pattern` constraint: a regular expression that must match the whole value and cannot hang.
 *
 * JavaScript's own engine backtracks, so "(a+)+" against a long cell takes for ever, and a schema may come from anywhere. Here a pattern is
 * compiled to a nondeterministic automaton whose states are followed side by side (Thompson 1968): the time is the length of the text times the
 * number of states, whatever the pattern. What such an automaton cannot do (back-references, look-around, word boundaries) is refused.
 * The syntax is that of JavaScript's `u` flag, which covers what XML Schema patterns use in practice; `^` and `$` are anchors.
 */

/** Thrown for a pattern that cannot be used; the message is meant for TABLE_INVALID. */
export class PatternError extends Error {}

export const PATTERN_STATES_LIMIT = 2000
/** UTF-16 units of the pattern itself. */
export const PATTERN_SOURCE_LIMIT = 65_536
/** UTF-16 units; a longer value is not tested and counts as not matching. */
export const PATTERN_TEXT_LIMIT = 65_536
const NESTING_LIMIT = 50

type CharacterTest = (codePoint: number) => boolean

type Node =
  | { readonly kind: 'empty' }
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly items: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number }

type State =
  | { readonly op: 'character'; readonly test: CharacterTest }
  | { readonly op: 'fork'; a: number; b: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'start' }
  | { readonly op: 'end' }
  | { readonly op: 'accept' }

export class Pattern {
  private readonly program: readonly State[]
  private readonly seen: Int32Array
  private visit = 0

  /** Throws PatternError. */
  constructor(readonly source: string) {
    if (source.length > PATTERN_SOURCE_LIMIT) throw new PatternError(`the pattern has more than ${PATTERN_SOURCE_LIMIT} characters`)
    this.program = compile(new PatternParser(source).parse())
    this.seen = new Int32Array(this.program.length)
  }

  /** Whether the whole of `text` is of the pattern. */
  matches(text: string): boolean {
    if (text.length > PATTERN_TEXT_LIMIT) return false
    let current: number[] = []
    let next: number[] = []
    this.begin()
    this.add(0, current, 0, text.length)
    let at = 0
    while (at < text.length && current.length > 0) {
      const codePoint = text.codePointAt(at)!
      at += codePoint > 0xffff ? 2 : 1
      this.begin()
      for (const index of current) {
        const state = this.program[index]!
        if (state.op === 'character' && state.test(codePoint)) this.add(index + 1, next, at, text.length)
      }
      const previous = current
      current = next
      next = previous
      next.length = 0
    }
    return at === text.length && current.some((index) => this.program[index]!.op === 'accept')
  }

  /** One number a step instead of clearing a set; the numbers start again before they run out. */
  private begin(): void {
    if (this.visit === 0x7fff_ffff) {
      this.seen.fill(0)
      this.visit = 0
    }
    this.visit++
  }

  /** Adds the states reachable from `first` without reading a character. */
  private add(first: number, states: number[], at: number, length: number): void {
    const open = [first]
    while (open.length > 0) {
      const index = open.pop()!
      if (this.seen[index] === this.visit) continue
      this.seen[index] = this.visit
      const state = this.program[index]!
      switch (state.op) {
        case 'fork':
          open.push(state.b, state.a)
          break
        case 'jump':
          open.push(state.to)
          break
        case 'start':
          if (at === 0) open.push(index + 1)
          break
        case 'end':
          if (at === length) open.push(index + 1)
          break
        default:
          states.push(index)
      }
    }
  }
}

function compile(root: Node): State[] {
  const program: State[] = []
  const emit = (state: State): number => {
    if (program.length >= PATTERN_STATES_LIMIT)
      throw new PatternError(`the pattern is too large: counted repeats make more than ${PATTERN_STATES_LIMIT} states`)
    program.push(state)
    return program.length - 1
  }
  const visit = (node: Node): void => {
    switch (node.kind) {
      case 'empty':
        return
      case 'character':
        emit({ op: 'character', test: node.test })
        return
      case 'start':
      case 'end':
        emit({ op: node.kind })
        return
      case 'sequence':
        for (const item of node.items) visit(item)
        return
      case 'choice': {
        const jumps: number[] = []
        node.items.forEach((item, i) => {
          if (i === node.items.length - 1) {
            visit(item)
            return
          }
          const fork = emit({ op: 'fork', a: 0, b: 0 })
          set(fork, 'a', program.length)
          visit(item)
          jumps.push(emit({ op: 'jump', to: 0 }))
          set(fork, 'b', program.length)
        })
        for (const jump of jumps) set(jump, 'to', program.length)
        return
      }
      case 'repeat': {
        for (let i = 0; i < node.min; i++) {
          const before = program.length
          visit(node.item)
          // What makes no state makes none the next time either: "((((){2000}){2000}){2000}){2000}" would be walked for hours.
          if (program.length === before) break
        }
        if (node.max === Number.POSITIVE_INFINITY) {
          const fork = emit({ op: 'fork', a: 0, b: 0 })
          set(fork, 'a', program.length)
          visit(node.item)
          emit({ op: 'jump', to: fork })
          set(fork, 'b', program.length)
          return
        }
        const forks: number[] = []
        for (let i = node.min; i < node.max; i++) {
          const fork = emit({ op: 'fork', a: 0, b: 0 })
          set(fork, 'a', program.length)
          forks.push(fork)
          visit(node.item)
        }
        for (const fork of forks) set(fork, 'b', program.length)
      }
    }
  }
  const set = (index: number, key: 'a' | 'b' | 'to', value: number): void => {
    ;(program[index] as Record<string, unknown>)[key] = value
  }
  visit(root)
  program.push({ op: 'accept' })
  return program
}

class PatternParser {
  private at = 0
  private depth = 0

  constructor(private readonly source: string) {}

  parse(): Node {
    const node = this.choice()
    if (this.at < this.source.length) throw new PatternError('a ")" has no "("')
    return node
  }

  private choice(): Node {
    const items = [this.sequence()]
    while (this.source[this.at] === '|') {
      this.at++
      items.push(this.sequence())
    }
    return items.length === 1 ? items[0]! : { kind: 'choice', items }
  }

  private sequence(): Node {
    const items: Node[] = []
    while (this.at < this.source.length && this.source[this.at] !== '|' && this.source[this.at] !== ')') items.push(this.repeated())
    return items.length === 0 ? { kind: 'empty' } : { kind: 'sequence', items }
  }

  private repeated(): Node {
    const item = this.single()
    const range = this.quantifier()
    if (range === null) return item
    if (item.kind === 'start' || item.kind === 'end') throw new PatternError('an anchor cannot be repeated')
    // For a match of the whole text it makes no difference whether a repeat is lazy.
    if (this.source[this.at] === '?') this.at++
    if (/^(?:[*+?]|\{\d)/.test(this.source.slice(this.at, this.at + 2))) throw new PatternError('a quantifier follows another one')
    return { kind: 'repeat', item, ...range }
  }

  private quantifier(): { min: number; max: number } | null {
    switch (this.source[this.at]) {
      case '*':
        this.at++
        return { min: 0, max: Number.POSITIVE_INFINITY }
      case '+':
        this.at++
        return { min: 1, max: Number.POSITIVE_INFINITY }
      case '?':
        this.at++
        return { min: 0, max: 1 }
      case '{': {
        const match = /^\{(\d{1,6})(,(\d{1,6})?)?\}/.exec(this.source.slice(this.at, this.at + 20))
        if (match === null) throw new PatternError('a "{" that is no repeat count must be written "\\{"')
        this.at += match[0].length
        const min = Number(match[1])
        const max = match[2] === undefined ? min : match[3] === undefined ? Number.POSITIVE_INFINITY : Number(match[3])
        if (max < min) throw new PatternError(`the repeat count ${match[0]} is out of order`)
        if (min > PATTERN_STATES_LIMIT || (max !== Number.POSITIVE_INFINITY && max > PATTERN_STATES_LIMIT)) {
          throw new PatternError(`the repeat count ${match[0]} is larger than ${PATTERN_STATES_LIMIT}`)
        }
        return { min, max }
      }
      default:
        return null
    }
  }

  private single(): Node {
    const c = String.fromCodePoint(this.source.codePointAt(this.at)!)
    switch (c) {
      case '^':
        this.at++
        return { kind: 'start' }
      case '$':
        this.at++
        return { kind: 'end' }
      case '(':
        return this.group()
      case '[':
        return this.characterClass()
      case '\\':
        return this.escape()
      case '.':
        this.at++
        return classNode('.')
      case '*':
      case '+':
      case '?':
      case '{':
        throw new PatternError(`the quantifier "${c}" has nothing to repeat`)
      case ']':
      case '}':
        throw new PatternError(`a "${c}" that stands for itself must be written "\\${c}"`)
      default:
        this.at += c.length
        return literal(c)
    }
  }

  private group(): Node {
    this.at++
    if (this.source[this.at] === '?') {
      const rest = this.source.slice(this.at)
      const prefix = /^\?(?::|<[A-Za-z_$][\w$]*>)/.exec(rest)
      if (prefix === null) throw new PatternError('look-ahead, look-behind and other "(?" groups are not supported')
      this.at += prefix[0].length
    }
    if (++this.depth > NESTING_LIMIT) throw new PatternError(`groups are nested more than ${NESTING_LIMIT} deep`)
    const node = this.choice()
    this.depth--
    if (this.source[this.at] !== ')') throw new PatternError('a "(" is never closed')
    this.at++
    return node
  }

  private characterClass(): Node {
    let end = this.at + 1
    if (this.source[end] === '^') end++
    while (end < this.source.length && this.source[end] !== ']') end += this.source[end] === '\\' ? 2 : 1
    if (end >= this.source.length) throw new PatternError('a "[" is never closed')
    const text = this.source.slice(this.at, end + 1)
    this.at = end + 1
    return classNode(text)
  }

  private escape(): Node {
    const rest = this.source.slice(this.at)
    if (/^\\[1-9k]/.test(rest)) throw new PatternError('back-references are not supported')
    if (/^\\[bB]/.test(rest)) throw new PatternError('word boundaries are not supported')
    const match =
      /^\\(?:[dDwWsS]|[pP]\{[^}]{1,100}\}|u\{[0-9A-Fa-f]{1,6}\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[tnrfv0]|[-^$\\.*+?()[\]{}|/])/.exec(rest)
    if (match === null) throw new PatternError(`the escape ${JSON.stringify(rest.slice(0, 2))} is not known`)
    this.at += match[0].length
    // XML Schema writes "\-" anywhere, JavaScript only inside brackets.
    return match[0] === '\\-' ? literal('-') : classNode(match[0])
  }
}

function literal(character: string): Node {
  const expected = character.codePointAt(0)!
  return { kind: 'character', test: (codePoint) => codePoint === expected }
}

/** A test for one character, by an expression that reads exactly one: the only place where JavaScript's engine is used. */
function classNode(source: string): Node {
  let expression: RegExp
  try {
    expression = new RegExp(`^${source}$`, 'u')
  } catch {
    throw new PatternError(`${JSON.stringify(source)} is not a character class`)
  }
  const ascii = new Uint8Array(128)
  for (let i = 0; i < 128; i++) ascii[i] = Number(expression.test(String.fromCharCode(i)))
  return {
    kind: 'character',
    test: (codePoint) => (codePoint < 128 ? ascii[codePoint] === 1 : expression.test(String.fromCodePoint(codePoint))),
  }
}

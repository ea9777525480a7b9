/**
 * Finds a path that two globs both match, for the configuration must not leave it open which source a drop belongs to.
 *
 * Literals, `*`, `?`, `**`, character classes and comma braces are decided exactly; for anything else (extended globs, brace ranges) the
 * answer is null, and the check at match time is what remains.
 */
export function exampleOfBoth(a: string, b: string): string | null {
  const left = alternatives(a)
  const right = alternatives(b)
  if (left === null || right === null) return null
  for (const x of left) {
    for (const y of right) {
      const found = crossPaths(x, y)
      if (found !== null) return found
    }
  }
  return null
}

/** Some paths that a glob matches; none where its syntax is beyond this parser. */
export function examplesOf(glob: string): string[] {
  const found: string[] = []
  for (const path of alternatives(glob) ?? []) {
    const example = crossPaths(path, path)
    if (example !== null) found.push(example)
  }
  return found
}

type Token =
  | { readonly kind: 'literal'; readonly char: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'star' }
  | { readonly kind: 'class'; readonly test: RegExp }
type Segment = 'globstar' | readonly Token[]

const ALTERNATIVES_LIMIT = 256

function alternatives(glob: string): Segment[][] | null {
  const expanded = expandBraces(glob)
  if (expanded === null) return null
  const result: Segment[][] = []
  for (const plain of expanded) {
    const segments: Segment[] = []
    for (const text of plain.split('/')) {
      const segment = text === '**' ? 'globstar' : tokens(text)
      if (segment === null) return null
      segments.push(segment)
    }
    // A folder is not below itself: a last ** stands for one segment at least.
    if (segments.at(-1) === 'globstar') segments.push([{ kind: 'star' }])
    result.push(segments)
  }
  return result
}

function expandBraces(glob: string): string[] | null {
  const open = glob.search(/(?<!\\)\{/)
  if (open === -1) return [glob]
  let depth = 0
  const parts: string[] = []
  let from = open + 1
  for (let i = open; i < glob.length; i++) {
    const c = glob[i]
    if (c === '\\') i++
    else if (c === '{') depth++
    else if (c === ',' && depth === 1) {
      parts.push(glob.slice(from, i))
      from = i + 1
    } else if (c === '}' && --depth === 0) {
      parts.push(glob.slice(from, i))
      if (parts.length < 2) return null
      const result: string[] = []
      for (const part of parts) {
        const rest = expandBraces(glob.slice(0, open) + part + glob.slice(i + 1))
        if (rest === null || result.length + rest.length > ALTERNATIVES_LIMIT) return null
        result.push(...rest)
      }
      return result
    }
  }
  return null
}

function tokens(segment: string): Token[] | null {
  const result: Token[] = []
  for (let i = 0; i < segment.length; i++) {
    const c = segment[i]!
    if ('()|'.includes(c)) return null
    if (c === '*') {
      if (result.at(-1)?.kind !== 'star') result.push({ kind: 'star' })
    } else if (c === '?') result.push({ kind: 'any' })
    else if (c === '\\') {
      i++
      if (i === segment.length) return null
      result.push({ kind: 'literal', char: segment[i]! })
    } else if (c === '[') {
      const end = segment.indexOf(']', i + 2)
      if (end === -1) return null
      const body = segment.slice(i + 1, end)
      if (/[[\\]/.test(body)) return null
      try {
        result.push({ kind: 'class', test: new RegExp(`^[${body.replace(/^[!^]/, '^')}]$`) })
      } catch {
        return null
      }
      i = end
    } else result.push({ kind: 'literal', char: c })
  }
  return result
}

function crossPaths(a: readonly Segment[], b: readonly Segment[]): string | null {
  const dead = new Set<number>()
  const walk = (i: number, j: number): string[] | null => {
    if (i === a.length && j === b.length) return []
    const at = i * (b.length + 1) + j
    if (dead.has(at)) return null
    const found = step(i, j)
    if (found === null) dead.add(at)
    return found
  }
  const step = (i: number, j: number): string[] | null => {
    const x = a[i]
    const y = b[j]
    if (x === 'globstar') {
      const skipped = walk(i + 1, j)
      if (skipped !== null) return skipped
      return y === undefined || y === 'globstar'
        ? y === 'globstar'
          ? walk(i, j + 1)
          : null
        : prepend(crossSegments([{ kind: 'star' }], y), () => walk(i, j + 1))
    }
    if (y === 'globstar') {
      const skipped = walk(i, j + 1)
      if (skipped !== null) return skipped
      return x === undefined ? null : prepend(crossSegments(x, [{ kind: 'star' }]), () => walk(i + 1, j))
    }
    if (x === undefined || y === undefined) return null
    return prepend(crossSegments(x, y), () => walk(i + 1, j + 1))
  }
  const path = walk(0, 0)
  return path === null ? null : path.join('/')
}

function prepend(head: string | null, rest: () => string[] | null): string[] | null {
  if (head === null) return null
  const tail = rest()
  return tail === null ? null : [head, ...tail]
}

/** A name that both segments match, never empty, and never hidden unless both spell the dot. */
function crossSegments(a: readonly Token[], b: readonly Token[]): string | null {
  // A wildcard in front matches no hidden name, not even by matching nothing.
  const noDot = a[0]?.kind !== 'literal' || b[0]?.kind !== 'literal'
  const dead = new Set<number>()
  const walk = (i: number, j: number, name: string): string | null => {
    if (i === a.length && j === b.length) return name === '' ? null : name
    const at = (i * (b.length + 1) + j) * 2 + (name === '' ? 0 : 1)
    if (dead.has(at)) return null
    const x = a[i]
    const y = b[j]
    let found: string | null = null
    if (x?.kind === 'star') found = walk(i + 1, j, name)
    if (found === null && y?.kind === 'star') found = walk(i, j + 1, name)
    if (found === null && x !== undefined && y !== undefined) {
      const char = crossTokens(x, y, name === '' && noDot)
      if (char !== null) {
        // Two stars side by side need no more than one character between them, and that only where the name has none yet.
        if (x.kind === 'star' && y.kind === 'star') found = name === '' ? walk(i, j, char) : null
        else found = walk(x.kind === 'star' ? i : i + 1, y.kind === 'star' ? j : j + 1, name + char)
      }
    }
    if (found === null) dead.add(at)
    return found
  }
  return walk(0, 0, '')
}

const SAMPLE = ['x', ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter((c) => c !== '/')]

function crossTokens(x: Token, y: Token, noDot: boolean): string | null {
  const accepts = (token: Token, char: string): boolean => {
    if (noDot && char === '.') return false
    if (token.kind === 'literal') return token.char === char
    return token.kind === 'class' ? token.test.test(char) : true
  }
  const literal = x.kind === 'literal' ? x.char : y.kind === 'literal' ? y.char : null
  const candidates = literal === null ? SAMPLE : [literal]
  return candidates.find((c) => accepts(x, c) && accepts(y, c)) ?? null
}

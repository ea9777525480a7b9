/**
 * RFC 8785 (JSON Canonicalization Scheme): members sorted by UTF-16 code units, no white space, ECMAScript numbers and string escapes.
 * Throws for what I-JSON cannot carry: lone surrogates, NaN, infinities, undefined, functions.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error('canonical JSON has no NaN and no infinities')
    return JSON.stringify(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new Error('canonical JSON has no lone surrogates')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object') {
    let out = ''
    // Without a comparator texts are sorted by their UTF-16 code units, as the RFC asks for.
    for (const name of Object.keys(value).sort()) {
      const member = (value as Record<string, unknown>)[name]
      if (member !== undefined) out += `${out === '' ? '' : ','}${canonicalJson(name)}:${canonicalJson(member)}`
    }
    return `{${out}}`
  }
  throw new Error(`canonical JSON has no ${typeof value}`)
}

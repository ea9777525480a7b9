import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PATTERN_SOURCE_LIMIT, PATTERN_TEXT_LIMIT, Pattern, PatternError } from '../../../src/columns/pattern.js'

describe('a pattern', () => {
  it.each([
    ['[A-Z]{2}-\\d+', ['AB-1', 'XY-123'], ['AB-', 'ab-1', 'AB-1 ', ' AB-1', 'AB-1x']],
    ['^a|b$', ['a', 'b'], ['ab', 'xa', 'bx']],
    ['(?:\\d{3}|x?)y{2,}', ['123yy', 'xyyy', 'yy'], ['12yy', 'y', '']],
    ['.*', ['', 'abc é😀'], ['a\nb']],
    ['\\p{Lu}\\w*', ['Éa1'], ['éa', '']],
    ['a\\-b\\.c', ['a-b.c'], ['a-bxc']],
    ['[^\\]]+', ['abc'], ['a]']],
    ['😀+', ['😀😀'], ['\ud83d']],
    ['', [''], ['a']],
    ['(?<year>\\d{4})', ['2024'], ['24']],
    ['(a*)*b', ['b', 'aab'], ['aa']],
    ['a{0}b', ['b'], ['ab']],
  ])('%s matches the whole value or nothing', (source, good, bad) => {
    const pattern = new Pattern(source)
    for (const text of good) expect(pattern.matches(text), text).toBe(true)
    for (const text of bad) expect(pattern.matches(text), text).toBe(false)
  })

  it('agrees with the engine of JavaScript', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '(a|b)', '(?:ab|a)', 'b?', '(a|)')
    const repeat = fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{2,}', '*?')
    const source = fc
      .array(fc.tuple(atom, repeat), { maxLength: 5 })
      .map((parts) => parts.map(([a, r]) => (a.endsWith('?') ? a : a + r)).join(''))
    fc.assert(
      fc.property(
        fc.array(source, { minLength: 1, maxLength: 3 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '1', '\n'), maxLength: 8 }),
        (sources, text) => {
          const whole = sources.join('|')
          expect(new Pattern(whole).matches(text)).toBe(new RegExp(`^(?:${whole})$`, 'u').test(text))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('cannot hang: its steps do not grow with the nesting of repeats', () => {
    // Under backtracking each of these would take longer than the universe has lasted.
    const text = `${'a'.repeat(5000)}!`
    for (const source of ['(a+)+', '(a|a)*', '(a|aa)+', '(.*a){20}', '([a-z]+)*\\d', '(a?){50}a{50}'])
      expect(new Pattern(source).matches(text), source).toBe(false)
  })

  it.each([
    ['repeats of nothing inside each other', `${'('.repeat(40)}${'){2000}'.repeat(40)}`, ['']],
    ['repeats of no repeats', `${'('.repeat(40)}a{0}${'){2000}'.repeat(40)}`, ['']],
    ['repeats of nothing beside something', `${'('.repeat(40)}|${'){2000}'.repeat(40).replace('{2000}', '{0}')}b`, ['b']],
    ['groups as deep as they go, all repeated', `${'(?:'.repeat(50)}a${')*'.repeat(50)}`, ['', 'a', 'a'.repeat(PATTERN_TEXT_LIMIT)]],
    ['2000 anchors', '^'.repeat(1999), ['']],
    ['a class of the size of a pattern', `[${'a-z\\d'.repeat(10_000)}]*`, ['a1']],
    ['thousands of classes that read nothing', '(?:\\p{L}{0})'.repeat(5000), ['']],
    ['every plane of Unicode', '[\\p{L}\\P{L}]*', ['é\u{10ffff}\ud800'.repeat(100)]],
    ['a property against half of a surrogate pair', '\\p{Cs}', ['\ud800', '\udfff']],
  ])('cannot hang while it is compiled: %s', (_, source, texts) => {
    const pattern = new Pattern(source)
    for (const text of texts) expect(pattern.matches(text)).toBe(true)
    expect(pattern.matches('!!')).toBe(source.includes('\\P'))
  })

  it('is not tried on values beyond its limit', () => {
    expect(new Pattern('a*').matches('a'.repeat(PATTERN_TEXT_LIMIT))).toBe(true)
    expect(new Pattern('a*').matches('a'.repeat(PATTERN_TEXT_LIMIT + 1))).toBe(false)
  })

  it.each([
    ['(a)\\1', 'back-references'],
    ['(?=a)b', 'look-ahead'],
    ['(?<!a)b', 'look-ahead'],
    ['\\bword\\b', 'boundaries'],
    ['(a', 'never closed'],
    ['a)', 'no "("'],
    ['[a', 'never closed'],
    ['[z-a]', 'character class'],
    ['*a', 'nothing to repeat'],
    ['a**', 'follows'],
    ['a{2', 'written'],
    ['a{3,1}', 'out of order'],
    ['a}', 'written'],
    ['\\i\\c*', 'not known'],
    ['[a-z-[aeiou]]', 'written'],
    ['(((a{50}){50}){50}){50}', 'too large'],
    ['a{99999}', 'larger'],
    ['('.repeat(60) + ')'.repeat(60), 'nested'],
    ['\\', 'not known'],
    ['^*', 'anchor'],
    ['(a+)+\\1', 'back-references'],
    ['(?<x>a)\\k<x>', 'back-references'],
    ['(?!a)b', 'look-ahead'],
    ['(?<=a)b', 'look-ahead'],
    ['(?i:a)', 'look-ahead'],
    ['(?>a+)b', 'look-ahead'],
    ['\\Bx', 'boundaries'],
    ['a++', 'follows'],
    ['a{1}{2}', 'follows'],
    ['\\p{NoSuchProperty}', 'character class'],
    ['\\u{110000}', 'character class'],
    [`(${'a'.repeat(1000)}){3}`, 'too large'],
    ['|'.repeat(PATTERN_SOURCE_LIMIT), 'too large'],
    ['a'.repeat(PATTERN_SOURCE_LIMIT + 1), 'more than'],
  ])('%.30s is refused, and why', (source, words) => {
    expect(() => new Pattern(source)).toThrow(PatternError)
    expect(() => new Pattern(source)).toThrow(words)
  })
})

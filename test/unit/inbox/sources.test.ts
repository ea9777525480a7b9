import fc from 'fast-check'
import picomatch from 'picomatch'
import { describe, expect, it } from 'vitest'
import { sha256OfJson } from '../../../src/core/hashes.js'
import { type SourceConfig, sourceConfig } from '../../../src/documents/config.js'
import { isIntakeError } from '../../../src/errors.js'
import { exampleOfBoth } from '../../../src/inbox/glob-overlap.js'
import { compileSources, recordRuleFor, ruleSha256, type SourceSet } from '../../../src/inbox/sources.js'

const source = (over: Record<string, unknown> = {}): SourceConfig =>
  sourceConfig.parse({ name: 'borelogs', match: 'borelogs/**/*.csv', table: 'borelog_versions', createdBy: 'lab', ...over })

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8')

function problemsOf(...configs: SourceConfig[]): readonly string[] {
  try {
    compileSources(configs)
  } catch (error) {
    if (isIntakeError(error, 'CONFIG_INVALID')) return error.data.problems as string[]
    throw error
  }
  return []
}

function ruleOf(set: SourceSet, path: Buffer): unknown {
  const found = set.match(path)
  if (found.kind !== 'source') throw new Error(found.kind)
  return recordRuleFor(found.source, path)
}

describe('sources: what matches', () => {
  const set = compileSources([source(), source({ name: 'nightly', match: 'nightly/*.csv' }), source({ name: 'all', match: 'all/**' })])
  const nameOf = (path: string | Buffer): string => {
    const found = set.match(Buffer.isBuffer(path) ? path : bytes(path))
    return found.kind === 'source' ? found.source.config.name : found.kind
  }

  it('takes files at any depth that ** allows', () => {
    expect(nameOf('borelogs/a.csv')).toBe('borelogs')
    expect(nameOf('borelogs/x/y/z/a.csv')).toBe('borelogs')
    expect(nameOf('nightly/a.csv')).toBe('nightly')
  })

  it('leaves alone what no source names', () => {
    for (const path of ['a.csv', 'borelogs/a.txt', 'nightly/x/a.csv', 'Borelogs/a.csv', 'xborelogs/a.csv', 'borelogs.csv', 'all'])
      expect(nameOf(path)).toBe('none')
  })

  it('matches names with newlines and names that are not UTF-8, so that they can be refused with a receipt', () => {
    expect(nameOf('borelogs/a\nb/c\n.csv')).toBe('borelogs')
    expect(nameOf(Buffer.concat([bytes('borelogs/'), Buffer.from([0xff, 0xfe]), bytes('.csv')]))).toBe('borelogs')
  })

  it('knows folders that are named as drops, but not all folders below one', () => {
    expect(set.matchesFolder(bytes('borelogs/a.csv'))).toBe(true)
    expect(set.matchesFolder(bytes('borelogs/a'))).toBe(false)
    expect(set.matchesFolder(bytes('all/a'))).toBe(false)
  })

  it('says when two sources match one path that the configuration did not show', () => {
    const odd = compileSources([source({ name: 'one', match: 'x/@(a|b)*.csv' }), source({ name: 'two', match: 'x/+(a)z.csv' })])
    expect(odd.match(bytes('x/aaz.csv'))).toEqual({ kind: 'ambiguous', names: ['one', 'two'] })
    expect(odd.match(bytes('x/bz.csv')).kind).toBe('source')
  })
})

describe('sources: record templates', () => {
  it.each([
    ['{path}', 'borelogs/**/*.csv', 'borelogs/site/BH-1.csv', { kind: 'fixed', recordId: 'site/BH-1' }],
    ['{path}', '*.csv', 'BH-1.csv', { kind: 'fixed', recordId: 'BH-1' }],
    ['{path}', 'a/b.csv', 'a/b.csv', { kind: 'fixed', recordId: 'b' }],
    ['{path}', 'a/*.csv', 'a/b.tar.csv', { kind: 'fixed', recordId: 'b.tar' }],
    ['{path}', 'a/**', 'a/x.y/noext', { kind: 'fixed', recordId: 'x.y/noext' }],
    ['{stem}', 'a/**/*.csv', 'a/x/y/b.csv', { kind: 'fixed', recordId: 'b' }],
    ['logs/{stem}-v', 'a/*.csv', 'a/b.csv', { kind: 'fixed', recordId: 'logs/b-v' }],
    ['river', 'a/*.csv', 'a/b.csv', { kind: 'fixed', recordId: 'river' }],
    ['soil/{column:report_id}', 'a/*.csv', 'a/b.csv', { kind: 'column', prefix: 'soil/', column: 'report_id', suffix: '' }],
    ['{stem}/{column:a b:c}.x', 'a/*.csv', 'a/b.csv', { kind: 'column', prefix: 'b/', column: 'a b:c', suffix: '.x' }],
    ['manifest', 'a/*.csv', 'a/b.csv', { kind: 'manifest' }],
  ])('%s over %s makes of %s the right record', (record, match, path, rule) => {
    expect(ruleOf(compileSources([source({ record, match })]), bytes(path))).toEqual(rule)
  })

  it('a name that is not UTF-8 gives an id that is not legal', () => {
    const set = compileSources([source({ match: 'a/*.csv' })])
    expect(ruleOf(set, Buffer.from([0x61, 0x2f, 0xff, 0x2e, 0x63, 0x73, 0x76]))).toEqual({ kind: 'fixed', recordId: '\ufffd' })
  })
})

describe('sources: what is refused at start', () => {
  it.each([
    [{ match: '/abs/*.csv' }, 'absolute'],
    [{ match: '../*.csv' }, '".."'],
    [{ match: 'a//b.csv' }, 'empty'],
    [{ match: '!a/*.csv' }, 'negation'],
    [{ match: 'a/[.csv' }, 'glob'],
    [{ record: '{nope}' }, '{nope}'],
    [{ record: '{column:}' }, '{column:}'],
    [{ record: 'a}' }, 'partner'],
    [{ record: '{path' }, 'partner'],
    [{ record: 'é{path}' }, 'characters'],
    [{ record: '{column:a}{column:b}' }, 'more than one column'],
    [{ record: 'versions/{path}' }, 'never give'],
    [{ record: '/{path}' }, 'never give'],
    [{ record: 'a/b/c/d/{stem}' }, 'never give'],
    [{ record: '-{stem}' }, 'never give'],
  ])('%j', (over, message) => {
    const problems = problemsOf(source(over))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(message)
  })

  it('lists every problem at once', () => {
    expect(problemsOf(source({ match: '/x' }), source({ name: 'b', record: '{x}' }), source({ name: 'b', match: 'q/*' }))).toHaveLength(3)
  })

  it.each([
    ['a/*.csv', 'a/b*.csv'],
    ['a/**/*.csv', 'a/x/*.csv'],
    ['**/*.csv', 'a/*.csv'],
    ['a/*.{csv,txt}', 'a/x*.txt'],
    ['a/?.csv', 'a/[a-c].csv'],
    ['a/**', 'a/**/b/*.csv'],
    ['a/b.csv', 'a/b.csv'],
    ['a/*b*', 'a/*a*'],
    ['a/b.csv', '@(a|b)/*.csv'],
  ])('refuses %s beside %s', (a, b) => {
    const problems = problemsOf(source({ name: 'one', match: a }), source({ name: 'two', match: b }))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain('both match')
  })

  it.each([
    ['a/*.csv', 'b/*.csv'],
    ['a/*.csv', 'a/*.txt'],
    ['a/*.csv', 'a/*/*.csv'],
    ['a/[ab]*.csv', 'a/[cd]*.csv'],
    ['a/{x,y}/*.csv', 'a/z/*.csv'],
    ['a/*.csv', 'a/.hidden.csv'],
    ['a/x?.csv', 'a/x.csv'],
    ['A/*.csv', 'a/*.csv'],
  ])('takes %s beside %s', (a, b) => {
    expect(problemsOf(source({ name: 'one', match: a }), source({ name: 'two', match: b }))).toEqual([])
  })

  const segment = fc.array(fc.constantFrom('a', 'b', '*', '?', '.'), { minLength: 1, maxLength: 4 }).map((cs) => cs.join(''))
  const glob = fc
    .array(fc.oneof({ weight: 3, arbitrary: segment }, { weight: 1, arbitrary: fc.constant('**') }), { minLength: 1, maxLength: 3 })
    .map((s) => s.join('/'))
    .filter((g) => !g.split('/').some((s) => s === '.' || s === '..' || (s !== '**' && s.includes('**'))))
  /** As sources match: picomatch alone lets `a/**` match `a`. */
  const matcher = (g: string): ((path: string) => boolean) => {
    const isMatch = picomatch(g, { flags: 's', nonegate: true })
    const isFolder = g.endsWith('/**') ? picomatch(g.slice(0, -3), { flags: 's', nonegate: true }) : () => false
    return (path) => isMatch(path) && !isFolder(path)
  }
  /** Every path of up to three segments of up to three of these letters. */
  const names = ['a', 'b', '.']
    .flatMap((x) => [x, ...['a', 'b', '.'].flatMap((y) => [x + y, ...['a', 'b', '.'].map((z) => x + y + z)])])
    .filter((n) => n !== '.' && n !== '..')
  const few = names.filter((n) => n.length <= 2)
  const paths = [
    ...names,
    ...few.flatMap((x) => few.map((y) => `${x}/${y}`)),
    ...few.flatMap((x) => few.flatMap((y) => few.map((z) => `${x}/${y}/${z}`))),
  ]

  it('finds an overlap wherever some path matches both', () => {
    fc.assert(
      fc.property(glob, glob, (a, b) => {
        if (exampleOfBoth(a, b) !== null) return
        const [left, right] = [matcher(a), matcher(b)]
        expect(paths.find((p) => left(p) && right(p))).toBeUndefined()
      }),
      { numRuns: 300 },
    )
  })
})

describe('sources: sidecars', () => {
  const set = compileSources([
    source({ name: 'plain', match: 'plain/*' }),
    source({ name: 'strict', match: 'strict/*.csv', sidecars: ['sha256', 'done'] }),
    source({ name: 'told', match: 'told/*.csv', record: 'manifest' }),
  ])

  it('are known by the drop they belong to, where the source asks for them', () => {
    expect(set.sidecarBase(bytes('strict/a.csv.sha256'))).toMatchObject({ kind: 'sha256' })
    expect(set.sidecarBase(bytes('strict/a.csv.done'))).toMatchObject({ kind: 'done' })
    expect(set.sidecarBase(bytes('told/a.csv.manifest.json'))).toMatchObject({ kind: 'manifest' })
  })

  it('are ordinary files elsewhere', () => {
    for (const path of ['plain/a.csv.sha256', 'strict/a.csv.manifest.json', 'told/a.csv.done', 'strict/a.txt.done', '.done'])
      expect(set.sidecarBase(bytes(path))).toBeNull()
  })
})

describe('rule_sha256', () => {
  it('is the hash of dialect with all defaults, encoding, template and onInvalid', () => {
    const expected = sha256OfJson({
      dialect: {
        delimiter: ',',
        quoteChar: '"',
        doubleQuote: true,
        escapeChar: null,
        skipInitialSpace: false,
        header: true,
        headerRows: [1],
        headerJoin: ' ',
        commentRows: [],
        commentChar: null,
      },
      encoding: 'utf-8',
      record: '{path}',
      onInvalid: 'quarantine-drop',
    })
    expect(ruleSha256(source())).toBe(expected)
    expect(ruleSha256(source({ dialect: {} }))).toBe(expected)
    expect(ruleSha256(source({ dialect: { title: 'T', description: 'D', name: 'n', encoding: 'UTF-8' } }))).toBe(expected)
  })

  it('does not depend on what has no part in the conversion, and changes with what has', () => {
    const base = ruleSha256(source())
    expect(ruleSha256(source({ name: 'x', match: 'y/*', createdBy: 'z', sidecars: ['done'] }))).toBe(base)
    for (const over of [
      { record: '{stem}' },
      { onInvalid: 'skip-rows' },
      { dialect: { delimiter: ';' } },
      { dialect: { encoding: 'latin1' } },
    ]) {
      expect(ruleSha256(source(over))).not.toBe(base)
    }
  })
})

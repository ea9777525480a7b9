import { isDeepStrictEqual } from 'node:util'
import { type ConvertOptions, convertSource } from '../../src/convert/convert-source.js'
import type { ConvertDone, ConvertRequest, ConvertResult } from '../../src/convert/protocol.js'
import { bytesSource, openParquet } from '../../src/parquet/read-file.js'
import { VersionReader } from '../../src/parquet/version-reader.js'
import { type Expected, UNKNOWN } from './fields.js'
import type { FuzzDocument, FuzzRequest, Model } from './generate.js'
import { MemoryFiles } from './memory-files.js'

const SOURCE = '/in.csv'
const DROP_ID = '20240127T100000123Z-000001-9f86d081884c7d65'

/** The three ways through a conversion. The last is the one that the others are held to. */
const WAYS = ['webassembly', 'typescript', 'csv-parse'] as const
type Way = (typeof WAYS)[number]

/** With what only tests ask for. */
export interface Difference {
  /** What was compared: the same word for the same kind of fault, so that a smaller document can be told to fail alike. */
  readonly kind: string
  readonly detail: string
}

/** What came of a document, for the totals. */
export interface Outcome {
  readonly difference: Difference | null
  readonly valid: boolean
  readonly errors: number
  readonly rows: number
  /** It was clean, plain text: its bytes went straight into columns. */
  readonly plainText: boolean
  readonly cut: boolean
  readonly decoded: boolean
  /** Column chunks of the decoded files with and without a dictionary. */
  readonly dictionaries: number
  readonly plain: number
}

interface Run {
  readonly result: ConvertResult
  /** Every file left, the source aside. */
  readonly files: ReadonlyMap<string, Buffer>
}

/** Converts a document in all three ways and holds the results together; `decode` also reads the Parquet files and asks the model. */
export async function compareWays(document: FuzzDocument, decode: boolean): Promise<Outcome> {
  const runs: Run[] = []
  for (const way of WAYS) runs.push(await run(document, way))
  const [fast, twin, slow] = runs as [Run, Run, Run]
  const { result } = fast
  const none = { valid: false, errors: 0, rows: 0, plainText: false, cut: false, decoded: false, dictionaries: 0, plain: 0 }
  for (const [i, { result: made }] of runs.entries()) {
    if (made.status === 'failed') return { ...none, difference: { kind: `failed: ${WAYS[i]!}`, detail: `${made.code}: ${made.message}` } }
  }
  const wanted = essence(slow)
  const difference =
    unlike(essence(fast), wanted, 'webassembly and csv-parse') ??
    unlike(essence(twin), wanted, 'typescript and csv-parse') ??
    unlikeBytes(fast, twin)
  const done = result as ConvertDone
  const digest = done.report.tasks[0]?.stats.sha256 ?? null
  const outcome = {
    ...none,
    difference,
    valid: done.valid,
    errors: Object.values(done.totals).reduce((sum, n) => sum + n, 0),
    rows: done.rows.in ?? 0,
    // Only csv-parse reads all bytes of a drop and leaves their hash in the report.
    plainText: done.rows.in !== null && digest === null && document.request.output !== 'none',
    cut: document.request.partLines !== null,
  }
  if (difference !== null || !decode) return outcome
  const facts = await decoded(document, done, fast.files)
  return { ...outcome, decoded: true, ...facts }
}

async function run(document: FuzzDocument, way: Way): Promise<Run> {
  const files = new MemoryFiles()
  files.put(SOURCE, document.bytes)
  const { partLines, trialRows } = document.request
  const options: ConvertOptions =
    way === 'csv-parse'
      ? { files, plainText: false }
      : { files, kernels: way, ...(partLines === null ? {} : { partLines }), ...(trialRows === null ? {} : { trialRows }) }
  const result = await convertSource(conversionOf(document.request), options)
  const left = new Map<string, Buffer>()
  for (const path of files.paths()) if (path !== SOURCE) left.set(path, files.get(path)!)
  return { result, files: left }
}

function conversionOf(request: FuzzRequest): ConvertRequest {
  const { output, mends, partLines: _, trialRows: __, ...rest } = request
  return {
    ...rest,
    sourcePath: SOURCE,
    place: 'in.csv',
    output:
      output === 'staging'
        ? { kind: 'staging', stagingRoot: '/staging', dropId: DROP_ID }
        : output === 'file'
          ? { kind: 'file', path: '/out.parquet' }
          : { kind: 'none' },
    reportFolder: mends ? '/report' : null,
    progress: null,
  }
}

/** Everything but what may differ: times, encodings of the same cells, and hashes that only a faulty file's report needs. */
function essence({ result, files }: Run): Record<string, unknown> {
  const done = result as ConvertDone
  const { staged, report, seconds: _, ...rest } = done
  return {
    ...rest,
    staged: staged.map((s) => ({ tx: s.tx, recordId: s.recordId, rows: s.rows, invalid: s.invalid, content: s.contentSha256 })),
    report: {
      ...report,
      stats: { ...report.stats, seconds: 0 },
      tasks: report.tasks.map((task) => ({ ...task, stats: { ...task.stats, seconds: 0, md5: null, sha256: null } })),
    },
    files: [...files].map(([path, bytes]) => [path, path.endsWith('.parquet') ? null : bytes.toString('latin1')]),
  }
}

function unlike(a: Record<string, unknown>, b: Record<string, unknown>, kind: string): Difference | null {
  if (isDeepStrictEqual(a, b)) return null
  const place = firstDifference(a, b, '')
  return { kind: `${kind}: ${place.path.replace(/\d+/g, '#')}`, detail: `${place.path}: ${place.one} and ${place.other}` }
}

function unlikeBytes(one: Run, other: Run): Difference | null {
  for (const [path, bytes] of one.files) {
    const twin = other.files.get(path)
    if (twin === undefined) return { kind: 'webassembly and typescript: files', detail: `${path} is there only once` }
    if (bytes.equals(twin)) continue
    let at = 0
    while (bytes[at] === twin[at]) at++
    return {
      kind: 'webassembly and typescript: bytes',
      detail: `${path}: byte ${at} is ${bytes[at]} and ${twin[at]} (sizes ${bytes.length} and ${twin.length})`,
    }
  }
  return null
}

function firstDifference(a: unknown, b: unknown, path: string): { path: string; one: string; other: string } {
  if (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const [x, y] = [(a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]]
      if (!isDeepStrictEqual(x, y)) return firstDifference(x, y, path === '' ? key : `${path}.${key}`)
    }
  }
  return { path, one: shown(a), other: shown(b) }
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '-0' : (JSON.stringify(value) ?? String(value))
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

async function decoded(
  document: FuzzDocument,
  done: ConvertDone,
  files: ReadonlyMap<string, Buffer>,
): Promise<{ difference: Difference | null; dictionaries: number; plain: number }> {
  let dictionaries = 0
  let plain = 0
  const { model, request } = document
  const facts = (difference: Difference | null) => ({ difference, dictionaries, plain })
  if (model?.mustBeValid === true && !done.valid) {
    return facts({ kind: 'model: refused', detail: done.problem?.message ?? 'the document is refused without a word' })
  }
  for (const staged of done.staged) {
    const bytes = files.get(staged.path)
    if (bytes === undefined) return facts({ kind: 'model: no file', detail: `${staged.path} is not there` })
    const reader = await VersionReader.open({ source: bytesSource(bytes), url: staged.path })
    if (reader.rowCount !== staged.rows)
      return facts({ kind: 'model: rows', detail: `${reader.rowCount} rows in the file, ${staged.rows} said` })
    const columns = await reader.columns()
    for (const group of (await openParquet(bytesSource(bytes))).rowGroups) {
      for (const { encodings } of group.columns) {
        if (encodings.some((name) => name.endsWith('DICTIONARY'))) dictionaries++
        else plain++
      }
    }
    if (model === null || !done.valid) continue
    const rows = rowsOf(model, request, staged.recordId)
    if (rows.length !== staged.rows) return facts({ kind: 'model: rows', detail: `${staged.rows} rows, ${rows.length} were written` })
    let c = 0
    for (const [name, { values, validity }] of columns) {
      for (let r = 0; r < rows.length; r++) {
        const wanted = rows[r]![c]!
        const found = validity[r] === 1 ? (values[r] as Expected) : null
        if (wanted === UNKNOWN ? found === null : !Object.is(found, wanted)) {
          return facts({
            kind: 'model: cell',
            detail: `row ${r + 1}, column ${JSON.stringify(name)}: ${shown(found)} where ${wanted === UNKNOWN ? 'a value' : shown(wanted)} was written`,
          })
        }
      }
      c++
    }
  }
  return facts(null)
}

function rowsOf(model: Model, request: FuzzRequest, recordId: string): (readonly (Expected | null)[])[] {
  const rows: (readonly (Expected | null)[])[] = []
  for (const row of model.rows) {
    if (row.values !== null && (request.grouping.kind === 'single' || row.record === recordId)) rows.push(row.values)
  }
  return rows
}

import type { FuzzDocument, FuzzRequest, ModelRow } from './generate.js'

export interface ShrinkOptions {
  /** Whether a smaller document still fails in the same way. */
  readonly fails: (document: FuzzDocument) => Promise<boolean>
  /** Tries at most. */
  readonly tries: number
}

/** A smaller document that fails alike: plainer request, fewer rows, columns and bytes, as long as each step keeps the fault. Greedy. */
export async function shrink(document: FuzzDocument, options: ShrinkOptions): Promise<FuzzDocument> {
  let { tries } = options
  let best = document
  const attempt = async (smaller: FuzzDocument): Promise<boolean> => {
    if (tries-- <= 0 || !(await options.fails(smaller))) return false
    best = smaller
    return true
  }

  const { model } = document
  if (model !== null) {
    await dropPieces(
      () => best.model!.rows,
      (rows) => attempt(ofRows(best.request, model.head, rows, model.mustBeValid)),
    )
  }
  // What the three ways say of bytes needs no model, and a fault that only the model shows is lost without one.
  const bare = { ...best, model: null }
  const needsModel = model !== null && !(await options.fails(bare))
  if (!needsModel) best = bare
  for (const plainer of plainerRequests(best.request)) await attempt({ ...best, request: { ...best.request, ...plainer } })
  if (needsModel) return best
  await dropPieces(
    () => lines(best.bytes),
    (pieces) => attempt({ ...best, bytes: Buffer.concat(pieces) }),
  )
  for (let column = widthOf(best.bytes, best.request) - 1; column >= 0; column--) {
    const smaller = withoutColumn(best, column)
    if (smaller !== null) await attempt(smaller)
  }
  await dropPieces(
    () => best.bytes.toString('latin1').split(''),
    (pieces) => attempt({ ...best, bytes: Buffer.from(pieces.join(''), 'latin1') }),
  )
  return best
}

/** Tries to do without runs of pieces, long runs first. */
async function dropPieces<T>(pieces: () => readonly T[], attempt: (kept: T[]) => Promise<boolean>): Promise<void> {
  for (let length = Math.ceil(pieces().length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = 0; at < pieces().length; ) {
      const all = pieces()
      if (!(await attempt([...all.slice(0, at), ...all.slice(at + length)]))) at += length
    }
  }
}

function ofRows(request: FuzzRequest, head: string, rows: readonly ModelRow[], mustBeValid: boolean): FuzzDocument {
  return { request, bytes: Buffer.from(head + rows.map((row) => row.text).join('')), model: { head, rows, mustBeValid } }
}

function plainerRequests(request: FuzzRequest): Partial<FuzzRequest>[] {
  return [
    { compression: 'NONE' },
    { verify: 'none' },
    { partLines: null },
    { trialRows: null },
    { mends: false },
    { output: 'staging' },
    { onInvalid: 'quarantine-drop' },
    { expectedRows: null },
    { grouping: { kind: 'single', recordId: 'R' } },
    { limits: { ...request.limits, rowBytes: 16 * 1024 ** 2 } },
    { limits: { ...request.limits, reportErrors: 1000 } },
  ]
}

function lines(bytes: Buffer): Buffer[] {
  const out: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at)
    const next = end < 0 ? bytes.length : end + 1
    out.push(bytes.subarray(at, next))
    at = next
  }
  return out
}

/** Raw cells by row, read in the simplest way; line ends stay with the last cell. One byte is one character here. */
function rawRows(bytes: Buffer, delimiter: string): string[][] {
  const rows: string[][] = [['']]
  let inside = false
  for (const character of bytes.toString('latin1')) {
    const row = rows.at(-1)!
    if (character === '"') inside = !inside
    if (character === delimiter && !inside) row.push('')
    else {
      row[row.length - 1] += character
      if (character === '\n' && !inside) rows.push([''])
    }
  }
  if (rows.at(-1)!.join('') === '') rows.pop()
  return rows
}

function widthOf(bytes: Buffer, request: FuzzRequest): number {
  return rawRows(bytes, request.dialect.delimiter)[0]?.length ?? 0
}

/** Takes a column out of the document, and its field out of the table. */
function withoutColumn(document: FuzzDocument, column: number): FuzzDocument | null {
  const { delimiter } = document.request.dialect
  const rows = rawRows(document.bytes, delimiter)
  if ((rows[0]?.length ?? 0) < 2) return null
  const label = Buffer.from(rows[0]![column]!.trim(), 'latin1')
    .toString('utf8')
    .replace(/^\uFEFF/, '')
  const name = label.startsWith('"') ? label.slice(1, -1).replaceAll('""', '"') : label
  const table = document.request.tableDocument as { fields: { name: string }[] }
  const fields = table.fields.filter((field) => field.name !== name)
  if (fields.length === 0) return null
  const kept = rows.map((row) => {
    if (column !== row.length - 1 || column === 0) return row.filter((_, i) => i !== column).join(delimiter)
    return row.slice(0, -1).join(delimiter) + (/\r?\n$/.exec(row.at(-1)!)?.[0] ?? '')
  })
  return {
    model: null,
    bytes: Buffer.from(kept.join(''), 'latin1'),
    request: { ...document.request, tableDocument: { ...table, fields } },
  }
}

import { type CsvRow, openCsv } from '../csv/read-csv.js'
import type { Kernels } from '../kernels/kernels.js'
import type { OpenFile } from '../runtime/files.js'
import type { FilePart } from './part-cutter.js'
import type { ConvertRequest } from './protocol.js'

const LF = 0x0a
const CR = 0x0d
const READ_BYTES = 1 << 20

/**
 * The rows of one part of a file as csv-parse reads them, with the lines and row numbers that they have in the file.
 *
 * The header is read again before each part: so the parser stands where it would stand in the whole file, and a byte order mark that begins
 * a part is the text it is. Throws what `CsvReader.batches` throws, but with lines that mean nothing: then the whole file must be read.
 */
export async function* rowsOfPart(options: {
  readonly file: Pick<OpenFile, 'read'>
  readonly request: Pick<ConvertRequest, 'dialect' | 'limits'>
  readonly part: FilePart
  /** Bytes and lines of the header, which is row 1. */
  readonly headBytes: number
  readonly headLines: number
  /** Lines of the file before the part, and rows of data. */
  readonly linesBefore: number
  readonly rowsBefore: number
}): AsyncGenerator<readonly CsvRow[]> {
  const { file, request, part, linesBefore, headLines, rowsBefore } = options
  const chunks = chunksOf(file, [{ from: 0, to: options.headBytes }, part])
  const reader = await openCsv({ chunks, dialect: request.dialect, limits: request.limits })
  const lines = linesBefore - headLines
  for await (const batch of reader.batches()) {
    yield batch.map(({ cells, line, rowNumber }) => ({ cells, line: line + lines, rowNumber: rowNumber + rowsBefore }))
  }
}

async function* chunksOf(file: Pick<OpenFile, 'read'>, parts: readonly FilePart[]): AsyncGenerator<Uint8Array> {
  for (const { from, to } of parts) {
    for (let at = from; at < to; ) {
      const bytes = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, to - at))
      if ((await file.read(bytes, at)) !== bytes.length) throw new Error('the source of a conversion became shorter')
      at += bytes.length
      yield bytes
    }
  }
}

/** Counts the physical lines of a file as `LineIndex` does: up to places in rising order, each right after an LF. */
export class LineCounter {
  private at = 0
  private lines = 0

  constructor(
    private readonly kernels: Kernels,
    private readonly file: Pick<OpenFile, 'read'>,
  ) {}

  /** Line ends before the byte at `offset`. */
  async before(offset: number): Promise<number> {
    const { kernels } = this
    const mark = kernels.mark()
    try {
      const block = kernels.allocate(READ_BYTES, 4096)
      for (let last = LF; this.at < offset; ) {
        const length = Math.min(READ_BYTES, offset - this.at)
        const bytes = kernels.u8.subarray(block, block + length)
        if ((await this.file.read(bytes, this.at)) !== length) throw new Error('the source of a conversion became shorter')
        this.lines += kernels.countByte(block, block + length, LF)
        if (last === CR || kernels.countByte(block, block + length, CR) > 0) this.lines += loneReturns(bytes, last)
        last = bytes[length - 1]!
        this.at += length
      }
      return this.lines
    } finally {
      kernels.release(mark)
    }
  }
}

/** Carriage returns without a line feed behind them. One that `bytes` end with is counted by those that follow: `last` stands before them. */
function loneReturns(bytes: Uint8Array, last: number): number {
  let count = last === CR && bytes[0] !== LF ? 1 : 0
  for (let i = 0; i + 1 < bytes.length; i++) if (bytes[i] === CR && bytes[i + 1] !== LF) count++
  return count
}

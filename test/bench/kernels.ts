/**
 * `node dist/test/bench/kernels.js [ROWS]`: megabytes a second of the kernels on one core, in both forms, over the mixed shape. Block by block as in a
 * conversion, so that what one kernel writes the next finds in the cache.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hybridBound, type Kernels, snappyBound } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load-kernels.js'
import { TextDictionary } from '../../src/kernels/text-dictionary.js'
import { MIXED_TABLE, writeMixed } from './generate.js'

const ROUNDS = 5
const BLOCK_ROWS = 512
const CHUNK_BYTES = 6 << 20
const WIDTH = MIXED_TABLE.fields.length
const STRIDE = WIDTH + 1

const rows = Number(process.argv[2] ?? 200_000)
const folder = mkdtempSync(join(tmpdir(), 'bench-kernels-'))
let data: Buffer
try {
  const path = join(folder, 'mixed.csv')
  await writeMixed(path, rows)
  data = readFileSync(path)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
data = data.subarray(data.indexOf(10) + 1)
const lastChunk = data.subarray(0, Math.min(data.length, CHUNK_BYTES))

for (const webassembly of [false, true]) {
  const kernels = await loadKernels({ webassembly })
  if (webassembly && kernels.name !== 'webassembly') break
  console.log(`${kernels.name}, ${(data.length / 1e6).toFixed(1)} MB, ${rows} rows`)
  const start = kernels.mark()
  report('quote parity', data.length, () => wholeFile(kernels, (from, end) => kernels.quoteParity(from, end, 34)))
  report('tokenise', data.length, () => wholeFile(kernels, (from, end) => tokeniseChunk(kernels, from, end, null)))
  report('tokenise + dictionaries', data.length, () => wholeFile(kernels, (from, end) => dictionaries(kernels, from, end)))
  kernels.release(start)

  const at = kernels.allocate(lastChunk.length)
  kernels.u8.set(lastChunk, at)
  const fields = kernels.allocate(lastChunk.length)
  const count = kernels.tokenise(at, at + lastChunk.length, true, WIDTH, 44, 34, fields, 1 << 30)
  const values = kernels.allocate(count * 8)
  const validity = kernels.allocate(count)
  const codes = kernels.allocate(count * 4)
  const out = kernels.allocate(Math.max(hybridBound(count, 16), snappyBound(lastChunk.length)))
  const each = (name: string, column: number, run: (column: number) => number) => {
    let bytes = 0
    for (let row = 0; row < count; row++) {
      const field = (fields >>> 2) + row * STRIDE + column
      bytes += kernels.u32[field + 1]! - kernels.u32[field]!
    }
    report(`${name} (${count} rows)`, bytes, () => {
      if (run(column) !== count) throw new Error(name)
    })
  }
  each('int64', 0, (c) => kernels.parseInt64(fields, STRIDE, c, count, 34, values, validity))
  each('double', 3, (c) => kernels.parseDouble(fields, STRIDE, c, count, 34, values, validity))
  each('decimal64', 7, (c) => kernels.parseDecimal64(fields, STRIDE, c, count, 34, values, validity, 12, 2))
  each('date', 9, (c) => kernels.parseDate(fields, STRIDE, c, count, 34, values, validity))
  each('timestamp', 10, (c) => kernels.parseTimestamp(fields, STRIDE, c, count, 34, values, validity, 1000, true))
  each('texts', 12, (c) => kernels.copyTexts(fields, STRIDE, c, count, 34, out, 0, lastChunk.length, codes, validity))
  const dictionary = new TextDictionary(kernels)
  dictionary.lookup(fields, STRIDE, 1, count, codes)
  report('hybrid of codes', count * 4, () => kernels.encodeHybrid(codes, 4, count, 11, out))
  report('snappy of CSV', lastChunk.length, () => kernels.snappyCompress(at, lastChunk.length, out))
  report('snappy of doubles', count * 8, () => kernels.snappyCompress(values, count * 8, out))
}

function report(name: string, bytes: number, run: () => void): void {
  const seconds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now()
    run()
    seconds.push((performance.now() - before) / 1000)
  }
  seconds.sort((a, b) => a - b)
  const median = seconds[ROUNDS >> 1]!
  console.log(`  ${name.padEnd(36)} ${(bytes / 1e6 / median).toFixed(0).padStart(6)} MB/s ${(median * 1000).toFixed(2).padStart(9)} ms`)
}

/** Chunk after chunk in the same place, as a worker reads them. The copy into it is part of what is measured, and small. */
function wholeFile(kernels: Kernels, each: (start: number, end: number) => void): void {
  const mark = kernels.mark()
  const at = kernels.allocate(CHUNK_BYTES + 65_536, 4096)
  for (let from = 0; from < data.length; ) {
    const target = Math.min(from + CHUNK_BYTES, data.length)
    const end = target === data.length ? target : data.lastIndexOf(10, target) + 1
    kernels.u8.set(data.subarray(from, end), at)
    each(at, at + end - from)
    from = end
  }
  kernels.release(mark)
}

function dictionaries(kernels: Kernels, start: number, end: number): void {
  const mark = kernels.mark()
  const columns = Array.from({ length: WIDTH }, () => new TextDictionary(kernels, { maxEntries: 16_384 }))
  const codes = kernels.allocate(BLOCK_ROWS * 4)
  const full = new Set<number>()
  tokeniseChunk(kernels, start, end, (fields, count) => {
    for (let column = 0; column < WIDTH; column++) {
      if (!full.has(column) && columns[column]!.lookup(fields, STRIDE, column, count, codes) < count) full.add(column)
    }
  })
  kernels.release(mark)
}

function tokeniseChunk(kernels: Kernels, start: number, end: number, block: ((fields: number, rows: number) => void) | null): void {
  const mark = kernels.mark()
  const fields = kernels.allocate(BLOCK_ROWS * STRIDE * 4)
  for (let at = start; at < end; at = kernels.result.next) {
    const count = kernels.tokenise(at, end, true, WIDTH, 44, 34, fields, BLOCK_ROWS)
    if (count === 0) throw new Error(kernels.result.status)
    block?.(fields, count)
  }
  if (block === null) kernels.release(mark)
}

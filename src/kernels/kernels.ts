/**
 * The few loops in which a conversion spends its time, behind one interface and in two forms: TypeScript (`typescript-kernels.ts`) and
 * WebAssembly SIMD (`webassembly-kernels.ts`, compiled from `assembly/`). Both give the same results, byte for byte; which one runs is
 * never visible in a file.
 *
 * Kernels know bytes and nothing else. All of them work in one memory, and every place is a byte address in it, below 2³¹. Addresses stay
 * right when the memory grows; views do not.
 *
 * Fields are described as `tokenise` writes them: `fields` is the address of the first row's words, `stride` the words a row has
 * (columns + 1), and the field in `column` of a row is the bytes `[word[column], word[column + 1] - 1)`, with its quotes.
 */
export interface Kernels {
  readonly name: 'typescript' | 'webassembly'

  /** Views over all of the memory. `allocate` may replace them: fetch them anew after every call that can allocate (`TextDictionary.lookup` can). */
  readonly buffer: ArrayBuffer
  readonly u8: Uint8Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly f64: Float64Array
  readonly i64: BigInt64Array

  /**
   * The address of `bytes` bytes, which hold whatever was there before. `alignment` is a power of two; 4096 for what files are read into
   * (reads into whole pages are nearly twice as fast). Throws RangeError beyond the maximum that the kernels were loaded with.
   */
  allocate(bytes: number, alignment?: number): number
  /** Makes sure of room for so many bytes more, where it is known that they will be needed: growing now and then costs more. */
  reserve(bytes: number): void
  /** Everything allocated since `mark()` is given back by `release(mark)`, dictionaries that grew meanwhile included. The memory itself does not shrink. */
  mark(): number
  release(mark: number): void

  /** Bytes equal to `byte` in [start, end). */
  countByte(start: number, end: number, byte: number): number
  /** Quote bytes in [start, end), modulo 2: 1 says that what follows is inside quotes if what came before was not. */
  quoteParity(start: number, end: number, quote: number): 0 | 1
  /**
   * The address after the first LF outside quotes in [start, end), or -1. `inside`: 1 if `start` lies inside quotes. Where quoting is not
   * well-formed the answer may be wrong: where one chunk ends the next must begin.
   */
  recordAfter(start: number, end: number, quote: number, inside: 0 | 1): number

  /**
   * Counts line ends outside quotes in [start, end), `most` (1 at least) at most; `inside`: 1 if `start` lies inside quotes. Where it stopped
   * stands in `skipped`. Where quoting is not well-formed the answer may be wrong, as with `recordAfter`.
   */
  skipRecords(start: number, end: number, quote: number, inside: 0 | 1, most: number): number
  /** Of the last call of `skipRecords`; the same object every time. */
  readonly skipped: Readonly<SkippedRecords>

  /**
   * Cuts whole records of plain RFC 4180 in [start, end), which starts at a record: `delimiter` and `quote` are one ASCII byte each (quote 0:
   * no quoting), LF or CRLF ends a record, quoted fields with doubled quotes may hold anything but NUL. `final`: nothing follows `end`, so
   * the last record needs no line end.
   *
   * Returns the rows written: `width + 1` words each at `out`, the start of every field and then the end of the row's content + 1. `out` has
   * room for `maxRows` rows, of which those beyond the result may have been scribbled over. Why it stopped stands in `result`.
   */
  tokenise(
    start: number,
    end: number,
    final: boolean,
    width: number,
    delimiter: number,
    quote: number,
    out: number,
    maxRows: number,
  ): number
  /** Of the last call of `tokenise`; the same object every time. */
  readonly result: Readonly<TokeniseResult>

  /**
   * Codes of texts, one word a row at `codes`: 0 for the first text that the table met, 1 for the next, and so on. The key is the raw bytes.
   * Returns the rows done; fewer when the table must grow. For `TextDictionary`, which owns tables; use that.
   */
  lookup(fields: number, stride: number, column: number, rows: number, table: number, codes: number): number
  /** Puts entries 0 to `size` into 2 ** `bits` free slots. For `TextDictionary` as well. */
  fillSlots(slots: number, bits: number, entries: number, size: number): void
  /**
   * Codes of texts that stand in the table of a shape (`text-shape.ts`), one word a row at `codes`. The rows of all others go to `misses`, four
   * words each, of which the first two are a field for `lookup` with stride 4; there is room for all rows. Returns how many they are.
   */
  shapedCodes(fields: number, stride: number, column: number, rows: number, shape: number, codes: number, misses: number): number
  /** Gives rows that were missed their codes, and puts these into the table where there is a place for them. */
  placeCodes(misses: number, count: number, missCodes: number, shape: number, codes: number): void

  /**
   * Parquet bit-packing of `count` words at `codes`, least significant bit first, the last group of eight filled up with zeros. `width`: 1
   * to 32 bits; no code may need more. Returns the bytes written: `ceil(count / 8) * width`.
   */
  packBits(codes: number, count: number, width: number, out: number): number
  /**
   * The RLE / bit-packed hybrid (parquet-format, Encodings.md) of `count` values of `valueBytes` bytes each at `values`. Returns the bytes
   * written, `hybridBound(count, width)` at most.
   */
  encodeHybrid(values: number, valueBytes: 1 | 4, count: number, width: number, out: number): number
  /** Snappy's raw format; returns the bytes written at `out`, `snappyBound(length)` at most. The ranges must not overlap. */
  snappyCompress(source: number, length: number, out: number): number
  /**
   * The same by other matches, for what it would take long over. Both look at values only where they begin, the first of which does `first`
   * bytes behind `source`: `snappyFixed` at four bytes of each eight (so `first` may lie within a value), `snappyTexts` at the length before a
   * text and at what follows.
   */
  snappyFixed(source: number, length: number, first: number, out: number): number
  snappyTexts(source: number, length: number, first: number, out: number): number

  /*
   * Typed kernels, for columns with many distinct texts. Each takes fields in a simple form, and stops before the first that is not: it
   * returns the rows done, and the caller judges the next one with the column's own parser. A value that a kernel takes is the one that the
   * parser of `src/columns` gives with default options. `validity` is one byte a row: 1 present, 0 missing (and the value zero).
   *
   * A field may stand in quotes. An empty one (also `""`) is missing: where the empty text is not among a column's missing values, or one
   * of the others could pass for a value ("-999"), these kernels are not for that column.
   */

  /** `[+-]?` and up to 18 digits, within 32 bits, as int32 at `values`. */
  parseInt32(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number
  /** `[+-]?` and up to 18 digits, as int64. */
  parseInt64(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number
  /** Numbers with an optional fraction and exponent, as the nearest double; not NaN and INF. */
  parseDouble(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number
  /** Numbers with an optional fraction that fit DECIMAL(precision ≤ 9, scale) exactly, unscaled, as int32. */
  parseDecimal32(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    precision: number,
    scale: number,
  ): number
  /** Numbers with an optional fraction that fit DECIMAL(precision ≤ 18, scale) exactly, unscaled, as int64. */
  parseDecimal64(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    precision: number,
    scale: number,
  ): number
  /** `YYYY-MM-DD` of the calendar, year 1 to 9999, as int32 days since 1970-01-01. */
  parseDate(fields: number, stride: number, column: number, rows: number, quote: number, values: number, validity: number): number
  /**
   * `YYYY-MM-DDThh:mm:ss` with a fraction that the unit holds, as int64 units since 1970-01-01. `unitsPerSecond`: 1,000 or 1,000,000.
   * `utc`: with `Z` or `±hh:mm`; otherwise without any zone.
   */
  parseTimestamp(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    unitsPerSecond: number,
    utc: boolean,
  ): number
  /** `hh:mm:ss` with a fraction that the unit holds: int32 milliseconds, or int64 microseconds, by `unitsPerSecond`. */
  parseTime(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    values: number,
    validity: number,
    unitsPerSecond: number,
  ): number
  /**
   * Texts one after the other, without their quotes and with doubled ones halved; the first goes to `data + base`, and none beyond `data +
   * capacity`: there it stops. The end of each, counted from `data`, is a word at `ends` (so `ends - 4` may hold the 0 that an array of
   * offsets begins with). Every field is in the simple form; the encoding is not looked at. A missing text is one of no bytes.
   */
  copyTexts(
    fields: number,
    stride: number,
    column: number,
    rows: number,
    quote: number,
    data: number,
    base: number,
    capacity: number,
    ends: number,
    validity: number,
  ): number

  /*
   * Columns. Codes are words; `validity` is one byte a row, or 0 where no row is missing. A missing row has the code 0 and the value zero.
   */

  /**
   * Takes rows without content (all cells empty, quoted or not) out of what `tokenise` wrote, and returns how many are left; -1: one row is
   * longer than `rowBytes` less eight: near the limit csv-parse decides.
   */
  keepRows(fields: number, rows: number, width: number, rowBytes: number, quote: number): number
  /**
   * Numbers keys by first appearance, in place: `codeOf` (key → code, NONE: none yet) and `keyOf` (code → key) go on from `known` codes.
   * Returns how many there are then. A key that is NONE stays.
   */
  renumber(codes: number, count: number, codeOf: number, keyOf: number, known: number): number
  /** Each code becomes what stands at its place in `map`, in place; NONE there makes the row a missing one. Writes all of `validity`; returns the rows present. */
  mapCodes(codes: number, count: number, map: number, validity: number): number
  /** The entries of `source`, `width` bytes each, behind the codes of `count` rows. */
  gather(source: number, width: FixedWidth, codes: number, validity: number, count: number, out: number): void
  /** Lengths of the texts behind the codes, as words; returns their sum. Texts are `data` and words of `offsets`, one more than there are texts. */
  gatherLengths(offsets: number, codes: number, validity: number, count: number, out: number): number
  /** The texts behind the codes one after the other, `lengths` as `gatherLengths` gave them; `end` is where they end. */
  gatherTexts(data: number, offsets: number, codes: number, lengths: number, count: number, out: number, end: number): void
  /** Offsets (one more than texts) to lengths, and back; `out` may be the array itself for the way back. */
  lengthsOf(offsets: number, count: number, out: number): void
  offsetsOf(lengths: number, count: number, out: number): void
  /** The values of present rows one after the other; returns how many. */
  compact(values: number, width: FixedWidth, validity: number, count: number, out: number): number
  /** PLAIN of parquet-format for texts: the length before each; missing rows are left out. `end` is behind the last byte; returns the bytes written. */
  interleaveTexts(data: number, offsets: number, validity: number, count: number, out: number, end: number): number
  /** One bit of each byte, lowest first, the last byte filled up with zeros; returns the bytes written. */
  packBits8(values: number, count: number, out: number): number
  /**
   * Least and greatest of the present values, in two places of eight bytes at `out`: the values themselves, or of texts (compared as unsigned
   * bytes) which rows have them. Returns how many are present, -1 where a double is NaN; if it is none or NaN the places say nothing.
   */
  extremesInt32(values: number, validity: number, count: number, out: number): number
  extremesInt64(values: number, validity: number, count: number, out: number): number
  extremesDouble(values: number, validity: number, count: number, out: number): number
  extremesTexts(data: number, offsets: number, validity: number, count: number, out: number): number
  /** Field words, two a field, for `lookup` with stride 2: of values that lie one after the other, of texts that do (`ends` counted from `data`), of entries of a dictionary (by codes, or in order where `codes` is 0). */
  fixedFields(values: number, width: number, count: number, out: number): void
  textFields(data: number, ends: number, count: number, out: number): void
  entryFields(entries: number, codes: number, count: number, out: number): void

  /*
   * The digest of a column chunk, as `parquet/chunk-digest.ts` defines it. A hash is two words.
   */

  /** The hash of each value, or text. */
  hashFixed(values: number, width: FixedWidth, count: number, out: number): void
  hashTexts(data: number, offsets: number, count: number, out: number): void
  /** Folds rows into the sixteen words at `lanes`, the first of them into pair 0. `hashes` are those of the codes, or where `codes` is 0 of the rows. */
  foldRows(hashes: number, codes: number, validity: number, count: number, lanes: number): void

  /*
   * Rows of a bulk file by their record.
   */

  /**
   * The codes of some rows (words at `rows`), numbered anew by first appearance: `keyOf` holds the old code of each new one. Missing rows get 0.
   * `codeOf` has a word for each old code, all of them NONE before and after. Returns how many new codes there are.
   */
  takeCodes(codes: number, validity: number, rows: number, count: number, codeOf: number, keyOf: number, out: number): number
  /**
   * A dictionary of values in line: the code of each row by first appearance of its bytes, 0 for a missing one, and at `firsts` the row in which
   * each value stands first. `slots` has 2 to the power of `slotBits` words, more than there are rows. Returns how many codes there are.
   */
  codeFixed(
    values: number,
    width: 4 | 8 | 16,
    validity: number,
    count: number,
    slots: number,
    slotBits: number,
    out: number,
    firsts: number,
  ): number
  codeTexts(
    data: number,
    offsets: number,
    validity: number,
    count: number,
    slots: number,
    slotBits: number,
    out: number,
    firsts: number,
  ): number
  /** Where the content of each row that `tokenise` found stands: two words a row, its first byte and its length. */
  rowSpans(fields: number, width: number, rows: number, out: number): void
  /** Adds each row to the two words of its code at `tally`: one row, and its bytes with a line end. */
  tallySpans(spans: number, codes: number, rows: number, tally: number): void
  /**
   * Copies each row, and a LF behind it, to the end of its group: `groupOf` has the group of each code, NONE for one that is left out; `ends` is
   * where the rows of each group end so far.
   */
  scatterSpans(spans: number, codes: number, groupOf: number, rows: number, ends: number): void
}

/** Bytes of a value of fixed width. */
export type FixedWidth = 1 | 4 | 8 | 16

export interface SkippedRecords {
  /** Behind the last line end that was counted; 0: there was none. */
  next: number
  /** Whether `end` lies inside quotes; 0 where `most` were found before it. */
  inside: 0 | 1
}

export interface TokeniseResult {
  /** The first byte that no returned row holds: where the next call, or the slow path, goes on. */
  next: number
  /**
   * - more: `maxRows` are done, or the rest is no whole record yet (or nothing);
   * - ragged: the record at `next` has another number of fields;
   * - blank: the record at `next` is an empty line and `width` is not 1;
   * - odd: the record at `next` is not plain: a quote inside an unquoted field, text after a closing quote, a CR without LF outside quotes,
   *   NUL, or a quote that is open at a final end.
   */
  status: 'more' | 'ragged' | 'blank' | 'odd'
  /** ragged, blank: the byte after the record's line end. odd: the byte that is not plain. more: as `next`. */
  recordEnd: number
  /** ragged, blank: how many fields the record has. Otherwise 0. */
  fields: number
}

/** Bytes that an RLE / bit-packed run of `count` values takes at most. */
export function hybridBound(count: number, width: number): number {
  const groups = Math.ceil(count / 8)
  return groups * width + (groups + 1) * 14 + 16
}

/** Bytes that `length` bytes take at most when compressed. */
export function snappyBound(length: number): number {
  return 32 + length + Math.floor(length / 6)
}

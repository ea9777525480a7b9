/**
 * The digest of a column chunk (one column of one row group): two words, made from its cells in order by the writer before it encodes them and
 * by verification from what the pages of the finished file decode to. It tells a mistake from none and costs about as much as to copy the
 * cells; it is no defence against anybody, and it is stored nowhere. Its definition may change with any release.
 *
 * The two sides have it from here and share no code: encode-digest.ts with src/kernels/digests.ts, and verify-chunk-digest.ts, each in
 * TypeScript and in WebAssembly. All numbers are words of 32 bits, little-endian in memory; sums and products wrap; `turn` swaps the halves of
 * a word, which is a rotation by 16 bits.
 *
 * 1. A **value** has a hash of two words, `low` and `high`.
 *    - Fixed widths of up to eight bytes are two words a and b: INT64 and DOUBLE their lower and upper word (every NaN is 7ff80000 00000000),
 *      INT32 its word and 0, BOOLEAN 0 or 1 and 0. `low = a + turn(b * 85ebca6b)`, `high = b + turn(low * c2b2ae35)`: no two values of a type
 *      have the same hash.
 *    - Texts, and FIXED_LEN_BYTE_ARRAY as a text of its bytes: from `low = length ^ 2545f491` and `high = 165667b1` on, for each eight bytes,
 *      the last filled up with zeros, as words a and b: `low = turn(low ^ a) * 9e3779b1 + high`, then `high = turn(high ^ b) * 85ebca77 + low`.
 *      At the end `low = (low ^ low >>> 15) * c2b2ae3d`, `high = (high ^ low ^ high >>> 13) * 27d4eb2f`, `low = low ^ high >>> 16`.
 *    - A missing row has `low = 6d697373`, `high = 27d4eb2f`.
 * 2. **Rows** are folded in order into eight pairs of words, row r of the chunk into pair r modulo 8: `x = turn(x ^ low) * 9e3779b1`, `y = turn(y ^ high) *
 *    85ebca77`. Word i of the sixteen (x of pair 0, y of pair 0, x of pair 1, …) begins as `(i + 1) * 9e3779b1`. Each step is one to one.
 * 3. The **digest** is the hash of the text of 68 bytes that the sixteen words and the number of rows make.
 *
 * Pages, encodings and dictionaries do not appear in it: the same cells have the same digest, however they are stored.
 */
export type ChunkDigest = readonly [low: number, high: number]

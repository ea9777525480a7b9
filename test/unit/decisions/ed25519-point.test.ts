import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ed25519PointProblem, ed25519SignatureProblem } from '../../../src/decisions/ed25519-point.js'

const L = 2n ** 252n + 27742317777372353535851937790883648493n
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const x = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
const good = sign(null, Buffer.from('text'), privateKey)
const scalar = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
const withS = (value: bigint): Buffer => Buffer.concat([good.subarray(0, 32), scalar(value)])
const withR = (hex: string): Buffer => Buffer.concat([Buffer.from(hex, 'hex'), good.subarray(32)])

describe('a signature has the form that a signer gives it', () => {
  test('whatever is signed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(ed25519SignatureProblem(sign(null, bytes, privateKey))).toBeNull()
      }),
      { numRuns: 25 },
    )
  })

  test('also where S is the smallest or the largest there is', () => {
    expect(ed25519SignatureProblem(withS(0n))).toBeNull()
    expect(ed25519SignatureProblem(withS(L - 1n))).toBeNull()
  })

  test.each([
    ['no byte', Buffer.alloc(0), /0 bytes/],
    ['63 bytes', good.subarray(0, 63), /63 bytes/],
    ['65 bytes', Buffer.concat([good, Buffer.alloc(1)]), /65 bytes/],
    ['S = L', withS(L), /canonical/],
    ['S = 2^256 - 1', withS(2n ** 256n - 1n), /canonical/],
    ['R of order 1', withR(`01${'00'.repeat(31)}`), /no signer/],
    ['R of order 8', withR('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'), /no signer/],
    ['R that is another text of 1', withR(`ee${'ff'.repeat(30)}7f`), /no signer/],
    ['R that is no point', withR(`02${'00'.repeat(31)}`), /no signer/],
  ])('not %s', (_, bytes, words) => {
    expect(ed25519SignatureProblem(bytes)).toMatch(words)
  })
})

test('a point has 32 bytes', () => {
  expect(ed25519PointProblem(x)).toBeNull()
  expect(ed25519PointProblem(x.subarray(1))).toMatch(/31 bytes/)
})

test.each([
  ['y = p', 2n ** 255n - 19n, 'is not in canonical form'],
  ['y = p + 2', 2n ** 255n - 17n, 'is not in canonical form'],
  ['y = p - 1', 2n ** 255n - 20n, 'is a point of small order, with which anybody could sign'],
  ['y = 0', 0n, 'is a point of small order, with which anybody could sign'],
  ['y = 1', 1n, 'is a point of small order, with which anybody could sign'],
  ['y = 2', 2n, 'is not a point of the curve'],
  ['y = 3', 3n, null],
  ['y = 4, with the other sign of x', 2n ** 255n + 4n, null],
])('the point with %s: %s', (_, y, problem) => {
  expect(ed25519PointProblem(scalar(y))).toBe(problem)
})

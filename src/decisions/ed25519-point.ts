/**
 * Is this an Ed25519 public key that can bind a signer? (RFC 8032 §5.1.3)
 *
 * OpenSSL, and so Node, takes any 32 bytes that decode. With a point of small order one signature holds for many messages, so a key
 * of that kind in the keyring would approve whatever anybody wants. Also refused: an encoding of y that is not below the field's
 * prime (two texts for one key), and a y that no point of the curve has.
 */
const P = 2n ** 255n - 19n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

/** y of the eight points whose order divides 8; the sign bit of x is set aside. */
const LOW_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
])

/** What is wrong with the 32 bytes, or null when they are a usable point. */
export function ed25519PointProblem(bytes: Uint8Array): string | null {
  if (bytes.length !== 32) return `has ${bytes.length} bytes instead of 32`
  let y = 0n
  for (let i = 31; i >= 0; i -= 1) y = (y << 8n) | BigInt(i === 31 ? bytes[i]! & 0x7f : bytes[i]!)
  if (y >= P) return 'is not in canonical form'
  if (LOW_ORDER_Y.has(y)) return 'is a point of small order, with which anybody could sign'
  // x² = (y² - 1) / (d·y² + 1) must be a square (Euler's criterion). A quotient is a square exactly when the product is.
  const y2 = (y * y) % P
  const product = (((y2 - 1n + P) % P) * ((D * y2 + 1n) % P)) % P
  return power(product, (P - 1n) / 2n) === 1n ? null : 'is not a point of the curve'
}

/** The order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n

/**
 * What is wrong with the 64 bytes of a signature before any key is asked, or null. S must be below the order of the base point (RFC 8032
 * §5.1.7), for S + L would be a second text of one signature, and R a point that a signer can come to. OpenSSL checks the first and finds
 * most of the second by comparing bytes; here neither hangs on which library, or which version of it, is below.
 */
export function ed25519SignatureProblem(bytes: Uint8Array): string | null {
  if (bytes.length !== 64) return `has ${bytes.length} bytes instead of 64`
  let s = 0n
  for (let i = 63; i >= 32; i -= 1) s = (s << 8n) | BigInt(bytes[i]!)
  if (s >= L) return 'has an S that is not in canonical form'
  return ed25519PointProblem(bytes.subarray(0, 32)) === null ? null : 'has an R that no signer comes to'
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let b = base % P
  for (let e = exponent; e > 0n; e >>= 1n) {
    if ((e & 1n) === 1n) result = (result * b) % P
    b = (b * b) % P
  }
  return result
}

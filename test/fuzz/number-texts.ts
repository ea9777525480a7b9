import type { FuzzRandom } from './random.js'

/** How a field spells its numbers, in the members of a Table Schema field. */
export interface Spelling {
  readonly decimalChar: string
  readonly groupChar: string | null
  readonly bare: boolean
}

/** What `number.groupChar` and its like may do to a plain text: groups of three, another decimal sign, words around it. */
export function spelt(random: FuzzRandom, plain: string, spelling: Spelling): string {
  const match = /^([+-]?)(\d*)(.*)$/.exec(plain)!
  let whole = match[2]!
  if (spelling.groupChar !== null && whole.length > 3 && !random.oneIn(4)) {
    const groups: string[] = []
    for (let end = whole.length; end > 0; end -= 3) groups.unshift(whole.slice(Math.max(0, end - 3), end))
    whole = groups.join(spelling.groupChar)
  }
  const text = match[1]! + whole + match[3]!.replace('.', spelling.decimalChar)
  if (spelling.bare || random.oneIn(3)) return text
  return random.pick(['', 'EUR ', '€', 'about ']) + text + random.pick(['', '%', ' kg', ' m²'])
}

export function integerText(random: FuzzRandom, value: bigint): string {
  const digits = String(value < 0n ? -value : value)
  const zeros = random.oneIn(12) ? '0'.repeat(random.oneIn(10) ? random.between(4, 40) : random.between(1, 3)) : ''
  const sign = value < 0n || (value === 0n && random.oneIn(9)) ? '-' : random.oneIn(14) ? '+' : ''
  return sign + zeros + digits
}

export function integerValue(random: FuzzRandom, bits: 32 | 64): bigint {
  const edge = 1n << BigInt(bits - 1)
  switch (random.below(8)) {
    case 0:
      return random.pick([0n, 1n, -1n, edge - 1n, -edge, edge - 2n, 1n - edge, 10n ** 9n, 999_999_999n])
    case 1:
    case 2:
      return BigInt(random.below(12))
    case 3:
    case 4:
      return BigInt(random.between(-100_000, 100_000))
    default: {
      const value = BigInt(random.digits(bits === 32 ? 10 : 19))
      const near = value < edge ? value : value % edge
      return random.oneIn(3) ? -near : near
    }
  }
}

const WORDS = new DataView(new ArrayBuffer(8))

/** A text of the plain grammar whose nearest double is finite. */
export function doubleText(random: FuzzRandom): string {
  const sign = random.oneIn(4) ? '-' : random.oneIn(14) ? '+' : ''
  const text = sign + unsignedDouble(random)
  return Number.isFinite(Number(text)) ? text : `${sign}1.5`
}

function unsignedDouble(random: FuzzRandom): string {
  switch (random.below(10)) {
    case 0:
      return random.pick([
        '0',
        '0.0',
        '.5',
        '5.',
        '1e5',
        '1E-7',
        '1e+3',
        '0e9',
        '4.35',
        '0.1',
        '2.50',
        '1e23',
        '9007199254740993',
        '4.9e-324',
      ])
    case 1: {
      WORDS.setUint32(0, random.bits() & 0x7fffffff)
      WORDS.setUint32(4, random.bits())
      const value = WORDS.getFloat64(0)
      return Number.isFinite(value) ? String(value) : '1.7976931348623157e308'
    }
    case 2:
      return halfway(random)
    case 3:
      return `${random.digits(3)}.${random.digits(8)}e${random.between(-330, 310)}`
    case 4:
      return `${random.digits(20)}.${random.digits(25)}`
    case 5:
      return random.digits(22)
    default:
      return `${random.digits(5)}.${random.digits(4)}`
  }
}

/** The exact decimal in the middle between two neighbouring doubles, or a hair beside it: the hardest texts to round. */
function halfway(random: FuzzRandom): string {
  const mantissa = (1n << 52n) + (BigInt(random.below(1 << 20)) << 32n) + BigInt(random.bits())
  const exponent = random.between(-70, 20)
  const twice = 2n * mantissa + 1n
  let text: string
  if (exponent > 0) text = String(twice << BigInt(exponent - 1))
  else {
    const places = 1 - exponent
    const digits = String(twice * 5n ** BigInt(places)).padStart(places + 1, '0')
    text = `${digits.slice(0, -places)}.${digits.slice(-places)}`
  }
  if (random.oneIn(2)) return text
  return text.includes('.') ? `${text}${random.oneIn(2) ? '0001' : '0'}` : `${text}.${random.oneIn(2) ? '0' : '0001'}`
}

/** A text whose value is `unscaled` / 10^scale, exactly. */
export function decimalText(random: FuzzRandom, unscaled: bigint, scale: number): string {
  const negative = unscaled < 0n
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, '0')
  let whole = digits.slice(0, digits.length - scale)
  let fraction = digits.slice(digits.length - scale)
  const sign = negative ? '-' : random.oneIn(14) ? '+' : ''
  if (random.oneIn(10)) {
    const shift = random.between(0, 6)
    return `${sign}${whole}${fraction}${'0'.repeat(shift)}${random.pick(['e', 'E'])}${-(scale + shift)}`
  }
  if (random.oneIn(4)) fraction = fraction.replace(/0+$/, '')
  else if (random.oneIn(8)) fraction += '0'.repeat(random.between(1, 4))
  if (whole === '0' && fraction !== '' && random.oneIn(6)) whole = ''
  else if (random.oneIn(14)) whole = `00${whole}`
  return fraction === '' && !random.oneIn(12) ? sign + whole : `${sign}${whole}.${fraction}`
}

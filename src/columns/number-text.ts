/** The lexical forms of Table Schema numbers: XML Schema decimal with an optional exponent, and what decimalChar, groupChar and bareNumber change. */
export interface NumberStyle {
  readonly decimalChar: string
  readonly groupChar: string | null
  readonly bareNumber: boolean
}

export const PLAIN_NUMBERS: NumberStyle = { decimalChar: '.', groupChar: null, bareNumber: true }

export const INTEGER_GRAMMAR = /^[+-]?\d+$/
export const NUMBER_GRAMMAR = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/

/** First group of one to three digits, last of three, those between of two or three (1,234,567 and 12,34,567): "1,23" is no grouped number. */
const FIRST_GROUP = /^[+-]?\d{1,3}$/
const MIDDLE_GROUP = /^\d{2,3}$/
const LAST_GROUP = /^\d{3}(?!\d)/

/** The text in the plain grammar (still to be checked against it), or null when decoration or grouping make no sense. */
export function plainNumberText(text: string, style: NumberStyle): string | null {
  let plain = text
  if (!style.bareNumber) {
    const bare = stripDecoration(plain, style)
    if (bare === null) return null
    plain = bare
  }
  if (style.groupChar !== null && plain.includes(style.groupChar)) {
    const ungrouped = joinGroups(plain, style.groupChar)
    if (ungrouped === null) return null
    plain = ungrouped
  }
  if (style.decimalChar !== '.') {
    // A dot is not the decimal sign of such a column: letting it through would read 1.234 as a fraction.
    if (plain.includes('.')) return null
    plain = plain.replace(style.decimalChar, '.')
  }
  return plain
}

/**
 * Without what stands before and after the number ("EUR 95", "95%"). Stripped text that holds a sign or a bracket could mean a negative
 * number ("-€5", "(5)"), so it is refused rather than lost.
 */
function stripDecoration(text: string, style: NumberStyle): string | null {
  let first = 0
  while (first < text.length && !isDigit(text.charCodeAt(first))) first++
  if (first === text.length) return text
  let last = text.length - 1
  while (!isDigit(text.charCodeAt(last))) last--
  if (text.startsWith(style.decimalChar, first - style.decimalChar.length)) first -= style.decimalChar.length
  if (first > 0 && (text[first - 1] === '-' || text[first - 1] === '+')) first--
  const stripped = text.slice(0, first) + text.slice(last + 1)
  return /[+\-()−]/.test(stripped) ? null : text.slice(first, last + 1)
}

function joinGroups(text: string, groupChar: string): string | null {
  const groups = text.split(groupChar)
  for (let i = 0; i < groups.length; i++) {
    const grammar = i === 0 ? FIRST_GROUP : i === groups.length - 1 ? LAST_GROUP : MIDDLE_GROUP
    if (!grammar.test(groups[i]!)) return null
  }
  return groups.join('')
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

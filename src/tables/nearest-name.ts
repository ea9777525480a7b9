/** The one of `candidates` that a person most likely meant by `name`, or null: the same but for case and punctuation, or a few letters off. */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  const wanted = folded(name)
  if (wanted === '' || wanted.length > 200) return null
  let best: string | null = null
  let bestDistance = Math.min(2, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const other = folded(candidate)
    if (other === wanted) return candidate
    if (Math.abs(other.length - wanted.length) >= bestDistance) continue
    const distance = editDistance(wanted, other)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function folded(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_.\-\uFEFF]+/g, '')
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    previous = current
  }
  return previous[b.length]!
}

const QUOTED_CHARACTERS = 60

/** The first `limit` UTF-16 units of a text, one less where that would cut a character in two, and "…" in place of the rest. */
export function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text
  const last = text.charCodeAt(limit - 1)
  const end = last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit
  // Copied, because a slice would keep the whole text in memory: a report lists a thousand cells that may have megabytes each.
  return `${Buffer.from(text.slice(0, end), 'utf8').toString('utf8')}…`
}

/** A cell for a message: JSON-quoted, so that control characters cannot drive a terminal, and cut. */
export function quoted(cell: string): string {
  return JSON.stringify(shortened(cell, QUOTED_CHARACTERS))
}

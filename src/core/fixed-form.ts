/**
 * The one written form of metadata.json and store.json: members in the order they have, two spaces, one newline at the end.
 * Whoever makes the document puts its members in the order of the schema; then equal documents are equal bytes.
 */
export function fixedFormOf(document: object): Buffer {
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`, 'utf8')
}

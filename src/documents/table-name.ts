/** What a table may be called: it stands in paths and in metadata.json. Apart from the shapes (text.ts), for it needs no zod. */
export const TABLE_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/

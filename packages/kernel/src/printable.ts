/**
 * What must not reach a terminal or a page from a text of others: control characters but tab and line end, which can
 * carry commands to a terminal; line and paragraph separators; what overrides or embeds the direction of
 * what is shown.
 */
const UNPRINTABLE = /(?![\t\n])\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/** A text of others as people may be shown it: {@link UNPRINTABLE} becomes question marks, CRLF a line end. */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(UNPRINTABLE, '?')
}

/** A JSON value in which each text is {@link printable}. Keys stay as they are. */
export function printableDeep<T>(value: T): T
export function printableDeep(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return value.map((entry: unknown) => printableDeep(entry))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, printableDeep(entry)]))
}

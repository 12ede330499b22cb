import type { HeaderMap } from '@caretaker/appliance/gateway/headers.ts'

/** Of these only the first counts, as in Node's own `IncomingMessage.headers`. */
const SINGLE = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
])

/**
 * Header fields from their lines (name, value, name, …) as they came over the wire, in the shape and by the rules of
 * Node's `IncomingMessage.headers`: names in lower case, lines of one name joined, each byte one character.
 */
export function fieldsOf(lines: readonly Buffer[]): HeaderMap {
  const fields = Object.create(null) as HeaderMap
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const name = (lines[at] as Buffer).toString('latin1').toLowerCase()
    const value = (lines[at + 1] as Buffer).toString('latin1')
    const before = fields[name]
    if (name === 'set-cookie') fields[name] = [...((before as string[] | undefined) ?? []), value]
    else if (before === undefined) fields[name] = value
    else if (!SINGLE.has(name)) fields[name] = `${before as string}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return fields
}

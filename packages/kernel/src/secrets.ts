import { inspect } from 'node:util'
import { sha256 } from './json.ts'

const MASK = '[secret]'
/** Values shorter than this are not looked for in texts: masking every "a" would destroy the message. */
const SHORTEST_MASKED = 6
/** Of a value of several lines (a private key) each line this long is looked for too: programs print lines. */
const SHORTEST_MASKED_LINE = 20
/** Bytes of the shortest value that is looked for inside base64: shorter ones leave too little that is certain. */
const SHORTEST_BASE64 = 12

/** Every form of every secret value of this process and its mask, so that {@link redact} finds them in any text. */
const known = new Map<string, string>()
/** Matches any known form, the longest first; undefined when it must be made anew. */
let pattern: RegExp | undefined

function remember(value: string, mask: string): void {
  const lines = value
    .split('\n')
    .filter((line) => line.length >= SHORTEST_MASKED_LINE && !line.startsWith('-----'))
  const forms = [value, ...lines].flatMap((part) => [
    part,
    encodeURIComponent(part.toWellFormed()),
    JSON.stringify(part).slice(1, -1),
  ])
  for (const form of [...forms, ...base64Forms(value)]) if (!known.has(form)) known.set(form, mask)
  pattern = undefined
}

/**
 * How the value looks inside base64, wherever in the encoded text it begins: without the characters at both ends that
 * depend on what stands beside it. Both alphabets.
 */
function base64Forms(value: string): string[] {
  if (Buffer.byteLength(value) < SHORTEST_BASE64) return []
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
    const start = Math.ceil((before * 8) / 6)
    const end = Math.floor((bytes.length * 8) / 6)
    return (['base64', 'base64url'] as const).map((alphabet) => bytes.toString(alphabet).slice(start, end))
  })
}

/**
 * A value that must not be seen. `reveal()` is the only way out and is called in ports only;
 * printing, JSON and inspection give the name.
 */
export class Secret {
  readonly name: string
  readonly #value: string

  constructor(name: string, value: string) {
    this.name = name
    this.#value = value
    if (value.length >= SHORTEST_MASKED) remember(value, `[secret:${name}]`)
  }

  reveal(): string {
    return this.#value
  }

  /** Tells two values apart without showing either; for secrets of many random bits only. */
  fingerprint(): string {
    return sha256(`caretaker-secret:${this.#value}`).slice(0, 16)
  }

  toString(): string {
    return `[secret:${this.name}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }
}

export type MaybeSecret = string | Secret

export function reveal(value: MaybeSecret): string {
  return value instanceof Secret ? value.reveal() : value
}

/** A secret made from another one, as a connection URL from its password; only `make` sees the plain value. */
export function deriveSecret(name: string, value: MaybeSecret, make: (plain: string) => string): Secret {
  return new Secret(name, make(reveal(value)))
}

/**
 * Takes note of the passwords of the URLs in a text, so that {@link redact} finds them in other forms and places too.
 */
export function learnUrlPasswords(name: string, text: string): void {
  for (const [, password = ''] of text.matchAll(/[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@]*:([^\s/]+)@/gi)) {
    new Secret(name, password)
    try {
      new Secret(name, decodeURIComponent(password))
    } catch {
      // It is written as it is.
    }
  }
}

/**
 * The text with every known secret value and every password inside a URL masked.
 * Takes time in proportion to the length of the text, whatever it holds.
 * Also finds the URL-encoded, the JSON-escaped and the base64 form of a secret, and the lines of a long one.
 */
export function redact(text: string): string {
  pattern ??= new RegExp(
    [...known.keys()]
      .toSorted((a, b) => b.length - a.length)
      .map((form) => form.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('|') || '(?!)',
    'g',
  )
  return text
    .replaceAll(pattern, (form) => known.get(form) ?? MASK)
    .replaceAll(/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@]*):(?!\[secret[^\]]*\]@)[^\s/]+@/gi, `$1:${MASK}@`)
}

/** A copy of any JSON-like value in which every string went through {@link redact}. */
export function redactDeep(value: unknown): unknown {
  if (typeof value === 'string') return redact(value)
  if (value instanceof Secret) return value.toString()
  if (Array.isArray(value)) return value.map(redactDeep)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, redactDeep(entry)]))
  }
  return value
}

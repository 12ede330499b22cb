import { inspect } from 'node:util'

const MASK = '[secret]'
/** Values shorter than this are not looked for in texts: masking every "a" would destroy the message. */
const SHORTEST_MASKED = 6

/** Every secret value alive in this process, so that {@link redact} finds them in any text. */
const known = new Map<string, string>()

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
    if (value.length >= SHORTEST_MASKED) known.set(value, `[secret:${name}]`)
  }

  reveal(): string {
    return this.#value
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

/**
 * The text with every known secret value and every password inside a URL masked.
 * Also finds the URL-encoded form of a secret.
 */
export function redact(text: string): string {
  let result = text
  for (const [value, mask] of known) {
    if (result.includes(value)) result = result.replaceAll(value, mask)
    const encoded = encodeURIComponent(value)
    if (encoded !== value && result.includes(encoded)) result = result.replaceAll(encoded, mask)
  }
  return result.replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi, `$1:${MASK}@`)
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

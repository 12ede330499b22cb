import { redact } from '@caretaker/kernel/secrets.ts'

/** A text that may leave the machine, and how often each kind of thing was masked in it. */
export interface Masked {
  readonly text: string
  readonly masked: Readonly<Record<string, number>>
}

/** Keys of any format beside which a secret stands: `password=…`, `"api_token": "…"`, `Authorization: …`. */
const TELLING_KEY =
  /(?<![[\w.-])(?<key>[\w.-]{0,64}?(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|authorization|cookie|credential)[\w.-]{0,64}\\?["']?\s*[:=]\s*(?:(?:basic|bearer)\s+)?)(?<value>\\?"(?:[^"\\]|\\(?!").)+|'[^']+|[^\s"',;&{}[\]()<>|]+)/gi
/** What is no secret although its key sounds like one. */
const HARMLESS = /^\\?["']?(?:\[|ENC\[|true|false|null|undefined|\d{1,9}\b|\/|\.{0,2}\/)/i

const PATTERNS = [
  {
    name: 'private key',
    pattern: /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
  },
  { name: 'age identity', pattern: /AGE-SECRET-KEY-1[A-Z0-9]+/gi },
] as const

/**
 * Masks every secret that this process knows, and what looks like one: private keys, age identities, passwords in URLs,
 * and whatever stands beside a key that sounds like a secret. Sealed values stay: they say nothing without the identity.
 */
export function maskForSupport(text: string): Masked {
  const masked: Record<string, number> = {}
  const count = (name: string, times = 1) => {
    masked[name] = (masked[name] ?? 0) + times
  }
  let result = redact(text)
  for (const [, name] of result.matchAll(/\[secret(?::([^\]]*))?\]/g))
    count(name ?? 'secret settings and passwords in URLs')
  for (const { name, pattern } of PATTERNS) {
    result = result.replaceAll(pattern, () => {
      count(name)
      return `[masked:${name}]`
    })
  }
  result = result.replaceAll(TELLING_KEY, (whole: string, key: string, value: string) => {
    if (HARMLESS.test(value)) return whole
    count('value of a telling key')
    const quote = /^\\?["']/.exec(value)?.[0] ?? ''
    return `${key}${quote}[masked]`
  })
  return { text: result, masked }
}

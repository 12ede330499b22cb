import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { html } from './html.ts'
import { redact, redactDeep, reveal, Secret } from './secrets.ts'

const password = new Secret('db-password', 'p@ss "w/ord" %41')

describe('a secret', () => {
  it.each([
    ['String', String(password)],
    ['JSON', JSON.stringify({ password })],
    ['inspection', inspect({ deep: { password } }, { depth: 9, showHidden: true })],
    ['inspection without its own form', inspect(password, { customInspect: false, showHidden: true })],
    ['HTML', html`<p>${password}</p>`.text],
    ['a structured clone', JSON.stringify(structuredClone(password))],
  ])('does not come out by %s', (_way, text) => {
    expect(text).not.toContain('w/ord')
    expect(text).toContain('db-password')
  })

  it('comes out by reveal only', () => {
    expect(reveal(password)).toBe('p@ss "w/ord" %41')
    expect(reveal('plain')).toBe('plain')
  })
})

describe('redact', () => {
  it('masks a value as it is, URL-encoded and JSON-escaped', () => {
    const value = password.reveal()
    for (const form of [value, encodeURIComponent(value), JSON.stringify(value)]) {
      expect(redact(`before ${form} after`)).toMatch(/^before "?\[secret:db-password\]"? after$/)
    }
  })

  it.each(['', 'u', 'us', 'user:'])('masks a value inside base64 that begins with "%s"', (before) => {
    const token = new Secret('token', 'hK3+pYr/9vQeLw0cZt~')
    for (const alphabet of ['base64', 'base64url'] as const) {
      const encoded = Buffer.from(`${before}${token.reveal()}:after`).toString(alphabet)
      const shown = redact(`authorization: Basic ${encoded}`)
      expect(shown).toContain('[secret:token]')
      for (let at = 4; at + 8 < encoded.length - 12; at++)
        expect(shown).not.toContain(encoded.slice(at, at + 8))
    }
  })

  it('masks the longer of two secrets when one begins with the other', () => {
    const short = new Secret('short', 'abcdefgh')
    const long = new Secret('long', `${short.reveal()}ijklmnop`)
    expect(redact(long.reveal())).toBe('[secret:long]')
    expect(redact(`${short.reveal()} ${long.reveal()}`)).toBe('[secret:short] [secret:long]')
  })

  it('masks a key of several lines when a program prints one of them', () => {
    const line = 'MC4CAQAwBQYDK2VwBCIEIJpVerySecretLine'
    const key = new Secret('ca-key', `-----BEGIN PRIVATE KEY-----\n${line}\n-----END PRIVATE KEY-----\n`)
    expect(redact(`bad key: ${line} | -----END PRIVATE KEY-----`)).toBe(
      'bad key: [secret:ca-key] | -----END PRIVATE KEY-----',
    )
    expect(redact(key.reveal())).toBe('[secret:ca-key]')
  })

  it.each([
    ['postgres://app:geheim@db:5432/x', 'postgres://app:[secret]@db:5432/x'],
    ['redis://:geheim@cache', 'redis://:[secret]@cache'],
    ['https://u:p@ss:w@host/path', 'https://u:[secret]@host/path'],
    ['https://host:8080/a@b', 'https://host:8080/a@b'],
    ['ssh://git@host:22/x', 'ssh://git@host:22/x'],
  ])('masks the password of a URL nobody told it of: %s', (text, expected) => {
    expect(redact(text)).toBe(expected)
  })

  it('keeps the name of a known secret inside a URL', () => {
    const known = new Secret('role-password', 'Zq8vN2mR7k')
    expect(redact(`postgres://app:${known.reveal()}@db/x`)).toBe('postgres://app:[secret:role-password]@db/x')
  })

  it('leaves texts without secrets alone, and short values do not eat letters', () => {
    expect(new Secret('tiny', 'a').name).toBe('tiny')
    expect(redact('a cat sat')).toBe('a cat sat')
  })

  it('lets no secret through, whatever its characters and whatever stands around it', () => {
    fc.assert(
      fc.property(
        // Words like "arguments" are among what is generated; as secrets they would be masked in other tests' texts.
        fc.string({ maxLength: 40, unit: 'binary' }).map((text) => `gen-9f3a7-${text}`),
        fc.string(),
        fc.string(),
        (value, before, after) => {
          const name = 'generated'
          expect(new Secret(name, value).reveal()).toBe(value)
          const masked = redact(`${before}\u0000${value}\u0000${after}`)
          expect(masked.split('\u0000').length >= 3 && masked.includes(`\u0000${value}\u0000`)).toBe(false)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('goes through whole values', () => {
    const value = { a: [password, `x ${password.reveal()}`], n: 1, none: null }
    expect(redactDeep(value)).toEqual({
      a: ['[secret:db-password]', 'x [secret:db-password]'],
      n: 1,
      none: null,
    })
  })
})

it('a line of megabytes without a space is looked through at once', () => {
  const startedMs = performance.now()
  expect(redact('y'.repeat(3_000_000))).toHaveLength(3_000_000)
  expect(performance.now() - startedMs).toBeLessThan(30_000)
})

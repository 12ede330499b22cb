import { Secret } from '@caretaker/kernel/secrets.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maskForSupport } from './mask.ts'

const VALUE = 'vT9-kq2LxR_0pZ8w'

describe('a text that leaves the machine', () => {
  it.each([
    ['a variable', `PASSWORD=${VALUE}`],
    ['a variable that names whose it is', `SMTP_PASSWORD=${VALUE} next`],
    ['JSON', `{"api_token":"${VALUE}","port":1}`],
    ['JSON inside JSON', JSON.stringify({ line: JSON.stringify({ secret_key: VALUE }) })],
    ['YAML', `  session_secret: "${VALUE}"`],
    ['single quotes', `passwd: '${VALUE}'`],
    ['a connection string of libpq', `host=/run/pg user=app password=${VALUE} dbname=app`],
    ['a URL', `postgres://app:${VALUE}@localhost/app`],
    ['a query', `GET /login?user=a&token=${VALUE}&x=1`],
    ['a header', `authorization: Bearer ${VALUE}`],
    ['a cookie', `set-cookie: sid=${VALUE}; Path=/`],
    ['an age identity', `AGE-SECRET-KEY-1${VALUE.toUpperCase().replaceAll(/[^A-Z0-9]/g, '0')}`],
    ['a private key', `-----BEGIN PRIVATE KEY-----\n${VALUE}\n-----END PRIVATE KEY-----`],
    [
      'a private key inside JSON',
      JSON.stringify(`-----BEGIN EC PRIVATE KEY-----\n${VALUE}\n-----END EC PRIVATE KEY-----`),
    ],
    ['a private key that is cut off', `-----BEGIN RSA PRIVATE KEY-----\n${VALUE}\n${VALUE}`],
  ])('does not hold what it says in %s, and counts it', (_where, text) => {
    const { text: shown, masked } = maskForSupport(text)
    expect(shown).not.toContain(VALUE)
    expect(shown).not.toContain(VALUE.toUpperCase().replaceAll(/[^A-Z0-9]/g, '0'))
    expect(Object.values(masked).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(0)
  })

  it('says by name which known secret was there', () => {
    const secret = new Secret('shop/database', 'b8X!known-value')
    expect(maskForSupport(`it said b8X!known-value`)).toEqual({
      text: `it said ${String(secret)}`,
      masked: { 'shop/database': 1 },
    })
  })

  it.each([
    'ENC[aes-256-gcm,AAAA] stays sealed',
    'session_key: ENC[aes-256-gcm,AAAABBBB]',
    'caretaker.applications.shop.secrets.session_key [secret]',
    'SESSION_KEY_FILE=/dev/shm/caretaker-1/shop/session_key',
    '{"tokens": 12, "secrets": {}, "password": null}',
    'the password was refused',
    '2026-11-20T09:00:00Z GET / 200 12 ms',
  ])('keeps what says nothing: %s', (text) => {
    expect(maskForSupport(text).text).toBe(text)
  })

  it('masks nothing more the second time, and never fails', () => {
    const words = fc.constantFrom(
      'password=',
      '"token": "',
      '-----BEGIN PRIVATE KEY-----',
      '\\"',
      '"',
      ' ',
      'x'.repeat(9),
    )
    const texts = fc.array(fc.oneof(words, fc.string()), { maxLength: 12 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(texts, (text) => {
        const once = maskForSupport(text).text
        expect(maskForSupport(once).text).toBe(once)
      }),
    )
  })
})

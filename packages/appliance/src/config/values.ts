import { createPrivateKey, type KeyObject } from 'node:crypto'
import { domainToASCII } from 'node:url'
import { bech32 } from '@scure/base'
import { parseWindow } from '../jobs/window.ts'
import { closest } from './suggest.ts'

/** What is wrong with a value: completes "X ..."; `suggestion` is the value that was probably meant. */
export interface ValueProblem {
  readonly must: string
  readonly suggestion?: string | undefined
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** Host names as RFC 1123 has them, in lower case. */
const HOST_MUST = 'must be a host name in lower case, as shop.example.org'

export function checkHostName(text: string): ValueProblem | undefined {
  const labels = text.split('.')
  const valid = text.length <= 253 && labels.every((label) => LABEL.test(label))
  if (valid && /^\d+$/.test(labels.at(-1) as string))
    return { must: 'must be a host name, not an IP address' }
  if (valid) return undefined
  if (text.startsWith('*.')) return { must: 'must be one host name; wildcards are not accepted' }
  if (text.length > 253) return { must: 'must be a host name of at most 253 characters' }
  const bare = text
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/[/:].*$/, '')
    .replace(/\.$/, '')
  const plain = domainToASCII(bare)
  const usable = plain !== '' && plain !== text && checkHostName(plain) === undefined
  return { must: HOST_MUST, suggestion: usable ? plain : undefined }
}

export function checkEmail(text: string): ValueProblem | undefined {
  const [local = '', host = '', ...rest] = text.split('@')
  const valid = rest.length === 0 && /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$/.test(local)
  return valid && checkHostName(host) === undefined
    ? undefined
    : { must: 'must be an e-mail address, as admin@example.org' }
}

export function checkTimeZone(text: string): ValueProblem | undefined {
  if (text === 'UTC') return undefined
  const must = 'must be the IANA name of a time zone, as Europe/Vienna'
  const names = Intl.supportedValuesOf('timeZone')
  if (names.includes(text)) return undefined
  if (isZoneAlias(text)) return undefined
  const cities = new Map(names.map((name) => [name.split('/').at(-1) as string, name]))
  const city = closest(text, [...cities.keys()])
  return { must, suggestion: closest(text, names) ?? (city === undefined ? undefined : cities.get(city)) }
}

/**
 * Older names such as Asia/Calcutta: Intl knows them but does not list them; it takes any case, Linux does not.
 * Asked last: the first DateTimeFormat of a process costs 8 MB and 11 ms.
 */
function isZoneAlias(text: string): boolean {
  if (!/^[A-Z][A-Za-z0-9_+-]+(\/[A-Z][A-Za-z0-9_+-]*)*$/.test(text)) return false
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions()
    return timeZone.toLowerCase() !== text.toLowerCase()
  } catch {
    return false
  }
}

/** `/` or `/path` in unreserved characters (RFC 3986), without a slash at the end. */
export function checkPathPrefix(text: string): ValueProblem | undefined {
  const valid = text === '/' || (/^(\/[A-Za-z0-9._~-]+)+$/.test(text) && !/(^|\/)\.\.?(\/|$)/.test(text))
  if (valid) return undefined
  const trimmed = `/${text.replaceAll(/^\/+|\/+$/g, '')}`
  const usable = text !== '' && trimmed !== text && checkPathPrefix(trimmed) === undefined
  return {
    must: 'must be a path such as /shop, without a slash at the end',
    suggestion: usable ? trimmed : undefined,
  }
}

export function checkWindow(text: string): ValueProblem | undefined {
  return parseWindow(text)
    ? undefined
    : { must: 'must be days and times of day, as "sun 02:00-05:00", "mon-fri 01:00-04:30" or "02:00-05:00"' }
}

export function checkFolder(text: string): ValueProblem | undefined {
  return text.split('/').includes('..') || text.startsWith('-') || text.startsWith('~')
    ? { must: 'must be an absolute path, or one below the state folder without ".."' }
    : undefined
}

export function checkEcKey(pem: string): ValueProblem | undefined {
  const key = readPrivateKey(pem)
  return key?.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
    ? undefined
    : { must: 'must be a private key on the curve P-256 in PKCS#8 PEM' }
}

/** RFC 8301: verifiers need not accept DKIM keys below 1024 bits, signers should use 2048. */
export function checkRsaKey(pem: string): ValueProblem | undefined {
  const key = readPrivateKey(pem)
  return key?.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048
    ? undefined
    : { must: 'must be an RSA private key of at least 2048 bits in PKCS#8 PEM' }
}

function readPrivateKey(pem: string): KeyObject | undefined {
  if (!pem.startsWith('-----BEGIN PRIVATE KEY-----')) return undefined
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** X25519 and hybrid identities; the checksum finds a mistyped character. */
export function checkAgeIdentity(text: string): ValueProblem | undefined {
  return hasAgeForm(text, ['AGE-SECRET-KEY-', 'AGE-SECRET-KEY-PQ-'])
    ? undefined
    : { must: 'must be an age identity, "AGE-SECRET-KEY-1..." with a correct checksum' }
}

export function checkAgeRecipient(text: string): ValueProblem | undefined {
  if (text.startsWith('AGE-SECRET-KEY-'))
    return { must: 'must be an age recipient ("age1..."), not the identity itself' }
  return hasAgeForm(text, ['age', 'age1pq'])
    ? undefined
    : { must: 'must be an age recipient, "age1..." with a correct checksum' }
}

function hasAgeForm(text: string, prefixes: readonly string[]): boolean {
  try {
    return prefixes.includes(
      text.startsWith('A') ? decodeUpper(text) : bech32.decode(text as `${string}1${string}`, false).prefix,
    )
  } catch {
    return false
  }
}

function decodeUpper(text: string): string {
  if (text !== text.toUpperCase()) return ''
  return bech32.decode(text.toLowerCase() as `${string}1${string}`, false).prefix.toUpperCase()
}

import { randomBytes, randomUUID } from 'node:crypto'

/** Letters and digits that cannot be taken for one another when read aloud. */
const READABLE = '23456789abcdefghjkmnpqrstuvwxyz'

/** `length` random characters a person can read aloud; about 4.9 bits each. */
export function readableId(length: number): string {
  return Array.from(randomBytes(length), (byte) => READABLE[byte % READABLE.length]).join('')
}

/** Id of an operation: sorts by time and names what it was, as `20261120-093012-up-k3fq`. */
export function operationId(name: string, at: Date): string {
  const stamp = at.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return `${stamp}-${name.replaceAll(/[^a-z0-9]+/g, '-')}-${readableId(4)}`
}

/** Id of an appliance: generated once with its config, also written on its data volume. */
export function applianceId(): string {
  return randomUUID()
}

/** A password of 192 random bits in URL-safe characters. */
export function generatePassword(): string {
  return randomBytes(24).toString('base64url')
}

/**
 * Whether a text can name an application, service, volume or snapshot: it becomes part of paths and host names.
 * 1-40 characters a-z, 0-9 and -, beginning with a letter and not ending with -.
 */
export function isName(text: string): boolean {
  return /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(text)
}

/** Names of the appliance's own parts, which no application may have: logs and states are named by them. */
const OWN_PARTS = new Set([
  'appliance',
  'daemon',
  'gateway',
  'config',
  'storage',
  'operations',
  'certificates',
])

/** Whether a text can name an application: a name that is none of the appliance's own parts. */
export function isAppName(text: string): boolean {
  return isName(text) && !OWN_PARTS.has(text)
}

/** What {@link isAppName} wants, as the end of a sentence. */
export const APP_NAME_RULE = `a name has 1 to 40 characters a-z, 0-9 and "-", begins with a letter, does not end with "-", and is none of ${[...OWN_PARTS].join(', ')}`

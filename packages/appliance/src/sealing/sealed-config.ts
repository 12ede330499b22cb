import { Secret } from '@caretaker/kernel/secrets.ts'
import { isMap, isScalar, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml'
import { isSealed, type Seal } from './seal.ts'

/** Last line of a sealed config: a comment, so that the file stays valid and no line of it moves. */
const SEAL_LINE = /^# caretaker-seal: ([A-Za-z0-9+/=]+)\n?$/m
const SECRET_KEYS = new Set(['ca_key', 'age_identity', 'backup_key', 'dkim_key', 'acme_account_key'])

/** The seal header of a config text; undefined when nothing in it is sealed. */
export function sealHeaderOf(text: string): string | undefined {
  return SEAL_LINE.exec(text)?.[1]
}

/**
 * The config text with every secret value sealed and the header at its end. Values that are sealed already stay.
 * Comments, order and all else stay as they are. A text that is no YAML mapping is given back as it is.
 */
export function sealConfigText(text: string, seal: Seal): string {
  const body = text.replace(SEAL_LINE, '')
  const sealed = replaceSecrets(body, (value) => (isSealed(value) ? value : seal.encrypt(value)))
  return `${sealed.endsWith('\n') ? sealed : `${sealed}\n`}# caretaker-seal: ${seal.header}\n`
}

/**
 * The text with every sealed value opened. Each stays on its line, so that line numbers in messages are those of the
 * file. @throws AppError SEAL_BROKEN
 */
export function openConfigText(text: string, seal: Seal): string {
  const body = text.replace(SEAL_LINE, '')
  return replaceSecrets(body, (value) => (isSealed(value) ? seal.decrypt(value) : value))
}

/** Replaces the values of the secret leaves, by position; only those that `change` changes. */
function replaceSecrets(text: string, change: (value: string) => string): string {
  const root = parseDocument(text, { logLevel: 'silent' }).contents
  const caretaker = mapAt(isMap(root) ? root : undefined, 'caretaker')
  const leaves = secretLeaves(caretaker)
  let result = text
  for (const { value, start, end } of leaves.toSorted((a, b) => b.start - a.start)) {
    const changed = change(value)
    if (changed === value) continue
    const lineEnd = text.slice(start, end).endsWith('\n') ? '\n' : ''
    result = `${result.slice(0, start)}${JSON.stringify(changed)}${lineEnd}${result.slice(end)}`
  }
  return result
}

/** The values of the secret leaves of a config text, whether it is valid or not; those that are sealed are left out. */
export function secretsOfConfigText(text: string): readonly Secret[] {
  const root = parseDocument(text, { logLevel: 'silent' }).contents
  return secretLeaves(mapAt(isMap(root) ? root : undefined, 'caretaker'))
    .filter(({ value }) => !isSealed(value))
    .map(({ name, value }) => new Secret(name, value))
}

interface Leaf {
  readonly name: string
  readonly value: string
  readonly start: number
  readonly end: number
}

function secretLeaves(caretaker: YAMLMap | undefined): Leaf[] {
  const keys = (mapAt(caretaker, 'keys')?.items ?? []).filter((pair) => SECRET_KEYS.has(nameOf(pair)))
  const applications = mapAt(caretaker, 'applications')?.items ?? []
  const ofApps = applications.flatMap((pair) => {
    const app = isMap(pair.value) ? pair.value : undefined
    return mapAt(app, 'secrets')?.items ?? []
  })
  const acme = mapAt(mapAt(caretaker, 'tls'), 'acme')
  const ofAcme = [
    ...(mapAt(acme, 'external_account')?.items ?? []).filter((pair) => nameOf(pair) === 'hmac_key'),
    ...(mapAt(acme, 'dns')?.items ?? []).filter((pair) => nameOf(pair) === 'tsig_secret'),
  ]
  return [...keys, ...ofAcme, ...ofApps].flatMap((pair) => {
    const node = pair.value as Node | null
    if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return []
    return [{ name: nameOf(pair), value: node.value, start: node.range[0], end: node.range[1] }]
  })
}

function mapAt(map: YAMLMap | undefined, key: string): YAMLMap | undefined {
  const value = map?.items.find((pair) => nameOf(pair) === key)?.value
  return isMap(value) ? value : undefined
}

function nameOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : ''
}

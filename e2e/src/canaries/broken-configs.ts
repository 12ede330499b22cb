import { type Canary, fresh } from './canaries.ts'

export interface BrokenConfig {
  readonly name: string
  readonly canary: Canary
  readonly text: string
}

/** Configs made of one that is whole, each with an error on the very line of a secret of its own. */
export function brokenConfigs(text: string): readonly BrokenConfig[] {
  const broken = (name: string, make: (canary: string) => string): BrokenConfig => {
    const canary = { name: `typed: ${name}`, value: fresh(`typed-${name}`) }
    return { name, canary, text: make(canary.value) }
  }
  const ofKey = (key: string, value: string) =>
    text.replace(new RegExp(`^( +${key}:).*(\\n {6,}.*)*`, 'm'), `$1 ${value}`)
  return [
    broken('list', (canary) => ofKey('file_key', `[${canary}]`)),
    broken('map', (canary) => ofKey('file_key', `{ value: ${canary} }`)),
    broken('quote', (canary) => ofKey('file_key', `"${canary}`)),
    broken('colon', (canary) => ofKey('file_key', `${canary}: x`)),
    broken('tag', (canary) => ofKey('file_key', `!secret ${canary}`)),
    broken('alias', (canary) => ofKey('file_key', `*${canary}`)),
    broken('key', (canary) => ofKey('ca_key', canary)),
    broken('identity', (canary) => ofKey('age_identity', `AGE-SECRET-KEY-1${canary}`)),
    broken('backup', (canary) => ofKey('backup_key', `[${canary}]`)),
    broken('dkim', (canary) => ofKey('dkim_key', `-----BEGIN PRIVATE KEY-----${canary}`)),
    broken('twice', (canary) => ofKey('file_key', `${canary}\n        file_key: ${canary}`)),
    broken('source', (canary) =>
      text.replace(/source: .*/, `source: https://robot:${canary}@git.invalid/x.git`),
    ),
    broken('url', (canary) => text.replace(/domain: .*/, `domain: https://robot:${canary}@example.org`)),
  ]
}

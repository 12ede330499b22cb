import { readFileSync } from 'node:fs'

/** The `keys:` section of the tests: made for them, used nowhere else. */
const KEYS = readFileSync(new URL('./keys.txt', import.meta.url), 'utf8')

/** The text with the line `@keys` replaced by a valid keys section. */
export function withKeys(text: string): string {
  return text.replace(/^@keys\n/m, () => KEYS)
}

/** A valid config with these lines under `caretaker:`. */
export function configText(lines: readonly string[] = []): string {
  return withKeys(
    [
      '#cloud-config',
      'caretaker:',
      '  id: 6f1c2a34-8a51-4c0e-9d5b-0a7b3f1e2d4c',
      '  identity:',
      '    domain: example.org',
      '    admin_email: admin@example.org',
      ...lines.map((line) => `  ${line}`),
      '@keys',
      '',
    ].join('\n'),
  )
}

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { VERSION } from './version.ts'

it('is the version of the package, and of the whole', () => {
  for (const path of ['../package.json', '../../../package.json']) {
    const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }
    expect(manifest.version, path).toBe(VERSION)
  }
})

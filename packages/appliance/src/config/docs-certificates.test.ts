import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseConfig } from './parse.ts'
import { configText } from './testing/fixture.ts'

const page = readFileSync(new URL('../../../../docs/certificates.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = '']) => block.trim())

test.each(blocks)('docs/certificates.md: these settings are accepted:\n%s', (block) => {
  const { tls } = parseConfig(configText(block.split('\n')), 'appliance.yml').config
  expect(['acme', 'provided']).toContain(tls.mode)
})

import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { COMMANDS } from '../commands/all.ts'
import { cliPage } from './cli-page.ts'

const PAGE = new URL('../../../../docs/cli.md', import.meta.url)

it('docs/cli.md tells every command, option, field and exit code', () => {
  if (process.env['UPDATE_GOLDENS']) writeFileSync(PAGE, cliPage(COMMANDS))
  expect(
    readFileSync(PAGE, 'utf8'),
    'The page differs from the commands. Write it anew and look at the diff: UPDATE_GOLDENS=1 node_modules/.bin/vitest run --project unit apps/caretaker/src/cli/cli-page',
  ).toBe(cliPage(COMMANDS))
})

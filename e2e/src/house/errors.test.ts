import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { errorsPage } from './errors-page.ts'
import { ROOT } from './sources.ts'

const PAGE = join(ROOT, 'docs/errors.md')

it('docs/errors.md tells every error code and every exit code', () => {
  if (process.env['UPDATE_GOLDENS']) writeFileSync(PAGE, errorsPage())
  expect(
    readFileSync(PAGE, 'utf8'),
    'The page differs from the tables. Write it anew and look at the diff: UPDATE_GOLDENS=1 node_modules/.bin/vitest run --project real e2e/src/house/errors',
  ).toBe(errorsPage())
})

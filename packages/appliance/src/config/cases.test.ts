import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import { describe, expect, test } from 'vitest'
import { parseConfig } from './parse.ts'
import { effectiveConfig } from './show.ts'
import { withKeys } from './testing/fixture.ts'

/**
 * Each file of cases/: a config, a line of dashes, and what comes of it. `@keys` stands for a valid keys section,
 * `\uXXXX` in a line `@escaped` above the config for characters that nobody sees. UPDATE_GOLDENS=1 rewrites.
 */
const FOLDER = new URL('./cases/', import.meta.url)
const DASHES = `${'-'.repeat(60)}\n`

describe('config cases', () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.txt'))

  test('there are at least 40', () => expect(files.length).toBeGreaterThanOrEqual(40))

  test.each(files)('%s', (file) => {
    const path = new URL(file, FOLDER)
    const [input = '', expected] = readFileSync(path, 'utf8').split(DASHES)
    const found = outcome(prepare(input))
    if (process.env.UPDATE_GOLDENS) writeFileSync(path, input + DASHES + found)
    else expect(found).toBe(expected)
  })
})

function prepare(input: string): string {
  const mark = '@escaped\n'
  if (!input.startsWith(mark)) return withKeys(input)
  const unescaped = input
    .slice(mark.length)
    .replaceAll(/\\u([0-9a-f]{4})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))
  return withKeys(unescaped)
}

function outcome(text: string): string {
  try {
    const settings = effectiveConfig(parseConfig(text, 'appliance.yml'))
    return settings.map(({ key, value, from }) => `${key} = ${value}  (${from})\n`).join('')
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    expect(error.exitCode).toBe(2)
    return [error, ...error.also].map((each) => describeReport(each.toReport(), each.at?.column)).join('')
  }
}

function describeReport(report: ErrorReport, column: number | undefined): string {
  const { code, file, line, key = '', why, next } = report
  return `${code} ${file}:${line}:${column} ${key}`.trimEnd() + `\n  why:  ${why}\n  next: ${next}\n`
}

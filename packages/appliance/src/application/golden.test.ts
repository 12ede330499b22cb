import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ErrorReport, isAppError } from '@caretaker/kernel/errors.ts'
import { describe, expect, it } from 'vitest'
import { parseApplication } from './parse.ts'

/**
 * Each case: `# env: NAME=value`, `# secret: name` and `# runtime: docker` lines for the config, the compose file, a line `---8<---`, and
 * what comes out: the errors, or the parts of the application the case is about (`# shows: services.0.environment`).
 * UPDATE_GOLDENS=1 writes what comes out; review the diff.
 */
const FOLDERS = ['cases', 'corpus']
const LINE = '\n---8<---\n'

describe('compose files', () => {
  const names = FOLDERS.flatMap((folder) =>
    readdirSync(join(import.meta.dirname, folder)).map((name) => join(folder, name)),
  ).filter((name) => name.endsWith('.txt'))

  it('has a case for everything that matters', () => {
    expect(names.length).toBeGreaterThanOrEqual(25)
  })

  it.each(names)('%s', (name) => {
    const path = join(import.meta.dirname, name)
    const [input = '', expected] = readFileSync(path, 'utf8').split(LINE)
    const outcome = run(input)
    if (process.env.UPDATE_GOLDENS) writeFileSync(path, input + LINE + outcome)
    else expect(outcome).toBe(expected)
  })
})

function run(text: string): string {
  const directives = (key: string): string[] =>
    [...text.matchAll(new RegExp(`^# ${key}: (.*)$`, 'gm'))].map((match) => match[1] as string)
  try {
    const app = parseApplication({
      name: 'demo',
      file: 'compose.yml',
      text,
      environment: Object.fromEntries(directives('env').map((entry) => entry.split(/=(.*)/s).slice(0, 2))),
      secrets: Object.fromEntries(directives('secret').map((name) => [name, 'value'])),
      runtime: directives('runtime')[0] === 'docker' ? 'docker' : 'process',
    })
    const shown = directives('shows').map(
      (path) => `${path}: ${JSON.stringify(pick(app, path.split('.')), null, 1)}\n`,
    )
    return shown.length > 0 ? shown.join('') : `${JSON.stringify(app, null, 1)}\n`
  } catch (error) {
    if (!isAppError(error)) throw error
    return describeReport(error.toReport())
  }
}

function describeReport(report: ErrorReport): string {
  const place = report.file === undefined ? '' : ` ${report.file}:${report.line ?? '-'}`
  return [
    `${report.code}${place}${report.key === undefined ? '' : ` ${report.key}`} (exit ${report.exit_code})`,
    `  ${report.what}`,
    `  ${report.why}`,
    `  ${report.next}`,
    ...(report.also ?? []).map((other) => describeReport(other).trimEnd()),
    '',
  ].join('\n')
}

function pick(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((entry, part) => (entry as Record<string, unknown> | undefined)?.[part], value)
}

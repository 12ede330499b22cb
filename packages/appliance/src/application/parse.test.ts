import { isAppError } from '@caretaker/kernel/errors.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { serviceNamed } from './application.ts'
import { readDeclarations } from './declarations.ts'
import { type ComposeInput, parseApplication } from './parse.ts'

const COMPOSE = `
services:
  web:
    build: .
    command: [node, server.js]
    environment: {LEVEL: "\${LEVEL:-info}", TOKEN: }
    volumes: [files:/data]
    secrets: [key]
volumes: {files: }
secrets: {key: {external: true}}
x-caretaker:
  version: "1"
  web: {service: web, port: 3000, health: /health}
  data: [files]
  jobs: {tidy: {schedule: "0 3 * * *", command: [node, tidy.js]}}
`

function parse(text: string, more: Partial<ComposeInput> = {}) {
  return parseApplication({
    name: 'demo',
    file: 'compose.yml',
    text,
    environment: {},
    secrets: { key: 'x' },
    ...more,
  })
}

/** An Application, or an AppError with exit code 2: anything else is a bug. */
function outcomeOf(text: string): string {
  try {
    parse(text)
    return 'application'
  } catch (error) {
    if (isAppError(error)) return `exit ${error.exitCode}`
    throw error
  }
}

describe('parseApplication', () => {
  it('gives plain JSON that cannot be changed', () => {
    const app = parse(COMPOSE)
    expect(JSON.parse(JSON.stringify(app))).toEqual(JSON.parse(JSON.stringify(structuredClone(app))))
    expect(() => {
      ;(serviceNamed(app, 'web').environment as Record<string, string>).LEVEL = 'changed'
    }).toThrow(TypeError)
  })

  it('lets the config fill what the compose file declares', () => {
    const app = parse(COMPOSE, { environment: { LEVEL: 'debug' }, secrets: { key: 'x', TOKEN: 'y' } })
    expect(app.services[0]?.environment).toEqual({ LEVEL: 'debug' })
    expect(app.services[0]?.secretEnvironment).toEqual({ TOKEN: 'TOKEN' })
  })

  it('never shows the value of a secret', () => {
    expect(JSON.stringify(parse(COMPOSE, { secrets: { key: 'canary-secret' } }))).not.toContain('canary')
  })

  it('names what a config can fill before there is a config', () => {
    expect(readDeclarations('compose.yml', COMPOSE)).toEqual({
      environment: ['LEVEL', 'TOKEN'],
      secrets: ['key'],
    })
  })

  it('gives an application or an error with exit code 2 for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) =>
        ['application', 'exit 2'].includes(outcomeOf(text)),
      ),
      { numRuns: 300 },
    )
  })

  it('gives an application or an error with exit code 2 for any YAML value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => ['application', 'exit 2'].includes(outcomeOf(stringify(value)))),
      { numRuns: 300 },
    )
  })

  it('gives an application or an error with exit code 2 for a compose file with any one part replaced', () => {
    const lines = COMPOSE.split('\n')
    const junk = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.nat(lines.length - 1), junk, (index, replacement) => {
        const changed = lines.with(
          index,
          (lines[index] as string).replace(/: .*$/, () => `: ${replacement}`),
        )
        return ['application', 'exit 2'].includes(outcomeOf(changed.join('\n')))
      }),
      { numRuns: 1000 },
    )
  })

  it('is not stopped by aliases that grow or nest without end', () => {
    const laughs = Array.from({ length: 12 }, (_, level) =>
      level === 0
        ? 'a0: &a0 [x]'
        : `a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`,
    )
    expect(outcomeOf(laughs.join('\n'))).toBe('exit 2')
    expect(outcomeOf('['.repeat(50_000))).toBe('exit 2')
    expect(outcomeOf('services: &s\n  web: *s\n')).toBe('exit 2')
    expect(outcomeOf(`x: ${'y'.repeat(300_000)}`)).toBe('exit 2')
  })
})

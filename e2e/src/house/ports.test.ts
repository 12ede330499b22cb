import { describe, expect, it } from 'vitest'
import { filesIn } from './sources.ts'

/** Ports without a suite for both, each with the reason and the file that shows the real one. */
const WITHOUT_SUITE: Readonly<Record<string, { readonly because: string; readonly shownBy: string }>> = {
  machine: {
    because: 'the fake is a list of facts that the test chooses; it has no behaviour to compare',
    shownBy: 'packages/host/src/machine.real.test.ts',
  },
  databases: {
    because: 'the fake answers what the test says; what SQL means is shown on a real Postgres only',
    shownBy: 'packages/host/src/databases.real.test.ts',
  },
}

const sources = filesIn(['packages/ports', 'packages/host'], (path) => path.endsWith('.ts'))
const table = sources.find((file) => file.path === 'packages/ports/src/ports.ts')?.text ?? ''
const ports = [...table.matchAll(/^ {2}readonly (\w+): (\w+)$/gm)].map(([, member = '', type = '']) => ({
  member,
  type,
}))

const howTo = (member: string, type: string) =>
  `Write packages/ports/src/conformance/${member}.ts with describe${type}(name, make), call it for the fake in packages/ports/src/*.test.ts and for the real one in packages/host/src/*.real.test.ts: only so can the fake be trusted`

describe('every port', () => {
  it('is found in the table (else the rule below sees nothing)', () => {
    expect(ports.length).toBeGreaterThanOrEqual(7)
  })

  it.each(ports)(
    '$member: one conformance suite runs on the fake and on the real one',
    ({ member, type }) => {
      const exception = WITHOUT_SUITE[member]
      if (exception) {
        expect(
          sources.map((file) => file.path),
          exception.because,
        ).toContain(exception.shownBy)
        return
      }
      const suite = `describe${type}`
      const calls = (pattern: RegExp) =>
        sources
          .filter((file) => pattern.test(file.path) && file.text.includes(`${suite}(`))
          .map((file) => file.path)
      expect(
        calls(new RegExp(`^packages/ports/src/conformance/${member}\\.ts$`)),
        howTo(member, type),
      ).toHaveLength(1)
      expect(
        calls(/^packages\/ports\/src\/[^/]+\.test\.ts$/),
        `the fake: ${howTo(member, type)}`,
      ).not.toEqual([])
      expect(
        calls(/^packages\/host\/src\/.*\.real\.test\.ts$/),
        `the real one: ${howTo(member, type)}`,
      ).not.toEqual([])
    },
  )
})

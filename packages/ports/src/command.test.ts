import { expect, test } from 'vitest'
import { commandError, lastLines } from './command.ts'

const COMMAND = { file: 'initdb', args: ['-D', '/data'] }
const FAILED = { exitCode: 1, signal: undefined, timedOut: false, stdout: '', durationMs: 1 }

test.each([
  ['initdb: error: could not write file "/data/x": No space left on device', 'DISK_FULL'],
  ["npm error ENOSPC: no space left on device, mkdir '/x'", 'DISK_FULL'],
  ['tar: x: Cannot write: Disk quota exceeded', 'DISK_FULL'],
  ['initdb: error: invalid locale settings', 'COMMAND_FAILED'],
])('a program that says "%s" failed with %s', (stderr, code) => {
  const error = commandError(COMMAND, { ...FAILED, stderr: `${stderr}\n` })
  expect(error.code).toBe(code)
  expect(error.why).toContain(stderr)
})

test.each([
  ['what is said again and again is told once', 'lost\nlost\nlost\n', 'lost'],
  ['what comes before it too', 'no table\nlost\nlost\nlost\n', 'no table | lost'],
  ['in the order in which it was said last', 'a\nb\na\n', 'b | a'],
  [
    'the time and the process make no difference',
    '2026-11-20 10:00:01.123 UTC [41] FATAL:  no lock\n2026-11-20 10:00:02.456 UTC [42] FATAL:  no lock\n',
    '2026-11-20 10:00:02.456 UTC [42] FATAL:  no lock',
  ],
  ['other numbers do', 'port 80 is taken\nport 443 is taken\n', 'port 80 is taken | port 443 is taken'],
  ['what is long ago does not count', `before\n${'lost\n'.repeat(12)}`, 'lost'],
  ['no more than asked for', 'a\nb\n\nc\nd\n', 'b | c | d'],
  ['nothing', '\n \n', ''],
])('of the last lines %s', (_name, text, told) => {
  expect(lastLines(text, 3)).toBe(told)
})

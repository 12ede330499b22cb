import { expect, test } from 'vitest'
import { commandError } from './command.ts'

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

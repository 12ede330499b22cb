import type { CommandResult } from '@caretaker/ports/process.ts'
import { expect, it } from 'vitest'
import { commandTail } from './app-command.ts'

const ended: CommandResult = {
  exitCode: 1,
  signal: undefined,
  timedOut: false,
  stdout: '',
  stderr: '',
  durationMs: 1,
}

it('names the limit that a command did not keep', () => {
  const result = { ...ended, timedOut: true, stderr: 'waits for a lock\n' }
  expect(commandTail(result, 90_000)).toBe(
    'did not end in its time of 1 min 30 s and was stopped: waits for a lock',
  )
  expect(commandTail(result)).toBe('did not end in its time and was stopped: waits for a lock')
})

it('shows the message of an error, not where it happened', () => {
  const stack = ['    at Module.default (file:///m.mjs:1:7)', '    at async run (node:internal:3:1)']
  const thrown = ['file:///m.mjs:1', "throw new Error('x')", '      ^', '', 'Error: column exists', ...stack]
  const stderr = [...thrown, '', 'Node.js v24.21.0', ''].join('\n')
  expect(commandTail({ ...ended, stderr })).toBe(
    "ended with 1: file:///m.mjs:1 | throw new Error('x') | Error: column exists",
  )
  const fields = ['length', 'severity', 'code', 'detail', 'routine'].map((name) => `  ${name}: 1,`)
  const withFields = [...thrown.slice(0, -1), '    at query (pg.js:1:1) {', ...fields, '}'].join('\n')
  expect(commandTail({ ...ended, stderr: withFields })).toMatch(
    /^ended with 1: Error: column exists \| .*routine: 1, \| \}$/,
  )
})

it('shows why a program without memory ended, not where', () => {
  const stderr = [
    '<--- Last few GCs --->',
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    '----- Native stack trace -----',
    '',
    ' 1: 0xe36196 node::OOMErrorHandler(char const*) [node]',
    '10: 0x1add9b6  [node]',
    '',
  ].join('\n')
  const tail = commandTail({ ...ended, exitCode: 134, signal: 'SIGABRT', stderr } as CommandResult)
  expect(tail).toMatch(/^was ended by SIGABRT: .*FATAL ERROR: Reached heap limit.*heap out of memory$/)
})

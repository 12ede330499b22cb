import { expect, test } from 'vitest'
import { COMMANDS } from '../commands/all.ts'
import { parseCommandLine } from './program.ts'
import { unbuiltCommand } from './unbuilt.ts'

test('a command of a later version is refused as that, not as a typing mistake', () => {
  for (const line of ['update', 'backup run', '--json backup verify', 'user create ada', 'image build']) {
    const parsed = parseCommandLine(COMMANDS, '0', line.split(' '), {})
    expect(parsed.kind === 'error' && parsed.error.code, line).toBe('NOT_IN_THIS_VERSION')
  }
})

test('no command that is built is refused', () => {
  for (const { name } of COMMANDS) expect(unbuiltCommand(name.split(' ')), name).toBeUndefined()
})

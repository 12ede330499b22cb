import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../commands/all.ts'
import { nextWords } from './next-words.ts'

const APPS = ['guestbook', 'wiki']

/** The words after "caretaker"; the last one is where the cursor stands. */
const after = (...typed: string[]) => nextWords(COMMANDS, typed, async () => APPS)

describe('completion', () => {
  it('of the first word: commands and groups, each once, nothing hidden', async () => {
    const words = await after('')
    expect(words).toEqual([...new Set(words)].toSorted())
    expect(words).toEqual(expect.arrayContaining(['app', 'config', 'doctor', 'down', 'status', 'up']))
    expect(words).not.toContain('complete')
    expect(words).not.toContain('gateway')
    expect(await after('st')).toEqual(['status'])
  })

  it('of the second word: what the group holds', async () => {
    expect(await after('app', 're')).toEqual(['rehearse', 'remove', 'restart'])
    expect(await after('service', '')).toEqual(['off', 'on'])
    expect(await after('nothing', '')).toEqual([])
  })

  it('of options: those of the command, and those of every command', async () => {
    expect(await after('app', 'add', 'x', '--')).toEqual([
      '--config',
      '--dry-run',
      '--help',
      '--host',
      '--json',
      '--progress',
      '--ref',
      '--set',
      '--state',
    ])
    expect(await after('--')).toEqual(['--config', '--help', '--json', '--progress', '--state', '--version'])
    expect(await after('app', '--j')).toEqual(['--json'])
  })

  it('of values: shells, progress modes, applications', async () => {
    expect(await after('completion', 'f')).toEqual(['fish'])
    expect(await after('status', '--progress', '')).toEqual(['auto', 'json', 'none', 'plain'])
    expect(await after('app', 'show', '')).toEqual(APPS)
    expect(await after('logs', 'w')).toEqual(['wiki'])
    expect(await after('app', 'remove', 'wiki', '--confirm', '')).toEqual(APPS)
  })

  it('leaves files and new names to the shell', async () => {
    expect(await after('up', '')).toEqual([])
    expect(await after('app', 'add', '')).toEqual([])
    expect(await after('config', 'check', '')).toEqual([])
    expect(await after('status', '--state', '')).toEqual([])
  })

  it('is not led astray by options and their values in between', async () => {
    expect(await after('--state', '/var/lib/x', 'app', 're')).toEqual(['rehearse', 'remove', 'restart'])
    expect(await after('--json', 'app', 'show', '')).toEqual(APPS)
    expect(await after('logs', '--lines', '5', '')).toEqual(APPS)
    expect(await after('app', 'show', '--config', 'c.yml', 'g')).toEqual(['guestbook'])
  })

  it('completes nothing behind "--": that belongs to the program', async () => {
    expect(await after('app', 'exec', 'guestbook', '--', '')).toEqual([])
  })
})

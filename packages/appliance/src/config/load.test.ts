import type { FileInfo } from '@caretaker/ports/files.ts'
import { describe, expect, test } from 'vitest'
import { keepLastGood, readLastGood } from './last-good.ts'
import { type ConfigReader, loadConfig, loadConfigFile } from './load.ts'
import { configText } from './testing/fixture.ts'

type Entry =
  | { readonly content: string | Uint8Array; readonly mode?: number }
  | { readonly link: string }
  | 'folder'

/** The few file operations these functions use, over a map. */
function memoryFiles(entries: Record<string, Entry>) {
  const files = new Map(Object.entries(entries))
  const bytes = (path: string): Uint8Array => {
    const entry = files.get(path)
    if (typeof entry !== 'object' || !('content' in entry)) throw new Error(`no file ${path}`)
    return typeof entry.content === 'string' ? new TextEncoder().encode(entry.content) : entry.content
  }
  const info = (kind: FileInfo['kind'], sizeBytes: number, mode: number): FileInfo => ({
    kind,
    sizeBytes,
    mode,
    uid: 0,
    gid: 0,
    modifiedMs: 0,
  })
  return {
    files,
    stat: async (path: string) => {
      const entry = files.get(path)
      if (entry === undefined) return undefined
      if (entry === 'folder') return info('folder', 0, 0o700)
      if ('link' in entry) return info('link', 0, 0o777)
      return info('file', bytes(path).length, entry.mode ?? 0o600)
    },
    read: async (path: string) => bytes(path),
    readText: async (path: string) => (files.has(path) ? new TextDecoder().decode(bytes(path)) : undefined),
    readLink: async (path: string) => (files.get(path) as { link: string }).link,
    write: async (path: string, content: string | Uint8Array, mode = 0o666) =>
      void files.set(path, { content, mode }),
    sync: async () => {},
    rename: async (from: string, to: string) => {
      files.set(to, files.get(from) as Entry)
      files.delete(from)
    },
  }
}

const deps = (entries: Record<string, Entry>): ConfigReader => ({ files: memoryFiles(entries) })
const content = configText()
const places = { stateFolder: '/state' }

describe('where the config is found', () => {
  const all = {
    '/named.yml': { content },
    '/state/appliance.yml': { content },
    '/etc/caretaker/appliance.yml': { content },
  }

  test('$CARETAKER_CONFIG, then the state folder, then /etc/caretaker', async () => {
    expect((await loadConfig(deps(all), { ...places, fromEnvironment: '/named.yml' })).file).toBe(
      '/named.yml',
    )
    expect((await loadConfig(deps(all), places)).file).toBe('/state/appliance.yml')
    const { '/etc/caretaker/appliance.yml': system } = all
    expect((await loadConfig(deps({ '/etc/caretaker/appliance.yml': system }), places)).file).toBe(
      '/etc/caretaker/appliance.yml',
    )
  })

  test('nowhere: every place is listed', async () => {
    await expect(loadConfig(deps({}), places)).rejects.toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      why: 'looked at /state/appliance.yml, /etc/caretaker/appliance.yml',
    })
  })

  test('a file named by $CARETAKER_CONFIG that is not there is not replaced by another one', async () => {
    await expect(loadConfig(deps(all), { ...places, fromEnvironment: '/gone.yml' })).rejects.toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      why: 'looked at /gone.yml (named by $CARETAKER_CONFIG)',
    })
  })
})

describe('what is refused before it is parsed', () => {
  test.each([0o640, 0o604, 0o620, 0o644])('mode %o', async (mode) => {
    await expect(loadConfigFile(deps({ '/a.yml': { content, mode } }), '/a.yml')).rejects.toMatchObject({
      code: 'CONFIG_PERMISSIONS',
      next: 'Type: chmod 600 /a.yml',
    })
  })

  test('a link counts by what it points to', async () => {
    const link = { '/etc/a.yml': { link: '../srv/a.yml' } }
    expect((await loadConfigFile(deps({ ...link, '/srv/a.yml': { content } }), '/etc/a.yml')).file).toBe(
      '/etc/a.yml',
    )
    const open = deps({ ...link, '/srv/a.yml': { content, mode: 0o644 } })
    await expect(loadConfigFile(open, '/etc/a.yml')).rejects.toMatchObject({ code: 'CONFIG_PERMISSIONS' })
  })

  test('a folder, a link to itself, a huge file, no UTF-8', async () => {
    const reader = deps({
      '/folder': 'folder',
      '/loop': { link: 'loop' },
      '/huge': { content: 'x'.repeat(200_000) },
      '/latin1': { content: new Uint8Array([35, 0xfc, 10]) },
    })
    await expect(loadConfigFile(reader, '/folder')).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND' })
    await expect(loadConfigFile(reader, '/loop')).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND' })
    await expect(loadConfigFile(reader, '/huge')).rejects.toMatchObject({ code: 'CONFIG_TOO_LARGE' })
    await expect(loadConfigFile(reader, '/latin1')).rejects.toMatchObject({ code: 'CONFIG_SYNTAX' })
  })
})

describe('the last good config', () => {
  const clock = { now: () => new Date('2026-11-20T09:30:00Z') }

  test('is given back byte by byte and named', async () => {
    const files = memoryFiles({ '/a.yml': { content } })
    const loaded = await loadConfigFile({ files }, '/a.yml')
    expect(await readLastGood({ files }, '/state')).toBeUndefined()
    await keepLastGood({ files, clock }, '/state', loaded)
    const kept = await readLastGood({ files }, '/state')
    expect(kept).toMatchObject({ text: content, hash: loaded.hash, config: { id: loaded.config.id } })
    expect(kept?.name).toBe(`/a.yml as of 2026-11-20 09:30 UTC (${loaded.hash.slice(0, 8)})`)
    expect(files.files.get('/state/last-good-config.json')).toMatchObject({ mode: 0o600 })
  })

  test('damaged: says so', async () => {
    const files = memoryFiles({
      '/state/last-good-config.json': { content: '{"file":"a","text":"b","hash":"c","kept_at":"d"}' },
    })
    await expect(readLastGood({ files }, '/state')).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })
})

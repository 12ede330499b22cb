import { dirname } from 'node:path'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { describe, expect, test } from 'vitest'
import { sealConfigText } from '../sealing/sealed-config.ts'
import { ensureStateSeal } from '../sealing/state-seal.ts'
import { keepLastGood, readLastGood } from './last-good.ts'
import { loadConfig, loadConfigFile } from './load.ts'
import { configText } from './testing/fixture.ts'

const content = configText()
const places = { stateFolder: '/state' }

/** Files in memory; a file is for its owner alone unless its mode is given. */
async function filesWith(entries: Record<string, string | Uint8Array>, mode = 0o600): Promise<MemoryFiles> {
  const files = new MemoryFiles()
  for (const [path, data] of Object.entries(entries)) {
    await files.makeFolder(dirname(path))
    await files.write(path, data, mode)
  }
  return files
}

const deps = async (entries: Record<string, string | Uint8Array>, mode?: number) => ({
  files: await filesWith(entries, mode),
})

describe('where the config is found', () => {
  const all = {
    '/named.yml': content,
    '/state/appliance.yml': content,
    '/etc/caretaker/appliance.yml': content,
  }

  test('$CARETAKER_CONFIG, then the state folder, then /etc/caretaker', async () => {
    expect((await loadConfig(await deps(all), { ...places, fromEnvironment: '/named.yml' })).file).toBe(
      '/named.yml',
    )
    expect((await loadConfig(await deps(all), places)).file).toBe('/state/appliance.yml')
    const { '/etc/caretaker/appliance.yml': system } = all
    expect((await loadConfig(await deps({ '/etc/caretaker/appliance.yml': system }), places)).file).toBe(
      '/etc/caretaker/appliance.yml',
    )
  })

  test('nowhere: every place is listed', async () => {
    await expect(loadConfig(await deps({}), places)).rejects.toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      why: 'looked at /state/appliance.yml, /etc/caretaker/appliance.yml',
    })
  })

  test('a file named by $CARETAKER_CONFIG that is not there is not replaced by another one', async () => {
    await expect(
      loadConfig(await deps(all), { ...places, fromEnvironment: '/gone.yml' }),
    ).rejects.toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      why: 'looked at /gone.yml (named by $CARETAKER_CONFIG)',
    })
  })
})

describe('what is refused before it is parsed', () => {
  test.each([0o640, 0o604, 0o620, 0o644])('mode %o', async (mode) => {
    const reader = await deps({ '/a.yml': content }, mode)
    await expect(loadConfigFile(reader, '/a.yml', '/state')).rejects.toMatchObject({
      code: 'CONFIG_PERMISSIONS',
      next: 'If it is your config: chmod 600 /a.yml',
    })
  })

  test('a link counts by what it points to', async () => {
    const reader = await deps({ '/srv/a.yml': content })
    await reader.files.makeFolder('/etc')
    await reader.files.link('../srv/a.yml', '/etc/a.yml')
    expect((await loadConfigFile(reader, '/etc/a.yml', '/state')).file).toBe('/etc/a.yml')
    await reader.files.setMode('/srv/a.yml', 0o644)
    await expect(loadConfigFile(reader, '/etc/a.yml', '/state')).rejects.toMatchObject({
      code: 'CONFIG_PERMISSIONS',
    })
  })

  test('a folder, a link to itself, a huge file, no UTF-8', async () => {
    const reader = await deps({ '/huge': 'x'.repeat(200_000), '/latin1': new Uint8Array([35, 0xfc, 10]) })
    await reader.files.makeFolder('/folder')
    await reader.files.link('loop', '/loop')
    for (const [file, code] of [
      ['/folder', 'CONFIG_NOT_FOUND'],
      ['/loop', 'CONFIG_NOT_FOUND'],
      ['/huge', 'CONFIG_TOO_LARGE'],
      ['/latin1', 'CONFIG_SYNTAX'],
    ] as const) {
      await expect(loadConfigFile(reader, file, '/state')).rejects.toMatchObject({ code })
    }
  })
})

describe('a sealed config', () => {
  async function sealed() {
    const files = await filesWith({ '/state/appliance.yml': content })
    const clear = await loadConfigFile({ files }, '/state/appliance.yml', '/state')
    const seal = await ensureStateSeal(files, '/state', clear.config.keys)
    await files.write('/state/appliance.yml', sealConfigText(content, seal))
    return { files, clear }
  }

  test('is opened with the identity in the state folder', async () => {
    const { files, clear } = await sealed()
    const loaded = await loadConfig({ files }, places)
    expect(loaded.isSealed).toBe(true)
    expect(clear.isSealed).toBe(false)
    expect(loaded.config.keys.backup_key.reveal()).toBe(clear.config.keys.backup_key.reveal())
  })

  test('without its identity is refused with what to do', async () => {
    const { files } = await sealed()
    await files.remove('/state/identity.txt')
    await expect(loadConfig({ files }, places)).rejects.toMatchObject({
      code: 'SEAL_NO_IDENTITY',
      exitCode: 12,
      next: expect.stringContaining('caretaker up FILE'),
    })
  })
})

describe('the last good config', () => {
  const clock = { now: () => new Date('2026-11-20T09:30:00Z') }

  test('is given back with its secrets, named, and sealed on disk', async () => {
    const files = await filesWith({ '/a.yml': content })
    const loaded = await loadConfigFile({ files }, '/a.yml', '/state')
    expect(await readLastGood({ files }, '/state')).toBeUndefined()
    await keepLastGood({ files, clock }, '/state', loaded)
    const kept = await readLastGood({ files }, '/state')
    expect(kept).toMatchObject({ hash: loaded.hash, config: { id: loaded.config.id } })
    expect(kept?.config.keys.backup_key.reveal()).toBe(loaded.config.keys.backup_key.reveal())
    expect(kept?.name).toBe(`/a.yml as of 2026-11-20 09:30 UTC (${loaded.hash.slice(0, 8)})`)
    expect((await files.stat('/state/last-good-config.json'))?.mode).toBe(0o600)
    expect(await files.readText('/state/last-good-config.json')).not.toContain(
      loaded.config.keys.backup_key.reveal(),
    )
  })

  test('damaged: says so', async () => {
    const files = await filesWith({
      '/state/last-good-config.json':
        '{"file":"a","sealed_text":"b","hash":"c","kept_at":"d","checksum":"e"}',
    })
    await expect(readLastGood({ files }, '/state')).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })
})

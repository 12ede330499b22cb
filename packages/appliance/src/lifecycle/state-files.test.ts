import { Secret } from '@caretaker/kernel/secrets.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { generateX25519Identity } from 'age-encryption'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  listAppRecords,
  mendAppRecord,
  readAppRecord,
  removeAppRecord,
  updateAppRecord,
} from './app-records.ts'
import { foldersOf, runFolder, serviceLog } from './folders.ts'
import { createSecretStore } from './secret-store.ts'

/** Made for these tests, used nowhere else. */
const keys = { age_identity: new Secret('keys.age_identity', await generateX25519Identity()), recovery: [] }

let files: MemoryFiles
beforeEach(async () => {
  files = new MemoryFiles()
  await files.makeFolder('/state')
})

describe('the secret store', () => {
  it('makes a secret once and gives the same one from then on, also after a power cut', async () => {
    const first = await createSecretStore(files, '/state', keys).obtain('shop/database')
    files.crash()
    const store = createSecretStore(files, '/state', keys)
    expect((await store.obtain('shop/database')).reveal()).toBe(first.reveal())
    expect((await store.obtain('shop/superuser')).reveal()).not.toBe(first.reveal())
    expect(first.reveal().length).toBeGreaterThanOrEqual(32)
  })

  it('loses none when several are wanted at once', async () => {
    const store = createSecretStore(files, '/state', keys)
    const names = ['a/database', 'b/database', 'c/database', 'a/database']
    const made = await Promise.all(names.map((name) => store.obtain(name)))
    const kept = await Promise.all(names.map((name) => store.find(name)))
    expect(kept.map((secret) => secret?.reveal())).toEqual(made.map((secret) => secret.reveal()))
    expect(made[3]?.reveal()).toBe(made[0]?.reveal())
  })

  it('looks without making one', async () => {
    expect(await createSecretStore(files, '/state', keys).find('none')).toBeUndefined()
    expect(await files.list('/state')).toEqual([])
  })

  it('replaces and removes by prefix', async () => {
    const store = createSecretStore(files, '/state', keys)
    await store.obtain('shop/database')
    await store.obtain('shop-two/database')
    expect((await store.replace('shop/database', 'new')).reveal()).toBe('new')
    expect((await store.obtain('shop/database')).reveal()).toBe('new')
    await store.removeAll('shop/')
    expect(await store.find('shop/database')).toBeUndefined()
    expect(await store.find('shop-two/database')).toBeDefined()
  })

  it('is readable by its owner only, and shows nothing when it is printed', async () => {
    const secret = await createSecretStore(files, '/state', keys).obtain('shop/database')
    expect((await files.stat('/state/secrets.json'))?.mode).toBe(0o600)
    expect(await files.readText('/state/secrets.json')).not.toContain(secret.reveal())
    expect(await files.readText('/state/secrets.json')).toContain('shop/database')
    expect([String(secret), JSON.stringify(secret)].join(' ')).not.toContain(secret.reveal())
  })
})

describe('app records', () => {
  it('begin empty and keep what is not changed', async () => {
    expect(await readAppRecord(files, '/state/apps', 'shop')).toEqual({
      app: 'shop',
      releaseId: undefined,
      pinned: undefined,
      since: undefined,
      slot: 'a',
      ports: {},
      databaseCreated: false,
      completed: {},
      stopped: false,
    })
    await updateAppRecord(files, '/state/apps', 'shop', { databaseCreated: true })
    await updateAppRecord(files, '/state/apps', 'shop', { ports: { web: 4000 } })
    files.crash()
    expect(await readAppRecord(files, '/state/apps', 'shop')).toMatchObject({
      databaseCreated: true,
      ports: { web: 4000 },
    })
    await updateAppRecord(files, '/state/apps', 'shop', { releaseId: undefined, ports: {} })
    expect((await readAppRecord(files, '/state/apps', 'shop')).ports).toEqual({})
  })

  const [FIRST, COPY] = ['/state/apps/shop.json', '/state/apps/shop.json.copy']
  const record = { releaseId: 'r1', ports: { web: 4000 } }

  it.each([
    ['damaged', FIRST, 'no JSON {'],
    ['of zeros', FIRST, '\u0000'.repeat(20)],
    ['no record', FIRST, '[]'],
    ['damaged in the copy', COPY, ''],
  ])(
    '%s are read from the other file and mended, with what was damaged set aside',
    async (_way, path, text) => {
      await updateAppRecord(files, '/state/apps', 'shop', record)
      await files.write(path, text)
      await files.sync(path)
      expect(await readAppRecord(files, '/state/apps', 'shop')).toMatchObject(record)
      await mendAppRecord(files, '/state/apps', 'shop')
      files.crash()
      for (const each of [FIRST, COPY])
        expect(JSON.parse((await files.readText(each)) ?? '')).toMatchObject(record)
      expect(await files.readText(`${path}.damaged`)).toBe(text)
      expect(await listAppRecords(files, '/state/apps')).toEqual(['shop'])
    },
  )

  it('are mended again and again, whatever lies in their place', async () => {
    await updateAppRecord(files, '/state/apps', 'shop', record)
    for (const spoil of [
      () => files.write(FIRST, '{'),
      () => files.makeFolder(FIRST),
      () => files.write(FIRST, ''),
    ]) {
      await files.remove(FIRST)
      await spoil()
      await mendAppRecord(files, '/state/apps', 'shop')
      expect(JSON.parse((await files.readText(FIRST)) ?? '')).toMatchObject(record)
    }
  })

  it('set aside by a person, one comes back from its copy', async () => {
    await updateAppRecord(files, '/state/apps', 'shop', record)
    await files.rename(FIRST, `${FIRST}.damaged`)
    expect(await listAppRecords(files, '/state/apps')).toEqual(['shop'])
    expect(await readAppRecord(files, '/state/apps', 'shop')).toMatchObject(record)
    await mendAppRecord(files, '/state/apps', 'shop')
    expect(JSON.parse((await files.readText(FIRST)) ?? '')).toMatchObject(record)
  })

  it('without a whole file are refused, naming both; the first one missing is no beginning', async () => {
    await updateAppRecord(files, '/state/apps', 'shop', record)
    await files.write(COPY, '{')
    await files.write(FIRST, '{')
    const refusal = { code: 'STATE_DAMAGED', why: expect.stringMatching(`${FIRST} .+ ${COPY} `) as string }
    await expect(readAppRecord(files, '/state/apps', 'shop')).rejects.toMatchObject(refusal)
    await files.remove(FIRST)
    await expect(readAppRecord(files, '/state/apps', 'shop')).rejects.toMatchObject(refusal)
  })

  it('are listed and removed, for good', async () => {
    expect(await listAppRecords(files, '/state/apps')).toEqual([])
    await updateAppRecord(files, '/state/apps', 'shop', {})
    await updateAppRecord(files, '/state/apps', 'notes', {})
    expect(await listAppRecords(files, '/state/apps')).toEqual(['notes', 'shop'])
    await removeAppRecord(files, '/state/apps', 'shop')
    files.crash()
    expect(await listAppRecords(files, '/state/apps')).toEqual(['notes'])
  })

  it('that are damaged are never taken for empty ones', async () => {
    await files.makeFolder('/state/apps')
    await files.write('/state/apps/shop.json', '')
    await expect(readAppRecord(files, '/state/apps', 'shop')).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })
})

describe('folders', () => {
  it('keep the run folder inside the state folder while its sockets have room', () => {
    expect(runFolder('/var/lib/caretaker', 0)).toBe('/var/lib/caretaker/run')
    // 56 bytes and "/run" are the longest.
    const longest = `/${'x'.repeat(55)}`
    expect(runFolder(longest, 0)).toBe(`${longest}/run`)
    expect(runFolder(`${longest}y`, 1000)).toMatch(/^\/tmp\/caretaker-1000-[0-9a-f]{12}$/)
    expect(runFolder(`/${'ü'.repeat(28)}`, 1000)).toMatch(/^\/tmp\//)
  })

  it('leave room for every socket and differ by user and state folder', () => {
    const one = `/home/someone/${'deep/'.repeat(40)}one`
    const names = [runFolder(one, 1000), runFolder(`${one}2`, 1000), runFolder(one, 1001)]
    expect(new Set(names).size).toBe(3)
    const socket = `${names[0]}/pg/${'a'.repeat(40)}/.s.PGSQL.5432`
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(107)
    const inside = `${runFolder(`/${'x'.repeat(55)}`, 0)}/gateway.sock`
    expect(Buffer.byteLength(inside)).toBeLessThanOrEqual(107)
  })

  it('keep the logs of the appliance apart from those of an application', () => {
    const folders = foldersOf('/state', { data: '/data', volatile: '/volatile' }, 0)
    expect(folders).toMatchObject({ data: '/data', volatile: '/volatile', apps: '/state/apps' })
    expect(serviceLog(folders, '-', 'gateway')).toBe('/state/logs/appliance/gateway.log')
    expect(serviceLog(folders, 'shop', 'web')).toBe('/state/logs/shop/web.log')
  })
})

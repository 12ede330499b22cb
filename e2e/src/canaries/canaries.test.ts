import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canariesInFiles, finderOf } from './canaries.ts'
import { ownerOf, secretFilesOf, toldInEnvironments, toldOnCommandLines } from './judge.ts'
import { LEAKY_SECRETS } from './leaky-application.ts'
import { CLONE, IN_A_URL, LEAKS, Life, REGISTRY, SOURCE } from './life.ts'

let life: Life
beforeAll(async () => {
  life = await Life.lived()
}, 600_000)
afterAll(() => life?.[Symbol.asyncDispose]())

/** Not a password that was replaced: lines of old logs that quote it cannot be told from others. */
const isValid = (name: string) => !name.endsWith(', rotated out')

describe('secrets that were planted', () => {
  test('are at least 20, and the test finds what it looks for', async () => {
    expect(new Set(life.canaries.map(({ value }) => value)).size).toBeGreaterThanOrEqual(20)
    const names = life.canaries.map(({ name }) => name)
    for (const name of LEAKY_SECRETS) expect(names).toContain(`tells/${name}`)
    for (const leak of LEAKS)
      expect(names).toEqual(expect.arrayContaining([`${leak}/file_key`, `${leak}/database`]))
    const log = await readFile(join(life.appliance.state, 'logs/tells/web.log'), 'utf8')
    expect(life.finder.in(log)).toEqual(
      expect.arrayContaining(['tells/database', 'tells/VARIABLE_KEY', 'tells/PEM_KEY', 'tells/file_key']),
    )
  })

  test('make a config wrong where they are typed wrongly', () => {
    expect(life.accepted).toEqual([])
  })

  test('are in no output of a command and on no page', () => {
    expect(life.said.length).toBeGreaterThan(70)
    expect(
      life.said.flatMap(({ where, text }) =>
        life.finder
          .in(text)
          .filter(isValid)
          .map((name) => `${where}: ${name}`),
      ),
    ).toEqual([])
  })

  test('are in no file of the state folder, while it runs and when it is down', async () => {
    expect(life.filesWhileRunning).toEqual([])
    expect(await life.filesWith()).toEqual([])
  })

  test('are in no command line of any process', () => {
    expect(life.watch.seen.length).toBeGreaterThan(50)
    const told = toldOnCommandLines(life.watch.seen, life.finder)
    // The one typed by the person of this test, who gave a password on the command line.
    expect(
      told.filter(({ name, commandLine }) => name !== SOURCE.name || !/app\0add/.test(commandLine)),
    ).toEqual([])
  })

  test('are in the environment of their own services only', () => {
    // The last two are this test's own: it unpacks the bundle.
    const fetches = /caretaker\/main\.js\0(?!gateway)|pnpm|git|^tar\0-xzf\0|^gzip\0-d\0/
    const told = toldInEnvironments(
      life.watch.seen,
      life.finder,
      (app) => life.ownOf(app),
      (commandLine) => (fetches.test(commandLine) ? [REGISTRY.name] : []),
    )
    expect(told).toEqual([])
    expect(
      life.watch.seen.some(
        ({ environment }) =>
          ownerOf(environment) === 'tells' && life.finder.in(environment).includes('tells/database'),
      ),
    ).toBe(true)
  })

  test('are files in memory while their application runs, and gone when it is stopped', async () => {
    const files = secretFilesOf(life.watch.seen, 'tells', 'FILE_KEY_FILE')
    expect(files.length).toBeGreaterThan(0)
    for (const file of files)
      if (existsSync('/dev/shm')) expect(file).toMatch(/^\/(dev\/shm|run)\/caretaker-/)
    expect(files.filter((file) => existsSync(file))).toEqual([])
  })

  test('of production are not in a clone, which tells all it has', async () => {
    const environments = life.watch.seen.filter(({ environment }) => ownerOf(environment) === CLONE)
    const log = await readFile(join(life.appliance.state, `logs/${CLONE}/web.log`), 'utf8')
    const places = [log, ...environments.map(({ environment }) => environment)]
    const known = new Set(places.flatMap((text) => life.finder.in(text)))
    // What stands in the compose file is no secret.
    known.delete(IN_A_URL.name)
    expect([...known].filter((name) => !name.startsWith(`${CLONE}/`))).toEqual([])
    expect(known).toContain(`${CLONE}/database`)
  })

  test('are not in the support bundle, which says what it masked', async () => {
    expect(
      await canariesInFiles(
        life.bundleFolder,
        finderOf(life.canaries.filter(({ name }) => isValid(name))),
        () => [],
      ),
    ).toEqual([])
    const manifest = await readFile(join(life.bundleFolder, 'caretaker/MANIFEST.md'), 'utf8')
    expect(manifest).toContain('tells/database: ')
    expect(await readFile(join(life.bundleFolder, 'caretaker/logs/tells/web.log'), 'utf8')).toContain(
      '[secret:',
    )
    const runs = await readdir(join(life.bundleFolder, 'caretaker/logs/jobs/tells.tell'))
    expect(runs).toHaveLength(1)
    const log = await readFile(join(life.bundleFolder, `caretaker/logs/jobs/tells.tell/${runs[0]}`), 'utf8')
    expect(log).toContain('failed with [secret:')
  })
})

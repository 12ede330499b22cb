import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { listReleases } from './list.ts'
import { prepareRelease } from './prepare.ts'
import {
  app,
  failure,
  fetchApp,
  leftovers,
  NPM,
  PNPM,
  ports,
  prepare,
  removeScratch,
  resetScratch,
  scratch,
  state,
  write,
} from './release.fixture.ts'
import { releaseFolder, releaseSourceFolder } from './release.ts'
import { removeReleases } from './remove.ts'

beforeEach(resetScratch)
afterAll(removeScratch)

describe('a prepared release', () => {
  it('holds the source and its record, is found again, and is built once', async () => {
    write({ '.dockerignore': 'compose.yml\nlib\n', 'bin/run': '#!/bin/sh\n' })
    chmodSync(join(app, 'bin/run'), 0o700)
    const release = await prepare()
    const source = releaseSourceFolder(state, release)
    expect(existsSync(join(source, 'compose.yml'))).toBe(true)
    expect(existsSync(join(source, 'lib'))).toBe(false)
    expect([
      statSync(join(source, 'bin/run')).mode & 0o777,
      statSync(join(source, 'server.js')).mode & 0o777,
    ]).toEqual([0o755, 0o644])
    expect(await listReleases(ports.files, state, 'demo')).toEqual([release])
    const built = statSync(releaseFolder(state, 'demo', release.releaseId)).ino
    expect(await prepare()).toEqual(release)
    expect(statSync(releaseFolder(state, 'demo', release.releaseId)).ino).toBe(built)
  })

  it('is not taken from what an interrupted build left behind', async () => {
    const release = await prepare()
    const folder = releaseFolder(state, 'demo', release.releaseId)
    await ports.files.remove(join(folder, 'release.json'))
    await ports.files.remove(join(folder, 'source/server.js'))
    write({ 'half.js': 'x' }, join(state, 'releases/demo', `.${release.releaseId}.tmp`))
    expect(await listReleases(ports.files, state, 'demo')).toEqual([])
    await prepare()
    expect(existsSync(join(folder, 'source/server.js'))).toBe(true)
    expect(await leftovers()).toEqual([release.releaseId])
  })

  it('is refused when the folder changed after it was pinned', async () => {
    const input = await fetchApp()
    write({ 'server.js': 'changed' })
    const tools = { node: process.execPath, pnpm: PNPM, npm: undefined, environment: {} }
    expect(
      await failure(prepareRelease(ports, { stateFolder: state, ...input, tools, builtBy: 'test' })),
    ).toMatch(/^SOURCE_CHANGED/)
    expect(await leftovers()).toEqual([])
  })

  it('removes the releases that nothing names any more', async () => {
    const old = await prepare()
    write({ 'server.js': 'two' })
    const kept = await prepare()
    write({ x: '' }, join(state, 'releases/demo/.1.0-abc.tmp'))
    expect(await removeReleases(ports.files, state, 'demo', [kept.releaseId])).toEqual([old.releaseId])
    expect(await leftovers()).toEqual([kept.releaseId])
  })
})

describe('dependencies', () => {
  it('are installed as locked, without scripts and without what is for development', async () => {
    write({
      'package.json': JSON.stringify({
        name: 'demo',
        packageManager: 'pnpm@9.0.0',
        scripts: { postinstall: `node -e "require('fs').writeFileSync('${scratch}/ran', '')"` },
        dependencies: { 'is-number': '7.0.0' },
        devDependencies: { 'is-odd': '3.0.1' },
      }),
      '.pnpmfile.cjs': `require('fs').writeFileSync('${scratch}/ran', '')\nmodule.exports = {}`,
      'pnpm-lock.yaml': LOCK,
    })
    const progress: string[] = []
    const release = await prepare(undefined, {}, progress)
    const modules = join(releaseSourceFolder(state, release), 'node_modules')
    expect(JSON.parse(readFileSync(join(modules, 'is-number/package.json'), 'utf8')).version).toBe('7.0.0')
    expect(existsSync(join(modules, 'is-odd'))).toBe(false)
    expect(existsSync(join(scratch, 'ran'))).toBe(false)
    expect(Object.keys(release.lockHashes)).toEqual(['.'])
    expect(progress).toContain('Install the dependencies in . from pnpm-lock.yaml')
    const imported = await ports.processes.run({
      file: process.execPath,
      args: ['--eval', 'process.stdout.write(String(require("is-number")(5)))'],
      cwd: releaseSourceFolder(state, release),
    })
    expect(imported.stdout).toBe('true')
  })

  it.skipIf(NPM === undefined)('are installed from the lock file of npm', async () => {
    write({
      'package.json': '{"name":"demo","dependencies":{"is-number":"7.0.0"}}',
      'package-lock.json': readFileSync(join(import.meta.dirname, 'cases/package-lock.json'), 'utf8'),
    })
    expect(await failure(prepare())).toMatch(/^BUILD_FAILED: it is locked by npm, and npm is not installed/)
    const release = await prepare(undefined, { npm: NPM })
    expect(existsSync(join(releaseSourceFolder(state, release), 'node_modules/is-number/package.json'))).toBe(
      true,
    )
  })

  it('without a lock file, or with one that does not match, are refused and leave nothing', async () => {
    const manifest = { name: 'demo', dependencies: { 'is-number': '7.0.0' } }
    write({ 'package.json': JSON.stringify(manifest) })
    expect(await failure(prepare())).toMatch(
      /^BUILD_FAILED: its package.json has dependencies but there is no/,
    )
    write({
      'pnpm-lock.yaml': LOCK,
      'package.json': JSON.stringify({ ...manifest, dependencies: { 'is-number': '6.0.0' } }),
    })
    expect(await failure(prepare())).toMatch(
      /^BUILD_FAILED: its dependencies could not be installed: .*(outdated|frozen|lockfile)/i,
    )
    write({ 'package.json': '[' })
    expect(await failure(prepare())).toMatch(/^BUILD_FAILED: its package.json is no JSON object/)
    expect(await leftovers()).toEqual([])
  })

  it('are not needed by a package that has none', async () => {
    write({ 'package.json': '{"type":"module"}' })
    expect((await prepare()).lockHashes).toEqual({})
  })
})

/** What pnpm 12 writes for the package of these tests. */
const LOCK = readFileSync(join(import.meta.dirname, 'cases/pnpm-lock.yaml'), 'utf8')

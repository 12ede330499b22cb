import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createClock } from '@caretaker/host/clock.ts'
import { createFiles } from '@caretaker/host/files.ts'
import { createProcesses } from '@caretaker/host/processes.ts'
import { isAppError } from '@caretaker/kernel/errors.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseApplication } from '../application/parse.ts'
import { fetchSource } from './fetch.ts'
import { gitCommand } from './git.ts'
import type { BuildTools } from './install.ts'
import { listReleases } from './list.ts'
import { prepareRelease } from './prepare.ts'
import { type Release, releaseFolder, releaseSourceFolder, type Source } from './release.ts'
import { removeReleases } from './remove.ts'
import { resolveSource } from './resolve.ts'
import { parseSource } from './source.ts'

const ports = { files: createFiles(), processes: createProcesses(), clock: createClock() }
const COMPOSE = `
services:
  web: {build: ., command: [node, server.js]}
x-caretaker:
  version: "1.0"
  web: {service: web, port: 3000, health: /}
`
const PNPM = join(import.meta.dirname, `../../../../.tools/node_modules/@pnpm/exe.linux-${process.arch}/pnpm`)
const NPM = ['/usr/bin/npm', '/usr/local/bin/npm'].find((path) => existsSync(path))

let scratch: string
let state: string
let app: string

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'caretaker-release-'))
  state = join(scratch, 'state')
  app = join(scratch, 'app')
  write({ 'compose.yml': COMPOSE, 'server.js': 'console.log(1)\n', 'lib/a.js': 'a\n' })
})

afterEach(async () => {
  await rm(scratch, { recursive: true, force: true })
})

function write(contents: Readonly<Record<string, string>>, folder = app): void {
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

const options = () => ({ cacheFolder: join(state, 'sources'), environment: networkSettings() })

/** What the surrounding of this test says about registry and certificates. */
function networkSettings(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) =>
    /^npm_config_registry$|^NODE_EXTRA_CA_CERTS$|_proxy$/i.test(name),
  )
  return Object.fromEntries(names.map((name) => [name, process.env[name] as string]))
}

async function pin(source: Source = { kind: 'folder', path: app }): Promise<string> {
  return (await resolveSource(ports, source, options())).pin
}

async function fetchApp(source: Source = { kind: 'folder', path: app }) {
  const fetched = await fetchSource(ports, await resolveSource(ports, source, options()), options())
  const application = parseApplication({
    name: 'demo',
    file: fetched.composeFile,
    text: fetched.composeText,
    environment: {},
    secrets: {},
    runtime: 'process',
  })
  return { fetched, application }
}

async function prepare(
  source?: Source,
  tools: Partial<BuildTools> = {},
  progress: string[] = [],
): Promise<Release> {
  return prepareRelease(ports, {
    stateFolder: state,
    ...(await fetchApp(source)),
    tools: { node: process.execPath, pnpm: PNPM, npm: undefined, environment: networkSettings(), ...tools },
    builtBy: 'test',
    progress: (line) => progress.push(line),
  })
}

async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main']
  const result = await ports.processes.run(gitCommand([...identity, ...args], { environment: {} }, folder))
  if (result.exitCode !== 0) throw new Error(result.stderr)
  return result.stdout.trim()
}

async function commitAll(message: string): Promise<string> {
  await git(app, 'init', '--quiet')
  await git(app, 'add', '--all')
  await git(app, 'commit', '--quiet', '--message', message)
  return git(app, 'rev-parse', 'HEAD')
}

async function tar(archive: string, ...args: readonly string[]): Promise<Source> {
  const path = join(scratch, archive)
  const result = await ports.processes.run({
    file: 'tar',
    args: ['--create', '--file', path, ...args],
    env: { PATH: '/usr/bin:/bin' },
  })
  if (result.exitCode !== 0) throw new Error(result.stderr)
  return { kind: 'archive', path }
}

async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing was refused'
  } catch (error) {
    return isAppError(error) ? `${error.code}: ${error.why}` : String(error)
  }
}

const leftovers = async () =>
  ((await ports.files.list(join(state, 'releases/demo'))) ?? []).map(({ name }) => name)

describe('the pin of a folder', () => {
  it('changes with contents, names, executable bits and links, and with nothing else', async () => {
    const before = await pin()
    write({ 'node_modules/x/index.js': 'x', '.git/HEAD': 'x', '.dockerignore': 'logs\n*.tmp\n!keep.tmp\n' })
    const ignoring = await pin()
    write({ 'logs/a.log': 'x', 'b.tmp': 'x' })
    chmodSync(join(app, 'server.js'), 0o600)
    expect(await pin()).toBe(ignoring)
    expect(ignoring).not.toBe(before)
    const seen = new Set([ignoring])
    write({ 'keep.tmp': 'x' })
    seen.add(await pin())
    write({ 'server.js': 'console.log(2)\n' })
    seen.add(await pin())
    chmodSync(join(app, 'server.js'), 0o755)
    seen.add(await pin())
    symlinkSync('a.js', join(app, 'lib/b.js'))
    seen.add(await pin())
    expect(seen.size).toBe(5)
  })

  it('does not follow links out of the source', async () => {
    symlinkSync('../../etc/passwd', join(app, 'lib/out'))
    expect(await failure(pin())).toBe(
      'SOURCE_REFUSED: the link "lib/out" leads out of it, to "../../etc/passwd"',
    )
  })

  it('says what is missing', async () => {
    expect(await failure(pin({ kind: 'folder', path: join(scratch, 'none') }))).toMatch(
      /^SOURCE_NOT_FOUND: there is no folder/,
    )
    await ports.files.remove(join(app, 'compose.yml'))
    expect(await failure(fetchApp())).toMatch(/^COMPOSE_NOT_FOUND/)
  })
})

describe('an archive', () => {
  it('has the pin of the folder it was made from', async () => {
    expect(await pin(await tar('a.tar', '--directory', app, '.'))).toBe(await pin())
    const packed = await tar('a.tar.gz', '--gzip', '--directory', app, '.')
    expect((await prepare(packed)).pin).toBe(await pin())
  })

  it('is refused when a name or a link leads out of it', async () => {
    const outside = join(scratch, 'outside')
    mkdirSync(join(scratch, 'deep'))
    const climbing = await tar(
      'climb.tar',
      '--absolute-names',
      '--directory',
      join(scratch, 'deep'),
      '../app',
    )
    expect(await failure(pin(climbing))).toMatch(/^SOURCE_REFUSED: "\.\.\/app\/?" leads out/)
    const absolute = await tar('absolute.tar', '--absolute-names', join(app, 'server.js'))
    expect(await failure(pin(absolute))).toMatch(/^SOURCE_REFUSED: .* leads out/)

    // A link to a folder outside, then a file written through it.
    symlinkSync(outside, join(scratch, 'deep/door'))
    mkdirSync(join(scratch, 'second/door'), { recursive: true })
    write({ 'door/owned': 'x' }, join(scratch, 'second'))
    mkdirSync(outside)
    const through = await tar(
      'through.tar',
      '--directory',
      join(scratch, 'deep'),
      'door',
      '--directory',
      join(scratch, 'second'),
      'door/owned',
    )
    expect(await failure(pin(through))).toMatch(/^SOURCE_(REFUSED|NOT_FOUND)/)
    expect(existsSync(join(outside, 'owned'))).toBe(false)
  })

  it('is refused when it holds a pipe, or is none', async () => {
    await ports.processes.run({ file: 'mkfifo', args: [join(app, 'pipe')], env: { PATH: '/usr/bin:/bin' } })
    expect(await failure(pin(await tar('pipe.tar', '--directory', app, '.')))).toMatch(
      /^SOURCE_REFUSED: it holds something that is neither/,
    )
    write({ 'x.tar.gz': 'no archive' }, scratch)
    expect(await failure(pin({ kind: 'archive', path: join(scratch, 'x.tar.gz') }))).toMatch(
      /^SOURCE_NOT_FOUND/,
    )
    expect(await leftoversOfCache()).toEqual([])
  })

  it('is refused when it would unpack to more than the limit', async () => {
    await ports.processes.run({
      file: 'truncate',
      args: ['--size', '3G', join(app, 'huge')],
      env: { PATH: '/usr/bin:/bin' },
    })
    const bomb = await tar('bomb.tar.gz', '--gzip', '--sparse', '--directory', app, '.')
    await expect(pin(bomb)).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      what: `The archive ${join(scratch, 'bomb.tar.gz')} cannot be used`,
      why: 'it holds more than 2.0 GiB',
    })
  })
})

const leftoversOfCache = async () =>
  ((await ports.files.list(join(state, 'sources'))) ?? []).map(({ name }) => name)

describe('a git repository', () => {
  it('is pinned by branch, tag and commit, and taken as it was pinned', async () => {
    const first = await commitAll('one')
    await git(app, 'tag', '--annotate', 'v1', '--message', 'v1')
    write({ 'server.js': 'console.log(2)\n' })
    const second = await commitAll('two')
    const at = (ref?: string) => parseSource({ text: `file://${app}`, ref, baseFolder: '/' })
    expect(await pin(at('v1'))).toBe(`git:${first}`)
    expect(await pin(at('main'))).toBe(`git:${second}`)
    expect(await pin(at())).toBe(`git:${second}`)
    expect(await pin(at(first))).toBe(`git:${first}`)

    const pinned = await resolveSource(ports, at('main'), options())
    write({ 'server.js': 'console.log(3)\n' })
    await commitAll('three')
    const fetched = await fetchSource(ports, pinned, options())
    expect(readFileSync(join(fetched.folder, 'server.js'), 'utf8')).toBe('console.log(2)\n')
    expect(existsSync(join(fetched.folder, '.git'))).toBe(false)
    expect((await prepare(at('v1'))).releaseId).toBe(`1.0-${first.slice(0, 12)}`)
  })

  it('can hold the application in a folder', async () => {
    write({ 'apps/other/compose.yaml': COMPOSE.replace('"1.0"', '"2.0"') })
    await commitAll('one')
    expect(
      (await prepare(parseSource({ text: `file://${app}#main:apps/other`, baseFolder: '/' }))).version,
    ).toBe('2.0')
  })

  it('says what is missing, and runs nothing that the repository brings', async () => {
    const commit = await commitAll('one')
    const at = (ref?: string) => parseSource({ text: `file://${app}`, ref, baseFolder: '/' })
    expect(await failure(pin(at('nope')))).toBe('SOURCE_NOT_FOUND: it has no branch or tag "nope"')
    expect(await failure(pin(at(commit.slice(0, 8))))).toMatch(/all its 40 characters/)
    expect(await failure(fetchApp(at('0'.repeat(40))))).toMatch(/^SOURCE_NOT_FOUND: it has no commit/)
    expect(
      await failure(pin({ kind: 'git', url: `file://${scratch}/none`, ref: undefined, folder: undefined })),
    ).toMatch(/^SOURCE_NOT_FOUND/)
    expect(await leftoversOfCache()).toEqual([])
    const marker = join(scratch, 'ran')
    const hostile: Source = {
      kind: 'git',
      url: `ext::touch ${marker}`,
      ref: undefined,
      folder: undefined,
    }
    expect(await failure(pin(hostile))).toMatch(/^SOURCE_NOT_FOUND/)
    expect(existsSync(marker)).toBe(false)
  })
})

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

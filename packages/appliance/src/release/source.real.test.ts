import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { fetchSource } from './fetch.ts'
import {
  app,
  COMPOSE,
  commitAll,
  failure,
  fetchApp,
  git,
  leftoversOfCache,
  options,
  pin,
  ports,
  prepare,
  removeScratch,
  resetScratch,
  scratch,
  tar,
  write,
} from './release.fixture.ts'
import { type Source } from './release.ts'
import { resolveSource } from './resolve.ts'
import { parseSource } from './source.ts'

beforeEach(resetScratch)
afterAll(removeScratch)

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

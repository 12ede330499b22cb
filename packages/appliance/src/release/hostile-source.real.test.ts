import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, test } from 'vitest'
import { fetchSource } from './fetch.ts'
import {
  app,
  COMPOSE,
  commitAll,
  failure,
  fetchApp,
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
import { resolveSource } from './resolve.ts'
import { parseSource } from './source.ts'

const isRoot = process.getuid?.() === 0
const outside = mkdtempSync(join(tmpdir(), 'hostile-source-'))
beforeEach(async () => {
  await resetScratch()
  write({ 'compose.yml': COMPOSE, 'server.js': 'stolen\n' }, outside)
})
afterAll(async () => {
  rmSync(outside, { recursive: true })
  await removeScratch()
})

describe('an archive', () => {
  it('brings no set-user rights onto this machine', async () => {
    chmodSync(join(app, 'server.js'), 0o6777)
    const source = await tar('suid.tar', '--directory', app, '.')
    const fetched = await fetchSource(ports, await resolveSource(ports, source, options()), options())
    expect(statSync(join(fetched.folder, 'server.js')).mode & 0o7002).toBe(0)
  })

  it('cannot hide where a name leads behind the mark of a link', async () => {
    const name = 'a link to b/../../escaped'
    const source = await tar(
      'mark.tar',
      '--directory',
      app,
      '--transform',
      `s,server.js,${name},`,
      'server.js',
    )
    expect(await failure(pin(source))).toMatch(/^SOURCE_REFUSED: ".*" leads out/)
  })

  it.runIf(isRoot)('is refused when it holds devices', async () => {
    await ports.processes.run({
      file: 'mknod',
      args: [join(app, 'disk'), 'b', '7', '0'],
      env: { PATH: '/usr/bin:/bin' },
    })
    expect(await failure(pin(await tar('device.tar', '--directory', app, '.')))).toMatch(/^SOURCE_REFUSED/)
  })

  it('writes nothing through a hard link to a link', async () => {
    symlinkSync(outside, join(app, 'door'))
    linkSync(join(app, 'door'), join(app, 'again'))
    mkdirSync(join(scratch, 'second/again'), { recursive: true })
    write({ 'again/owned': 'x' }, join(scratch, 'second'))
    const source = await tar(
      'hard.tar',
      '--directory',
      app,
      'door',
      'again',
      '--directory',
      join(scratch, 'second'),
      'again/owned',
    )
    expect(await failure(pin(source))).toMatch(/^SOURCE_(REFUSED|NOT_FOUND)/)
    expect(existsSync(join(outside, 'owned'))).toBe(false)
  })
})

describe('a link out of the source', () => {
  const at = (folder: string) => parseSource({ text: `file://${app}#main:${folder}`, baseFolder: '/' })

  test.each(['door', 'door/inner'])('is no folder of an application in git (%s)', async (folder) => {
    symlinkSync(outside, join(app, 'door'))
    write({ 'inner/compose.yml': COMPOSE }, outside)
    await commitAll('one')
    expect(await failure(fetchApp(at(folder)))).toMatch(/^SOURCE_REFUSED: "door.*" leads over a link/)
  })

  it('is no build context, also over links that stay inside one by one', async () => {
    mkdirSync(join(app, 'd'))
    symlinkSync('..', join(app, 'd/up'))
    symlinkSync('d/up/..', join(app, 'context'))
    write({ 'compose.yml': COMPOSE.replace('build: .', 'build: ./context') })
    expect(await failure(prepare())).toMatch(/^(BUILD_FAILED|SOURCE_REFUSED)/)
  })
})

test.each([
  'ssh://-oProxyCommand=touch%20x/a',
  'ssh://%2doProxyCommand=touch/a',
  '-u@host:x',
  '--upload-pack=touch x',
  'ext::sh -c touch% x',
  'https://user:word@host/a',
  'http://host/a',
  'git://host/a',
  'file://host/a',
  'fd::17',
  'https://host/a#--upload-pack=x',
  'https://host/a#../../x',
  'https://host/a#main:../x',
  'https://host/a#main:/etc',
  'https://host/a#a..b',
  'https://host/a#refs/heads/x.lock',
  'https://host/a\nb',
  'a\0b',
  '',
  '~/x',
])('a source of %j is refused', (text) => {
  expect(() => parseSource({ text, baseFolder: '/' })).toThrow(
    expect.objectContaining({ code: 'SOURCE_REFUSED' }) as Error,
  )
})

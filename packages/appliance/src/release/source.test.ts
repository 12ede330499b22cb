import { isAppError } from '@caretaker/kernel/errors.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSource, parseSource } from './source.ts'

const parse = (text: string, ref?: string) => parseSource({ text, ref, baseFolder: '/etc/caretaker' })

const codeOf = (text: string, ref?: string): string => {
  try {
    parse(text, ref)
    return 'accepted'
  } catch (error) {
    if (isAppError(error)) return error.code
    throw error
  }
}

const git = (url: string, ref?: string, folder?: string) => ({ kind: 'git', url, ref, folder })

describe('parseSource', () => {
  it.each([
    ['/srv/app', { kind: 'folder', path: '/srv/app' }],
    ['./app', { kind: 'folder', path: '/etc/caretaker/app' }],
    ['../app/', { kind: 'folder', path: '/etc/app' }],
    ['app.tar.gz', { kind: 'archive', path: '/etc/caretaker/app.tar.gz' }],
    ['/a/b.TGZ', { kind: 'archive', path: '/a/b.TGZ' }],
    ['https://git.example/x.git', git('https://git.example/x.git')],
    ['git+https://git.example/x#v1.2', git('https://git.example/x', 'v1.2')],
    ['https://git.example/x#feature/a:sub/app', git('https://git.example/x', 'feature/a', 'sub/app')],
    ['https://git.example/x#:sub', git('https://git.example/x', undefined, 'sub')],
    ['ssh://git@host.example:2222/x', git('ssh://git@host.example:2222/x')],
    ['git@host.example:group/x.git#main', git('git@host.example:group/x.git', 'main')],
    ['file:///srv/x.git', git('file:///srv/x.git')],
  ])('%s', (text, expected) => {
    expect(parse(text)).toEqual(expected)
  })

  it('takes a branch from beside the URL', () => {
    expect(parse('https://git.example/x', 'main')).toEqual(git('https://git.example/x', 'main'))
  })

  it.each([
    '',
    '-oProxyCommand=id',
    '--upload-pack=id',
    'ext::sh -c id',
    'git+ext::sh',
    'fd::17',
    'https://user:token@git.example/x',
    'http://git.example/x',
    'git://git.example/x',
    'ssh://-oProxyCommand=id/x',
    'file://host/x',
    'https://git.example/x#--upload-pack=id',
    'https://git.example/x#a..b',
    'https://git.example/x#main:../../etc',
    'https://git.example/x#main:/etc',
    'a\nb',
    'a\0b',
    '~/app',
    'app.zip',
    'app.tar.xz',
  ])('refuses %j', (text) => {
    expect(codeOf(text)).toBe('SOURCE_REFUSED')
  })

  it.each([
    'nginx:1.27',
    'registry.example:5000/a/b@sha256:0a',
    'docker://nginx',
    'https://x.example/app.tar.gz',
  ])('says that %s is not built yet', (text) => {
    expect(codeOf(text)).toBe('NOT_IN_THIS_VERSION')
  })

  it('refuses a branch for a folder, and two that contradict each other', () => {
    expect(codeOf('/srv/app', 'main')).toBe('SOURCE_REFUSED')
    expect(codeOf('https://git.example/x#a', 'b')).toBe('SOURCE_REFUSED')
  })

  it('never lets an option, a helper or a control character through, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (text, ref) => {
        if (codeOf(text, ref) !== 'accepted') return true
        const source = parse(text, ref)
        const values = source.kind === 'git' ? [source.url, source.ref ?? ''] : [source.path]
        const isSafe = (value: string) =>
          !value.startsWith('-') && value.split('').every((character) => character > '\u001f')
        return values.every(isSafe) && (source.kind !== 'git' || !source.url.includes('::'))
      }),
    )
  })

  it('comes back from its text', () => {
    for (const text of [
      '/srv/app',
      'https://git.example/x#v1:sub',
      'https://git.example/x#HEAD:sub',
      'git@h.example:x',
    ]) {
      expect(formatSource(parse(text))).toBe(text)
    }
  })
})

import { expect, it } from 'vitest'
import { PLAIN, type Style } from '../cli/style.ts'
import { appShow } from './app.ts'

it('app show tells in words until when a state is kept, not in JSON', () => {
  const snapshots = [
    { name: 'failed-1', size_bytes: 12, state: 'complete', kept_until: '2026-11-27T12:00:00Z' },
  ]
  const render = (data: object) => (appShow.render as (data: object, style: Style) => string)(data, PLAIN)
  expect(render({ app: 'guestbook', release: null, releases: ['v1', 'v2'], snapshots }).split('\n')).toEqual([
    'app        guestbook',
    'release    -',
    'releases   v1',
    '           v2',
    'snapshots  name failed-1, size_bytes 12, state complete, kept_until 2026-11-27T12:00:00Z',
  ])
})

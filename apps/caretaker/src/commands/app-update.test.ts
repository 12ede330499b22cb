import { expect, it } from 'vitest'
import { PLAIN, type Style } from '../cli/style.ts'
import { appHistory, appRollback } from './app-update.ts'

const render = (data: object) => (appRollback.render as (data: object, style: Style) => string)(data, PLAIN)
const loss = { tables: [{ table: 'public.entry', now: 3, before: 2 }], files: { now: 4, before: 4 } }
const done = { nothing_to_do: false, app: 'guestbook', from: 'v2', to: 'v1', exit_code: 0 }

it('a way back says in words what it loses: in its dry run, and when it was done', () => {
  const words =
    'public.entry: 3 rows now, 2 then; whatever was added or changed since is lost, also where the counts do not show it.'
  expect(render({ plan: [], loss })).toContain(`Would be gone: ${words}`)
  expect(render({ ...done, loss })).toContain(`Is gone: ${words}`)
})

it('where the data stays, nothing is said to be lost', () => {
  expect(render({ ...done, loss: null })).not.toContain('gone')
})

it('the history tells why a release went back by itself', () => {
  const entry = {
    at: '2026-11-20T20:00:00.000Z',
    version: 'v1',
    kind: 'rollback',
    duration_ms: 900,
    user: 'root',
  }
  const gone = { ...entry, via: 'daemon', migrated: false, why: 'the service web is in a crash loop' }
  const data = { app: 'guestbook', releases: [gone], tries: [] }
  const text = (appHistory.render as (data: object, style: Style) => string)(data, PLAIN)
  expect(text).toContain('the service web is in a crash loop')
})

it('the history tells in lines that fit what went back with its data, and why', () => {
  const by = { user: 'ann', via: 'cli', duration_ms: 1200, migrated: false }
  const releases = [
    { ...by, at: '1', version: 'v2', kind: 'update', snapshot: null, no_rehearsal: 'it is urgent' },
    {
      ...by,
      at: '2',
      version: 'v1',
      kind: 'rollback',
      snapshot: 'before-rollback-2',
      why: 'web ended 5 times',
    },
  ]
  const tries = [{ at: '3', state: 'undone', why: `no\n${'log '.repeat(300)}`, user: 'ann', via: 'cli' }]
  const data = { app: 'guestbook', releases, tries }
  const lines = (appHistory.render as (data: object, style: Style) => string)(data, PLAIN).split('\n')
  expect(lines[1]).toMatch(/v2 +update +- +1\.2 s +ann \(cli\) +not rehearsed: it is urgent$/)
  expect(lines[2]).toMatch(/v1 +rollback +went back +1\.2 s +ann \(cli\) +web ended 5 times$/)
  expect(lines[3]).toMatch(/undone .* no log log .*…$/)
  expect(lines[3]?.length).toBeLessThan(160)
})

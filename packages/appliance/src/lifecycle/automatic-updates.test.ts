import { expect, test } from 'vitest'
import type { AppUpdate } from './app-updates.ts'
import { decideAutomatic } from './automatic-updates.ts'

const READY: AppUpdate = {
  app: 'shop',
  state: 'ready',
  runs: '1',
  holds: '2',
  release: '2-x',
  since: '2026-11-01T00:00:00.000Z',
  why: 'rehearsed',
  next: null,
  rehearsal: null,
}
const around = { now: new Date('2026-11-08T02:00:00Z'), isWindowOpen: true, holdDays: 7 }

test('what is ready, old enough and inside the window is taken', () => {
  expect(decideAutomatic(READY, around)).toMatchObject({ app: 'shop', kind: 'update' })
})

test.each([
  ['too new', READY, { ...around, now: new Date('2026-11-07T23:59:00Z') }, 'held until 2026-11-08'],
  ['outside the window', READY, { ...around, isWindowOpen: false }, 'waits for the window'],
  ['refused', { ...READY, state: 'refused', why: 'its rehearsal failed' } as const, around, 'failed'],
  ['what runs', { ...READY, state: 'up-to-date', since: null, why: null } as const, around, 'it runs 2'],
  ['unknown', { ...READY, state: 'unknown', why: 'no such folder' } as const, around, 'no such folder'],
] as const)('%s waits', (_what, update, given, why) => {
  expect(decideAutomatic(update, given)).toMatchObject({ kind: 'wait', why: expect.stringContaining(why) })
})

test('what was not rehearsed is rehearsed, also outside the window', () => {
  const found = { ...READY, state: 'available' } as const
  expect(decideAutomatic(found, { ...around, isWindowOpen: false })).toMatchObject({ kind: 'rehearse' })
})

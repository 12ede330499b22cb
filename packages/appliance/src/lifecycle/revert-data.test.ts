import { DAY_MS } from '@caretaker/kernel/time.ts'
import { expect, it } from 'vitest'
import type { KeptSnapshot } from './app-records.ts'
import { keptTooLong } from './revert-data.ts'

const NOW_MS = Date.parse('2026-11-20T12:00:00Z')

const kept = (kind: KeptSnapshot['kind'], ageDays: number): KeptSnapshot => ({
  snapshot: `${kind}-${ageDays}`,
  kind,
  since: new Date(NOW_MS - ageDays * DAY_MS).toISOString(),
  until: new Date(NOW_MS + (7 - ageDays) * DAY_MS).toISOString(),
})

it('a failed state goes when its time is over, or when two younger ones are there', () => {
  const all = [kept('failed', 3), kept('failed', 1), kept('failed', 2), kept('failed', 8)]
  expect(keptTooLong(all, NOW_MS).map(({ snapshot }) => snapshot)).toEqual(['failed-3', 'failed-8'])
})

it('so does what a rollback left; the two kinds are counted each for itself', () => {
  const all = [
    kept('before-rollback', 2),
    kept('before-rollback', 1),
    kept('failed', 1),
    kept('failed', 2),
    kept('before-rollback', 3),
  ]
  expect(keptTooLong(all, NOW_MS).map(({ snapshot }) => snapshot)).toEqual(['before-rollback-3'])
})

it('the snapshot from before a migration goes by its time alone', () => {
  const all = [kept('pre-migrate', 1), kept('pre-migrate', 2), kept('pre-migrate', 3)]
  expect(keptTooLong(all, NOW_MS)).toEqual([])
})

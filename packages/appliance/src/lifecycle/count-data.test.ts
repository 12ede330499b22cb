import { expect, test } from 'vitest'
import { lossOf, sayLoss, type TableCount } from './count-data.ts'

const rows = (count: number, digest = `${count}`): TableCount => ({ rows: count, digest })

test('what would be lost is said by table and by file', () => {
  const now = {
    tables: { 'public.entry': rows(12), 'public.visit': rows(3), 'public.same': rows(1) },
    files: 9,
  }
  const before = {
    tables: { 'public.entry': rows(10), 'public.old': rows(4), 'public.same': rows(1) },
    files: 7,
  }
  const loss = lossOf(now, before)
  expect(loss.tables.map(({ table }) => table)).toEqual(['public.entry', 'public.old', 'public.visit'])
  expect(sayLoss(loss)).toBe(
    'public.entry: 12 rows now, 10 then; (the table public.old comes back with 4 rows); the table public.visit with 3 rows; files: 9 now, 7 then; whatever was added or changed since is lost, also where the counts do not show it',
  )
})

test('rows that were changed in place are part of the loss', () => {
  const now = { tables: { 'public.entry': rows(5, 'edited') }, files: 2 }
  const before = { tables: { 'public.entry': rows(5, 'as written') }, files: 2 }
  expect(lossOf(now, before).tables).toEqual([{ table: 'public.entry', now: 5, before: 5 }])
  expect(sayLoss(lossOf(now, before))).toContain('public.entry: 5 rows now and then, not the same ones')
})

test('an empty table that the migration made is no loss', () => {
  const now = { tables: { 'public.applause': rows(0) }, files: 2 }
  expect(lossOf(now, { tables: {}, files: 2 }).tables).toEqual([])
})

test('equal counts do not mean that nothing is lost', () => {
  const same = { tables: { 'public.entry': rows(1) }, files: 2 }
  expect(sayLoss(lossOf(same, same))).toContain('added or changed since is lost')
})

import { expect, test } from 'vitest'
import { lossOf, sayLoss } from './count-data.ts'

test('what would be lost is said by table and by file', () => {
  const now = { tables: { 'public.entry': 12, 'public.visit': 3, 'public.same': 1 }, files: 9 }
  const before = { tables: { 'public.entry': 10, 'public.old': 4, 'public.same': 1 }, files: 7 }
  const loss = lossOf(now, before)
  expect(loss.tables.map(({ table }) => table)).toEqual(['public.entry', 'public.old', 'public.visit'])
  expect(sayLoss(loss)).toBe(
    'public.entry: 12 rows now, 10 then; (the table public.old comes back with 4 rows); the table public.visit with 3 rows; files: 9 now, 7 then',
  )
})

test('equal counts do not mean that nothing is lost', () => {
  const same = { tables: { 'public.entry': 1 }, files: 2 }
  expect(sayLoss(lossOf(same, same))).toContain('changed in place')
})

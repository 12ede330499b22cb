import { describe, expect, it } from 'vitest'
import { applianceId, generatePassword, isName, operationId, readableId } from './ids.ts'

describe('isName', () => {
  it.each(['a', 'guestbook', 'a1', 'a-b', 'x'.repeat(40)])('allows "%s"', (text) => {
    expect(isName(text)).toBe(true)
  })
  it.each(['', '1a', '-a', 'a-', 'A', 'a_b', 'a.b', 'a/b', '../a', 'a b', 'ä', 'a\n', 'x'.repeat(41)])(
    'refuses %j: it becomes part of paths and host names',
    (text) => {
      expect(isName(text)).toBe(false)
    },
  )
})

describe('operationId', () => {
  it('says when and what, and holds only what the journal folder accepts', () => {
    const id = operationId('app add', new Date('2026-11-20T09:30:12.345Z'))
    expect(id).toMatch(/^20261120-093012-app-add-[2-9a-hjkmnp-z]{4}$/)
  })
  it('sorts by time', () => {
    const at = (text: string) => operationId('up', new Date(text))
    const ids = [at('2026-12-01T00:00:00Z'), at('2026-11-30T23:59:59Z'), at('2027-01-01T00:00:00Z')]
    expect(ids.toSorted().map((id) => id.slice(0, 8))).toEqual(['20261130', '20261201', '20270101'])
  })
})

it('readable ids hold no letters that are taken for one another', () => {
  expect(readableId(2000)).toMatch(/^[23456789abcdefghjkmnpqrstuvwxyz]{2000}$/)
})

it('generated values are long and never the same', () => {
  const passwords = new Set(Array.from({ length: 100 }, generatePassword))
  expect(passwords.size).toBe(100)
  for (const password of passwords) expect(password).toMatch(/^[A-Za-z0-9_-]{32}$/)
  expect(applianceId()).not.toBe(applianceId())
})

import { expect, test } from 'vitest'
import { chooseCertificate, unfitBecause } from './choose.ts'
import { candidate, inDays, issue, NOW } from './testing.fixture.ts'

const SHOP = ['shop.example.org']
const own = await candidate('own-ca', 'app-shop', SHOP, NOW, 397)
const acme = await candidate('acme', 'app-shop', SHOP, NOW, 90)

test('one from elsewhere is shown before one of the own authority, whatever lasts longer', () => {
  expect(chooseCertificate('shop.example.org', [own, acme], inDays(1))).toEqual({
    candidate: acme,
    instead: undefined,
  })
  expect(chooseCertificate('shop.example.org', [own], inDays(1))?.candidate).toBe(own)
})

test('the own authority takes over before the other has ended, and it is said why', () => {
  expect(chooseCertificate('shop.example.org', [own, acme], inDays(88.9))?.candidate).toBe(acme)
  expect(chooseCertificate('shop.example.org', [own, acme], inDays(89.1))).toEqual({
    candidate: own,
    instead: { candidate: acme, because: 'ends-soon' },
  })
  expect(chooseCertificate('shop.example.org', [own, acme], inDays(91))?.instead?.because).toBe('ended')
})

test('of several the newest is shown though another lasts longer, and the wildcard where it covers the host', async () => {
  const newer = await candidate('acme', 'app-shop', SHOP, inDays(60), 10)
  const wildcard = await candidate('acme', 'wildcard', ['*.example.org', 'example.org'], NOW, 60)
  const all = [newer, acme, wildcard, own]
  expect(chooseCertificate('shop.example.org', all, inDays(61))?.candidate).toBe(newer)
  expect(chooseCertificate('wiki.example.org', all, inDays(1))?.candidate).toBe(wildcard)
  expect(chooseCertificate('example.org', all, inDays(1))?.candidate).toBe(wildcard)
  expect(chooseCertificate('a.wiki.example.org', all, inDays(1))).toBeUndefined()
})

test('one that the clock calls not yet valid is not shown; without another one a bad one is better than none', async () => {
  const future = await candidate('acme', 'app-shop', SHOP, inDays(30), 90)
  expect(chooseCertificate('shop.example.org', [own, future], NOW)).toMatchObject({
    candidate: own,
    instead: { because: 'not-yet-valid' },
  })
  expect(chooseCertificate('shop.example.org', [acme], inDays(95))?.candidate).toBe(acme)
})

test('short lifetimes give way in time too', async () => {
  const { certPem } = await issue(SHOP, NOW, 5)
  // Backdated by a day: a lifetime of six days, of which a thirtieth is 4.8 hours.
  expect(unfitBecause(certPem, inDays(4.7))).toBeUndefined()
  expect(unfitBecause(certPem, inDays(4.81))).toBe('ends-soon')
})

import { expect, test } from 'vitest'
import { openAcmeLab } from './testing/acme-lab.fixture.ts'

test('an appliance gets a certificate for each application, shows it at once, and asks for no more', async () => {
  await using acme = await openAcmeLab(['shop', 'wiki'])
  const report = await acme.up()
  expect(report.errors).toEqual([])
  expect(report.warnings).toEqual([])
  expect(report.exit_code).toBe(0)
  expect(await acme.issuer('shop.example.test')).toBe('pebble')
  expect(await acme.issuer('wiki.example.test')).toBe('pebble')
  expect(await acme.issuer('appliance.example.test')).toBe('own-ca')
  const asked = acme.pebble.seen.length
  const first = await acme.shown('shop.example.test')
  expect((await acme.up()).nothing_to_do).toBe(true)
  await acme.tend()
  expect(acme.pebble.seen.length).toBe(asked)
  expect((await acme.shown('shop.example.test')).fingerprint256).toBe(first.fingerprint256)
  const { certificates } = await acme.report()
  expect(certificates.filter(({ source }) => source === 'acme')).toMatchObject([
    { host: 'shop.example.test', certificate: 'app-shop', shown: true, days_left: 89, problem: null },
    { host: 'wiki.example.test', certificate: 'app-wiki', shown: true, days_left: 89, problem: null },
  ])
})

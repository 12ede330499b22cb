import { expect, test } from 'vitest'
import { canCaddy, parseCaddyVersion } from './caddy-version.ts'

test.each([
  ['2.6.2\n', '2.6.2'],
  ['v2.8.4 h1:q3pe0wpBj1OcHFZ3n/1nl4V4bxBrYoSoab7rL9BMYNk=\n', '2.8.4'],
  ['(devel)', undefined],
  ['', undefined],
])('%j is %s', (output, version) => {
  expect(parseCaddyVersion(output)).toBe(version)
})

test.each([
  ['2.5.9', false, false],
  ['2.6.2', true, false],
  ['2.10.0', true, true],
  ['3.0.0', true, true],
])('%s can be our gateway: %s, with PROXY protocol: %s', (version, gateway, proxyProtocol) => {
  expect([canCaddy(version, 'gateway'), canCaddy(version, 'proxyProtocol')]).toEqual([gateway, proxyProtocol])
})

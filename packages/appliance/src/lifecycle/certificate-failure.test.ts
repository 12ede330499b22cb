import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { expect, test } from 'vitest'
import { afterFailure } from '../certificates/acme/retry.ts'
import type { CertificateState } from '../certificates/acme/state.ts'
import { candidate, inDays, NOW } from '../certificates/testing.fixture.ts'
import { parseConfig } from '../config/parse.ts'
import { configText } from '../config/testing/fixture.ts'
import { certificateFailure, certificateTroubles } from './certificate-failure.ts'
import { chosenForHosts, gatewayCertificates } from './chosen-certificates.ts'

const configOf = (...tls: string[]) =>
  parseConfig(
    configText(['tls:', ...tls, 'applications:', '  shop: { source: ./shop }', '  wiki: { source: ./wiki }']),
    'appliance.yml',
  ).config
const config = configOf('  mode: acme', '  acme: { accept_terms: true }')
const names = ['appliance.example.org', 'example.org']
const own = [
  await candidate('own-ca', 'appliance', names, NOW, 397),
  await candidate('own-ca', 'app-shop', ['shop.example.org'], NOW, 397),
  await candidate('own-ca', 'app-wiki', ['wiki.example.org'], NOW, 397),
]
const shop = await candidate('acme', 'app-shop', ['shop.example.org'], NOW, 90)
const wiki = await candidate('acme', 'app-wiki', ['wiki.example.org'], NOW, 90)
const empty: CertificateState = { certificates: {}, provided: {} }

function failed(code: ErrorReport['code'], kind: 'domain' | 'unreachable'): CertificateState['directory'] {
  const error: ErrorReport = { code, what: 'No certificate', why: 'it said no', next: 'do', exit_code: 3 }
  return afterFailure(undefined, { kind, retryAfterMs: undefined, error }, NOW)
}
const failureOf = (
  state: CertificateState,
  candidates: readonly Parameters<typeof chosenForHosts>[1][number][],
  at = NOW,
) => certificateFailure(certificateTroubles(config, state, chosenForHosts(config, candidates, at), [], at))

test('nothing is wrong while certificates are good, or have not been tried yet', () => {
  expect(failureOf(empty, [...own, shop, wiki])).toBeUndefined()
  expect(failureOf(empty, own)).toBeUndefined()
})

test('a server that is away is an alarm when there is no certificate, or not much left of it', () => {
  const state = { ...empty, directory: failed('ACME_UNREACHABLE', 'unreachable') }
  expect(failureOf(state, own)?.code).toBe('ACME_UNREACHABLE')
  expect(failureOf(state, [...own, shop, wiki], inDays(61))).toBeUndefined()
  expect(failureOf(state, [...own, shop, wiki], inDays(80))?.code).toBe('ACME_UNREACHABLE')
})

test('a name that was not proved is one at once: a person has to do something', () => {
  const retry = failed('ACME_DOMAIN_FAILED', 'domain')
  const state = { ...empty, certificates: { 'app-shop': { retry } } }
  expect(failureOf(state, [...own, shop, wiki], inDays(61))?.code).toBe('ACME_DOMAIN_FAILED')
})

test('the most urgent is named, with the cause and with what else is wrong', () => {
  const state = {
    ...empty,
    certificates: { 'app-wiki': { retry: failed('ACME_REFUSED', 'domain') } },
    directory: failed('ACME_UNREACHABLE', 'unreachable'),
  }
  expect(failureOf(state, [...own, shop], inDays(89.5))).toMatchObject({
    code: 'CERTIFICATE_EXPIRING',
    what: expect.stringContaining('shop.example.org'),
    why: expect.stringMatching(/ends on 2027-02-18.*it said no.*No certificate: it said no/s),
  })
})

test('with provided certificates a host that none of them names is said', () => {
  const provided = configOf('  mode: provided', '  provided: [{ certificate: a.crt, key: a.key }]')
  const choices = chosenForHosts(provided, [...own, { ...shop, source: 'provided' }], NOW)
  expect(certificateFailure(certificateTroubles(provided, empty, choices, [], NOW))).toMatchObject({
    code: 'CERTIFICATE_INVALID',
    what: expect.stringContaining('wiki.example.org'),
  })
})

test('the gateway is told one entry for each certificate of each owner, the appliance first', () => {
  const told = gatewayCertificates(chosenForHosts(config, [...own, shop], NOW))
  expect(told.map(({ hosts, certificateFile }) => [hosts.join(), certificateFile])).toEqual([
    [names.join(), own[0]?.certificateFile],
    ['shop.example.org', shop.certificateFile],
    ['wiki.example.org', own[2]?.certificateFile],
  ])
})

import { X509Certificate } from 'node:crypto'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { expect, test } from 'vitest'
import {
  authorityCertificate,
  createAuthorityKey,
  issueServerCertificate,
  selfSignedCertificate,
} from './authority.ts'
import { coversHosts, isIssuedBy, needsRenewal } from './renewal.ts'

const now = new Date('2026-11-20T09:00:00Z')
const hosts = ['guestbook.localhost', '*.apps.localhost', 'localhost', '127.0.0.1', '::1']

test('an authority issues a certificate for names, wildcards and addresses that it vouches for', async () => {
  const authorityKey = await createAuthorityKey()
  const authorityPem = await authorityCertificate(authorityKey, { name: 'Caretaker test', now })
  const issued = await issueServerCertificate({ authorityKey, authorityPem, hosts, now, days: 90 })

  expect(new X509Certificate(authorityPem).ca).toBe(true)
  expect(isIssuedBy(issued.certPem, authorityPem)).toBe(true)
  expect(coversHosts(issued.certPem, hosts)).toBe(true)
  expect(coversHosts(issued.certPem, ['other.localhost'])).toBe(false)
  expect(issued.notAfter).toEqual(new Date('2027-02-18T09:00:00Z'))
  expect(String(issued.key)).toBe('[secret:server-key]')
})

test('another authority of the same name did not issue it', async () => {
  const [one, two] = await Promise.all([createAuthorityKey(), createAuthorityKey()])
  const authorityPem = await authorityCertificate(one, { name: 'Caretaker test', now })
  const otherPem = await authorityCertificate(two, { name: 'Caretaker test', now })
  const issued = await issueServerCertificate({ authorityKey: one, authorityPem, hosts, now, days: 90 })
  expect(isIssuedBy(issued.certPem, otherPem)).toBe(false)
})

test('renewal is due when a third of the lifetime is left, whatever the lifetime', async () => {
  const { certPem } = await selfSignedCertificate({ hosts, now, days: 89 })
  const after = (days: number) => new Date(now.getTime() + days * DAY_MS)
  expect(needsRenewal(certPem, after(0))).toBe(false)
  expect(needsRenewal(certPem, after(58))).toBe(false)
  expect(needsRenewal(certPem, after(60))).toBe(true)
  expect(needsRenewal(certPem, after(100))).toBe(true)
  expect(needsRenewal(certPem, after(-2))).toBe(true)
})

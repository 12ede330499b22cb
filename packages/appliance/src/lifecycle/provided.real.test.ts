import { X509Certificate } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  authorityCertificate,
  createAuthorityKey,
  issueServerCertificate,
} from '../certificates/authority.ts'
import { renewCertificates, reportCertificates } from './certificate-report.ts'
import { readFacts } from './facts.ts'
import { areCertificatesDue } from './tend-certificates.ts'
import { type Lab, openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

const HOST = 'shop.example.test'
const never = new AbortController().signal
let lab: Lab
let authorityKey: Awaited<ReturnType<typeof createAuthorityKey>>
let authorityPem: string

beforeAll(async () => {
  lab = await openLab({ shop: {} })
  authorityKey = await createAuthorityKey()
  authorityPem = await authorityCertificate(authorityKey, { name: 'A public one', now: new Date() })
  await lab.configure(['tls'], {
    mode: 'provided',
    provided: [{ certificate: join(lab.folder, 'shop.crt'), key: join(lab.folder, 'shop.key') }],
  })
})
afterAll(() => lab[Symbol.asyncDispose]())

async function provide(hosts: readonly string[], days: number) {
  const made = await issueServerCertificate({ authorityKey, authorityPem, hosts, now: new Date(), days })
  await writeFile(join(lab.folder, 'shop.crt'), made.certPem)
  await writeFile(join(lab.folder, 'shop.key'), made.key.reveal(), { mode: 0o600 })
  return new X509Certificate(made.certPem).fingerprint256
}

const shown = async () =>
  new X509Certificate(await lab.ports.network.servedCertificate('127.0.0.1', lab.httpsPort, HOST, 5000))
    .fingerprint256
const failure = async () => (await readFacts(lab.ports.files, lab.stateFolder)).failures['certificates']
const isDue = async () => areCertificatesDue((await lab.open()).appliance)
const tend = async () =>
  renewCertificates((await lab.open()).appliance, undefined, { emit: () => undefined, signal: never })

test('a provided certificate is shown at once, and one that replaces it as soon as it is noticed', async () => {
  const first = await provide([HOST], 30)
  const report = await up((await lab.open()).appliance, { firstStart: false }, () => undefined, never)
  expect(report).toMatchObject({ warnings: [], exit_code: 0 })
  expect(await shown()).toBe(first)
  expect(await isDue()).toBe(false)

  const second = await provide([HOST, 'other.example.test'], 60)
  expect(await isDue()).toBe(true)
  await tend()
  expect(await shown()).toBe(second)
  expect(await isDue()).toBe(false)
  const { certificates } = await reportCertificates((await lab.open()).appliance)
  expect(certificates.find(({ host }) => host === HOST)).toMatchObject({
    source: 'provided',
    issuer: 'A public one',
    days_left: 59,
    shown: true,
  })
})

test('a replacement that is wrong is not taken: the old one is shown, and it is said what is wrong', async () => {
  const good = await shown()
  await writeFile(join(lab.folder, 'shop.key'), (await createAuthorityKey()).reveal())
  expect(await isDue()).toBe(true)
  await tend()
  expect(await shown()).toBe(good)
  expect(await failure()).toMatchObject({
    code: 'CERTIFICATE_INVALID',
    why: expect.stringContaining('not the key'),
  })
  expect(await isDue()).toBe(false)

  await provide(['mail.example.net'], 60)
  await tend()
  expect(await shown()).toBe(good)
  expect(await failure()).toMatchObject({ why: expect.stringContaining('it names mail.example.net') })

  await provide([HOST], 60)
  await chmod(join(lab.folder, 'shop.key'), 0o644)
  await tend()
  expect(await failure()).toMatchObject({ code: 'PERMISSIONS_OPEN' })
  await chmod(join(lab.folder, 'shop.key'), 0o600)
  expect(await isDue()).toBe(true)
  await tend()
  expect(await failure()).toBeUndefined()
  expect(await shown()).not.toBe(good)
})

test('before a provided certificate ends the own authority takes over, and it is said', async () => {
  const good = await shown()
  lab.clock.aheadMs = 59.5 * DAY_MS
  expect(await isDue()).toBe(true)
  await tend()
  expect(await shown()).not.toBe(good)
  expect((await lab.get('shop')).status).toBe(200)
  expect(await failure()).toMatchObject({ code: 'CERTIFICATE_EXPIRING', what: expect.stringContaining(HOST) })
})

test('back to the own authority nothing of the provided one is shown', async () => {
  await lab.configure(['tls', 'mode'], 'own-ca')
  lab.clock.aheadMs = 0
  await up((await lab.open()).appliance, { firstStart: false }, () => undefined, never)
  expect((await lab.get('shop')).status).toBe(200)
  expect(await failure()).toBeUndefined()
})

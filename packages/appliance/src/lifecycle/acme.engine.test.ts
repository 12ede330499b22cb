import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { expect, test } from 'vitest'
import { examine } from './doctor.ts'
import { serviceOn } from './manual-service.ts'
import { areCertificatesDue } from './tend-certificates.ts'
import { openAcmeLab } from './testing/acme-lab.fixture.ts'

test('an appliance gets a certificate for each application, shows it at once, and asks for no more', async () => {
  await using acme = await openAcmeLab(['shop', 'wiki'], { nonceRejects: 30 })
  const report = await acme.up()
  expect(report).toMatchObject({ errors: [], warnings: [], exit_code: 0 })
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

  // A person may want one now; it has a key of its own, and nothing of the old one stays.
  await acme.tend(['app-shop'])
  const second = await acme.shown('shop.example.test')
  expect(second.publicKey.export({ type: 'spki', format: 'pem' })).not.toBe(
    first.publicKey.export({ type: 'spki', format: 'pem' }),
  )
  const files = (await acme.lab.ports.files.list(join(acme.lab.stateFolder, 'certificates'))) ?? []
  const ofShop = files.map(({ name }) => name).filter((name) => name.startsWith('app-shop.acme'))
  expect(ofShop).toHaveLength(2)
  for (const name of ofShop) {
    const info = await acme.lab.ports.files.stat(join(acme.lab.stateFolder, 'certificates', name))
    expect(info?.mode).toBe(0o600)
  }

  // In service mode certificates are renewed as well.
  const { appliance } = await acme.lab.open()
  await serviceOn(
    appliance,
    { reason: 'cleaning', until: undefined },
    () => undefined,
    new AbortController().signal,
  )
  expect((await acme.lab.getUnverified('shop')).status).toBe(503)
  acme.lab.clock.aheadMs = 61 * DAY_MS
  await acme.tend()
  expect((await acme.shown('shop.example.test')).fingerprint256).not.toBe(second.fingerprint256)
})

test('a name that leads elsewhere keeps no other from its certificate; it is named, tried rarely, and recovers', async () => {
  await using acme = await openAcmeLab(['shop', 'wiki'])
  await acme.pebble.setDns('add-a', { host: 'shop.example.test.', addresses: ['127.0.0.2'] })
  const report = await acme.up()
  expect(report).toMatchObject({ errors: [], exit_code: 3 })
  expect(report.warnings).toMatchObject([{ code: 'ACME_DOMAIN_FAILED' }])
  expect(await acme.issuer('wiki.example.test')).toBe('pebble')
  expect(await acme.issuer('shop.example.test')).toBe('own-ca')
  expect((await acme.lab.get('shop')).status).toBe(200)
  expect(await acme.failure()).toMatchObject({
    code: 'ACME_DOMAIN_FAILED',
    what: 'No certificate for shop.example.test',
    why: expect.stringContaining('127.0.0.2'),
    next: expect.stringContaining('caretaker cert renew'),
  })
  const findings = await examine(acme.lab.around, acme.lab.configFile, undefined)
  expect(findings).toContainEqual(
    expect.objectContaining({ check: 'certificates', code: 'ACME_DOMAIN_FAILED' }),
  )

  // Looked at every minute of an hour, it is tried twice more: after 15 and after 30 minutes.
  const orders = () => acme.pebble.seen.filter((line) => line === 'POST /order-plz').length
  const before = orders()
  for (let minute = 1; minute < 60; minute += 1) {
    acme.lab.clock.aheadMs = minute * MINUTE_MS
    if (await areCertificatesDue((await acme.lab.open()).appliance)) await acme.tend()
  }
  expect(orders() - before).toBe(2)

  await acme.pebble.setDns('clear-a', { host: 'shop.example.test.' })
  acme.lab.clock.aheadMs = 2 * HOUR_MS
  await acme.tend()
  expect(await acme.issuer('shop.example.test')).toBe('pebble')
  expect(await acme.failure()).toBeUndefined()
})

test.each([
  ['in seconds', () => '7200'],
  ['as a date', () => new Date(Date.now() + 2 * HOUR_MS).toUTCString()],
])(
  'a server that asks to come later, %s, is not asked before, even by a person',
  async (_name, retryAfter) => {
    await using acme = await openAcmeLab(['shop'])
    acme.pebble.intercept = (_method, path) =>
      path === '/order-plz'
        ? {
            status: 429,
            headers: { 'retry-after': retryAfter(), 'content-type': 'application/problem+json' },
            body: '{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates"}',
          }
        : undefined
    expect(await acme.up()).toMatchObject({ errors: [], warnings: [{ code: 'ACME_RATE_LIMITED' }] })
    expect(await acme.failure()).toMatchObject({
      why: 'too many certificates',
      next: expect.stringMatching(/again by itself at \d{4}-/),
    })
    const asked = acme.pebble.seen.length
    acme.pebble.intercept = () => undefined
    acme.lab.clock.aheadMs = 110 * MINUTE_MS
    await acme.tend('all')
    expect(acme.pebble.seen.length).toBe(asked)
    acme.lab.clock.aheadMs = 121 * MINUTE_MS
    await acme.tend()
    expect(await acme.issuer('shop.example.test')).toBe('pebble')
    expect(await acme.failure()).toBeUndefined()
  },
)

test('a server that is away for weeks: its certificate is shown until shortly before its end, then one of the own authority, and it recovers by itself', async () => {
  await using acme = await openAcmeLab(['shop'])
  await acme.up()
  const good = await acme.shown('shop.example.test')
  await acme.pebble.stop()
  for (const day of [30, 59, 61, 70, 88.9]) {
    acme.lab.clock.aheadMs = day * DAY_MS
    await acme.tend()
    expect((await acme.shown('shop.example.test')).fingerprint256).toBe(good.fingerprint256)
    // What passes by itself is no alarm while there is time; then it is.
    const code = (await acme.failure())?.code
    expect(code).toBe(day < 75 ? undefined : 'ACME_UNREACHABLE')
  }
  acme.lab.clock.aheadMs = 89.2 * DAY_MS
  expect(await areCertificatesDue((await acme.lab.open()).appliance)).toBe(true)
  await acme.tend()
  expect(await acme.issuer('shop.example.test')).toBe('own-ca')
  expect((await acme.lab.get('shop')).status).toBe(200)
  expect(await acme.failure()).toMatchObject({
    code: 'CERTIFICATE_EXPIRING',
    what: expect.stringContaining('shop.example.test'),
    why: expect.stringContaining('ECONNREFUSED'),
  })
  acme.lab.clock.aheadMs = 120 * DAY_MS
  await acme.tend()
  expect(await acme.issuer('shop.example.test')).toBe('own-ca')

  // It comes back with another authority of its own, and knows no account of ours any more.
  await acme.pebble.start({ lifetimeS: (400 * DAY_MS) / 1000 })
  acme.lab.clock.aheadMs += HOUR_MS
  await acme.tend()
  expect(await acme.failure()).toBeUndefined()
  expect(await acme.issuer('shop.example.test')).toBe('pebble')
})

test('an order that was interrupted is gone on with; one that the server has forgotten is ordered anew', async () => {
  await using acme = await openAcmeLab(['shop'])
  const orders = () => acme.pebble.seen.filter((line) => line === 'POST /order-plz').length
  acme.pebble.intercept = (_method, path) =>
    path.startsWith('/finalize-order') ? { status: 503 } : undefined
  expect(await acme.up()).toMatchObject({ errors: [], warnings: [{ code: 'ACME_UNREACHABLE' }] })
  acme.pebble.intercept = (_method, path) => (path.startsWith('/certZ') ? { status: 502 } : undefined)
  await acme.tend('all')
  expect(await acme.issuer('shop.example.test')).toBe('own-ca')
  acme.pebble.intercept = () => undefined
  await acme.tend('all')
  expect(orders()).toBe(1)
  expect(await acme.issuer('shop.example.test')).toBe('pebble')

  acme.pebble.intercept = (_method, path) => (path.startsWith('/authZ') ? { status: 503 } : undefined)
  await acme.tend('all')
  expect(orders()).toBe(2)
  await acme.pebble.stop()
  await acme.pebble.start()
  acme.pebble.intercept = () => undefined
  const before = await acme.shown('shop.example.test')
  await acme.tend('all')
  expect(orders()).toBe(3)
  expect((await acme.shown('shop.example.test')).fingerprint256).not.toBe(before.fingerprint256)
  expect(await acme.failure()).toBeUndefined()
})

test('a wildcard by DNS-01: one certificate for every application and the appliance, records set and removed by a program', async () => {
  await using acme = await openAcmeLab(['shop', 'wiki'])
  const hook = join(acme.lab.folder, 'dns-hook.mjs')
  const log = join(acme.lab.folder, 'dns-hook.log')
  await writeFile(hook, HOOK)
  const dns = { command: [process.execPath, hook, acme.pebble.dns, log], wait_seconds: 0 }
  for (const [key, value] of Object.entries({ challenge: 'dns-01', wildcard: true, dns }))
    await acme.lab.configure(['tls', 'acme', key], value)
  expect(await acme.up()).toMatchObject({ warnings: [], exit_code: 0 })
  const shop = await acme.shown('shop.example.test')
  expect(shop.subjectAltName).toBe('DNS:*.example.test, DNS:example.test')
  for (const host of ['wiki.example.test', 'appliance.example.test', 'example.test'])
    expect((await acme.shown(host)).fingerprint256).toBe(shop.fingerprint256)
  const calls = (await acme.lab.ports.files.readText(log))?.trim().split('\n') ?? []
  expect(calls.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'present _acme-challenge.example.test',
    'present _acme-challenge.example.test',
    'cleanup _acme-challenge.example.test',
    'cleanup _acme-challenge.example.test',
  ])

  await writeFile(hook, 'console.error("no such zone"); process.exit(4)')
  await acme.tend('all')
  expect(await acme.failure()).toMatchObject({
    code: 'ACME_DNS_FAILED',
    why: expect.stringContaining('no such zone'),
  })
  expect((await acme.shown('shop.example.test')).fingerprint256).toBe(shop.fingerprint256)
})

test('an authority that binds accounts by hand refuses without the binding, and takes it', async () => {
  const hmacKey = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W'
  await using acme = await openAcmeLab(['shop'], { externalAccount: ['kid-1', hmacKey] })
  expect((await acme.up()).warnings).toMatchObject([
    { code: 'ACME_REFUSED', why: expect.stringContaining('externalAccountRequired') },
  ])
  await acme.lab.configure(['tls', 'acme', 'external_account'], { key_id: 'kid-1', hmac_key: hmacKey })
  await acme.tend('all')
  expect(await acme.failure()).toBeUndefined()
  expect(await acme.issuer('shop.example.test')).toBe('pebble')
})

/** Sets records at the management interface of the DNS beside Pebble, and writes down what it was called with. */
const HOOK = `import { appendFileSync } from 'node:fs'
const [dns, log, action, name, value] = process.argv.slice(2)
appendFileSync(log, [action, name, value].join(' ') + '\\n')
const call = action === 'present' ? 'set-txt' : 'clear-txt'
const answer = await fetch(dns + '/' + call, { method: 'POST', body: JSON.stringify({ host: name + '.', value }) })
process.exit(answer.ok ? 0 : 1)
`

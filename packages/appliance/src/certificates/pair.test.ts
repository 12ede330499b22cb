import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { authorityCertificate, createAuthorityKey } from './authority.ts'
import { isPair } from './pair.ts'
import { ensureServerCertificate } from './server-certificate.ts'
import { readPair } from './store.ts'
import { inDays, issue, NOW } from './testing.fixture.ts'

const HOSTS = ['shop.example.test']

describe('a certificate and a key', () => {
  it('are a pair only when both are whole and belong together', async () => {
    const [one, other] = [await issue(HOSTS, NOW, 10), await issue(HOSTS, NOW, 10)]
    const key = one.key.reveal()
    expect(isPair(one.certPem, key)).toBe(true)
    expect(isPair(one.certPem, other.key.reveal())).toBe(false)
    for (const damaged of [
      '',
      'garbage',
      key.slice(0, key.length / 2),
      key.replace(/\w{20}/, '\u0000'.repeat(20)),
    ])
      expect(isPair(one.certPem, damaged)).toBe(false)
    expect(isPair('garbage', key)).toBe(false)
  })
})

describe('a damaged key on disk', () => {
  let files: MemoryFiles
  const authorityKey = createAuthorityKey()
  const ensure = async () => {
    const key = await authorityKey
    return ensureServerCertificate(
      { files, clock: new FakeClock(NOW.toISOString()) },
      {
        folder: '/certificates',
        name: 'app-shop',
        hosts: HOSTS,
        authorityKey: key,
        authorityPem: await authorityCertificate(key, { name: 'Test', now: inDays(-1) }),
      },
    )
  }
  const stored = () => readPair(files, '/certificates', 'app-shop', 'own-ca', 'app-shop')

  beforeEach(async () => {
    files = new MemoryFiles()
    await ensure()
  })

  it.each(['', 'garbage'])('%j: nobody is shown the pair, and a new one is made', async (text) => {
    const before = await stored()
    expect(before).toBeDefined()
    await files.write('/certificates/app-shop.key', text)
    expect(await stored()).toBeUndefined()
    await ensure()
    expect((await stored())?.pem).not.toBe(before?.pem)
    expect(await stored()).toBeDefined()
  })
})

import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { expect, test } from 'vitest'
import { readProvided } from './provided.ts'
import { authorityPem, inDays, issue, NOW } from './testing.fixture.ts'

const HOSTS = ['shop.example.org', 'wiki.example.org']
const PATHS = { certificate: '/etc/shop.crt', key: '/etc/shop.key' }
const good = await issue(['shop.example.org'], NOW, 90)
const other = await issue(['shop.example.org'], NOW, 90)
const leafOf = (pem: string) => pem.slice(0, pem.indexOf('-----END CERTIFICATE-----') + 26)

async function read(pem: string | undefined, key: string | undefined, mode = 0o600, now = NOW) {
  const files = new MemoryFiles()
  await files.makeFolder('/etc')
  if (pem !== undefined) await files.write(PATHS.certificate, pem)
  if (key !== undefined) await files.write(PATHS.key, key, mode)
  return readProvided(files, PATHS, HOSTS, now)
}

test('a good certificate with its chain and key is taken', async () => {
  const { pem, key } = await read(good.certPem, good.key.reveal())
  expect(pem).toBe(good.certPem)
  expect(key.reveal()).toBe(good.key.reveal())
  await expect(read(leafOf(good.certPem), good.key.reveal())).resolves.toBeDefined()
})

test.each<[string, () => Promise<unknown>, object]>([
  ['no certificate there', () => read(undefined, good.key.reveal()), { why: 'there is no such file' }],
  ['no key there', () => read(good.certPem, undefined), { why: 'there is no such file' }],
  ['no certificate in it', () => read('hello', good.key.reveal()), { why: 'it holds no PEM certificate' }],
  ['a damaged certificate', () => read(good.certPem.replace(/\n..../, '\n!!!!'), good.key.reveal()), {}],
  ['no key in it', () => read(good.certPem, 'hello'), { why: expect.stringContaining('no private key') }],
  [
    'another key',
    () => read(good.certPem, other.key.reveal()),
    { why: expect.stringContaining('not the key') },
  ],
  [
    'a chain the wrong way round',
    () => read(`${authorityPem}${leafOf(good.certPem)}\n`, good.key.reveal()),
    { why: expect.stringContaining('not the key of the first') },
  ],
  [
    'a chain that does not belong to it',
    () => read(`${leafOf(good.certPem)}\n${leafOf(other.certPem)}\n`, good.key.reveal()),
    { why: expect.stringContaining('certificate 2 did not issue certificate 1') },
  ],
  [
    'ended',
    () => read(good.certPem, good.key.reveal(), 0o600, inDays(91)),
    { why: expect.stringContaining('has ended') },
  ],
  [
    'not valid yet',
    () => read(good.certPem, good.key.reveal(), 0o600, inDays(-2)),
    { why: expect.stringContaining('not yet') },
  ],
  [
    'a key that others can read',
    () => read(good.certPem, good.key.reveal(), 0o640),
    { code: 'PERMISSIONS_OPEN', next: 'chmod 600 /etc/shop.key' },
  ],
])('%s is refused, with the file and the reason', async (_name, call, expected) => {
  await expect(call()).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID', ...expected })
})

test('one for other names is refused with both', async () => {
  const foreign = await issue(['mail.example.net'], NOW, 90)
  await expect(read(foreign.certPem, foreign.key.reveal())).rejects.toMatchObject({
    why: 'it names mail.example.net, but the applications are at shop.example.org, wiki.example.org',
  })
})

import { createPrivateKey } from 'node:crypto'
import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption'
import { describe, expect, test } from 'vitest'
import { createConfigText } from './create.ts'
import { parseConfig } from './parse.ts'

const now = new Date('2026-11-20T09:30:00Z')

describe('a created config', async () => {
  const wanted = {
    domain: 'example.org',
    ipv4: '203.0.113.7',
    ipv6: '2001:db8::7',
    now,
    gateway: { bind: '127.0.0.1', http_port: null },
    applications: {
      guestbook: {
        source: '../guestbook',
        aliases: ['www.example.org'],
        environment: { LANGUAGE: 'no', OPENS: '22:30', LIMIT: '080', EMPTY: '' },
        secretNames: ['SESSION_KEY'],
      },
      second: { source: 'https://git.example.org/second.git', ref: 'v1', hosts: ['second.example.net'] },
    },
  }
  const { text, dnsRecords } = await createConfigText(wanted)
  const { config } = parseConfig(text, 'appliance.yml')

  test('is cloud-init user-data, names its schema, is plain ASCII', () => {
    const [first, second] = text.split('\n')
    expect(first).toBe('#cloud-config')
    expect(second).toBe('# yaml-language-server: $schema=appliance.schema.json')
    expect(text).toMatch(/^[\x20-\x7e\n]+$/)
  })

  test('means what was asked for, also where YAML 1.1 would read something else', () => {
    expect(config.gateway).toMatchObject({ bind: '127.0.0.1', http_port: null, https_port: 443 })
    expect(config.applications.guestbook).toMatchObject({
      hosts: ['guestbook.example.org'],
      aliases: ['www.example.org'],
      environment: wanted.applications.guestbook.environment,
    })
    expect(config.applications.second).toMatchObject({ ref: 'v1', hosts: ['second.example.net'] })
  })

  test('holds keys that work, and other ones each time', async () => {
    const { ca_key, dkim_key, age_identity, backup_key } = config.keys
    expect(createPrivateKey(ca_key.reveal()).asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    expect(createPrivateKey(dkim_key.reveal()).asymmetricKeyDetails?.modulusLength).toBe(2048)
    const encrypter = new Encrypter()
    encrypter.addRecipient(await identityToRecipient(age_identity.reveal()))
    const decrypter = new Decrypter()
    decrypter.addIdentity(age_identity.reveal())
    expect(await decrypter.decrypt(await encrypter.encrypt('hello'), 'text')).toBe('hello')
    expect(backup_key.reveal()).toHaveLength(32)
    expect(config.applications.guestbook?.secrets.SESSION_KEY?.reveal()).toHaveLength(32)
    const again = parseConfig((await createConfigText({ domain: 'example.org', now })).text, 'b.yml').config
    expect([again.id, again.keys.backup_key.reveal()]).not.toContain(backup_key.reveal())
  })

  test('holds the DNS records that are given back, for every host name', () => {
    for (const { name, type, value } of dnsRecords)
      expect(text).toContain(`\n# ${name}. 3600 IN ${type} ${value}\n`)
    const of = (type: string): string[] =>
      dnsRecords.filter((record) => record.type === type).map((record) => record.name)
    const hosts = ['appliance.example.org', 'guestbook.example.org', 'www.example.org', 'second.example.net']
    expect(of('A')).toEqual(hosts)
    expect(of('AAAA')).toEqual(hosts)
    expect(of('MX')).toEqual(['example.org'])
    expect(of('PTR')).toEqual([
      '7.113.0.203.in-addr.arpa',
      '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    ])
  })

  test('has a DKIM record in strings that DNS can hold, with the public half of the key', () => {
    const record = dnsRecords.find(({ name }) => name === 'caretaker._domainkey.example.org')
    const strings = record?.value.match(/"[^"]*"/g)?.map((part) => part.slice(1, -1)) ?? []
    expect(strings.length).toBeGreaterThan(1)
    expect(Math.max(...strings.map((part) => part.length))).toBeLessThanOrEqual(255)
    expect(strings.join('')).toMatch(/^v=DKIM1; k=rsa; p=MII[A-Za-z0-9+/]+=*$/)
  })
})

test('input that makes no valid config is refused', async () => {
  await expect(createConfigText({ domain: 'Example.org', now })).rejects.toMatchObject({
    code: 'CONFIG_WRONG_TYPE',
    key: 'caretaker.identity.domain',
  })
})

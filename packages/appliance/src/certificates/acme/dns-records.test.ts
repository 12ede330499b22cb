import { Secret } from '@caretaker/kernel/secrets.ts'
import { FakeProcesses } from '@caretaker/ports/fake-processes.ts'
import { expect, test } from 'vitest'
import type { AcmeDnsConfig } from '../../config/config.ts'
import { changeDnsRecord, dnsCommand, proofRecord } from './dns-records.ts'

const base: AcmeDnsConfig = { port: 53, tsig_algorithm: 'hmac-sha256', wait_seconds: 30 }
const record = proofRecord('example.org', 'q8-value_x')

test('a program gets what to do, the name and the value as arguments of their own', () => {
  const command = dnsCommand({ ...base, command: ['/opt/hook', '--zone', 'a b; rm'] }, 'present', record)
  expect(command).toMatchObject({
    file: '/opt/hook',
    args: ['--zone', 'a b; rm', 'present', '_acme-challenge.example.org', 'q8-value_x'],
  })
})

test('nsupdate gets its script and the key by its input, where no list of processes shows them', () => {
  const tsig = { tsig_name: 'caretaker', tsig_secret: new Secret('tsig', 'AAECAwQFBgcICQoLDA0ODw==') }
  const command = dnsCommand({ ...base, server: 'ns1.example.org', ...tsig }, 'present', record)
  expect(command).toMatchObject({ file: 'nsupdate', args: ['-v'] })
  expect(command.input).toBe(
    [
      'server ns1.example.org 53',
      'key hmac-sha256:caretaker AAECAwQFBgcICQoLDA0ODw==',
      'update add _acme-challenge.example.org. 60 TXT "q8-value_x"',
      'send',
      'quit',
      '',
    ].join('\n'),
  )
  expect(dnsCommand({ ...base, server: '::1' }, 'cleanup', record).input).toContain(
    'update delete _acme-challenge.example.org. TXT "q8-value_x"\nsend',
  )
})

test('a program that fails is named with what it said', async () => {
  const processes = new FakeProcesses().on('/opt/hook', { exitCode: 3, stderr: 'no such zone' })
  const changed = changeDnsRecord(processes, { ...base, command: ['/opt/hook'] }, 'present', record)
  await expect(changed).rejects.toMatchObject({
    code: 'ACME_DNS_FAILED',
    why: expect.stringContaining('no such zone'),
    next: expect.stringContaining('/opt/hook'),
  })
})

import { isAppError } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { generateX25519Identity } from 'age-encryption'
import { expect, test } from 'vitest'
import { createConfigText } from '../config/create.ts'
import { parseConfig } from '../config/parse.ts'
import { createSeal, isSealed, openSeal } from './seal.ts'
import { openConfigText, sealConfigText, sealHeaderOf } from './sealed-config.ts'
import { ensureStateSeal, openStateSeal } from './state-seal.ts'

const now = new Date('2026-11-20T09:00:00Z')

async function newConfig(): Promise<string> {
  const applications = { wiki: { source: './wiki', secretNames: ['session_key', 'api_token'] } }
  return (await createConfigText({ domain: 'example.org', applications, now })).text
}

test('a sealed config shows its keys and none of its secrets, and opens to the same settings', async () => {
  const text = await newConfig()
  const { config } = parseConfig(text, 'appliance.yml')
  const seal = await createSeal(config.keys.age_identity.reveal(), [])
  const sealed = sealConfigText(text, seal)

  const secrets = [...Object.values(config.keys), ...Object.values(config.applications.wiki?.secrets ?? {})]
  for (const secret of secrets.filter((value) => value instanceof Secret)) {
    for (const line of secret
      .reveal()
      .split('\n')
      .filter((part) => part.length > 12))
      expect(sealed).not.toContain(line)
  }
  for (const name of ['ca_key', 'dkim_key', 'session_key', 'api_token']) expect(sealed).toContain(`${name}:`)
  expect(sealed).toMatch(/^#cloud-config\n/)

  const opened = parseConfig(openConfigText(sealed, seal), 'appliance.yml').config
  expect(opened.keys.ca_key.reveal()).toBe(config.keys.ca_key.reveal())
  expect(opened.keys.dkim_key.reveal()).toBe(config.keys.dkim_key.reveal())
  expect(opened.applications.wiki?.secrets.session_key?.reveal()).toBe(
    config.applications.wiki?.secrets.session_key?.reveal(),
  )
  expect(JSON.stringify(opened.gateway)).toBe(JSON.stringify(config.gateway))
})

test('an opened config has every line where the sealed one has it, so that messages name the right line', async () => {
  const text = await newConfig()
  const { config } = parseConfig(text, 'appliance.yml')
  const seal = await createSeal(config.keys.age_identity.reveal(), [])
  const sealed = sealConfigText(text, seal).replace('https_port:', 'https_prot:')
  const line = sealed.split('\n').findIndex((entry) => entry.includes('https_prot')) + 1
  expect(() => parseConfig(openConfigText(sealed, seal), 'appliance.yml')).toThrowError(
    expect.objectContaining({ code: 'CONFIG_UNKNOWN_KEY', at: expect.objectContaining({ line }) }),
  )
})

test('sealing again changes nothing that is sealed, and seals a value a person has added in clear', async () => {
  const text = await newConfig()
  const { config } = parseConfig(text, 'appliance.yml')
  const seal = await createSeal(config.keys.age_identity.reveal(), [])
  const sealed = sealConfigText(text, seal)
  expect(sealConfigText(sealed, seal)).toBe(sealed)

  const edited = sealed.replace(/session_key: .*/, 'session_key: typed-by-a-person')
  const again = sealConfigText(edited, seal)
  expect(again).not.toContain('typed-by-a-person')
  const { applications } = parseConfig(openConfigText(again, seal), 'appliance.yml').config
  expect(applications.wiki?.secrets.session_key?.reveal()).toBe('typed-by-a-person')
})

test('another identity opens nothing, and says so with the exit code of a wrong key', async () => {
  const seal = await createSeal(await generateX25519Identity(), [])
  const { header } = seal
  // Another process, which has not opened it yet, is stood in for by a header of its own.
  const other = await createSeal(await generateX25519Identity(), [])
  expect(() => other.decrypt(seal.encrypt('value'))).toThrowError(
    expect.objectContaining({ code: 'SEAL_BROKEN' }),
  )
  const unseen = `${header.slice(0, -4)}AAAA`
  await expect(openSeal(unseen, await generateX25519Identity())).rejects.toSatisfy(
    (error) => isAppError(error, 'SEAL_WRONG_IDENTITY') && error.exitCode === 12,
  )
})

test('a seal opened before is not opened by another identity, and a new identity gets a seal of its own', async () => {
  const files = new MemoryFiles()
  const keysOf = async () => ({
    age_identity: new Secret('keys.age_identity', await generateX25519Identity()),
    recovery: [],
  })
  const first = await ensureStateSeal(files, '/state', await keysOf())
  await expect(openSeal(first.header, await generateX25519Identity())).rejects.toMatchObject({
    code: 'SEAL_WRONG_IDENTITY',
  })
  expect((await ensureStateSeal(files, '/state', await keysOf())).header).not.toBe(first.header)
})

test('a changed value is refused, not opened to something else', async () => {
  const seal = await createSeal(await generateX25519Identity(), [])
  const token = seal.encrypt('a secret of some length')
  expect(isSealed(token)).toBe(true)
  expect(seal.decrypt(token)).toBe('a secret of some length')
  const at = token.length - 10
  const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
  expect(() => seal.decrypt(changed)).toThrowError(expect.objectContaining({ code: 'SEAL_BROKEN' }))
})

test('a recovery recipient opens what the appliance sealed', async () => {
  const paper = await generateX25519Identity()
  const { identityToRecipient, Decrypter } = await import('age-encryption')
  const seal = await createSeal(await generateX25519Identity(), [await identityToRecipient(paper)])
  const decrypter = new Decrypter()
  decrypter.addIdentity(paper)
  expect((await decrypter.decrypt(Buffer.from(seal.header, 'base64'))).length).toBe(32)
})

test('the seal of a state folder is made once and opened with the identity kept beside it', async () => {
  const files = new MemoryFiles()
  const keys = { age_identity: new Secret('keys.age_identity', await generateX25519Identity()), recovery: [] }
  const first = await ensureStateSeal(files, '/state', keys)
  expect((await ensureStateSeal(files, '/state', keys)).header).toBe(first.header)
  expect((await files.stat('/state/identity.txt'))?.mode).toBe(0o600)
  files.crash()
  const again = await openStateSeal(files, '/state', first.header)
  expect(again.decrypt(first.encrypt('x'))).toBe('x')
  await files.remove('/state/identity.txt')
  await expect(openStateSeal(files, '/state', first.header)).rejects.toMatchObject({
    code: 'SEAL_NO_IDENTITY',
  })
})

test('an empty or broken text is given back, sealed or not', async () => {
  const seal = await createSeal(await generateX25519Identity(), [])
  for (const text of ['', 'no mapping', '#cloud-config\ncaretaker: [1, 2', 'caretaker:\n  keys: text\n']) {
    const sealed = sealConfigText(text, seal)
    expect(sealHeaderOf(sealed)).toBe(seal.header)
    expect(openConfigText(sealed, seal).trim()).toBe(text.trim())
  }
})

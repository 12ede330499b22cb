import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { ROOT, type TestAppliance } from '../support/appliance.ts'
import { type GuestbookAppliance, guestbookAppliance } from '../support/guestbook-appliance.ts'

let guestbook: GuestbookAppliance
let appliance: TestAppliance
beforeAll(async () => {
  guestbook = await guestbookAppliance()
  appliance = guestbook.appliance
})
afterAll(() => guestbook?.[Symbol.asyncDispose]())

const inHome = (name: string) => join(appliance.home, name)
const authority = () => readFile(join(appliance.state, 'certificates/ca.crt'), 'utf8')

/** The value of a key in a config file. */
async function valueIn(file: string, path: readonly string[]): Promise<string> {
  return String(parseDocument(await readFile(inHome(file), 'utf8')).getIn(['caretaker', ...path]))
}

/** Puts the config in force with one value changed. */
async function upWith(name: string, path: readonly string[], value: string): Promise<void> {
  await appliance.ok('config', 'export', inHome(name))
  const document = parseDocument(await readFile(inHome(name), 'utf8'))
  document.setIn(['caretaker', ...path], value)
  await writeFile(inHome(name), document.toString({ lineWidth: 0 }))
  await appliance.ok('up', inHome(name))
}

describe('docs/secrets.md', () => {
  test('every command on it does what it says', async () => {
    const page = await readFile(join(ROOT, 'docs/secrets.md'), 'utf8')
    const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
      block.trim().split('\n'),
    )
    expect(lines.length).toBeGreaterThanOrEqual(8)
    const before = await appliance.pids()
    for (const line of lines) {
      const [program = '', ...words] =
        line.match(/'[^']*'|\S+/g)?.map((word) => word.replaceAll("'", '')) ?? []
      if (program !== 'caretaker') await promisify(execFile)(program, words, { cwd: appliance.home })
      else {
        const ran = await appliance.run(...words)
        // The doctor finds that no daemon runs in this test.
        expect(words[0] === 'doctor' ? [3] : [0], `${line}\n${ran.stderr}`).toContain(ran.code)
      }
    }
    const after = await appliance.pids()
    expect(after['web'], 'the service that reads session_key was started again').not.toBe(before['web'])
    expect(after['gateway']).toBe(before['gateway'])
    expect(after['postgres']).toBe(before['postgres'])
    expect((await appliance.request('/health')).status).toBe(200)
  })

  test('a new secret starts those again that read it, and no others', async () => {
    const before = await appliance.pids()
    await upWith(
      'secret.yml',
      ['applications', 'guestbook', 'secrets', 'session_key'],
      'another-value-of-our-own',
    )
    const after = await appliance.pids()
    expect(after['web']).not.toBe(before['web'])
    expect([after['worker'], after['postgres'], after['gateway']]).toEqual([
      before['worker'],
      before['postgres'],
      before['gateway'],
    ])
  })

  test('a new identity opens everything, and the old one is nowhere', async () => {
    const old = await valueIn('secret.yml', ['keys', 'age_identity'])
    const fresh = await valueIn('fresh.yml', ['keys', 'age_identity'])
    await upWith('identity.yml', ['keys', 'age_identity'], fresh)
    const kept = await readFile(join(appliance.state, 'identity.txt'), 'utf8')
    expect(kept).toContain(fresh)
    expect(kept).not.toContain(old)
    await appliance.ok('up')
    expect((await appliance.request('/health')).status).toBe(200)
    await appliance.ok('app', 'restart', 'guestbook')
    expect((await appliance.request('/health')).status).toBe(200)
  })

  test('a new key of the authority makes a new authority, which visitors have to trust', async () => {
    const before = await authority()
    await upWith('authority.yml', ['keys', 'ca_key'], await valueIn('fresh.yml', ['keys', 'ca_key']))
    expect(await authority()).not.toBe(before)
    expect((await appliance.request('/health')).status).toBe(200)
  })
})

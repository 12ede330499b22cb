import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/appliance.ts'
import { guestbookAppliance } from '../support/guestbook-appliance.ts'

test('docs/certificates.md: every command on it does what it says', async () => {
  await using guestbook = await guestbookAppliance()
  const { appliance } = guestbook
  const page = await readFile(join(ROOT, 'docs/certificates.md'), 'utf8')
  const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'))
  expect(lines.length).toBeGreaterThanOrEqual(4)
  for (const line of lines) {
    const [program, ...words] = line.split(' ')
    expect(program).toBe('caretaker')
    const ran = await appliance.run(...words)
    // The doctor finds that no daemon runs in this test.
    expect(ran.code, `${line}\n${ran.stderr}`).toBe(words[0] === 'doctor' ? 3 : 0)
  }
  const listed = await appliance.run('cert', 'list', '--json')
  const { certificates } = JSON.parse(listed.stdout) as { certificates: readonly object[] }
  expect(certificates).toContainEqual(
    expect.objectContaining({ source: 'own-ca', shown: true, days_left: 396, problem: null }),
  )
})

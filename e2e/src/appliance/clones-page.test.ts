import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/appliance.ts'
import { guestbookAppliance } from '../support/guestbook-appliance.ts'

test('docs/clones.md: every command on it does what it says', async () => {
  await using guestbook = await guestbookAppliance()
  const { appliance } = guestbook
  const page = await readFile(join(ROOT, 'docs/clones.md'), 'utf8')
  const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'))
  expect(lines.length).toBeGreaterThanOrEqual(8)
  const before = await appliance.pids()
  for (const line of lines) {
    const [program, ...words] = line.split(' ')
    expect(program).toBe('caretaker')
    await appliance.ok(...words)
    if (words.includes('list')) {
      const { clones } = await appliance.json<{ clones: readonly { url: string }[] }>('clone', 'list')
      expect(clones).toMatchObject([{ clone: 'training', app: 'guestbook', state: 'ready' }])
      const host = new URL(clones[0]?.url ?? '').hostname
      const headers = { host: `${host}:${appliance.port}` }
      const answer = await appliance.request('/', { servername: host, headers })
      expect(answer.status).toBe(200)
      expect(answer.body, 'the title of its clone section').toContain('CLONE')
    }
  }
  expect((await appliance.json<{ clones: unknown }>('clone', 'list')).clones).toEqual([])
  expect(await appliance.pids(), 'nothing of the application was restarted').toEqual(before)
  expect((await appliance.request('/health')).status).toBe(200)
}, 300_000)

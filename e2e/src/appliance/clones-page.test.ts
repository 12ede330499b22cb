import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, type TestAppliance } from '../support/appliance.ts'
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
      await keepsItsMail(appliance)
    }
  }
  expect((await appliance.json<{ clones: unknown }>('clone', 'list')).clones).toEqual([])
  expect(await appliance.pids(), 'nothing of the application was restarted').toEqual(before)
  expect((await appliance.request('/health')).status).toBe(200)
}, 300_000)

/** A mail sent as a program does that is configured by SMTP_URL is in the sink; what listens on this machine is not reached. */
async function keepsItsMail(appliance: TestAppliance): Promise<void> {
  const send = `const { hostname, port } = new URL(process.env.SMTP_URL)
    const socket = require('node:net').connect(port, hostname)
    const words = ['EHLO x', 'MAIL FROM:<a@x.test>', 'RCPT TO:<b@y.test>', 'DATA', 'Subject: hello\\r\\n\\r\\nx\\r\\n.', 'QUIT']
    socket.setEncoding('utf8').on('data', (text) => {
      if (!/^\\d{3} .*\\r\\n$/m.test(text)) return
      if (words.length > 0) socket.write(words.shift() + '\\r\\n')
      else socket.end()
    })`
  await appliance.ok('app', 'exec', 'training', '--', 'node', '-e', send)
  const { mails } = await appliance.json<{ mails: unknown }>('clone', 'mail', 'training')
  expect(mails).toMatchObject([{ subject: 'hello', from: 'a@x.test', to: ['b@y.test'] }])
  const reach = `require('node:net').connect(${appliance.port}, '127.0.0.1', () => process.exit(1)).on('error', () => process.exit(0))`
  await appliance.ok('app', 'exec', 'training', '--', 'node', '-e', reach)
}

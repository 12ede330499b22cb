import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { TestAppliance } from '../support/appliance.ts'
import { guestbookAppliance } from '../support/guestbook-appliance.ts'
import { eventually } from '../support/observe.ts'

test('a clone whose cell is ended by somebody comes back by itself, with its page of mails', async () => {
  await using guestbook = await guestbookAppliance()
  const { appliance } = guestbook
  await appliance.daemon()
  await eventually('the start is over', async () => (await appliance.run('up')).code === 0)
  await appliance.ok('app', 'clone', 'guestbook', '--name', 'training')
  const [keeper] = await keepers(appliance)
  expect(await statusOf(appliance, 'training')).toBe(200)
  expect(await statusOf(appliance, 'mail-training')).toBe(403)
  process.kill(keeper ?? 0, 'SIGKILL')
  const isBack = async () =>
    !(await keepers(appliance)).includes(keeper ?? 0) &&
    (await statusOf(appliance, 'training')) === 200 &&
    (await statusOf(appliance, 'mail-training')) === 403
  await eventually('it is served again', isBack)
  expect((await appliance.request('/health')).status).toBe(200)
  await appliance.ok('clone', 'remove', 'training')
  await eventually('nothing keeps it any more', async () => (await keepers(appliance)).length === 0)
}, 300_000)

async function statusOf(appliance: TestAppliance, name: string): Promise<number> {
  const { clones } = await appliance.json<{ clones: readonly { url: string }[] }>('clone', 'list')
  const host = new URL(clones[0]?.url ?? '').hostname.replace('training', name)
  const headers = { host: `${host}:${appliance.port}` }
  return (await appliance.request('/', { servername: host, headers })).status
}

/** The processes that keep cells of this appliance, by their control socket; those inside are not among them. */
async function keepers(appliance: TestAppliance): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found: number[] = []
  for (const pid of pids) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    const isKeeper = words.includes('cell') && words.includes('--socket')
    if (isKeeper && words.some((word) => word.includes(appliance.state))) found.push(Number(pid))
  }
  return found
}

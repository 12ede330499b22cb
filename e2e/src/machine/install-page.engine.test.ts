import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DIST, ROOT } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { ownWorkshop } from '../support/people.ts'
import { DOMAIN, machineWithRelease } from './installed.ts'

/** The commands of a page's shell blocks, in order. */
function commandsOf(page: string): readonly string[] {
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
  return blocks.flatMap((block) => block.trim().split('\n'))
}

test('docs/install.md, typed as it stands on Debian 13, installs, serves, survives a reboot and uninstalls', async () => {
  await using workshop = await ownWorkshop()
  const readOnly = { '/mnt/clone/dist': DIST, '/srv/guestbook': await workshop.folder('v1') }
  await using installed = await machineWithRelease(`guestbook.${DOMAIN}`, { suite: 'trixie', readOnly })
  const { machine } = installed
  const type = async (command: string) => {
    const { code, stdout, stderr } = await machine.run(['sh', '-c', `cd /mnt/clone && ${command}`])
    expect(code, `${command}\n${stdout}\n${stderr}`).toBe(0)
  }
  const commands = commandsOf(await readFile(join(ROOT, 'docs/install.md'), 'utf8'))
  const [last = '', ...before] = commands.toReversed()
  expect(last).toBe('caretaker uninstall')
  for (const command of before.toReversed()) await type(command)
  expect((await installed.request('/')).status).toBe(200)
  await machine.reboot()
  await eventually('guestbook serves', async () => (await installed.request('/')).status === 200)
  expect(await machine.ok('systemctl', '--failed', '--no-legend')).toBe('')
  await type(last)
  expect(await machine.ok('ls', '/var/lib/caretaker/data')).not.toBe('')
})

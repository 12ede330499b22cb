import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bootMachine } from './machine.ts'

test('a machine keeps its files over a reboot, a power-off and the end of process 1, and its boots differ', async () => {
  await using machine = await bootMachine()
  const boots = new Set<string>()
  const bootId = () => machine.ok('cat', '/proc/sys/kernel/random/boot_id')
  await writeFile(join(machine.root, 'root/note'), 'kept\n')
  boots.add(await bootId())
  await machine.reboot()
  boots.add(await bootId())
  await machine.powerOff()
  await machine.boot()
  boots.add(await bootId())
  await machine.kill()
  await machine.boot()
  boots.add(await bootId())
  expect(boots.size).toBe(4)
  expect(await machine.ok('cat', '/root/note')).toBe('kept\n')
  expect(await machine.ok('systemctl', '--failed', '--no-legend')).toBe('')
})

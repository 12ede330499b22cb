import { FakeMachine } from '@caretaker/ports/fake-machine.ts'
import { FakeProcesses } from '@caretaker/ports/fake-processes.ts'
import { expect, it } from 'vitest'
import type { Appliance } from './appliance.ts'
import { assertIsolation } from './isolation.ts'

const machineThat = (exitCode: number, stderr: string, runtime = 'process') => {
  const processes = new FakeProcesses().on('/usr/bin/unshare', { exitCode, stderr })
  return { config: { runtime }, ports: { processes, machine: new FakeMachine() } } as unknown as Appliance
}

it('a clone is refused where the machine allows no namespaces, in its words, unless that was allowed', async () => {
  const refusing = machineThat(1, 'unshare: unshare failed: Operation not permitted\n')
  await expect(assertIsolation(refusing, 'copy', false)).rejects.toMatchObject({
    code: 'CLONE_NOT_ISOLATED',
    why: expect.stringContaining('Operation not permitted'),
    next: expect.stringContaining('--allow-outside'),
  })
  await expect(assertIsolation(refusing, 'copy', true)).resolves.toBeUndefined()
  await expect(assertIsolation(machineThat(0, ''), 'copy', false)).resolves.toBeUndefined()
})

it('a clone in containers is refused to who is not root', async () => {
  const containers = machineThat(0, '', 'docker')
  await expect(assertIsolation(containers, 'copy', false)).rejects.toMatchObject({
    code: 'CLONE_NOT_ISOLATED',
  })
})

import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { SERVICE_USER, type Surrounding } from '../appliance.ts'

/** As root: the system user that Postgres and applications run as. It has no shell and no home. */
export const userCreate = (appliance: Pick<Surrounding, 'ports'>) =>
  defineStep<null, null>({
    kind: 'user.create',
    describe: () => `Create the system user ${SERVICE_USER}, as which Postgres and the applications run`,
    async check() {
      const found = await appliance.ports.machine.findUser(SERVICE_USER)
      return found ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(_input, _before, { signal }) {
      await runToSuccess(
        appliance.ports.processes,
        {
          file: 'useradd',
          args: [
            '--system',
            '--user-group',
            '--no-create-home',
            '--home-dir',
            '/nonexistent',
            '--shell',
            '/usr/sbin/nologin',
            SERVICE_USER,
          ],
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
          timeoutMs: MINUTE_MS,
        },
        signal,
      )
    },
    undo: 'not-needed',
    timeoutMs: 2 * MINUTE_MS,
  })

import { Secret } from '@caretaker/kernel/secrets.ts'
import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { expect, it } from 'vitest'
import type { Appliance } from './appliance.ts'
import { keepMigrationLog } from './migration-log.ts'

it('keeps what a migration said, and how it ended, but no secret that it printed', async () => {
  const password = new Secret('db-password', 'hK3pYrQ9vQeLw0cZt')
  const files = new MemoryFiles()
  const appliance = { ports: { clock: new FakeClock(), files } } as unknown as Appliance
  const lines = ['connecting', `no way to postgres://shop:${password.reveal()}@localhost/shop`]
  await keepMigrationLog(appliance, '/logs/shop/migrate.log', {
    title: '2: "migrate"',
    lines,
    result: undefined,
  })
  const text = await files.readText('/logs/shop/migrate.log')
  expect(text).toMatch(/^connecting\nno way to postgres:\/\/shop:\[secret:db-password\]@localhost\/shop\n/)
  expect(text).toMatch(/\n--- \S+ 2: "migrate" was cancelled\n$/)
})

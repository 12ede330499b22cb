import { fileURLToPath } from 'node:url'
import { readableId } from '@caretaker/kernel/ids.ts'
import { commandError } from '@caretaker/ports/command.ts'
import type { PostgresLab } from '../database/postgres.fixture.ts'
import type { StorageLab } from './conformance.ts'
import { createStorage } from './create-storage.ts'
import type { Interruption } from './interrupted.fixture.ts'
import type { StorageBackend } from './storage.ts'

/** A lab for a back end in an absent folder below `folder`. */
export function storageLab(backend: StorageBackend, postgres: PostgresLab, folder: string): StorageLab {
  const { ports, owner } = postgres
  const { files, processes } = ports
  const root = `${folder}/data-${readableId(6)}`
  const open = () =>
    createStorage(backend, ports, {
      root,
      ...(owner ? { owner } : {}),
      warnPercent: 80,
      reservePercent: 10,
    })
  return {
    postgres,
    root,
    open,
    async interrupt(call, at) {
      const interruption: Interruption = { backend, root, owner, call, at }
      const program = fileURLToPath(new URL('./interrupted.fixture.ts', import.meta.url))
      const command = {
        file: process.execPath,
        args: [program, JSON.stringify(interruption)],
        cwd: '/',
        timeoutMs: 30_000,
      }
      const result = await processes.run(command)
      if (result.signal === 'SIGKILL' && !result.timedOut) return 'killed'
      if (result.exitCode === 0) return 'completed'
      throw commandError(command, result)
    },
    damage: (app, snapshot) => files.remove(`${root}/units/${app}/snapshots/${snapshot}/snapshot.json`),
    async litter() {
      const found: string[] = []
      for (const { name: unit } of (await files.list(`${root}/units`)) ?? []) {
        if (unit.includes('.')) found.push(unit)
        const path = `${root}/units/${unit}`
        const expected = new Set([
          'current',
          'unit.json',
          'snapshots',
          await files.readLink(`${path}/current`),
        ])
        for (const { name } of (await files.list(path)) ?? [])
          if (!expected.has(name)) found.push(`${unit}/${name}`)
        for (const { name } of (await files.list(`${path}/snapshots`)) ?? []) {
          if (name.includes('.')) found.push(`${unit}/snapshots/${name}`)
        }
      }
      return found
    },
    async [Symbol.asyncDispose]() {
      for (const unit of await open().listUnits()) await open().removeUnit(unit)
      await open().repair()
      await files.remove(root)
    },
  }
}

import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { assertOwnFolder, isPlanted } from './own-folder.ts'

const host = createHost()
let shared: string
let run: string
beforeEach(() => {
  shared = mkdtempSync(join(tmpdir(), 'own-folder-'))
  chmodSync(shared, 0o1777)
  run = join(shared, 'run')
})
afterEach(() => rmSync(shared, { recursive: true }))

test('a folder of this user is taken', async () => {
  mkdirSync(run, { mode: 0o711 })
  await assertOwnFolder(host, run)
  expect(await isPlanted(host, run)).toBe(false)
})

test.each<[string, () => void]>([
  [
    'others may write to',
    () => {
      mkdirSync(run)
      chmodSync(run, 0o777)
    },
  ],
  [
    'leads elsewhere',
    () => {
      mkdirSync(join(shared, 'real'), { mode: 0o711 })
      symlinkSync('real', run)
    },
  ],
])('one that %s is refused, and no daemon is looked for in it', async (_name, make) => {
  make()
  await expect(assertOwnFolder(host, run)).rejects.toMatchObject({ code: 'NO_PERMISSION' })
  expect(await isPlanted(host, run)).toBe(true)
})

test.runIf(process.getuid?.() === 0)(
  'one of somebody else is refused where anybody could make it',
  async () => {
    mkdirSync(run, { mode: 0o711 })
    chownSync(run, 65_534, 65_534)
    await expect(assertOwnFolder(host, run)).rejects.toMatchObject({ code: 'NO_PERMISSION' })
    expect(await isPlanted(host, run)).toBe(true)
    // In a folder of one person, what is there is that person's.
    chmodSync(shared, 0o755)
    expect(await isPlanted(host, run)).toBe(false)
  },
)

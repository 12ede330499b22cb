import { dirname } from 'node:path'
import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import type { Processes } from '@caretaker/ports/process.ts'
import { describe, expect, test } from 'vitest'
import { isFileChange, isProgramChange } from './changes.fixture.ts'
import { createStorage } from './create-storage.ts'
import { fakeBtrfs } from './fake-btrfs.fixture.ts'
import type { Storage, StorageBackend } from './storage.ts'

const ROOT = '/state/data'
const NOTE = 'files/note.txt'

class PowerCut extends Error {}

interface Machine {
  readonly files: Files
  readonly processes: Pick<Processes, 'run'>
}

/** A machine whose power fails before change number `at` and stays away. A rename between two folders is durable as a whole. */
function powered(memory: MemoryFiles, at: number): Machine {
  let changes = 0
  const twins: (readonly [string, string])[] = []
  const orFail = () => {
    if (changes++ >= at) throw new PowerCut()
  }
  const call = async (name: keyof Files, args: readonly unknown[]): Promise<unknown> => {
    if (isFileChange(name)) orFail()
    const done = await (memory[name] as (...all: unknown[]) => Promise<unknown>)(...args)
    const [first, second] = args.map(String)
    if (name === 'rename') twins.push([dirname(String(first)), dirname(String(second))])
    if (name === 'sync') {
      for (const pair of twins.filter((entry) => entry.includes(String(first)))) {
        for (const folder of pair) if (await memory.stat(folder)) await memory.sync(folder)
      }
    }
    return done
  }
  const files = new Proxy(memory as Files, {
    get:
      (_, name: keyof Files) =>
      (...args: unknown[]) =>
        call(name, args),
  })
  const program = fakeBtrfs(memory)
  const run: Processes['run'] = async (command) => {
    if (isProgramChange(command)) orFail()
    return program.run(command)
  }
  return { files, processes: { run } }
}

const whole = (memory: MemoryFiles): Machine => ({ files: memory, processes: fakeBtrfs(memory) })

type Open = (machine: Machine) => Storage

const BACKENDS: readonly (readonly [StorageBackend, Open])[] = (['directory', 'btrfs'] as const).map(
  (backend) => [backend, (machine) => openStorage(backend, machine)],
)

function openStorage(backend: StorageBackend, machine: Machine): Storage {
  const around = {
    ...machine,
    clock: new FakeClock(),
    machine: { user: () => ({ uid: 0, gid: 0, name: 'root' }) },
  }
  return createStorage(backend, around as never, { root: ROOT, warnPercent: 80, reservePercent: 10 })
}

/** Unit `app` with the snapshot `first` of the note "one", and the note "two" in force. */
async function prepared(open: Open): Promise<MemoryFiles> {
  const memory = new MemoryFiles()
  memory.diskSpace = { ...memory.diskSpace, fileSystem: 'btrfs' }
  const storage = open(whole(memory))
  await storage.initialise('a-1')
  await storage.createUnit('app')
  await writeNote(memory, storage, 'one')
  await storage.snapshot('app', 'first')
  await writeNote(memory, storage, 'two')
  return memory
}

async function writeNote(memory: MemoryFiles, storage: Storage, text: string): Promise<void> {
  const path = `${storage.unitPath('app')}/${NOTE}`
  await memory.write(path, text)
  await memory.sync(path)
  await memory.sync(dirname(path))
}

const noteAt = (memory: MemoryFiles, path: string) => memory.readText(`${path}/${NOTE}`)

/** Cuts the power before every change of `call` in turn and looks at what is there afterwards. */
async function cutEverywhere(
  open: Open,
  call: (storage: Storage) => Promise<void>,
  look: (storage: Storage, memory: MemoryFiles, done: boolean) => Promise<void>,
): Promise<void> {
  for (let at = 0; ; at++) {
    const memory = await prepared(open)
    const done = await call(open(powered(memory, at))).then(
      () => true,
      (error) => {
        if (!(error instanceof PowerCut)) throw error
        return false
      },
    )
    memory.crash()
    const storage = open(whole(memory))
    await storage.repair()
    expect(await storage.leftovers(), `cut before change ${at}`).toEqual([])
    await look(storage, memory, done)
    if (done) return expect(at).toBeGreaterThan(5)
  }
}

describe.each(BACKENDS)('%s: a power cut before any change', (_, open) => {
  test('of a switch leaves OLD or NEW, and NEW once it was acknowledged', async () => {
    const seen = new Set<string | undefined>()
    await cutEverywhere(
      open,
      (storage) => storage.switchTo('app', 'first', 'kept'),
      async (storage, memory, done) => {
        const current = await noteAt(memory, storage.unitPath('app'))
        seen.add(current)
        if (done) expect(current).toBe('one')
        if (current === 'one')
          expect(await noteAt(memory, await storage.snapshotPath('app', 'kept'))).toBe('two')
        else expect(current).toBe('two')
        expect(await noteAt(memory, await storage.snapshotPath('app', 'first'))).toBe('one')
        await storage.switchTo('app', 'first', 'kept')
        expect(await noteAt(memory, storage.unitPath('app'))).toBe('one')
        expect(await noteAt(memory, await storage.snapshotPath('app', 'kept'))).toBe('two')
      },
    )
    expect(seen).toEqual(new Set(['one', 'two']))
  })

  test('of a snapshot leaves a whole one or none, and a whole one once it was acknowledged', async () => {
    await cutEverywhere(
      open,
      (storage) => storage.snapshot('app', 'second'),
      async (storage, memory, done) => {
        const snapshots = await storage.listSnapshots('app')
        expect(snapshots.every((snapshot) => snapshot.state === 'complete')).toBe(true)
        if (done) expect(snapshots.length).toBe(2)
        if (snapshots.length === 2) {
          expect(await noteAt(memory, await storage.snapshotPath('app', 'second'))).toBe('two')
        }
        expect(await noteAt(memory, storage.unitPath('app'))).toBe('two')
      },
    )
  })

  test('of a copy leaves a whole unit or none', async () => {
    await cutEverywhere(
      open,
      (storage) => storage.writableCopy('app', 'first', 'copy'),
      async (storage, memory, done) => {
        const there = await storage.hasUnit('copy')
        if (done) expect(there).toBe(true)
        if (there) expect(await noteAt(memory, storage.unitPath('copy'))).toBe('one')
        await storage.writableCopy('app', 'first', 'copy')
        expect(await noteAt(memory, storage.unitPath('copy'))).toBe('one')
      },
    )
  })

  test('of a removal leaves a whole snapshot or none', async () => {
    await cutEverywhere(
      open,
      (storage) => storage.removeSnapshot('app', 'first'),
      async (storage, _, done) => {
        const names = (await storage.listSnapshots('app')).map(({ state }) => state)
        expect(done ? [] : names.filter((state) => state === 'complete')).toEqual(names)
      },
    )
  })
})

test.each(BACKENDS.slice(0, 1))(
  '%s: a full disk fails the switch, keeps the old state and leaves nothing behind',
  async (_, open) => {
    const memory = await prepared(open)
    const storage = open(whole(memory))
    memory.fail('copyTree', 'ENOSPC')
    await expect(storage.switchTo('app', 'first', 'kept')).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(storage.snapshot('app', 'second')).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(storage.writableCopy('app', 'first', 'copy')).rejects.toMatchObject({ code: 'ENOSPC' })
    memory.heal()
    expect(await noteAt(memory, storage.unitPath('app'))).toBe('two')
    expect(await storage.leftovers()).toEqual([])
    expect((await storage.listSnapshots('app')).map(({ name }) => name)).toEqual(['first'])
  },
)

test.each(BACKENDS)('%s: a disk that cannot be read is unreadable, never empty', async (_, open) => {
  const memory = await prepared(open)
  memory.fail('list', 'EIO')
  expect(await open(whole(memory)).identify('a-1')).toMatchObject({
    state: 'unreadable',
    why: expect.stringContaining('EIO'),
  })
})

import { dirname } from 'node:path'
import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { describe, expect, test } from 'vitest'
import { createDirectoryStorage } from './directory.ts'
import type { Storage } from './storage.ts'

const ROOT = '/state/data'
const NOTE = 'files/note.txt'
const CHANGES = new Set(['makeFolder', 'write', 'sync', 'rename', 'link', 'remove', 'copyTree', 'setMode'])

class PowerCut extends Error {}

/** Files whose power fails before change number `at` and stays away. A rename between two folders is durable as a whole. */
function powered(memory: MemoryFiles, at: number): Files {
  let changes = 0
  const twins: (readonly [string, string])[] = []
  const call = async (name: keyof Files, args: readonly unknown[]): Promise<unknown> => {
    if (CHANGES.has(name) && changes++ >= at) throw new PowerCut()
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
  return new Proxy(memory as Files, {
    get:
      (_, name: keyof Files) =>
      (...args: unknown[]) =>
        call(name, args),
  })
}

function open(files: Files): Storage {
  return createDirectoryStorage({
    files,
    clock: new FakeClock(),
    root: ROOT,
    warnPercent: 80,
    reservePercent: 10,
  })
}

/** Unit `app` with the snapshot `first` of the note "one", and the note "two" in force. */
async function prepared(): Promise<MemoryFiles> {
  const memory = new MemoryFiles()
  const storage = open(memory)
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
  call: (storage: Storage) => Promise<void>,
  look: (storage: Storage, memory: MemoryFiles, done: boolean) => Promise<void>,
): Promise<void> {
  for (let at = 0; ; at++) {
    const memory = await prepared()
    const done = await call(open(powered(memory, at))).then(
      () => true,
      (error) => {
        if (!(error instanceof PowerCut)) throw error
        return false
      },
    )
    memory.crash()
    const storage = open(memory)
    await storage.repair()
    expect(await storage.leftovers(), `cut before change ${at}`).toEqual([])
    await look(storage, memory, done)
    if (done) return expect(at).toBeGreaterThan(5)
  }
}

describe('a power cut before any change', () => {
  test('of a switch leaves OLD or NEW, and NEW once it was acknowledged', async () => {
    const seen = new Set<string | undefined>()
    await cutEverywhere(
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
      (storage) => storage.removeSnapshot('app', 'first'),
      async (storage, _, done) => {
        const names = (await storage.listSnapshots('app')).map(({ state }) => state)
        expect(done ? [] : names.filter((state) => state === 'complete')).toEqual(names)
      },
    )
  })
})

test('a full disk fails the switch, keeps the old state and leaves nothing behind', async () => {
  const memory = await prepared()
  const storage = open(memory)
  memory.fail('copyTree', 'ENOSPC')
  await expect(storage.switchTo('app', 'first', 'kept')).rejects.toMatchObject({ code: 'ENOSPC' })
  await expect(storage.snapshot('app', 'second')).rejects.toMatchObject({ code: 'ENOSPC' })
  await expect(storage.writableCopy('app', 'first', 'copy')).rejects.toMatchObject({ code: 'ENOSPC' })
  memory.heal()
  expect(await noteAt(memory, storage.unitPath('app'))).toBe('two')
  expect(await storage.leftovers()).toEqual([])
  expect((await storage.listSnapshots('app')).map(({ name }) => name)).toEqual(['first'])
})

test('a disk that cannot be read is unreadable, never empty', async () => {
  const memory = await prepared()
  memory.fail('list', 'EIO')
  expect(await open(memory).identify('a-1')).toMatchObject({
    state: 'unreadable',
    why: expect.stringContaining('EIO'),
  })
})

import { createHost } from '@caretaker/host/host.ts'
import type { Files, Owner } from '@caretaker/ports/files.ts'
import type { Processes } from '@caretaker/ports/process.ts'
import { isFileChange, isProgramChange } from './changes.fixture.ts'
import type { StorageCall } from './conformance.ts'
import { createStorage } from './create-storage.ts'
import type { StorageBackend } from './storage.ts'

/** The argument of this program, as JSON: which call to make on which volume, and before which change to die. */
export interface Interruption {
  readonly backend: StorageBackend
  readonly root: string
  readonly owner: Owner | undefined
  readonly call: StorageCall
  readonly at: number
}

let changes = 0

/** Kills this process before change number `at`; with a copy half-way. */
async function orDie(at: number, half?: () => Promise<void>): Promise<void> {
  if (changes++ !== at) return
  await half?.()
  process.kill(process.pid, 'SIGKILL')
  await new Promise(() => undefined)
}

function killingFiles(files: Files, at: number): Files {
  return new Proxy(files, {
    get(target, name: keyof Files) {
      const call = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>
      if (!isFileChange(name)) return call
      return async (...args: unknown[]) => {
        const half = () => copyHalf(target, String(args[0]), String(args[1]))
        await orDie(at, name === 'copyTree' ? half : undefined)
        return call(...args)
      }
    },
  })
}

function killingProcesses(processes: Processes, at: number): Processes {
  const run: Processes['run'] = async (command, signal) => {
    if (isProgramChange(command)) await orDie(at)
    return processes.run(command, signal)
  }
  return { ...processes, run }
}

async function copyHalf(files: Files, from: string, to: string): Promise<void> {
  await files.makeFolder(to, 0o700)
  const [first] = (await files.list(from)) ?? []
  if (first) await files.copyTree(`${from}/${first.name}`, `${to}/${first.name}`)
}

const { backend, root, owner, call, at } = JSON.parse(String(process.argv[2])) as Interruption
const host = createHost()
const ports = {
  ...host,
  files: killingFiles(host.files, at),
  processes: killingProcesses(host.processes, at),
}
const storage = createStorage(backend, ports, {
  root,
  ...(owner ? { owner } : {}),
  warnPercent: 80,
  reservePercent: 10,
})
const method = storage[call[0]] as (...args: string[]) => Promise<void>
await method(...call.slice(1))

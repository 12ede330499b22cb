import { createClock } from '@caretaker/host/clock.ts'
import { createFiles } from '@caretaker/host/files.ts'
import type { Files, Owner } from '@caretaker/ports/files.ts'
import type { StorageCall } from './conformance.ts'
import { createDirectoryStorage } from './directory.ts'

/** The argument of this program, as JSON: which call to make on which volume, and before which change to die. */
export interface Interruption {
  readonly root: string
  readonly owner: Owner | undefined
  readonly call: StorageCall
  readonly at: number
}

const CHANGES = new Set<keyof Files>([
  'makeFolder',
  'write',
  'append',
  'truncate',
  'sync',
  'rename',
  'link',
  'remove',
  'copyTree',
  'setMode',
  'setOwner',
])

/** Files that kill this process before change number `at`; a copy is killed half-way. */
function killingFiles(files: Files, at: number): Files {
  let changes = 0
  return new Proxy(files, {
    get(target, name: keyof Files) {
      const call = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>
      if (!CHANGES.has(name)) return call
      return async (...args: unknown[]) => {
        if (changes++ === at) {
          if (name === 'copyTree') await copyHalf(target, String(args[0]), String(args[1]))
          process.kill(process.pid, 'SIGKILL')
          await new Promise(() => undefined)
        }
        return call(...args)
      }
    },
  })
}

async function copyHalf(files: Files, from: string, to: string): Promise<void> {
  await files.makeFolder(to, 0o700)
  const [first] = (await files.list(from)) ?? []
  if (first) await files.copyTree(`${from}/${first.name}`, `${to}/${first.name}`)
}

const { root, owner, call, at } = JSON.parse(String(process.argv[2])) as Interruption
const storage = createDirectoryStorage({
  files: killingFiles(createFiles(), at),
  clock: createClock(),
  root,
  ...(owner ? { owner } : {}),
  warnPercent: 80,
  reservePercent: 10,
})
const method = storage[call[0]] as (...args: string[]) => Promise<void>
await method(...call.slice(1))

import { access, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBtrfsVolume } from '@caretaker/appliance/storage/btrfs-volume.fixture.ts'
import { configure } from '@caretaker/e2e/support/configure.ts'
import { createHost } from '@caretaker/host/host.ts'
import { type BenchAppliance, createAppliance } from './appliance.ts'
import { guestbookSource, MIGRATION } from './guestbook-source.ts'
import { runProgram } from './programs.ts'

export type Backend = 'directory' | 'btrfs'

/** Guestbook, up in an appliance of its own whose data lies on a storage; ended and removed when disposed. */
export interface GuestbookBed extends AsyncDisposable {
  readonly appliance: BenchAppliance
  /** A folder of the file system that its data lies on. */
  readonly disk: string
  /** Runs Node with these arguments as guestbook, then waits until all that was written is on disk. */
  fill(args: readonly string[]): Promise<void>
  /** Makes its source the second release, and updates to it. */
  update(): Promise<void>
  /** Where the two releases were prepared; after the update. */
  readonly releases: () => Promise<{ readonly first: string; readonly second: string }>
}

/** The back ends that this user can have: btrfs, in a loop file, needs root. */
export function backends(): readonly Backend[] {
  if (process.getuid?.() === 0) return ['directory', 'btrfs']
  process.stderr.write('btrfs is left out: mounting its loop file needs root\n')
  return ['directory']
}

/** `sizeMib`: of the btrfs, which takes only what is written. */
export async function guestbookBed(backend: Backend, sizeMib: number): Promise<GuestbookBed> {
  await using disposables = new AsyncDisposableStack()
  const volume =
    backend === 'btrfs' ? disposables.use(await openBtrfsVolume(createHost(), sizeMib)) : undefined
  const source = disposables.use(await guestbookSource())
  const appliance = disposables.use(await createAppliance())
  if (volume) {
    await configure(appliance, ['storage', 'backend'], 'btrfs')
    await configure(appliance, ['storage', 'data'], join(volume.path, 'data'))
  }
  await appliance.run('app', 'add', 'guestbook', source.folder, '--host', 'localhost')
  const disk = volume?.path ?? tmpdir()
  const all = disposables.move()
  return {
    appliance,
    disk,
    async fill(args) {
      await appliance.run('app', 'exec', 'guestbook', '--', 'node', ...args)
      await runProgram('sync', ['-f', disk])
    },
    async update() {
      await source.putSecond()
      await appliance.run('app', 'update', 'guestbook', '--no-rehearsal', 'a benchmark')
    },
    async releases() {
      const folder = join(appliance.state, 'releases/guestbook')
      const folders = (await readdir(folder)).map((name) => join(folder, name, 'source'))
      const isSecond = await Promise.all(
        folders.map((path) =>
          access(join(path, 'migrations', MIGRATION)).then(
            () => true,
            () => false,
          ),
        ),
      )
      const [first, second] = [folders[isSecond.indexOf(false)], folders[isSecond.indexOf(true)]]
      if (first === undefined || second === undefined) throw new Error(`${folder} does not hold two releases`)
      return { first, second }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

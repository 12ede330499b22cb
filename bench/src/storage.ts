import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBtrfsVolume } from '@caretaker/appliance/storage/btrfs-volume.fixture.ts'
import { createStorage } from '@caretaker/appliance/storage/create-storage.ts'
import type { Storage, StorageBackend } from '@caretaker/appliance/storage/storage.ts'
import { createHost } from '@caretaker/host/host.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import { median, type Row } from './rows.ts'

const SIZES = [
  { name: '10 MB', files: 10 },
  { name: '1 GB', files: 1024 },
] as const
const ROUNDS = 3
/** Room for 1 GB, and for what removed subvolumes hold until they are cleaned up. */
const VOLUME_MIB = 4096
const CALLS = ['snapshot', 'switch', 'writable copy'] as const

const host = createHost()

/** Snapshot, switch and writable copy of the back ends; btrfs, in a loop file as root, beside directory. */
export async function storage(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'ct-bench-'))
  try {
    const copied = await measured('directory', join(folder, 'data'))
    const rows = (times: Times, name: StorageBackend, beside?: Times) =>
      Object.entries(times).map(
        ([what, value]): Row => ({
          what: `${name}, ${what}`,
          value,
          unit: 'ms',
          ...(beside ? { beside: { what: 'directory', value: beside[what] ?? 0 } } : {}),
        }),
      )
    if (process.getuid?.() !== 0) {
      process.stderr.write('btrfs is left out: mounting its loop file needs root\n')
      return rows(copied, 'directory')
    }
    await using volume = await openBtrfsVolume(host, VOLUME_MIB)
    return [
      ...rows(copied, 'directory'),
      ...rows(await measured('btrfs', join(volume.path, 'data')), 'btrfs', copied),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type Times = Readonly<Record<string, number>>

async function measured(backend: StorageBackend, root: string): Promise<Times> {
  const opened = createStorage(backend, host, { root, warnPercent: 99, reservePercent: 1 })
  await opened.initialise('bench')
  const times: Record<string, number> = {}
  for (const size of SIZES) {
    await fill(opened, size.files)
    const rounds: Times[] = []
    for (let round = 0; round < ROUNDS; round++) rounds.push(await once(opened))
    for (const call of CALLS)
      times[`${call} of ${size.name}`] = median(rounds.map((round) => round[call] ?? 0))
    await opened.removeUnit('app')
  }
  return times
}

/** A unit with files of 1 MiB that do not compress. */
async function fill(opened: Storage, count: number): Promise<void> {
  await opened.createUnit('app')
  const folder = `${opened.unitPath('app')}/files/bench`
  await host.files.makeFolder(folder)
  for (let number = 0; number < count; number++) {
    const path = `${folder}/${number}`
    await host.files.write(path, randomBytes(MIB))
    await host.files.sync(path)
  }
}

/** Each call once, on warm caches, and what it left removed. */
async function once(opened: Storage): Promise<Times> {
  const snapshot = await timed(() => opened.snapshot('app', 'first'))
  const copy = await timed(() => opened.writableCopy('app', 'first', 'copy'))
  await opened.removeUnit('copy')
  const switched = await timed(() => opened.switchTo('app', 'first', 'before'))
  await opened.removeSnapshot('app', 'before')
  await opened.removeSnapshot('app', 'first')
  return { snapshot, switch: switched, 'writable copy': copy }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

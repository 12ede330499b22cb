import { join } from 'node:path'
import { DAY_MS, formatDuration, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { formatBytes, MIB } from '@caretaker/kernel/units.ts'
import type { Surrounding } from '../appliance.ts'
import { foldersOf, runFolder } from '../folders.ts'
import { ballastGone, whyNotWritable } from '../state-disk.ts'
import type { Found, MachineCheck } from './finding.ts'

/** No version of caretaker is older than this: a clock that shows an earlier time is wrong. */
const EARLIEST = Date.UTC(2026, 0, 1)
/** How far a file may lie in the future: file servers and virtual machines differ by seconds. */
const FUTURE_LIMIT_MS = 5 * MINUTE_MS
/** What journals, records and logs need to go on for a while. */
const LEAST_BYTES = 64 * MIB
/** Part of all files that must still be possible. */
const LEAST_FILES = 0.02

/** What is looked at whether or not there is a config. */
export const MACHINE_CHECKS: readonly MachineCheck[] = [
  { name: 'clock', says: 'the clock shows a possible time', look: clock },
  { name: 'state folder', says: 'the state folder can be written', look: whyNotWritable },
  { name: 'permissions', says: 'nobody else can use what is ours', look: permissions },
  {
    name: 'space',
    says: 'there is room for the state folder',
    look: async ({ ports, stateFolder }) => roomAt(ports, stateFolder, 'the state folder'),
  },
  { name: 'ballast', says: 'the ballast for a full disk is whole', look: ballastGone },
]

async function clock({ ports, stateFolder }: Surrounding): Promise<readonly Found[]> {
  const now = ports.clock.now().getTime()
  const next = 'Set the clock and let it be kept ("timedatectl set-ntp true"), then "caretaker up"'
  if (now < EARLIEST) {
    const what = `it shows ${new Date(now).toISOString()}, which is before this program was made`
    return [{ code: 'CLOCK_WRONG', what, next }]
  }
  for (const name of ['facts.json', 'appliance.yml', 'last-good-config.json']) {
    const info = await ports.files.stat(join(stateFolder, name))
    const aheadMs = (info?.modifiedMs ?? 0) - now
    if (aheadMs < FUTURE_LIMIT_MS) continue
    const what = `${join(stateFolder, name)} was written ${formatDuration(aheadMs)} from now: the clock is behind`
    return [{ code: 'CLOCK_WRONG', what, next }]
  }
  return []
}

/** Files that only we may read, and folders that only we may change. */
async function permissions({ ports, stateFolder }: Surrounding): Promise<readonly Found[]> {
  const { files, machine } = ports
  const { uid } = machine.user()
  const folders = foldersOf(stateFolder, { data: stateFolder, volatile: stateFolder }, uid)
  const keys = ((await files.list(folders.certificates)) ?? []).filter(({ name }) => name.endsWith('.key'))
  const secret = [
    ...['appliance.yml', 'identity.txt', 'seal.age', 'secrets.json', 'last-good-config.json'].map((name) =>
      join(stateFolder, name),
    ),
    ...keys.map(({ name }) => join(folders.certificates, name)),
  ]
  const guarded = [stateFolder, runFolder(stateFolder, uid), folders.apps, folders.processes]
  const found: Found[] = []
  for (const [paths, forbidden, may] of [
    [secret, 0o077, 'read'],
    [guarded, 0o022, 'change'],
  ] as const) {
    for (const path of paths) {
      const info = await files.stat(path)
      if (!info || info.kind === 'link') continue
      if ((info.mode & forbidden) !== 0) {
        const mode = info.mode.toString(8).padStart(4, '0')
        const next = `Type: chmod ${may === 'read' ? '600' : 'go-w'} ${path}`
        found.push({ code: 'PERMISSIONS_OPEN', what: `others can ${may} ${path} (mode ${mode})`, next })
      } else if (info.uid !== uid) {
        const next = `Run as user ${info.uid}, or type: chown ${uid} ${path}`
        found.push({ code: 'NO_PERMISSION', what: `${path} belongs to user ${info.uid}`, next })
      }
    }
  }
  return found
}

/** Whether bytes and files are left where `folder` lies. */
export async function roomAt(
  ports: Surrounding['ports'],
  folder: string,
  what: string,
): Promise<readonly Found[]> {
  if (!(await ports.files.stat(folder))) return []
  const { mount, availableBytes, totalFiles, availableFiles } = await ports.files.space(folder)
  const found: Found[] = []
  if (availableBytes < LEAST_BYTES) {
    found.push({
      code: 'DISK_FULL',
      what: `${what} ${folder} has ${formatBytes(availableBytes)} left on the file system ${mount}`,
      next: `Free space there: "du -xh ${mount} | sort -h | tail" shows what uses it`,
    })
  }
  if (totalFiles !== undefined && availableFiles !== undefined && availableFiles < totalFiles * LEAST_FILES) {
    found.push({
      code: 'INODES_LOW',
      what: `the file system of ${what} ${folder} can hold ${availableFiles} more files of ${totalFiles}`,
      next: `Remove files there: "du --inodes -x ${folder} | sort -n | tail" shows where most are`,
    })
  }
  return found
}

/** Days, for sentences; never below 0. */
export const wholeDays = (ms: number) => Math.max(0, Math.floor(ms / DAY_MS))

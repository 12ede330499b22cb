import { join } from 'node:path'
import { toAppError } from '@caretaker/kernel/errors.ts'
import { formatBytes, MIB } from '@caretaker/kernel/units.ts'
import {
  BALLAST_BYTES,
  BALLAST_PARTS,
  ballastFolder,
  ballastParts,
  fillBallast,
} from '@caretaker/ports/ballast.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Surrounding } from './appliance.ts'
import type { Found } from './doctor/finding.ts'

/** With less than this a disk is full: the next operation may be the one that finds no room. */
const FULL_BYTES = MIB

type Looked = Pick<Surrounding, 'ports' | 'stateFolder'>

/** What keeps the state folder from being written: READ_ONLY, NO_PERMISSION, or that its disk was full. Changes nothing. */
export async function stateDiskTroubles(around: Looked): Promise<readonly Found[]> {
  const closed = await whyNotWritable(around).catch((error: unknown) => {
    const { code, why, next } = toAppError(error)
    return [{ code, what: why, next }]
  })
  return closed.length > 0
    ? closed.map((found) => ({
        ...found,
        what: `${found.what}; until it can be written, nothing is changed or remembered`,
      }))
    : ballastGone(around)
}

/** Opens a file that is there for appending and appends nothing: that changes nothing, and tells a read-only disk. */
export async function whyNotWritable({ ports, stateFolder }: Looked): Promise<readonly Found[]> {
  const { files, machine } = ports
  const info = await files.stat(stateFolder)
  if (!info) return []
  const { uid, name } = machine.user()
  if (uid !== 0 && (info.uid !== uid || (info.mode & 0o300) !== 0o300)) {
    const what = `${stateFolder} cannot be written by ${name}`
    const next =
      info.uid === uid
        ? `Type: chmod u+wx ${stateFolder}`
        : `Run as its owner, or type: chown -R ${name} ${stateFolder}`
    return [{ code: 'NO_PERMISSION', what, next }]
  }
  for (const name of ['facts.json', 'appliance.yml']) {
    const path = join(stateFolder, name)
    if ((await files.stat(path))?.kind === 'file') await files.append(path, '')
  }
  return []
}

/** Whether the disk of the state folder is full, or was and has cost ballast. */
export async function ballastGone({ ports: { files }, stateFolder }: Looked): Promise<readonly Found[]> {
  const folder = ballastFolder(stateFolder)
  if (!(await files.stat(folder))) return []
  const parts = await ballastParts(files, folder)
  const { mount, availableBytes } = await files.space(stateFolder)
  const isFull = availableBytes < FULL_BYTES
  if (parts.length >= BALLAST_PARTS && !isFull) return []
  const left = formatBytes((parts.length * BALLAST_BYTES) / BALLAST_PARTS)
  return [
    {
      code: 'DISK_FULL',
      what: `the file system ${mount} of the state folder ${stateFolder} ${isFull ? 'is' : 'was'} full: ${formatBytes(availableBytes)} are free, and ${left} of the ${formatBytes(BALLAST_BYTES)} ballast in ${folder} are left`,
      next: `Free space there: "du -xh ${mount} | sort -h | tail" shows what uses it; the daemon, or "caretaker up", then makes the ballast whole again`,
    },
  ]
}

/**
 * Makes the ballast of the state folder whole again when there is room. Never fails: who does without it works.
 * Gives whether it is whole.
 */
export async function keepBallast({ files }: Pick<Ports, 'files'>, stateFolder: string): Promise<boolean> {
  return fillBallast(files, ballastFolder(stateFolder)).catch(() => false)
}

import { tmpdir } from 'node:os'
import { readableId } from '@caretaker/kernel/ids.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import { commandError, runToSuccess } from '@caretaker/ports/command.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Command } from '@caretaker/ports/process.ts'

/** A real btrfs in a file, mounted. Needs root. */
export interface BtrfsVolume extends AsyncDisposable {
  /** Where it is mounted. Everybody may pass through. */
  readonly path: string
  /**
   * Cuts the power: what was given to the disk until now is what is there when it is mounted again. The file system
   * commits by itself only after five minutes, so what nobody made durable is not.
   */
  cutPower(): Promise<void>
}

type Needed = Pick<Ports, 'files' | 'processes' | 'clock'>

/** `sizeMib`: btrfs wants 110 at least. */
export async function openBtrfsVolume(ports: Needed, sizeMib: number): Promise<BtrfsVolume> {
  const { files } = ports
  const folder = `${tmpdir()}/caretaker-btrfs-${readableId(8)}`
  const image = `${folder}/image`
  const path = `${folder}/volume`
  const run = (file: string, ...args: string[]) => runToSuccess(ports.processes, toCommand(file, args))
  const mount = () => run('mount', '-o', 'loop,commit=300', image, path)
  await files.makeFolder(folder, 0o755)
  await files.makeFolder(path, 0o755)
  try {
    await files.write(image, '')
    await files.truncate(image, sizeMib * MIB)
    await run('mkfs.btrfs', '--quiet', image)
    await mount()
    await files.setMode(path, 0o755)
  } catch (error) {
    await files.remove(folder)
    throw error
  }
  return {
    path,
    async cutPower() {
      const then = `${folder}/then`
      await run('cp', '--sparse=always', image, then)
      await unmount(ports, path)
      await files.rename(then, image)
      await mount()
    },
    async [Symbol.asyncDispose]() {
      await unmount(ports, path)
      await files.remove(folder)
    },
  }
}

/** A process that was just killed, or the removal of subvolumes, may hold the volume for a moment. */
async function unmount({ processes, clock }: Needed, path: string): Promise<void> {
  const command = toCommand('umount', [path])
  for (let attempt = 0; ; attempt++) {
    const result = await processes.run(command)
    if (result.exitCode === 0) return
    if (attempt === 100) throw commandError(command, result)
    await clock.wait(100)
  }
}

function toCommand(file: string, args: readonly string[]): Command {
  return {
    file,
    args,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    cwd: '/',
    timeoutMs: 60_000,
  }
}

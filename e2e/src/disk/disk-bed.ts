import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, open, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTinyApp, type TinyApp } from '@caretaker/appliance/lifecycle/testing/tiny-app.fixture.ts'
import { type DaemonProcess, type TestAppliance, testAppliance } from '../support/appliance.ts'

/** Room for the programs as well: they are copied into the state folder where only root may enter the checkout. */
const DISK_MIB = 700

/** An appliance with `shop`, which has a Postgres, whose state folder is a small ext4 file system of its own. */
export interface DiskBed extends AsyncDisposable {
  readonly appliance: TestAppliance
  readonly daemon: DaemonProcess
  readonly shop: TinyApp
  /** Fills the disk until not one byte more can be written, leaving `leaveMib` (default: none). */
  fill(leaveMib?: number): Promise<void>
  /** Gives back what {@link fill} took. */
  free(): Promise<void>
  /** What is left of the ballast, in parts. */
  ballast(): Promise<number>
}

/** Why a test cannot have a file system of its own here; empty when it can. */
export function whyNoDisk(): string {
  if (process.getuid?.() !== 0) return 'needs root'
  const folder = mkdtempSync(join(tmpdir(), 'ct-disk-'))
  const image = join(folder, 'image')
  try {
    writeFileSync(image, '')
    truncateSync(image, 2 ** 24)
    execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'ignore' })
    execFileSync('mount', ['-o', 'loop', image, folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return ''
  } catch {
    return 'needs mkfs.ext4 and loop devices'
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Made, configured and up. */
export async function openDiskBed(): Promise<DiskBed> {
  const appliance = await testAppliance()
  const { home, state } = appliance
  const disks = await mkdtemp(join(tmpdir(), 'ct-disk-'))
  const image = join(disks, 'image')
  await using file = await open(image, 'w')
  await file.truncate(DISK_MIB * 2 ** 20)
  // Nothing is kept for root: it meets the full disk as everybody does.
  execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image])
  await mkdir(state)
  execFileSync('mount', ['-o', 'loop', image, state])
  await chmod(state, 0o711)
  const shop = await makeTinyApp(home, 'shop', { database: true })
  const leave = async () => {
    await appliance.run('down')
    execFileSync('umount', ['-l', state])
    await appliance[Symbol.asyncDispose]()
    await rm(disks, { recursive: true })
  }
  const start = async () => {
    await appliance.createConfig()
    await appliance.ok('app', 'add', 'shop', shop.folder, '--host', 'localhost')
    return appliance.daemon()
  }
  const daemon = await start().catch(async (error: unknown) => {
    await leave()
    throw error
  })
  const filler = join(state, 'filler')
  const free = async () => {
    for (const name of await readdir(state))
      if (name.startsWith('filler')) await rm(join(state, name), { recursive: true })
  }
  return {
    appliance,
    daemon,
    shop,
    free,
    async fill(leaveMib = 0) {
      const { bavail, bsize } = await statfs(state)
      const bytes = bavail * bsize - leaveMib * 2 ** 20
      // Metadata takes some of what is said to be free.
      const large = Math.max(0, bytes - 2 ** 20)
      if (large > 0) execFileSync('fallocate', ['-l', String(large), `${filler}-${Date.now()}`])
      if (leaveMib === 0) await fillRest(filler)
    },
    ballast: async () => (await readdir(join(state, 'ballast'))).length,
    async [Symbol.asyncDispose]() {
      await free()
      await daemon.stop()
      await leave()
    },
  }
}

/** Takes the last bytes, and the names that still fit into folders. */
async function fillRest(filler: string): Promise<void> {
  const folder = `${filler}-rest`
  await mkdir(folder, { recursive: true }).catch(() => undefined)
  for (const bytes of [65_536, 4096, 512]) {
    const block = Buffer.alloc(bytes)
    for (;;) {
      try {
        await appendFile(`${filler}-${bytes}`, block)
      } catch {
        break
      }
    }
  }
  for (let index = 0; index < 200; index += 1) {
    const failed = await writeFile(join(folder, String(index)), 'x').then(
      () => false,
      () => true,
    )
    if (failed) break
  }
}

import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf } from './commands.ts'

export type Suite = 'bookworm' | 'trixie'

const CACHE = '/var/cache/caretaker-engines'
const BUILD_LIMIT_MS = 600_000
/** Changes with what is made below: trees of older tests are not used. */
const RECIPE = 1
const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'ca-certificates', 'iproute2', 'procps', 'openssl']
const OWN_AUTHORITIES = '/usr/local/share/ca-certificates'
/** Would wait for a network that is there already, or for hardware that a container has none of. */
const MASKED = [
  'systemd-networkd-wait-online.service',
  'systemd-remount-fs.service',
  'systemd-logind.service',
  'systemd-modules-load.service',
  'console-getty.service',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
]
/** nspawn mounts the controllers of control groups v1 read-only. */
const CONTROLLERS = ['cpu', 'devices', 'cpuset', 'blkio', 'cpuacct', 'memory', 'pids', 'freezer']

/**
 * The root folder of a minimal Debian with systemd, as a new server is. Made once and kept in the cache of the engines;
 * nobody writes to it, machines get copies.
 */
export async function machineTree(suite: Suite): Promise<string> {
  const tree = join(CACHE, `machine-${suite}-${RECIPE}`)
  if (existsSync(tree)) return tree
  await mkdir(CACHE, { recursive: true })
  const fresh = `${tree}.${process.pid}`
  await rm(fresh, { recursive: true, force: true })
  await outputOf(
    'mmdebstrap',
    [
      '--variant=minbase',
      '--quiet',
      ...['man', 'doc', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      '--dpkgopt=force-unsafe-io',
      '--aptopt=APT::Install-Recommends "false"',
      '--aptopt=Acquire::Languages "none"',
      `--include=${PACKAGES.join(',')}`,
      suite,
      fresh,
    ],
    { timeoutMs: BUILD_LIMIT_MS },
  )
  await prepare(fresh)
  // Of two that made it at once the first one stays.
  await rename(fresh, tree).catch(() => rm(fresh, { recursive: true, force: true }))
  return tree
}

async function prepare(root: string): Promise<void> {
  await writeFile(join(root, 'etc/fstab'), '')
  await writeFile(join(root, 'etc/hostname'), 'machine\n')
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost machine\n')
  // A first boot asks nothing and makes an id of its own.
  await writeFile(join(root, 'etc/machine-id'), '')
  const units = join(root, 'etc/systemd/system')
  for (const unit of MASKED) {
    await rm(join(units, unit), { force: true })
    await symlink('/dev/null', join(units, unit))
  }
  const remounts = CONTROLLERS.map((name) => `mount -o remount,bind,rw /sys/fs/cgroup/${name}`)
  await writeFile(
    join(units, 'control-groups.service'),
    `[Unit]
DefaultDependencies=no
ConditionPathExists=/sys/fs/cgroup/memory
[Service]
Type=oneshot
RemainAfterExit=yes
${remounts.map((line) => `ExecStart=-${line}`).join('\n')}
[Install]
WantedBy=sysinit.target
`,
  )
  await mkdir(join(units, 'sysinit.target.wants'), { recursive: true })
  await symlink('../control-groups.service', join(units, 'sysinit.target.wants/control-groups.service'))
  // An authority of the network around this machine: its packages are fetched from inside too.
  for (const name of existsSync(OWN_AUTHORITIES) ? await readdir(OWN_AUTHORITIES) : []) {
    if (name.endsWith('.crt')) await copyFile(join(OWN_AUTHORITIES, name), join(root, OWN_AUTHORITIES, name))
  }
  await outputOf('chroot', [root, 'update-ca-certificates'])
}

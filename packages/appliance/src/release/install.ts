import { dirname, join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { lastLines } from '@caretaker/ports/command.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Command } from '@caretaker/ports/process.ts'

/** The programs that build, by absolute path. */
export interface BuildTools {
  readonly node: string
  readonly pnpm: string
  /** Undefined: packages locked by npm cannot be built. */
  readonly npm: string | undefined
  /** Registry, proxy and certificate settings for outgoing connections; nothing else is inherited. */
  readonly environment: Readonly<Record<string, string>>
}

export interface InstallInput {
  readonly app: string
  /** Name of the build context, for messages. */
  readonly context: string
  /** Absolute path of the build context in the release that is being made. */
  readonly folder: string
  /** For downloads, kept between builds. */
  readonly cacheFolder: string
  readonly tools: BuildTools
  readonly signal?: AbortSignal
  readonly progress?: (message: string) => void
}

/**
 * Installs the production dependencies of a Node package exactly as its lock file says, running none of their scripts.
 * @returns SHA-256 of the lock file in hex; undefined when there is nothing to install.
 * @throws AppError BUILD_FAILED
 */
export async function installDependencies(
  { files, processes }: Pick<Ports, 'files' | 'processes'>,
  input: InstallInput,
): Promise<string | undefined> {
  const manifest = await files.readText(join(input.folder, 'package.json'))
  if (manifest === undefined || !hasDependencies(input, manifest)) return undefined
  for (const [lockFile, commandOf] of Object.entries(INSTALLERS)) {
    const lock = await files.readText(join(input.folder, lockFile))
    if (lock === undefined) continue
    // Packages may come from a private registry.
    await files.makeFolder(input.cacheFolder, 0o700)
    await files.makeFolder(join(input.cacheFolder, 'home'), 0o700)
    input.progress?.(`Install the dependencies in ${input.context} from ${lockFile}`)
    const command = commandOf(input)
    const result = await processes.run(command, input.signal)
    if (result.exitCode === 0) return sha256(lock)
    const said = lastLines(`${result.stdout}\n${result.stderr}`, 5)
    throw failed(
      input,
      `${result.timedOut ? 'the installation of its dependencies did not end in time' : 'its dependencies could not be installed'}: ${said === '' ? 'nothing was said' : said}`,
      'Correct what it complains about; "caretaker up" tries again',
    )
  }
  throw failed(
    input,
    'its package.json has dependencies but there is no pnpm-lock.yaml or package-lock.json beside it: what would be installed is not fixed',
    'Run "pnpm install" (or "npm install") there and add the lock file to the source',
  )
}

/** Lock file → how to install from it. The first one that is there counts. */
const INSTALLERS: Readonly<Record<string, (input: InstallInput) => Command>> = {
  'pnpm-lock.yaml': (input) => ({
    ...commonOf(input),
    file: input.tools.pnpm,
    args: [
      'install',
      '--prod',
      '--frozen-lockfile',
      '--ignore-scripts',
      '--ignore-workspace',
      '--ignore-pnpmfile',
      '--pm-on-fail=ignore',
      '--reporter=append-only',
      // Files of a release are its own: a change to one must not reach another release through the store.
      '--package-import-method=clone-or-copy',
      `--store-dir=${join(input.cacheFolder, 'pnpm')}`,
    ],
  }),
  'package-lock.json': (input) => ({
    ...commonOf(input),
    file: npmOf(input),
    args: [
      'ci',
      '--omit=dev',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      `--cache=${join(input.cacheFolder, 'npm')}`,
    ],
  }),
}

function commonOf({ folder, cacheFolder, tools, progress }: InstallInput): Omit<Command, 'file' | 'args'> {
  return {
    cwd: folder,
    env: {
      ...tools.environment,
      PATH: `${dirname(tools.node)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: join(cacheFolder, 'home'),
      CI: 'true',
      NO_COLOR: '1',
    },
    timeoutMs: 15 * MINUTE_MS,
    ...(progress ? { onLine: progress } : {}),
  }
}

function npmOf(input: InstallInput): string {
  if (input.tools.npm !== undefined) return input.tools.npm
  throw failed(
    input,
    'it is locked by npm, and npm is not installed',
    'Install npm, or lock the dependencies with pnpm',
  )
}

function hasDependencies(input: InstallInput, manifest: string): boolean {
  const parsed = parseManifest(manifest)
  if (parsed === undefined) throw failed(input, 'its package.json is no JSON object', 'Correct package.json')
  return ['dependencies', 'optionalDependencies'].some((key) => {
    const entries = parsed[key]
    return entries !== null && typeof entries === 'object' && Object.keys(entries).length > 0
  })
}

function parseManifest(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function failed({ app, context }: InstallInput, why: string, next: string): AppError {
  return new AppError('BUILD_FAILED', {
    what: `The release of ${app} was not built`,
    why: context === '.' ? why : `in "${context}": ${why}`,
    next,
  })
}

import { AppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { commandError, runToSuccess } from '@caretaker/ports/command.ts'
import type { Command, Processes } from '@caretaker/ports/process.ts'

/** What programs that fetch something get besides their arguments. */
export interface FetchOptions {
  /** Proxy and certificate settings for outgoing connections; nothing else is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((message: string) => void) | undefined
}

type Runner = Pick<Processes, 'run'>

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * A git call that nothing outside of its arguments can change: no system or user settings, no hooks, no prompts,
 * no helpers that run programs, no protocols but those of a source.
 */
export function gitCommand(args: readonly string[], options: FetchOptions, cwd?: string): Command {
  return {
    file: 'git',
    args: [
      '-c',
      'protocol.ext.allow=never',
      '-c',
      'core.hooksPath=/dev/null',
      '-c',
      'core.fsmonitor=false',
      ...args,
    ],
    env: {
      ...options.environment,
      PATH: SEARCH_PATH,
      HOME: '/nonexistent',
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ALLOW_PROTOCOL: 'https:ssh:file',
      GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
    },
    timeoutMs: 15 * MINUTE_MS,
    ...(cwd === undefined ? {} : { cwd }),
  }
}

/**
 * The commit a branch, tag or HEAD of a remote names now; a whole commit id is taken as it is.
 * @throws AppError SOURCE_NOT_FOUND when the remote cannot be reached or has no such name.
 */
export async function resolveCommit(
  processes: Runner,
  url: string,
  ref: string | undefined,
  options: FetchOptions,
): Promise<string> {
  if (ref !== undefined && /^[0-9a-f]{40}$/.test(ref)) return ref
  const wanted =
    ref === undefined
      ? ['HEAD']
      : ref.startsWith('refs/')
        ? [`${ref}^{}`, ref]
        : [`refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`]
  const command = gitCommand(['ls-remote', '--', url, ...wanted], options)
  const result = await processes.run(command, options.signal)
  if (result.exitCode !== 0) throw notFound(url, commandError(command, result).why)
  const refs = new Map(
    result.stdout.split('\n').map((line) => {
      const [commit = '', name = ''] = line.split('\t')
      return [name, commit]
    }),
  )
  const commit = wanted.map((name) => refs.get(name)).find((found) => found !== undefined)
  if (commit !== undefined && /^[0-9a-f]{40}$/.test(commit)) return commit
  const short =
    ref !== undefined && /^[0-9a-f]{7,39}$/.test(ref)
      ? '; a commit must be given with all its 40 characters'
      : ''
  throw notFound(url, ref === undefined ? 'it holds no commit' : `it has no branch or tag "${ref}"${short}`)
}

/**
 * Puts the files of one commit into an empty folder, without history.
 * @throws AppError SOURCE_NOT_FOUND
 */
export async function checkOutCommit(
  processes: Runner,
  url: string,
  commit: string,
  folder: string,
  options: FetchOptions,
): Promise<void> {
  const git = (...args: readonly string[]): Command => gitCommand(args, options, folder)
  await runToSuccess(processes, git('init', '--quiet', '--template='), options.signal)
  const shallow = git(
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-recurse-submodules',
    '--depth=1',
    '--',
    url,
    commit,
  )
  if ((await processes.run(shallow, options.signal)).exitCode !== 0) {
    // Some servers give branches and tags only, not single commits.
    const whole = git(
      'fetch',
      '--quiet',
      '--no-recurse-submodules',
      '--',
      url,
      '+refs/heads/*:refs/remotes/origin/*',
      '+refs/tags/*:refs/tags/*',
    )
    const result = await processes.run(whole, options.signal)
    if (result.exitCode !== 0) throw notFound(url, commandError(whole, result).why)
  }
  const command = git('checkout', '--quiet', '--force', '--detach', commit, '--')
  const result = await processes.run(command, options.signal)
  if (result.exitCode !== 0) throw notFound(url, `it has no commit ${commit}`)
}

function notFound(url: string, why: string): AppError {
  return new AppError('SOURCE_NOT_FOUND', {
    what: `The git repository ${url} cannot be used`,
    why,
    next: 'Check the URL and the branch, tag or commit; "git ls-remote URL" shows what it holds',
  })
}

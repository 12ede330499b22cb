import { AppError } from '@caretaker/kernel/errors.ts'
import type { Command, CommandResult, Processes } from '@caretaker/ports/process.ts'

/** Which engine is driven, and how. */
export interface DockerOptions {
  /** Absolute path of the engine's unix socket. */
  readonly socket: string
  /** Settings for what the engine's programs fetch and where they find their own: DOCKER_CONFIG, proxies. */
  readonly environment: Readonly<Record<string, string>>
}

/** Calls the engine's command line program. */
export function dockerCommand(
  { socket, environment }: DockerOptions,
  args: readonly string[],
  more: Omit<Command, 'file' | 'args' | 'env'> = {},
): Command {
  return {
    file: 'docker',
    args,
    env: {
      HOME: '/root',
      ...environment,
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      DOCKER_HOST: `unix://${socket}`,
      // Other services of the application are not in the file of this one.
      COMPOSE_IGNORE_ORPHANS: 'true',
      COMPOSE_ANSI: 'never',
      NO_COLOR: '1',
    },
    cwd: '/',
    ...more,
  }
}

/** `docker compose` with a file that it reads from its standard input. */
export function composeCommand(
  options: DockerOptions,
  project: string,
  file: object,
  args: readonly string[],
  timeoutMs: number,
): Command {
  const words = ['compose', '--project-name', project, '--project-directory', '/', '--file', '-', ...args]
  return dockerCommand(options, words, { input: JSON.stringify(file), timeoutMs })
}

/**
 * Runs the engine's program. @throws AppError COMMAND_NOT_FOUND naming the packages when it, or its compose plugin, is
 * not installed; CANCELLED
 */
export async function runDocker(
  processes: Pick<Processes, 'run'>,
  command: Command,
  signal?: AbortSignal,
): Promise<CommandResult> {
  const result = await processes.run(command, signal)
  const isCompose = command.args[0] === 'compose'
  // Without the plugin the program takes "compose" for a command it does not know, and asks for no file.
  if (isCompose && result.exitCode !== 0 && !(await hasCompose(processes, command))) {
    throw new AppError('COMMAND_NOT_FOUND', {
      what: '"docker compose" could not be run',
      why: 'the engine has no compose plugin',
      next: 'Install it (Debian 13: "apt install docker-compose"; of Docker itself: "docker-compose-plugin"), then repeat the command',
    })
  }
  return result
}

async function hasCompose(processes: Pick<Processes, 'run'>, { file, env }: Command): Promise<boolean> {
  const asked = await processes.run({
    file,
    args: ['compose', 'version'],
    cwd: '/',
    timeoutMs: 30_000,
    ...(env ? { env } : {}),
  })
  return asked.exitCode === 0
}

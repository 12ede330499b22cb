import { posix } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { ServiceSpec } from '../runtime.ts'
import type { Container, Engine } from './engine.ts'

/** What the engine gives a container whose image names no search path. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Makes sure that a container that was made has the program it shall run: what the container itself would say of it
 * comes late, when it runs already.
 * @throws AppError COMMAND_NOT_FOUND
 */
export async function assertProgram(
  engine: Pick<Engine, 'hasPath'>,
  { id, env }: Container,
  { app, service, cwd }: ServiceSpec,
  [program = '']: readonly string[],
): Promise<void> {
  const folders = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH
  const places = program.includes('/')
    ? [posix.resolve(cwd, program)]
    : folders.split(':').map((folder) => posix.join(folder, program))
  for (const place of places) if (await engine.hasPath(id, place)) return
  throw new AppError('COMMAND_NOT_FOUND', {
    what: `"${program}" could not be run in the service ${service} of ${app}`,
    why: program.includes('/')
      ? 'its image has no such file'
      : `it is in no folder of the PATH of its image (${folders})`,
    next: 'Correct the command, or the image',
  })
}

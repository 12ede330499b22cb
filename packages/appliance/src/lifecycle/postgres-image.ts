import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { reveal } from '@caretaker/kernel/secrets.ts'
import type { Owner } from '@caretaker/ports/files.ts'
import type { Command } from '@caretaker/ports/process.ts'
import type { StepContext } from '@caretaker/steps/step.ts'
import { originOf } from '../config/clone.ts'
import { accessRules, userDatabase } from '../database/access.ts'
import type { PostgresPrograms } from '../database/programs.ts'
import { callerOf } from '../runtime/caller.ts'
import { LABEL } from '../runtime/docker/compose-file.ts'
import { dockerCommand } from '../runtime/docker/docker-command.ts'
import { pullImage } from '../runtime/docker/images.ts'
import type { ContainerSpec } from '../runtime/runtime.ts'
import type { Appliance } from './appliance.ts'
import { dockerOptions, engineOf } from './release-images.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

/** Name in the config → what it meant when it was first used. */
type PinnedImages = Readonly<Record<string, string>>

/** /dev/shm of a server: parallel queries of the memory it is given need more than the 64 MiB of the engine. */
const SHARED_MEMORY = '256m'

/** Name of the image of the database server. */
export function postgresImageName({ config }: Pick<Appliance, 'config'>): string {
  return config.postgres.image ?? `postgres:${config.postgres.major}`
}

const pinsFile = ({ stateFolder }: Appliance) => join(stateFolder, 'postgres-images.json')

async function readPins(appliance: Appliance): Promise<PinnedImages> {
  return (await readStateFile<PinnedImages>(appliance.ports.files, pinsFile(appliance))) ?? {}
}

/** Whether the image is pinned and on this machine. @throws AppError ENGINE_UNREACHABLE */
export async function hasPostgresImage(appliance: Appliance): Promise<boolean> {
  const reference = (await readPins(appliance))[postgresImageName(appliance)]
  return reference !== undefined && (await engineOf(appliance).image(reference)) !== undefined
}

/**
 * Fetches the image of the database server and pins it: a server changes only when the config names another one.
 * @throws AppError ENGINE_…, IMAGE_…, REGISTRY_UNREACHABLE, DISK_FULL
 */
export async function preparePostgresImage(
  appliance: Appliance,
  { signal, progress }: StepContext,
): Promise<void> {
  const name = postgresImageName(appliance)
  const pins = await readPins(appliance)
  const work = {
    processes: appliance.ports.processes,
    engine: engineOf(appliance),
    docker: dockerOptions(appliance),
    owner: 'the database',
    signal,
    progress: (message: string) => progress(message),
  }
  const { reference } = await pullImage(work, pins[name] ?? name)
  await writeStateFile(appliance.ports.files, pinsFile(appliance), { ...pins, [name]: reference })
}

/** {@link preparePostgresImage} where servers run in containers and the image is not here. @throws as that */
export async function ensurePostgresImage(appliance: Appliance, context: StepContext): Promise<void> {
  if (appliance.runtime.kind !== 'docker' || (await hasPostgresImage(appliance))) return
  await preparePostgresImage(appliance, context)
}

/** The pinned image. @throws AppError IMAGE_MISSING before {@link preparePostgresImage} */
async function pinnedImage(appliance: Appliance): Promise<string> {
  const name = postgresImageName(appliance)
  const reference = (await readPins(appliance))[name]
  if (reference !== undefined) return reference
  throw new AppError('IMAGE_MISSING', {
    what: 'The database cannot be run',
    why: `its image ${name} has not been fetched yet`,
    next: 'caretaker up',
  })
}

/** Who the server runs as: the service user, or whoever we are. */
function serverOwner({ serviceUser, ports }: Appliance): Owner {
  return serviceUser ?? ports.machine.user()
}

const usersFile = (appliance: Appliance) => join(appliance.folders.containers, 'postgres-passwd')
const accessFile = (appliance: Appliance, app: string) =>
  join(appliance.folders.containers, `${app}.pg_hba.conf`)

/** Where the server of a container finds who it lets in. */
export const ACCESS_INSIDE = '/etc/caretaker-pg_hba.conf'

/** Writes what servers in containers read besides their data. */
export async function writePostgresFiles(appliance: Appliance, app: string): Promise<void> {
  const { files } = appliance.ports
  await files.makeFolder(appliance.folders.containers, 0o700)
  const texts = [
    [usersFile(appliance), userDatabase(serverOwner(appliance))],
    [accessFile(appliance, app), accessRules({ app, role: originOf(appliance.config, app) })],
  ] as const
  for (const [path, text] of texts) {
    if ((await files.readText(path)) === text) continue
    await files.write(`${path}.tmp`, text, 0o644)
    await files.setMode(`${path}.tmp`, 0o644)
    await files.rename(`${path}.tmp`, path)
  }
}

/** The server of an application as a container: data and socket lie at the same paths as on this machine. */
export async function postgresContainer(
  appliance: Appliance,
  app: string,
  paths: readonly string[],
): Promise<ContainerSpec> {
  const { uid, gid } = serverOwner(appliance)
  return {
    image: await pinnedImage(appliance),
    volumes: [],
    reachedByAll: true,
    binds: [
      ...paths.map((path) => ({ from: path, to: path, readOnly: false })),
      { from: usersFile(appliance), to: '/etc/passwd', readOnly: true },
      { from: accessFile(appliance, app), to: ACCESS_INSIDE, readOnly: true },
    ],
    settings: { user: `${uid}:${gid}`, shm_size: SHARED_MEMORY, cap_drop: ['ALL'] },
  }
}

/** The server's programs in its image. @throws AppError IMAGE_MISSING */
export async function postgresProgramsInside(appliance: Appliance): Promise<PostgresPrograms> {
  const image = await pinnedImage(appliance)
  const { uid, gid } = serverOwner(appliance)
  const caller = await callerOf(appliance.ports.files, appliance.pid)
  const labels = {
    [LABEL.appliance]: appliance.config.id,
    [LABEL.once]: 'true',
    [LABEL.caller]: caller,
  }
  const inside = (command: Command, paths: readonly string[]): Command => {
    const words = ['run', '--rm', '--interactive', '--network', 'none', '--log-driver', 'none']
    words.push('--user', `${uid}:${gid}`, '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges')
    for (const [name, value] of Object.entries(labels)) words.push('--label', `${name}=${value}`)
    for (const [name, value] of Object.entries(command.env ?? {}))
      words.push('--env', `${name}=${reveal(value)}`)
    for (const path of paths) words.push('--mount', `type=bind,source=${path},target=${path}`)
    words.push('--mount', `type=bind,source=${usersFile(appliance)},target=/etc/passwd,readonly`)
    const { input, timeoutMs } = command
    return dockerCommand(
      dockerOptions(appliance),
      [...words, '--entrypoint', command.file, image, ...command.args],
      {
        ...(input === undefined ? {} : { input }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      },
    )
  }
  return { major: appliance.config.postgres.major, initdb: 'initdb', postgres: 'postgres', inside }
}

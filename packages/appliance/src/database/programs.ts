import { AppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Command } from '@caretaker/ports/process.ts'

/** The majors whose binaries the package registry has. */
export const POSTGRES_MAJORS = [15, 16, 17, 18] as const

export type PostgresMajor = (typeof POSTGRES_MAJORS)[number]

/** What a config without `postgres.major` gets: the newest major whose client tools a current Debian (13) has. */
export const DEFAULT_POSTGRES_MAJOR: PostgresMajor = 17

/** The server binaries of one major: absolute paths on this machine, or names in an image. */
export interface PostgresPrograms {
  readonly major: PostgresMajor
  readonly initdb: string
  readonly postgres: string
  /**
   * For binaries in an image: the same command run there, with these folders and files at the same paths as here.
   * Undefined: they run on this machine.
   */
  readonly inside?: (command: Command, paths: readonly string[]) => Command
}

/**
 * The binaries of a major in the programs folder, which holds `postgres-MAJOR/{bin,lib,share}` for each.
 * @throws AppError POSTGRES_MAJOR_MISSING, naming the majors that are there.
 */
export async function findPostgresPrograms(
  files: Pick<Files, 'stat' | 'list'>,
  programsFolder: string,
  major: PostgresMajor,
): Promise<PostgresPrograms> {
  const bin = `${programsFolder}/postgres-${major}/bin`
  const programs = { major, initdb: `${bin}/initdb`, postgres: `${bin}/postgres` }
  if ((await files.stat(programs.initdb)) && (await files.stat(programs.postgres))) return programs
  const entries = (await files.list(programsFolder)) ?? []
  const present = entries.flatMap(({ name }) => /^postgres-(\d+)$/.exec(name)?.[1] ?? [])
  throw new AppError('POSTGRES_MAJOR_MISSING', {
    what: 'Postgres cannot be run',
    why: `${major} is wanted, and ${bin} does not hold its binaries; ${present.length === 0 ? 'there are none of any major' : `there are those of ${present.join(', ')}`}`,
    next: `Install caretaker with Postgres ${major}${present.length === 0 ? '' : ', or choose one of the others for a new application in the config'}`,
  })
}

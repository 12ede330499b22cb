import type { Secret } from '@caretaker/kernel/secrets.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import { quoteIdentifier, quoteLiteral } from '@caretaker/ports/database.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { type Cluster, SUPERUSER, singleUserCommand } from './cluster.ts'
import { assertCluster } from './inspect.ts'
import type { PostgresPrograms } from './programs.ts'
import { makeRunFolder } from './run-folder.ts'
import { scramVerifier } from './scram.ts'
import { assertUnused, removeStaleLocks } from './stale-locks.ts'

/**
 * Sets the password of our superuser in a cluster that is not running. For data that knows another one: an older
 * snapshot, a restored backup.
 * @throws AppError DATABASE_ABSENT, POSTGRES_MAJOR_MISMATCH, POSTGRES_START_FAILED, COMMAND_FAILED
 */
export async function resetSuperuserPassword(
  ports: Pick<Ports, 'files' | 'processes' | 'clock'>,
  programs: PostgresPrograms,
  cluster: Cluster,
  password: Secret,
): Promise<void> {
  await assertCluster(ports.files, cluster)
  // Its server in a container sees it at the same path.
  await makeRunFolder(ports.files, cluster)
  await assertUnused(ports, cluster)
  await removeStaleLocks(ports.files, cluster)
  const verifier = quoteLiteral(scramVerifier(password).reveal())
  const sql = `ALTER ROLE ${quoteIdentifier(SUPERUSER)} PASSWORD ${verifier}`
  const command = singleUserCommand(programs, cluster, sql)
  const placed = programs.inside?.(command, [cluster.dataFolder, cluster.runFolder]) ?? command
  await runToSuccess(ports.processes, placed)
}

import type { Owner } from '@caretaker/ports/files.ts'
import type { Ports } from '@caretaker/ports/ports.ts'

/**
 * Who listens on a loopback port that is a service's and runs as another user than the service, in words; undefined when
 * the port is the service's own or nobody's. Every user of the machine can take a port whose service has ended, and would
 * get its requests.
 */
export async function foreignListener(
  { network, machine }: Pick<Ports, 'network' | 'machine'>,
  port: number,
  owner: Owner | undefined,
): Promise<string | undefined> {
  const own = owner?.uid ?? machine.user().uid
  const other = (await network.listenerUids(port)).find((uid) => uid !== own)
  if (other === undefined) return undefined
  const holder = await network.listener(port)
  const program = holder ? `"${holder.program}" (pid ${holder.pid}) of ` : 'a program of '
  return `port ${port} is held by ${program}another user (uid ${other})`
}

import { outcomeOf, outputOf } from './commands.ts'

/** A network namespace with one way out: the host's side of a pair of interfaces, translated to the host's address. */
export interface MachineNetwork {
  /** Path of the namespace. */
  readonly namespace: string
  /** Address of the machine, as seen from the host. */
  readonly address: string
  readonly hostAddress: string
  remove(): Promise<void>
}

/** Tries subnets until one is free, so that several can be there at once. */
export async function machineNetwork(): Promise<MachineNetwork> {
  let last: unknown
  for (let attempt = 0; attempt < 20; attempt++) {
    const number = 1 + Math.floor(Math.random() * 250)
    try {
      return await onSubnet(number)
    } catch (error) {
      last = error
    }
  }
  throw last
}

async function onSubnet(number: number): Promise<MachineNetwork> {
  const name = `caretaker-m${number}`
  const link = `ctm${number}`
  const subnet = `10.98.${number}`
  const ip = (...args: string[]) => outputOf('ip', args)
  const inside = (...args: string[]) => outputOf('ip', ['-n', name, ...args])
  await ip('netns', 'add', name)
  const rules = [
    ['nat', 'POSTROUTING', '-s', `${subnet}.0/24`, '!', '-o', link, '-j', 'MASQUERADE'],
    ['filter', 'FORWARD', '-i', link, '-j', 'ACCEPT'],
    ['filter', 'FORWARD', '-o', link, '-j', 'ACCEPT'],
  ]
  const remove = async () => {
    for (const [table = '', ...rule] of rules) await outcomeOf('iptables', ['-w', '-t', table, '-D', ...rule])
    await outcomeOf('ip', ['link', 'delete', link])
    await outcomeOf('ip', ['netns', 'delete', name])
  }
  try {
    await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    await ip('address', 'add', `${subnet}.1/24`, 'dev', link)
    await ip('link', 'set', link, 'up')
    await inside('address', 'add', `${subnet}.2/24`, 'dev', 'eth0')
    await inside('link', 'set', 'eth0', 'up')
    await inside('link', 'set', 'lo', 'up')
    await inside('route', 'add', 'default', 'via', `${subnet}.1`)
    await outputOf('sysctl', ['-qw', 'net.ipv4.ip_forward=1'])
    for (const [table = '', ...rule] of rules) await outputOf('iptables', ['-w', '-t', table, '-I', ...rule])
  } catch (error) {
    await remove()
    throw error
  }
  return { namespace: `/run/netns/${name}`, address: `${subnet}.2`, hostAddress: `${subnet}.1`, remove }
}

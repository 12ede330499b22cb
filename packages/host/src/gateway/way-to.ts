import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { SECOND_MS } from '@caretaker/kernel/time.ts'

/** How an application is reached. */
export interface Way {
  /** The address of this machine in the network of the application; absent on the loopback. */
  readonly localAddress?: string
}

/** How long a network is taken to be there: one that goes takes its address along, and what comes from that fails. */
const KNOWN_MS = SECOND_MS

const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4')
const holds = (list: BlockList, address: string) => list.check(address, familyOf(address))

const known = new Map<string, { readonly way: Way; readonly untilMs: number }>()
const LOOPBACK = blockOf([
  ['127.0.0.0', 8],
  ['::1', 128],
])

/**
 * How to reach an application at an IP address: on this machine, or in a network that this machine stands in. Undefined
 * where there is no such network, as after the engine of its container was killed: what visitors send must not leave by
 * the default route, where anybody may answer.
 */
export function wayTo(
  host: string,
  interfaces: typeof networkInterfaces = networkInterfaces,
  nowMs = performance.now(),
): Way | undefined {
  if (holds(LOOPBACK, host)) return {}
  const last = known.get(host)
  if (last && nowMs < last.untilMs) return last.way
  const beside = Object.values(interfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ cidr }) => cidr !== null && holds(blockOf([splitCidr(cidr)]), host))
  if (!beside) {
    known.delete(host)
    return undefined
  }
  const way = { localAddress: beside.address }
  known.set(host, { way, untilMs: nowMs + KNOWN_MS })
  return way
}

function splitCidr(cidr: string): readonly [string, number] {
  const [address = '', bits] = cidr.split('/')
  return [address, Number(bits)]
}

function blockOf(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [address, bits] of subnets) list.addSubnet(address, bits, familyOf(address))
  return list
}

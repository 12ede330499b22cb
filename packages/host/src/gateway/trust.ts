import { BlockList, isIPv6 } from 'node:net'

/** Whether an address lies in one of the addresses or CIDR ranges; IPv4 inside IPv6 counts as IPv4. */
export function trustList(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return (address) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** The address of a socket as people write it: `::ffff:192.0.2.1` is 192.0.2.1. */
export function plainAddress(remote: string | undefined): string {
  return (remote ?? 'unknown').replace(/^::ffff:(?=\d+\.)/i, '')
}

import { readdir, readFile, readlink } from 'node:fs/promises'

export interface PortHolder {
  readonly pid: number
  /** Name of its program as the kernel knows it. */
  readonly program: string
}

/**
 * The process that listens on a TCP port of this machine; undefined when there is none or it belongs to another
 * user, whose open files cannot be seen. The address is not looked at: any listener on the port is in the way.
 */
export async function findPortHolder(port: number): Promise<PortHolder | undefined> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readOrEmpty(path)))
  const inodes = new Set(tables.flatMap((table) => listeningInodes(table, port)))
  if (inodes.size === 0) return undefined
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    if (await holdsSocket(pid, inodes)) {
      return { pid: Number(pid), program: (await readOrEmpty(`/proc/${pid}/comm`)).trim() }
    }
  }
  return undefined
}

/** User ids of those who get what connects to 127.0.0.1 at a TCP port, each once. */
export async function findListenerUids(port: number): Promise<readonly number[]> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readOrEmpty(path)))
  return loopbackListenerUids(tables.join('\n'), port)
}

/**
 * {@link findListenerUids} of the rows of both tables. One on all addresses of IPv6 counts only where there is none of
 * IPv4: beside one it is for IPv6 alone.
 */
export function loopbackListenerUids(rows: string, port: number): readonly number[] {
  const listening = listeningRows(rows, port)
  const uidsAt = (addresses: readonly string[]) =>
    listening
      .filter((columns) => addresses.some((address) => columns[1]?.startsWith(`${address}:`)))
      .map((columns) => Number(columns[7]))
  const uids = uidsAt(LOOPBACK_ROWS)
  return [...new Set(uids.length > 0 ? uids : uidsAt([ALL_OF_IPV6]))]
}

/** 127.0.0.1 and 0.0.0.0, and both as addresses of IPv6: words of four bytes as numbers of a little-endian machine. */
const LOOPBACK_ROWS = [
  '0100007F',
  '00000000',
  '0000000000000000FFFF00000100007F',
  '0000000000000000FFFF000000000000',
]
const ALL_OF_IPV6 = '0'.repeat(32)

function listeningInodes(table: string, port: number): string[] {
  return listeningRows(table, port).map((columns) => columns[9] as string)
}

/** Rows of proc_net_tcp(5) in state LISTEN (0A): column 2 is address:port in hex, column 8 the user, column 10 the inode. */
function listeningRows(table: string, port: number): string[][] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table
    .split('\n')
    .filter((line) => line.includes(wanted))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === '0A' && columns[1]?.endsWith(wanted))
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const target = await readlink(`${folder}/${name}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined && inodes.has(inode)) return true
  }
  return false
}

/** Processes end while we look: what has gone holds nothing. */
async function readOrEmpty(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}

import { AppError } from '@caretaker/kernel/errors.ts'
import type { Owner } from '@caretaker/ports/files.ts'

/**
 * A service or command of a clone runs in its *cell*: a place with a network, processes and shared memory of its own,
 * where of this machine's folders only what is named is seen. All services of one clone share one cell and reach each
 * other at 127.0.0.1; nothing leads out of it.
 */
export interface Isolation {
  /** Of the clone: there is one cell for each name. */
  readonly name: string
  /** Folders and files that are empty inside, whatever this machine has there. Absolute paths; missing ones are passed over. */
  readonly hide: readonly string[]
  /**
   * Folders below hidden ones that are seen all the same. One that is missing when the cell is made is made too; one that
   * is replaced later is not seen any more.
   */
  readonly show: readonly ShownFolder[]
  /** Nothing is hidden and nothing kept in, since a person has said so; mail goes to the sink all the same. */
  readonly open?: boolean
  /** Where the sink keeps the mails of the clone: a folder that services do not see. */
  readonly mailFolder: string
  /** TCP ports of this service that this machine reaches under the same number at 127.0.0.1. */
  readonly ports: readonly number[]
}

export interface ShownFolder {
  readonly path: string
  readonly writable: boolean
}

/** What the process that makes a cell is told. */
export interface CellOrder extends Pick<Isolation, 'name' | 'hide' | 'show' | 'open' | 'mailFolder'> {
  /** Starts this program: its order follows as words. */
  readonly program: readonly string[]
  /** Who services inside run as; undefined: as the user we are, who is then not root. */
  readonly owner?: Owner
  /** Address of this machine at which an open one takes mail; 127.0.0.1 unless it is named. */
  readonly mailHost?: string
}

/** What the process that keeps a cell answers. */
export interface CellStatus {
  /** The first process inside, as this machine counts them; undefined of an open one. */
  readonly pid?: number
  readonly ports: readonly number[]
  /** TCP port at which the sink takes mail: of 127.0.0.1, seen from where services run, or of the address it was told. */
  readonly smtpPort: number
  /** TCP port of 127.0.0.1 of this machine, with the page of the mails. */
  readonly mailPagePort: number
}

/** Where programs hand in mail that have no other setting. */
export const SMTP_PORT = 25
/** In the folder of the mails: what opens their page, as text. */
export const MAIL_KEY_FILE = 'key'
/** Beside it: the port at which an open cell took mail last, as text. */
export const MAIL_PORT_FILE = 'port'

/** Folders of every machine in which other programs leave sockets, secrets and the homes of people. */
const OF_OTHERS = ['/run', '/home', '/root']
/** The same where everybody may write: inside, the cell has empty ones of its own. */
const SCRATCH = ['/tmp', '/var/tmp', '/dev/shm']

/** One change of what is seen inside, in the order they are made. */
export type CellMount =
  | { readonly kind: 'empty'; readonly path: string; readonly scratch: boolean }
  | { readonly kind: 'show'; readonly path: string; readonly writable: boolean }
  | { readonly kind: 'freeze'; readonly path: string }

/** How the folders of a cell are made: hidden ones first, then what is shown in them, then nothing is added any more. */
export function cellMounts({ hide, show }: Pick<Isolation, 'hide' | 'show'>): readonly CellMount[] {
  const hidden = [...new Set([...hide, ...OF_OTHERS, ...SCRATCH])]
  const outermost = hidden.filter((path) => !hidden.some((other) => other !== path && isBelow(path, other)))
  const empty = outermost.map((path) => ({ kind: 'empty' as const, path, scratch: SCRATCH.includes(path) }))
  const shown = [...show]
    // What contains another one comes first, else it would cover it.
    .sort((a, b) => a.path.length - b.path.length)
    .map(({ path, writable }) => ({ kind: 'show' as const, path, writable }))
  const freeze = empty
    .filter(({ scratch }) => !scratch)
    .map(({ path }) => ({ kind: 'freeze' as const, path }))
  return [...empty, ...shown, ...freeze]
}

const isBelow = (path: string, folder: string): boolean => path.startsWith(`${folder}/`)

const NAMESPACES = ['--net', '--mount', '--pid', '--ipc']

/** Makes the namespaces of a cell and runs `inside` as the first process in them, which ends with this one. */
export function makeCellCommand(isRoot: boolean, inside: readonly string[]): readonly string[] {
  return [
    UNSHARE,
    ...(isRoot ? [] : ['--user', '--map-current-user', '--keep-caps']),
    ...NAMESPACES,
    // A volume that this machine lets go of is let go of inside too.
    '--propagation',
    'slave',
    '--fork',
    '--kill-child',
    '--mount-proc',
    '--',
    ...inside,
  ]
}

/**
 * Runs a command inside a cell, in `cwd` as seen from there, as its user and without a way to become another.
 * `pid` is the cell's first process. The command is a child of this one; with `ownGroup` it leads a process group.
 */
export function enterCellCommand(
  pid: number,
  owner: Owner | undefined,
  cwd: string,
  command: readonly string[],
  options: { readonly ownGroup: boolean },
): readonly [string, ...string[]] {
  return [
    NSENTER,
    '--target',
    `${pid}`,
    ...(owner ? [] : ['--user', '--preserve-credentials']),
    ...NAMESPACES,
    '--',
    ...(options.ownGroup ? [SETSID] : []),
    NICE,
    `--adjustment=${CLONE_NICENESS}`,
    ENV,
    `--chdir=${cwd}`,
    SETPRIV,
    ...(owner ? ['--reuid', `${owner.uid}`, '--regid', `${owner.gid}`, '--clear-groups'] : []),
    '--no-new-privs',
    '--',
    ...command,
  ]
}

/** Why something of a clone was not done, and `why` the machine does not allow what keeps it in. */
export function notIsolated(what: string, why: string): AppError {
  return new AppError('CLONE_NOT_ISOLATED', {
    what,
    why: `nothing would keep it from the outside: ${why}`,
    next: 'Run caretaker as root, or allow namespaces to ordinary users ("sysctl user.max_user_namespaces kernel.apparmor_restrict_unprivileged_userns"); if the application does no harm outside with real data, clone it with --allow-outside',
  })
}

/** Of util-linux and coreutils; the PATH of a service need not lead to them. */
const UNSHARE = '/usr/bin/unshare'
const NSENTER = '/usr/bin/nsenter'
const SETSID = '/usr/bin/setsid'
const SETPRIV = '/usr/bin/setpriv'
const ENV = '/usr/bin/env'
const NICE = '/usr/bin/nice'

/** Production goes first: at 10 a process gets about a tenth of what it would, and only while others want the processor. */
const CLONE_NICENESS = 10

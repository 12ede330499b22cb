import { execFileSync } from 'node:child_process'
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One kind of file that an application can have and that a copy can lose. */
export interface OddFiles {
  readonly what: string
  /** Makes them in an empty folder. Throws where this machine or its file system cannot. */
  make(folder: string): void
  /** What of them a copy has to have. */
  tell(folder: string): unknown
}

const HOLE_BYTES = 256 * 2 ** 20
/** Latin-1 of "café". */
const NAME = Buffer.from([0x63, 0x61, 0x66, 0xe9])

const run = (file: string, ...words: readonly string[]) =>
  execFileSync(file, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
const inside = (folder: string, ...names: readonly Buffer[]) =>
  Buffer.concat([Buffer.from(folder), ...names.flatMap((name) => [Buffer.from('/'), name])])
const attributesOf = (folder: string) =>
  run('getfattr', '--absolute-names', '-d', '-m', '-', '-e', 'hex', join(folder, 'a')).replaceAll(folder, '')

const ODD_FILES: readonly OddFiles[] = [
  {
    what: 'an extended attribute',
    make(folder) {
      writeFileSync(join(folder, 'a'), 'a')
      run('setfattr', '-n', 'user.author', '-v', 'Ada', join(folder, 'a'))
    },
    tell: attributesOf,
  },
  {
    what: 'an access control list',
    make(folder) {
      writeFileSync(join(folder, 'a'), 'a')
      run('setfacl', '-m', 'u:65534:r', join(folder, 'a'))
    },
    tell: attributesOf,
  },
  {
    what: 'a capability',
    make(folder) {
      writeFileSync(join(folder, 'a'), 'a')
      const bindLowPorts = '0x0100000200040000000000000000000000000000'
      run('setfattr', '-n', 'security.capability', '-v', bindLowPorts, join(folder, 'a'))
    },
    tell: attributesOf,
  },
  {
    what: 'a pipe',
    make: (folder) => void run('mkfifo', '-m', '620', join(folder, 'pipe')),
    tell: (folder) => [lstatSync(join(folder, 'pipe')).isFIFO(), lstatSync(join(folder, 'pipe')).mode],
  },
  {
    what: 'a device node',
    make: (folder) => void run('mknod', join(folder, 'null'), 'c', '1', '3'),
    tell: (folder) => lstatSync(join(folder, 'null')).rdev,
  },
  {
    what: 'a hole',
    make(folder) {
      writeFileSync(join(folder, 'a'), 'start')
      truncateSync(join(folder, 'a'), HOLE_BYTES)
    },
    tell(folder) {
      const { size, blocks } = lstatSync(join(folder, 'a'))
      return { size, isSmallOnDisk: blocks * 512 < 2 ** 20 }
    },
  },
  {
    what: 'names that are not UTF-8',
    make(folder) {
      mkdirSync(inside(folder, NAME))
      writeFileSync(inside(folder, NAME, NAME), 'inside')
    },
    tell: (folder) => [readdirSync(folder, 'latin1'), readFileSync(inside(folder, NAME, NAME), 'utf8')],
  },
  {
    what: 'a hard link',
    make(folder) {
      writeFileSync(join(folder, 'a'), 'a')
      mkdirSync(join(folder, 'deep'))
      linkSync(join(folder, 'a'), join(folder, 'deep/b'))
    },
    tell(folder) {
      const [a, b] = [lstatSync(join(folder, 'a')), lstatSync(join(folder, 'deep/b'))]
      return { isOneFile: a.ino === b.ino, names: a.nlink }
    },
  },
  {
    what: 'a time to the nanosecond',
    make(folder) {
      writeFileSync(join(folder, 'a'), 'a')
      run('touch', '-d', '2001-02-03T04:05:06.123456789Z', join(folder, 'a'))
    },
    tell: (folder) => lstatSync(join(folder, 'a'), { bigint: true }).mtimeNs,
  },
]

/** Those that can be made on the file system of temporary folders, by this user and with what is installed. */
export const oddFiles: readonly (OddFiles & { readonly why: string })[] = ODD_FILES.map((odd) => {
  const folder = mkdtempSync(join(tmpdir(), 'caretaker-odd-'))
  try {
    odd.make(folder)
    odd.tell(folder)
    return { ...odd, why: '' }
  } catch {
    return { ...odd, why: ' (skipped: needs root, or the packages attr and acl)' }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

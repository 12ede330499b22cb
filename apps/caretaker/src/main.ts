import { userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { realPath } from '@caretaker/host/real-path.ts'
import { main } from './cli/main.ts'

/** Settings for what is fetched, taken from our environment; nothing else of it reaches another program. */
const OUTGOING =
  /^(https?_proxy|no_proxy|all_proxy|ssl_cert_(file|dir)|node_extra_ca_certs|git_ssl_cainfo|npm_config_registry|npm_config_cafile|docker_config)$/i

const here = dirname(fileURLToPath(import.meta.url))
const isRoot = process.getuid?.() === 0
const home = process.env.XDG_STATE_HOME || join(process.env.HOME || '/nonexistent', '.local', 'state')

const interrupt = new AbortController()
let interrupted = 0
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted += 1
    // The first asks to stop after the step under way; the second does not wait. Either can be resumed.
    if (interrupted > 1) {
      process.stderr.write(
        'Ended at once, in the middle of what was under way: "caretaker up" finishes it, and takes back an update or a rollback that was not done; "caretaker status" says what serves until then.\n',
      )
      process.exit(130)
    }
    interrupt.abort()
  })
}
// A reader that went away (head, a closed terminal) must not end an operation half-way.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

process.exitCode = await main({
  words: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  pid: process.pid,
  user: process.env.SUDO_USER || orElse(() => userInfo().username, `uid ${process.getuid?.()}`),
  workingFolder: orElse(() => process.cwd(), '/'),
  defaultStateFolder: isRoot ? '/var/lib/caretaker' : resolve(home, 'caretaker'),
  nodeBinary: process.execPath,
  mainFile: join(here, 'main.js'),
  programsFolder: realPath(join(here, '..', 'programs')),
  outgoing: Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => OUTGOING.test(entry[0]) && entry[1] !== undefined,
    ),
  ),
  signal: interrupt.signal,
})

/** A user without an entry in the user database, or a folder that was deleted, is no reason to refuse. */
function orElse(look: () => string, otherwise: string): string {
  try {
    return look()
  } catch {
    return otherwise
  }
}

import type { ListenOptions, Server } from 'node:net'

/** Everything for its owner, nothing for the others: a unix socket is then made with mode 0700. */
const OWNER_ONLY = 0o077

/**
 * Listens; a unix socket is its owner's alone from its first moment on, whatever the umask, so that nobody slips in
 * before its mode is set.
 * @throws the error of the system when it cannot listen there
 */
export async function listenPrivately(server: Server, at: ListenOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // The socket is made within this call, before anything else in this process runs.
    const before = process.umask(OWNER_ONLY)
    try {
      server.listen(at, resolve)
    } finally {
      process.umask(before)
    }
  })
}

interface Host {
  /** Work of guests that is under way. */
  readonly guests: Set<Promise<unknown>>
  /** The application that the host changes and that guests leave alone. */
  readonly spared: string | undefined
}

/** By the state folder whose lock this process holds. */
const hosts = new Map<string, Host>()

/**
 * Runs `work`, for which the caller holds the lock of operations, so that others of this process may look after the
 * services meanwhile, except those of `spared`: a command of an application, a rehearsal or a migration may take an hour,
 * and what crashes must be up again sooner. Resolves when the guests are done too.
 */
export async function withGuests<T>(
  stateFolder: string,
  work: () => Promise<T>,
  spared?: string,
): Promise<T> {
  const outer = hosts.get(stateFolder)
  const guests = new Set<Promise<unknown>>()
  // Within another one: what that spares is spared as well.
  hosts.set(stateFolder, { guests, spared: spared ?? outer?.spared })
  try {
    return await work()
  } finally {
    if (outer) hosts.set(stateFolder, outer)
    else hosts.delete(stateFolder)
    await Promise.allSettled(guests)
  }
}

/**
 * Runs `work` under the lock of a host of this process, telling it which application it has to leave alone; undefined, and
 * nothing is run, when there is no host.
 */
export function asGuest<T>(
  stateFolder: string,
  work: (spared: string | undefined) => Promise<T>,
): Promise<T> | undefined {
  const host = hosts.get(stateFolder)
  if (!host) return undefined
  const running = work(host.spared)
  host.guests.add(running)
  return running.finally(() => host.guests.delete(running))
}

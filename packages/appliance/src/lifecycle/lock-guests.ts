/** State folders whose lock this process holds for work that services may be looked after during, with who does. */
const hosts = new Map<string, Set<Promise<unknown>>>()

/**
 * Runs `work`, for which the caller holds the lock of operations, so that others of this process may look after the
 * services meanwhile: a command of an application may take an hour, and what crashes must be up again sooner. Resolves
 * when the guests are done too.
 */
export async function withGuests<T>(stateFolder: string, work: () => Promise<T>): Promise<T> {
  const guests = new Set<Promise<unknown>>()
  hosts.set(stateFolder, guests)
  try {
    return await work()
  } finally {
    hosts.delete(stateFolder)
    await Promise.allSettled(guests)
  }
}

/** Runs `work` under the lock of a host of this process; undefined, and nothing is run, when there is none. */
export function asGuest<T>(stateFolder: string, work: () => Promise<T>): Promise<T> | undefined {
  const guests = hosts.get(stateFolder)
  if (!guests) return undefined
  const running = work()
  guests.add(running)
  return running.finally(() => guests.delete(running))
}

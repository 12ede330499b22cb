import { randomFrom, shuffled } from './random.ts'

/** What runs everywhere. */
export const VICTIMS = ['daemon', 'gateway', 'postgres', 'backend', 'web', 'worker', 'supervisor'] as const
/**
 * `postgres` is the postmaster, `backend` one process of it that serves a connection of the application; `caddy`, where
 * it is the engine of the gateway, has `gateway` behind it. `engine` is no part of a plan: dockerd and its containerd.
 */
export type Victim = (typeof VICTIMS)[number] | 'caddy' | 'engine'

export interface PlannedKill {
  readonly victims: readonly Victim[]
  /** False: it comes without waiting until the appliance serves again after the kill before. */
  readonly whenServing: boolean
  /** How long it waits, in ms: after the appliance serves again, or after the kill before. */
  readonly afterMs: number
  /** How long a killed supervisor stays away before it is started again, in ms. */
  readonly absenceMs: number
}

const LONGEST_WAIT_MS = 2500
const LONGEST_ABSENCE_MS = 2000
/** One kill in this many hits an appliance that may not have come back yet. */
const IMPATIENT_EVERY = 4

/**
 * `count` kills that follow from the seed. They come in rounds, of twelve for seven victims: each victim alone, three
 * pairs, three at once and all at once.
 */
export function planKills(seed: number, count: number, among: readonly Victim[]): readonly PlannedKill[] {
  const random = randomFrom(seed)
  const some = (size: number) => shuffled(among, random).slice(0, size)
  const kills: PlannedKill[] = []
  while (kills.length < count) {
    const round = [...among.map((victim) => [victim]), some(2), some(2), some(2), some(3), among]
    for (const victims of shuffled(round, random)) {
      const whenServing = random() >= 1 / IMPATIENT_EVERY
      const [afterMs, absenceMs] = [random() * LONGEST_WAIT_MS, random() * LONGEST_ABSENCE_MS]
      kills.push({ victims, whenServing, afterMs, absenceMs })
    }
  }
  return kills.slice(0, count)
}

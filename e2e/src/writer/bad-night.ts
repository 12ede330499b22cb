import { setTimeout as pause } from 'node:timers/promises'
import type { StatusDocument, TestAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { startClient, UPLOADS_MS, type WriterClient } from './client-process.ts'
import { type Found, lookAt } from './found.ts'
import { judge } from './judge.ts'
import { type PlannedKill, planKills, type Victim } from './kill-plan.ts'
import { processesOf, strays } from './leftovers.ts'
import type { WriterRig } from './rig.ts'
import { type Kill, type RunResult } from './summary.ts'
import type { Supervisor } from './supervisor.ts'
import { killNow, pidOfCaddy } from './victims.ts'

/**
 * Longest that an appliance may stay away after a kill. A service that ends again and again waits 30 s for its next
 * start, and so may the daemon; the rest is for a loaded machine.
 */
export const LONGEST_ABSENCE_MS = 90_000
/** From the last kill until nothing is wrong any more: a crash loop is over when the service has run for a minute. */
const SETTLED_MS = 180_000

/** After so many other kills the engine of the containers is killed as well. */
const ENGINE_EVERY = 4

export interface Night extends RunResult {
  readonly found: Found
}

/**
 * Kills what runs, by the plan of the seed, while a client writes; lets everything settle; judges. `tell` gets a line
 * for each kill.
 * @throws Error when the appliance does not serve or settle again in time.
 */
export async function badNight(
  { appliance, supervisor, victims: among, engine }: WriterRig,
  { seed, kills: count }: { readonly seed: number; readonly kills: number },
  tell: (line: string) => void = () => undefined,
): Promise<Night> {
  supervisor.start()
  await allIsWell(appliance)
  await using client = startClient(appliance, Object.values(UPLOADS_MS))
  const kills: Kill[] = []
  await serves(client, 0)
  for (const [index, planned] of planKills(seed, count, among).entries()) {
    const before = kills.at(-1)
    if (before && planned.whenServing) await serves(client, before.at)
    await pause(planned.afterMs)
    const victims = await killSome(appliance, planned.victims, () => supervisor.pid)
    kills.push({ at: Date.now(), victims })
    tell(`kill ${index + 1}/${count}: ${victims.join(', ')}`)
    await bringBack(supervisor, victims, planned)
    // As a supervisor of the machine does, what ends dockerd and its containerd starts them again.
    if (!engine || (index + 1) % ENGINE_EVERY !== 0) continue
    await engine.kill('containerd')
    await engine.kill('dockerd')
    kills.push({ at: Date.now(), victims: ['engine'] })
    tell('kill of the engine')
    await pause(planned.absenceMs)
    await engine.restart()
  }
  await serves(client, kills.at(-1)?.at ?? 0)
  const memories = await client.finish()
  const settledFrom = Date.now()
  await allIsWell(appliance)
  const settledMs = Date.now() - settledFrom
  const found = await lookAt(appliance)
  const violations = judge(memories, found)
  return { seed, kills, memories, violations, settledMs, found }
}

/** Kills those of the victims that are there, as soon as one of them is. */
async function killSome(...order: Parameters<typeof killNow>): Promise<readonly Victim[]> {
  let killed: readonly Victim[] = []
  const some = async () => {
    killed = await killNow(...order)
    return killed.length > 0
  }
  await eventually(`one of ${order[1].join(', ')} is there`, some, LONGEST_ABSENCE_MS)
  return killed
}

/** A killed supervisor comes back when somebody starts it. */
async function bringBack(
  supervisor: Supervisor,
  killed: readonly Victim[],
  { absenceMs }: PlannedKill,
): Promise<void> {
  if (!killed.includes('supervisor')) return
  await eventually('the killed supervisor is gone', () => supervisor.pid === undefined)
  await pause(absenceMs)
  supervisor.start()
}

/** A number that was sent after `sinceMs` has been acknowledged. */
async function serves(client: WriterClient, sinceMs: number): Promise<void> {
  await eventually(
    'the client gets an acknowledgement again',
    () => client.memories().some((memory) => memory.kind === 'number' && memory.sentAt > sinceMs),
    LONGEST_ABSENCE_MS,
  )
}

/** `status` finds nothing wrong, the guestbook's own comparison agrees, and no process is left over. */
export async function allIsWell(appliance: TestAppliance): Promise<void> {
  await eventually(
    'all is well',
    async () => {
      const status = await appliance.json<StatusDocument & { readonly appliance: { readonly id: string } }>(
        'status',
      )
      if (status.state !== 'running') throw new Error(`it is ${status.state}: ${status.reason}`)
      const known = [
        ...Object.values(await appliance.pids()),
        status.daemon.pid ?? 0,
        pidOfCaddy(appliance) ?? 0,
      ]
      const left = strays(processesOf(status.appliance.id, appliance.state), known)
      if (left.length > 0) throw new Error(`processes are left over: ${JSON.stringify(left)}`)
      return true
    },
    SETTLED_MS,
  )
}

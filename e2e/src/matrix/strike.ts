import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { StatusDocument } from '../support/appliance.ts'
import { isAlive } from '../support/observe.ts'
import { isStepCase, type MatrixCase, type MatrixVictim, phaseOf, type StepCase } from './cases.ts'
import { readUpdates, type SeenRecord, watchUpdates } from './journals.ts'
import type { Scene } from './stage.ts'

/** What a kill hit. */
export interface Struck {
  /** False: there was nothing to kill at this instant, as with a Postgres that the update had stopped. */
  readonly hit: boolean
  /** The last record of the journals at that instant. */
  readonly found: string
  /** Whether the update was committed at that instant; undefined: it was just being committed. */
  readonly isCommitted: boolean | undefined
}

export interface Aim {
  /** Resolves when it has struck, and with undefined when the update was over before. */
  readonly struck: Promise<Struck | undefined>
  /** The update is over: what has not struck by now does not any more. */
  over(): void
}

const LAST_LOOK_MS = 500

/** Kills the victim of a case at its instant. Call it right before the command is given; `pid` is that of the command. */
export function aim(scene: Scene, tried: MatrixCase, victimPid: () => number | undefined): Aim {
  const { promise, resolve } = Promise.withResolvers<Struck | undefined>()
  const { state } = scene.appliance
  const known = readUpdates(state).length
  let isOver = false
  const strike = async (delayMs: number) => {
    if (isOver) return
    isOver = true
    if (delayMs > 0) await pause(delayMs)
    const hit = await kill(scene, tried.victim, victimPid)
    const records = readUpdates(state).slice(known)
    resolve({ hit, found: lastOf(records), isCommitted: isCommitted(records) })
  }
  const stop = isStepCase(tried)
    ? watchUpdates(state, (seen) => {
        const delayMs = delayAfter(tried, seen)
        if (delayMs !== undefined) void strike(delayMs)
      })
    : stopTimer(setTimeout(() => void strike(0), tried.at.afterMs))
  return {
    struck: promise.finally(stop),
    over() {
      // What it wrote last may not have been seen yet.
      setTimeout(() => {
        if (isOver) return
        isOver = true
        resolve(undefined)
      }, LAST_LOOK_MS)
    },
  }
}

const stopTimer = (timer: NodeJS.Timeout) => () => clearTimeout(timer)

/** How long after this record the case strikes; undefined: it waits for another. */
function delayAfter({ at }: StepCase, { operation, record }: SeenRecord): number | undefined {
  const isBack = at.phase === 'way back'
  if (!('step' in record) || record.step !== at.step) return undefined
  if (!isBack && phaseOf(operation) !== at.phase) return undefined
  const begun = isBack ? 'undo-started' : 'step-started'
  const ended = isBack ? ['step-undone'] : ['step-applied', 'step-failed']
  if (at.instant === 'after') return ended.includes(record.type) ? 0 : undefined
  if (record.type !== begun) return undefined
  return at.instant === 'before' ? 0 : at.durationMs / 2
}

async function kill(
  { appliance, engine }: Scene,
  victim: MatrixVictim,
  victimPid: () => number | undefined,
): Promise<boolean> {
  if (victim === 'engine') {
    await engine?.kill('containerd')
    await engine?.kill('dockerd')
    return engine !== undefined
  }
  const pid = victim === 'Postgres' ? postmaster(appliance.state) : victimPid()
  if (pid === undefined || !isAlive(pid)) return false
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false
  }
}

/** Of the Postgres of the guestbook in processes, while there is one. */
function postmaster(state: string): number | undefined {
  try {
    const record = readFileSync(join(state, 'processes/guestbook.postgres.json'), 'utf8')
    const { pid } = (JSON.parse(record) as { identity: { pid: number } }).identity
    // A record may have outlived its process.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres') ? pid : undefined
  } catch {
    return undefined
  }
}

/** The pid of the daemon of an appliance. */
export async function daemonOf({ appliance }: Scene): Promise<number | undefined> {
  return (await appliance.json<StatusDocument>('status')).daemon.pid ?? undefined
}

function lastOf(records: readonly SeenRecord[]): string {
  const last = records.at(-1)
  if (!last) return 'nothing was begun'
  const { operation, record } = last
  return `${phaseOf(operation)}: ${record.type}${'step' in record ? ` ${record.step}` : ''}`
}

/** From the journals of an update: its commit is a step of its own. */
export function isCommitted(records: readonly SeenRecord[]): boolean | undefined {
  const own = records.filter(({ record }) => 'step' in record && record.step.endsWith('/update.commit'))
  const last = own.findLast(({ record }) => record.type !== 'step-skipped')?.record.type
  if (last === 'step-started') return undefined
  return last === 'step-applied'
}

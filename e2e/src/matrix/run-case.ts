import { execFileSync } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { startClient, UPLOADS_MS, type WriterClient } from '../writer/client-process.ts'
import { lookAt } from '../writer/found.ts'
import { judge } from '../writer/judge.ts'
import { isStepCase, type MatrixCase } from './cases.ts'
import { leftBehind } from './left-behind.ts'
import { layoutOf } from './schema-of.ts'
import { bringUp, type Scene, type Stage } from './stage.ts'
import { aim, daemonOf, type Struck } from './strike.ts'
import { OLD_VERSION, type Outcome, oldPlaceOf, type TriedUpdate } from './updates.ts'

/** Layouts of data (see {@link layoutOf}) as they are when nobody disturbs an update. */
export interface Layouts {
  readonly OLD: string
  readonly NEW: string | undefined
}

export interface CaseResult {
  readonly tried: MatrixCase
  readonly struck: Struck | undefined
  /** Undefined: neither. */
  readonly outcome: Outcome | undefined
  /** Of `app update`; null where it was killed. */
  readonly exitCode: number | null
  /** What must not be. */
  readonly violations: readonly string[]
  readonly ms: number
  /** When it was run, and on which commit of this repository. */
  readonly ranAt: string
  readonly commit: string
}

/** S2 of the acceptance scenarios: one of both serves within 3 minutes, and nobody had to do anything. */
const SERVES_AGAIN_MS = 180_000
const commit = headOf(ROOT)

/** Sets the scene, updates it under the writer, strikes, starts caretaker again and judges. Never throws for what it finds. */
export async function runCase(stage: Stage, tried: MatrixCase, layouts: Layouts): Promise<CaseResult> {
  const startedAt = performance.now()
  const isPrepared = !isStepCase(tried) || tried.at.phase !== 'prepare'
  const scene = await stage.scene(tried.update, isPrepared)
  const done = { struck: undefined as Struck | undefined, exitCode: null as number | null }
  const judged = await judgeCase(scene, tried, layouts, done).catch(async (error: unknown) => ({
    outcome: undefined,
    violations: [
      error instanceof Error ? [error.message, error.cause].flat().join(': ') : String(error),
      `it said: ${await lastWordsOf(scene)}`,
    ],
  }))
  const ms = performance.now() - startedAt
  return { tried, ...done, ...judged, ms, ranAt: new Date().toISOString(), commit }
}

/** For who looks for the reason: how the guestbook stands, and the last lines of the daemon's log. */
async function lastWordsOf({ appliance }: Scene): Promise<string> {
  const status = await appliance.json<StatusDocument>('status').catch(String)
  const log = await readFile(join(appliance.state, 'logs/appliance/daemon.log'), 'utf8').catch(String)
  return [JSON.stringify(status), ...log.trim().split('\n').slice(-12)].join('\n      ')
}

function headOf(repository: string): string {
  try {
    return execFileSync('git', ['-C', repository, 'rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}

async function judgeCase(
  scene: Scene,
  tried: MatrixCase,
  layouts: Layouts,
  done: { struck: Struck | undefined; exitCode: number | null },
): Promise<Pick<CaseResult, 'outcome' | 'violations'>> {
  const { appliance, beginning } = scene
  const hasDaemon = tried.victim !== 'command line'
  await bringUp(appliance, hasDaemon)
  await using client = await openClient(appliance)
  const daemon = hasDaemon ? await daemonOf(scene) : undefined
  let command: number | undefined
  const aimed = aim(scene, tried, () => (hasDaemon ? daemon : command))
  const { child, ran } = appliance.start('app', 'update', 'guestbook', '--no-rehearsal', 'kill matrix')
  command = child.pid
  void ran.finally(() => aimed.over())
  done.struck = await aimed.struck
  const violations: string[] = []
  if (tried.victim === 'engine' && done.struck) await scene.engine?.restart()
  const { code, stderr } = await ran
  done.exitCode = code
  if (done.struck?.hit && (tried.victim === 'daemon' || tried.victim === 'command line'))
    await startAgain(appliance, tried.victim, violations)
  // Looked at first, since it costs the update nothing.
  await acknowledges(client)
  await settled(appliance, hasDaemon)
  await acknowledges(client)
  const memories = [...beginning, ...(await client.finish())]

  const version = await servedVersion(appliance)
  const outcome = outcomeOf(version, tried.update)
  if (!outcome) return { outcome, violations: [...violations, `it serves ${version}`] }
  const layout = await layoutOf(appliance)
  if (layout !== layouts[outcome]) violations.push(`the data is not that of ${outcome}: ${layout}`)
  const placeOf = outcome === 'OLD' ? oldPlaceOf : tried.update.placeOf
  const found = await lookAt(appliance, placeOf)
  for (const { kind, about, why } of judge(memories, found))
    if (!kind.startsWith('event')) violations.push(`${kind} ${about}: ${why}`)
  violations.push(...againstCommit(tried, done.struck, outcome))
  violations.push(...againstCode(outcome, tried.update, code, stderr))
  violations.push(...(await againstHistory(appliance, outcome, tried.update)))
  violations.push(...(await afterATick(scene)))
  return { outcome, violations }
}

async function openClient(appliance: TestAppliance): Promise<WriterClient> {
  const log = join(appliance.home, 'client.jsonl')
  await rm(log, { force: true })
  const client = startClient(appliance, [UPLOADS_MS.short], { log, readsEvents: false })
  await acknowledges(client)
  return client
}

/** A number that is sent from now on is acknowledged. */
async function acknowledges(client: WriterClient): Promise<void> {
  const sinceMs = Date.now()
  const isHeard = () => client.memories().some((each) => each.kind === 'number' && each.sentAt > sinceMs)
  await eventually('the writer gets an acknowledgement', isHeard, SERVES_AGAIN_MS)
}

/** What a supervisor or a boot does. */
async function startAgain(
  appliance: TestAppliance,
  victim: 'daemon' | 'command line',
  violations: string[],
): Promise<void> {
  if (victim === 'daemon') {
    await appliance.daemon()
    return
  }
  const { code, stderr } = await appliance.run('up')
  // It tells with 4 that what was interrupted was taken back.
  if (code !== 0 && code !== 4) violations.push(`"up" ended with ${code}: ${stderr.trim().slice(-500)}`)
}

async function settled(appliance: TestAppliance, hasDaemon: boolean): Promise<void> {
  const isSettled = async () => {
    const status = await appliance.json<StatusDocument & { locked_by: unknown }>('status')
    // Without a daemon that is all that is wrong.
    const isWell = status.state === 'running' || (!hasDaemon && status.code === 'DAEMON_UNREACHABLE')
    if (!isWell) throw new Error(`it is ${status.state} (${status.code}): ${status.reason}`)
    if (status.unfinished_operations.length > 0)
      throw new Error(`unfinished: ${status.unfinished_operations.join(', ')}`)
    return status.locked_by === null
  }
  await eventually('all is well without anybody doing anything', isSettled, SERVES_AGAIN_MS)
}

/** As a visitor is told. */
export async function servedVersion(appliance: TestAppliance): Promise<string> {
  const reply = await appliance.request('/version')
  return reply.status === 200
    ? String((JSON.parse(reply.body) as { release: unknown }).release)
    : `status ${reply.status}`
}

function outcomeOf(version: string, update: TriedUpdate): Outcome | undefined {
  if (version === OLD_VERSION) return 'OLD'
  return version === update.version && update.ends === 'NEW' ? 'NEW' : undefined
}

/**
 * Whoever dies before the commit finds the old release afterwards, and whoever dies after it the new one. An update whose
 * Postgres or engine dies may still get over it.
 */
export function againstCommit(
  { victim, update }: Pick<MatrixCase, 'victim' | 'update'>,
  struck: Struck | undefined,
  outcome: Outcome,
): readonly string[] {
  if (!struck?.hit || struck.isCommitted === undefined) return []
  if (struck.isCommitted) return outcome === 'NEW' ? [] : ['it was committed, and OLD serves']
  const goesBack = victim === 'daemon' || victim === 'command line' || update.ends === 'OLD'
  return goesBack && outcome === 'NEW' ? ['it was not committed, and NEW serves'] : []
}

/** A command that was there to its end says how it ended. */
function againstCode(
  outcome: Outcome,
  { ends }: TriedUpdate,
  code: number | null,
  stderr: string,
): readonly string[] {
  const says = code === 0 ? 'NEW' : code === 4 || code === 5 ? 'OLD' : undefined
  if (code === 5) return [`it ended with 5: ${stderr.trim().slice(-500)}`]
  if (says !== undefined && says !== outcome) return [`it ended with ${code}, and ${outcome} serves`]
  return code === 0 && ends === 'OLD' ? ['it ended with 0 although it fails'] : []
}

async function againstHistory(
  appliance: TestAppliance,
  outcome: Outcome,
  update: TriedUpdate,
): Promise<readonly string[]> {
  const { releases, tries } = await appliance.json<{
    releases: readonly { readonly version: string }[]
    tries: readonly { readonly state: string }[]
  }>('app', 'history', 'guestbook')
  const last = releases.at(-1)?.version
  const served = outcome === 'OLD' ? OLD_VERSION : update.version
  return [
    ...(last === served ? [] : [`app history ends with ${last}, and ${served} serves`]),
    ...tries
      .filter(({ state }) => state !== 'undone')
      .map(({ state }) => `app history has a try that is ${state}`),
  ]
}

async function afterATick(scene: Scene): Promise<readonly string[]> {
  if ((await leftBehind(scene)).length === 0) return []
  await scene.appliance.run('job', 'run', 'expiry')
  return (await leftBehind(scene)).map((what) => `left behind: ${what}`)
}

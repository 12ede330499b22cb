import { type ErrorReport, isAppError, messageOf, toAppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { CRASH_LIMIT, decideRestart } from '../runtime/backoff.ts'
import { memoryWords } from '../runtime/health.ts'
import { lastWords } from '../runtime/logs.ts'
import { APPLIANCE, type ServiceStatus, serviceKey } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { type Appliance } from './appliance.ts'
import { refreshClones } from './clone-records.ts'
import { wayBackOf } from './crash-loop-return.ts'
import { addFailure, clearFailure, type Facts, readFacts, replaceFailure, updateFacts } from './facts.ts'
import { serviceLog } from './folders.ts'
import { GATEWAY_SERVICE } from './gateway-service.ts'
import { knownServices, LostPorts } from './known-services.ts'
import { learnSecrets } from './learn-secrets.ts'
import { asGuest } from './lock-guests.ts'
import { isMoved, missingServices, readingOnce } from './missing-services.ts'
import { isGatewayCurrent, refreshGateway } from './refresh-gateway.ts'
import { foreignHolder } from './service-ports.ts'
import { startAgain } from './start-again.ts'

/** A service that has run this long after a crash loop is taken for cured. */
const CURED_MS = MINUTE_MS

interface Trouble {
  /** Monotonic times at which it was found ended, the newest last. */
  endedAtMs: number[]
  restartAtMs: number | undefined
  because: string
  /** The last try to start it failed, and that is its part's failure. */
  couldNotStart: boolean
  /** Since when it is seen running again, and as which process. Monotonic: the wall clock may be set meanwhile. */
  running: { readonly pid: number; readonly sinceMs: number } | undefined
  /** A start that failed may leave nothing the runtime knows of; this stands for it. */
  last: ServiceStatus
}

/** The services for which something has to be done, and whether those in the engine could not be asked for. */
interface Due {
  readonly due: readonly ServiceStatus[]
  readonly isEngineAway: boolean
}

/** Something that was done to keep the appliance up, for the log of the daemon. */
export interface KeptUp {
  readonly app: string
  readonly service: string
  readonly did:
    | 'noticed its end'
    | 'started it again'
    | 'could not start it'
    | 'is in a crash loop'
    | 'has recovered'
    | 'has a new record'
  readonly because: string
}

/**
 * Starts again what has ended by itself: with back-off, without end, and from {@link CRASH_LIMIT} ends in a row on with
 * a named failure. Called every half second or so by the daemon. Looking takes no lock; for what has to be done it takes
 * the operation lock, and leaves it for the next time while another holds that, or `mayBegin` says that one wants it.
 */
export class UpKeeper {
  readonly #troubles = new Map<string, Trouble>()
  /** What the gateway shows may be out of date: it did not take the last change. */
  #isGatewayBehind = false
  #addresses: string | undefined
  readonly #ports = new LostPorts()
  /** At the last look the engine could not be asked: what has ended when it can be again is not its own fault. */
  #wasEngineAway = false
  readonly #read = readingOnce()
  /** Services that should run and of which nothing is known: they have not ended, so no end is counted. */
  #missing = new Set<string>()

  async tend(
    appliance: Appliance,
    signal: AbortSignal,
    { mayBegin }: { readonly mayBegin: () => boolean } = { mayBegin: () => true },
  ): Promise<readonly KeptUp[]> {
    const { due, isEngineAway } = await this.#due(appliance)
    if (isEngineAway) this.#wasEngineAway = true
    const isQuiet = !this.#isGatewayBehind && (await damagedNow(appliance)).length === 0
    if (isQuiet && due.length === 0) {
      this.#wasEngineAway = isEngineAway
      return []
    }
    const { ports, stateFolder, actor, pid } = appliance
    // While another of this process holds the lock for long, services are looked after all the same.
    const asTheirGuest = asGuest(stateFolder, async (spared) => {
      // Theirs may be a clone that was not there when this appliance was opened.
      await refreshClones(appliance)
      return this.#tendLocked(appliance, signal, spared)
    })
    if (asTheirGuest) return asTheirGuest
    if (!mayBegin()) return []
    try {
      return await withOperationLock(
        ports,
        stateFolder,
        { actor, purpose: 'keep the appliance up', pid },
        () => this.#tendLocked(appliance, signal),
      )
    } catch (error) {
      if (isAppError(error, 'LOCKED')) return []
      throw error
    }
  }

  /** `spared`: an application that is left alone. */
  async #tendLocked(appliance: Appliance, signal: AbortSignal, spared?: string): Promise<readonly KeptUp[]> {
    const done: KeptUp[] = await this.#mendRecords(appliance, spared)
    // Looked at anew: what was there before the lock was taken may have been changed by its last holder.
    const { due: all, isEngineAway } = await this.#due(appliance)
    const due = all.filter(({ app }) => app !== spared)
    // Nothing is handed any more to a port whose service has ended: another program may take it.
    if (due.some(({ state }) => state === 'ended')) await this.#refreshGateway(appliance, spared)
    for (const status of due) {
      const event =
        status.state === 'ended'
          ? await this.#ended(appliance, status, signal)
          : await this.#recovered(appliance, status)
      if (event) done.push(event)
    }
    if (done.length > 0 || this.#isGatewayBehind) await this.#refreshGateway(appliance, spared)
    this.#wasEngineAway = isEngineAway
    return done
  }

  /** A service whose process is still known goes on; another is started again as one that ended. */
  async #mendRecords(appliance: Appliance, spared: string | undefined): Promise<KeptUp[]> {
    const done: KeptUp[] = []
    for (const record of await damagedNow(appliance)) {
      const { app, service, slot, file } = record
      if (app === spared) continue
      const because = `its record ${file} was damaged (STATE_DAMAGED) and is set aside as ${file}.damaged`
      if (await appliance.runtime.mend(record)) done.push({ app, service, did: 'has a new record', because })
      else {
        const unknown = {
          runtime: 'process',
          releaseId: '',
          pid: 0,
          startedAt: '',
          specHash: '',
          state: 'ended',
        } as const
        const logFile = serviceLog(appliance.folders, app, service)
        this.#troubleOf({ app, service, slot, logFile, ...unknown })
        done.push({ app, service, did: 'noticed its end', because })
      }
    }
    return done
  }

  /** It may still be starting; then it is told at a later turn. */
  async #refreshGateway(appliance: Appliance, spared: string | undefined): Promise<void> {
    try {
      if (!(await isGatewayCurrent(appliance, spared))) await refreshGateway(appliance, spared)
      this.#isGatewayBehind = false
    } catch {
      const gateway = await appliance.runtime.status(APPLIANCE, GATEWAY_SERVICE)
      this.#isGatewayBehind = gateway?.state === 'running'
    }
  }

  /** The services for which something has to be done now. Takes note of what nobody wants up any more. */
  async #due(appliance: Appliance): Promise<Due> {
    const facts = await readFacts(appliance.ports.files, appliance.stateFolder)
    const { known, isEngineAway } = await knownServices(appliance)
    if (this.#hasMoved(known)) this.#isGatewayBehind = true
    const due: ServiceStatus[] = []
    const lost = isEngineAway ? [] : await this.#lost(appliance, facts, known)
    const moved = new Set(known.filter((status) => isMoved(appliance, status)).map(({ app }) => app))
    for (const status of [...(await this.#ports.without(appliance, known)), ...lost]) {
      if (moved.has(status.app)) continue
      if (!(await this.#isWanted(appliance, facts, status))) this.#troubles.delete(keyOf(status))
      else if (this.#isDue(appliance, status)) due.push(status)
    }
    // A service may need its database: that first.
    const order = (status: ServiceStatus) => (status.service === POSTGRES_SERVICE ? 0 : 1)
    return { due: due.toSorted((a, b) => order(a) - order(b)), isEngineAway }
  }

  /** Whether a service is reached elsewhere than at the last look, whoever started it again. */
  #hasMoved(known: readonly ServiceStatus[]): boolean {
    const addresses = known.map((status) => `${keyOf(status)}/${status.address ?? ''}`).join(' ')
    const hasMoved = this.#addresses !== undefined && this.#addresses !== addresses
    this.#addresses = addresses
    return hasMoved
  }

  /** Services that the runtime does not know any more: their last start failed, or they should run and do not. */
  async #lost(
    appliance: Appliance,
    facts: Facts,
    known: readonly ServiceStatus[],
  ): Promise<readonly ServiceStatus[]> {
    const there = new Set(known.map(keyOf))
    const troubles = [...this.#troubles.values()].filter(({ last }) => !there.has(keyOf(last)))
    const failed = troubles.filter(({ couldNotStart }) => couldNotStart).map(({ last }) => last)
    const missing = await missingServices(appliance, facts, [...known, ...failed], this.#read(appliance))
    this.#missing = new Set(missing.map(keyOf))
    const others = troubles.map(({ last }) => last).filter((last) => !this.#missing.has(keyOf(last)))
    return [...others, ...missing]
  }

  #isDue({ ports: { clock } }: Appliance, status: ServiceStatus): boolean {
    const trouble = this.#troubles.get(keyOf(status))
    if (status.state === 'ended')
      return trouble?.restartAtMs === undefined || clock.monotonicMs() >= trouble.restartAtMs
    if (!trouble) return false
    // Somebody else has started it meanwhile.
    trouble.restartAtMs = undefined
    const nowMs = clock.monotonicMs()
    if (trouble.running?.pid !== status.pid) trouble.running = { pid: status.pid, sinceMs: nowMs }
    return nowMs - trouble.running.sinceMs >= CURED_MS
  }

  async #isWanted(
    appliance: Appliance,
    facts: Facts,
    { app, service, slot, state }: ServiceStatus,
  ): Promise<boolean> {
    if (facts.wanted === 'down') return false
    if (app === APPLIANCE) return true
    // Nothing is started on a data volume that is missing or another's, nor what the config does not name. What a clone
    // runs while it is made or tried is the business of who does that.
    const configured = appliance.config.applications[app]
    if (facts.failures.appliance || !configured || (configured.clone && configured.clone.state !== 'ready'))
      return false
    if (service === POSTGRES_SERVICE) return true
    if (facts.manual || appliance.config.standby !== false) return false
    if (state === 'running') return true
    // One that cannot be read is its own trouble, and is said as such; the others are looked after.
    const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app).catch(
      unlessDamaged,
    )
    if (!record || record.stopped || record.updating || record.slot !== slot) return false
    if (record.releaseId === undefined) return false
    const loaded = await loadRelease(appliance, app, record.releaseId).catch(() => undefined)
    const found = loaded?.application.services.find((entry) => entry.name === service)
    return found !== undefined && found.restart !== 'no'
  }

  async #ended(
    appliance: Appliance,
    status: ServiceStatus,
    signal: AbortSignal,
  ): Promise<KeptUp | undefined> {
    const { app, service } = status
    const nowMs = appliance.ports.clock.monotonicMs()
    const trouble = this.#troubleOf(status)
    const foreign = await foreignHolder(appliance, app, service, status.slot)
    if (foreign !== undefined) this.#isGatewayBehind = true
    const also = foreign === undefined ? '' : `; ${foreign}`
    if (trouble.restartAtMs === undefined) {
      const excuse = this.#excuseOf(status)
      if (excuse === undefined) trouble.endedAtMs = [...trouble.endedAtMs.slice(-CRASH_LIMIT), nowMs]
      const decision =
        excuse === undefined
          ? decideRestart(trouble.endedAtMs, nowMs)
          : ({ action: 'restart', afterMs: 0, because: excuse } as const)
      trouble.restartAtMs = nowMs + decision.afterMs
      const memory = status.outOfMemory ? `; ${memoryWords()}: see its mem_limit` : ''
      trouble.because = `${decision.because}${also}${memory}`
      if (decision.action === 'restart' && decision.afterMs > 0) {
        return { app, service, did: 'noticed its end', because: trouble.because }
      }
      if (decision.action === 'slow-restart') {
        await this.#nameCrashLoop(appliance, status, trouble.because)
        return { app, service, did: 'is in a crash loop', because: trouble.because }
      }
    }
    trouble.restartAtMs = undefined
    try {
      await startAgain(appliance, status, signal)
      if (trouble.couldNotStart) await this.#forget(appliance, app)
      trouble.couldNotStart = false
      return { app, service, did: 'started it again', because: trouble.because }
    } catch (error) {
      // The engine has gone meanwhile: nothing is said about the service by that.
      if (isAppError(error, 'ENGINE_UNREACHABLE')) return undefined
      trouble.couldNotStart = true
      await this.#fail(appliance, app, error)
      return { app, service, did: 'could not start it', because: messageOf(error) }
    }
  }

  /** Why a service does not run without having ended by itself. */
  #excuseOf(status: ServiceStatus): string | undefined {
    if (this.#missing.has(keyOf(status))) return 'it should run, and did not'
    return this.#wasEngineAway && status.app !== APPLIANCE ? 'the container engine was away' : undefined
  }

  async #recovered(appliance: Appliance, status: ServiceStatus): Promise<KeptUp | undefined> {
    const { app, service } = status
    const { files } = appliance.ports
    this.#troubles.delete(keyOf(status))
    // Another service of the same application may still be in trouble.
    if (
      [...this.#troubles.values()].some(
        ({ last, endedAtMs }) => last.app === app && endedAtMs.length >= CRASH_LIMIT,
      )
    )
      return undefined
    const { failures: known } = await readFacts(files, appliance.stateFolder)
    if (!known[partOf(app)]) return undefined
    await updateFacts(files, appliance.stateFolder, ({ failures }) => ({
      failures: clearFailure(failures, partOf(app)),
    }))
    return { app, service, did: 'has recovered', because: 'it has run for a minute' }
  }

  #troubleOf(status: ServiceStatus): Trouble {
    const last: ServiceStatus = { ...status, state: 'ended' }
    const trouble = this.#troubles.get(keyOf(status)) ?? {
      endedAtMs: [],
      restartAtMs: undefined,
      because: '',
      couldNotStart: false,
      running: undefined,
      last,
    }
    trouble.last = last
    this.#troubles.set(keyOf(status), trouble)
    return trouble
  }

  async #nameCrashLoop(
    appliance: Appliance,
    { app, service, logFile }: ServiceStatus,
    because: string,
  ): Promise<void> {
    await learnSecrets(appliance)
    await appliance.runtime.gatherLogs().catch(() => undefined)
    const said = await lastWords(appliance.ports.files, logFile, 3)
    const name = app === APPLIANCE ? service : `${app} ${service}`
    const wayBack = app === APPLIANCE ? undefined : await wayBackOf(appliance, app)
    const orBack = wayBack === undefined ? '' : `; the release before: "${wayBack}"`
    const failure: ErrorReport = {
      code: 'SERVICE_CRASH_LOOP',
      what: `The service ${service} does not stay up`,
      why: `it ${because}${said}`,
      next: `Look at "caretaker logs ${name}", correct what it complains about, then "caretaker up"${orBack}`,
      exit_code: 5,
    }
    // Only seen failing: a reason that stands already says more than that it does not stay up. Except that it once
    // ended right after its start: it still does, again and again.
    await this.#record(appliance, app, failure, (failures, part, ...report) =>
      failures[part]?.code === 'SERVICE_START_FAILED'
        ? replaceFailure(failures, part, ...report)
        : addFailure(failures, part, ...report),
    )
  }

  /** A new try to start it: what keeps it from starting now is what counts. */
  async #fail(appliance: Appliance, app: string, error: unknown): Promise<void> {
    await this.#record(appliance, app, toAppError(error).toReport(), replaceFailure)
  }

  /** What kept it from starting is over; a crash loop is not, before it has run for a while. */
  async #forget(appliance: Appliance, app: string): Promise<void> {
    await updateFacts(appliance.ports.files, appliance.stateFolder, ({ failures }) =>
      failures[partOf(app)]?.code === 'SERVICE_CRASH_LOOP'
        ? {}
        : { failures: clearFailure(failures, partOf(app)) },
    )
  }

  async #record(
    appliance: Appliance,
    app: string,
    failure: ErrorReport,
    record: typeof addFailure,
  ): Promise<void> {
    const { files, clock } = appliance.ports
    await updateFacts(files, appliance.stateFolder, ({ failures }) => ({
      failures: record(failures, partOf(app), failure, clock.now().toISOString()),
    }))
  }
}

function unlessDamaged(error: unknown): undefined {
  if (!isAppError(error, 'STATE_DAMAGED')) throw error
}

const damagedNow = async ({ runtime }: Appliance) =>
  (await runtime.damaged()).filter(({ setAside }) => !setAside)

const keyOf = ({ app, service, slot }: ServiceStatus) => `${app}/${serviceKey(service, slot)}`

/** The gateway's trouble is its own part: the applications behind it are not at fault. */
const partOf = (app: string) => (app === APPLIANCE ? 'gateway' : app)

import { messageOf, toAppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { serviceNamed } from '../application/application.ts'
import { CRASH_LIMIT, decideRestart } from '../runtime/backoff.ts'
import { readLogTail } from '../runtime/logs.ts'
import { APPLIANCE, type ServiceStatus } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE, startDatabase } from './app-database.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { writeSecretFiles } from './app-secrets.ts'
import { type Appliance } from './appliance.ts'
import { addFailure, clearFailure, type Facts, readFacts, updateFacts } from './facts.ts'
import { GATEWAY_SERVICE, gatewaySpec } from './gateway-service.ts'
import { isGatewayCurrent, refreshGateway } from './refresh-gateway.ts'
import { serviceSpec } from './service-specs.ts'

/** A service that has run this long after a crash loop is taken for cured. */
const CURED_MS = MINUTE_MS

interface Trouble {
  /** Monotonic times at which it was found ended, the newest last. */
  endedAtMs: number[]
  restartAtMs: number | undefined
  because: string
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
  readonly because: string
}

/**
 * Starts again what has ended by itself: with back-off, without end, and from {@link CRASH_LIMIT} ends in a row on with
 * a named failure. Called every half second or so by the daemon, never while an operation is under way.
 */
export class UpKeeper {
  readonly #troubles = new Map<string, Trouble>()

  async tend(appliance: Appliance, signal: AbortSignal): Promise<readonly KeptUp[]> {
    const facts = await readFacts(appliance.ports.files, appliance.stateFolder)
    if (facts.wanted === 'down') return []
    const done: KeptUp[] = []
    for (const status of await appliance.runtime.list()) {
      if (!(await this.#isWanted(appliance, facts, status))) continue
      const event =
        status.state === 'ended'
          ? await this.#ended(appliance, status, signal)
          : await this.#runs(appliance, facts, status)
      if (event) done.push(event)
    }
    if (done.some((event) => event.did !== 'noticed its end') && !(await isGatewayCurrent(appliance))) {
      await refreshGateway(appliance).catch(() => undefined)
    }
    return done
  }

  async #isWanted(
    appliance: Appliance,
    facts: Facts,
    { app, service, state }: ServiceStatus,
  ): Promise<boolean> {
    if (app === APPLIANCE || service === POSTGRES_SERVICE) return true
    if (facts.manual || appliance.config.standby !== false) return false
    if (state === 'running') return true
    const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
    if (record.stopped || record.releaseId === undefined) return false
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
    const trouble = this.#troubleOf(app, service)
    if (trouble.restartAtMs === undefined) {
      trouble.endedAtMs = [...trouble.endedAtMs.slice(-CRASH_LIMIT), nowMs]
      const decision = decideRestart(trouble.endedAtMs, nowMs)
      trouble.restartAtMs = nowMs + decision.afterMs
      trouble.because = decision.because
      if (decision.action === 'restart' && decision.afterMs > 0) {
        return { app, service, did: 'noticed its end', because: decision.because }
      }
      if (decision.action === 'slow-restart') {
        await this.#nameCrashLoop(appliance, status, decision.because)
        return { app, service, did: 'is in a crash loop', because: decision.because }
      }
    }
    if (nowMs < trouble.restartAtMs) return undefined
    trouble.restartAtMs = undefined
    try {
      await startAgain(appliance, status, signal)
      return { app, service, did: 'started it again', because: trouble.because }
    } catch (error) {
      await this.#fail(appliance, app, error)
      return { app, service, did: 'could not start it', because: messageOf(error) }
    }
  }

  async #runs(
    appliance: Appliance,
    facts: Facts,
    { app, service, startedAt }: ServiceStatus,
  ): Promise<KeptUp | undefined> {
    const trouble = this.#troubles.get(`${app}/${service}`)
    if (!trouble || trouble.endedAtMs.length === 0) return undefined
    const { clock, files } = appliance.ports
    if (clock.now().getTime() - Date.parse(startedAt) < CURED_MS) return undefined
    this.#troubles.delete(`${app}/${service}`)
    if (!facts.failures[partOf(app)]) return undefined
    await updateFacts(files, appliance.stateFolder, ({ failures }) => ({
      failures: clearFailure(failures, partOf(app)),
    }))
    return { app, service, did: 'has recovered', because: 'it has run for a minute' }
  }

  #troubleOf(app: string, service: string): Trouble {
    const key = `${app}/${service}`
    const trouble = this.#troubles.get(key) ?? { endedAtMs: [], restartAtMs: undefined, because: '' }
    this.#troubles.set(key, trouble)
    return trouble
  }

  async #nameCrashLoop(
    appliance: Appliance,
    { app, service, logFile }: ServiceStatus,
    because: string,
  ): Promise<void> {
    const lines = await readLogTail(appliance.ports.files, logFile, 3)
    const said = lines.length === 0 ? '' : `; it last wrote: ${lines.join(' | ')}`
    const name = app === APPLIANCE ? service : `${app} ${service}`
    await this.#record(appliance, app, {
      code: 'SERVICE_CRASH_LOOP',
      what: `The service ${service} does not stay up`,
      why: `it ${because}${said}`,
      next: `Look at "caretaker logs ${name}", correct what it complains about, then "caretaker up"`,
      exit_code: 5,
    })
  }

  async #fail(appliance: Appliance, app: string, error: unknown): Promise<void> {
    await this.#record(appliance, app, toAppError(error).toReport())
  }

  async #record(appliance: Appliance, app: string, failure: Parameters<typeof addFailure>[2]): Promise<void> {
    const { files, clock } = appliance.ports
    await updateFacts(files, appliance.stateFolder, ({ failures }) => ({
      failures: addFailure(failures, partOf(app), failure, clock.now().toISOString()),
    }))
  }
}

/** The gateway's trouble is its own part: the applications behind it are not at fault. */
const partOf = (app: string) => (app === APPLIANCE ? 'gateway' : app)

async function startAgain(
  appliance: Appliance,
  { app, service }: ServiceStatus,
  signal: AbortSignal,
): Promise<void> {
  const { ports, runtime, folders } = appliance
  if (app === APPLIANCE && service === GATEWAY_SERVICE) return runtime.start(gatewaySpec(appliance))
  if (service === POSTGRES_SERVICE) return startDatabase(appliance, app, signal)
  const record = await readAppRecord(ports.files, folders.apps, app)
  const loaded = await loadRelease(appliance, app, record.releaseId ?? '')
  await writeSecretFiles(appliance, loaded.application)
  await runtime.start(await serviceSpec(appliance, loaded, record, serviceNamed(loaded.application, service)))
}

import { type ErrorReport, isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { type Plan } from '@caretaker/steps/plan.ts'
import { isNothingToDo, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { afterFailure } from '../certificates/acme/retry.ts'
import {
  type CertificateState,
  readCertificateState,
  updateCertificateState,
  withCertificate,
} from '../certificates/acme/state.ts'
import { decideDue } from '../certificates/due.ts'
import { readProvided } from '../certificates/provided.ts'
import { removePairs, storedPairs, storePair } from '../certificates/store.ts'
import { wantedCertificates } from '../certificates/wanted.ts'
import { readGatewayConfig } from '../gateway/given-config.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { certificateFailure, certificateTroubles } from './certificate-failure.ts'
import {
  certificateCandidates,
  chooseForHosts,
  gatewayCertificates,
  providedPath,
} from './chosen-certificates.ts'
import { clearFailure, readFacts, replaceFailure, updateFacts } from './facts.ts'
import { applianceSteps, planObtain, planServeCertificates } from './plan-up.ts'
import { certificateNames } from './routes.ts'

/** Name of the part of the appliance that this looks after. */
export const CERTIFICATES = 'certificates'

export interface TendOptions {
  readonly emit: EmitEvent
  readonly signal: AbortSignal
  /** Names of certificates that a person wants now, due or not; `all`: every one. */
  readonly asked?: readonly string[] | 'all'
}

export interface TendResult {
  readonly operations: readonly OperationResult[]
  /** What is wrong with certificates now; also the failure of the part {@link CERTIFICATES}. */
  readonly failure: ErrorReport | undefined
}

/**
 * Gets what is due from where certificates come from, has the gateway show the best there is, and says what is wrong.
 * One that fails does not keep the others from being had. The caller holds the lock of operations.
 */
export async function tendCertificatesLocked(
  appliance: Appliance,
  options: TendOptions,
): Promise<TendResult> {
  const { ports, config, stateFolder } = appliance
  // Those of the own authority are looked at where they are made; after a change of mode the others may still be shown.
  if (config.tls.mode === 'own-ca' && !(await areCertificatesDue(appliance))) {
    return { operations: [], failure: undefined }
  }
  const operations: OperationResult[] = []
  let refused: readonly ErrorReport[] = []
  let unshown: ErrorReport | undefined
  const isUp = (await appliance.gateway.status().catch(() => undefined)) !== undefined
  if (config.tls.mode === 'provided') refused = await takeProvided(appliance)
  // The gateway answers the server's questions: without it nothing could be proved.
  if (config.tls.mode === 'acme' && isUp) operations.push(...(await obtainDue(appliance, options)))
  if (isUp && !options.signal.aborted) {
    const served = await runIfNeeded(appliance, planServeCertificates(appliance), options)
    if (served) operations.push(served)
    unshown = served?.outcome === 'done' ? undefined : served?.errors[0]
    if (!unshown) await removeSuperseded(appliance)
  }
  const failure = unshown ?? (await failureNow(appliance, refused))
  const at = ports.clock.now().toISOString()
  await updateFacts(ports.files, stateFolder, ({ failures }) => ({
    failures: failure
      ? replaceFailure(failures, CERTIFICATES, failure, at)
      : clearFailure(failures, CERTIFICATES),
  }))
  return { operations, failure }
}

/** Whether {@link tendCertificatesLocked} would do something now. Looks only; cheap enough to be asked every minute. */
export async function areCertificatesDue(appliance: Appliance): Promise<boolean> {
  const { ports, config, stateFolder } = appliance
  const facts = await readFacts(ports.files, stateFolder)
  if (!facts.startedBefore || facts.wanted === 'down') return false
  const { mode } = config.tls
  const given = await readGatewayConfig(appliance)
  if (given) {
    const chosen = gatewayCertificates(await chooseForHosts(appliance))
    if (JSON.stringify(chosen) !== JSON.stringify(given.certificates)) return true
  }
  if (mode === 'own-ca') return facts.failures[CERTIFICATES] !== undefined
  const state = await readCertificateState(ports.files, stateFolder)
  if (mode === 'provided') {
    const now = await Promise.all(config.tls.provided.map((entry) => providedId(appliance, entry)))
    return config.tls.provided.some(
      ({ certificate }, index) => state.seen?.[providedPath(appliance, certificate)] !== now[index],
    )
  }
  const candidates = await certificateCandidates(appliance)
  return wantedCertificates(config).some(
    (wanted) => decideDue(wanted, candidates, state, ports.clock.now(), false).action === 'get',
  )
}

async function obtainDue(appliance: Appliance, options: TendOptions): Promise<readonly OperationResult[]> {
  const { ports, stateFolder, gatewayPaths, config } = appliance
  const operations: OperationResult[] = []
  // What an interrupted proof has left; nobody waits for it any more.
  await ports.files.remove(gatewayPaths.challengeFolder)
  for (const wanted of wantedCertificates(config)) {
    const isAsked = options.asked === 'all' || (options.asked ?? []).includes(wanted.name)
    // An order that the server has forgotten is had anew at once, one time.
    for (let tries = 0; tries < 2 && !options.signal.aborted; tries += 1) {
      const state = await readCertificateState(ports.files, stateFolder)
      const candidates = await certificateCandidates(appliance)
      const now = ports.clock.now()
      const decision = decideDue(wanted, candidates, state, now, isAsked || tries > 0)
      if (decision.action !== 'get') break
      const result = await run(appliance, planObtain(appliance, wanted), options)
      operations.push(result)
      await rememberOther(appliance, wanted.name, state, result)
      if (result.outcome === 'done' || result.errors[0]?.code !== 'ACME_ORDER_EXPIRED') break
    }
  }
  return operations
}

/**
 * What failed beside the conversation with the server, as a full disk, is remembered too, so that it is not tried again
 * without a pause.
 */
async function rememberOther(
  { ports, stateFolder }: Appliance,
  name: string,
  before: CertificateState,
  { outcome, errors: [error] }: OperationResult,
): Promise<void> {
  if (outcome === 'done' || outcome === 'cancelled' || !error) return
  await updateCertificateState(ports.files, stateFolder, (state) => {
    const known = [state.directory, state.certificates[name]?.retry]
    const knownBefore = [before.directory, before.certificates[name]?.retry]
    if (JSON.stringify(known) !== JSON.stringify(knownBefore)) return {}
    const failure = { kind: 'unreachable', retryAfterMs: undefined, error } as const
    return withCertificate(state, name, { retry: afterFailure(known[1], failure, ports.clock.now()) })
  })
}

/** Takes over what a person provides, each entry by itself; gives why entries were not taken. */
async function takeProvided(appliance: Appliance): Promise<readonly ErrorReport[]> {
  const { ports, stateFolder, folders, config } = appliance
  const hosts = certificateNames(config).flatMap((entry) => entry.hosts)
  const refused: ErrorReport[] = []
  for (const entry of config.tls.provided) {
    const paths = {
      certificate: providedPath(appliance, entry.certificate),
      key: providedPath(appliance, entry.key),
    }
    const seen = await providedId(appliance, entry)
    try {
      const { pem, key } = await readProvided(ports.files, paths, hosts, ports.clock.now())
      const name = `provided-${config.tls.provided.indexOf(entry) + 1}`
      const id = await storePair(ports.files, folders.certificates, name, 'provided', pem, key)
      await updateCertificateState(ports.files, stateFolder, (state) => ({
        provided: { ...state.provided, [paths.certificate]: id },
      }))
    } catch (error) {
      if (!isAppError(error)) throw error
      refused.push(error.toReport())
    }
    await updateCertificateState(ports.files, stateFolder, (state) => ({
      seen: { ...state.seen, [paths.certificate]: seen },
    }))
  }
  return refused
}

/** Tells the content and rights of two provided files from what they were before, without showing either. */
async function providedId(
  appliance: Appliance,
  entry: { readonly certificate: string; readonly key: string },
): Promise<string> {
  const { files } = appliance.ports
  const parts: unknown[] = []
  for (const path of [entry.certificate, entry.key]) {
    const file = providedPath(appliance, path)
    const info = await files.stat(file)
    parts.push([info?.mode, info?.modifiedMs, info?.sizeBytes])
  }
  return sha256(JSON.stringify(parts)).slice(0, 16)
}

async function failureNow(
  appliance: Appliance,
  refused: readonly ErrorReport[],
): Promise<ErrorReport | undefined> {
  const { ports, config, stateFolder } = appliance
  try {
    const state = await readCertificateState(ports.files, stateFolder)
    const choices = await chooseForHosts(appliance)
    return certificateFailure(certificateTroubles(config, state, choices, refused, ports.clock.now()))
  } catch (error) {
    return toAppError(error).toReport()
  }
}

/** Pairs that nothing shows any more go; the newest of each certificate stays. */
async function removeSuperseded(appliance: Appliance): Promise<void> {
  const { ports, folders } = appliance
  const shown = new Set((await chooseForHosts(appliance)).map(({ candidate }) => candidate.certificateFile))
  const pairs = await storedPairs(ports.files, folders.certificates)
  await removePairs(ports.files, pairs, (pair) => {
    const newest = pairs.find(({ name, source }) => name === pair.name && source === pair.source)
    return shown.has(pair.certificateFile) || pair === newest
  })
}

async function run(
  appliance: Appliance,
  plan: Plan,
  { emit, signal }: TendOptions,
): Promise<OperationResult> {
  return runPlanLocked(runnerFor(appliance, applianceSteps(appliance), emit), plan, signal)
}

async function runIfNeeded(
  appliance: Appliance,
  plan: Plan,
  options: TendOptions,
): Promise<OperationResult | undefined> {
  const preview = await previewPlan(applianceSteps(appliance), plan, options.signal)
  return isNothingToDo(preview) ? undefined : run(appliance, plan, options)
}

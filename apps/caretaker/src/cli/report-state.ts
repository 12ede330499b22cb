import { createGatewayClient } from '@caretaker/appliance/gateway/client.ts'
import { gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import type { Surrounding } from '@caretaker/appliance/lifecycle/appliance.ts'
import type { PartProblem } from '@caretaker/appliance/lifecycle/appliance-state.ts'
import { runFolder } from '@caretaker/appliance/lifecycle/folders.ts'
import type { OpenedInForce } from '@caretaker/appliance/lifecycle/open.ts'
import { exitCodeOf, type StatusReport, status } from '@caretaker/appliance/lifecycle/status.ts'
import { whyUnconfigured } from '@caretaker/appliance/lifecycle/unconfigured.ts'
import { visitorSentence } from '@caretaker/appliance/lifecycle/visitor-sentence.ts'
import { type AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { findLockHolder } from '@caretaker/steps/operation-lock.ts'

/** What `status`, the state page and its JSON say; without a config nothing is known of the appliance. */
export interface StateReport extends Omit<StatusReport, 'appliance'> {
  readonly appliance: {
    readonly id: string | null
    readonly domain: string | null
    readonly config_file: string | null
    readonly state_folder: string
    /** Its file was edited and is not in force yet. */
    readonly config_changed: boolean
  }
}

/** The state of the appliance that `open` gives, or why there is none. Changes nothing. */
export async function reportState(
  around: Surrounding,
  open: () => Promise<Pick<OpenedInForce, 'appliance' | 'refused' | 'isChanged'>>,
  daemonPid: number | undefined,
): Promise<StateReport> {
  try {
    const { appliance, refused, isChanged } = await open()
    const since = around.ports.clock.now().toISOString()
    const report = await status(appliance, daemonPid, refused ? [configProblem(refused, since)] : [])
    return { ...report, appliance: { ...report.appliance, config_changed: isChanged } }
  } catch (error) {
    const reported = toAppError(error)
    if (!/^(CONFIG_|SEAL_|STATE_DAMAGED$)/.test(reported.code)) throw reported
    return unconfigured(around, reported, daemonPid)
  }
}

/** A config that was refused as a part that does not work. */
export function configProblem(refused: AppError, since: string): PartProblem {
  const { code, what, why, next } = refused
  return { part: 'config', code, what, reason: `${what}: ${why}`, next, since }
}

async function unconfigured(
  { ports, stateFolder }: Surrounding,
  error: AppError,
  daemonPid: number | undefined,
): Promise<StateReport> {
  const { code, next, at } = error
  const state = { state: 'unconfigured', code } as const
  // The gateway may show the service page with this reason.
  const run = runFolder(stateFolder, ports.machine.user().uid)
  const gateway = await createGatewayClient(ports, gatewayPaths(stateFolder, run))
    .status()
    .catch(() => undefined)
  const { https } = gateway ?? {}
  return {
    ...state,
    what: visitorSentence(error.what),
    reason: whyUnconfigured(error),
    next,
    since: null,
    until: null,
    serving: false,
    parts: [],
    appliance: {
      id: null,
      domain: null,
      config_file: at?.file ?? null,
      state_folder: stateFolder,
      config_changed: false,
    },
    daemon: { running: daemonPid !== undefined, pid: daemonPid ?? null },
    gateway: {
      running: gateway !== undefined,
      pid: gateway?.pid ?? null,
      address: https ? `${https.host}:${https.port}` : null,
    },
    apps: [],
    certificates: [],
    storage: null,
    locked_by: (await findLockHolder(ports, stateFolder)) ?? null,
    unfinished_operations: [],
    exit_code: exitCodeOf(state),
  }
}

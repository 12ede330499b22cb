import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { createPlan, createRegistry, type Plan, planStep, type StepRegistry } from '@caretaker/steps/plan.ts'
import { isNothingToDo, type Preview, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, type Runner, runPlan } from '@caretaker/steps/runner.ts'
import { storageFolders } from '../config/folders.ts'
import { runnerFor, type Surrounding } from '../lifecycle/appliance.ts'
import { openInForce } from '../lifecycle/open.ts'
import { userCreate } from '../lifecycle/steps/user-create.ts'
import { thisBuild } from './build.ts'
import { PLACES, SERVICE_UNIT } from './places.ts'
import { installCommand, installFolders, uninstallCommand, uninstallProgram } from './steps/folders.ts'
import { installProgram, installPrograms } from './steps/program.ts'
import { uninstallStop } from './steps/stop.ts'
import { installSwitch } from './steps/switch.ts'
import { installEnable, installUnits, uninstallUnits } from './steps/units.ts'
import { stampIn, unitFiles } from './unit-files.ts'

/** What `install` and `uninstall` answer. */
export interface InstallReport {
  readonly nothing_to_do: boolean
  /** The build, as `0.1.0-1a2b3c4d`. */
  readonly build: string
  readonly operations: readonly OperationResult[]
  readonly errors: readonly ErrorReport[]
  readonly exit_code: ExitCode
}

/**
 * The steps that make this build the service of this machine. A new build on a machine that has one is an upgrade by
 * the same steps. Looks only.
 * @throws AppError NO_PERMISSION, SYSTEMD_MISSING
 */
export async function planInstall(machine: Surrounding): Promise<Plan> {
  await assertPossible(machine, 'install')
  const around = ofTheMachine(machine)
  const { ports } = around
  const build = await thisBuild(ports.files, around.programs)
  const units = unitFiles(build.id, await volumesElsewhere(around))
  const scope = 'machine'
  return createPlan({
    name: 'install',
    purpose: `install caretaker ${build.id}`,
    onFailure: 'undo',
    steps: [
      planStep(installFolders(ports), null, scope),
      planStep(installPrograms(ports), { from: build.programs, to: build.installedPrograms }, scope),
      planStep(
        installProgram(ports),
        { bundle: build.bundle, to: build.installed, programs: build.installedPrograms },
        scope,
      ),
      planStep(userCreate(around), null, scope),
      planStep(installUnits(ports), { units }, scope),
      planStep(installCommand(ports), null, scope),
      planStep(installEnable(ports), null, scope),
      planStep(
        installSwitch(ports),
        { build: build.id, stamp: stampIn(units[SERVICE_UNIT] ?? '') ?? '' },
        scope,
      ),
    ],
  })
}

/** The steps that take program and units away, and leave config, state and data. @throws AppError as {@link planInstall} */
export async function planUninstall(machine: Surrounding): Promise<Plan> {
  await assertPossible(machine, 'uninstall')
  const around = ofTheMachine(machine)
  const { ports } = around
  return createPlan({
    name: 'uninstall',
    purpose: 'uninstall caretaker',
    onFailure: 'stop',
    steps: [
      planStep(uninstallStop(around), null, 'machine'),
      planStep(uninstallUnits(ports), null, 'machine'),
      planStep(uninstallCommand(ports), null, 'machine'),
      planStep(uninstallProgram(ports), null, 'machine'),
    ],
  })
}

/** What {@link runInstallation} would do now. */
export function previewInstallation(machine: Surrounding, plan: Plan, signal: AbortSignal): Promise<Preview> {
  return previewPlan(installationSteps(ofTheMachine(machine)), plan, signal)
}

/**
 * Takes the steps of {@link planInstall} or {@link planUninstall}. What is in the way is said before anything is
 * changed; one that was interrupted is repeated, since each step looks first.
 * @throws AppError STEP_BLOCKED, LOCKED
 */
export async function runInstallation(
  machine: Surrounding,
  plan: Plan,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<InstallReport> {
  const build = (await thisBuild(machine.ports.files, machine.programs)).id
  const preview = await previewInstallation(machine, plan, signal)
  const blocked = preview.steps.find((step) => step.state === 'blocked')
  if (blocked) {
    const { summary, why = '', next = '' } = blocked
    throw new AppError('STEP_BLOCKED', { what: `"${summary}" cannot be done`, why, next })
  }
  if (isNothingToDo(preview)) {
    return { nothing_to_do: true, build, operations: [], errors: [], exit_code: 0 }
  }
  // Services run as another user and must be able to pass through, not to look.
  await machine.ports.files.makeFolder(PLACES.state, 0o711)
  await machine.ports.files.makeFolder(PLACES.journals, 0o700)
  const result = await runPlan(runnerOf(machine, emit), plan, signal)
  return {
    nothing_to_do: false,
    build,
    operations: [result],
    errors: result.errors,
    exit_code: result.exit_code,
  }
}

function runnerOf(machine: Surrounding, emit: EmitEvent): Runner {
  const registry = installationSteps(ofTheMachine(machine))
  return runnerFor({ ...machine, stateFolder: PLACES.journals }, registry, emit)
}

function installationSteps(around: Surrounding): StepRegistry {
  const { ports } = around
  return createRegistry([
    installFolders(ports),
    installPrograms(ports),
    installProgram(ports),
    userCreate(around),
    installUnits(ports),
    installCommand(ports),
    installEnable(ports),
    installSwitch(ports),
    uninstallStop(around),
    uninstallUnits(ports),
    uninstallCommand(ports),
    uninstallProgram(ports),
  ])
}

/** The service of a machine has its state in one place, whatever state folder this command was called with. */
const ofTheMachine = (around: Surrounding): Surrounding => ({ ...around, stateFolder: PLACES.state })

/** Volumes of the config in force that the unit must be allowed to write to. */
export async function volumesElsewhere(around: Surrounding): Promise<readonly string[]> {
  const opened = await openInForce(around, undefined).catch(() => undefined)
  if (!opened) return []
  const { data, volatile } = storageFolders(opened.loaded.config, around.stateFolder)
  return [...new Set([data, volatile])].filter((path) => !path.startsWith(`${PLACES.state}/`))
}

async function assertPossible({ ports, programs }: Surrounding, verb: string): Promise<void> {
  if (ports.machine.user().uid !== 0) {
    throw new AppError('NO_PERMISSION', {
      what: `Caretaker was not ${verb}ed`,
      why: `only root may, and this is ${ports.machine.user().name}`,
      next: `Type: sudo ${programs.node} ${programs.main} ${verb}`,
    })
  }
  // As sd_booted(3) looks.
  if (!(await ports.files.stat('/run/systemd/system'))) {
    throw new AppError('SYSTEMD_MISSING', {
      what: `Caretaker was not ${verb}ed`,
      why: 'systemd is not what runs this machine (there is no /run/systemd/system)',
      next: 'Use a machine with systemd as Debian 12 and 13 have it; elsewhere run "caretaker daemon" under what is there',
    })
  }
}

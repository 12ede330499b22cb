import { AppError } from '@caretaker/kernel/errors.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { FoundProcess, MarkedProcess, ProcessIdentity, ProcessLabel } from '@caretaker/ports/process.ts'
import { isMarkOfApp, isMarkOfPlace, markOf } from '@caretaker/ports/process-mark.ts'
import { CELL } from './cells.ts'
import { endProcess } from './end-process.ts'
import { findOwnProcesses, placeOf } from './own-processes.ts'
import { APPLIANCE, type StopSpec } from './runtime.ts'

/** How long what outlives its service may take before it is killed. */
const GRACE_MS = 5000
/** Looks at what is left; after the first one, what has come meanwhile is killed without a grace. */
const LOOKS = 50

/** Between two looks at what seems to carry no label. */
const SECOND_LOOK_MS = 50

/** What was ended, or would be. */
export interface Straggler {
  readonly app: string
  /** Name of its program, where it has thrown its label away. */
  readonly service: string
  readonly pid: number
}

interface Entry extends Straggler {
  readonly identity: ProcessIdentity
}

/** What goes on, as it is when it is asked. */
export interface Spared {
  /** Services, as "application/key". */
  readonly running: () => Promise<ReadonlySet<string>>
  /** Whether this is the key of a command that somebody waits for. */
  readonly isAwaited: (key: string) => Promise<boolean>
}

/** Ends processes that outlive the service or the command they descend from, known by their label or by their mark. */
export interface Stragglers {
  /** All that descends from a service, or from a command, that has ended. @throws AppError COMMAND_TIMEOUT */
  endOf(app: string, key: string, signal: NodeJS.Signals): Promise<void>
  /**
   * All that descends from nothing that is spared; of one application, if it is named. Cells are left alone.
   * @throws AppError COMMAND_TIMEOUT
   */
  endOthers(spared: Spared, app?: string): Promise<readonly Straggler[]>
}

export function createStragglers(
  ports: Pick<Ports, 'processes' | 'clock'>,
  options: { readonly applianceId: string; readonly folder: string },
): Stragglers {
  const { processes, clock } = ports
  const own = { appliance: options.applianceId, place: placeOf(options.folder) }
  const labelOf = (app: string, service: string): ProcessLabel => ({ ...own, app, service })

  async function look(): Promise<{
    readonly labelled: readonly FoundProcess[]
    /** Those among them that carry no label any more. */
    readonly bare: readonly MarkedProcess[]
  }> {
    const labelled = await findOwnProcesses(processes, options.applianceId, options.folder)
    const pids = new Set(labelled.map(({ identity }) => identity.pid))
    const marked = (await processes.findMarked()).filter(({ mark }) => isMarkOfPlace(mark, own))
    return { labelled, bare: marked.filter(({ identity }) => !pids.has(identity.pid)) }
  }

  /** Until nothing more is found: what starts others while it is ended leaves those. */
  async function endAll(
    signal: NodeJS.Signals,
    find: () => Promise<readonly Entry[]>,
  ): Promise<readonly Entry[]> {
    const ended: Entry[] = []
    for (let looks = 0; looks < LOOKS; looks++) {
      const found = await find()
      if (found.length === 0) return ended
      const polite = looks === 0
      const stop: StopSpec = {
        signal: polite ? signal : 'SIGKILL',
        graceMs: GRACE_MS,
        lastSignal: 'SIGKILL',
      }
      await Promise.all(found.map(({ identity, service }) => endProcess(ports, identity, stop, service)))
      ended.push(...found)
    }
    const { pid = 0, app = '', service = '' } = ended.at(-1) ?? {}
    throw new AppError('COMMAND_TIMEOUT', {
      what: `Process ${pid} (${service} of ${app}) did not end`,
      why: 'it starts another one whenever it is ended',
      next: 'Look at what it is ("ps -ef --forest"), end it, then repeat the command',
    })
  }

  /** What carries a label or only a mark and descends from nothing that is spared. */
  async function lookForOthers({ running, isAwaited }: Spared, only: string | undefined) {
    const { labelled, bare } = await look()
    const known = await running()
    const left: Entry[] = []
    const spared = new Set(
      [...known].map((each) => {
        const [app = '', key = ''] = each.split('/')
        return markOf(labelOf(app, key))
      }),
    )
    for (const found of labelled) {
      const { app, service } = found.label
      // Children of a recorded service carry its label too and belong to it.
      if (service === CELL || known.has(`${app}/${service}`) || (await isAwaited(service)))
        spared.add(markOf(found.label))
      else if (only === undefined || only === app) left.push(asEntry(found))
    }
    const names = [
      ...new Set([APPLIANCE, ...labelled.map(({ label }) => label.app), ...(only ? [only] : [])]),
    ]
    const appOf = (mark: bigint) => names.find((app) => isMarkOfApp(mark, { ...own, app }))
    const strays = bare
      .filter(({ mark }) => !spared.has(mark) && (only === undefined || appOf(mark) === only))
      .map((each) => bareEntry(each, appOf(each.mark) ?? APPLIANCE))
    return { left, strays }
  }

  return {
    async endOf(app, key, signal) {
      const wanted = markOf(labelOf(app, key))
      await endAll(signal, async () => {
        const { labelled, bare } = await look()
        return [
          ...labelled.filter(({ label }) => label.app === app && label.service === key).map(asEntry),
          ...bare.filter(({ mark }) => mark === wanted).map((each) => bareEntry(each, app)),
        ]
      })
    },

    endOthers: (spared, only) =>
      endAll('SIGTERM', async () => {
        const { left, strays } = await lookForOthers(spared, only)
        if (strays.length === 0) return left
        // While a process becomes another program nobody can read its label: what has none then must have none later.
        await clock.wait(SECOND_LOOK_MS)
        const again = await lookForOthers(spared, only)
        const still = new Set(again.strays.map(({ pid }) => pid))
        return [...left, ...strays.filter(({ pid }) => still.has(pid))]
      }),
  }
}

const asEntry = ({ identity, label }: FoundProcess): Entry => ({
  identity,
  app: label.app,
  service: label.service,
  pid: identity.pid,
})

const bareEntry = ({ identity, name }: MarkedProcess, app: string): Entry => ({
  identity,
  app,
  service: name,
  pid: identity.pid,
})

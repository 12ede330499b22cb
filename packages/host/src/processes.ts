import type { Processes, ProcessIdentity, ProcessLabel } from '@caretaker/ports/process.ts'
import { DetachedProcesses } from './detached.ts'
import { LABEL_VARIABLE, parseLabel } from './label.ts'
import { findMarked } from './marks.ts'
import { hasEnded, isIdentityAlive, listPids, readBootId, readStat, readVariable, WAY_IN } from './proc.ts'
import { killGroup, runCommand } from './run-command.ts'
import { findStrays } from './strays.ts'

/** The processes of this machine, known through /proc: Linux only. */
export function createProcesses(): Processes {
  const detached = new DetachedProcesses()
  return {
    run: runCommand,
    start: (command) => detached.start(command),
    isAlive: async (identity) => isIdentityAlive(identity),
    waitForExit: (identity, signal) => detached.waitForExit(identity, signal),
    signal: async (identity, signal) => signalGroup(identity, signal),
    findStrays,
    findMarked,
    findByLabel: async (appliance) => {
      return (await listPids())
        .map(describe)
        .filter((entry) => entry !== undefined)
        .filter((entry) => entry.label.appliance === appliance)
    },
  }
}

/** A process found by its label need not lead its group; our own group is never meant. */
function signalGroup(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isIdentityAlive(identity)) return
  const groupId = readStat(identity.pid)?.groupId
  if (groupId === undefined) return
  if (groupId !== readStat(process.pid)?.groupId) killGroup(groupId, signal)
  else process.kill(identity.pid, signal)
}

function describe(pid: number): { identity: ProcessIdentity; label: ProcessLabel } | undefined {
  const stat = readStat(pid)
  // The way into a namespace waits for the process that is meant, and ends with it.
  if (!stat || stat.isKernelThread || hasEnded(stat) || stat.name === WAY_IN) return undefined
  const label = parseLabel(readVariable(pid, LABEL_VARIABLE))
  return label && { identity: { pid, startTicks: stat.startTicks, bootId: readBootId() }, label }
}

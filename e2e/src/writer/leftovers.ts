import { readdirSync, readFileSync } from 'node:fs'

export interface SeenProcess {
  readonly pid: number
  readonly parent: number
  readonly words: string
}

/** The processes that belong to an appliance: by the label in their environment, or by its state folder in their words. */
export function processesOf(applianceId: string, stateFolder: string): readonly SeenProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8')
        const isLabelled = environment.includes(`CARETAKER_LABEL=${applianceId}/`)
        const isOfState =
          words.includes('caretaker') && environment.includes(`CARETAKER_STATE=${stateFolder}\0`)
        if (!isLabelled && !isOfState && !words.includes(stateFolder)) return []
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return fields[0] === 'Z' ? [] : [{ pid: Number(name), parent: Number(fields[1]), words }]
      } catch {
        return []
      }
    })
}

/** Those that are neither one of `known` nor descend from one. */
export function strays(processes: readonly SeenProcess[], known: readonly number[]): readonly SeenProcess[] {
  const byPid = new Map(processes.map((each) => [each.pid, each]))
  const belongs = (pid: number): boolean =>
    known.includes(pid) || (byPid.has(pid) && belongs(byPid.get(pid)!.parent))
  return processes.filter(({ pid }) => !belongs(pid))
}

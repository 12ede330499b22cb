import { readdirSync, readFileSync } from 'node:fs'

/** What any user of the machine, or its owner, could have read of a process. */
export interface SeenProcess {
  readonly pid: number
  readonly commandLine: string
  readonly environment: string
}

export interface ProcessWatch extends Disposable {
  /** Every process that was there at some moment since the start, each as often as it changed. */
  readonly seen: readonly SeenProcess[]
}

/** Often enough to see the programs that live for milliseconds; 20 ms costs a few percent of a processor. */
const EVERY_MS = 20

/** Looks at all processes of this machine over and over, until disposed. */
export function watchProcesses(): ProcessWatch {
  const seen = new Map<string, SeenProcess>()
  const look = () => {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
      const commandLine = read(`/proc/${name}/cmdline`)
      if (commandLine === '') continue
      const key = `${name} ${commandLine}`
      const known = seen.get(key)
      // The environment of a process that is just being started is still that of its parent's image.
      if (known && known.environment !== '') continue
      seen.set(key, { pid: Number(name), commandLine, environment: read(`/proc/${name}/environ`) })
    }
  }
  const timer = setInterval(look, EVERY_MS)
  return {
    get seen() {
      return [...seen.values()]
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

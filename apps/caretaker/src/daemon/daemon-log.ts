import { dirname } from 'node:path'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import type { Ports } from '@caretaker/ports/ports.ts'

/** The log of the daemon: one JSON object a line. */
export interface DaemonLog {
  readonly file: string
  info(message: string, details: object): Promise<void>
  error(message: string, details: object): Promise<void>
}

/** Before a line of a service: its severity, see sd-daemon(3). */
const SEVERITY = { error: '<3>', info: '<6>' } as const

/**
 * Writes to `file`, and gives each line to `print` with its severity; a log that cannot be written (full disk) never
 * stops the daemon.
 */
export function createDaemonLog(
  ports: Pick<Ports, 'files' | 'clock'>,
  file: string,
  print?: (line: string) => void,
): DaemonLog {
  const write = async (level: keyof typeof SEVERITY, message: string, details: object) => {
    const entry = redactDeep({ at: ports.clock.now().toISOString(), level, message, ...details })
    const line = JSON.stringify(entry)
    print?.(`${SEVERITY[level]}${line}`)
    try {
      await ports.files.makeFolder(dirname(file), 0o711)
      await ports.files.append(file, `${line}\n`, 0o640)
    } catch {
      // Nothing is left to say it with.
    }
  }
  return {
    file,
    info: (message, details) => write('info', message, details),
    error: (message, details) => write('error', message, details),
  }
}

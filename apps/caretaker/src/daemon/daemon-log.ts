import { dirname } from 'node:path'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import type { Ports } from '@caretaker/ports/ports.ts'

/** The log of the daemon: one JSON object a line. */
export interface DaemonLog {
  readonly file: string
  info(message: string, details: object): Promise<void>
  error(message: string, details: object): Promise<void>
}

/** Writes to `file`; a log that cannot be written (full disk) never stops the daemon. */
export function createDaemonLog(ports: Pick<Ports, 'files' | 'clock'>, file: string): DaemonLog {
  const write = async (level: string, message: string, details: object) => {
    const line = redactDeep({ at: ports.clock.now().toISOString(), level, message, ...details })
    try {
      await ports.files.makeFolder(dirname(file), 0o711)
      await ports.files.append(file, `${JSON.stringify(line)}\n`, 0o640)
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

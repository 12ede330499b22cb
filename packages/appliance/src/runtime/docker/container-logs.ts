import { dirname, join } from 'node:path'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { LABEL } from './compose-file.ts'
import { type DockerOptions, dockerCommand } from './docker-command.ts'
import type { Container } from './engine.ts'

const LOG_MODE = 0o640
const READ_LIMIT_MS = 60 * SECOND_MS
/** Two who gather at once would write everything twice. */
const LOCK_LIMIT_MS = 30 * SECOND_MS
/** What the engine puts before every line: RFC 3339 with nine digits of the second. */
const LINE = /^(\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z) (.*)$/s

/** Up to where the log of a container was gathered. */
interface Cursor {
  readonly container: string
  readonly until: string
}

type LogPorts = Pick<Ports, 'files' | 'processes' | 'locks' | 'clock'>

/**
 * Appends to the log files of services what their containers wrote since the last time. The engine keeps what was not
 * gathered yet, bounded in size. `folder` remembers how far that was.
 */
export async function gatherContainerLogs(
  ports: LogPorts,
  docker: DockerOptions,
  folder: string,
  containers: readonly Container[],
): Promise<void> {
  await alone(ports, folder, async () => {
    for (const container of containers) await gather(ports, docker, folder, container)
  })
}

/** Forgets how far the logs of an application that is gone were gathered. */
export async function forgetContainerLogs(ports: LogPorts, folder: string, app: string): Promise<void> {
  await alone(ports, folder, async () => {
    for (const { name } of (await ports.files.list(folder)) ?? [])
      if (name.startsWith(`${app}.`)) await ports.files.remove(join(folder, name))
  })
}

async function alone(ports: LogPorts, folder: string, work: () => Promise<void>): Promise<void> {
  await ports.files.makeFolder(folder, 0o700)
  const lock = await waitUntil(ports.clock, { timeoutMs: LOCK_LIMIT_MS }, () =>
    ports.locks.tryAcquire(join(folder, 'logs.lock')),
  )
  try {
    await work()
  } finally {
    await lock?.release()
  }
}

async function gather(
  { files, processes }: LogPorts,
  docker: DockerOptions,
  folder: string,
  { id, labels }: Container,
): Promise<void> {
  const logFile = labels[LABEL.log]
  if (logFile === undefined) return
  const cursorFile = join(folder, `${labels[LABEL.app]}.${labels[LABEL.service]}.json`)
  const cursor = parseCursor(await files.readText(cursorFile))
  const since = cursor?.container === id ? cursor.until : undefined
  const found: (readonly [at: string, text: string])[] = []
  await processes.run(
    dockerCommand(docker, ['logs', '--timestamps', ...(since === undefined ? [] : ['--since', since]), id], {
      timeoutMs: READ_LIMIT_MS,
      onLine: (line) => {
        const [, at, text] = LINE.exec(line) ?? []
        if (at !== undefined && text !== undefined && at > (since ?? '')) found.push([at, text])
      },
    }),
  )
  // Its two outputs come one by one.
  const lines = found.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const last = lines.at(-1)
  if (!last) return
  await files.makeFolder(dirname(logFile), 0o711)
  await files.append(logFile, lines.map(([, text]) => `${text}\n`).join(''), LOG_MODE)
  await files.write(
    `${cursorFile}.tmp`,
    JSON.stringify({ container: id, until: last[0] } satisfies Cursor),
    0o600,
  )
  await files.rename(`${cursorFile}.tmp`, cursorFile)
}

function parseCursor(text: string | undefined): Cursor | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Cursor)
  } catch {
    return undefined
  }
}

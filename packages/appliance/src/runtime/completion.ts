import { AppError } from '@caretaker/kernel/errors.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { lastWords } from './logs.ts'
import type { Runtime, ServiceSpec } from './runtime.ts'

/**
 * Waits for the end of a service that does one thing, and forgets it.
 * @throws AppError SERVICE_START_FAILED with the last lines of its log when it does not end with 0; CANCELLED
 */
export async function waitCompleted(
  { files }: Pick<Ports, 'files'>,
  runtime: Runtime,
  spec: ServiceSpec,
  signal: AbortSignal,
): Promise<void> {
  const { exitCode, signal: endedBy } = await runtime.waitForExit(spec.app, spec.service, signal, spec.slot)
  await runtime.stop(spec.app, spec.service, spec.slot)
  if (exitCode === 0) return
  const said = await lastWords(files, spec.logFile, 5)
  throw new AppError('SERVICE_START_FAILED', {
    what: `The service ${spec.service} of ${spec.app} did not do its work`,
    why: `it ended with ${exitCode ?? endedBy ?? 'an unknown code'}${said}`,
    next: `Run "caretaker logs ${spec.app} ${spec.service}" and correct what it complains about, then "caretaker up"`,
  })
}

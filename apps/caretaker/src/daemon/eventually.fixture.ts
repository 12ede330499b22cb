import { setTimeout as pause } from 'node:timers/promises'

const LIMIT_MS = 60_000

/** Waits until something is so; what throws is not so yet. @throws Error after a minute */
export async function eventually(
  what: string,
  isSo: () => Promise<boolean>,
  told: () => Promise<string> = async () => '',
): Promise<void> {
  const deadline = performance.now() + LIMIT_MS
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not within a minute: ${what}\n${await told()}`)
    await pause(50)
  }
}

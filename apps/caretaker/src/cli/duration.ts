import { AppError } from '@caretaker/kernel/errors.ts'
import { parseDuration } from '@caretaker/kernel/time.ts'

/** The value of an option that wants a time, in ms. @throws AppError USAGE */
export function duration(option: string, value: unknown): number {
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms !== undefined && Number.isSafeInteger(ms)) return ms
  throw new AppError('USAGE', {
    what: 'Nothing was done',
    why: `${option} wants a time, not "${String(value)}"`,
    next: `Write it as ${option} 90m, 12h or 3d`,
  })
}

import { AppError } from '@caretaker/kernel/errors.ts'

/** The value of an option that wants a whole number. @throws AppError USAGE */
export function wholeNumber(option: string, value: unknown, least: number, most: number): number {
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
  if (number >= least && number <= most) return number
  throw new AppError('USAGE', {
    what: 'Nothing was done',
    why: `${option} wants a whole number from ${least} to ${most}, not "${String(value)}"`,
    next: `Write a number after ${option}`,
  })
}

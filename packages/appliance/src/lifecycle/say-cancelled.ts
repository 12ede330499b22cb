import type { ErrorReport } from '@caretaker/kernel/errors.ts'

/** The errors of an operation that was taken back: one that was cancelled names what serves and how to begin anew. */
export function sayCancelled(
  errors: readonly ErrorReport[],
  { app, version, again }: { readonly app: string; readonly version: string; readonly again: string },
): readonly ErrorReport[] {
  const next = `${app} runs ${version} as before. To begin anew: ${again}`
  return errors.map((error) => (error.code === 'CANCELLED' ? { ...error, next } : error))
}

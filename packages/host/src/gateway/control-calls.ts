import { AppError } from '@caretaker/kernel/errors.ts'
import { MAX_DRAIN_MS, MAX_HOLD_LIMIT_MS } from './limits.ts'

/** @throws AppError USAGE */
export function parseHoldCall(body: unknown): { app: string; limitMs: number } {
  return { app: appOf(body), limitMs: durationOf(body, 'limitMs', MAX_HOLD_LIMIT_MS) }
}

/** @throws AppError USAGE */
export function parseReleaseCall(body: unknown): { app: string } {
  return { app: appOf(body) }
}

/** @throws AppError USAGE */
export function parseDrainCall(body: unknown): { app: string; timeoutMs: number; streams: boolean } {
  const streams = (body as { streams?: unknown }).streams === true
  return { app: appOf(body), timeoutMs: durationOf(body, 'timeoutMs', MAX_DRAIN_MS), streams }
}

function appOf(body: unknown): string {
  const app = (body as { app?: unknown } | undefined)?.app
  if (typeof app !== 'string') throw notUnderstood('"app" must name an application')
  return app
}

function durationOf(body: unknown, name: string, most: number): number {
  const value = (body as Record<string, unknown>)[name]
  if (typeof value !== 'number' || !(value >= 0)) throw notUnderstood(`"${name}" must be a number of ms`)
  return Math.min(value, most)
}

function notUnderstood(why: string): AppError {
  return new AppError('USAGE', {
    what: 'The gateway did not understand',
    why,
    next: 'Run "caretaker up"; it replaces a gateway of another version',
  })
}

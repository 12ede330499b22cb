import type { ErrorCode } from '@caretaker/kernel/error-codes.ts'
import { AppError } from '@caretaker/kernel/errors.ts'
import { describe, expect, it } from 'vitest'
import { deriveState, type PartProblem, type StateName, type Surroundings } from './appliance-state.ts'
import { type Facts, replaceFailure } from './facts.ts'
import { exitCodeOf } from './status.ts'

const AT = '2026-01-01T00:00:00.000Z'
const STARTED: Facts = {
  wanted: 'up',
  startedBefore: true,
  manual: undefined,
  failures: {},
  activity: undefined,
}
const SERVED: Surroundings = { standby: false, apps: [{ app: 'shop', served: true }], problems: [] }
const NOT_SERVED: Surroundings = { ...SERVED, apps: [{ app: 'shop', served: false }] }
const MANUAL = { reason: 'Moving', since: AT, until: '2026-01-02T00:00:00.000Z' }
const PROBLEM: PartProblem = {
  part: 'storage',
  code: 'STORAGE_SPACE',
  reason: 'full',
  next: 'free it',
  since: AT,
}

function failed(part: string, code: ErrorCode, facts: Facts = STARTED, step?: string): Facts {
  const error = new AppError(code, { what: 'It was not done', why: 'because', next: 'do that' })
  return { ...facts, failures: replaceFailure(facts.failures, part, error.toReport(), AT, step) }
}

describe('deriveState', () => {
  it.each<[StateName, string, boolean, Facts, Surroundings]>([
    ['stopped', 'NOT_STARTED', false, { ...STARTED, startedBefore: false }, NOT_SERVED],
    ['stopped', 'STOPPED', false, { ...STARTED, wanted: 'down' }, NOT_SERVED],
    ['stopped', 'DAEMON_STOPPED', false, { ...STARTED, daemonEnded: AT }, NOT_SERVED],
    ['stopped', 'STOPPED', false, { ...STARTED, wanted: 'down', daemonEnded: AT }, NOT_SERVED],
    [
      'stopped',
      'STOPPING',
      false,
      { ...STARTED, wanted: 'down', activity: { kind: 'stopping', since: AT, serving: false } },
      SERVED,
    ],
    ['no-storage', 'STORAGE_ABSENT', false, failed('appliance', 'STORAGE_ABSENT'), SERVED],
    ['no-storage', 'STORAGE_EMPTY', false, failed('appliance', 'STORAGE_EMPTY'), SERVED],
    ['wrong-storage', 'STORAGE_FOREIGN', false, failed('appliance', 'STORAGE_FOREIGN'), SERVED],
    ['wrong-storage', 'STORAGE_OTHER_BACKEND', false, failed('appliance', 'STORAGE_OTHER_BACKEND'), SERVED],
    ['wrong-storage', 'STORAGE_UNREADABLE', false, failed('appliance', 'STORAGE_UNREADABLE'), SERVED],
    [
      'recovery-failed',
      'RECOVERY_NOT_IN_THIS_VERSION',
      false,
      failed('appliance', 'RECOVERY_NOT_IN_THIS_VERSION'),
      SERVED,
    ],
    ['unconfigured', 'CONFIG_MISSING', false, failed('appliance', 'CONFIG_MISSING'), SERVED],
    ['failed', 'PORT_IN_USE', false, failed('appliance', 'PORT_IN_USE'), SERVED],
    [
      'starting',
      'STARTING',
      false,
      { ...STARTED, activity: { kind: 'starting', since: AT, serving: false } },
      SERVED,
    ],
    [
      'starting',
      'STARTING',
      true,
      { ...STARTED, activity: { kind: 'starting', since: AT, serving: true } },
      SERVED,
    ],
    [
      'updating',
      'UPDATING',
      true,
      { ...STARTED, activity: { kind: 'updating', since: AT, serving: true } },
      SERVED,
    ],
    [
      'recovering',
      'RECOVERING',
      false,
      { ...STARTED, activity: { kind: 'recovering', since: AT, serving: false } },
      SERVED,
    ],
    ['manual-service', 'MANUAL_SERVICE', false, { ...STARTED, manual: MANUAL }, NOT_SERVED],
    ['standby', 'STANDBY', false, STARTED, { ...NOT_SERVED, standby: 'The other one serves' }],
    ['running', 'OK', true, STARTED, SERVED],
    ['running', 'OK', true, STARTED, { ...SERVED, apps: [] }],
    ['degraded', 'STORAGE_SPACE', true, STARTED, { ...SERVED, problems: [PROBLEM] }],
    ['degraded', 'SERVICE_CRASH_LOOP', true, failed('shop', 'SERVICE_CRASH_LOOP'), SERVED],
    ['failed', 'MIGRATION_FAILED', false, failed('shop', 'MIGRATION_FAILED'), NOT_SERVED],
    ['failed', 'NOTHING_RUNS', false, STARTED, NOT_SERVED],
  ])('%s (%s)', (state, code, serving, facts, around) => {
    expect(deriveState(facts, around)).toMatchObject({ state, code, serving })
  })

  it('is degraded, not failed, while one of two applications serves', () => {
    const apps = [
      { app: 'shop', served: false },
      { app: 'notes', served: true },
    ]
    const state = deriveState(failed('shop', 'SMOKE_FAILED'), { ...SERVED, apps })
    expect(state).toMatchObject({
      state: 'degraded',
      serving: true,
      reason: 'shop: It was not done: because',
    })
  })

  it('says a failure of the whole before everything else, with its step and its next command', () => {
    const all: Facts = {
      ...failed('appliance', 'STORAGE_FOREIGN', failed('shop', 'SMOKE_FAILED'), 'appliance/storage.prepare'),
      wanted: 'down',
      manual: MANUAL,
      activity: { kind: 'starting', since: AT, serving: true },
    }
    expect(deriveState(all, { ...SERVED, standby: 'also' })).toMatchObject({
      state: 'wrong-storage',
      reason: 'It was not done: because',
      next: 'do that',
      step: 'appliance/storage.prepare',
      serving: false,
      parts: [{ part: 'shop', code: 'SMOKE_FAILED' }],
    })
  })

  it('has one sentence for visitors, and all for the person responsible', () => {
    const state = deriveState(failed('shop', 'SMOKE_FAILED'), NOT_SERVED)
    expect(state).toMatchObject({ what: 'shop: It was not done', reason: 'shop: It was not done: because' })
    expect(deriveState({ ...STARTED, manual: MANUAL }, NOT_SERVED).what).toBe('Moving')
    const starting = { kind: 'starting', since: AT, serving: false } as const
    expect(deriveState({ ...STARTED, activity: starting }, NOT_SERVED).what).toBe(
      'The appliance is starting.',
    )
    const wide = { ...NOT_SERVED, problems: [{ ...PROBLEM, reason: 'full: /srv/data' }] }
    expect(deriveState(STARTED, wide).what).toBe('storage: full: …')
  })

  it('puts what a person wants before what the config says, and both before what runs', () => {
    const around = { ...SERVED, standby: 'The other one serves' }
    const activity = { kind: 'starting', since: AT, serving: true } as const
    expect(deriveState({ ...STARTED, wanted: 'down', manual: MANUAL }, around).state).toBe('stopped')
    expect(deriveState({ ...STARTED, manual: MANUAL, activity }, around)).toMatchObject({
      state: 'manual-service',
      reason: 'Moving',
      until: MANUAL.until,
    })
    expect(deriveState({ ...STARTED, activity }, around).state).toBe('standby')
  })

  it('names a part once: what an operation failed with rather than what is seen of it', () => {
    const seen = { ...PROBLEM, part: 'shop', code: 'SERVICE_START_FAILED' }
    const { parts } = deriveState(failed('shop', 'MIGRATION_FAILED'), {
      ...NOT_SERVED,
      problems: [seen, PROBLEM],
    })
    expect(parts.map(({ part, code }) => [part, code])).toEqual([
      ['shop', 'MIGRATION_FAILED'],
      ['storage', 'STORAGE_SPACE'],
    ])
  })
})

describe('exitCodeOf', () => {
  it.each([
    ['running', 'OK', 0],
    ['standby', 'STANDBY', 0],
    ['manual-service', 'MANUAL_SERVICE', 0],
    ['stopped', 'STOPPED', 0],
    ['starting', 'STARTING', 0],
    ['updating', 'UPDATING', 0],
    ['recovering', 'RECOVERING', 0],
    ['degraded', 'SERVICE_CRASH_LOOP', 3],
    ['failed', 'MIGRATION_FAILED', 5],
    ['failed', 'PORT_IN_USE', 1],
    ['failed', 'NOTHING_RUNS', 1],
    ['no-storage', 'STORAGE_ABSENT', 5],
    ['unconfigured', 'CONFIG_MISSING', 2],
  ] as const)('%s with %s is %i', (state, code, exit) => {
    expect(exitCodeOf({ state, code })).toBe(exit)
  })
})

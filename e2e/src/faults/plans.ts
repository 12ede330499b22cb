/** One step of a fault plan: the value `name` of the world becomes `new NAME`. */
export interface FaultStep {
  readonly name: string
  readonly kind: 'set' | 'look' | 'commit'
  /** What goes wrong in the middle of it, each time. */
  readonly breaks?: 'apply' | 'undo' | 'apply-kills' | 'undo-kills'
}

export interface FaultPlan {
  readonly onFailure: 'undo' | 'stop'
  readonly steps: readonly FaultStep[]
  /** How it must end, wherever it is killed, and with which reasons. */
  readonly outcome: 'done' | 'undone' | 'stopped'
  readonly reasons: readonly string[]
}

const set = (name: string, breaks?: FaultStep['breaks']): FaultStep => ({
  name,
  kind: 'set',
  ...(breaks === undefined ? {} : { breaks }),
})
const look = (name: string): FaultStep => ({ name, kind: 'look' })
const commit = (name: string, breaks?: FaultStep['breaks']): FaultStep => ({
  ...set(name, breaks),
  kind: 'commit',
})

/** The values before. What is not named is not there; `ready` is in effect already. */
export const INITIAL: Readonly<Record<string, string>> = { a: 'old a', ready: 'new ready', c: 'old c' }

export const PLANS: Readonly<Record<string, FaultPlan>> = {
  'all succeed': {
    onFailure: 'undo',
    steps: [set('a'), set('ready'), set('b')],
    outcome: 'done',
    reasons: [],
  },
  'fails and is undone': {
    onFailure: 'undo',
    steps: [set('a'), set('ready'), set('b'), set('c', 'apply'), set('d')],
    outcome: 'undone',
    reasons: ['COMMAND_FAILED'],
  },
  'fails after the point of no return': {
    onFailure: 'undo',
    steps: [set('a'), commit('b'), set('c'), set('d', 'apply')],
    outcome: 'stopped',
    reasons: ['COMMAND_FAILED', 'UNDO_IMPOSSIBLE'],
  },
  'fails before the point of no return': {
    onFailure: 'undo',
    steps: [set('a'), set('b', 'apply'), commit('c')],
    outcome: 'undone',
    reasons: ['COMMAND_FAILED'],
  },
  'fails in the point of no return': {
    onFailure: 'undo',
    steps: [set('a'), commit('b', 'apply')],
    outcome: 'stopped',
    reasons: ['COMMAND_FAILED', 'UNDO_IMPOSSIBLE'],
  },
  'with steps that need no undo': {
    onFailure: 'undo',
    steps: [look('x'), set('a'), look('y'), set('b', 'apply')],
    outcome: 'undone',
    reasons: ['COMMAND_FAILED'],
  },
  'stops where it failed': {
    onFailure: 'stop',
    steps: [set('a'), set('b', 'apply'), set('c')],
    outcome: 'stopped',
    reasons: ['COMMAND_FAILED'],
  },
  'fails on the way back too': {
    onFailure: 'undo',
    steps: [set('a'), set('b', 'undo'), set('c', 'apply')],
    outcome: 'stopped',
    reasons: ['COMMAND_FAILED', 'DATABASE_ABSENT'],
  },
  'a step kills the process each time': {
    onFailure: 'undo',
    steps: [set('a'), set('b', 'apply-kills'), set('c')],
    outcome: 'undone',
    reasons: ['STEP_KEEPS_CRASHING'],
  },
  'an undo kills the process each time': {
    onFailure: 'undo',
    steps: [set('a'), set('b', 'undo-kills'), set('c', 'apply')],
    outcome: 'stopped',
    reasons: ['COMMAND_FAILED', 'STEP_KEEPS_CRASHING'],
  },
}

/** The plan with this name. */
export function planNamed(name: string): FaultPlan {
  const plan = PLANS[name]
  if (!plan) throw new Error(`no fault plan is named ${name}`)
  return plan
}

export const wanted = (step: FaultStep) => `new ${step.name}`

/** Where the value of a step lies. What needs no undo lies apart: nobody compares it. */
export const pathOf = (step: FaultStep) => `/${step.kind === 'look' ? 'cache' : 'world'}/${step.name}`

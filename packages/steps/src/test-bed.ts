import type { Json } from '@caretaker/kernel/json.ts'
import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import type { Locks } from '@caretaker/ports/lock.ts'
import type { Machine } from '@caretaker/ports/machine.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import type { DurableImage } from '@caretaker/ports/memory-image.ts'
import type { OperationEvent } from './events.ts'
import { createPlan, createRegistry, type Plan, planStep } from './plan.ts'
import type { Runner } from './runner.ts'
import { defineStep, type StepContext, type Undo } from './step.ts'

export const STATE = '/state'

/** What happens inside a call of a step; the effect follows unless it throws or gives `no-effect`. */
type Hook = (context: StepContext) => Promise<'no-effect' | undefined> | 'no-effect' | undefined

/** What a dead process leaves: the durable files and the world. */
export interface Remains {
  readonly image: DurableImage
  readonly values: ReadonlyMap<string, string>
}

export interface Wanted {
  readonly name: string
  readonly value: string
}

export type StepKind = 'set' | 'look' | 'commit' | 'point'

/** A world of named values and a runner for it. A hook (`apply a`, `undo a`, `check a`) breaks one call of one step. */
export class TestBed {
  readonly files: MemoryFiles
  readonly clock = new FakeClock()
  readonly values: Map<string, string>
  readonly events: OperationEvent[] = []
  readonly calls: string[] = []
  readonly hooks = new Map<string, Hook>()
  readonly locks: Locks = memoryLocks()
  readonly runner: Runner
  readonly #definitions = {
    set: this.#define('set', async ({ name }, before, context) => {
      if ((await this.#enter('undo', name, context)) === 'no-effect') return
      if (before === null) this.values.delete(name)
      else this.values.set(name, before)
    }),
    look: this.#define('look', 'not-needed'),
    commit: this.#define('commit', 'impossible'),
    point: this.#define('point', 'commit'),
  }

  constructor(remains: Remains) {
    this.files = new MemoryFiles({ image: remains.image })
    this.values = new Map(remains.values)
    this.runner = {
      ports: {
        files: this.files,
        locks: this.locks,
        clock: this.clock,
        machine: { bootId: async () => 'boot-1' } as Machine,
      },
      registry: createRegistry(Object.values(this.#definitions)),
      stateFolder: STATE,
      actor: { user: 'ada', via: 'command line' },
      pid: 4711,
      emit: (event) => this.events.push(event),
    }
  }

  /** What is left if the process died right now and the power with it. */
  remains(): Remains {
    return { image: this.files.durableImage(), values: new Map(this.values) }
  }

  /** A plan that is taken back when it is interrupted. */
  planGoingBack(...steps: readonly (readonly [StepKind, string, string?])[]): Plan {
    return { ...this.plan('undo', ...steps), onInterruption: 'go-back' }
  }

  plan(onFailure: Plan['onFailure'], ...steps: readonly (readonly [StepKind, string, string?])[]): Plan {
    return createPlan({
      name: 'test',
      purpose: 'set the values',
      onFailure,
      steps: steps.map(([kind, name, value]) =>
        planStep(this.#definitions[kind], { name, value: value ?? `new ${name}` }, name),
      ),
    })
  }

  world(): Record<string, string> {
    return Object.fromEntries(this.values)
  }

  #define(kind: string, undo: Undo<Wanted & { [key: string]: Json }, string | null>) {
    return defineStep<Wanted & { [key: string]: Json }, string | null>({
      kind,
      describe: ({ name, value }) => `Set ${name} to ${value}`,
      check: async ({ name, value }, context) => {
        await this.#enter('check', name, context)
        const found = this.values.get(name)
        if (found === 'blocked') return { state: 'blocked', why: `${name} is blocked`, next: 'unblock it' }
        return found === value ? { state: 'done' } : { state: 'needed', before: found ?? null }
      },
      apply: async ({ name, value }, _before, context) => {
        if ((await this.#enter('apply', name, context)) === 'no-effect') return
        this.values.set(name, value)
      },
      undo,
      timeoutMs: 10_000,
    })
  }

  async #enter(call: string, name: string, context: StepContext): Promise<'no-effect' | undefined> {
    if (call !== 'check') this.calls.push(`${call} ${name}`)
    return this.hooks.get(`${call} ${name}`)?.(context)
  }
}

/** A bed with an empty state folder and these values. */
export async function createTestBed(values: Readonly<Record<string, string>> = {}): Promise<TestBed> {
  const files = new MemoryFiles()
  await files.makeFolder(STATE)
  return new TestBed({ image: files.durableImage(), values: new Map(Object.entries(values)) })
}

/** A signal that never fires. */
export const quiet = (): AbortSignal => new AbortController().signal

function memoryLocks(): Locks {
  const held = new Set<string>()
  return {
    tryAcquire: async (path) => {
      if (held.has(path)) return undefined
      held.add(path)
      return { release: async () => void held.delete(path) }
    },
  }
}

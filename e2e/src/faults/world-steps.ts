import { dirname } from 'node:path'
import { AppError, type AppErrorDetails } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { createPlan, createRegistry, type Plan, planStep, type StepRegistry } from '@caretaker/steps/plan.ts'
import { defineStep, type StepDefinition, type Undo } from '@caretaker/steps/step.ts'
import type { Orders } from './orders.ts'
import { type FaultPlan, type FaultStep, pathOf, wanted } from './plans.ts'
import type { Trap } from './power-cut-files.ts'

type Input = {
  readonly name: string
  readonly kind: FaultStep['kind']
  readonly breaks: NonNullable<FaultStep['breaks']> | null
}
type WorldStep = StepDefinition<Input, string | null>

const stepOf = ({ name, kind }: Input): FaultStep => ({ name, kind })
const REASON: AppErrorDetails = { what: 'The step failed', why: 'the plan says so', next: 'nothing' }

/**
 * Steps that write their value in two halves, each half durable at once: the worst that a power cut can find.
 * An undo leaves a half as well before it is through.
 */
export function createWorldSteps(files: Files, trap: Trap, orders: Pick<Orders, 'sabotage'>) {
  const write = async (path: string, text: string) => {
    await files.write(path, text)
    await files.sync(path)
    await files.sync(dirname(path))
  }
  const undo: Undo<Input, string | null> = async (input, before) => {
    if (orders.sabotage === 'skip-undo' && input.name === 'a') return
    const path = pathOf(stepOf(input))
    await write(path, `half undone ${input.name}`)
    trap.reach({ at: 'undo', step: input.name })
    if (input.breaks === 'undo-kills') trap.die()
    if (input.breaks === 'undo') throw new AppError('DATABASE_ABSENT', REASON)
    if (before !== null) return write(path, before)
    await files.remove(path)
    await files.sync(dirname(path))
  }
  const define = (kind: FaultStep['kind'], way: Undo<Input, string | null>): WorldStep =>
    defineStep({
      kind: `world.${kind}`,
      describe: (input) => `Write ${pathOf(stepOf(input))}`,
      check: async (input) => {
        const found = await files.readText(pathOf(stepOf(input)))
        return found === wanted(stepOf(input))
          ? { state: 'done' }
          : { state: 'needed', before: found ?? null }
      },
      apply: async (input) => {
        const path = pathOf(stepOf(input))
        await write(path, `half ${input.name}`)
        trap.reach({ at: 'apply', step: input.name })
        if (input.breaks === 'apply-kills') trap.die()
        if (input.breaks === 'apply') throw new AppError('COMMAND_FAILED', REASON)
        await write(path, wanted(stepOf(input)))
      },
      undo: way,
      timeoutMs: 60_000,
    })
  return {
    set: define('set', undo),
    look: define('look', 'not-needed'),
    commit: define('commit', 'impossible'),
  }
}

export type WorldSteps = ReturnType<typeof createWorldSteps>

export function registryOf(steps: WorldSteps): StepRegistry {
  return createRegistry(Object.values(steps))
}

/** The fault plan as a plan that the runner takes. */
export function planOf(steps: WorldSteps, plan: FaultPlan): Plan {
  return createPlan({
    name: 'fault',
    purpose: 'be killed anywhere',
    onFailure: plan.onFailure,
    steps: plan.steps.map((step) =>
      planStep(
        steps[step.kind],
        { name: step.name, kind: step.kind, breaks: step.breaks ?? null },
        step.name,
      ),
    ),
  })
}

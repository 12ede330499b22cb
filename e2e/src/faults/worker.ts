import { basename, join } from 'node:path'
import { createClock } from '@caretaker/host/clock.ts'
import { createLocks } from '@caretaker/host/locks.ts'
import { createMachine } from '@caretaker/host/machine.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { resumeInterrupted } from '@caretaker/steps/operations.ts'
import { type Runner, runPlan } from '@caretaker/steps/runner.ts'
import { type Orders, STATE } from './orders.ts'
import { planNamed } from './plans.ts'
import { PowerCutFiles, Trap } from './power-cut-files.ts'
import { createWorldSteps, planOf, registryOf } from './world-steps.ts'

/**
 * One process of the fault harness: runs the plan of its orders, or resumes what was interrupted, and kills itself
 * where the orders say. Prints the outcomes it believes in as a JSON list.
 */
const orders: Orders = JSON.parse(process.argv[2] as string)
const trap = new Trap(orders)
const files = new PowerCutFiles(orders, trap)
const locks = createLocks()
const steps = createWorldSteps(files, trap, orders)
const runner: Runner = {
  ports: {
    files,
    clock: createClock(),
    machine: createMachine(),
    locks: { tryAcquire: (path) => locks.tryAcquire(join(orders.folder, basename(path))) },
  },
  registry: registryOf(steps),
  stateFolder: STATE,
  actor: { user: 'harness', via: 'job' },
  pid: process.pid,
  emit: () => undefined,
}
const claim = { actor: runner.actor, purpose: 'resume', pid: runner.pid }
const signal = new AbortController().signal
const results =
  orders.mode === 'run'
    ? [await runPlan(runner, planOf(steps, planNamed(orders.plan)), signal)]
    : await withOperationLock(runner.ports, STATE, claim, () => resumeInterrupted(runner, signal))
console.log(JSON.stringify(results.map((result) => result.outcome)))

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Command, Processes } from '../process.ts'
import { markOf } from '../process-mark.ts'

export interface ProcessesUnderTest {
  readonly processes: Processes
  /** Where log files may go. */
  readonly folder: string
  /** Runs until it is signalled and dies of SIGTERM. */
  readonly sleeper: Command
  /** Writes "hello" and ends with 0. */
  readonly succeeds: Command
  /** Writes "reason" to standard error and ends with 3. */
  readonly fails: Command
  readonly missing: Command
  cleanUp?(): Promise<void>
}

/** What every implementation of {@link Processes} must do. */
export function describeProcesses(name: string, make: () => Promise<ProcessesUnderTest>): void {
  describe(`processes: ${name}`, () => {
    let world: ProcessesUnderTest
    let processes: Processes
    const appliance = `conformance-${Math.random().toString(36).slice(2)}`
    const label = { appliance, app: 'guestbook', service: 'web' }
    const detached = (command: Command) => ({ ...command, label, logFile: `${world.folder}/log` })

    beforeEach(async () => {
      world = await make()
      processes = world.processes
    })
    afterEach(async () => {
      for (const { identity } of await processes.findByLabel(appliance))
        await processes.signal(identity, 'SIGKILL')
      await world.cleanUp?.()
    })

    it('gives outputs and exit code of what it ran', async () => {
      expect(await processes.run(world.succeeds)).toMatchObject({
        exitCode: 0,
        signal: undefined,
        timedOut: false,
        stdout: 'hello\n',
        stderr: '',
      })
      expect(await processes.run(world.fails)).toMatchObject({ exitCode: 3, stdout: '', stderr: 'reason\n' })
    })

    it('says that a program is missing', async () => {
      await expect(processes.run(world.missing)).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' })
      await expect(processes.start(detached(world.missing))).rejects.toMatchObject({
        code: 'COMMAND_NOT_FOUND',
      })
    })

    it('refuses to run when cancelled already', async () => {
      await expect(processes.run(world.succeeds, AbortSignal.abort())).rejects.toMatchObject({
        code: 'CANCELLED',
      })
    })

    it('follows a started process until it ends by a signal', async () => {
      const identity = await processes.start(detached(world.sleeper))
      expect(await processes.isAlive(identity)).toBe(true)
      expect(await processes.findByLabel(appliance)).toEqual([{ identity, label }])
      expect(await processes.findByLabel('another')).toEqual([])
      const marked = (await processes.findMarked()).filter(({ mark }) => mark === markOf(label))
      expect(marked.map((each) => each.identity)).toEqual([identity])

      const ended = processes.waitForExit(identity)
      await processes.signal(identity, 'SIGTERM')
      expect(await ended).toEqual({ exitCode: undefined, signal: 'SIGTERM' })
      expect(await processes.isAlive(identity)).toBe(false)
      expect(await processes.findByLabel(appliance)).toEqual([])
      expect((await processes.findMarked()).map(({ mark }) => mark)).not.toContain(markOf(label))
      expect(await processes.waitForExit(identity)).toEqual({ exitCode: undefined, signal: 'SIGTERM' })
      await processes.signal(identity, 'SIGTERM')
    })

    it('finds a started process with all of its label', async () => {
      const placed = { ...label, place: 'here' }
      const identity = await processes.start({ ...detached(world.sleeper), label: placed })
      expect(await processes.findByLabel(appliance)).toEqual([{ identity, label: placed }])
      await processes.signal(identity, 'SIGKILL')
    })

    it('does not take another process with the same pid for it', async () => {
      const identity = await processes.start(detached(world.sleeper))
      const stranger = { ...identity, startTicks: identity.startTicks + 1 }
      expect(await processes.isAlive(stranger)).toBe(false)
      await processes.signal(stranger, 'SIGKILL')
      expect(await processes.waitForExit(stranger)).toEqual({ exitCode: undefined, signal: undefined })
      expect(await processes.isAlive(identity)).toBe(true)
    })

    it('stops waiting when cancelled, and the process lives on', async () => {
      const identity = await processes.start(detached(world.sleeper))
      const controller = new AbortController()
      const refused = expect(processes.waitForExit(identity, controller.signal)).rejects.toMatchObject({
        code: 'CANCELLED',
      })
      controller.abort()
      await refused
      expect(await processes.isAlive(identity)).toBe(true)
    })
  })
}

import { AppError } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Runtime, ServiceSpec } from './runtime.ts'

export interface RuntimeUnderTest {
  readonly runtime: Runtime
  /** The runtime of the next daemon: the same appliance and records, another process. */
  readonly next: Runtime
  /** Node, as a service names it. */
  readonly node: string
  /** A folder that services may write in, and its path as the services see it. */
  readonly folder: string
  readonly owner: ServiceSpec['owner']
  /** What services need to run in a container. */
  readonly container?: NonNullable<ServiceSpec['container']>
  /** What services of a clone are kept in. */
  readonly isolation?: NonNullable<ServiceSpec['isolation']>
  readText(path: string): Promise<string | undefined>
  /** How much of a service is alive, children included; of its one-off commands when no service is named. */
  countAlive(app: string, service?: string): Promise<number>
  /** Ends a service behind the runtime's back. */
  kill(app: string, service: string): Promise<void>
  /** What a crash between the start and its record leaves. For runtimes whose services are their own records: nothing. */
  loseRecord(app: string, service: string): Promise<void>
  /** Starts a service, or waits for a command, in a process of its own that `die` ends with SIGKILL. */
  elsewhere(spec: ServiceSpec, command?: readonly string[]): Promise<{ die(): Promise<void> }>
  cleanUp(): Promise<void>
}

/** In what runtimes differ. */
export interface RuntimeTraits {
  /** What is started is recorded apart from it, and a crash can come between the two. */
  readonly keepsRecords: boolean
  /** The children of a service can outlive it. */
  readonly orphansLive: boolean
}

/** What every {@link Runtime} must do. */
export function describeRuntime(
  name: string,
  traits: RuntimeTraits,
  make: () => Promise<RuntimeUnderTest>,
): void {
  describe(`runtime: ${name}`, () => {
    let world: RuntimeUnderTest
    beforeEach(async () => {
      world = await make()
    })
    afterEach(() => world.cleanUp())
    const never = new AbortController().signal

    /** A service that says that it is there, and lives until it is stopped. */
    function spec(change: Partial<ServiceSpec> = {}, script = ALIVE): ServiceSpec {
      return {
        app: 'shop',
        service: 'web',
        releaseId: '1-abc',
        command: [world.node, '-e', script],
        cwd: world.folder,
        env: { OUT: `${world.folder}/out`, TOKEN: new Secret('token', 'the-token') },
        owner: world.owner,
        logFile: `${world.folder}/logs/web.log`,
        stop: { signal: 'SIGTERM', graceMs: 10_000, lastSignal: 'SIGKILL' },
        health: undefined,
        restart: 'always',
        ...(world.container ? { container: world.container } : {}),
        ...(world.isolation ? { isolation: world.isolation } : {}),
        ...change,
      }
    }

    const wrote = (text: string, path = `${world.folder}/out`) =>
      until(`${path} holds ${text}`, async () => ((await world.readText(path)) ?? '').includes(text))

    it('starts a service, knows it and gives its log', async () => {
      await world.runtime.start(spec())
      await wrote('up the-token')
      const status = await world.runtime.status('shop', 'web')
      expect(status).toMatchObject({ app: 'shop', service: 'web', releaseId: '1-abc', state: 'running' })
      expect(await world.runtime.list()).toEqual([status])
      await until('the log has a line', async () => {
        await world.runtime.gatherLogs()
        return ((await world.readText(`${world.folder}/logs/web.log`)) ?? '').includes('hello log')
      })
    })

    it('leaves a service alone that runs with the same spec, and replaces one that does not', async () => {
      await world.runtime.start(spec())
      await wrote('up the-token')
      const first = await world.runtime.status('shop', 'web')
      await world.runtime.start(spec())
      expect(await world.runtime.status('shop', 'web')).toEqual(first)

      await world.runtime.start(
        spec({ env: { OUT: `${world.folder}/out`, TOKEN: new Secret('token', 'new-token') } }),
      )
      await wrote('up new-token')
      const second = await world.runtime.status('shop', 'web')
      expect(second?.specHash).not.toBe(first?.specHash)
      expect(await world.readText(`${world.folder}/out`)).toContain('down SIGTERM')
      expect(await world.countAlive('shop', 'web')).toBe(1)
    })

    it('runs two releases of a service beside each other, one in each slot', async () => {
      await world.runtime.start(spec())
      await wrote('up the-token')
      const beside = spec({
        slot: 'b',
        releaseId: '2-abc',
        env: { OUT: `${world.folder}/beside`, TOKEN: 'two' },
      })
      await world.runtime.start(beside)
      await wrote('up two', `${world.folder}/beside`)
      expect(await world.runtime.status('shop', 'web')).toMatchObject({ slot: 'a', releaseId: '1-abc' })
      const second = await world.runtime.status('shop', 'web', 'b')
      expect(second).toMatchObject({ service: 'web', slot: 'b', releaseId: '2-abc', state: 'running' })
      expect((await world.runtime.list()).map(({ slot }) => slot).toSorted()).toEqual(['a', 'b'])
      expect(await world.runtime.endLeftovers()).toEqual([])
      await world.runtime.stop('shop', 'web')
      await wrote('down SIGTERM')
      expect(await world.runtime.status('shop', 'web')).toBeUndefined()
      expect(await world.runtime.status('shop', 'web', 'b')).toEqual(second)
      await world.runtime.stop('shop', 'web', 'b')
      await wrote('down SIGTERM', `${world.folder}/beside`)
      expect(await world.runtime.list()).toEqual([])
    })

    it('stops gracefully, and does not mind if it is gone', async () => {
      await world.runtime.start(spec())
      await wrote('up')
      await world.runtime.stop('shop', 'web')
      await wrote('down SIGTERM')
      expect(await world.runtime.status('shop', 'web')).toBeUndefined()
      expect(await world.countAlive('shop', 'web')).toBe(0)
      await world.runtime.stop('shop', 'web')
      await world.runtime.stop('shop', 'never-there')
    })

    it('sends the signal of the spec', async () => {
      await world.runtime.start(spec({ stop: { signal: 'SIGINT', graceMs: 10_000, lastSignal: 'SIGKILL' } }))
      await wrote('up')
      await world.runtime.stop('shop', 'web')
      await wrote('down SIGINT')
    })

    it('kills what does not stop, after its grace time and not before', async () => {
      await world.runtime.start(
        spec({ stop: { signal: 'SIGTERM', graceMs: 700, lastSignal: 'SIGKILL' } }, STUBBORN),
      )
      await wrote('up')
      const before = performance.now()
      await world.runtime.stop('shop', 'web')
      expect(performance.now() - before).toBeGreaterThan(650)
      expect(await world.countAlive('shop', 'web')).toBe(0)
      expect(await world.readText(`${world.folder}/out`)).toContain('heard SIGTERM')
    })

    it('ends the children of a service with it, also when the service itself is gone', async () => {
      await world.runtime.start(spec({}, PARENT))
      await wrote('child')
      await world.kill('shop', 'web')
      await until('it has ended', async () => (await world.runtime.status('shop', 'web'))?.state === 'ended')
      expect(await world.countAlive('shop', 'web')).toBe(traits.orphansLive ? 1 : 0)
      await world.runtime.start(spec())
      await wrote('up the-token')
      expect(await world.countAlive('shop', 'web')).toBe(1)
    })

    it('says that a service has ended by itself, and how, to who waits', async () => {
      await world.runtime.start(spec({}, 'setTimeout(() => process.exit(7), 300)'))
      expect(await world.runtime.waitForExit('shop', 'web', never)).toEqual({
        exitCode: 7,
        signal: undefined,
      })
      expect((await world.runtime.status('shop', 'web'))?.state).toBe('ended')
      await expect(world.runtime.waitForExit('shop', 'none', never)).resolves.toBeDefined()
    })

    it('refuses a program that is not there', async () => {
      await expect(world.runtime.start(spec({ command: ['/none/such-program'] }))).rejects.toBeInstanceOf(
        AppError,
      )
      expect((await world.runtime.status('shop', 'web'))?.state).not.toBe('running')
    })

    it('runs a command with the environment and in the folder of the service', async () => {
      const lines: string[] = []
      const script =
        'console.log(process.env.TOKEN, process.cwd()); console.error("complaint"); process.exit(3)'
      const result = await world.runtime.runOnce(
        spec(),
        [world.node, '-e', script],
        { timeoutMs: 60_000, onLine: (line) => lines.push(line) },
        never,
      )
      expect(result).toMatchObject({ exitCode: 3, timedOut: false, stderr: 'complaint\n' })
      expect(result.stdout).toBe(`the-token ${world.folder}\n`)
      expect(lines.toSorted()).toEqual(['complaint', `the-token ${world.folder}`])
    })

    it('runs a command inside a running service, with its secrets, and gives it up after its time', async () => {
      await world.runtime.start(spec())
      await wrote('up the-token')
      const inside = (script: string, timeoutMs: number) =>
        world.runtime.runInside(spec(), [world.node, '-e', script], { timeoutMs }, never)
      const told = await inside('console.log(process.env.TOKEN); process.exit(4)', 60_000)
      expect(told).toMatchObject({ exitCode: 4, stdout: 'the-token\n' })
      expect(await inside('setInterval(() => {}, 1000)', 700)).toMatchObject({
        exitCode: undefined,
        timedOut: true,
      })
      await until('nothing of it is left', async () => (await world.countAlive('shop', 'web')) === 1)
      expect(await world.countAlive('shop')).toBe(0)
    })

    it('keeps the log of a service over its restarts', async () => {
      for (const round of ['one', 'two']) {
        await world.runtime.start(
          spec(
            { releaseId: round },
            `console.log('round ${round}'); ${STAY} process.on('SIGTERM', () => process.exit(0))`,
          ),
        )
        await until('it has said so', async () => {
          await world.runtime.gatherLogs()
          return ((await world.readText(`${world.folder}/logs/web.log`)) ?? '').includes(`round ${round}`)
        })
      }
      await world.runtime.stop('shop', 'web')
      expect(await world.readText(`${world.folder}/logs/web.log`)).toBe('round one\nround two\n')
    })

    it('gives a command up after its time, with all its children', async () => {
      const result = await world.runtime.runOnce(
        spec(),
        [world.node, '-e', PARENT],
        { timeoutMs: 600 },
        never,
      )
      expect(result.timedOut).toBe(true)
      expect(await world.countAlive('shop')).toBe(0)
    })

    it('ends what a command has left behind before it tells how the command ended', async () => {
      const left = `const { existsSync } = require('node:fs')
        const more = { detached: true, stdio: 'ignore' }
        require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(ALIVE)}], more).unref()
        setInterval(() => existsSync(process.env.OUT) && process.exit(3), 20)`
      const result = await world.runtime.runOnce(
        spec(),
        [world.node, '-e', left],
        { timeoutMs: 20_000 },
        never,
      )
      expect(result.exitCode).toBe(3)
      expect(await world.countAlive('shop')).toBe(0)
    })

    it('ends a command whose caller cancels', async () => {
      const cancel = new AbortController()
      const running = world.runtime.runOnce(
        spec(),
        [world.node, '-e', ALIVE],
        { timeoutMs: 60_000 },
        cancel.signal,
      )
      await wrote('up')
      cancel.abort()
      await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
      expect(await world.countAlive('shop')).toBe(0)
    })

    it('finds again what outlived its starter, and leaves it and its children alone', async () => {
      const starter = await world.elsewhere(spec({}, PARENT))
      await wrote('child')
      await starter.die()
      expect(await world.next.status('shop', 'web')).toMatchObject({ state: 'running' })
      expect(await world.next.endLeftovers()).toEqual([])
      expect(await world.countAlive('shop', 'web')).toBe(2)
      const before = await world.next.status('shop', 'web')
      await world.next.start(spec({}, PARENT))
      expect(await world.next.status('shop', 'web')).toEqual(before)
      await world.next.stop('shop', 'web')
      expect(await world.countAlive('shop', 'web')).toBe(0)
    })

    if (traits.keepsRecords) {
      it('ends what was started and never recorded', async () => {
        await world.runtime.start(spec())
        await world.runtime.start(spec({ service: 'worker', env: { OUT: `${world.folder}/out2` } }))
        await wrote('up')
        await wrote('up', `${world.folder}/out2`)
        await world.loseRecord('shop', 'web')
        expect(await world.next.endLeftovers()).toMatchObject([{ app: 'shop', service: 'web' }])
        expect(await world.countAlive('shop', 'web')).toBe(0)
        expect(await world.next.status('shop', 'worker')).toMatchObject({ state: 'running' })
      })

      it('does not start a second one beside one that was never recorded', async () => {
        await world.runtime.start(spec())
        await wrote('up')
        await world.loseRecord('shop', 'web')
        await world.next.start(spec())
        await until('one runs', async () => (await world.countAlive('shop', 'web')) === 1)
      })
    }

    it('ends the command of a caller that died, and not the one of a caller that waits', async () => {
      const caller = await world.elsewhere(spec(), [world.node, '-e', ALIVE])
      await wrote('up')
      expect(await world.next.endLeftovers()).toEqual([])
      expect(await world.countAlive('shop')).toBe(1)
      await caller.die()
      expect(await world.next.endLeftovers()).toHaveLength(1)
      expect(await world.countAlive('shop')).toBe(0)
    })
  })
}

const WRITE = "const say = (text) => require('node:fs').appendFileSync(process.env.OUT, text + '\\n');"
const STAY = 'setInterval(() => {}, 1000);'
const ALIVE = `${WRITE} ${STAY} console.log('hello log');
  for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => { say('down ' + name); process.exit(0) });
  say('up ' + process.env.TOKEN)`
const STUBBORN = `${WRITE} ${STAY} process.on('SIGTERM', () => say('heard SIGTERM')); say('up')`
const PARENT = `${WRITE} ${STAY}
  require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  say('child')`

async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

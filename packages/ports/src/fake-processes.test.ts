import { describe, expect, it } from 'vitest'
import { describeProcesses } from './conformance/processes.ts'
import { FakeProcesses } from './fake-processes.ts'

describeProcesses('fake', async () => ({
  processes: new FakeProcesses()
    .on('good', { stdout: 'hello\n' })
    .on('bad', { exitCode: 3, stderr: 'reason\n' })
    .on('missing', 'missing'),
  folder: '/tmp',
  sleeper: { file: 'sleeper', args: [] },
  succeeds: { file: 'good', args: [] },
  fails: { file: 'bad', args: [] },
  missing: { file: 'missing', args: [] },
}))

describe('fake processes', () => {
  const label = { appliance: 'a', app: '-', service: 'postgres' }

  it('record what was run and hand on its lines', async () => {
    const processes = new FakeProcesses().on('ls', ({ args }) => ({ stdout: `${args.join(' ')}\nend\n` }))
    const lines: string[] = []
    await processes.run({ file: 'ls', args: ['-l', '/'], onLine: (line) => lines.push(line) })
    expect(lines).toEqual(['-l /', 'end'])
    expect(processes.commands).toMatchObject([{ file: 'ls', args: ['-l', '/'] }])
  })

  it('end when the test says so', async () => {
    const processes = new FakeProcesses()
    const identity = await processes.start({ file: 'postgres', args: [], label, logFile: '/log' })
    const ended = processes.waitForExit(identity)
    processes.exit(identity.pid, { exitCode: 7 })
    expect(await ended).toEqual({ exitCode: 7, signal: undefined })
    expect(await processes.isAlive(identity)).toBe(false)
  })

  it('may ignore all but SIGKILL', async () => {
    const processes = new FakeProcesses().ignoresSignals('postgres')
    const identity = await processes.start({ file: 'postgres', args: [], label, logFile: '/log' })
    await processes.signal(identity, 'SIGTERM')
    expect(await processes.isAlive(identity)).toBe(true)
    await processes.signal(identity, 'SIGKILL')
    expect(await processes.isAlive(identity)).toBe(false)
    expect(processes.signals.map((entry) => entry.signal)).toEqual(['SIGTERM', 'SIGKILL'])
  })

  it('hide how those ended that were started elsewhere', async () => {
    const processes = new FakeProcesses()
    const identity = processes.startedElsewhere(label)
    expect(await processes.findByLabel('a')).toEqual([{ identity, label }])
    await processes.signal(identity, 'SIGTERM')
    expect(await processes.waitForExit(identity)).toEqual({ exitCode: undefined, signal: undefined })
  })
})

import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createHost } from '@caretaker/host/host.ts'
import { applianceId } from '@caretaker/kernel/ids.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEFAULT_STOP } from './defaults.ts'
import { createProcessRuntime } from './process-runtime.ts'
import type { ServiceSpec } from './runtime.ts'
import type { ElsewhereTask } from './testing/elsewhere.fixture.ts'
import { spawnElsewhere } from './testing/elsewhere-process.fixture.ts'

const ELSEWHERE = fileURLToPath(new URL('./testing/elsewhere.fixture.ts', import.meta.url))
const never = new AbortController().signal
const ports = createHost()
const users =
  process.getuid?.() === 0
    ? [
        { who: 'as root', owner: undefined },
        { who: 'as the service user', owner: { uid: 65_534, gid: 65_534 } },
      ]
    : [{ who: 'as an ordinary user', owner: undefined }]

/** Gives a process of its own session an empty environment, waits until it has written its pid, then goes on with `then`. */
const leaving = (file: string, then: string) => `
  /usr/bin/env -i /usr/bin/setsid -f /bin/sh -c 'echo $$ >> ${file}; trap "" HUP; while :; do /bin/sleep 0.05; done'
  while ! [ -s ${file} ]; do /bin/sleep 0.01; done
  ${then}`

describe.each(users)('what hides from its label, $who', ({ owner }) => {
  let folder: string
  let id: string
  const open = () =>
    createProcessRuntime(createHost(), { applianceId: id, folder: `${folder}/records`, pid: process.pid })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'caretaker-stragglers-'))
    chmodSync(folder, 0o755)
    if (owner) chownSync(folder, owner.uid, owner.gid)
    id = applianceId()
  })
  afterEach(async () => {
    for (const { identity } of await ports.processes.findByLabel(id))
      await ports.processes.signal(identity, 'SIGKILL')
    for (const pid of ['left', 'kept'].flatMap(pidsIn)) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true, maxRetries: 5 })
  })

  const spec = (script: string, service = 'web'): ServiceSpec => ({
    app: 'shop',
    service,
    releaseId: '1-abc',
    command: ['/bin/sh', '-c', script],
    cwd: '/',
    env: {},
    owner,
    logFile: `${folder}/records/${service}.log`,
    stop: DEFAULT_STOP,
    health: undefined,
    restart: 'always',
  })
  function pidsIn(name: string): readonly number[] {
    try {
      return readFileSync(`${folder}/${name}`, 'utf8').trim().split('\n').filter(Boolean).map(Number)
    } catch {
      return []
    }
  }
  const left = async (name = 'left'): Promise<number> => {
    const pid = await waitUntil(ports.clock, { timeoutMs: 60_000 }, async () => pidsIn(name)[0])
    if (pid === undefined) throw new Error('nothing was left behind')
    return pid
  }

  it('is ended before the end of its command is told, whichever that is', async () => {
    for (const code of [0, 3]) {
      rmSync(`${folder}/left`, { force: true })
      const script = leaving(`${folder}/left`, `echo out; echo err >&2; exit ${code}`)
      const options = { timeoutMs: 60_000 }
      const result = await open().runOnce(spec(''), ['/bin/sh', '-c', script], options, never)
      expect(result).toMatchObject({ exitCode: code, timedOut: false, stdout: 'out\n', stderr: 'err\n' })
      expect(pidsIn('left').map(isAlive)).toEqual([false])
    }
  })

  it('is ended with a command that is out of time', async () => {
    const script = leaving(`${folder}/left`, 'exec /bin/sleep 600')
    const options = { timeoutMs: 2000 }
    const result = await open().runOnce(spec(''), ['/bin/sh', '-c', script], options, never)
    expect(result).toMatchObject({ timedOut: true, signal: 'SIGTERM' })
    expect(pidsIn('left').filter(isAlive)).toEqual([])
  })

  it('is ended with its service, and not while that runs', async () => {
    const runtime = open()
    await runtime.start(spec(leaving(`${folder}/left`, 'exec /bin/sleep 600')))
    await runtime.start(spec(leaving(`${folder}/kept`, 'exec /bin/sleep 600'), 'worker'))
    const [pid, kept] = [await left(), await left('kept')]
    await runtime.endStrays('shop')
    expect(await runtime.endLeftovers()).toEqual([])
    expect([pid, kept].map(isAlive)).toEqual([true, true])
    await runtime.stop('shop', 'web')
    expect([pid, kept].map(isAlive)).toEqual([false, true])
    await runtime.stop('shop', 'worker')
    expect(isAlive(kept)).toBe(false)
  })

  it('is ended of a service that has ended by itself, of that application alone', async () => {
    const runtime = open()
    await runtime.start(spec(leaving(`${folder}/left`, 'exit 1')))
    const pid = await left()
    await runtime.waitForExit('shop', 'web', never)
    await runtime.endStrays('blog')
    expect(isAlive(pid)).toBe(true)
    await runtime.endStrays('shop')
    expect(isAlive(pid)).toBe(false)
  })

  it('is ended when nobody waits for its command any more', async () => {
    const words = ['/bin/sh', '-c', leaving(`${folder}/left`, 'exec /bin/sleep 600')]
    const task: ElsewhereTask = {
      applianceId: id,
      folder: `${folder}/records`,
      spec: { ...spec(''), env: {} },
      command: words,
    }
    const caller = await spawnElsewhere(ELSEWHERE, task)
    const pid = await left()
    expect(await open().endLeftovers()).toEqual([])
    expect(isAlive(pid)).toBe(true)
    await caller.die()
    expect(await open().endLeftovers()).toContainEqual({ app: 'shop', service: 'sh', pid })
    expect(isAlive(pid)).toBe(false)
  })
})

/** A process that has ended and that nobody has asked for yet is none. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

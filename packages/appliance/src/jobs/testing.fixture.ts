import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { FakeLocks } from '@caretaker/ports/fake-locks.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { readHistory } from './history.ts'
import type { JobRun } from './history-records.ts'
import type { Job, JobSurrounding } from './job.ts'
import { JobLane } from './lane.ts'

export const STATE = '/state'

/** A job whose work a test ends when it likes. */
export interface HeldJob extends Job {
  /** How many runs were begun. */
  begun: number
  /** Ends the run under way; with an error it fails. */
  end(error?: Error): void
}

export function heldJob(name: string, more: Partial<Job> = {}): HeldJob {
  let settle: { resolve(): void; reject(error: Error): void } | undefined
  return {
    name,
    app: 'shop',
    schedule: { pattern: '30 3 * * *', zone: 'Europe/Vienna' },
    missed: 'once',
    timeoutMs: 3_600_000,
    refusal: async () => undefined,
    begun: 0,
    end(error) {
      if (error) settle?.reject(error)
      else settle?.resolve()
    },
    async work(_output, signal) {
      this.begun += 1
      await new Promise<void>((resolve, reject) => {
        settle = { resolve, reject }
        signal.addEventListener('abort', () => reject(new Error('ended')), { once: true })
      })
      return 0
    },
    ...more,
  }
}

/** A state folder in memory, a clock that is held, and daemons on them. */
export class JobBed {
  clock: FakeClock
  files: MemoryFiles
  locks = new FakeLocks()
  jobs: readonly Job[]
  /** Ends the runs of the present daemon. */
  stop = new AbortController()
  lane: JobLane

  constructor(start: string, jobs: readonly Job[]) {
    this.clock = new FakeClock(start)
    this.files = new MemoryFiles({ now: () => this.clock.now().getTime() })
    this.jobs = jobs
    this.lane = this.#newLane()
  }

  get around(): JobSurrounding {
    const { files, clock, locks } = this
    const actor = { user: 'tester', via: 'test' }
    return { ports: { files, clock, locks }, stateFolder: STATE, actor, pid: 1 }
  }

  async open(): Promise<this> {
    await this.files.makeFolder(STATE)
    await this.tick()
    return this
  }

  /** Looks once, and lets what can go on go on. */
  async tick(): Promise<void> {
    await this.lane.tick(this.around, this.jobs, this.stop.signal)
    await settle()
  }

  /** Lets time pass, with a look every 30 s, or every `stepMs` where many hours pass. */
  async pass(minutes: number, stepMs = 30_000): Promise<void> {
    for (let passedMs = 0; passedMs < minutes * 60_000; passedMs += stepMs) {
      await this.clock.advance(stepMs)
      await this.tick()
    }
  }

  /** The process dies, with what it had not synced, and another daemon begins at `at`. */
  async killAndStart(at?: string): Promise<void> {
    // What the dead process would still do must reach nobody.
    const image = this.files.durableImage()
    this.clock = new FakeClock(at ?? this.clock.now().toISOString())
    this.files = new MemoryFiles({ image, now: () => this.clock.now().getTime() })
    this.locks = new FakeLocks()
    this.lane = this.#newLane()
    this.stop = new AbortController()
    await this.tick()
  }

  async runs(job: Job): Promise<readonly JobRun[]> {
    return (await readHistory(this.files, STATE, job.name)).runs
  }

  /** The runs as "due result trigger". */
  async told(job: Job): Promise<readonly string[]> {
    return (await this.runs(job)).map(
      (run) => `${run.scheduled_for?.slice(0, 16) ?? '-'} ${run.result} ${run.trigger}`,
    )
  }

  #newLane(): JobLane {
    const ended = async () => undefined
    return new JobLane({
      ended,
      failed: async (_job, error) => {
        throw error
      },
    })
  }
}

/** Everything in memory that can go on goes on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

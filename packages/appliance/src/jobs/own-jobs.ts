import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import type { Appliance } from '../lifecycle/appliance.ts'
import { updateAutomatically } from '../lifecycle/automatic-updates.ts'
import { expiredClones, removeClonesLocked } from '../lifecycle/clones.ts'
import { appsWithExpiredSnapshots, expireOfApps } from '../lifecycle/expire.ts'
import { boundLogs, renewCertificatesLocked } from '../lifecycle/housekeeping.ts'
import { withGuests } from '../lifecycle/lock-guests.ts'
import { areCertificatesDue } from '../lifecycle/tend-certificates.ts'
import { cleanLogs } from './clean-logs.ts'
import { readHistory } from './history.ts'
import type { Job } from './job.ts'

type OwnJob = Omit<Job, 'app' | 'schedule' | 'refusal'> & { readonly pattern: string }

/** The jobs of the appliance itself. They go on in service mode and while it stands by. */
export function ownJobs(appliance: Appliance): readonly Job[] {
  const jobs = [
    certificates(appliance),
    logCleanUp(appliance),
    spaceCheck(appliance),
    expiry(appliance),
    ...(appliance.config.updates.automatic ? [updates(appliance)] : []),
  ]
  return jobs.map(({ pattern, ...job }) => ({
    ...job,
    app: undefined,
    schedule: { pattern, zone: appliance.config.identity.time_zone },
    refusal: async () => undefined,
  }))
}

/**
 * A certificate has a third of its life left when it is due, so a day more or less does no harm; what failed, a file
 * that a person has changed, and a certificate that is about to end are seen sooner. That a certificate could not be had
 * is the matter of the part `certificates`, not a failure of the job.
 */
function certificates(appliance: Appliance): OwnJob {
  return {
    name: 'certificates',
    pattern: '20 4 * * *',
    missed: 'once',
    timeoutMs: 10 * MINUTE_MS,
    wakes: () => areCertificatesDue(appliance),
    async work(output, signal) {
      const { operations, failure } = await withGuests(appliance.stateFolder, () =>
        renewCertificatesLocked(appliance, { emit: () => undefined, signal }),
      )
      const failed = operations.find(({ outcome }) => outcome !== 'done')
      if (failed && !failure) throw failureOf(failed.errors[0])
      for (const { operation, outcome } of operations) output(`${operation}: ${outcome}`, 'stdout')
      if (failure) output(`${failure.what}: ${failure.why}`, 'stderr')
      else if (operations.length === 0) output('No certificate has to be renewed yet.', 'stdout')
      else output('The certificates were renewed.', 'stdout')
      return undefined
    },
  }
}

function logCleanUp(appliance: Appliance): OwnJob {
  return {
    name: 'log-clean-up',
    pattern: '40 4 * * *',
    missed: 'once',
    timeoutMs: HOUR_MS,
    async work(output) {
      await boundLogs(appliance)
      const { files, bytes } = await cleanLogs(appliance)
      output(`Removed ${files} old log files, ${formatBytes(bytes)}.`, 'stdout')
      return undefined
    },
  }
}

function spaceCheck(appliance: Appliance): OwnJob {
  return {
    name: 'space-check',
    pattern: '5 * * * *',
    missed: 'skip',
    timeoutMs: MINUTE_MS,
    async work(output) {
      const space = await appliance.storage.space()
      const used = `${Math.round(space.usedRatio * 100)} % of the data volume ${appliance.folders.data} are used, ${formatBytes(space.availableBytes)} are left`
      output(`${used}.`, 'stdout')
      if (!space.warn) return undefined
      throw new AppError('STORAGE_SPACE', {
        what: 'The data volume is filling up',
        why: used,
        next: space.belowReserve
          ? 'Free space now: updates and clones are refused'
          : 'Make room before it is full',
      })
    },
  }
}

/** Looks every half hour, so that a window of an hour is never missed; a source that cannot be asked is asked again then. */
function updates(appliance: Appliance): OwnJob {
  return {
    name: 'updates',
    pattern: '*/30 * * * *',
    missed: 'skip',
    timeoutMs: 6 * HOUR_MS,
    async work(output, signal) {
      await updateAutomatically(appliance, (line) => output(line, 'stdout'), signal)
      return undefined
    },
  }
}

/** What ends by itself is looked after at once, also when its time was over while the machine was off. */
function expiry(appliance: Appliance): OwnJob {
  return {
    name: 'expiry',
    pattern: '10 5 * * *',
    missed: 'once',
    timeoutMs: 2 * HOUR_MS,
    wakes: async () => (await hasExpired(appliance)) && !(await hasFailedLately(appliance)),
    async work(output, signal) {
      const removed = await expireOfApps(appliance)
      for (const what of removed) output(`Removed ${what}.`, 'stdout')
      const clones = await expiredClones(appliance)
      if (clones.length === 0) {
        if (removed.length === 0) output('Nothing has expired.', 'stdout')
        return undefined
      }
      const purpose = 'remove clones that have expired'
      const { errors } = await removeClonesLocked(appliance, clones, purpose, () => undefined, signal)
      if (errors[0]) throw AppError.fromReport(errors[0])
      output(`Removed the clones that had expired: ${clones.join(', ')}.`, 'stdout')
      return undefined
    },
  }
}

async function hasExpired(appliance: Appliance): Promise<boolean> {
  if ((await expiredClones(appliance)).length > 0) return true
  return (await appsWithExpiredSnapshots(appliance)).length > 0
}

/** What could not be removed is tried again after a while, not at every look. */
async function hasFailedLately({ ports, stateFolder }: Appliance): Promise<boolean> {
  const last = (await readHistory(ports.files, stateFolder, 'expiry')).runs.at(-1)
  if (last?.result !== 'failed' || last.ended_at === null) return false
  return ports.clock.now().getTime() - Date.parse(last.ended_at) < HOUR_MS
}

function failureOf(report: Parameters<typeof AppError.fromReport>[0] | undefined): AppError {
  return report
    ? AppError.fromReport(report)
    : new AppError('CANCELLED', {
        what: 'The certificates were not renewed',
        why: 'the operation was cancelled',
        next: 'caretaker operation list',
      })
}

import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { isPair } from '../../certificates/pair.ts'
import { isIssuedBy, parseCertificate } from '../../certificates/renewal.ts'
import type { Appliance } from '../appliance.ts'
import { reportCertificates } from '../certificate-report.ts'
import { readFacts } from '../facts.ts'
import { authorityFile } from '../gateway-service.ts'
import { certificateNames } from '../routes.ts'
import { wronglyShown } from '../steps/certificates-serve.ts'
import type { Found, Scene } from './finding.ts'
import { wholeDays } from './machine-checks.ts'

/** Certificates are renewed long before; one that is so near its end was not. */
const EXPIRES_SOON_MS = 10 * DAY_MS

/** The certificates of the own authority, then what visitors are shown. */
export async function certificates({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports: our, config, folders } = appliance
  const authority = await our.files.readText(authorityFile(appliance))
  const { startedBefore } = await readFacts(our.files, appliance.stateFolder)
  if (!startedBefore) return []
  const next = 'caretaker up'
  if (authority === undefined) {
    const what = `${authorityFile(appliance)} is missing; one made anew has to be trusted anew`
    return [{ code: 'CERTIFICATE_INVALID', what, next }]
  }
  const found: Found[] = []
  for (const { name } of certificateNames(config)) {
    const path = join(folders.certificates, `${name}.crt`)
    const pem = await our.files.readText(path)
    const keyPath = join(folders.certificates, `${name}.key`)
    const key = await our.files.readText(keyPath)
    if (pem === undefined || key === undefined) {
      const what = `${pem === undefined ? path : keyPath} is missing`
      found.push({ code: 'CERTIFICATE_INVALID', what, next })
      continue
    }
    let certificate: ReturnType<typeof parseCertificate>
    try {
      certificate = parseCertificate(pem)
    } catch {
      found.push({ code: 'CERTIFICATE_INVALID', what: `${path} is no certificate`, next })
      continue
    }
    if (!isPair(pem, key)) {
      const what = `${keyPath} is damaged, or is not the key of ${path}`
      found.push({ code: 'CERTIFICATE_INVALID', what, next })
    }
    const leftMs = certificate.validToDate.getTime() - our.clock.now().getTime()
    if (leftMs < EXPIRES_SOON_MS) {
      const what = leftMs < 0 ? `${path} has ended` : `${path} ends in ${wholeDays(leftMs)} days`
      found.push({ code: 'CERTIFICATE_EXPIRING', what, next })
    }
    if (!isIssuedBy(pem, authority)) {
      const what = `${path} was not issued by ${authorityFile(appliance)}`
      found.push({ code: 'CERTIFICATE_FOREIGN', what, next })
    }
  }
  return [...found, ...(await shownToVisitors(appliance)), ...(await fromElsewhere(appliance))]
}

async function shownToVisitors(appliance: Appliance): Promise<readonly Found[]> {
  return (await wronglyShown(appliance)).map(({ host, why }) => ({
    code: 'CERTIFICATE_NOT_SERVED',
    what: `${host} is shown with another certificate: ${why}`,
    next: 'caretaker up',
  }))
}

/** Why hosts have no certificate from elsewhere; a try that failed while the present one is good is worth knowing. */
async function fromElsewhere(appliance: Appliance): Promise<readonly Found[]> {
  const { certificates: lines, problem } = await reportCertificates(appliance, false)
  if (problem) return [{ code: problem.code, what: `${problem.what}: ${problem.why}`, next: problem.next }]
  return lines.flatMap(({ host, problem: last, next_try_at, days_left }) =>
    last
      ? [
          {
            result: 'notice' as const,
            code: last.code,
            what: `${host} has ${days_left} days left; the last try to renew it failed: ${last.why}`,
            next: `It is tried again at ${next_try_at ?? 'the next look'}; "caretaker cert renew --now" does it now`,
          },
        ]
      : [],
  )
}

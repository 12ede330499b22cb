import { generateKeyPair } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { acmeFailure } from '../certificates/acme/failure.ts'
import { AcmeProblem } from '../certificates/acme/problem.ts'
import { afterFailure } from '../certificates/acme/retry.ts'
import { type AcmeSession, openAcmeSession } from '../certificates/acme/session.ts'
import { readCertificateState, updateCertificateState, withCertificate } from '../certificates/acme/state.ts'
import type { WantedCertificate } from '../certificates/wanted.ts'
import type { Appliance } from './appliance.ts'
import { providedPath } from './chosen-certificates.ts'

const ACCOUNT_KEY = 'acme-account-key'
const generate = promisify(generateKeyPair)

/**
 * The key of the ACME account: that of the config, else one that is made at the first use and kept sealed in the state
 * folder. It does not have to be in the config: nothing is encrypted with it, and a machine that comes back from its
 * config opens a new account and has its certificates within one operation. One in the config is for authorities that
 * bind accounts by hand, and for CAA records that name the account.
 */
export async function accountKey({ config, secrets }: Appliance): Promise<Secret> {
  if (config.keys.acme_account_key) return config.keys.acme_account_key
  const present = await secrets.find(ACCOUNT_KEY)
  return present ?? secrets.replace(ACCOUNT_KEY, (await newPrivateKey('acme-account-key')).reveal())
}

/** A new EC P-256 key as PKCS#8 PEM. */
export async function newPrivateKey(name: string): Promise<Secret> {
  const { privateKey } = await generate('ec', { namedCurve: 'P-256' })
  return new Secret(name, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
}

/** A conversation with the ACME server of the config, by the account that is known. @throws AppError CONFIG_CONFLICT */
export async function openAcme(appliance: Appliance): Promise<AcmeSession> {
  const { ports, config, stateFolder } = appliance
  const { directory, external_account, trusted_ca } = config.tls.acme
  const key = await accountKey(appliance)
  const { account } = await readCertificateState(ports.files, stateFolder)
  const isOurs = account?.directory === directory && account.key === key.fingerprint()
  return openAcmeSession(ports, {
    directory,
    accountKey: key,
    accountUrl: isOurs ? account.url : undefined,
    externalAccount: external_account && {
      keyId: external_account.key_id,
      hmacKey: external_account.hmac_key,
    },
    ca: trusted_ca === undefined ? undefined : await readTrustedCa(appliance, trusted_ca),
  })
}

async function readTrustedCa(appliance: Appliance, path: string): Promise<string> {
  const file = providedPath(appliance, path)
  const pem = await appliance.ports.files.readText(file)
  if (pem !== undefined) return pem
  throw new AppError('CONFIG_CONFLICT', {
    what: 'The ACME server cannot be asked',
    why: `tls.acme.trusted_ca names ${file}, and there is no such file`,
    next: 'Put the certificate of the authority there, or remove the setting',
  })
}

/** Where the key of a certificate waits until the certificate is there. */
export function pendingKeyFile({ folders }: Appliance, name: string): string {
  return join(folders.certificates, `${name}.acme-pending.key`)
}

/**
 * Runs one part of getting a certificate (of the account, when `wanted` is undefined). A failure is remembered with
 * the time of the next try before it is thrown; what was begun is kept where it can be gone on with.
 * @throws AppError ACME_…
 */
export async function asAcmePart(
  appliance: Appliance,
  wanted: WantedCertificate | undefined,
  signal: AbortSignal,
  work: (session: AcmeSession) => Promise<void>,
): Promise<void> {
  const { ports, stateFolder, config } = appliance
  try {
    await work(await openAcme(appliance))
    await updateCertificateState(ports.files, stateFolder, () => ({ directory: undefined }))
  } catch (cause) {
    // A person has cancelled, or the daemon ends: that says nothing about the server.
    if (signal.aborted) throw cause
    const now = ports.clock.now()
    const failure = acmeFailure(cause, wanted?.hosts ?? [], config.tls.acme.directory)
    const isAccountGone = cause instanceof AcmeProblem && cause.type === 'accountDoesNotExist'
    let { error } = failure
    await updateCertificateState(ports.files, stateFolder, (state) => {
      const before = failure.concernsAll ? state.directory : state.certificates[wanted?.name ?? '']?.retry
      const retry = afterFailure(before, { ...failure, error: error.toReport() }, now)
      if (failure.kind === 'limited') error = withTime(error, retry.notBefore)
      const kept = { ...retry, error: error.toReport() }
      const keepsOrder = failure.kind === 'unreachable' || failure.kind === 'limited'
      const change = {
        ...(failure.concernsAll ? {} : { retry: kept }),
        ...(keepsOrder ? {} : { order: undefined }),
      }
      return {
        ...(failure.concernsAll ? { directory: kept } : {}),
        ...(isAccountGone ? { account: undefined } : {}),
        ...(wanted ? withCertificate(state, wanted.name, change) : {}),
      }
    })
    throw error
  }
}

function withTime(error: AppError, notBefore: string): AppError {
  return AppError.fromReport({
    ...error.toReport(),
    next: `It is tried again by itself at ${notBefore}; nothing has to be done`,
  })
}

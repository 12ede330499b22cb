import { join } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'
import { readStateFile, writeStateFile } from '../../lifecycle/state-file.ts'
import type { Retry } from './retry.ts'

/** How far an order has come, so that another process goes on with it. */
export interface KeptOrder {
  readonly url: string
  readonly hosts: readonly string[]
  readonly proved: boolean
  readonly finalized: boolean
}

export interface KeptCertificate {
  readonly order?: KeptOrder | undefined
  readonly retry?: Retry | undefined
  /** ISO 8601 instant; when the last one was fetched. */
  readonly obtainedAt?: string | undefined
}

/** What is remembered about getting certificates. Holds no secret. */
export interface CertificateState {
  /** The account of this key at this directory. */
  readonly account?: { readonly directory: string; readonly key: string; readonly url: string } | undefined
  /** Set while no request to the directory makes sense, whatever the certificate. */
  readonly directory?: Retry | undefined
  /** By name of the certificate. */
  readonly certificates: Readonly<Record<string, KeptCertificate>>
  /** What was taken over last from each provided certificate file: path to id. */
  readonly provided: Readonly<Record<string, string>>
  /** How each provided certificate file and its key were when they were looked at last: path to id. */
  readonly seen?: Readonly<Record<string, string>> | undefined
}

const EMPTY: CertificateState = { certificates: {}, provided: {} }

export const certificateStateFile = (stateFolder: string) => join(stateFolder, 'certificates.json')

/** @throws AppError STATE_DAMAGED */
export async function readCertificateState(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
): Promise<CertificateState> {
  return {
    ...EMPTY,
    ...(await readStateFile<Partial<CertificateState>>(files, certificateStateFile(stateFolder))),
  }
}

/** Changes it durably. The caller holds the lock of operations. */
export async function updateCertificateState(
  files: Files,
  stateFolder: string,
  change: (state: CertificateState) => Partial<CertificateState>,
): Promise<CertificateState> {
  const state = await readCertificateState(files, stateFolder)
  const next = { ...state, ...change(state) }
  if (JSON.stringify(next) !== JSON.stringify(state))
    await writeStateFile(files, certificateStateFile(stateFolder), next)
  return next
}

/** The state with one certificate changed. */
export function withCertificate(
  state: CertificateState,
  name: string,
  change: KeptCertificate,
): Pick<CertificateState, 'certificates'> {
  return { certificates: { ...state.certificates, [name]: { ...state.certificates[name], ...change } } }
}

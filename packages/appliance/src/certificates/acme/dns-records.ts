import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import type { Command, Processes } from '@caretaker/ports/process.ts'
import type { AcmeDnsConfig } from '../../config/config.ts'

/** Programs of providers talk to slow interfaces. */
const COMMAND_MS = 5 * MINUTE_MS
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
/** Seconds that others may remember the record; it is there for minutes only. */
const RECORD_TTL_S = 60

export interface DnsRecordProof {
  /** `_acme-challenge.NAME`, without a dot at the end. */
  readonly name: string
  readonly value: string
}

/** Where the proof of a host name stands (RFC 8555, 8.4). */
export function proofRecord(host: string, value: string): DnsRecordProof {
  return { name: `_acme-challenge.${host}`, value }
}

/** The call that sets or removes one TXT record; name and value never reach a shell. Pure. */
export function dnsCommand(
  config: AcmeDnsConfig,
  action: 'present' | 'cleanup',
  record: DnsRecordProof,
): Command {
  const [file, ...args] = config.command ?? []
  if (file !== undefined) {
    return {
      file,
      args: [...args, action, record.name, record.value],
      env: ENVIRONMENT,
      timeoutMs: COMMAND_MS,
    }
  }
  const { server = '', port, tsig_name, tsig_algorithm, tsig_secret } = config
  const change = action === 'present' ? `add ${record.name}. ${RECORD_TTL_S}` : `delete ${record.name}.`
  const script = [
    `server ${server} ${port}`,
    ...(tsig_name && tsig_secret ? [`key ${tsig_algorithm}:${tsig_name} ${tsig_secret.reveal()}`] : []),
    `update ${change} TXT "${record.value}"`,
    'send',
    'quit',
  ]
  return {
    file: 'nsupdate',
    args: ['-v'],
    env: ENVIRONMENT,
    timeoutMs: COMMAND_MS,
    input: `${script.join('\n')}\n`,
  }
}

/** @throws AppError ACME_DNS_FAILED */
export async function changeDnsRecord(
  processes: Pick<Processes, 'run'>,
  config: AcmeDnsConfig,
  action: 'present' | 'cleanup',
  record: DnsRecordProof,
  signal?: AbortSignal,
): Promise<void> {
  const command = dnsCommand(config, action, record)
  try {
    await runToSuccess(processes, command, signal)
  } catch (cause) {
    throw new AppError('ACME_DNS_FAILED', {
      what: `The DNS record ${record.name} could not be ${action === 'present' ? 'set' : 'removed'}`,
      why: messageOf(cause),
      next: `Correct tls.acme.dns or what "${command.file}" complains about, then "caretaker cert renew --now"`,
      cause,
    })
  }
}

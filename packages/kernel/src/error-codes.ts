import type { ExitCode } from './exit-codes.ts'

interface ErrorCodeEntry {
  readonly exit: ExitCode
  /** One sentence for docs/errors.md. */
  readonly doc: string
}

const entry = (exit: ExitCode, doc: string): ErrorCodeEntry => ({ exit, doc })

/** Every error a person can meet. `docs/errors.md` is made from this table and a test compares the two. */
export const ERROR_CODES = {
  // general
  INTERNAL: entry(1, 'A fault of caretaker itself.'),
  USAGE: entry(2, 'The command line is not understood.'),
  CANCELLED: entry(130, 'Cancelled by a person; the operation can be resumed.'),
  FILE_EXISTS: entry(2, 'The file to be written exists already.'),
  NOT_IN_THIS_VERSION: entry(2, 'The setting or command is known but not built in this version.'),
  PLATFORM_UNSUPPORTED: entry(1, 'This operating system or processor is not supported.'),

  // machine
  DISK_FULL: entry(75, 'No space is left where something had to be written.'),
  READ_ONLY: entry(1, 'The file system is read-only.'),
  NO_PERMISSION: entry(1, 'The operating system refused access.'),
  COMMAND_NOT_FOUND: entry(10, 'A program that is needed is not installed.'),
  COMMAND_FAILED: entry(1, 'A program that was called ended with an error.'),
  COMMAND_TIMEOUT: entry(1, 'A program that was called did not end in time.'),
  SYSTEMD_MISSING: entry(10, 'The machine is not run by systemd.'),
  INSTALLATION_INCOMPLETE: entry(1, 'Something of what "caretaker install" set up is gone or was changed.'),
  SOCKET_PATH_TOO_LONG: entry(2, 'The path of a unix socket is longer than the operating system allows.'),
  PORT_IN_USE: entry(1, 'A network port is taken by another program.'),
  PERMISSIONS_OPEN: entry(1, 'A file or folder of the appliance can be used by others than it should.'),
  CLOCK_WRONG: entry(1, 'The clock of the machine cannot be right.'),
  CLOCK_JUMPED: entry(1, 'The clock of the machine was set while services ran.'),
  INODES_LOW: entry(75, 'A file system can hold hardly any more files.'),
  TIME_ZONE_MISSING: entry(10, 'The machine does not know the time zone of the config.'),
  NAME_ELSEWHERE: entry(1, 'A host name of the config does not lead to this machine.'),

  // operations
  LOCKED: entry(11, 'Another operation holds the lock; its holder, age and purpose are said.'),
  OPERATION_UNKNOWN: entry(2, 'There is no operation with this id.'),
  OPERATION_ENDED: entry(2, 'The operation has already ended; there is nothing to resume or undo.'),
  OPERATION_NOT_RUNNING: entry(1, 'Nothing is under way that could be stopped.'),
  OPERATION_NOT_STOPPABLE: entry(1, 'What is under way ends by itself, or by a command of its own.'),
  OPERATION_UNFINISHED: entry(11, 'An earlier operation is unfinished and must be resumed or undone first.'),
  OPERATION_INTERRUPTED: entry(
    1,
    'The process of an operation died in the middle; the operation was taken back.',
  ),
  JOURNAL_DAMAGED: entry(5, 'The journal of an operation is damaged before its end.'),
  STEP_UNKNOWN: entry(5, 'The journal names a step that this version does not know.'),
  STEP_TIMEOUT: entry(1, 'A step did not end in its time.'),
  STEP_KEEPS_CRASHING: entry(5, 'A step ended the process several times in a row and is not tried again.'),
  STEP_NOT_EFFECTIVE: entry(1, 'A step ended without error but its effect is not there.'),
  STEP_BLOCKED: entry(1, 'A step cannot be taken in the present state.'),
  UNDO_IMPOSSIBLE: entry(5, 'A step that was taken cannot be undone.'),
  UNDO_FAILED: entry(5, 'The way forward failed, and the way back failed as well.'),

  // config
  CONFIG_NOT_FOUND: entry(2, 'No config was found in the places that were looked at.'),
  CONFIG_EXISTS: entry(2, 'The file to be created exists already.'),
  CONFIG_SYNTAX: entry(2, 'The file is not valid YAML.'),
  CONFIG_UNKNOWN_KEY: entry(2, 'A key of the config is not known.'),
  CONFIG_WRONG_TYPE: entry(2, 'A value of the config is of the wrong type or out of range.'),
  CONFIG_MISSING: entry(2, 'A value that the config must hold is missing.'),
  CONFIG_CONFLICT: entry(2, 'Two values of the config contradict each other.'),
  CONFIG_NOT_APPLIED: entry(1, 'The config was changed, and what runs does not follow it yet.'),
  CONFIG_TOO_LARGE: entry(2, 'The config is larger than 128 KiB.'),
  CONFIG_PERMISSIONS: entry(2, 'The config holds secrets and can be read by others.'),

  // sealed secrets
  SEAL_NO_IDENTITY: entry(12, 'The identity that opens the sealed secrets is not on this machine.'),
  SEAL_WRONG_IDENTITY: entry(12, 'The sealed secrets were sealed for another identity.'),
  SEAL_BROKEN: entry(12, 'A sealed secret was changed or sealed with another key.'),
  SECRETS_ON_DISK: entry(
    1,
    'Secret files of running applications lie on a disk: no place in memory was found.',
  ),

  // storage
  STORAGE_ABSENT: entry(5, 'The data volume is not there although this appliance has been started before.'),
  STORAGE_EMPTY: entry(5, 'The data volume is empty although this appliance has been started before.'),
  STORAGE_FOREIGN: entry(5, 'The data volume belongs to another appliance.'),
  STORAGE_UNREADABLE: entry(5, 'The data volume cannot be read.'),
  STORAGE_OTHER_BACKEND: entry(
    5,
    'The data volume was made by another storage back end than the config names.',
  ),
  STORAGE_NEEDS_ROOT: entry(1, 'The storage back end works as root only.'),
  STORAGE_FILE_SYSTEM: entry(
    5,
    'The data folder does not lie on the file system that the storage back end needs.',
  ),
  STORAGE_NESTED: entry(
    1,
    'The application made a subvolume inside its data, which a snapshot would not hold.',
  ),
  STORAGE_SPACE: entry(75, 'The operation would cross the reserve line of the data volume.'),
  SNAPSHOT_UNKNOWN: entry(2, 'There is no snapshot with this name.'),
  SNAPSHOT_EXISTS: entry(2, 'There is a snapshot with this name already.'),
  SNAPSHOT_DAMAGED: entry(5, 'A snapshot is incomplete.'),
  UNIT_EXISTS: entry(2, 'There is data of this name on the data volume already.'),
  UNIT_UNKNOWN: entry(5, 'The data of the application is not on the data volume.'),
  NAME_INVALID: entry(2, 'A name holds characters that are not allowed.'),

  // database
  POSTGRES_MAJOR_MISSING: entry(10, 'The binaries of this Postgres major are not part of this program.'),
  POSTGRES_MAJOR_MISMATCH: entry(5, 'The data was written by another Postgres major.'),
  POSTGRES_START_FAILED: entry(5, 'Postgres does not start; the last lines of its log are said.'),
  POSTGRES_UNREACHABLE: entry(5, 'Postgres does not answer.'),
  POSTGRES_REFUSED: entry(5, 'Postgres refused what the appliance asked of it; its words are said.'),
  POSTGRES_DATA_DAMAGED: entry(5, 'Postgres has found damaged data.'),
  DATABASE_ABSENT: entry(5, 'The database is gone although the application has been started before.'),

  // applications
  APP_UNKNOWN: entry(2, 'There is no application with this name.'),
  APP_EXISTS: entry(2, 'There is an application with this name already.'),
  APP_NAME_MISMATCH: entry(2, 'The name that was typed is not the name of the application.'),
  COMPOSE_SYNTAX: entry(2, 'The compose file is not valid YAML.'),
  COMPOSE_NOT_FOUND: entry(2, 'The source holds no compose file.'),
  COMPOSE_INVALID: entry(2, 'The compose file or its x-caretaker section is not valid.'),
  COMPOSE_KEY_REFUSED: entry(2, 'A key of the compose file cannot be honoured.'),
  SOURCE_NOT_FOUND: entry(10, 'The source of the application cannot be reached.'),
  SOURCE_REFUSED: entry(2, 'The source of the application is of a kind that is not accepted.'),
  SOURCE_CHANGED: entry(75, 'The source of the application changed between planning and taking it.'),
  BUILD_FAILED: entry(1, 'The release could not be built.'),
  SERVICE_START_FAILED: entry(5, 'A service of the application does not start.'),
  SERVICE_UNHEALTHY: entry(5, 'A service of the application is not healthy in time.'),
  SERVICE_CRASH_LOOP: entry(5, 'A service of the application ends again and again.'),
  SERVICE_UNKNOWN: entry(2, 'There is no service with this name.'),
  MIGRATION_FAILED: entry(5, 'The migration of the application failed.'),
  SMOKE_FAILED: entry(5, 'The smoke test of the application failed.'),
  UPDATE_REFUSED: entry(2, 'The update cannot be done as it was asked for; nothing was changed.'),
  REHEARSAL_FAILED: entry(1, 'The release failed on a clone of the data, so it was not put in force.'),
  ACCEPTANCE_FAILED: entry(1, 'The release does not pass its acceptance test on a clone.'),
  UPDATE_UNFINISHED: entry(
    5,
    'An update could neither be finished nor taken back; nothing is started on data that may be half migrated.',
  ),
  DATA_LOSS_UNCONFIRMED: entry(2, 'What was asked for loses data, and that was not confirmed.'),
  APP_COMMAND_FAILED: entry(1, 'A command of the application ended with an error.'),

  // clones
  CLONE_UNKNOWN: entry(2, 'There is no clone with this name.'),
  MAIL_UNKNOWN: entry(2, 'The clone has no such mail.'),
  CLONE_REFUSED: entry(2, 'The application cannot be cloned as it is.'),
  CLONE_NOT_ISOLATED: entry(10, 'The system allows no isolation, so a clone could reach the outside.'),
  CLONE_SCRUB_FAILED: entry(
    4,
    'The SQL that clears what a clone must not hold failed; the clone was removed.',
  ),
  REBUILD_FAILED: entry(5, 'The command that fills volatile volumes again failed.'),

  // container engine
  ENGINE_UNREACHABLE: entry(10, 'The container engine does not answer.'),
  ENGINE_FAILED: entry(1, 'The container engine refused what was asked of it.'),
  IMAGE_MISSING: entry(10, 'An image of a release is not on this machine.'),
  IMAGE_NOT_FOUND: entry(10, 'The registry has no such image, or does not show it to us.'),
  REGISTRY_UNREACHABLE: entry(75, 'The registry of an image does not answer.'),
  IMAGE_PULL_FAILED: entry(1, 'An image could not be fetched.'),

  // jobs
  JOB_UNKNOWN: entry(2, 'There is no job with this name.'),
  JOB_RUN_UNKNOWN: entry(2, 'There is no run of the job with this id.'),
  JOB_FAILED: entry(1, 'A job ended with an error.'),
  JOB_TIMEOUT: entry(1, 'A job did not end in its time and was ended.'),
  JOB_SKIPPED: entry(1, 'A job does not run in the present state of the appliance.'),
  JOB_INTERRUPTED: entry(130, 'A job was ended before it was done.'),
  JOB_STOPPED: entry(130, 'A person stopped the job before it was done.'),
  JOB_NOT_RUNNING: entry(1, 'The job to be stopped does not run.'),
  JOB_NOT_STOPPED: entry(5, 'A job did not end although a person stopped it.'),

  // gateway
  GATEWAY_START_FAILED: entry(5, 'The gateway does not start.'),
  GATEWAY_UNREACHABLE: entry(5, 'The gateway does not answer on its control socket.'),
  GATEWAY_CONFIG_REFUSED: entry(
    1,
    'The gateway engine did not take a config; the one before stays in force.',
  ),
  GATEWAY_ENGINE_TOO_OLD: entry(
    10,
    'The gateway engine of this machine is too old for what the config asks.',
  ),
  CERTIFICATE_INVALID: entry(2, 'A certificate or key cannot be used.'),
  CERTIFICATE_EXPIRING: entry(1, 'A certificate ends soon and was not renewed.'),
  CERTIFICATE_FOREIGN: entry(1, 'A certificate was not issued by the authority of the appliance.'),
  CERTIFICATE_UNKNOWN: entry(2, 'There is no certificate with this name.'),
  ACME_UNREACHABLE: entry(
    3,
    'The ACME server does not answer, or has trouble of its own; it is asked again.',
  ),
  ACME_DOMAIN_FAILED: entry(3, 'The ACME server could not see that a host name belongs to this machine.'),
  ACME_RATE_LIMITED: entry(3, 'The ACME server asks to come later; it is said when.'),
  ACME_ORDER_EXPIRED: entry(3, 'An order of a certificate has ended before it was fulfilled.'),
  ACME_REFUSED: entry(3, 'The ACME server refuses the account or the order.'),
  ACME_DNS_FAILED: entry(3, 'The DNS record that proves a host name could not be set.'),
  CERTIFICATE_NOT_SERVED: entry(1, 'The gateway shows another certificate than the one on disk.'),

  // life cycle
  RECOVERY_NOT_IN_THIS_VERSION: entry(5, 'The config asks for a recovery, which this version cannot do.'),
  STATE_DAMAGED: entry(5, 'A file of the state folder is damaged.'),
  STATE_IN_USE: entry(11, 'Another daemon runs on this state folder.'),
  DAEMON_UNREACHABLE: entry(1, 'The daemon does not answer.'),
  DAEMON_LOST: entry(3, 'The daemon ended in the middle of a command; the next one brings it to an end.'),
  DAEMON_OTHER_VERSION: entry(1, 'The daemon that runs is of another version than the command.'),
  RELEASE_MISSING: entry(10, 'The release of an application that ran is not on this machine.'),
  PROCESS_LEFTOVER: entry(1, 'A process of the appliance runs that nothing remembers.'),
  LOGS_TOO_LARGE: entry(1, 'A log has grown beyond its bound.'),
  SERVICE_MODE: entry(1, 'The appliance is in service mode.'),
} as const satisfies Record<string, ErrorCodeEntry>

export type ErrorCode = keyof typeof ERROR_CODES

import { sha256 } from '@caretaker/kernel/json.ts'
import { PLACES, SERVICE_UNIT, SHUTDOWN_UNIT } from './places.ts'

/** First line of what we write; a unit file without it is somebody else's. */
export const MARK =
  '# Written by "caretaker install"; changes belong into a drop-in ("systemctl edit caretaker").'

/** The variable that tells which build and which unit text a running daemon was started with. */
export const STAMP_VARIABLE = 'CARETAKER_INSTALLED'

/** Folders that volumes of a config may lie in. */
const VOLUMES = ['/srv', '/mnt', '/media', '/home']
/** What programs write to wherever they run. */
const TEMPORARY = ['/run', '/tmp', '/var/tmp']

/** Seconds without a sign of life after which systemd starts the daemon again. */
const WATCHDOG_S = 60

/**
 * What the daemon does not need is taken from it, and so from what it starts. Left off, because of what it starts:
 * - PrivateTmp: a restart of the daemon would delete /tmp under the applications that go on running.
 * - ProtectSystem=strict spares the folders of volumes; ProtectHome is read-only, since sources may lie in a home.
 * - MemoryDenyWriteExecute: the just-in-time compilers of Node and Postgres.
 * - PrivateDevices, RestrictSUIDSGID: storage works on block devices, and data keeps the modes it has.
 * - PrivateUsers, PrivateNetwork, ProtectProc: services run as another user and are reached and known as processes.
 */
const SANDBOX = `NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectHostname=yes
ProtectClock=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_SYS_RESOURCE`

/** Our unit files by name. `volumes` are folders of a config that lie outside of the usual places. */
export function unitFiles(build: string, volumes: readonly string[]): Readonly<Record<string, string>> {
  const service = serviceUnit(volumes)
  const stamp = stampOf(build, service)
  return {
    [SERVICE_UNIT]: service.replace('[Service]\n', `[Service]\nEnvironment=${STAMP_VARIABLE}=${stamp}\n`),
    [SHUTDOWN_UNIT]: shutdownUnit(),
  }
}

/** The value of {@link STAMP_VARIABLE} in a text of {@link unitFiles}. */
export function stampIn(unit: string): string | undefined {
  return new RegExp(`^Environment=${STAMP_VARIABLE}=(.*)$`, 'm').exec(unit)?.[1]
}

const stampOf = (build: string, unit: string) => `${build}/${sha256(unit).slice(0, 8)}`

/**
 * What the daemon starts outlives it (KillMode=process), so that a restart or an upgrade interrupts nobody; an
 * application that the kernel ends for its memory is no reason to end the daemon (OOMPolicy).
 */
function serviceUnit(volumes: readonly string[]): string {
  const writable = [PLACES.state, PLACES.config, ...TEMPORARY, ...VOLUMES, ...volumes]
  return `${MARK}
[Unit]
Description=Caretaker keeps the applications of this machine alive
After=local-fs.target network.target docker.service ${SHUTDOWN_UNIT}
Wants=${SHUTDOWN_UNIT}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${PLACES.current}/bin/caretaker daemon --leave-running
EnvironmentFile=-${PLACES.settings}
Restart=always
RestartSec=1
WatchdogSec=${WATCHDOG_S}
WatchdogSignal=SIGKILL
TimeoutStartSec=120
TimeoutStopSec=600
KillMode=process
OOMPolicy=continue
TasksMax=infinity
UMask=0022
WorkingDirectory=/
ReadWritePaths=${writable.map((path) => `-${path}`).join(' ')}
${SANDBOX}

[Install]
WantedBy=multi-user.target
`
}

/** Ordered before the daemon, it is stopped after it: only when the machine goes down, never by a restart. */
function shutdownUnit(): string {
  return `${MARK}
[Unit]
Description=Stops the applications of caretaker in order when this machine goes down
After=local-fs.target network.target docker.service
RequiresMountsFor=${PLACES.state}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=${PLACES.current}/bin/caretaker shutdown
EnvironmentFile=-${PLACES.settings}
TimeoutStopSec=600
WorkingDirectory=/

[Install]
WantedBy=multi-user.target
`
}

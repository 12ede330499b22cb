import type { CommandDefinition } from '../cli/definition.ts'
import {
  appAdd,
  appExec,
  appList,
  appLogs,
  appRemove,
  appRestart,
  appRotatePassword,
  appShow,
} from './app.ts'
import { appRehearse, appUpdates } from './app-rehearse.ts'
import { appHistory, appRollback, appUpdate } from './app-update.ts'
import { cell } from './cell.ts'
import { certList, certRenew } from './cert.ts'
import { appClone, cloneExtend, cloneList, cloneRemove } from './clone.ts'
import { cloneMail } from './clone-mail.ts'
import { complete, completion } from './completion.ts'
import { configCheck, configCreate, configDiff, configExport, configSchema, configShow } from './config.ts'
import { daemon } from './daemon.ts'
import { doctor } from './doctor.ts'
import { down } from './down.ts'
import { gateway } from './gateway.ts'
import { install, uninstall } from './install.ts'
import { jobHistory, jobList, jobLogs, jobRun, jobStop } from './job.ts'
import { logs } from './logs.ts'
import { operationList, operationResume, operationShow, operationStop, operationUndo } from './operation.ts'
import { page } from './page.ts'
import { serviceOff, serviceOn } from './service.ts'
import { shutdown } from './shutdown.ts'
import { status } from './status.ts'
import { up } from './up.ts'

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandDefinition[] = [
  up,
  down,
  status,
  logs,
  doctor,
  page,
  appAdd,
  appList,
  appShow,
  appUpdates,
  appRehearse,
  appUpdate,
  appRollback,
  appHistory,
  appRemove,
  appLogs,
  appExec,
  appRestart,
  appRotatePassword,
  appClone,
  cloneList,
  cloneMail,
  cloneExtend,
  cloneRemove,
  configCreate,
  configCheck,
  configShow,
  configDiff,
  configExport,
  configSchema,
  certList,
  certRenew,
  jobList,
  jobRun,
  jobStop,
  jobHistory,
  jobLogs,
  serviceOn,
  serviceOff,
  operationList,
  operationShow,
  operationResume,
  operationStop,
  operationUndo,
  install,
  uninstall,
  daemon,
  completion,
  gateway,
  cell,
  shutdown,
  complete,
]

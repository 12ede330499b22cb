import { applaud } from './applause.mjs'
import { downloadFile, showCard, showEntries, showEntriesJson, showEntry } from './entry-reads.mjs'
import { removeEntry, writeEntry } from './entry-writes.mjs'
import { showNumbers, verifyNumbers, writeNumber } from './number-routes.mjs'
import { health, listen, staticFile, version } from './plain-reads.mjs'

/** Every address of the guestbook: method, path, handler. */
export const routes = [
  ['GET', /^\/$/, showEntries],
  ['POST', /^\/entries$/, writeEntry],
  ['GET', /^\/entries\.json$/, showEntriesJson],
  ['GET', /^\/entries\/(\d{1,15})$/, showEntry],
  ['DELETE', /^\/entries\/(\d{1,15})$/, removeEntry],
  ['POST', /^\/entries\/(\d{1,15})\/delete$/, removeEntry],
  ['POST', /^\/entries\/(\d{1,15})\/applause$/, applaud],
  ['GET', /^\/files\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/, downloadFile],
  ['GET', /^\/cards\/(\d{1,15})\.svg$/, showCard],
  ['GET', /^\/events$/, listen],
  ['POST', /^\/numbers$/, writeNumber],
  ['GET', /^\/numbers\.json$/, showNumbers],
  ['GET', /^\/numbers\/verify$/, verifyNumbers],
  ['GET', /^\/health$/, health],
  ['GET', /^\/version$/, version],
  ['GET', /^\/(style\.css|live\.js|favicon\.svg)$/, staticFile],
]

/**
 * What is used of acme-client, by name: a package in the CommonJS format gives no names to whoever loads it lazily out
 * of the built program. Loading it takes a while: import this file lazily.
 */
export { axios, Client, crypto } from 'acme-client'

// Runs a driver of `student.node`: its argument names a JSON file { driver, report, inputs }; writes { value } or
// { error } to the file `report`. The answer's standard output stays free: what it prints is not a report.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

// Kept before the answer's code is loaded, which may put other functions in their place.
const { stringify, rawJSON } = JSON;
const [write, exit] = [writeFileSync, process.exit.bind(process)];
const { driver, report, inputs } = JSON.parse(readFileSync(process.argv.splice(2, 1)[0], 'utf8'));
const driverUrl = pathToFileURL(driver).href;
const here = pathToFileURL(`${process.cwd()}/`).href;

function finish(reply) {
  write(report, reply);
  exit(0); // whatever the answer left open must not keep the check waiting
}

// What JSON would change in silence is an error here, as it is in Python.
function plain(key, value) {
  if (typeof value === 'bigint') return rawJSON(String(value));
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${value} is not JSON`);
  if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`a ${typeof value} is not JSON`);
  for (const kind of [Map, Set, Promise, WeakMap, WeakSet]) {
    if (value instanceof kind) throw new TypeError(`a ${kind.name} is not JSON`);
  }
  return value;
}

function succeed(value) {
  let reply;
  try {
    reply = stringify({ value: value === undefined ? null : value }, plain);
  } catch (error) {
    const said = 'gave something that is not plain data (numbers, text, arrays, objects): '
      + String(error.message).split('\n')[0];
    reply = stringify({ error: { type: 'TypeError', types: ['TypeError'], message: said, said } });
  }
  finish(reply);
}

// The driver imports what the student has not saved, or not exported, yet.
function missing(error) {
  const message = String(error?.message);
  const file = /^Cannot find module '(.+)' imported from (.+)$/.exec(message);
  if (error?.code === 'ERR_MODULE_NOT_FOUND' && file?.[2] === driver) return `${file[1].split('/').pop()} is not there`;
  const name = /requested module '(.+)' does not provide an export named '(.+)'/.exec(message);
  if (error?.name === 'SyntaxError' && name) return `${name[1].split('/').pop()} does not export \`${name[2]}\``;
  return '';
}

function fail(error) {
  const nothing = missing(error);
  if (nothing) {
    const message = `${nothing} yet. Write your answer in the cell above, run it, then run this cell again.`;
    finish(stringify({ error: { type: 'NotImplementedError', types: ['NotImplementedError'], message } }));
  }
  const types = [];
  for (let p = Object.getPrototypeOf(error ?? {}); p && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    types.push(String(p.constructor?.name ?? '?'));
  }
  const type = String(error?.name ?? typeof error);
  const message = String(error?.message ?? error).slice(0, 4000);
  const frames = String(error?.stack ?? '').split('\n')
    .filter((line) => /^\s+at /.test(line) && !/node:|harness\.mjs/.test(line));
  const own = frames.filter((line) => !line.includes(driverUrl)).slice(0, 3)
    .map((line) => line.replace(here, '').slice(0, 300));
  finish(stringify({ error: {
    type, types: [type, ...types], message, where: own.join('\n'), driver: Boolean(frames[0]?.includes(driverUrl)),
  } }));
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
try {
  const { default: drive } = await import(driverUrl);
  succeed(await drive(inputs));
} catch (error) {
  fail(error);
}

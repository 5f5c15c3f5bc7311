// Runs a driver of `student.node`: ./.driver.mjs with the inputs of ./.driver.json; writes the report beside them.
// The answer's standard output stays free: what it prints is not a report.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const beside = (name) => `${process.cwd()}/${name}`;

function finish(report) {
  writeFileSync(beside('.driver.report.json'), JSON.stringify(report, (key, value) =>
    typeof value === 'bigint' ? Number(value) : value));
  process.exit(0); // whatever the answer left open must not keep the check waiting
}

function fail(error) {
  if (error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.url).startsWith(pathToFileURL(beside('')).href)) {
    const file = String(error.url).split('/').pop();
    const message = `${file} is not there yet. Write your answer in the cell above, run it, then run this cell again.`;
    finish({ error: { type: 'NotImplementedError', types: ['NotImplementedError'], message } });
  }
  const types = [];
  for (let p = Object.getPrototypeOf(error ?? {}); p && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    types.push(p.constructor?.name ?? '?');
  }
  const name = error?.name ?? typeof error;
  const own = String(error?.stack ?? '').split('\n')
    .filter((line) => /^\s+at /.test(line) && !/node:|harness\.mjs|\.driver\.mjs/.test(line)).slice(0, 3);
  finish({ error: {
    type: name, types: [name, ...types], message: String(error?.message ?? error), where: own.join('\n'),
  } });
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
try {
  const { default: driver } = await import(pathToFileURL(beside('.driver.mjs')));
  const value = await driver(JSON.parse(readFileSync(beside('.driver.json'), 'utf8')));
  finish({ value: value === undefined ? null : value });
} catch (error) {
  fail(error);
}
